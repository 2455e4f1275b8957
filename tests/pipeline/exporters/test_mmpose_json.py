"""MMPose's two JSON dialects, key by key as its own code writes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from known_clip import awkward_clips
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.exporters.mmpose import write, write_demo


@pytest.mark.parametrize("name", awkward_clips())
def test_the_inferencers_dialect(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write(clip, tmp_path / "mmpose.json")
    frames = json.loads((tmp_path / "mmpose.json").read_text())
    assert [frame["frame_id"] for frame in frames] == list(range(len(clip.time)))
    for frame, content in enumerate(frames):
        there = [person for person in clip.people if np.isfinite(person.pose.joint[frame]).all()]
        for person, found in zip(there, content["instances"], strict=True):
            assert set(found) == {"keypoints", "keypoint_scores", "bbox", "bbox_score"}
            x, y, z = person.pose.joint[frame].T
            np.testing.assert_allclose(found["keypoints"], np.stack([-x, z, -y], -1), atol=1e-5)
            np.testing.assert_allclose(found["keypoint_scores"], person.pose.confidence[frame], atol=1e-4)
            ((left, top, right, bottom),) = found["bbox"]
            keypoint = person.pose.keypoint[frame]
            seen = keypoint[np.isfinite(keypoint).all(-1)] if np.isfinite(keypoint).any() else np.zeros((1, 2))
            np.testing.assert_allclose([(left, top), (right, bottom)], [seen.min(0), seen.max(0)], atol=1e-3)


@pytest.mark.parametrize("name", awkward_clips())
def test_the_demo_scripts_dialect_as_pose2sim_reads_it(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write_demo(clip, tmp_path / "mmpose_demo.json")
    content = json.loads((tmp_path / "mmpose_demo.json").read_text())
    assert content["meta_info"]["keypoint_id2name"]["0"] == H36M17.joints[0]
    assert content["meta_info"]["posepipe"]["rate"] == str(clip.life_rate)
    assert [frame["frame_id"] for frame in content["instance_info"]] == list(range(1, len(clip.time) + 1))
    for frame, each in enumerate(content["instance_info"]):
        poses = [person.pose for person in clip.people if np.isfinite(person.pose.joint[frame]).all()]
        seen = [pose for pose in poses if np.isfinite(pose.keypoint[frame]).any()]
        for pose, found in zip(seen, each["instances"], strict=True):
            np.testing.assert_allclose(found["keypoints"], np.nan_to_num(pose.keypoint[frame]), atol=1e-3)
            lost = np.isnan(pose.keypoint[frame]).any(-1)
            assert not np.array(found["keypoint_scores"])[lost].any()
