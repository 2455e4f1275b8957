"""A calibration in millimetres or centimetres is recognised by the bodies that its cameras see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_samples import samples_of_two_takes
from known_scene import cameras, people
from posepipe.models.geometry.epipolar import project
from posepipe.pipeline.arrays import Samples
from posepipe.pipeline.stages.convert_lengths import calibrated_statures, convert_lengths, unit_of_calibration


def calibrated(*per_metre: float) -> Samples:
    """Samples of two takes, whose calibrations have so many units of length in a metre."""
    rig, count = cameras(3), 40
    points, _ = project(people(count), np.tile(rig.R, (count, 1, 1, 1)), np.tile(rig.t, (count, 1, 1)))
    keypoint = points * 1200 + 500
    known = (np.tile(array, (count, *[1] * array.ndim)).astype(np.float32) for array in (rig.K, rig.R, rig.t))
    given = dict(zip("KRt", known, strict=True))
    samples = samples_of_two_takes(keypoint, np.ones(keypoint.shape[:-1]), **given)
    scale = np.array(per_metre, np.float32)[samples.take][:, None, None]
    return replace(samples, t=scale * given["t"])


def test_the_unit_is_the_one_in_which_people_are_as_tall_as_they_are() -> None:
    samples = calibrated(1000, 100)
    units = [unit_of_calibration(stature) for stature in calibrated_statures(samples).tolist()]
    assert units == ["mm", "cm"]
    converted = convert_lengths(samples, units)
    np.testing.assert_allclose(converted.t, calibrated(1, 1).t, rtol=1e-5)
    statures = calibrated_statures(converted).tolist()
    assert all(1.5 < stature < 2 for stature in statures)
    assert [unit_of_calibration(stature) for stature in statures] == ["m", "m"]


@pytest.mark.parametrize(
    ("stature", "unit"),
    [(0.5, "m"), (2.5, "m"), (51, "cm"), (249, "cm"), (500, "mm"), (2500, "mm"), (9, "m"), (1e6, "m"), (np.nan, "m")],
)
def test_what_nobody_is_counts_as_metres(stature: float, unit: str) -> None:
    assert unit_of_calibration(stature) == unit


def test_nothing_is_told_without_places_of_cameras() -> None:
    samples = replace(calibrated(1, 1), t=None)
    assert np.isnan(calibrated_statures(samples)).all()
    unseen = calibrated(1, 1)
    assert np.isnan(calibrated_statures(replace(unseen, confidence=0 * unseen.confidence))).all()
    with pytest.raises(ValueError, match="no places"):
        convert_lengths(samples, ["m", "m"])
