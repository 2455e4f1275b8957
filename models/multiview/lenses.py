"""Lenses that bend: one radial coefficient a camera, where it explains instants that it was not fitted to.

Cameras that film "wide" see 90 to 150 degrees and bend straight lines. Nobody says so in the file, and one
coefficient more always fits better what it is fitted to. It counts therefore only where instants that were kept back
are explained better as well.
"""

from __future__ import annotations

import numpy as np

from .adjust import Array, Body, Mask, Observed, PriorSigma, Scene, adjust

WIDE = -1.3
"""Usual bend of lenses that are known to be wide, in inverse squares of the longer side: they see 110 degrees."""
SIGMA = 0.6
"""Standard deviation of the bend from what is usual: 0 for lenses of which nothing is said."""
BLOCK = 12
"""Instants in a row that are fitted together or kept back together, so that neighbours in time tell nothing."""
MOST_BLOCKS = 40
LEAST_BLOCKS = 4
GAIN = 0.95
"""Share to which the cost of what was kept back must fall."""


def with_lenses(
    scene: Scene, observed: Observed, body: Body, sigma: PriorSigma, usual: Array, picture: float
) -> Scene:
    """The scene of least cost with lenses that bend, or the given one where straight lenses explain as much.

    Args:
        scene: adjusted, with static cameras of which nothing is known.
        usual: (V) bends to start from, in inverse squares of the picture: 0 or ``WIDE``.
        picture: larger side of the pictures in image units.
    """
    lens = sigma._replace(bend=SIGMA / picture**2, usual_bend=usual / picture**2)
    bent = scene._replace(cameras=scene.cameras._replace(bend=usual / picture**2))
    fitted, kept_back = _halves(len(scene.joint))
    if not kept_back.any():
        return adjust(observed, body, lens, bent)[0] if usual.any() else scene

    def fit(start: Scene, prior: PriorSigma) -> tuple[Scene, float]:
        """The scene as some instants tell it, and what it costs to explain the others with its cameras."""
        found, _ = adjust(_some(observed, fitted), body, prior, start._replace(joint=start.joint[fitted]))
        others = found._replace(joint=start.joint[kept_back])
        return found, adjust(_some(observed, kept_back), body, sigma, others, "all")[1]

    _, cost_of_straight = fit(scene, sigma)
    found, cost_of_bent = fit(bent, lens)
    if cost_of_bent > GAIN * cost_of_straight:
        return scene
    return adjust(observed, body, lens, found._replace(joint=scene.joint))[0]


def _halves(instants: int) -> tuple[Mask, Mask]:
    """Instants to fit and to keep back: blocks of either by turns, spread over all; none to keep back of few."""
    blocks = instants // BLOCK
    fitted, kept_back = np.zeros(instants, bool), np.zeros(instants, bool)
    if blocks < LEAST_BLOCKS:
        return ~fitted, kept_back
    chosen = np.linspace(0, blocks - 1, min(blocks, MOST_BLOCKS)).astype(int)
    for number, block in enumerate(chosen.tolist()):
        (kept_back if number % 2 else fitted)[block * BLOCK : (block + 1) * BLOCK] = True
    return fitted, kept_back


def _some(observed: Observed, chosen: Mask) -> Observed:
    """The detections of some instants; those that follow each other no longer are not equally spaced."""
    place = np.flatnonzero(chosen)
    follow = (np.diff(place) == 1)[1:] & (np.diff(place) == 1)[:-1]
    regular = follow & observed.regular[np.minimum(place[:-2], len(observed.regular) - 1)]
    return Observed(observed.points[place], observed.weight[place], regular)
