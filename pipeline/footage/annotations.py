"""Annotations of people in pictures, in the formats of COCO and MPII: their boxes and 2D labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...models.skeleton import MPII16, Skeleton, mapping_to_h36m17, recognise
from ..errors import PosepipeError

_MPII_SIZE_PX = 200.0
"""A person of MPII's scale 1 is so tall."""


@dataclass(frozen=True)
class Person:
    """A person in a picture: their joints, on H36M-17, and a box."""

    picture: str
    box: np.ndarray  # (4) px: left, top, right, bottom
    keypoint: np.ndarray  # (17, 2) float32 px, NaN where not labelled
    confidence: np.ndarray  # (17) float32: 1 where labelled, less where derived, 0 where missing


@dataclass(frozen=True)
class PictureFolder:
    """Pictures that labels name; in keys they count by name and size."""

    path: Path
    names: tuple[str, ...]

    @cached_property
    def key(self) -> str:
        """Digest of the pictures' names and sizes."""
        sizes = [[name, (self.path / name).stat().st_size] for name in self.names]
        return hashlib.sha256(json.dumps(sizes).encode()).hexdigest()


def find_pictures(folder: Path, annotations: Path) -> PictureFolder:
    """The pictures that an annotation file names.

    Raises:
        PosepipeError: no such folder or file, not COCO keypoints or MPII, or a picture that is not there.
    """
    if not folder.is_dir():
        raise PosepipeError(f"train.labelled_images names {folder}, but there is no such folder")
    names = tuple(dict.fromkeys(person.picture for person in read_annotations(annotations)))
    for name in names:
        if not (folder / name).is_file():
            raise PosepipeError(f"{annotations} names the picture {name!r}, but there is no file {folder / name}")
    return PictureFolder(folder, names)


def read_annotations(annotations: Path) -> list[Person]:
    """The people of an annotation file who have labelled joints.

    Raises:
        PosepipeError: missing, not JSON, neither COCO keypoints nor MPII, or nobody in it.
    """
    try:
        content = json.loads(annotations.read_bytes())
    except FileNotFoundError as error:
        raise PosepipeError(f"train.labelled_annotations names {annotations}, but there is no such file") from error
    except (ValueError, OSError) as error:
        raise PosepipeError(f"{annotations} cannot be read as JSON: {error}") from error
    try:
        people = list(_coco(content) if isinstance(content, dict) else _mpii(content))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise PosepipeError(
            f"{annotations} holds neither COCO keypoints nor MPII annotations ({type(error).__name__}: {error})"
        ) from error
    if not people:
        raise PosepipeError(f"{annotations} holds nobody with labelled joints")
    return people


def _coco(content: dict[str, Any]) -> Iterator[Person]:
    """People of COCO's keypoints: x, y, v of each joint that their category names; v > 0 is labelled; no crowds."""
    names = {image["id"]: image["file_name"] for image in content["images"]}
    kinds = {kind["id"]: recognise(kind["keypoints"]) for kind in content["categories"] if "keypoints" in kind}
    for said in content["annotations"]:
        if said["category_id"] not in kinds or said.get("iscrowd"):
            continue
        skeleton, order = kinds[said["category_id"]]
        joints = np.array(said["keypoints"], np.float32).reshape(-1, 3)[order]
        left, top, width, height = (float(number) for number in said["bbox"])
        box = np.array([left, top, left + width, top + height])
        yield from _person(names[said["image_id"]], box, joints[:, :2], joints[:, 2] > 0, skeleton)


def _mpii(content: list[dict[str, Any]]) -> Iterator[Person]:
    """People of MPII as JSON (of MMPose, HRNet and others): 16 joints; pixels count from 1, a person has a scale."""
    for said in content:
        joints = np.array(said["joints"], np.float32).reshape(len(MPII16.joints), 2)
        labelled = (np.array(said["joints_vis"]).reshape(-1) > 0) & (joints > 0).all(1)
        centre, half = np.array(said["center"], np.float64) - 1, float(said["scale"]) * _MPII_SIZE_PX / 2
        box = np.concatenate([centre - half, centre + half])
        yield from _person(said["image"], box, joints - 1, labelled, MPII16)


def _person(
    picture: str, box: np.ndarray, joints: np.ndarray, labelled: np.ndarray, skeleton: Skeleton
) -> Iterator[Person]:
    """A person on H36M-17, if any joint is labelled."""
    if labelled.any():
        known = np.where(labelled[:, None], joints, np.nan)
        mapped = mapping_to_h36m17(skeleton).apply(known, labelled.astype(np.float32))
        yield Person(picture, box, *mapped)
