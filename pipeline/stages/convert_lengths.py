"""Conversion: lengths of a calibration in metres, by the bodies that its cameras see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...models.body.body import UNITS_M, body_size, unit_of_stature
from ...models.geometry.epipolar import normalise_by_intrinsics, triangulate_robustly
from ...models.skeleton import SKELETONS
from ..arrays import Samples
from ..runtime.cache import stage

SOME_INSTANTS = 200
"""Enough to tell how tall somebody is."""
TOLERANCE = 0.05
"""How far apart two cameras may see a joint, in focal lengths: the calibration may be a poor one."""


@stage(version=1)
def convert_lengths(samples: Samples, units: list[str]) -> Samples:
    """The samples with cameras placed in metres.

    Args:
        units: of each take's calibration, one of ``UNITS_M``.

    Raises:
        ValueError: samples without t.
    """
    if samples.t is None:
        raise ValueError("there are no places of cameras to convert")
    metres = np.array([UNITS_M[unit] for unit in units], np.float32)
    return replace(samples, t=np.asarray(samples.t) * metres[samples.take][:, None, None])


def calibrated_statures(samples: Samples) -> np.ndarray:
    """Stature (T) of the athlete of each take in the calibration's unit of length, NaN where it cannot be told."""
    stature = np.full(len(samples.takes), np.nan)
    if samples.K is None or samples.R is None or samples.t is None:
        return stature
    for take in range(len(samples.takes)):
        members = np.flatnonzero(samples.take == take)
        some = members[np.linspace(0, len(members) - 1, min(len(members), SOME_INSTANTS)).astype(int)]
        if not len(some):
            continue
        K, R, t = (np.asarray(array[some], np.float64) for array in (samples.K, samples.R, samples.t))
        points = normalise_by_intrinsics(samples.keypoint[some].astype(np.float64), K)
        confidence = samples.confidence[some].astype(np.float64)
        pose = triangulate_robustly(points, R, t, confidence, np.full(K.shape[:2], TOLERANCE))
        body = SKELETONS[samples.skeleton].body
        pose = pose[:, : len(body.joints)]
        whole = pose[np.isfinite(pose).all((1, 2))]
        if len(whole):
            stature[take] = np.median(body_size(whole, body))
    return stature


def unit_of_calibration(stature: float) -> str:
    """The unit in which somebody of a stature is as tall as people are; metres where that cannot be told."""
    return unit_of_stature(stature) or "m"
