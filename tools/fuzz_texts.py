"""Damaged files of 2D poses, descriptions and calibrations, for ``fuzz_files.py`` and for a short form in the tests.

Whole files of all formats are made from a figure that walks; then bytes, tokens or lines of them are damaged, or
their text is stored in another encoding. Each variant lies in a folder of its own and is given as words of the
command line.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import h5py
import numpy as np
from posepipe.models.skeleton import COCO17
from scipy.io import netcdf_file

FRAMES, RATE = 30, 30
ODD = ("nan", "NaN", "-1", "0", "1e400", "-1e30", "1e12", "99999999999999999999", "", "null", "true", '"a"', "[]",
       "{}", "'", "0.5.5", "1,5", "\\", "é", "\0")  # fmt: skip
"""Tokens that people, programs and bad memory put in the place of others."""
TOKEN = re.compile(rb'-?\d+(?:\.\d+)?(?:e-?\d+)?|"[^"\n]*"|\w+')

_BODY = np.array([
    (0, -9), (0.5, -9.6), (-0.5, -9.6), (1, -9.3), (-1, -9.3), (3, -5), (-3, -5), (4, -2), (-4, -2), (4.5, 1),
    (-4.5, 1), (2, 1), (-2, 1), (2.2, 6), (-2.2, 6), (2.3, 11), (-2.3, 11),
], float)  # fmt: skip
"""COCO's joints of a standing figure, in tenths of its height."""


def figure(camera: int = 0) -> np.ndarray:
    """Joints (F, 17, 3) of x, y (px) and confidence of a figure that walks, each camera further aside."""
    time = np.arange(FRAMES)[:, None, None] / RATE
    swing = np.sin(6 * time + np.arange(17)[:, None] % 2 * np.pi) * (np.abs(_BODY[:, 1:]) > 0.5)
    points = 20 * (_BODY + swing * [0.8, 0.2]) * [0.6**camera, 1] + [480, 270] + 60 * time
    return np.concatenate([points, np.full((FRAMES, 17, 1), 0.9)], -1).round(3)


# --------------------------------------------------------------------------------------------- whole files


def openpose(pose: np.ndarray, folder: Path) -> Path:
    path = folder / "cam1_json"
    path.mkdir()
    for frame, joints in enumerate(pose):
        people = [{"person_id": [-1], "pose_keypoints_2d": joints.ravel().tolist()}]
        (path / f"cam1_{frame:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return path


def mmpose(pose: np.ndarray, folder: Path) -> Path:
    frames = [
        {"frame_id": frame, "instances": [{"keypoints": j[:, :2].tolist(), "keypoint_scores": j[:, 2].tolist()}]}
        for frame, j in enumerate(pose)
    ]
    return _written(folder / "cam1.json", json.dumps(frames))


def coco(pose: np.ndarray, folder: Path) -> Path:
    rows = [{"image_id": f"{f}.jpg", "category_id": 1, "keypoints": j.ravel().tolist()} for f, j in enumerate(pose)]
    return _written(folder / "cam1.json", json.dumps(rows))


def annotations(pose: np.ndarray, folder: Path) -> Path:
    labels = [{"image_id": f, "category_id": 1, "keypoints": j.ravel().tolist()} for f, j in enumerate(pose)]
    images = [{"id": frame, "file_name": f"frame_{frame:06d}.png"} for frame in range(len(pose))]
    kinds = [{"id": 1, "name": "person", "keypoints": COCO17.joints}]
    content = {"images": images, "categories": kinds, "annotations": labels}
    return _written(folder / "cam1.json", json.dumps(content))


def rows(pose: np.ndarray, folder: Path) -> Path:
    lines = ["frame,time,joint,x,y,confidence"]
    for frame, joints in enumerate(pose):
        for name, (x, y, sure) in zip(COCO17.joints, joints, strict=True):
            lines.append(f"{frame},{frame / RATE:.4f},{name},{x},{y},{sure}")
    return _written(folder / "cam1.csv", "\n".join(lines) + "\n")


def deeplabcut(pose: np.ndarray, folder: Path) -> Path:
    head = [
        ["scorer", *["net"] * 51],
        ["bodyparts", *np.repeat(COCO17.joints, 3)],
        ["coords", *["x", "y", "likelihood"] * 17],
    ]
    return _table(folder / "cam1.csv", [*head, *([frame, *joints.ravel()] for frame, joints in enumerate(pose))])


def sleap_table(pose: np.ndarray, folder: Path) -> Path:
    titles = [f"{name}.{kind}" for name in COCO17.joints for kind in ("x", "y", "score")]
    body = (["", frame, 1.0, *joints.ravel()] for frame, joints in enumerate(pose))
    return _table(folder / "cam1.csv", [["track", "frame_idx", "instance.score", *titles], *body])


def sleap(pose: np.ndarray, folder: Path) -> Path:
    with h5py.File(folder / "cam1.h5", "w") as file:
        file["tracks"], file["point_scores"] = pose[..., :2].transpose(2, 1, 0)[None], pose[..., 2].T[None]
        file["node_names"] = np.array(COCO17.joints, "S")
    return folder / "cam1.h5"


def movement(pose: np.ndarray, folder: Path) -> Path:
    with netcdf_file(str(folder / "cam1.nc"), "w", version=2) as file:
        for name, size in {"time": len(pose), "space": 2, "keypoint": 17, "individual": 1, "letters": 20}.items():
            file.createDimension(name, size)
        file.createVariable("time", "d", ("time",))[:] = np.arange(len(pose)) / RATE
        position = file.createVariable("position", "d", ("time", "space", "keypoint", "individual"))
        position[:] = pose[..., :2].transpose(0, 2, 1)[..., None]
        letters = np.array([joint.encode() for joint in COCO17.joints], "S20").view("S1").reshape(17, 20)
        file.createVariable("keypoint", "c", ("keypoint", "letters"))[:] = letters
        file.fps, file.time_unit = float(RATE), b"seconds"
    return folder / "cam1.nc"


def arrays(pose: np.ndarray, folder: Path) -> Path:
    named = {"keypoint": pose[..., :2], "confidence": pose[..., 2], "joint_names": COCO17.joints}
    np.savez(folder / "cam1.npz", **named, time=np.arange(len(pose)) / RATE)
    return folder / "cam1.npz"


KEYPOINT_FILES: tuple[Callable[[np.ndarray, Path], Path], ...] = (
    openpose, mmpose, coco, annotations, rows, deeplabcut, sleap_table, sleap, movement, arrays,
)  # fmt: skip


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _table(path: Path, lines: list[list[object]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return _written(path, text.getvalue())


_CAMERAS = {
    f"cam{number}": (np.array([[900.0, 0, 480], [0, 900, 270], [0, 0, 1]]), np.array([0.1, 0.6 * number, 0.0]))
    for number in (1, 2)
}
_PLACE = np.array([0.1, 0.2, 4.0])


def pose2sim(folder: Path) -> Path:
    tables = [
        f'[{name}]\nname = "{name}"\nsize = [960, 540]\nmatrix = {K.tolist()}\ndistortions = [0.01, 0.0, 0.0, 0.0]\n'
        f"rotation = {rotation.tolist()}\ntranslation = {_PLACE.tolist()}\nfisheye = false\n"
        for name, (K, rotation) in _CAMERAS.items()
    ]
    return _written(folder / "Calib.toml", "\n".join(tables))


def qualisys(folder: Path) -> Path:
    cameras = []
    for name, (K, rotation) in _CAMERAS.items():
        R = cv2.Rodrigues(rotation)[0]
        turn = " ".join(f'r{a + 1}{b + 1}="{R[a, b]:.6f}"' for a in range(3) for b in range(3))
        cameras.append(
            f'<camera serial="{name}"><fov_video left="0" right="959" top="0" bottom="539"/><transform {turn} '
            f'x="100" y="200" z="4000"/><intrinsic focalLengthU="{64 * K[0, 0]}" focalLengthV="{64 * K[1, 1]}" '
            f'centerPointU="{64 * K[0, 2]}" centerPointV="{64 * K[1, 2]}" radialDistortion1="0.1" '
            'radialDistortion2="0" tangentalDistortion1="0" tangentalDistortion2="0"/></camera>'
        )
    return _written(folder / "take.qca.txt", f"<calibration><cameras>{''.join(cameras)}</cameras></calibration>\n")


def easymocap(folder: Path, suffix: str = ".yml") -> Path:
    for file, entries in (("intri", ("K", "dist")), ("extri", ("Rot", "T"))):
        store = cv2.FileStorage(str(folder / f"{file}{suffix}"), cv2.FILE_STORAGE_WRITE)
        for name, (K, rotation) in _CAMERAS.items():
            values = {"K": K, "dist": np.zeros((1, 5)), "Rot": cv2.Rodrigues(rotation)[0], "T": _PLACE[:, None]}
            for entry in entries:
                store.write(f"{entry}_{name}", values[entry])
        store.release()
    return folder / f"intri{suffix}"


def opencv(folder: Path) -> Path:
    return easymocap(folder, ".xml")


def description(folder: Path) -> Path:
    return folder / "posepipe.toml"


SETTINGS_FILES: tuple[Callable[[Path], Path], ...] = (pose2sim, qualisys, easymocap, opencv, description)

# -------------------------------------------------------------------------------------------------- damage


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A file with one or two kinds of damage."""
    for damage in rng.choices(
        (_tokens, _tokens, _tokens, _bytes, _cut, _lines, _recoded), k=rng.choice((1, 1, 1, 2))
    ):
        data = damage(data, rng)
    return data


def _tokens(data: bytes, rng: random.Random) -> bytes:
    """Some numbers and words are others."""
    found = list(TOKEN.finditer(data))
    for token in sorted(rng.sample(found, min(len(found), rng.choice((1, 1, 3, 20)))), key=lambda one: -one.start()):
        data = data[: token.start()] + rng.choice(ODD).encode() + data[token.end() :]
    return data


def _bytes(data: bytes, rng: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice((1, 10, 100)) * bool(made)):
        made[rng.randrange(len(made))] = rng.randrange(256)
    return bytes(made)


def _cut(data: bytes, rng: random.Random) -> bytes:
    """The end, the beginning or a piece is missing."""
    start, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    return rng.choice((data[:end], data[start:], data[:start] + data[end:]))


def _lines(data: bytes, rng: random.Random) -> bytes:
    """Lines are missing, doubled or in another order."""
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 5))):
        place = rng.randrange(len(lines))
        lines[place : place + 1] = rng.choice(([], lines[place : place + 1] * 2, [b""], [rng.choice(lines)]))
        lines = lines or [b""]
    return b"\n".join(lines)


def _recoded(data: bytes, rng: random.Random) -> bytes:
    """Text as other systems store it; or nested so deeply that nobody reads it."""
    text = data.decode("utf-8", errors="replace")
    return rng.choice((
        text.encode("utf-16"), b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"), data.replace(b",", b";"),
        data.replace(b".", b","), data.upper(), b"[" * 100_000 + data, data + data, b"",
    ))  # fmt: skip


# ------------------------------------------------------------------------------------------------ variants


def keypoint_variants(seed: int, folder: Path) -> Iterator[list[str]]:
    """Damaged files of 2D poses, for ``infer``: endless words of the command line, but for the model.

    Args:
        folder: where they are made, each in a folder that begins with its number.
    """
    number = 0
    while True:
        rng = random.Random(f"poses {seed} {number}")  # noqa: S311
        place = folder / f"{number}_poses"
        place.mkdir(parents=True)
        path = KEYPOINT_FILES[number % len(KEYPOINT_FILES)](figure(), place)
        inside = rng.sample(sorted(path.iterdir()), rng.choice((1, 3))) if path.is_dir() else [path]
        for file in inside:
            file.write_bytes(damaged(file.read_bytes(), rng))
        words = ["infer", str(path), "--export", "npz,csv"]
        yield words + ["--set", f"keypoints.rate_hz={RATE}"] * rng.choice((0, 1))
        number += 1


def settings_variants(seed: int, folder: Path) -> Iterator[list[str]]:
    """Takes of two cameras whose description or calibration is damaged, for ``fit``: as ``keypoint_variants``."""
    number = 0
    while True:
        rng = random.Random(f"settings {seed} {number}")  # noqa: S311
        take = folder / f"{number}_take"
        take.mkdir(parents=True)
        for camera in (2, 1):
            mmpose(figure(camera), take).replace(take / f"cam{camera}.json")
        make = SETTINGS_FILES[number % len(SETTINGS_FILES)]
        named = "" if make is description else f'calibration = "{make(take).name}"\n'
        said = 'moving = false\nrig = "hall"\nfocal_px = 900\n[keypoints]\nrate_hz = 30\n'
        said += 'skeleton = "coco17"\nimage_size_px = [960, 540]\n'
        cameras = "".join(f"[cameras.cam{camera}]\noffset_s = 0.0\nslow_motion = 1.0\n" for camera in (1, 2))
        (take / "posepipe.toml").write_text(named + said + cameras)
        path = make(take)
        path.write_bytes(damaged(path.read_bytes(), rng))
        yield ["fit", str(take), "--until", "samples"]
        number += 1
