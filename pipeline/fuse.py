"""Fusion: all views of a take as one 3D skeleton per instant, and the cameras that see it so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..models.athlete import Found, Seen, find_athlete
from ..models.skeleton import SKELETONS
from .arrays import FusedPoses, Samples, ViewPoses, array_fields
from .cache import Work, stage
from .progress import progress


@stage(version=1)
def fuse_views(samples: Samples, lifted: ViewPoses, image_sizes: list[list[list[int]]], *, work: Work) -> FusedPoses:
    """One 3D skeleton per sample, from all its views and from the samples around it.

    Takes with the same unmoved rig are adjusted together, as of one person; where cameras move, each take by itself.
    Nothing of the cameras is read but the pictures' sizes.

    Args:
        lifted: what a model finds in each view alone, which is where the adjustment starts.
        image_sizes: width and height (px) of each take's cameras; principal points are taken to be in the middle.
    """
    parts = work.parts(FusedPoses)
    groups = list(_groups(samples))
    with progress("fuse", len(samples.instant)) as advance:
        for number, members in enumerate(groups):
            if number >= len(parts):
                parts.append(_fused(samples, lifted, image_sizes, members))
                work.keep(parts[-1])
            advance(len(members))
    order = np.argsort(np.concatenate(groups))
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])[order] for name in array_fields(FusedPoses)
    }
    return replace(parts[0], **arrays)


def _groups(samples: Samples) -> Iterator[np.ndarray]:
    """Samples that are adjusted together."""
    label = np.where(samples.rig >= 0, samples.rig, -1 - samples.take)
    for one in np.unique(label):
        yield np.flatnonzero(label == one)


def _fused(
    samples: Samples, lifted: ViewPoses, image_sizes: list[list[list[int]]], members: np.ndarray
) -> FusedPoses:
    """Poses of the members, in order of take and instant as they come."""
    moving = bool(samples.rig[members[0]] < 0)
    confidence = samples.confidence[members].astype(np.float64)
    views = np.flatnonzero(confidence.any((0, 2)))
    here = np.ix_(members, views)
    sizes = np.zeros((len(image_sizes), samples.keypoint.shape[1], 2))
    for take, cameras in enumerate(image_sizes):
        sizes[take, : len(cameras)] = cameras
    size = sizes[samples.take[members]][:, views]
    picture = float(size.max())
    seen = Seen(
        keypoint=(samples.keypoint[here] - size[:, :, None] / 2) / picture,
        confidence=confidence[:, views],
        lifted=np.asarray(lifted.joint)[here].astype(np.float64),
        regular=_regular(samples.take[members], samples.instant[members]),
        moving=moving,
        picture=1.0,
    )
    found = find_athlete(seen, SKELETONS[samples.skeleton])
    return _as_poses(found, samples, members, views, picture)


def _regular(take: np.ndarray, instant: np.ndarray) -> np.ndarray:
    """Whether samples t, t + 1, t + 2 (S - 2) follow each other in the usual step."""
    step, same = np.diff(instant), np.diff(take) == 0
    usual = np.median(step[same]) if same.any() else 1
    regular = same & (step == usual)
    return regular[1:] & regular[:-1]


def _as_poses(found: Found, samples: Samples, members: np.ndarray, views: np.ndarray, picture: float) -> FusedPoses:
    """What was found as arrays of all views, in the axes of the first camera."""
    scene, cameras = found.scene, found.scene.cameras
    root = np.einsum("j,tjc->tc", SKELETONS[samples.skeleton].landmark_weights("pelvis")[0], scene.joint)
    instants, shape = len(members), samples.confidence.shape[1]
    R = np.broadcast_to(cameras.R, (instants, len(views), 3, 3))
    first = R[0, 0]
    place = np.einsum("tvab,tb->tva", R, root) + cameras.translation

    def spread(values: np.ndarray) -> np.ndarray:
        """Values (T, views, ...) at their places among all views."""
        everywhere = np.full((instants, shape, *values.shape[2:]), np.nan, np.float32)
        everywhere[:, views] = values
        return everywhere

    return FusedPoses(
        joint=((scene.joint - root[:, None]) @ first.T).astype(np.float32),
        covariance=np.einsum("ab,tjbc,dc->tjad", first, found.covariance, first).astype(np.float32),
        trusted=found.trusted,
        camera_from_rig=spread(R @ first.T),
        root=spread(place),
        focal=spread(np.broadcast_to(cameras.focal * picture, (instants, len(views)))),
        residual=spread(found.residual * picture),
        take=np.array(samples.take[members]),
        instant=np.array(samples.instant[members]),
        skeleton=samples.skeleton,
        unit="body heights",
        takes=samples.takes,
        cameras="nothing",
    )
