"""A track moves to the wanted skeleton; the mapping itself is tested with the skeletons."""

from __future__ import annotations

import numpy as np
import pytest
from footage import a_track
from posepipe.models.skeleton import H36M17, SKELETONS, mapping_to_h36m17
from posepipe.pipeline.settings import MorphSettings
from posepipe.pipeline.stages.morph import morph_skeleton

TIME = np.arange(5) / 25


@pytest.mark.parametrize("name", SKELETONS)
def test_any_skeleton_becomes_h36m17_or_stays(name: str) -> None:
    source = SKELETONS[name]
    keypoint = np.random.default_rng(0).uniform(0, 100, (5, len(source.joints), 2)).astype(np.float32)
    keypoint[2, source.index("left_wrist")] = np.nan
    track = a_track(keypoint, TIME, skeleton=name, moves=True)
    morphed = morph_skeleton(track, MorphSettings(skeleton="h36m17"))
    assert morphed.skeleton == "h36m17"
    expected, confidence = mapping_to_h36m17(source).apply(track.keypoint, track.confidence)
    np.testing.assert_array_equal(morphed.keypoint, expected)
    np.testing.assert_array_equal(morphed.confidence, confidence)
    wrist = H36M17.index("left_wrist")
    assert np.isnan(morphed.keypoint[2, wrist]).all()
    assert morphed.confidence[2, wrist] == 0
    assert np.isfinite(np.delete(morphed.keypoint[2], wrist, 0)).all()
    assert (morphed.camera_moves, morphed.dropped) == (True, 0)
    native = morph_skeleton(track, MorphSettings(skeleton="native"))
    assert native.skeleton == name
    np.testing.assert_array_equal(native.keypoint, track.keypoint)
