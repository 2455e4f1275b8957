"""Hand-overs: what one stage gives to the next, as frozen dataclasses of checked arrays.

An array field is annotated with its dimensions, dtype and unit; construction refuses anything else.
On disk each is one ``.npy`` file that numpy alone can open; the other fields (names, descriptions)
are plain JSON in the manifest beside them.

Conventions: image axes x right, y down; camera axes x right, y down, z forward; seconds, pixels, metres.
A missing keypoint is NaN with confidence 0.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints

import numpy as np

FIXED_SIZES = {"xy": 2, "xyz": 3, "corner": 4, "startend": 2}
"""Dimensions that always have the same size; all others must agree within one hand-over."""


@dataclass(frozen=True)
class Dims:
    """What an array field must be: named dimensions, dtype, unit."""

    names: str
    dtype: str
    unit: str


class HandOver:
    """Base of all hand-overs: checked when made, saved field by field, loaded memory-mapped."""

    def __post_init__(self) -> None:
        sizes: dict[str, tuple[int, str]] = {name: (size, "") for name, size in FIXED_SIZES.items()}
        for field, dims in array_fields(type(self)).items():
            array = getattr(self, field)
            if array is not None:
                self._check(field, array if isinstance(array, Pieces) else np.asarray(array), dims, sizes)

    def _check(self, field: str, array: Any, dims: Dims, sizes: dict[str, tuple[int, str]]) -> None:
        where, names = f"{type(self).__name__}.{field}", dims.names.split()
        if array.dtype != np.dtype(dims.dtype):
            raise ValueError(f"{where} is {array.dtype}; expected {dims.dtype}")
        if array.ndim != len(names):
            raise ValueError(f"{where} has {array.ndim} dimensions; expected ({', '.join(names)})")
        for name, size in zip(names, array.shape, strict=True):
            expected, first = sizes.setdefault(name, (size, field))
            if size != expected:
                because = f" as in {first}" if first else ""
                raise ValueError(f"{where} has {size} along '{name}'; expected {expected}{because}")
        if dims.unit == "0..1" and not isinstance(array, np.memmap) and array.size:
            low, high = float(array.min()), float(array.max())
            if not (low >= 0 and high <= 1):  # also false for NaN
                raise ValueError(f"{where} runs from {low:g} to {high:g}; expected 0..1 without NaN")

    @cached_property
    def key(self) -> str:
        """Digest that stands for this hand-over in the keys of what is made from it.

        The cache sets it to the key of the stage's run; for arrays made elsewhere it is that of their content.
        """
        digest = hashlib.sha256(json.dumps(self.notes(), sort_keys=True).encode())
        for field in array_fields(type(self)):
            array = getattr(self, field)
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def with_key(self, key: str) -> Self:
        """The same hand-over, standing in keys for the run that made it."""
        self.__dict__["key"] = key
        return self

    def notes(self) -> dict[str, Any]:
        """All fields that are not arrays."""
        arrays = array_fields(type(self))
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: getattr(self, field.name) for field in fields if field.name not in arrays}

    def save(self, folder: Path) -> None:
        """Write each array as ``<field>.npy``, flushed to the disk."""
        for field in array_fields(type(self)):
            array = getattr(self, field)
            if array is not None:
                with durable(folder / f"{field}.npy") as file:
                    if isinstance(array, Pieces):
                        array.write(file)
                    else:
                        np.save(file, np.ascontiguousarray(array), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, notes: dict[str, Any]) -> Self:
        """Read what ``save`` wrote; arrays are memory-mapped."""
        paths = {field: folder / f"{field}.npy" for field in array_fields(cls)}
        arrays = {
            field: np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else None
            for field, path in paths.items()
        }
        return cls(**arrays, **notes)


class Pieces:
    """Arrays one after the other along their first dimension: an array to be saved that is never whole in memory."""

    def __init__(self, pieces: Sequence[np.ndarray]) -> None:
        self._pieces = pieces
        self.dtype, self.ndim = pieces[0].dtype, pieces[0].ndim
        self.shape = (sum(len(piece) for piece in pieces), *pieces[0].shape[1:])

    def write(self, file: Any) -> None:
        """Write a ``.npy`` file."""
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for piece in self._pieces:
            file.write(np.ascontiguousarray(piece).data)


def array_fields(kind: type) -> dict[str, Dims]:
    """The array fields of a hand-over class, by name."""
    return dict(_array_fields(kind))


def _array_fields(kind: type) -> Iterator[tuple[str, Dims]]:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is Annotated:
            _, *extras = get_args(hint)
            yield from ((name, extra) for extra in extras if isinstance(extra, Dims))


class durable:  # noqa: N801 - used as a function
    """Open a file for writing; on leaving, its bytes are on the disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def __enter__(self) -> Any:
        return self._file

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()


POSES_ONLY = "2D poses"
"""The codec of frames that were never seen, as their 2D poses were detected elsewhere."""


@dataclass(frozen=True)
class Frames(HandOver):
    """One video's timestamps and properties, read without decoding its pictures."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    image_size: Annotated[np.ndarray, Dims("xy", "int32", "px")]
    """Width and height as displayed, rotation applied."""
    audio_envelope: Annotated[np.ndarray | None, Dims("audio", "float32", "1")]
    """Root mean square of the sound in steps of 2 ms from time 0, if there is sound."""
    rate: str
    """Average frames per second as an exact fraction."""
    codec: str
    rotation: int
    """Clockwise degrees by which the stored pictures are turned for display."""
    missing_s: float
    """Seconds that the container promises but the file does not hold (a truncated file)."""
    timecode_s: float | None = None
    """Time of day of the first picture in s, if the container has a timecode."""

    @property
    def filmed(self) -> bool:
        """Whether there are pictures, and not 2D poses only."""
        return self.codec != POSES_ONLY


@dataclass(frozen=True)
class Parts(HandOver):
    """Where in a long video there may be somebody."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    """All timestamps of the video."""
    part: Annotated[np.ndarray, Dims("part startend", "float64", "s")]
    """Start and end of each part, in order and apart."""


@dataclass(frozen=True)
class Detections(HandOver):
    """All people found in one video; a person refers to its frame."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    camera_motion: Annotated[np.ndarray, Dims("frame", "float32", "1")]
    """Displacement of the background per second in image widths; NaN where it was not looked at."""
    frame: Annotated[np.ndarray, Dims("person", "int32", "frame index")]
    box: Annotated[np.ndarray, Dims("person corner", "float32", "px")]
    keypoint: Annotated[np.ndarray, Dims("person joint xy", "float32", "px")]
    confidence: Annotated[np.ndarray, Dims("person joint", "float32", "0..1")]
    skeleton: str
    confidence_kind: str
    detector: str


@dataclass(frozen=True)
class Identities(HandOver):
    """Who is who among the detections of one video; identities in order of their score."""

    person: Annotated[np.ndarray, Dims("person", "int32", "identity")]
    """The identity of each detection; -1 for people who are hardly ever seen."""
    score: Annotated[np.ndarray, Dims("identity", "float64", "1")]
    """How much each is the main person (``track``)."""
    height: Annotated[np.ndarray, Dims("identity", "float32", "px")]
    """Median size in the picture."""
    frames: Annotated[np.ndarray, Dims("identity", "int32", "1")]
    """In how many frames each is seen."""


@dataclass(frozen=True)
class Track(HandOver):
    """One athlete in one video."""

    time: Annotated[np.ndarray, Dims("frame", "float64", "s")]
    keypoint: Annotated[np.ndarray, Dims("frame joint xy", "float32", "px")]
    confidence: Annotated[np.ndarray, Dims("frame joint", "float32", "0..1")]
    box: Annotated[np.ndarray, Dims("frame corner", "float32", "px")]
    skeleton: str
    camera_moves: bool | None
    """Whether the background moves in the picture; None if it could not be told."""
    dropped: int
    """Detections of other people that were left out."""


@dataclass(frozen=True)
class Crops(HandOver):
    """Square pictures of the athlete in one video, for methods that learn from pictures."""

    picture: Annotated[Any, Dims("crop row column rgb", "uint8", "0..255")]
    """Black where the crop reaches beyond the image."""
    crop_from_image: Annotated[np.ndarray, Dims("crop xy xyz", "float32", "px")]
    """Affine map of (x, y, 1) in pixels of the image, whose first has its middle at (0, 0), to those of the crop."""
    frame: Annotated[np.ndarray, Dims("crop", "int32", "frame index")]
    """In rising order; frames that do not show the athlete have no crop."""

    def at(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (N, H, W, 3) uint8 of frames (N), and their maps (N, 2, 3); black where there is none."""
        place = np.searchsorted(self.frame, frame).clip(0, len(self.frame) - 1)
        found = self.frame[place] == frame
        picture = np.zeros((len(frame), *self.picture.shape[1:]), np.uint8)
        picture[found] = self.picture[place[found]]
        return picture, np.where(found[:, None, None], self.crop_from_image[place], np.eye(2, 3, dtype=np.float32))


@dataclass(frozen=True)
class LabelledPictures(HandOver):
    """Crops of people with 2D labels, for methods that learn from such too; a missing joint is NaN."""

    picture: Annotated[Any, Dims("crop row column rgb", "uint8", "0..255")]
    keypoint: Annotated[np.ndarray, Dims("crop joint xy", "float32", "px")]
    """In the crop."""
    confidence: Annotated[np.ndarray, Dims("crop joint", "float32", "0..1")]
    """1 where labelled, less where derived from labelled joints, 0 where missing."""
    skeleton: str


@dataclass(frozen=True)
class Followed(HandOver):
    """By whom a take's cameras are synchronised."""

    person: Annotated[np.ndarray, Dims("camera", "int32", "identity")]
    """The same human's number among the people of each camera."""


@dataclass(frozen=True)
class Timeline(HandOver):
    """Common instants of one take, and which frame of each camera shows each of them."""

    time: Annotated[np.ndarray, Dims("instant", "float64", "s")]
    offset: Annotated[np.ndarray, Dims("camera", "float64", "s")]
    """Add it to a camera's own time to get the take's time."""
    rate: Annotated[np.ndarray, Dims("camera", "float64", "1")]
    """Seconds of the take's time per second of the camera's clock."""
    frame: Annotated[np.ndarray, Dims("instant camera", "float64", "frame index")]
    """Fractional frame index; NaN where the camera shows nothing."""
    lag: Annotated[np.ndarray, Dims("camera", "float64", "s")]
    """Remaining lag that the motion of the 2D poses suggests; NaN if it could not be told."""
    score: Annotated[np.ndarray, Dims("camera", "float32", "0..1")]
    """Correlation of the motion with that of the other cameras at that lag."""
    warnings: list[str]
    verdict: str = "stated"
    """"ok" if found and sure, "unsure" if found with a warning, "stated" if all offsets were given."""
    cues: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """What each cue says of each camera: fields of ``alignment.verdict.Finding``."""


@dataclass(frozen=True)
class Samples(HandOver):
    """Synchronised instants of all takes, as the training methods see them; missing is 0, never NaN."""

    keypoint: Annotated[np.ndarray, Dims("sample view joint xy", "float32", "px")]
    confidence: Annotated[np.ndarray, Dims("sample view joint", "float32", "0..1")]
    instant: Annotated[np.ndarray, Dims("sample", "int64", "instant index in its take")]
    take: Annotated[np.ndarray, Dims("sample", "int64", "take index")]
    rig: Annotated[np.ndarray, Dims("sample", "int64", "rig index, -1 if cameras move")]
    K: Annotated[np.ndarray | None, Dims("sample view xyz xyz", "float32", "px")]
    R: Annotated[np.ndarray | None, Dims("sample view xyz xyz", "float32", "1")]
    t: Annotated[np.ndarray | None, Dims("sample view xyz", "float32", "m")]
    skeleton: str
    takes: list[str]
    frame: Annotated[np.ndarray | None, Dims("sample view", "int32", "frame index, -1 if missing")] = None
    """The nearest frame of each view's video, where samples come from videos."""
    time: Annotated[np.ndarray | None, Dims("sample", "float64", "s")] = None
    """In the take's time; None where only the order of the instants is known."""


@dataclass(frozen=True)
class Athletes(HandOver):
    """Who is who across the cameras of a take; in order of their scores in all cameras together."""

    person: Annotated[np.ndarray, Dims("athlete camera", "int32", "identity")]
    """The identity that each camera's ``Identities`` give; -1 where a camera does not show somebody."""
    agreement: Annotated[np.ndarray, Dims("athlete camera", "float32", "1")]
    """How well a camera agrees that it shows the same person as the others (``match_people``); NaN if alone."""


@dataclass(frozen=True)
class Swaps(HandOver):
    """Stretches of a take's views in which left and right of a person are swapped, or may be."""

    camera: Annotated[np.ndarray, Dims("stretch", "int32", "camera index")]
    start: Annotated[np.ndarray, Dims("stretch", "int32", "frame index")]
    end: Annotated[np.ndarray, Dims("stretch", "int32", "frame index, exclusive")]
    part: Annotated[np.ndarray, Dims("stretch", "int32", "1 legs, 2 upper body, 3 both")]
    doubtful: Annotated[np.ndarray, Dims("stretch", "bool", "1")]
    """Where neither way of naming the sides is clearly the right one."""


@dataclass(frozen=True)
class Rig(HandOver):
    """Where the cameras of all samples stand: X_camera = R X_world + t."""

    K: Annotated[np.ndarray, Dims("sample view xyz xyz", "float32", "px")]
    R: Annotated[np.ndarray, Dims("sample view xyz xyz", "float32", "1")]
    t: Annotated[np.ndarray, Dims("sample view xyz", "float32", "m")]
    """If found from joints, in the axes of the first camera, in units of which bones measure 0.25 on average."""
    residual: Annotated[np.ndarray, Dims("sample view", "float32", "px")]
    """Median distance of the detections from the images of the joints triangulated from all views; NaN if missing."""
    source: str
    """"given" or "from joints"."""
    intrinsics: str
    """"given" or "assumed"."""


@dataclass(frozen=True)
class Labels(HandOver):
    """3D poses that all views agree on, for training; missing is 0, never NaN."""

    joint: Annotated[np.ndarray, Dims("sample view joint xyz", "float32", "m")]
    """In each camera's axes and in the rig's unit of length, seen from the camera (not root-relative)."""
    confidence: Annotated[np.ndarray, Dims("sample view joint", "float32", "0..1")]
    """Of a triangulated joint, the mean of its views; of a fused one, how sure it is. 0 where there is no label."""
    residual: Annotated[np.ndarray, Dims("sample view joint", "float32", "px")]
    """Distance of the detection from the label's image; NaN where either is missing."""


@dataclass(frozen=True)
class TruePoses(HandOver):
    """True 3D poses of a keypoint file, which only the refinement unit learns from."""

    joint: Annotated[np.ndarray, Dims("sample view joint xyz", "float32", "m")]
    """Root-relative, axes of each camera; NaN where unknown."""
    skeleton: str
    source: str
    """Name of the file."""


@dataclass(frozen=True)
class Pose3D(HandOver):
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
    """``joint`` as it was lifted, each frame by itself, if ``joint`` has been filtered."""
    expected_error: Annotated[np.ndarray | None, Dims("frame joint", "float32", "body heights, or m")] = None
    """How far from the truth ``joint`` as it was lifted may be, if the method can tell."""
    filled: Annotated[np.ndarray | None, Dims("frame joint", "bool", "1")] = None
    """Where ``joint`` was missing or rejected, and comes from its neighbours in time."""
    root_trajectory: Annotated[np.ndarray | None, Dims("frame xyz", "float32", "body heights, or m")] = None
    """Where the root is in camera coordinates: an estimate, from the size that the pose has in the picture."""
    root_trajectory_raw: Annotated[np.ndarray | None, Dims("frame xyz", "float32", "body heights, or m")] = None
    """``root_trajectory`` as it was estimated, each frame by itself, if the poses have been filtered."""
    root_camera: str = ""
    """What ``root_trajectory`` knows or assumes of the camera, in words."""
    steps: list[str] = dataclasses.field(default_factory=list)
    """What was done to the motion, in sentences."""


@dataclass(frozen=True)
class ViewPoses(HandOver):
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
    expected_error: Annotated[np.ndarray | None, Dims("sample view joint", "float32", "body heights, or m")] = None
    """How far from the truth ``joint`` may be, if the method can tell."""


@dataclass(frozen=True)
class FusedPoses(HandOver):
    """One 3D skeleton per instant from all views of a take together, and where the cameras stand.

    The rig's axes are those of a take's first camera, where cameras move those of its first instant. A joint of
    camera v is at ``camera_from_rig[v] @ joint + root[v]`` in that camera's axes, and its image at
    ``focal[v] * (x, y) / z`` from the principal point.
    """

    joint: Annotated[np.ndarray, Dims("sample joint xyz", "float32", "body heights, or m")]
    """Root-relative, axes of the rig. Joints that no view shows come from bone lengths and neighbours in time."""
    covariance: Annotated[np.ndarray, Dims("sample joint xyz xyz", "float32", "squares of the unit of joint")]
    """Of ``joint``, axes of the rig, for cameras as found; zero for the root."""
    trusted: Annotated[np.ndarray, Dims("sample joint", "bool", "1")]
    """Whether two or more views agree on the joint, and it is known to a twentieth of the body height."""
    camera_from_rig: Annotated[np.ndarray, Dims("sample view xyz xyz", "float32", "1")]
    """NaN of views that a take does not have."""
    root: Annotated[np.ndarray, Dims("sample view xyz", "float32", "body heights, or m")]
    """Where the root is in each camera's axes. Its distance is only as sure as the focal length."""
    focal: Annotated[np.ndarray, Dims("sample view", "float32", "px")]
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

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of each joint (sample, joint) in space, in the unit of ``joint``."""
        return np.sqrt(np.trace(np.asarray(self.covariance), axis1=-2, axis2=-1))

    @property
    def joint_in_camera(self) -> np.ndarray:
        """Root-relative poses in the axes of every camera (sample, view, joint, xyz); NaN of views that are not."""
        return np.einsum("svab,sjb->svja", self.camera_from_rig, self.joint)
