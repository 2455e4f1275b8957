"""How good a 2D detector is where the joints are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

PCK_SHARE = 0.1


@dataclass(frozen=True)
class Scores:
    """Of all joints of all people."""

    pck: float
    """Share of joints within a tenth of the person's size."""
    median_error: float
    """In sizes of the person."""
    spearman: float
    """Rank correlation of confidence and error; -1 if surer means nearer throughout."""
    joints: int
    """How many were compared."""


def score(keypoint: np.ndarray, confidence: np.ndarray, true: np.ndarray, size: np.ndarray) -> Scores:
    """Scores of found keypoints; those not found (NaN) are wrong by more than any other.

    Args:
        keypoint: (N, J, 2) px.
        confidence: (N, J).
        true: (N, J, 2) px; NaN where unknown, which does not count.
        size: (N) px, height of each person in the picture.
    """
    known = ~np.isnan(true).any(-1)
    error = np.linalg.norm(keypoint - true, axis=-1) / size[:, None]
    error, confidence = np.nan_to_num(error[known], nan=np.inf), confidence[known]
    return Scores(
        pck=float((error <= PCK_SHARE).mean()),
        median_error=float(np.median(error)),
        spearman=float(spearmanr(confidence, error).statistic),
        joints=int(known.sum()),
    )
