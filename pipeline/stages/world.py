"""The world: where up is, where the floor is, what a metre is, who stands when, and how somebody travels."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...models.body.angles import stature_by_segments
from ...models.body.body import body_size
from ...models.skeleton import SKELETONS
from ...models.world.find import Motion, Standing, find_standing
from ...models.world.frame import Frame, frame_of, vertical_axis
from ...models.world.travel import steady_soles
from ...models.world.vertical import Cue, angle_deg
from ..arrays import Pose3D, WorldPoses
from ..settings import WorldSettings

CERTAIN = 1e6
"""Precision per squared rad of a vertical that is given."""
LARGEST_DEVIATION = 0.06
"""Relative standard deviation of metres up to which flights tell them."""

PICTURES_UP, DOUBTFUL_DEG = np.array([0.0, -1.0, 0.0]), 60.0
"""Up in the axes of a camera that is held level, and how far the world's up may be off it without a word: people who
lie cannot be told from people who stand by their joints alone."""


class Placed(NamedTuple):
    """A camera that a calibration has placed: ``X_camera = R X + t``."""

    R: np.ndarray  # (3, 3)
    t: np.ndarray  # (3) m


class _Metres(NamedTuple):
    """What a unit of length is."""

    per_unit: float
    deviation: float
    source: str


def place_in_world(
    pose: Pose3D, camera: Placed | None, by_flight: bool, settings: WorldSettings
) -> WorldPoses | None:
    """A person in world axes; None if no pose is whole, or nothing tells where up is.

    Sources in order: of up, a calibration with a vertical axis, then balance over the feet, level ground and flights
    together; of metres, a calibration, the stated height or segments, and flights. Nothing is assumed.

    Args:
        pose: a motion in axes that do not turn, with the root trajectory in them.
        camera: the camera in whose axes it is, if it is calibrated.
        by_flight: whether flights may tell metres.

    Raises:
        ValueError: poses without a root trajectory.
    """
    motion = motion_of(pose)
    standing = find_standing(motion)
    if standing is None:
        return None
    axes = None if camera is None else vertical_axis(camera.R.T, standing.up.direction)
    if axes is not None:
        up = Cue("calibration", axes[2], CERTAIN * (np.eye(3) - np.outer(axes[2], axes[2])))
        standing = find_standing(motion, up) or standing
    metres = _metres(pose, standing, by_flight, settings)
    scale = 1.0 if metres is None else metres.per_unit
    joint, soles = motion.joint.copy(), standing.soles.joint
    joint[:, soles] = points = steady_soles(motion.joint[:, soles], standing.contacts.points, motion.time)
    if camera is not None and axes is not None:
        frame = Frame(axes, -scale * axes @ camera.t, scale)
    else:
        frame = frame_of(standing, points, scale)
    return _as_poses(pose, joint, standing, frame, metres)


def motion_of(pose: Pose3D) -> Motion:
    """Joints of a motion where they are, in the axes of its root trajectory.

    Raises:
        ValueError: poses without a root trajectory.
    """
    if pose.root_trajectory is None or pose.joint_raw is None or pose.root_trajectory_raw is None:
        raise ValueError("the world takes a motion with its root trajectory")
    joint = np.asarray(pose.joint, np.float64) + np.asarray(pose.root_trajectory, np.float64)[:, None]
    raw = np.asarray(pose.joint_raw, np.float64) + np.asarray(pose.root_trajectory_raw, np.float64)[:, None]
    return Motion(joint, raw, np.asarray(pose.time), SKELETONS[pose.skeleton])


def stated_metres(pose: Pose3D, settings: WorldSettings) -> float | None:
    """Metres per unit of poses by the stated height or segments; None if neither is stated, or no pose is whole."""
    whole, skeleton = np.asarray(pose.joint)[pose.there], SKELETONS[pose.skeleton]
    if not len(whole) or (settings.height_m is None and not settings.segments_m):
        return None
    size = float(np.median(body_size(whole, skeleton)))
    if settings.height_m is not None:
        return settings.height_m / size
    return stature_by_segments(whole / size, skeleton, settings.segments_m) / size


def _metres(pose: Pose3D, standing: Standing, by_flight: bool, settings: WorldSettings) -> _Metres | None:
    """Metres per unit of the poses, from the first source that there is."""
    if pose.unit == "m":
        return _Metres(1.0, 0.0, "calibration")
    if (stated := stated_metres(pose, settings)) is not None:
        return _Metres(stated, 0.0, "height" if settings.height_m is not None else "segments")
    if by_flight and (told := standing.metres) is not None and told[1] <= LARGEST_DEVIATION:
        return _Metres(*told, "flight")
    return None


def _as_poses(
    pose: Pose3D, joint: np.ndarray, standing: Standing, frame: Frame, metres: _Metres | None
) -> WorldPoses:
    """What was found as arrays."""
    skeleton = SKELETONS[pose.skeleton]
    root = np.einsum("j,tjc->tc", skeleton.landmark_weights("pelvis")[0].astype(np.float64), np.nan_to_num(joint))
    root[~pose.there] = np.nan
    levels = [] if standing.slope else frame.scale * standing.ground.level + frame.shift[2]
    rigid = np.concatenate([frame.rotation, frame.shift[:, None]], 1)
    found = WorldPoses(
        joint_world=frame.place(joint).astype(np.float32),
        root_world=frame.place(root).astype(np.float32),
        mass_world=frame.place(standing.mass).astype(np.float32),
        world_from_camera=np.tile(rigid, (len(joint), 1, 1)),
        contact=standing.contacts.probability.astype(np.float32),
        standing=standing.contacts.standing,
        skeleton=pose.skeleton,
        unit=pose.unit if metres is None else "m",
        up_source=standing.up.source,
        up_deg=standing.up.deg if standing.up.source != "calibration" else 0.0,
        scale_source="" if metres is None else metres.source,
        scale_deviation=0.0 if metres is None else metres.deviation,
        metres=frame.scale,
        stature=frame.scale * standing.stature,
        floor=[float(level) for level in levels],
    )
    return replace(found, notes_on_world=_sentences(found, standing))


def _sentences(found: WorldPoses, standing: Standing) -> list[str]:
    """What is known of the world, and what is not."""
    if found.up_source == "calibration":
        said = ["up: as calibrated"]
    else:
        said = [f"up: told by {found.up_source}, to {found.up_deg:.1f} degrees (one standard deviation)"]
        off = angle_deg(standing.up.direction, PICTURES_UP)
        if off > DOUBTFUL_DEG:
            said.append(
                f"up is doubtful, as it is {off:.0f} degrees off that of the first camera's pictures: does the "
                "person lie, or was the camera turned?"
            )
    if standing.slope:
        said.append("floor: none, as the feet stand on a slope")
    elif not found.floor:
        said.append("floor: not known, as no foot stands still")
    else:
        levels = ", ".join(f"{level:.2f}" for level in found.floor)
        said.append(f"floor: at {levels} {found.unit}")
    if not found.scale_source:
        said.append("metres: not known; say --height or --segment")
    elif found.scale_deviation:
        said.append(f"metres: told by {found.scale_source}, to +-{196 * found.scale_deviation:.0f} % (95 %)")
    else:
        said.append(f"metres: told by the {found.scale_source}")
    feet = "ankles alone, so that they are rough" if standing.soles.ankles else "heels and toes"
    return [*said, f"contacts: of {feet}"]
