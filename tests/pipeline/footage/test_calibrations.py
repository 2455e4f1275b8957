"""Calibrations of other programs are read as the cameras that they are, found beside videos, and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.calibrations import open_calibration, read_calibration
from posepipe.pipeline.footage.camera import Camera
from posepipe.pipeline.footage.recording import Recording, describe_clip

SIZE = (1080, 1920)
NAMES = ("cam1", "cam2")
ROTATIONS = tuple(cv2.Rodrigues(np.array(vector))[0] for vector in ([0.1, 1.2, -0.3], [0.2, -0.8, 0.4]))
TRANSLATIONS = (np.array([0.3, 0.9, 2.8]), np.array([-0.7, 0.3, 4.3]))
DISTORTION = np.array([-0.05, 0.13, 0.0006, 0.0007, 0.0])


def matrix(number: int) -> np.ndarray:
    return np.array([[1680.0 + number, 0, 533], [0, 1679, 948], [0, 0, 1]])


def toml(path: Path, section: str = "{name}", names: tuple[str, ...] = NAMES, more: str = "", mm: float = 1) -> Path:
    tables = [
        f'[{section.format(name=name, number=number)}]\nname = "{name}"\nsize = [1080, 1920]\n'
        f"matrix = {matrix(number).tolist()}\ndistortions = {DISTORTION.tolist()}\n"
        f"rotation = {cv2.Rodrigues(ROTATIONS[number])[0].ravel().tolist()}\n"
        f"translation = {(mm * TRANSLATIONS[number]).tolist()}\n{more}\n"
        for number, name in enumerate(names)
    ]
    path.write_text("\n".join([*tables, "[metadata]\nerror = 0.1\n"]))
    return path


def pose2sim(folder: Path) -> Path:
    return toml(folder / "Calib_scene.toml", more="fisheye = false")


def anipose(folder: Path) -> Path:
    return toml(folder / "calibration.toml", "cam_{number}")


def freemocap(folder: Path) -> Path:
    return toml(folder / "session_camera_calibration.toml", "cam_{number}", more="world_position = [1.0, 2.0, 3.0]")


def caliscope(folder: Path) -> Path:
    """Whose cameras have numbers."""
    path = toml(folder / "camera_array.toml", "cameras.{number}")
    path.write_text(path.read_text().replace('name = "cam', "port = ").replace('1"\n', "1\n").replace('2"\n', "2\n"))
    path.write_text(path.read_text().replace("[cameras.1]", "[cameras.2]").replace("[cameras.0]", "[cameras.1]"))
    return path


def qualisys(folder: Path) -> Path:
    cameras = []
    for number, name in enumerate(NAMES):
        K, axes = matrix(number), np.diag([1, -1, -1]) @ ROTATIONS[number]
        place = -1000 * ROTATIONS[number].T @ TRANSLATIONS[number]
        turn = " ".join(f'r{a + 1}{b + 1}="{float(axes[a, b])!r}"' for a in range(3) for b in range(3))
        cameras.append(
            f'<camera serial="{name}" model="Miqus Video"><fov_video left="4" right="1083" top="0" bottom="1919"/>'
            f'<transform {turn} x="{float(place[0])!r}" y="{float(place[1])!r}" z="{float(place[2])!r}"/><intrinsic '
            f'focalLengthU="{64 * K[0, 0]}" focalLengthV="{64 * K[1, 1]}" centerPointU="{64 * (K[0, 2] + 4)}" '
            f'centerPointV="{64 * K[1, 2]}" radialDistortion1="{DISTORTION[0]}" radialDistortion2="{DISTORTION[1]}" '
            f'radialDistortion3="0" tangentalDistortion1="{DISTORTION[2]}" tangentalDistortion2="{DISTORTION[3]}"/>'
            "</camera>"
        )
    path = folder / "take.qca.txt"
    path.write_text(f"<?xml version='1.0'?><calibration><cameras>{''.join(cameras)}</cameras></calibration>")
    return path


def stored(path: Path, entries: dict[str, np.ndarray | float]) -> Path:
    store = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in entries.items():
        store.write(name, np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
    store.release()
    return path


def easymocap(folder: Path, suffix: str = ".yml", rotation: str = "Rot") -> Path:
    intri, extri = {}, {}
    for number, name in enumerate(NAMES):
        intri |= {f"K_{name}": matrix(number), f"dist_{name}": DISTORTION[None]}
        R = ROTATIONS[number] if rotation == "Rot" else cv2.Rodrigues(ROTATIONS[number])[0]
        extri |= {f"{rotation}_{name}": R, f"T_{name}": TRANSLATIONS[number][:, None]}
    stored(folder / f"extri{suffix}", extri)
    return stored(folder / f"intri{suffix}", intri)


def stereo(folder: Path) -> Path:
    """The second camera in the axes of the first."""
    stored(folder / "extrinsics.yml", {"R": ROTATIONS[1] @ ROTATIONS[0].T, "T": _second_from_first()})
    entries = {f"M{number + 1}": matrix(number) for number in (0, 1)}
    return stored(folder / "intrinsics.yml", entries | {"D1": DISTORTION[None], "D2": DISTORTION[None]})


def _second_from_first() -> np.ndarray:
    return (TRANSLATIONS[1] - ROTATIONS[1] @ ROTATIONS[0].T @ TRANSLATIONS[0])[:, None]


def openpose(folder: Path) -> Path:
    for number, name in enumerate(NAMES):
        place = np.concatenate([ROTATIONS[number], TRANSLATIONS[number][:, None]], 1)
        lens = np.concatenate([DISTORTION, np.zeros(3)])[:, None]
        stored(folder / f"{name}.xml", {"CameraMatrix": place, "Intrinsics": matrix(number), "Distortion": lens})
    return folder / "cam2.xml"


def opencv(folder: Path) -> Path:
    """Only intrinsics, as the sample program writes them."""
    for number, name in enumerate(NAMES):
        entries = {"image_width": 1080, "image_height": 1920, "camera_matrix": matrix(number)}
        stored(folder / f"{name}.yml", entries | {"distortion_coefficients": DISTORTION[:, None]})
    return folder / "cam1.yml"


FORMATS: dict[str, Callable[[Path], Path]] = {
    "pose2sim": pose2sim,
    "anipose": anipose,
    "freemocap": freemocap,
    "caliscope": caliscope,
    "qualisys": qualisys,
    "easymocap": easymocap,
    "easymocap, vectors, XML": lambda folder: easymocap(folder, ".xml", "R"),
    "stereo": stereo,
    "openpose": openpose,
    "opencv": opencv,
}
NAMED_ONLY = ("openpose", "opencv")
"""A file per camera could be anything, and is only looked at where it is named."""


def take(folder: Path, said: str = "", names: tuple[str, ...] = NAMES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.mp4").write_bytes(b"picture")
    if said:
        (folder / "posepipe.toml").write_text(said)
    return folder


def given(folder: Path) -> list[Camera | None]:
    return [camera.calibration for camera in Recording.open(folder).takes[0].cameras]


@pytest.mark.parametrize("name", FORMATS)
def test_a_calibration_is_read_as_what_it_says(name: str, tmp_path: Path) -> None:
    found = given(take(tmp_path, f'calibration = "{FORMATS[name](tmp_path).name}"\n'))
    for number, camera in enumerate(found):
        assert camera is not None
        np.testing.assert_allclose(camera.K, matrix(number))
        np.testing.assert_allclose(camera.distortion, DISTORTION)
        sized = name not in ("stereo", "openpose") and not name.startswith("easymocap")
        assert camera.size_px == (SIZE if sized else None)
        if name == "stereo":
            R, t = (
                (ROTATIONS[1] @ ROTATIONS[0].T, _second_from_first().ravel()) if number else (np.eye(3), np.zeros(3))
            )
        else:
            R, t = ROTATIONS[number], TRANSLATIONS[number]
        if name == "opencv":
            assert camera.R is camera.t is None
        else:
            np.testing.assert_allclose(camera.R, R, atol=1e-9)
            np.testing.assert_allclose(camera.t, t, atol=1e-9)


@pytest.mark.parametrize("place", ["beside", "above", "calibration", "Calibration above"])
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in NAMED_ONLY])
def test_a_calibration_is_found(name: str, place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    folder = take(tmp_path / "day" / "run")
    where = {"beside": folder, "above": folder.parent, "calibration": folder / "calibration"}
    there = where.get(place, folder.parent / "Calibration")
    there.mkdir(exist_ok=True)
    path = FORMATS[name](there)
    assert [camera is not None and camera.K[0, 0] for camera in given(folder)] == [1680, 1681]
    assert f"calibration: {path}" in caplog.text
    assert given(take(folder, 'calibration = ""\n')) == [None, None]


def test_intrinsics_alone_are_no_places(tmp_path: Path) -> None:
    folder = take(tmp_path / "run")
    path = pose2sim(folder)
    lines = path.read_text().splitlines()
    same = {"rotation": "rotation = [0.0, 0.0, 0.0]", "translation": "translation = [0.0, 0.0, 0.0]"}
    path.write_text("\n".join(same.get(line.split(" =")[0], line) for line in lines))
    assert all(camera.K is not None and camera.R is camera.t is None for camera in given(folder))


def test_a_camera_of_qualisys_that_was_off_is_left_out(tmp_path: Path) -> None:
    path = qualisys(tmp_path)
    off = '<camera serial="cam3" active="0"><intrinsic focalLengthU="0"/></camera></cameras>'
    path.write_text(path.read_text().replace("</cameras>", off))
    assert list(read_calibration(path)) == list(NAMES)


def test_what_is_no_calibration_is_not_found(tmp_path: Path) -> None:
    folder = take(tmp_path / "run")
    (folder / "Config.toml").write_text("[calibration]\nmatrix = 3\n")
    (folder / "calib.toml").write_text("[metadata]\nerror = 1\n")
    (folder / "intri.yml").write_text("a: 3\n")
    (folder / "cam1.xml").write_text("<a/>")
    assert given(folder) == [None, None]


def test_of_several_calibrations_one_must_be_named(tmp_path: Path) -> None:
    folder = take(tmp_path / "run")
    pose2sim(folder), qualisys(folder)
    assert open_calibration(folder, None).path.name == "Calib_scene.toml"  # as Pose2Sim makes it of the other
    anipose(folder)
    with pytest.raises(PosepipeError, match=r"several calibrations \(Calib_scene.toml, calibration.toml\): say"):
        given(folder)
    assert given(take(folder, 'calibration = "calibration.toml"\n'))[0] is not None


@pytest.mark.parametrize(
    ("videos", "cameras"),
    [
        (("cam1", "cam2"), ("Cam_01", "CAM-02")),
        (("cam01_day2", "cam02_day2"), ("cam01_day2", "cam02_day2")),
        (("port_1", "port_2"), ("1", "2")),
        (("left1", "right2"), ("int_cam1_img", "int_cam2_img")),
        (("Camera 2", "Camera 1"), ("cam2", "cam1")),
    ],
)
def test_cameras_meet_by_names_or_numbers(videos: tuple[str, ...], cameras: tuple[str, ...], tmp_path: Path) -> None:
    folder = take(tmp_path, names=videos)
    toml(folder / "Calib.toml", "cam_{number}", cameras)
    found = {camera.name: camera.calibration for camera in Recording.open(folder).takes[0].cameras}
    assert [found[name].K[0, 0] for name in videos] == [1680, 1681]


@pytest.mark.parametrize("cameras", [("cam3", "cam4"), ("left", "right"), ("cam1", "cam3"), ("a1", "b1")])
def test_cameras_that_do_not_meet_are_named(cameras: tuple[str, ...], tmp_path: Path) -> None:
    folder = take(tmp_path)
    toml(folder / "Calib.toml", "cam_{number}", cameras)
    with pytest.raises(PosepipeError, match=rf"has no camera 'cam\d'; it has {', '.join(cameras)}: call"):
        given(folder)


def test_a_clip_alone_has_the_camera_of_its_name(tmp_path: Path) -> None:
    folder = take(tmp_path, names=("cam1", "clip7"))
    toml(folder / "Calib.toml", "cam_{number}", ("Cam_01", "cam7"))
    assert describe_clip(folder / "cam1.mp4").calibration is not None
    assert describe_clip(folder / "clip7.mp4").calibration is None


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[[1680.0, 0.0", "[[1e12, 0.0", "a focal length of 1e\\+12 px is none"),
        ("[[1680.0, 0.0", "[[-1680.0, 0.0", "a focal length of -1680 px"),
        ("[[1680.0, 0.0", "[[nan, 0.0", "holds what is no number"),
        ("[0.0, 0.0, 1.0]", "[0.0, 0.0, 0.0]", "the matrix must be"),
        ("size = [1080, 1920]", "size = [0, 1920]", "size of its pictures is 0 x 1920"),
        ("size = [1080, 1920]", 'size = "large"', "'cam1'"),
        ("distortions = [", "distortions = [nan, ", "distortion"),
        ("translation = [", "translation = [1.0, ", "the translation must be 3 numbers"),
        ("distortions = [", "distortions = [0.1, 0.1, 0.1, ", "of a pinhole must be at most the 5 numbers"),
    ],
)
def test_what_no_camera_has_is_refused(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    path = pose2sim(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(PosepipeError, match=f"not a whole calibration: .*{sentence}") as told:
        read_calibration(path)
    assert "\n" not in str(told.value)


def test_a_fisheye_of_a_file_is_one(tmp_path: Path) -> None:
    path = pose2sim(tmp_path)
    assert {camera.lens for camera in read_calibration(path).values()} == {"pinhole"}
    path.write_text(path.read_text().replace("fisheye = false", "fisheye = true"))
    for camera in read_calibration(path).values():
        assert camera.lens == "fisheye" and camera.distortion.shape == (4,)


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    cut = qualisys(tmp_path)
    cut.write_text(cut.read_text()[:900])
    lost = easymocap(tmp_path)
    lost.write_text(lost.read_text().replace("data: [", "data: [["))
    stored(tmp_path / "extrinsics.yml", {"R": np.eye(3)})
    other = stored(tmp_path / "intrinsics.yml", {"A": np.eye(3)})
    for path, sentence in ((cut, "valid XML"), (lost, "not a whole"), (other, "none of the entries")):
        with pytest.raises(PosepipeError, match=sentence) as told:
            read_calibration(path)
        assert "\n" not in str(told.value)


def camera(size: tuple[int, int] | None, centre: tuple[float, float]) -> Camera:
    K = np.array([[1000.0, 0, centre[0]], [0, 1010, centre[1]], [0, 0, 1]])
    return Camera.given(K, np.zeros(5), size_px=size)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2 / 3, 1.5, 2, 3])
def test_a_calibration_of_another_size_is_scaled(factor: float) -> None:
    of, size = camera((540, 960), (260, 490)), (round(540 * factor), round(960 * factor))
    scaled = of.for_pictures(size)
    np.testing.assert_allclose(scaled.K, np.diag([factor, factor, 1]) @ of.K)
    assert scaled.size_px == size
    assert f"scaled from 540x960 px to {size[0]}x{size[1]} px" in scaled.source


@pytest.mark.parametrize("size", [(1088, 1920), (1080, 1920), (1080, 1919), (1087, 1919)])
def test_padding_is_no_other_size(size: tuple[int, int]) -> None:
    of = camera((1080, 1920), (530, 950))
    assert of.for_pictures(size).K is of.K


@pytest.mark.parametrize("size", [(1920, 1080), (1440, 1920), (1080, 1440), (960, 1920)])
def test_another_aspect_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"pictures of 1080x1920 px, and these have {size[0]}x{size[1]} px"):
        camera((1080, 1920), (530, 950)).for_pictures(size)


def test_without_a_size_the_principal_point_tells_other_pictures() -> None:
    of = camera(None, (530, 950))
    assert of.for_pictures((1080, 1920)).K is of.K
    for size in ((540, 960), (2160, 3840), (1920, 1080)):
        with pytest.raises(ValueError, match=r"principal point \(530, 950\) is far from the middle"):
            of.for_pictures(size)
