"""The joint detection rate before and after fusion, printed for a cvsf model and refused for any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.settings import method_class
from posepipe.pipeline.training.model_file import Model

from tools.refined_keypoints import main, rate


def test_rate_counts_joints_within_half_a_head() -> None:
    true = np.zeros((1, 1, 17, 2))
    true[..., 1, :] = (450.0, 100.0)  # the person is 450 px long, the crop 600, half a head 30
    found = true.copy()
    found[0, 0, :5, 1] += [10, 29.9, 30, 45, 0]
    assert rate(found, true) == pytest.approx(100 * 15 / 17)
    chosen = np.zeros((1, 1, 17), bool)
    chosen[..., :4] = True
    assert rate(found, true, chosen) == 50


def untrained(method: str, path: Path) -> Path:
    """A model file with initial weights."""
    kind = method_class(method)
    torch.manual_seed(0)
    state = kind(H36M17, kind.Settings(width=32)).state_dict()
    Model(method, {"width": 32}, "h36m17", state, [], {}, 0, {}).write(path)
    return path


def test_a_cvsf_model_says_what_fusion_is_worth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig, pose = cameras(3), people(60)
    data = tmp_path / "room.npz"
    keypoint = rig.project(pose).astype(np.float32)
    np.savez(
        data,
        poses_2d=keypoint,
        poses_2d_gt=keypoint,
        confidences=np.full((60, 3, 17), 0.6, np.float32),
        joint_names=np.array(H36M17.joints),
        subject_id=np.zeros(60, np.int32),
        sequence_id=np.zeros(60, np.int32),
        frame_index=np.arange(60),
    )
    models = {name: untrained(name, tmp_path / f"{name}.pt") for name in ("cvsf", "canonpose")}
    main([str(models["cvsf"]), str(data)])
    detected, refined = capsys.readouterr().out.splitlines()[1:]
    assert detected.split() == ["JDR", "as", "detected", "100.0", "100.0"]
    assert 0 <= float(refined.split()[-1]) < 100
    with pytest.raises(SystemExit, match="only cvsf refines"):
        main([str(models["canonpose"]), str(data)])
