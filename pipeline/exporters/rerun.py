"""poses.rrd: a recording for the Rerun viewer, 3D and 2D skeletons in real time; needs the package rerun-sdk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PosepipeError
from .clip import Clip


def write(clip: Clip, path: Path) -> None:
    """Write ``world/<person>`` and ``image/<person>``, joints and bones, on the timelines ``time`` and ``frame``.

    A frame without a complete pose shows nobody. ``facts`` holds unit, axes, rate and provenance.

    Raises:
        PosepipeError: rerun-sdk is not installed.
    """
    try:
        import rerun as rr
    except ImportError as error:
        raise PosepipeError("the format rerun needs rerun-sdk: pip install 'posepipe[rerun]'") from error
    recording = rr.RecordingStream("posepipe", recording_id=clip.video.stem)
    rr.save(path, recording=recording)
    names = [rr.AnnotationInfo(id=number, label=joint) for number, joint in enumerate(clip.skeleton.joints)]
    bones = [tuple(bone) for bone in clip.skeleton.bone_indices.tolist()]
    classes = [
        rr.ClassDescription(
            info=rr.AnnotationInfo(id=number, label=person.name),
            keypoint_annotations=names,
            keypoint_connections=bones,
        )
        for number, person in enumerate(clip.people)
    ]
    text = "\n".join(f"{name}: {value}" for name, value in clip.facts(clip.axes).items())

    def log(entity: str, what: Any, **options: bool) -> None:
        rr.log(entity, what, recording=recording, **options)

    log("/", rr.AnnotationContext(classes), static=True)
    log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP if clip.in_world else rr.ViewCoordinates.RDF, static=True)
    log("facts", rr.TextDocument(text), static=True)
    joints = np.arange(len(names))
    there = [person.pose.there for person in clip.people]
    for frame, seconds in enumerate(clip.time.tolist()):
        rr.set_time("time", duration=seconds, recording=recording)
        rr.set_time("frame", sequence=frame, recording=recording)
        for number, person in enumerate(clip.people):
            pose = person.pose
            if there[number][frame]:
                joint = clip.positions(person)[frame]
                known, seen = (np.isfinite(points).all(-1) for points in (joint, pose.keypoint[frame]))
                placed: dict[str, Any] = {"class_ids": number, "keypoint_ids": joints[known]}
                log(f"world/{person.name}", rr.Points3D(joint[known], **placed))
                shown: dict[str, Any] = {"class_ids": number, "keypoint_ids": joints[seen]}
                log(f"image/{person.name}", rr.Points2D(pose.keypoint[frame, seen], **shown))
            else:
                for space in ("world", "image"):
                    log(f"{space}/{person.name}", rr.Clear(recursive=True))
    rr.disconnect(recording=recording)
