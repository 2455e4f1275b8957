"""People in the world: upright, on a floor, travelling."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from .hand_over import Dims
from .on_joints import OnJoints


@dataclass(frozen=True)
class WorldPoses(OnJoints):
    """One person in world axes, right-handed: x and y level, z up.

    The origin is on the floor below the first stance, or where a calibration has it. NaN where there was no person.
    """

    joint_world: Annotated[np.ndarray, Dims("frame joint xyz", "float32", "body heights, or m")]
    """Joints as motion, not root-relative; heels and toes are steadied while they stand."""
    root_world: Annotated[np.ndarray, Dims("frame xyz", "float32", "body heights, or m")]
    mass_world: Annotated[np.ndarray, Dims("frame xyz", "float32", "body heights, or m")]
    """Centre of mass, by the segment masses of de Leva (1996)."""
    world_from_camera: Annotated[np.ndarray, Dims("frame xyz column", "float64", "1, and the unit of lengths")]
    """Rotations and shifts (3, 4): ``A[:, :3] @ point + A[:, 3]`` is where a point in camera axes is in the world."""
    contact: Annotated[np.ndarray, Dims("frame foot", "float32", "1")]
    """Probability that the left and the right foot touch the ground; NaN where that is not known."""
    standing: Annotated[np.ndarray, Dims("frame foot", "bool", "1")]
    """Whether they do, with hysteresis and a shortest duration."""
    skeleton: str
    unit: str
    up_source: str
    """What tells where up is: "calibration", "level ground", "flight" or "balance"."""
    up_deg: float
    """Standard deviation of up in degrees."""
    scale_source: str
    """What tells metres: "calibration", "height", "segments", "flight"; empty if nothing does."""
    scale_deviation: float
    """Relative standard deviation of lengths, as far as the source of metres is unsure."""
    metres: float
    """Metres per unit of length of the poses in camera axes from which this was made; 1 where nothing tells them."""
    stature: float
    """The person's, in ``unit``."""
    floor: list[float] = dataclasses.field(default_factory=list)
    """Heights of the levels on which feet stand, ascending; none on slopes, and where nobody stands."""
    notes_on_world: list[str] = dataclasses.field(default_factory=list)
    """What is known of the world and what is not, in sentences."""
