"""Cameras of keypoint files: what the file says of them, or what is assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..arrays import Samples
from ..footage.camera import CALIBRATED, IN_THE_MIDDLE, Camera, calibrate_assumes, focal_length, in_words
from ..footage.keypoint_file import open_keypoints
from ..settings import Settings


def says_sizes(path: Path) -> bool:
    """Whether the file says how large the pictures are, and so where they have their middle."""
    with open_keypoints(path) as file:
        return "image_size" in file


def image_sizes(path: Path, samples: Samples) -> list[list[int]]:
    """Width and height (px) of every view.

    Raises:
        PosepipeError: the file does not say them.
    """
    with open_keypoints(path) as file:
        return file.array("image_size", samples.confidence.shape[1], 2).tolist()


def unknown_cameras(path: Path, samples: Samples) -> list[Camera]:
    """The cameras of all views, of which nothing is said but how large their pictures are.

    Raises:
        PosepipeError: the file does not say it.
    """
    return [Camera.of_pictures(size) for size in image_sizes(path, samples)]


def with_focal(samples: Samples, sizes: list[list[int]], focal_px: list[float]) -> Samples:
    """Samples as of cameras of these focal lengths, whose principal points are in the middle."""
    K = [Camera.of_focal_length(size, focal).K for size, focal in zip(sizes, focal_px, strict=True)]
    return replace(samples, K=np.tile(np.array(K, np.float32), (len(samples.instant), 1, 1, 1)))


def with_intrinsics(
    path: Path, samples: Samples, read: Callable[[], Samples], settings: Settings, focal_px: float | None = None
) -> tuple[Samples, str] | None:
    """Samples with K, to place roots by, and where K comes from in words; None if nothing tells the cameras.

    Args:
        samples: as they were lifted; with K if the method knows the cameras.
        read: gives the samples with the K that the file holds, freed from the distortion of lenses.
        focal_px: as stated, for files without K.

    Raises:
        PosepipeError: a focal length is stated, but neither K nor the size of the pictures.
    """
    with open_keypoints(path) as file:
        given, sized = "K" in file, "image_size" in file
    if given:
        known = read() if samples.K is None else samples
        return known, f"{in_words(np.asarray(known.K))}, given"
    if samples.K is not None:
        why = CALIBRATED if focal_px is None else "given"
        return samples, f"{in_words(np.asarray(samples.K))}, {why}; {IN_THE_MIDDLE}"
    if not sized and focal_px is None:
        return None
    sizes = image_sizes(path, samples)
    found = [_focal(size, focal_px, settings) for size in sizes]
    known = with_focal(samples, sizes, [focal for focal, _ in found])
    return known, f"{in_words(np.asarray(known.K))}, {found[0][1]}; {IN_THE_MIDDLE}"


def _focal(size: list[int], focal_px: float | None, settings: Settings) -> tuple[float, str]:
    """The focal length (px) of a view, and why."""
    assumed = calibrate_assumes(size, settings.calibrate)
    if focal_px is None and assumed is not None:
        return assumed, CALIBRATED
    return focal_length(size, focal_px, settings.root)
