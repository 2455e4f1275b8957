"""Pictures of failures, made from a keypoint file and poses of it."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from posepipe.models.skeleton import H36M17

from tools.failure_pictures import main

SAMPLES, VIEWS = 50, 2


def test_the_worst_pose_is_shown_beside_the_truth(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0, 0.4, (SAMPLES, VIEWS, 17, 3))
    predicted = true + rng.normal(0, 0.01, true.shape)
    wrist = H36M17.index("left_wrist")
    predicted[7, 1, wrist, 2] += 0.6
    predicted[8, 0] = np.nan  # what was not predicted is no failure
    shared = {"joint_names": np.array(H36M17.joints), "confidence": np.ones((SAMPLES, VIEWS, 17))}
    clips = {"action": np.array(["jump & <turn>"] * SAMPLES)}
    np.savez(tmp_path / "truth.npz", keypoint=true[..., :2], joint_3d_cam=true, **shared, **clips)
    np.savez(tmp_path / "poses.npz", joint=predicted, unit=np.array("m"), **shared)
    main([str(tmp_path / "truth.npz"), str(tmp_path / "poses.npz"), "--out", str(tmp_path / "out.svg")])
    words = [element.text or "" for element in ElementTree.parse(tmp_path / "out.svg").iter()]
    assert [word for word in words if word in ("typical", "worst")] == ["typical", "worst"]
    (last,) = (words[index + 1 :] for index, word in enumerate(words) if word == "worst")
    assert any(word.startswith("left wrist: 5") and word.endswith("mm") for word in last), last
    assert len([word for word in words if word.endswith("mm on average")]) == 4
