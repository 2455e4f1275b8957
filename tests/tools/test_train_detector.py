"""Training of detectors on labelled pictures, which the demo draws; a run here takes seconds and learns little."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.errors import PosepipeError

from demo import labelled
from tools import train_detector
from tools.detector_scores import score

NUMBER = 20
CONFIG = Path(labelled.__file__).with_name("detector") / "skier.py"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of a few pictures, beside them in ``images``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelled, "VIEWS", 1)
        return labelled.draw_labelled(tmp_path_factory.mktemp("drawn"), range(NUMBER), seed=3, size_px=128)


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> labelled.Painter:
    monkeypatch.setattr(labelled, "VIEWS", 1)
    return labelled.Painter(seed=3)


def test_pictures_are_drawn_from_their_number(painter: labelled.Painter, drawn: Path) -> None:
    one, again, other = painter.picture(4), painter.picture(4), painter.picture(5)
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.keypoint, again.keypoint)
    assert not np.array_equal(one.keypoint, other.keypoint)
    written = cv2.imread(str(drawn.parent / "images" / "000004.jpg"))
    assert np.abs(written.astype(float) - one.resized(128).image).mean() < 20  # JPEG


def test_labels_lie_where_the_athlete_is_drawn(painter: labelled.Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "weather", lambda image, rng: image)
    for number in range(6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(labelled, "cover", lambda image, keypoint, rng: np.zeros(len(keypoint), bool))
            full = painter.picture(number)
            patch.setattr(labelled, "draw_solids", lambda *_: None)
            empty = painter.picture(number)
        changed = cv2.dilate((full.image != empty.image).any(-1).astype(np.uint8), np.ones((5, 5)))
        inside = full.visibility > labelled.OUTSIDE
        column, row = np.round(full.keypoint[inside]).astype(int).T
        assert changed[row.clip(0, 255), column.clip(0, 255)].mean() > 0.95
        assert inside.sum() > 10


def test_boxes_hold_the_joints_that_are_in_the_picture(drawn: Path) -> None:
    for person in json.loads(drawn.read_text())["annotations"]:
        pose = np.reshape(person["keypoints"], (-1, 3))
        left, top, width, height = person["bbox"]
        seen = pose[pose[:, 2] > 0, :2]
        assert (seen >= [left - 0.01, top - 0.01]).all()
        assert (seen <= [left + width + 0.51, top + height + 0.51]).all()
        assert person["num_keypoints"] == len(seen)


def test_labels_are_read_in_the_models_order_by_name(drawn: Path, tmp_path: Path) -> None:
    wanted = list(H36M17.joints)
    labels = train_detector.read_labels(drawn, drawn.parent / "images", wanted)
    content = json.loads(drawn.read_text())
    content["categories"][0]["keypoints"] = [*reversed(wanted), "left_big_toe"]
    for person in content["annotations"]:
        pose = np.reshape(person["keypoints"], (-1, 3))[::-1]
        person["keypoints"] = [*pose.ravel().tolist(), 1, 1, 2]
        del person["area"], person["iscrowd"]
    (tmp_path / "other.json").write_text(json.dumps(content))
    other = train_detector.read_labels(tmp_path / "other.json", drawn.parent / "images", wanted)
    assert other.content["annotations"][3]["keypoints"] == labels.content["annotations"][3]["keypoints"]
    kept, held_out = labels.part(held_out=False), labels.part(held_out=True)
    names = [{image["file_name"] for image in part.content["images"]} for part in (kept, held_out)]
    assert [len(part) for part in names] == [18, 2]
    assert not names[0] & names[1]
    assert len(held_out.content["annotations"]) == 2


def test_what_is_wrong_with_labels_is_one_sentence(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match=r"lacks keypoints of the model: left_eye; it has pelvis, right_hip"):
        train_detector.read_labels(drawn, drawn.parent / "images", ["nose", "left_eye"])
    with pytest.raises(PosepipeError, match=r"20 pictures of .* are not in .*, the first is 000000\.jpg"):
        train_detector.read_labels(drawn, tmp_path, ["nose"])
    (tmp_path / "boxes.json").write_text('{"categories": [{"name": "person"}], "images": [], "annotations": []}')
    with pytest.raises(PosepipeError, match="no COCO JSON of keypoints"):
        train_detector.read_labels(tmp_path / "boxes.json", tmp_path, ["nose"])


def test_trains_and_goes_on_from_a_checkpoint(drawn: Path, tmp_path: Path) -> None:
    def run(out: Path, *more: str) -> tuple[dict, dict[str, torch.Tensor]]:
        words = [str(CONFIG), "--labels", str(drawn), "--images", str(drawn.parent / "images"), "--out", str(out)]
        words += ["--epochs", "2", "--batch-size", "6", *more]
        metrics = train_detector.run(train_detector.parser().parse_args(words))
        assert metrics == json.loads((out / "metrics.json").read_text())
        return metrics, torch.load(out / "skier.pth", weights_only=True)["state_dict"]

    metrics, first = run(tmp_path / "first")
    assert metrics["after"]["joints"] > 20
    assert metrics["rate"] == 2e-3
    assert (tmp_path / "first" / "skier.pth").stat().st_size < 6e6
    metrics, second = run(tmp_path / "second", "--checkpoint", str(tmp_path / "first" / "skier.pth"))
    assert metrics["rate"] == pytest.approx(2e-4)
    assert metrics["before"]["joints"] == metrics["after"]["joints"]
    for name in ("backbone.conv1.weight", "backbone.layer3.0.conv2.weight", "head.final_layer.weight"):
        change = (first[name] - second[name]).norm() / first[name].norm()
        assert 0 < change < 0.2, f"{name} is not a few small steps from there"


def test_scores_are_those_of_their_definition() -> None:
    rng = np.random.default_rng(0)
    true, size = rng.uniform(0, 100, (50, 17, 2)), rng.uniform(50, 150, 50)
    error = rng.exponential(0.06, (50, 17))
    angle = rng.uniform(0, 2 * np.pi, (50, 17))
    found = true + (error * size[:, None])[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    scores = score(found, 1 - error, true, size)
    assert scores.pck == pytest.approx((error <= 0.1).mean())
    assert scores.median_error == pytest.approx(np.median(error))
    assert scores.spearman == pytest.approx(-1)
    found[0, 0], true[1, 1] = np.nan, np.nan
    assert score(found, 1 - error, true, size).joints == 50 * 17 - 1
    assert score(found, 1 - error, true, size).pck < scores.pck
