"""The detector that the demo ships, on drawn clips that it has not seen, by the way that any MMPose model goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from posepipe.models.networks.precision import has_bf16
from posepipe.pipeline.detectors import mmpose
from posepipe.pipeline.detectors.frozen import FrozenBackbone
from posepipe.pipeline.detectors.mmpose import MMPoseDetector

from demo import footage
from demo.footage import PLACEMENTS, Clip, plan_clip
from demo.labelled import FIRST_SEED, MARGIN
from tools.detector_scores import Scores, score

CONFIG = Path(footage.__file__).with_name("detector") / "skier.py"
CHECKPOINT = CONFIG.with_suffix(".pth")
PCK = 0.95
"""Share of the joints within a tenth of the person's height at least; 0.98 was measured."""
SEED, SECONDS, PICTURES = 11, 12.0, 5
"""Of the clips: another run than the demo's and than any that was trained on, and pictures of each camera."""


@dataclass(frozen=True)
class Drawn:
    """Pictures of all cameras' clips, and where the joints are."""

    images: list[np.ndarray]
    keypoint: np.ndarray  # (N, 17, 2) px

    @property
    def size(self) -> np.ndarray:
        """Height of the person in each picture (N) px, or width where that is larger."""
        return np.ptp(self.keypoint, axis=1).max(1)


class NearBoxes:
    """Boxes around the person, as far off as those of a person detector are."""

    description, key = "boxes of a test", "test"

    def __init__(self, drawn: Drawn) -> None:
        rng, margin = np.random.default_rng(0), MARGIN * drawn.size[:, None]
        box = np.concatenate([drawn.keypoint.min(1) - margin, drawn.keypoint.max(1) + margin], 1)
        self._box = (box + rng.normal(0, 0.03, box.shape) * drawn.size[:, None]).astype(np.float32)

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from zip(images, self._box[:, None], strict=True)


def some_frames(clip: Clip) -> Clip:
    """A clip of a few of the frames, far from each other."""
    count = len(clip.performance.time)
    frames = np.linspace(3, count - 1, PICTURES).astype(int)

    def chosen(of: Any) -> dict[str, np.ndarray]:
        arrays = {name: value for name, value in vars(of).items() if isinstance(value, np.ndarray)}
        return {name: value[frames] for name, value in arrays.items()}

    performance = replace(clip.performance, **chosen(clip.performance))
    return replace(clip, performance=performance, shot=replace(clip.shot, **chosen(clip.shot)))


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    assert SEED < FIRST_SEED  # from which on athletes are drawn for training
    clips = [some_frames(plan_clip(placement, SEED, SECONDS)) for placement in PLACEMENTS]
    images = [image for clip in clips for image in footage.draw(clip, SEED)]
    return Drawn(images, np.concatenate([clip.shot.project(clip.performance.joint) for clip in clips]))


def found(drawn: Drawn, precision: Any) -> tuple[np.ndarray, np.ndarray]:
    """Joints (N, 17, 2) px and confidences (N, 17) that the detector finds."""
    detector = MMPoseDetector(CONFIG, CHECKPOINT, precision=precision, boxes=NearBoxes(drawn))
    people = list(detector.detect(drawn.images))
    assert detector.confidence_kind == "heatmap maximum"
    return np.concatenate([each.keypoint for each in people]), np.concatenate([each.confidence for each in people])


@pytest.fixture(scope="module")
def full(drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    return found(drawn, "fp32")


def test_joints_are_found_and_confidence_says_how_well(drawn: Drawn, full: tuple[np.ndarray, np.ndarray]) -> None:
    scores = score(*full, drawn.keypoint, drawn.size)
    assert scores.pck >= PCK
    assert scores.spearman <= -0.4


def test_openvino_and_pytorch_find_the_same_joints(
    drawn: Drawn, full: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmpose, "_compilers", lambda device: [FrozenBackbone])
    keypoint, confidence = found(drawn, "fp32")
    assert np.linalg.norm(keypoint - full[0], axis=-1).max() <= 0.05
    np.testing.assert_allclose(confidence, full[1], atol=1e-4)


def test_bf16_hardly_moves_a_joint(drawn: Drawn, full: tuple[np.ndarray, np.ndarray]) -> None:
    if not has_bf16(torch.device("cpu")):
        pytest.skip("this processor has no bf16, and detect.precision = bf16 is refused")
    keypoint, confidence = found(drawn, "bf16")
    assert 0 < np.median(np.linalg.norm(keypoint - full[0], axis=-1)) <= 1
    assert score(keypoint, confidence, drawn.keypoint, drawn.size).pck >= PCK - 0.01


def test_it_is_small_and_plain_and_its_metrics_lie_beside_it() -> None:
    assert CHECKPOINT.stat().st_size < 6e6
    content = torch.load(CHECKPOINT, weights_only=True)
    assert set(content) == {"state_dict"}
    assert all(isinstance(value, torch.Tensor) for value in content["state_dict"].values())
    metrics = json.loads(CHECKPOINT.with_suffix(".json").read_text())
    held_out = Scores(**metrics["after"])
    assert held_out.joints == 17 * metrics["held_out_pictures"]
    assert held_out.spearman <= -0.4
