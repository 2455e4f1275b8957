"""poses.npz says everything that is in a Pose3D, and what it means."""

import json
from pathlib import Path

import numpy as np
from known_clip import a_clip, the_pose, without
from posepipe.models.skeleton import COCO17, H36M17
from posepipe.pipeline.arrays import Pose3D, array_fields
from posepipe.pipeline.exporters import exporter
from posepipe.pipeline.exporters.clip import root


def test_numpy_alone_reads_back_everything(tmp_path: Path) -> None:
    clip = a_clip(rate="60000/1001")
    without(the_pose(clip), 3)
    path = tmp_path / "being written"  # no suffix: numpy must not add one
    exporter("npz")(clip, path)
    with np.load(path, allow_pickle=False) as file:
        for field in array_fields(Pose3D):
            array = getattr(the_pose(clip), field)
            if array is None:  # a pose that was not filtered
                assert field not in file
                continue
            np.testing.assert_array_equal(file[field], array)
            assert file[field].dtype == array.dtype
        assert tuple(file["joint_names"]) == H36M17.joints
        assert [(H36M17.joints[a], H36M17.joints[b]) for a, b in file["bones"]] == list(H36M17.bones)
        assert (str(file["skeleton"]), str(file["unit"]), str(file["rate"])) == ("h36m17", "m", "60000/1001")
        assert "root-relative" in str(file["root"])
        assert "y down" in str(file["axes"])
        assert json.loads(str(file["provenance"])) == {"posepipe": "0", "model": "abc"}


def test_same_poses_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        exporter("npz")(a_clip(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_root_in_words() -> None:
    assert "is its pelvis;" in root(H36M17)
    assert "middle between left_hip and right_hip" in root(COCO17)
