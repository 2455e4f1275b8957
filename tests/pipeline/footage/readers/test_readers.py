"""Files of 2D poses in each format are read as what they say, and wrong ones are one sentence."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import h5py
import numpy as np
import pytest
from posepipe.models.skeleton import (
    BODY25,
    BODY25B,
    COCO17,
    COCO23,
    H36M17,
    HALPE26,
    SKELETONS,
    Skeleton,
    mapping_to_h36m17,
)
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.readers import READERS, Found, find_reader, format_of, read
from posepipe.pipeline.runtime.cache import SourceFile
from posepipe.pipeline.settings import KeypointSettings
from posepipe.pipeline.stages.import_poses import frames_of, read_people
from scipy.io import netcdf_file

FRAMES = 6
RNG = np.random.default_rng(0)
BODY = {
    "nose": (0, -9), "eye": (1, -10), "ear": (2, -9), "head": (0, -12), "neck": (0, -6), "shoulder": (3, -5),
    "elbow": (4, -2), "wrist": (4.5, 1), "hip": (2, 1), "knee": (2.2, 6), "ankle": (2.3, 11), "heel": (2, 12),
    "toe": (3, 12),
}  # fmt: skip
"""A body seen from ahead: (to its left, down) of joints of the left side and the middle, in tenths of its height."""


def body(skeleton: Skeleton) -> np.ndarray:
    """(J, 2)."""
    known = {joint: BODY[joint.split("_")[-1]] for joint in skeleton.joints if joint not in ("mid_hip", "hip")}
    flipped = {joint: (-x, y) if joint.startswith("right") else (x, y) for joint, (x, y) in known.items()}
    return np.array([flipped.get(joint, (0, 1)) for joint in skeleton.joints], float)


def poses_of(skeleton: Skeleton) -> np.ndarray:
    """Two people (frame, person, J, 2) px, who move."""
    size, place = RNG.uniform(15, 25, (FRAMES, 2, 1, 1)), RNG.uniform(350, 600, (FRAMES, 2, 1, 2))
    noise = RNG.normal(0, 3, (FRAMES, 2, len(skeleton.joints), 2))
    return (size * body(skeleton) + place + noise).round(3)


POSES = poses_of(COCO17)
OTHERS = {25: poses_of(BODY25)}
SURE = RNG.uniform(0.3, 1, (FRAMES, 2, 17)).round(3)
HERE = np.ones((FRAMES, 2), bool)
HERE[2], HERE[4, 1] = False, False
"""Nobody in frame 2, the first one only in frame 4."""


def flat(frame: int, person: int, joints: int = 17) -> list[float]:
    sure = np.resize(SURE[frame, person], (joints, 1))
    return np.concatenate([OTHERS.get(joints, POSES)[frame, person], sure], 1).ravel().tolist()


def people_in(frame: int) -> list[int]:
    return np.flatnonzero(HERE[frame]).tolist()


def openpose(folder: Path, name: str = "run_{:012d}_keypoints.json", joints: int = 25, first: int = 0) -> Path:
    path = folder / "cam1_json"
    path.mkdir()
    for frame in range(FRAMES):
        empty = {"face_keypoints_2d": [], "hand_left_keypoints_2d": [], "pose_keypoints_3d": []}
        people = [
            {"person_id": [-1], "pose_keypoints_2d": flat(frame, one, joints), **empty} for one in people_in(frame)
        ]
        (path / name.format(frame + first)).write_text(json.dumps({"version": 1.3, "people": people}))
    return path


def instances(first: int) -> list[dict]:
    return [
        {
            "frame_id": frame + first,
            "instances": [
                {
                    "keypoints": POSES[frame, one].tolist(),
                    "keypoint_scores": SURE[frame, one].tolist(),
                    "bbox": [[1.0, 2.0, 3.0, 4.0]],
                    "bbox_score": 0.9,
                }
                for one in people_in(frame)
            ],
        }
        for frame in range(FRAMES)
    ]


def mmpose(folder: Path) -> Path:
    path = folder / "cam1.json"
    path.write_text(json.dumps(instances(0)))
    return path


def mmpose_demo(folder: Path) -> Path:
    path = folder / "cam1.json"
    names = {str(number): joint for number, joint in enumerate(COCO17.joints)}
    path.write_text(json.dumps({"meta_info": {"keypoint_id2name": names}, "instance_info": instances(1)}))
    return path


def coco(folder: Path, image: Callable[[int], int | str] = int) -> Path:
    path = folder / "cam1.json"
    poses = [
        {"image_id": image(frame), "category_id": 1, "keypoints": flat(frame, one), "score": 0.9}
        for frame in range(FRAMES)
        for one in people_in(frame)
    ]
    path.write_text(json.dumps(poses, indent=1))
    return path


def shown() -> tuple[np.ndarray, np.ndarray]:
    """Positions (time, space, keypoint, individual), confidences (time, keypoint, individual); NaN is absent."""
    position = np.where(HERE[..., None, None], POSES, np.nan).transpose(0, 3, 2, 1)
    return position, np.where(HERE[..., None], SURE, np.nan).transpose(0, 2, 1)


def netcdf3(folder: Path) -> Path:
    path = folder / "cam1.nc"
    position, confidence = shown()
    with netcdf_file(str(path), "w", version=2) as file:
        for name, size in {"time": FRAMES, "space": 2, "keypoint": 17, "individual": 2, "letters": 20}.items():
            file.createDimension(name, size)
        file.createVariable("time", "d", ("time",))[:] = np.arange(FRAMES) / 50
        file.createVariable("position", "d", ("time", "space", "keypoint", "individual"))[:] = position
        file.createVariable("confidence", "d", ("time", "keypoint", "individual"))[:] = confidence
        letters = np.array([joint.encode() for joint in COCO17.joints], "S20").view("S1").reshape(17, 20)
        file.createVariable("keypoint", "c", ("keypoint", "letters"))[:] = letters
        file.fps, file.time_unit, file.ds_type = 50.0, b"seconds", b"poses"
    return path


def netcdf4(folder: Path, dialect: str = "s") -> Path:
    path = folder / "cam1.nc"
    position, confidence = shown()
    with h5py.File(path, "w") as file:
        scales = {
            "time": np.arange(FRAMES) / 50,
            "space": np.array(["x", "y"], object),
            f"keypoint{dialect}": np.array(COCO17.joints, object),
            f"individual{dialect}": np.array(["id_0", "id_1"], object),
        }
        for name, values in scales.items():
            file.create_dataset(name, data=values, dtype=h5py.string_dtype() if values.dtype == object else None)
            file[name].make_scale(name)
        for name, values, axes in (
            ("position", position, list(scales)),
            ("confidence", confidence, ["time", f"keypoint{dialect}", f"individual{dialect}"]),
        ):
            data = file.create_dataset(name, data=values)
            for number, axis in enumerate(axes):
                data.dims[number].attach_scale(file[axis])
        file.attrs["fps"], file.attrs["time_unit"] = 50.0, "seconds"
    return path


def deeplabcut(folder: Path, individuals: bool = True) -> Path:
    path = folder / "cam1DLC_resnet50.csv"
    people = range(2 if individuals else 1)
    columns = [(f"id{one}", joint, part) for one in people for joint in COCO17.joints for part in "xyl"]
    rows = [["scorer", *["DLC_resnet50"] * len(columns)]]
    if individuals:
        rows.append(["individuals", *[name for name, _, _ in columns]])
    rows.append(["bodyparts", *[joint for _, joint, _ in columns]])
    rows.append(["coords", *[{"x": "x", "y": "y", "l": "likelihood"}[part] for _, _, part in columns]])
    for frame in range(FRAMES):
        cells: list[object] = [frame]
        for one in people:
            cells += flat(frame, one) if HERE[frame, one] else [""] * 51
        rows.append(cells)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def rows_of_joints(folder: Path) -> Path:
    path = folder / "cam1.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["frame", "time", "person", "joint", "x", "y", "confidence"])
        for frame in range(FRAMES):
            if not HERE[frame].any():
                table.writerow([frame, frame / 50, "person0", "nose", "", "", 0])
            for one in people_in(frame):
                for joint, (x, y), sure in zip(COCO17.joints, POSES[frame, one], SURE[frame, one], strict=True):
                    table.writerow([frame, frame / 50, f"person{one}", joint, x, y, sure])
    return path


def deeplabcut_labels(folder: Path, path_columns: bool = False) -> Path:
    """Of one person, in pictures."""
    path = folder / "CollectedData_me.csv"
    index = (
        (lambda frame: ["labeled-data", "cam1", f"img{frame:03d}.png"])
        if path_columns
        else (lambda frame: [f"labeled-data/cam1/img{frame:03d}.png"])
    )
    blank = [""] * (len(index(0)) - 1)
    rows = [["scorer", *blank, *["me"] * 34], ["bodyparts", *blank, *np.repeat(COCO17.joints, 2)]]
    rows.append(["coords", *blank, *["x", "y"] * 17])
    rows += [[*index(frame), *POSES[frame, 0].ravel().tolist()] for frame in np.flatnonzero(HERE[:, 0]).tolist()]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def sleap_csv(folder: Path) -> Path:
    path = folder / "cam1.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        kinds = [f"{joint}.{kind}" for joint in COCO17.joints for kind in ("x", "y", "score")]
        table.writerow(["track", "frame_idx", "instance.score", *kinds])
        for frame in range(FRAMES):
            for one in people_in(frame):
                table.writerow([f"track_{one}", frame, 1.0, *flat(frame, one)])
    return path


def sleap_h5(folder: Path, standard: bool = False) -> Path:
    path = folder / "cam1.analysis.h5"
    position, confidence = shown()  # (time, space, node, track), (time, node, track)
    with h5py.File(path, "w") as file:
        file["tracks"] = position.transpose(0, 3, 2, 1) if standard else position.transpose(3, 1, 2, 0)
        file["point_scores"] = confidence.transpose(0, 2, 1) if standard else confidence.transpose(2, 1, 0)
        file["node_names"] = np.array(COCO17.joints, "S")
    return path


def annotations(folder: Path) -> Path:
    """Of CVAT: an object, labelled joints without a confidence, boxes of others."""
    path = folder / "cam1.json"
    labels = [
        {
            "image_id": frame + 1,
            "category_id": 1,
            "keypoints": np.c_[POSES[frame, one], np.full(17, 2)].ravel().tolist(),
        }
        for frame in range(FRAMES)
        for one in people_in(frame)
    ]
    images = [{"id": frame + 1, "file_name": f"cam1/frame_{frame:06d}.PNG"} for frame in range(FRAMES)]
    kinds = [{"id": 1, "name": "person", "keypoints": COCO17.joints}, {"id": 2, "name": "ball"}]
    boxes = [{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}]
    path.write_text(json.dumps({"images": images, "categories": kinds, "annotations": [*boxes, *labels]}))
    return path


def npz(folder: Path) -> Path:
    path = folder / "cam1.npz"
    keypoint = np.where(HERE[..., None, None], POSES, np.nan)
    confidence = np.where(HERE[..., None], SURE, 0)
    np.savez(path, keypoint=keypoint, confidence=confidence, joint_names=COCO17.joints, rate="50")
    return path


FORMATS = {
    "openpose": lambda folder: openpose(folder, joints=25),
    "pose2sim": lambda folder: openpose(folder, "run_{:06d}.json", joints=25),
    "mmpose": mmpose,
    "mmpose demo": mmpose_demo,
    "coco": coco,
    "alphapose": lambda folder: coco(folder, "{}.jpg".format),
    "netcdf 3": netcdf3,
    "netcdf 4, movement 0.16": netcdf4,
    "netcdf 4, movement 0.17": lambda folder: netcdf4(folder, ""),
    "deeplabcut": deeplabcut,
    "csv": rows_of_joints,
    "npz": npz,
    "deeplabcut labels": deeplabcut_labels,
    "deeplabcut labels in columns": lambda folder: deeplabcut_labels(folder, path_columns=True),
    "sleap csv": sleap_csv,
    "sleap h5": sleap_h5,
    "sleap h5, frames first": lambda folder: sleap_h5(folder, standard=True),
    "annotations": annotations,
}


def people_of(path: Path, **said: object) -> object:
    return read_people(SourceFile(path, "key"), False, KeypointSettings(**said))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_read_as_what_it_says(name: str, tmp_path: Path) -> None:
    path = FORMATS[name](tmp_path)
    says_time = name.startswith(("netcdf", "csv", "npz"))
    found = people_of(path, **({} if says_time else {"rate_hz": 50}))
    assert found.time == pytest.approx(np.arange(FRAMES) / 50)
    here = HERE & [True, not name.startswith("deeplabcut labels")]
    np.testing.assert_array_equal(found.frame, np.nonzero(here)[0])
    joints = 25 if "openpose" in name or "pose2sim" in name else 17
    assert found.skeleton == ("body25" if joints == 25 else "coco17")
    estimated = "labels" not in name and name != "annotations"
    for row, (frame, one) in enumerate(zip(*np.nonzero(here), strict=True)):
        values = np.array(flat(frame, one, joints)).reshape(-1, 3)
        np.testing.assert_allclose(found.keypoint[row], values[:, :2], rtol=1e-6)
        np.testing.assert_allclose(found.confidence[row], values[:, 2] if estimated else 1, rtol=1e-6)
    frames = frames_of(found, KeypointSettings(image_size_px=(1920, 1080)))
    assert frames.rate == "50"
    assert frames.image_size.tolist() == [1920, 1080]


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_knows_its_own_files_alone(reader: str, tmp_path: Path) -> None:
    own = 0
    for number, make in enumerate(FORMATS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = make(folder)
        if format_of(path) == reader:
            own += 1
            found = find_reader(reader).read(path)
            assert isinstance(found, Found) and len(found.frame) == len(found.keypoint) == len(found.confidence)
            there = np.isfinite(found.keypoint).all(-1).any(-1)  # a row of a table may be of somebody absent
            assert there.sum() in (HERE.sum(), HERE[:, 0].sum())
        else:
            with suppress(OSError, ValueError, KeyError, BadZipFile):
                assert not find_reader(reader).recognises(path)
    assert own, f"FORMATS has no file that {reader} reads"


def test_frames_are_counted_as_they_are_numbered(tmp_path: Path) -> None:
    found = people_of(openpose(tmp_path, first=100), rate_hz=50)
    assert found.frame[0] == 100
    assert len(found.time) == 100 + FRAMES


def test_a_single_deeplabcut_animal(tmp_path: Path) -> None:
    found = read(deeplabcut(tmp_path, individuals=False))
    np.testing.assert_array_equal(found.frame, np.flatnonzero(HERE[:, 0]))
    assert found.joints == COCO17.joints


def spreadsheet(path: Path, separator: str, *, comma: bool = False, head: str = "Frame Joint X Y Confidence") -> Path:
    lines = [separator.join(head.split())]
    for frame in range(FRAMES):
        for joint, (x, y), sure in zip(COCO17.joints, POSES[frame, 0], SURE[frame, 0], strict=True):
            values = [f"{value:.3f}".replace(".", "," if comma else ".") for value in (x, y, sure)]
            lines.append(separator.join([str(frame), f'"{joint}"', *values]))
    path.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("separator", "said"),
    [
        (";", {"comma": True}),
        (";", {}),
        ("\t", {"comma": True}),
        (", ", {"head": "FRAME JOINT X_PX Y_PX CONFIDENCE"}),
    ],
)
def test_tables_of_spreadsheets(separator: str, said: dict, tmp_path: Path) -> None:
    found = people_of(spreadsheet(tmp_path / "cam1.csv", separator, **said), rate_hz=50)
    np.testing.assert_allclose(found.keypoint, POSES[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found.confidence, SURE[:, 0], rtol=1e-6)


def test_a_spreadsheet_may_say_its_separator(tmp_path: Path) -> None:
    path = spreadsheet(tmp_path / "cam1.csv", ";", comma=True)
    path.write_text("sep=;\n" + path.read_text(encoding="utf-8-sig"), encoding="utf-8")
    np.testing.assert_allclose(people_of(path, rate_hz=50).keypoint, POSES[:, 0], rtol=1e-6)


def test_annotations_of_two_clips_are_refused(tmp_path: Path) -> None:
    path = changed(annotations(tmp_path), "frame_000002", "frame_000001")
    with pytest.raises(PosepipeError, match="two of its pictures have the same number"):
        people_of(path, rate_hz=50)


def arrays(path: Path, **more: object) -> Path:
    np.savez(path, keypoint=POSES[:, 0], joint_names=COCO17.joints, **more)
    return path


@pytest.mark.parametrize("unit", [1e3, 1e6, 1e9])
def test_times_in_another_unit_are_brought_to_seconds(
    unit: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for rate in (5, 30, 240):
        found = people_of(arrays(tmp_path / "cam1.npz", time=(3 + np.arange(FRAMES) / rate) * unit))
        np.testing.assert_allclose(found.time, 3 + np.arange(FRAMES) / rate)
    assert {1e3: "in ms", 1e6: "in µs", 1e9: "in ns"}[unit] in caplog.text


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"rate": 0}, "rate is 0 frames per second"),
        ({"rate": -30}, "rate is -30"),
        ({"rate": np.nan}, "rate is nan"),
        ({"rate": "fast"}, "rate is nan"),
        ({"rate": "30/0"}, "rate is nan"),
        ({"rate": 1e9}, "which cannot be"),
        ({"time": np.arange(FRAMES)}, "its times count frames"),
        ({"time": np.arange(FRAMES) * 1e13}, "are no seconds"),
        ({"time": np.full(FRAMES, np.nan)}, "do not rise"),
    ],
)
def test_times_that_cannot_be_are_refused(said: dict, sentence: str, tmp_path: Path) -> None:
    path = arrays(tmp_path / "cam1.npz", **said)
    with pytest.raises(PosepipeError, match=sentence):
        people_of(path)
    assert len(people_of(path, rate_hz=30).time) == FRAMES


def test_what_nobody_estimated_is_sure(tmp_path: Path) -> None:
    sure = SURE[:, 0].copy()
    sure[2:4], sure[4, 3] = np.nan, np.nan
    found = people_of(arrays(tmp_path / "cam1.npz", confidence=sure, rate=50))
    np.testing.assert_allclose(found.confidence, np.where(np.isnan(sure), 1, sure), rtol=1e-6)


def test_shares_of_the_picture_are_brought_to_pixels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cam1.npz"
    np.savez(path, keypoint=POSES[:, 0] / [1000, 800], joint_names=COCO17.joints, rate=50)
    with pytest.raises(PosepipeError, match=r"shares of the picture and no pixels: .*image_size_px"):
        people_of(path)
    np.testing.assert_allclose(people_of(path, image_size_px=(1000, 800)).keypoint, POSES[:, 0], rtol=1e-5)
    assert "brought to pixels of 1000x800" in caplog.text
    np.savez(path, keypoint=POSES[:, 0] / 500 - 1, joint_names=COCO17.joints, rate=50)
    with pytest.raises(PosepipeError, match="no pixels; save them in pixels"):
        people_of(path, image_size_px=(1000, 800))


@pytest.mark.parametrize(
    ("skeleton", "count"), [(COCO17, 17), (H36M17, 17), (BODY25, 25), (BODY25B, 25), (HALPE26, 26)]
)
def test_joints_without_names_are_told_by_the_body_they_make(skeleton: Skeleton, count: int, tmp_path: Path) -> None:
    path = tmp_path / "cam1.npz"
    weights = mapping_to_h36m17(COCO17).weights if skeleton is H36M17 else None
    poses = weights @ POSES[:, 0] if weights is not None else poses_of(skeleton)[:, 0]
    np.savez(path, keypoint=poses, rate=50)
    assert poses.shape[1] == count
    assert people_of(path).skeleton == skeleton.name


@pytest.mark.parametrize(("count", "skeleton"), [(133, COCO23), (135, BODY25B), (136, HALPE26)])
def test_whole_bodies_begin_with_a_skeleton_of_ours(count: int, skeleton: Skeleton, tmp_path: Path) -> None:
    path, poses = tmp_path / "cam1.npz", poses_of(skeleton)[:, 0]
    np.savez(path, keypoint=np.concatenate([poses, np.ones((FRAMES, count - poses.shape[1], 2))], 1), rate=50)
    for said in ({}, {"skeleton": skeleton.name}):
        found = people_of(path, **said)
        assert found.skeleton == skeleton.name
        np.testing.assert_allclose(found.keypoint, poses, rtol=1e-6)
    with pytest.raises(PosepipeError, match=f"it has {count} joints, but mpii16 has 16"):
        people_of(path, skeleton="mpii16")


def test_joints_that_make_no_body_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "cam1.npz"
    np.savez(path, keypoint=RNG.uniform(0, 900, (FRAMES, 25, 2)), rate=50)
    with pytest.raises(PosepipeError, match=r"may be those of body25 or body25b: say which with keypoints.skeleton"):
        people_of(path)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "data_2d_custom.npz"
    np.savez(path, positions_2d=np.array({"clip": {"custom": [POSES[:, 0]]}}, object), metadata=np.array({}, object))
    with pytest.raises(PosepipeError, match=r"pickle, which is never opened.*np.savez") as told:
        people_of(path)
    assert "\n" not in str(told.value)


def test_a_table_of_deeplabcut_in_hdf5_is_left_to_its_csv(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cam1.h5", "w") as file:
        file["df_with_missing/table"] = np.zeros(3)
    assert format_of(tmp_path / "cam1.h5") is None


def test_zeros_and_absent_confidences_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "cam1.json"
    pose = flat(0, 0)
    pose[3:6] = [0, 0, 0]
    pose[8] = 3.5  # AlphaPose's confidences go beyond 1
    path.write_text(json.dumps([{"image_id": 0, "category_id": 1, "keypoints": pose, "score": 1}]))
    found = people_of(path, rate_hz=50)
    assert np.isnan(found.keypoint[0, 1]).all()
    assert found.confidence[0, 1] == 0
    assert found.confidence[0, 2] == 1


def test_joints_of_ones_own_are_declared(tmp_path: Path) -> None:
    path = tmp_path / "cam1.npz"
    names = [f"m{number}" for number in range(18)]
    keypoint = RNG.uniform(0, 100, (FRAMES, 18, 2))
    np.savez(path, keypoint=keypoint, rate=50)
    parts = {joint: [f"m{number}"] for number, joint in enumerate(H36M17.joints)} | {"pelvis": ["m0", "m17"]}
    found = people_of(path, joints=names, h36m17=parts)
    assert found.skeleton == "h36m17"
    np.testing.assert_allclose(found.keypoint[:, 1:], keypoint[:, 1:17], rtol=1e-5)
    np.testing.assert_allclose(found.keypoint[:, 0], keypoint[:, [0, 17]].mean(1), rtol=1e-5)
    with pytest.raises(PosepipeError, match="h36m17's pelvis is made of 'pelvis', but the joints are m0"):
        people_of(path, joints=names, h36m17={"head": ["m1"]})
    with pytest.raises(PosepipeError, match="unknown joint of h36m17 'elbow'"):
        people_of(path, joints=names, h36m17={"elbow": ["m1"]})
    with pytest.raises(PosepipeError, match="18 joints, but 17 names"):
        people_of(path, joints=names[:17])


def test_what_nobody_says_is_asked_for(tmp_path: Path) -> None:
    path = coco(tmp_path)
    with pytest.raises(
        PosepipeError, match=r"does not say its frames per second: add rate_hz = 60 under \[keypoints\]"
    ):
        people_of(path)
    with pytest.raises(PosepipeError, match="it has 17 joints, but halpe26 has 26"):
        people_of(path, rate_hz=50, skeleton="halpe26")
    with pytest.raises(PosepipeError, match="unknown skeleton 'coco'; did you mean 'coco"):
        people_of(path, rate_hz=50, skeleton="coco")
    assert people_of(path, rate_hz=50, skeleton="h36m17").skeleton == "h36m17"
    odd = tmp_path / "odd.npz"
    np.savez(odd, keypoint=np.full((3, 5, 2), 9.0), rate=50)
    with pytest.raises(PosepipeError, match="it has 5 joints and does not say which"):
        people_of(odd)
    np.savez(odd, keypoint=np.full((3, 5, 2), 9.0), rate=50, joint_names=list("abcde"))
    with pytest.raises(PosepipeError, match=r"no known skeleton.*say how h36m17 is made of them"):
        people_of(odd)


def test_openpose_joints_in_their_order() -> None:
    assert [BODY25.joints[number] for number in (0, 1, 2, 5, 8, 9, 12, 15, 16, 19, 22, 24)] == [
        "nose", "neck", "right_shoulder", "left_shoulder", "mid_hip", "right_hip", "left_hip", "right_eye",
        "left_eye", "left_big_toe", "right_big_toe", "right_heel",
    ]  # fmt: skip


def changed(path: Path, old: str, new: str) -> Path:
    path.write_text(path.read_text().replace(old, new))
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: changed(mmpose(folder), '"keypoint_scores"', '"scores"'), "lacks 'keypoint_scores'"),
        (lambda folder: changed(mmpose(folder), "}]}]", "}]"), "is not valid JSON"),
        (lambda folder: changed(coco(folder), '"image_id": 0', '"image_id": "x"'), "ends with no frame number"),
        (lambda folder: changed(deeplabcut(folder), ",likelihood", ",sure"), "lacks 'sure'"),
        (
            lambda folder: changed(rows_of_joints(folder), "0,0.0,person0,nose,", "0,0.0,nose,"),
            "a row has not 7 cells",
        ),
    ],
)
def test_wrong_files_are_one_sentence(make: Callable[[Path], Path], sentence: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(PosepipeError, match=sentence) as told:
        people_of(path, rate_hz=50)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_poses_of_different_sizes_or_not_of_threes(tmp_path: Path) -> None:
    path = openpose(tmp_path)
    files = sorted(path.glob("*.json"))
    files[0].write_text(json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 51}]}))
    with pytest.raises(PosepipeError, match="different numbers of joints"):
        people_of(path, rate_hz=50)
    for file in files:
        file.write_text(json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 50}]}))
    with pytest.raises(PosepipeError, match="expected x, y and confidence"):
        people_of(path, rate_hz=50)


def test_truncated_and_foreign_files(tmp_path: Path) -> None:
    path = npz(tmp_path)
    path.write_bytes(path.read_bytes()[:500])
    assert format_of(path) is None
    four = netcdf4(tmp_path)
    four.write_bytes(four.read_bytes()[:600])
    with pytest.raises(PosepipeError, match="not a whole netcdf file"):
        people_of(four)
    other = tmp_path / "calibration.json"
    other.write_text('{"cameras": []}')
    assert format_of(other) is None
    with pytest.raises(PosepipeError, match="holds no 2D poses in a format that is known: openpose, mmpose"):
        people_of(other)
    solid = tmp_path / "solid.nc"
    with netcdf_file(str(solid), "w") as file:
        for name, size in {"time": 2, "space": 3, "keypoint": 17, "individual": 1}.items():
            file.createDimension(name, size)
        file.createVariable("position", "d", ("time", "space", "keypoint", "individual"))[:] = 0
    with pytest.raises(PosepipeError, match="3 coordinates in space; expected x and y"):
        people_of(solid)


def test_poses_that_were_found_in_a_mirror_image_are_turned_back(tmp_path: Path) -> None:
    """What is left in the picture's mirror image is right in the picture."""
    path = tmp_path / "a.npz"
    joints = np.random.default_rng(0).uniform(10, 90, (5, 17, 2))
    np.savez(path, keypoint=joints, confidence=np.ones((5, 17)), rate=30.0)
    settings = KeypointSettings(image_size_px=(100, 80), skeleton="h36m17")
    plain, turned = (read_people(SourceFile(path, "key"), mirrored, settings) for mirrored in (False, True))
    mirror = SKELETONS[plain.skeleton].mirror
    np.testing.assert_allclose(turned.keypoint[:, mirror, 0], 99 - plain.keypoint[..., 0], rtol=1e-5)
    np.testing.assert_array_equal(turned.keypoint[:, mirror, 1], plain.keypoint[..., 1])
    np.testing.assert_allclose(turned.box[:, 0], turned.keypoint[..., 0].min(1))
