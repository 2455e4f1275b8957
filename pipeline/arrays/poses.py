"""3D poses: of one clip, of every view of a keypoint file, of all views together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...models.skeleton import SKELETONS
from .hand_over import Dims
from .on_joints import OnJoints


@dataclass(frozen=True)
class Pose3D(OnJoints):
    """3D poses of one clip, lifted from that clip alone; as a motion, ``joint`` and ``canonical`` are filtered."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    joint: Annotated[np.ndarray, Dims("frame joint xyz", "float32", "body heights, or m")]
    """Root-relative, camera axes; NaN where there was no person."""
    canonical: Annotated[np.ndarray, Dims("frame joint xyz", "float32", "body heights, or m")]
    """The same pose in axes that turn with the person."""
    camera_from_canonical: Annotated[np.ndarray, Dims("frame xyz xyz", "float32", "1")]
    confidence: Annotated[np.ndarray, Dims("frame joint", "float32", "0..1")]
    keypoint: Annotated[np.ndarray, Dims("frame joint xy", "float32", "px")]
    """The 2D poses that were lifted."""
    skeleton: str
    unit: str
    """"m" if the body height was given, else "body heights": the athlete's stature is 1."""
    joint_raw: Annotated[np.ndarray | None, Dims("frame joint xyz", "float32", "body heights, or m")] = None
    """``joint`` after the clip's frames were fitted together, if they were, and before the filter; None before it
    became a motion."""
    joint_lifted: Annotated[np.ndarray | None, Dims("frame joint xyz", "float32", "body heights, or m")] = None
    """``joint`` as it was lifted, each frame by itself; None before it became a motion."""
    expected_error: Annotated[np.ndarray | None, Dims("frame joint", "float32", "body heights, or m")] = None
    """Expected distance of ``joint``, as it was lifted, from the truth, if the method predicts it."""
    filled: Annotated[np.ndarray | None, Dims("frame joint", "bool", "1")] = None
    """Where ``joint`` was missing or rejected, and comes from its neighbours in time."""
    root_trajectory: Annotated[np.ndarray | None, Dims("frame xyz", "float32", "body heights, or m")] = None
    """Where the root is in camera coordinates: an estimate, from the size that the pose has in the picture."""
    root_trajectory_raw: Annotated[np.ndarray | None, Dims("frame xyz", "float32", "body heights, or m")] = None
    """``root_trajectory`` as it was estimated, before the filter; None before it became a motion."""
    turn: Annotated[np.ndarray | None, Dims("frame xyz", "float32", "rad")] = None
    """By what the fit of the clip turned the lifted pose, in camera axes: about this axis, by its length."""
    reprojection: Annotated[np.ndarray | None, Dims("frame", "float32", "body heights")] = None
    """Median distance of the images of the fitted joints from the 2D poses, at the depth of the root."""
    reprojection_lifted: Annotated[np.ndarray | None, Dims("frame", "float32", "body heights")] = None
    """The same of the pose as it was lifted."""
    bone_departure: Annotated[np.ndarray | None, Dims("frame", "float32", "1")] = None
    """Median departure of the lifted pose's bones from their lengths in the clip, as a share of these."""
    unfamiliar: Annotated[np.ndarray | None, Dims("frame", "float32", "sizes of the pose")] = None
    """Distance of the 2D pose from the nearest that the model has learnt from (``models.body.familiar``)."""
    sides_in_doubt: Annotated[np.ndarray | None, Dims("frame", "bool", "1")] = None
    """Where it is not clear which side of the 2D pose is the left one."""
    likely_mm: Annotated[np.ndarray | None, Dims("frame", "float32", "mm of a person of 1.7 m")] = None
    """How far off joints are likely to be, by all that is known of the second around (``stages.judge``)."""
    trust: Annotated[np.ndarray | None, Dims("frame", "int8", "0 none, 1 red, 2 doubtful, 3 green")] = None
    """How far to trust the pose (``stages.judge``); 0 where there is none."""
    root_camera: str = ""
    """What ``root_trajectory`` knows or assumes of the camera, in words."""
    device: str = ""
    """Device on which the network lifted them; empty for poses from several views."""
    steps: list[str] = dataclasses.field(default_factory=list)
    """What was done to the motion, in sentences."""

    @property
    def there(self) -> np.ndarray:
        """Whether frames (frame) have a pose, which may lack feet."""
        return _there(self.joint, self.skeleton)

    @property
    def without_missing_feet(self) -> Pose3D:
        """The poses without feet that they lack in all frames, as their detector or model has none."""
        return self.on(SKELETONS[self.skeleton].shown_by(np.isfinite(self.joint).all(-1)).name)

    @property
    def as_lifted(self) -> np.ndarray:
        """Poses (frame, joint, xyz) before anything made bones equal in length; of several views, as they are."""
        return self.joint if self.joint_lifted is None else self.joint_lifted


@dataclass(frozen=True)
class ViewPoses(OnJoints):
    """3D poses of every view of a keypoint file, each lifted from that view alone."""

    joint: Annotated[np.ndarray, Dims("sample view joint xyz", "float32", "body heights, or m")]
    """Root-relative, axes of each camera; NaN where a view shows too little of the person."""
    canonical: Annotated[np.ndarray, Dims("sample view joint xyz", "float32", "body heights, or m")]
    """The same poses in axes that turn with the person."""
    camera_from_canonical: Annotated[np.ndarray, Dims("sample view xyz xyz", "float32", "1")]
    confidence: Annotated[np.ndarray, Dims("sample view joint", "float32", "0..1")]
    take: Annotated[np.ndarray, Dims("sample", "int64", "take index")]
    instant: Annotated[np.ndarray, Dims("sample", "int64", "instant index in its take")]
    skeleton: str
    unit: str
    """"m" if the body height was given, else "body heights": the athlete's stature is 1."""
    takes: list[str]
    time: Annotated[np.ndarray | None, Dims("sample", "float64", "s")] = None
    """In the take's time; None where only the order of the instants is known."""
    joint_raw: Annotated[np.ndarray | None, Dims("sample view joint xyz", "float32", "body heights, or m")] = None
    """``joint`` after the frames of each view were fitted together, if they were, and before the filter; None before
    it became a motion."""
    joint_lifted: Annotated[np.ndarray | None, Dims("sample view joint xyz", "float32", "body heights, or m")] = None
    """``joint`` as it was lifted, each sample by itself; None before it became a motion."""
    expected_error: Annotated[np.ndarray | None, Dims("sample view joint", "float32", "body heights, or m")] = None
    """Expected distance of ``joint`` as it was lifted from the truth, if the method predicts it."""
    filled: Annotated[np.ndarray | None, Dims("sample view joint", "bool", "1")] = None
    """Where ``joint`` was missing or rejected, and comes from its neighbours in time."""
    root_trajectory: Annotated[np.ndarray | None, Dims("sample view xyz", "float32", "body heights, or m")] = None
    """Where the root is in camera coordinates: an estimate, from the size that the pose has in the picture."""
    root_trajectory_raw: Annotated[np.ndarray | None, Dims("sample view xyz", "float32", "body heights, or m")] = None
    """``root_trajectory`` as it was estimated, before the filter; None before it became a motion."""
    turn: Annotated[np.ndarray | None, Dims("sample view xyz", "float32", "rad")] = None
    """By what the fit of the view turned the lifted pose, in camera axes: about this axis, by its length."""
    reprojection: Annotated[np.ndarray | None, Dims("sample view", "float32", "body heights")] = None
    """Median distance of the images of the fitted joints from the 2D poses, at the depth of the root."""
    reprojection_lifted: Annotated[np.ndarray | None, Dims("sample view", "float32", "body heights")] = None
    """The same of the pose as it was lifted."""
    bone_departure: Annotated[np.ndarray | None, Dims("sample view", "float32", "1")] = None
    """Median departure of the lifted pose's bones from their lengths in the clip, as a share of these."""
    unfamiliar: Annotated[np.ndarray | None, Dims("sample view", "float32", "sizes of the pose")] = None
    """Distance of the 2D pose from the nearest that the model has learnt from (``models.body.familiar``)."""
    sides_in_doubt: Annotated[np.ndarray | None, Dims("sample view", "bool", "1")] = None
    """Where it is not clear which side of the 2D pose is the left one."""
    likely_mm: Annotated[np.ndarray | None, Dims("sample view", "float32", "mm of a person of 1.7 m")] = None
    """How far off joints are likely to be, by all that is known of the second around (``stages.judge``)."""
    trust: Annotated[np.ndarray | None, Dims("sample view", "int8", "0 none, 1 red, 2 doubtful, 3 green")] = None
    """How far to trust the pose (``stages.judge``); 0 where there is none."""
    root_camera: str = ""
    """What ``root_trajectory`` knows or assumes of the cameras, in words."""

    @property
    def there(self) -> np.ndarray:
        """Whether views (sample, view) have a pose, which may lack feet."""
        return _there(self.joint, self.skeleton)

    def of_view(self, members: np.ndarray, view: int, keypoint: np.ndarray) -> Pose3D:
        """The poses of one view of a take, as those of a clip.

        Args:
            members: (frame) samples of the take, in the order of their times.
            keypoint: (frame, joint, 2) px, the 2D poses that were lifted.

        Raises:
            ValueError: poses without times.
        """
        if self.time is None:
            raise ValueError("the poses of a clip take times")
        names = ("joint", "canonical", "camera_from_canonical", "confidence", "joint_raw", "joint_lifted",
                 "expected_error", "filled", "root_trajectory", "root_trajectory_raw", "turn", "reprojection",
                 "reprojection_lifted", "bone_departure", "unfamiliar", "sides_in_doubt", "likely_mm",
                 "trust")  # fmt: skip
        arrays: dict[str, Any] = {
            name: None if (array := getattr(self, name)) is None else np.array(array[members, view]) for name in names
        }
        return Pose3D(
            time=np.asarray(self.time)[members],
            **arrays,
            keypoint=keypoint,
            skeleton=self.skeleton,
            unit=self.unit,
            root_camera=self.root_camera,
        )


@dataclass(frozen=True)
class FusedPoses(OnJoints):
    """One 3D skeleton per instant from all views of a take together, and where the cameras stand.

    The rig's axes are those of a take's first camera or, if cameras move, those of that camera at the first instant.
    In the axes of camera v a joint is at ``camera_from_rig[v] @ joint + root[v]``, and its image at
    ``focal[v] * (x, y) / z`` from the principal point, bent by the lens (``models.geometry.lens.bend_points``).
    """

    joint: Annotated[np.ndarray, Dims("sample joint xyz", "float32", "body heights, or m")]
    """Root-relative, axes of the rig. Joints that no view shows come from bone lengths and neighbours in time."""
    covariance: Annotated[np.ndarray, Dims("sample joint xyz xyz", "float32", "squares of the unit of joint")]
    """Covariance of ``joint`` in axes of the rig, if the cameras are exact; zero for the root."""
    trusted: Annotated[np.ndarray, Dims("sample joint", "bool", "1")]
    """Whether two or more views agree on the joint, and it is known to a twentieth of the body height."""
    camera_from_rig: Annotated[np.ndarray, Dims("sample view xyz xyz", "float32", "1")]
    """NaN for views that a take does not have."""
    root: Annotated[np.ndarray, Dims("sample view xyz", "float32", "body heights, or m")]
    """Where the root is in each camera's axes. Its distance is only as sure as the focal length."""
    focal: Annotated[np.ndarray, Dims("sample view", "float32", "px")]
    bend: Annotated[np.ndarray, Dims("sample view", "float32", "1/px^2")]
    """Of lenses that the adjustment has found to bend; 0 of straight ones, and where keypoints are free from it."""
    residual: Annotated[np.ndarray, Dims("sample view joint", "float32", "px")]
    """Distance of the detections from the joints' images; NaN where missing."""
    take: Annotated[np.ndarray, Dims("sample", "int64", "take index")]
    instant: Annotated[np.ndarray, Dims("sample", "int64", "instant index in its take")]
    skeleton: str
    unit: str
    """"m" if the cameras were given, else "body heights": the athlete's stature is 1."""
    takes: list[str]
    cameras: str
    """What was known of the cameras: "nothing", "focal" or "all"."""

    def in_metres(self, metres: float) -> FusedPoses:
        """The same in metres, given how many of them are one of its present unit of length."""
        scaled = super().in_metres(metres)
        covariance = np.asarray(self.covariance) * np.float32(metres**2)
        return dataclasses.replace(scaled, covariance=covariance)

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of each joint (sample, joint) in space, in the unit of ``joint``."""
        return np.sqrt(np.trace(np.asarray(self.covariance), axis1=-2, axis2=-1))

    @property
    def joint_in_camera(self) -> np.ndarray:
        """Root-relative poses (sample, view, joint, xyz) in the axes of each camera; NaN for missing views."""
        return np.einsum("svab,sjb->svja", self.camera_from_rig, self.joint)


@dataclass(frozen=True)
class KnownPoses(OnJoints):
    """2D poses that a model has learnt from, as ``models.body.familiar`` compares them."""

    pose: Annotated[np.ndarray, Dims("pose joint xy", "float32", "sizes of the pose")]
    """Root-relative; NaN where a joint was missing."""
    skeleton: str


def _there(joint: np.ndarray, skeleton: str) -> np.ndarray:
    """Whether all joints of the body are known in poses (..., joint, xyz)."""
    body = len(SKELETONS[skeleton].body.joints)
    return np.isfinite(joint[..., :body, :]).all((-2, -1))
