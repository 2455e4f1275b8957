"""Results as an xarray data set in the layout of the package movement, like ``poses.nc``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import Pose3D
from ..errors import PosepipeError
from .clip import CAMERA_AXES, ONLY_PERSON, ROOT_TRAJECTORY, root, root_trajectories

if TYPE_CHECKING:
    import xarray


def as_dataset(poses: Pose3D | Mapping[str, Pose3D]) -> xarray.Dataset:
    """``position`` (time, space, keypoint, individual) and ``confidence`` (time, keypoint, individual) of poses.

    ``root_trajectory`` (time, space, individual) holds root positions in camera coordinates, where estimated.

    Args:
        poses: of one person, or of several by name (``Inferred.people``), all of one clip.

    Raises:
        PosepipeError: xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise PosepipeError("data sets need xarray: pip install xarray") from error
    people = {ONLY_PERSON: poses} if isinstance(poses, Pose3D) else dict(poses)
    first = next(iter(people.values()))
    skeleton = SKELETONS[first.skeleton]
    position = np.stack([np.asarray(pose.joint) for pose in people.values()], -1).swapaxes(1, 2)
    confidence = np.stack([np.asarray(pose.confidence) for pose in people.values()], -1)
    data = xarray.Dataset(
        {
            "position": (("time", "space", "keypoint", "individual"), position, {"units": first.unit}),
            "confidence": (("time", "keypoint", "individual"), confidence),
        },
        {
            "time": np.array(first.time),
            "space": ["x", "y", "z"],
            "keypoint": list(skeleton.joints),
            "individual": list(people),
        },
        {
            "ds_type": "poses",
            "source_software": "posepipe",
            "time_unit": "seconds",
            "unit": first.unit,
            "axes": CAMERA_AXES,
            "root": root(skeleton, first.root_camera),
        },
    )
    if (where := root_trajectories(list(people.values()))) is not None:
        about = {"units": first.unit, "long_name": ROOT_TRAJECTORY}
        data["root_trajectory"] = (("time", "space", "individual"), where, about)
    return data
