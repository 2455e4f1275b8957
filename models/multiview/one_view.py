"""A clip of one camera as a whole: lifted poses made consistent with each other and with the picture.

A network that lifts one root-centred pose at a time cannot know how its camera is pitched, nor that the body of one
frame is that of the next. The clip can: what is nearer looks larger, bones keep their lengths, the body is as long
left as right, and it moves smoothly. This is a bundle adjustment of one view (Triggs et al., Bundle Adjustment, 2000)
around the network's poses (``one_view_window``), for clips of any length. Lengths are in statures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .adjust import Body
from .near_camera import rotation_by, turn_of
from .one_view_window import Array, Lifted, Shape, Usual, Window

Frames = NDArray[np.int64]

TURN, DRIFT = 0.3, 0.03
"""Usual rotation of a clip, and of a window of it from that of the clip, in rad. Each counts once beside the errors
of all frames, so that these decide: a window may turn further where its frames say so."""
WINDOW, OVERLAP = 480, 40
"""Frames that are adjusted at once, and those of them that the next window adjusts again."""
LEARNING_STEP_S = 0.06
"""Frames closer in time tell nothing more of what all frames share."""
STRETCHES, STRETCH = 4, 30
"""Stretches of so many such frames, spread over a long clip, tell what all frames share."""


class Adjusted(NamedTuple):
    """Poses of T frames that agree with each other and with the picture."""

    joint: NDArray[np.float32]  # (T, J, 3) root-relative, camera axes
    root: NDArray[np.float32]  # (T, 3) in camera coordinates
    turn: NDArray[np.float32]  # (T, 3) by what the lifted poses were turned, about its axis by its length in rad
    length: Array  # (kinds) of the bones of each kind


def adjust_clip(time: Array, read: Callable[[Frames], Lifted], body: Body) -> Adjusted:
    """Adjust all poses of a clip together.

    What all frames share, the rotation and the lengths of bones, is found on some of them. With these lengths the
    clip is adjusted in windows that overlap, so that its memory is bounded, and its rotation may drift.

    Args:
        time: (T) s, of at least one frame, in order.
        read: gives what is known of some frames, by their numbers (N).
        body: the bones and the root.
    """
    shape = learn_shape(read(learning_frames(time)), body)
    joint, root, drift = (np.zeros((len(time), *rest), np.float32) for rest in ((len(body.root), 3), (3,), (3,)))
    for window, share in windows(len(time)):
        scene = Window(read(window), body, shape, Usual(turn=DRIFT, length=0.0)).solve()
        origin = np.einsum("j,tjc->tc", body.root, scene.joint)
        joint[window] += share[:, None, None] * (scene.joint - origin[:, None])
        root[window] += share[:, None] * (scene.root + origin)
        drift[window] += share[:, None] * turn_of(scene.shape.R @ shape.R.T)
    turn = turn_of(rotation_by(drift.astype(np.float64)) @ shape.R).astype(np.float32)
    return Adjusted(joint, root, turn, shape.length)


def learn_shape(lifted: Lifted, body: Body) -> Shape:
    """The rotation and the lengths of bones with which some frames of a clip agree best."""
    first = Shape(np.eye(3), lifted.median_lengths(body))
    return Window(lifted, body, first, Usual(TURN, length=1.0)).solve().shape


def learning_frames(time: Array) -> Frames:
    """Frames (N) that tell what all share: not too close in time, and of a long clip only some stretches."""
    step = float(np.median(np.diff(time))) if len(time) > 1 else LEARNING_STEP_S
    apart = np.arange(0, len(time), max(1, round(LEARNING_STEP_S / step)))
    if len(apart) <= STRETCHES * STRETCH:
        return apart
    starts = np.linspace(0, len(apart) - STRETCH, STRETCHES).astype(int)
    return apart[(starts[:, None] + np.arange(STRETCH)).ravel()]


def windows(frames: int) -> Iterator[tuple[Frames, Array]]:
    """Windows (N) that overlap, and the share (N) that each has in its frames; these add up to 1 in every frame."""
    count = max(1, -(-(frames - OVERLAP) // (WINDOW - OVERLAP)))
    size = -(-(frames + (count - 1) * OVERLAP) // count)  # so that a window overlaps with its neighbours only
    starts = np.linspace(0, frames - size, count).round().astype(int)
    for start, before, after in zip(starts, [-size, *starts[:-1]], [*starts[1:], frames], strict=True):
        share = np.ones(size)
        for both, rising in ((before + size - start, True), (start + size - after, False)):
            ramp = (np.arange(both) + 0.5) / max(both, 1)
            if rising:
                share[:both] *= ramp
            else:
                share[size - both :] *= 1 - ramp
        yield np.arange(start, start + size), share
