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
from posepipe.models.skeleton import BODY25, COCO17, H36M17, SKELETONS
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.readers import READERS, Found, find_reader, format_of, read
from posepipe.pipeline.runtime.cache import SourceFile
from posepipe.pipeline.settings import KeypointSettings
from posepipe.pipeline.stages.import_poses import frames_of, read_people
from scipy.io import netcdf_file

FRAMES = 6
RNG = np.random.default_rng(0)
POSES = RNG.uniform(10, 900, (FRAMES, 2, 17, 2)).round(3)  # two people
SURE = RNG.uniform(0.3, 1, (FRAMES, 2, 17)).round(3)
HERE = np.ones((FRAMES, 2), bool)
HERE[2], HERE[4, 1] = False, False
"""Nobody in frame 2, the first one only in frame 4."""


def flat(frame: int, person: int, joints: int = 17) -> list[float]:
    values = np.concatenate([POSES[frame, person], SURE[frame, person][:, None]], 1)
    return np.resize(values, (joints, 3)).ravel().tolist()


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
}


def people_of(path: Path, **said: object) -> object:
    return read_people(SourceFile(path, "key"), False, KeypointSettings(**said))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_read_as_what_it_says(name: str, tmp_path: Path) -> None:
    path = FORMATS[name](tmp_path)
    says_time = name.startswith(("netcdf", "csv", "npz"))
    found = people_of(path, **({} if says_time else {"rate_hz": 50}))
    assert found.time == pytest.approx(np.arange(FRAMES) / 50)
    np.testing.assert_array_equal(found.frame, np.nonzero(HERE)[0])
    joints = 25 if "openpose" in name or "pose2sim" in name else 17
    assert found.skeleton == ("body25" if joints == 25 else "coco17")
    for row, (frame, one) in enumerate(zip(*np.nonzero(HERE), strict=True)):
        values = np.array(flat(frame, one, joints)).reshape(-1, 3)
        np.testing.assert_allclose(found.keypoint[row], values[:, :2], rtol=1e-6)
        np.testing.assert_allclose(found.confidence[row], values[:, 2], rtol=1e-6)
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
            assert there.sum() == HERE.sum()
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
    with pytest.raises(PosepipeError, match="unknown skeleton 'coco'; did you mean 'coco17'"):
        people_of(path, rate_hz=50, skeleton="coco")
    assert people_of(path, rate_hz=50, skeleton="h36m17").skeleton == "h36m17"
    odd = tmp_path / "odd.npz"
    np.savez(odd, keypoint=np.ones((3, 5, 2)), rate=50)
    with pytest.raises(PosepipeError, match="it has 5 joints and does not say which"):
        people_of(odd)
    np.savez(odd, keypoint=np.ones((3, 5, 2)), rate=50, joint_names=list("abcde"))
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
    plain = read_people(SourceFile(path, "key"), False, KeypointSettings(image_size_px=(100, 80)))
    turned = read_people(SourceFile(path, "key"), True, KeypointSettings(image_size_px=(100, 80)))
    mirror = SKELETONS[plain.skeleton].mirror
    np.testing.assert_allclose(turned.keypoint[:, mirror, 0], 99 - plain.keypoint[..., 0], rtol=1e-5)
    np.testing.assert_array_equal(turned.keypoint[:, mirror, 1], plain.keypoint[..., 1])
    np.testing.assert_allclose(turned.box[:, 0], turned.keypoint[..., 0].min(1))
