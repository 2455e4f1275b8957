"""Pictures with 2D labels: tiny COCO and MPII files that we write, joints where crops show them, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from footage import FakeDetector, film_take
from posepipe.models.skeleton import COCO17, H36M17, MPII16
from posepipe.pipeline.arrays import LabelledPictures
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.annotations import find_pictures, read_annotations
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runtime.cache import Cache, SourceFile
from posepipe.pipeline.settings import CropSettings
from posepipe.pipeline.stages.crop import crop_labelled
from posepipe.pipeline.training.batches import read_labelled
from test_crop import quick, tiny, write_calibration  # noqa: F401 - a fixture

SMALL = CropSettings(size_px=64, chunk_frames=2)


def joints_of(count: int, seed: int) -> np.ndarray:
    """Joints (count, 2) px of a person somewhere in a picture of 200 x 160, whole numbers."""
    return np.random.default_rng(seed).integers([30, 20], [170, 140], (count, 2)).astype(float)


def draw(folder: Path, name: str, joints: np.ndarray) -> None:
    """A black picture with a white dot at each joint."""
    image = np.zeros((160, 200, 3), np.uint8)
    for x, y in joints.astype(int):
        cv2.circle(image, (int(x), int(y)), 3, (255, 255, 255), -1)
    cv2.imwrite(str(folder / name), image)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Two pictures; three people, one of them with few joints; a crowd; somebody without labels."""
    (tmp_path / "pictures").mkdir()
    content: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 3, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}, {"id": 2, "name": "ski"}],
        "annotations": [],
    }
    people = [joints_of(17, seed) for seed in range(3)]
    for picture, person, visible in ((7, 0, 2), (3, 1, 1), (7, 2, 0)):
        labels = np.concatenate([people[person], np.full((17, 1), visible)], 1)
        if person == 2:
            labels[5:7, 2] = 2  # shoulders alone
        low, high = people[person].min(0), people[person].max(0)
        said = {"image_id": picture, "category_id": 1, "keypoints": labels.ravel().tolist(), "iscrowd": 0}
        content["annotations"].append(said | {"bbox": [*low.tolist(), *(high - low).tolist()]})
    last = content["annotations"][0]
    content["annotations"] += [last | {"iscrowd": 1}, last | {"keypoints": [0] * 51}, last | {"category_id": 2}]
    draw(tmp_path / "pictures", "a.png", np.concatenate([people[0], people[2]]))
    draw(tmp_path / "pictures", "b.png", people[1])
    (tmp_path / "coco.json").write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def mpii(tmp_path: Path) -> Path:
    """One picture with one person, whose ankle is not labelled; MPII counts pixels from 1."""
    (tmp_path / "pictures").mkdir(exist_ok=True)
    joints = joints_of(16, 5)
    draw(tmp_path / "pictures", "c.png", joints)
    stored = joints + 1
    stored[0] = -1
    person = {"image": "c.png", "center": [101.0, 81.0], "scale": 0.6, "joints": stored.tolist(),
              "joints_vis": [0] + [1] * 15}  # fmt: skip
    (tmp_path / "mpii.json").write_text(json.dumps([person]))
    return tmp_path


def test_coco_people_are_read(coco: Path) -> None:
    people = read_annotations(coco / "coco.json")
    assert [person.picture for person in people] == ["a.png", "b.png", "a.png"]
    joints = joints_of(17, 1)
    found = people[1]
    for name in ("left_knee", "right_wrist", "nose"):
        np.testing.assert_allclose(found.keypoint[H36M17.index(name)], joints[COCO17.index(name)])
        assert found.confidence[H36M17.index(name)] == 1
    hips = [joints[COCO17.index(f"{side}_hip")] for side in ("left", "right")]
    np.testing.assert_allclose(found.keypoint[H36M17.index("pelvis")], np.mean(hips, 0))
    assert found.confidence[H36M17.index("head")] == 0.5, "extrapolated"
    few = people[2]
    named = {name for name, known in zip(H36M17.joints, few.confidence > 0, strict=True) if known}
    assert named == {"left_shoulder", "right_shoulder", "thorax"}
    assert np.isnan(few.keypoint[H36M17.index("left_knee")]).all()


def test_mpii_people_are_read(mpii: Path) -> None:
    (person,) = read_annotations(mpii / "mpii.json")
    joints = joints_of(16, 5)
    for name in ("left_ankle", "thorax", "head"):
        np.testing.assert_allclose(person.keypoint[H36M17.index(name)], joints[MPII16.index(name)])
    assert person.confidence[H36M17.index("right_ankle")] == 0
    np.testing.assert_allclose(person.box, [40, 20, 160, 140])


@pytest.mark.parametrize("kind", ["coco", "mpii"])
def test_joints_lie_in_crops_where_they_are_seen(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    found = cropped(folder, f"{kind}.json")
    count = {"coco": 3, "mpii": 1}[kind]
    assert found.picture.shape == (count, 64, 64, 3)
    source = {"coco": COCO17, "mpii": MPII16}[kind]
    own = [H36M17.index(name) for name in H36M17.joints if name in source.joints]
    for picture, keypoint, confidence in zip(found.picture, found.keypoint, found.confidence, strict=True):
        inside = (confidence == 1) & (keypoint > 2).all(1) & (keypoint < 61).all(1)
        for joint in (joint for joint in own if inside[joint]):
            x, y = np.round(keypoint[joint]).astype(int)
            assert picture[y, x].min() > 100


def cropped(folder: Path, name: str) -> LabelledPictures:
    pictures = find_pictures(folder / "pictures", folder / name)
    source = SourceFile(folder / name, "labels")
    return Cache(folder / "cache").run(crop_labelled, source, pictures, settings=SMALL)


def test_pictures_count_in_keys(coco: Path) -> None:
    before = find_pictures(coco / "pictures", coco / "coco.json").key
    draw(coco / "pictures", "b.png", joints_of(3, 9))
    assert find_pictures(coco / "pictures", coco / "coco.json").key != before


def test_batches_have_no_nan(coco: Path) -> None:
    batch = read_labelled(cropped(coco, "coco.json"), torch.tensor([2, 0]), torch.device("cpu"))
    assert batch.crop.shape == (2, 64, 64, 3) and batch.crop.dtype == torch.uint8
    assert batch.keypoint.isfinite().all() and (batch.keypoint[batch.confidence == 0] == 0).all()


def test_what_is_wrong_is_said(coco: Path) -> None:
    pictures, labels = coco / "pictures", coco / "coco.json"
    with pytest.raises(PosepipeError, match=r"train\.labelled_images names .*nowhere, but there is no such folder"):
        find_pictures(coco / "nowhere", labels)
    with pytest.raises(PosepipeError, match=r"train\.labelled_annotations names .*none\.json"):
        find_pictures(pictures, coco / "none.json")
    (pictures / "b.png").unlink()
    with pytest.raises(PosepipeError, match=r"names the picture 'b\.png', but there is no file"):
        find_pictures(pictures, labels)
    (pictures / "b.png").write_text("no picture")
    with pytest.raises(PosepipeError, match="cannot be read as a picture"):
        cropped(coco, "coco.json")
    bad = coco / "bad.json"
    for text, sentence in {
        "{": "cannot be read as JSON",
        "{}": "neither COCO keypoints nor MPII",
        '[{"image": "a.png"}]': "neither COCO keypoints nor MPII",
        "3": "neither COCO keypoints nor MPII",
        "[]": "nobody with labelled joints",
    }.items():
        bad.write_text(text)
        with pytest.raises(PosepipeError, match=sentence):
            read_annotations(bad)


def test_a_fit_with_labelled_pictures(tiny: None, detector: FakeDetector, coco: Path) -> None:  # noqa: F811
    take = film_take(coco / "run", 2, range(8))
    write_calibration(take, 2)
    names = (f"train.labelled_images={coco / 'pictures'}", f"train.labelled_annotations={coco / 'coco.json'}")
    with pytest.raises(PosepipeError, match="belong together"):
        fit(take, settings=quick(names[0]))
    with pytest.raises(PosepipeError, match="joints of h36m17"):
        fit(take, settings=quick(*names, "morph.skeleton=native"))
    assert detector.looked_at == 0, "said first"
    with_them = fit(take, settings=quick(*names, "train.min_steps=2"), until="train")
    assert len(list((with_them.folder / "cache" / "crop_labelled").iterdir())) == 1
    without = fit(take, out=coco / "without", settings=quick("train.min_steps=2"), until="train")
    assert (with_them.folder / "model.pt").read_bytes() != (without.folder / "model.pt").read_bytes()
