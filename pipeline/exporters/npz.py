"""poses.npz: all arrays of a person's 3D poses with names, units and conventions; needs only numpy to read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import Pose3D, WorldPoses, array_fields, resting
from ..errors import PosepipeError
from .clip import Clip, Person, root

AXES = (
    "joint: camera axes, right-handed, x right, y down, z forward. canonical: axes that turn with the person; "
    "joint = canonical @ camera_from_canonical.T. keypoint: image axes, x right, y down, from the top left corner"
)


def write(clip: Clip, path: Path) -> None:
    """Write the arrays of ``Pose3D`` under their own names, and texts that describe them.

    ``joint_names`` (joint) and ``bones`` (bone, 2), as joint indices, name the skeleton; ``unit``, ``axes`` and
    ``root`` are the conventions of ``joint`` and ``canonical``; ``rate`` is the average frames per second of
    ``time`` as an exact fraction, and ``video_rate`` that of ``video_time``; they differ in slow motion. ``person``
    names the person; several people have a file each. ``root_trajectory`` holds estimated root positions in camera
    coordinates, and ``root_camera`` states the assumed camera. ``steps`` lists how ``joint_lifted``, the poses as
    lifted, became ``joint``. Where the world is known, the arrays of ``WorldPoses`` stand beside them, in its axes:
    ``joint_world``, ``root_world``, ``mass_world``, ``world_from_camera``, ``contact`` and ``standing``;
    ``world_notes`` says in JSON where up, floor and metres come from, and how sure they are. ``provenance`` is JSON.
    No array needs pickle: ``numpy.load(path)`` opens all.
    """
    skeleton = clip.skeleton
    for person, file_path in clip.each(path):
        camera = person.pose.root_camera
        about = {"person": person.name, "root": root(skeleton, camera), "root_camera": camera,
                 "device": person.pose.device}  # fmt: skip
        texts = {**clip.facts(AXES), **about, "video_rate": clip.rate, "variant": clip.variant}
        arrays = {field: getattr(person.pose, field) for field in array_fields(Pose3D)}
        content = {
            "joint_names": np.array(skeleton.joints),
            "bones": skeleton.bone_indices,
            "video_time": clip.video_time,
            "image_size": np.array(clip.image_size, np.int32),
            "steps": np.array(person.pose.steps, str),
            **{name: array for name, array in arrays.items() if array is not None},
            **{name: np.array(text) for name, text in texts.items()},
            **person.more,
            **(_of_world(person.world) if person.world else {}),
        }
        with zipfile.ZipFile(file_path, "w") as archive:  # as numpy.savez, but each array is freed once it is written
            for name, array in content.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
                resting(array)


def _of_world(world: WorldPoses) -> dict[str, np.ndarray]:
    """Arrays of the world by name, and ``world_notes``, JSON."""
    arrays = {name: np.asarray(getattr(world, name)) for name in array_fields(WorldPoses)}
    return {**arrays, "world_notes": np.array(json.dumps(world.notes()))}


def read(paths: Sequence[Path]) -> Clip:
    """The clip whose people ``write`` stored in these files.

    Raises:
        PosepipeError: a file that ``write`` did not write, or files of different clips.
    """
    clips = [_read_one(path) for path in paths]
    first = clips[0]
    for clip, path in zip(clips, paths, strict=True):
        if not np.array_equal(clip.video_time, first.video_time) or clip.video != first.video:
            raise PosepipeError(f"{path} and {paths[0]} are of different clips; export them one at a time")
    people = tuple(person for clip in clips for person in clip.people)
    return replace(first, people=people)


def _read_one(path: Path) -> Clip:
    try:
        with np.load(path, allow_pickle=False) as file:
            if "joint" in file and file["joint"].ndim == 4:
                raise PosepipeError(f"{path} holds the poses of a keypoint file, which only numpy reads")
            if file["skeleton"].item() not in SKELETONS:
                raise PosepipeError(f"{path} has the skeleton {file['skeleton'].item()!r}; update posepipe")
            arrays = {name: file.get(name) for name in array_fields(Pose3D)}
            texts = {
                "skeleton": file["skeleton"].item(),
                "unit": file["unit"].item(),
                "steps": file["steps"].tolist(),
                **{name: file[name].item() for name in ("root_camera", "device") if name in file},
            }
            pose = Pose3D(**arrays, **texts)
            width, height = file["image_size"].tolist()
            world = None
            if "world_notes" in file:
                stored = {name: file[name] for name in array_fields(WorldPoses)}
                world = WorldPoses(**stored, **json.loads(file["world_notes"].item()))
            return Clip(
                people=(Person(file["person"].item(), pose, world=world),),
                video=Path(file["video"].item()),
                rate=file["video_rate"].item(),
                image_size=(width, height),
                video_time=file["video_time"],
                provenance=json.loads(file["provenance"].item()),
                variant=file["variant"].item() if "variant" in file else "",
            )
    except FileNotFoundError as error:
        raise PosepipeError(f"there is no file {path}") from error
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise PosepipeError(
            f"{path} is not a poses.npz of this posepipe; write it again with `posepipe infer --export npz`"
        ) from error
