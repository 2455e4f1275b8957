"""poses.bvh: an animated skeleton for Blender, Maya and MotionBuilder; several people have a file each.

Lengths are metres where they are known, else body heights; y is up, and where the world is known the person travels
in it. In the rest pose (``armature``) the person faces +z, as Blender's importer expects by default (forward -Z, up
Y). Angles are degrees in the order Z, X, Y. BVH has neither variable frame times nor gaps: poses are resampled where
times are uneven, and gaps are interpolated. Because bones of estimated poses change in length, every joint has
position channels beside its rotations; readers that ignore them show bones of median length.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .armature import Animation, Armature, animate, armature_of
from .clip import Clip, Person
from .gapless import gapless
from .one_rate import at_times, even_times

CHANNELS = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
END = 0.25
"""Length of the end site behind the last joint of a limb, in lengths of the bone before it."""


def write(clip: Clip, path: Path) -> None:
    """Write the joints as bones.

    Raises:
        PosepipeError: no frame has a complete pose.
    """
    for person, file_path in clip.each(path):
        _write_one(clip, person, file_path)


def _write_one(clip: Clip, person: Person, path: Path) -> None:
    poses = gapless(clip, person, "bvh")
    joint = at_times(poses.joint, poses.time, even_times(clip, poses.time, "bvh"), np.inf)
    animation = animate(armature_of(poses.skeleton), clip.y_up(joint))
    frames, nodes = animation.rotation.shape[:2]
    angles = Rotation.from_quat(animation.rotation.reshape(-1, 4)).as_euler("ZXY", degrees=True)
    angles = np.unwrap(angles.reshape(frames, nodes, 3), period=360, axis=0)
    rows = np.concatenate([animation.translation, angles], -1).reshape(frames, -1).round(6) + 0.0  # no -0.0
    with path.open("w", newline="\n", encoding="utf-8") as file:
        file.write("HIERARCHY\n")
        file.writelines(f"{line}\n" for line in _hierarchy(animation.armature, animation, 0, ""))
        file.write(f"MOTION\nFrames: {frames}\nFrame Time: {float(1 / clip.life_rate):.10f}\n")
        np.savetxt(file, rows, fmt="%.6f")


def _hierarchy(armature: Armature, animation: Animation, node: int, indent: str) -> Iterator[str]:
    inner, children = indent + "  ", armature.children(node)
    yield f"{indent}{'JOINT' if node else 'ROOT'} {armature.names[node]}"
    yield indent + "{"
    yield f"{inner}OFFSET {_triple(animation.rest[node])}"
    yield inner + CHANNELS
    for child in children:
        yield from _hierarchy(armature, animation, child, inner)
    if not children:
        yield from (
            inner + "End Site",
            inner + "{",
            f"{inner}  OFFSET {_triple(animation.rest[node] * END)}",
            inner + "}",
        )
    yield indent + "}"


def _triple(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values.round(6) + 0.0)
