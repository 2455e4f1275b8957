"""Boxes of several people from models of OpenMMLab's: what those find by themselves, carried from look to look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from posepipe.models.networks.openmmlab import nms
from posepipe.pipeline.detectors import person_boxes as backend
from posepipe.pipeline.detectors.carried import LEAST_SCORE, between
from posepipe.pipeline.detectors.mmpose_settings import MMPoseSettings
from posepipe.pipeline.detectors.model_zoo import find_config
from posepipe.pipeline.detectors.person_boxes import BoxesFromModel
from posepipe.pipeline.errors import PosepipeError

from mmpose.apis import inference_bottomup, init_model  # isort: skip  (importable only after ours)

mmdetection = backend.mmdetection()
RTMDET = Path(mmdetection.__file__).parents[1] / ".mim" / "configs" / "rtmdet" / "rtmdet_tiny_8xb32-300e_coco.py"
RTMO = "rtmo-t_8xb32-600e_body7-416x416"


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (200, 260, 3), np.uint8)


def weights(model: torch.nn.Module, path: Path) -> Path:
    torch.save({"state_dict": model.state_dict()}, path)
    return path


def same_boxes(found: np.ndarray, box: np.ndarray, score: np.ndarray) -> None:
    kept = box[score >= LEAST_SCORE]
    assert len(kept) > 0
    np.testing.assert_allclose(found, kept, atol=1e-2)


def test_a_person_detector_gives_the_people_that_mmdetection_finds(image: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(0)
    with backend.quiet():
        model = mmdetection.init_detector(str(RTMDET), None, device="cpu")
        model.bbox_head.rtm_cls[0].bias.data[0] += 1  # people are a little likelier than the other classes
        found = mmdetection.inference_detector(model, image).pred_instances
    boxes = BoxesFromModel(RTMDET, weights(model, tmp_path / "rtmdet.pth"))
    people = found[found.labels == 0]
    same_boxes(boxes.look(image), people.bboxes.numpy(), people.scores.numpy())
    assert boxes.description == "boxes from rtmdet_tiny_8xb32-300e_coco, weights rtmdet.pth, in every 5. image"


def test_a_one_stage_model_gives_the_people_that_mmpose_finds(image: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(0)
    with backend.quiet():
        model = init_model(str(find_config(RTMO)), None, device="cpu")
        found = inference_bottomup(model, image)[0].pred_instances
    boxes = BoxesFromModel(RTMO, weights(model, tmp_path / "rtmo.pth"), every=2)
    same_boxes(boxes.look(image), found.bboxes, found.bbox_scores)
    assert list(boxes.anybody([image])) == [True]
    boxed = list(boxes.boxes([image] * 4))
    assert all(given is image for given, _ in boxed)
    np.testing.assert_allclose(boxed[3][1], boxed[0][1], atol=1e-2)


def test_every_box_moves_to_where_its_person_is_next() -> None:
    before = np.array([[0, 0, 10, 20], [50, 0, 60, 20], [90, 0, 95, 9]], np.float32)
    after = np.array([[54, 0, 64, 20], [4, 0, 14, 20], [200, 0, 210, 20]], np.float32)
    half = between(before, after, 0.5)
    np.testing.assert_allclose(half, [[52, 0, 62, 20], [2, 0, 12, 20], [200, 0, 210, 20], [90, 0, 95, 9]])
    np.testing.assert_array_equal(between(before, after, 1.0), after)
    nobody = np.zeros((0, 4), np.float32)
    assert between(nobody, nobody, 0.5).shape == (0, 4)
    np.testing.assert_array_equal(between(before, nobody, 0.5), before)
    np.testing.assert_array_equal(between(nobody, after, 0.5), after)


@given(st.integers(0, 12), st.integers(0, 1000), st.sampled_from([0, 1]))
def test_suppression_is_that_of_its_definition(count: int, seed: int, offset: int) -> None:
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 30, (count, 2)), rng.uniform(5, 30, (count, 2))
    box, score = np.concatenate([corner, corner + size], 1), rng.permutation(count) / 10

    def overlap(a: int, b: int) -> float:
        side = np.minimum(box[a, 2:], box[b, 2:]) - np.maximum(box[a, :2], box[b, :2]) + offset
        common = np.prod(side) if (side > 0).all() else 0.0
        areas = [np.prod(box[one, 2:] - box[one, :2] + offset) for one in (a, b)]
        return common / (sum(areas) - common)

    kept: list[int] = []
    for one in np.argsort(-score):
        if all(overlap(one, better) <= 0.4 for better in kept):
            kept.append(int(one))
    assert nms(torch.tensor(box), torch.tensor(score), 0.4, offset).tolist() == kept


def test_what_finds_no_people_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"")
    with pytest.raises(PosepipeError, match=r"boxes_checkpoint: there is no file"):
        BoxesFromModel(RTMO, tmp_path / "nowhere.pth")
    with pytest.raises(PosepipeError, match=r"TopdownPoseEstimator, which needs boxes itself; name a detector"):
        BoxesFromModel("rtmpose-t", tmp_path / "a.pth")
    (tmp_path / "empty.py").write_text("a = 1")
    with pytest.raises(PosepipeError, match=r"the model of .*empty.py cannot be built"):
        BoxesFromModel(tmp_path / "empty.py", tmp_path / "a.pth")
    settings = MMPoseSettings(mmpose_config="rtmpose-t", mmpose_checkpoint=str(tmp_path / "a.pth"), boxes_config=RTMO)
    with pytest.raises(PosepipeError, match=r"detect.boxes_config and detect.boxes_checkpoint belong together"):
        settings.build("cpu")
