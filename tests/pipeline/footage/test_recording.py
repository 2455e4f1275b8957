"""A folder is read as takes and cameras, and a description that makes no sense is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.recording import Recording, describe_clip
from posepipe.pipeline.footage.sources import results_folder, videos_in


def make(folder: Path, *names: str, said: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"picture")
    if said:
        (folder / "posepipe.toml").write_text(said, encoding="utf-8")
    return folder


def cameras_of(folder: Path, take: int = 0) -> list[str]:
    return [camera.name for camera in Recording.open(folder).takes[take].cameras]


def test_a_folder_of_videos_is_one_take_in_natural_order(tmp_path: Path) -> None:
    folder = make(tmp_path / "ski", "cam10.mp4", "cam2.MOV", "Cam1.mkv", "notes.txt", ".hidden.mp4")
    recording = Recording.open(folder)
    assert [take.name for take in recording.takes] == ["ski"]
    assert cameras_of(folder) == ["Cam1", "cam2", "cam10"]
    assert cameras_of(make(tmp_path / "odd", "²1.mp4", "a.mp4", "1²b.mp4")) == ["1²b", "a", "²1"]
    first = recording.takes[0].cameras[0]
    assert (first.offset_s, first.moving, first.slow_motion, first.calibration) == (None, None, None, None)
    assert [path.name for path in videos_in(folder)] == ["Cam1.mkv", "cam2.MOV", "cam10.mp4"]


def test_otherwise_each_folder_of_videos_in_it_is_a_take(tmp_path: Path) -> None:
    make(tmp_path, "alone.mp4")
    make(tmp_path / "run1", "a.mp4", "b.mp4")
    make(tmp_path / "run2", "a.mp4", "b.mp4", "c.mp4")
    make(tmp_path / "notes", "only.mp4")
    make(tmp_path / ".cache", "a.mp4", "b.mp4")
    assert [(take.name, len(take.cameras)) for take in Recording.open(tmp_path).takes] == [("run1", 2), ("run2", 3)]


def test_takes_are_in_natural_order(tmp_path: Path) -> None:
    for name in ("run10", "run9", "run1"):
        make(tmp_path / name, "a.mp4", "b.mp4")
    assert [take.name for take in Recording.open(tmp_path).takes] == ["run1", "run9", "run10"]


def test_the_description_names_cameras_and_what_is_special_about_them(tmp_path: Path) -> None:
    said = """
    moving = false
    rig = "hall"
    slow_motion = 2.0
    [cameras.left]
    video = "GX010042.MP4"
    offset_s = -0.25
    moving = true
    [cameras.right]
    slow_motion = 4.0
    """
    folder = make(tmp_path / "run", "GX010042.MP4", "right.mov", "someone else.mp4", said=said)
    take = Recording.open(folder).takes[0]
    left, right, unnamed = take.cameras
    assert (unnamed.name, unnamed.offset_s, unnamed.moving) == ("someone else", None, False)
    assert take.rig == "hall"
    assert (left.name, left.video.name, left.offset_s, left.moving, left.slow_motion) == (
        "left", "GX010042.MP4", -0.25, True, 2.0,
    )  # fmt: skip
    assert (right.video.name, right.offset_s, right.moving, right.slow_motion) == ("right.mov", None, False, 4.0)


def test_the_description_above_holds_for_all_takes_and_the_one_inside_wins(tmp_path: Path) -> None:
    make(tmp_path, said='moving = true\nrig = "hall"\n')
    make(tmp_path / "a", "1.mp4", "2.mp4")
    make(tmp_path / "b", "1.mp4", "2.mp4", said="moving = false\n")
    a, b = Recording.open(tmp_path).takes
    assert [(take.rig, take.cameras[0].moving) for take in (a, b)] == [("hall", True), ("hall", False)]


def test_what_is_said_of_a_camera_counts_for_it_alone_in_whatever_order(tmp_path: Path) -> None:
    """Naming one camera leaves the others in the take, and their offsets to be found or as stated above."""
    offsets = {"cam1": 0.1, "cam2": 0.2, "cam10": 1.0}
    for number, order in enumerate((("cam1", "cam2", "cam10"), ("cam10", "cam2", "cam1"), ("cam2",), ())):
        said = "".join(f"[cameras.{name}]\noffset_s = {offsets[name]}\n" for name in order)
        folder = make(tmp_path / f"{number}" / "run", "cam1.mp4", "cam2.mp4", "cam10.mp4", said=said)
        found = [(camera.name, camera.offset_s) for camera in Recording.open(folder).takes[0].cameras]
        assert found == [(name, offset if name in order else None) for name, offset in offsets.items()]
    above = "".join(f"[cameras.{name}]\noffset_s = 0\nslow_motion = 2\n" for name in offsets)
    make(tmp_path / "3", said=above + "[keypoints]\nrate_hz = 50\n")
    make(tmp_path / "3" / "run", said='[cameras.cam2]\noffset_s = 0.5\n[keypoints]\nskeleton = "coco"\n')
    (take,) = Recording.open(tmp_path / "3").takes
    assert [(camera.offset_s, camera.slow_motion) for camera in take.cameras] == [(0, 2), (0.5, 2), (0, 2)]
    described = describe_clip(tmp_path / "3" / "run" / "cam10.mp4")
    assert (described.offset_s, described.slow_motion) == (0, 2)
    (tmp_path / "3" / "run" / "poses.csv").write_text("frame,joint,x,y\n0,nose,1,2\n")
    poses = describe_clip(tmp_path / "3" / "run" / "poses.csv")
    assert poses.keypoints == {"rate_hz": 50, "skeleton": "coco"}


def test_arrays_of_several_cameras_hold_their_calibration_themselves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for said in ('lens = "wide"\n', 'calibration = ""\n'):
        make(tmp_path, said=said)
        describe_clip(tmp_path / "poses.npz")
    (message,) = caplog.messages
    assert "posepipe.toml names a calibration or a lens" in message and "are arrays of it" in message


def test_cameras_named_above_are_those_of_every_take(tmp_path: Path) -> None:
    make(tmp_path, said='[cameras.left]\nvideo = "1.mp4"\noffset_s = 0.5\n[cameras.right]\nvideo = "2.mp4"\n')
    for name in ("a", "b"):
        make(tmp_path / name, "1.mp4", "2.mp4")
    recording = Recording.open(tmp_path)
    assert [take.name for take in recording.takes] == ["a", "b"]
    assert [camera.name for camera in recording.takes[1].cameras] == ["left", "right"]
    assert recording.takes[1].cameras[0].offset_s == 0.5


CALIBRATION = """
[cam_01]
name = "left"
size = [1000.0, 1000.0]
matrix = [[1200.0, 0.0, 500.0], [0.0, 1200.0, 500.0], [0.0, 0.0, 1.0]]
distortions = [-0.2, 0.05, 0.001, 0.0]
rotation = [0.1, 0.2, 0.3]
translation = [1.0, 2.0, 3.0]
fisheye = false

[right]
matrix = [[1100.0, 0.0, 480.0], [0.0, 1100.0, 270.0], [0.0, 0.0, 1.0]]
rotation = [0.0, 0.0, 0.0]
translation = [0.0, 0.0, 5.0]

[metadata]
adjusted = false
"""


def test_a_pose2sim_calibration_is_read_by_camera_name(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", "left.mp4", "right.mp4", said='calibration = "calib.toml"\n')
    (folder / "calib.toml").write_text(CALIBRATION)
    left, right = (camera.calibration for camera in Recording.open(folder).takes[0].cameras)
    assert left is not None and right is not None
    np.testing.assert_allclose(left.K, [[1200, 0, 500], [0, 1200, 500], [0, 0, 1]])
    np.testing.assert_allclose(left.R, cv2.Rodrigues(np.array([0.1, 0.2, 0.3]))[0])
    np.testing.assert_allclose(left.t, [1, 2, 3])
    np.testing.assert_allclose(right.R, np.eye(3))
    np.testing.assert_allclose(left.distortion, [-0.2, 0.05, 0.001, 0, 0])
    np.testing.assert_allclose(right.distortion, np.zeros(5))


def test_takes_of_one_rig_share_the_calibration_above_them(tmp_path: Path) -> None:
    make(tmp_path, said='calibration = "calib.toml"\n')
    (tmp_path / "calib.toml").write_text(CALIBRATION)
    for name in ("a", "b"):
        make(tmp_path / name, "left.mp4", "right.mp4")
    known = [camera.calibration for take in Recording.open(tmp_path).takes for camera in take.cameras]
    assert [None if one is None else one.t[2] for one in known] == [3, 5, 3, 5]


@pytest.mark.parametrize(
    ("calibration", "sentence"),
    [
        (CALIBRATION.replace("[right]", "[middle]"), "has no camera 'right'; it has left, middle"),
        (CALIBRATION.replace("rotation = [0.1, 0.2, 0.3]", ""), "'cam_01': rotation and translation belong together"),
        (CALIBRATION.replace("[0.1, 0.2, 0.3]", "[0.1, 0.2]"), "the rotation must be 3 x 3 numbers"),
        (CALIBRATION.replace("0.001, 0.0]", "0.001, 0.0, 0.0, 0.4]"), "at most the 5 numbers"),
        ("[metadata]\nadjusted = false\n", "is no calibration in a format that is read.*Pose2Sim.*qca"),
        ("[left\n", "not valid TOML"),
        (None, "there is no file"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(calibration: str | None, sentence: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "run", "left.mp4", "right.mp4", said='calibration = "calib.toml"\n')
    if calibration is not None:
        (folder / "calib.toml").write_text(calibration)
    with pytest.raises(PosepipeError, match=sentence):
        Recording.open(folder)


@pytest.mark.parametrize(
    ("names", "said", "sentence"),
    [
        ((), "", "holds no take"),
        (("one.mp4",), "", "posepipe infer"),
        (("a.mp4", "b.mp4"), "movin = true", "unknown setting 'movin'; did you mean 'moving'"),
        (("a.mp4", "b.mp4"), "[cameras.a]\noffset = 1", "did you mean"),
        (("a.mp4", "b.mp4"), "slow_motion = 0", "slow_motion = 0"),
        (("a.mp4", "b.mp4"), "[cameras.a]\noffset_s = -1e30", "offset_s = -1e"),
        (("a.mp4", "b.mp4"), "moving =", "not valid TOML"),
        (("a.mp4",), '[cameras.a]\nvideo = "a.mp4"', "holds one camera"),
        (("a.mp4", "b.mp4"), '[cameras.a]\nvideo = "b.mp4"', "says that camera 'a' is b.mp4, but there is a.mp4 as"),
        (("a.mp4", "b.mp4"), "[cameras.a]\n[cameras.c]", "say which file camera 'c' is"),
        (("a.mp4", "b.mp4"), '[cameras.a]\nvideo = "no.mp4"\n[cameras.b]', "has no file"),
        (("a.mp4", "b.mp4"), '[cameras.x]\nvideo = "b.mp4"\n[cameras.b]', "same video b.mp4"),
        (("a.mp4", "b.mp4"), "cameras = 3", "cameras = 3"),
        (("a.mp4", "b.mp4"), "[cameras]\na = 3", "cameras.a = 3"),
    ],
)
def test_what_makes_no_take_is_refused(names: tuple[str, ...], said: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match=sentence) as caught:
        Recording.open(make(tmp_path / "run", *names, said=said))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "..", ".", "a\\\\b", "", " ", "nul\\u0000", "/etc", ".hidden", "C:x"]
)
def test_a_camera_name_that_cannot_be_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    said = f'[cameras."{name}"]\nvideo = "a.mp4"\n[cameras.b]\n'
    with pytest.raises(PosepipeError, match="camera name"):
        Recording.open(make(tmp_path / "run", "a.mp4", "b.mp4", said=said))


@pytest.mark.parametrize("name", ["left", "cam 01", "Kamera-süd", "GX_10.2", "左"])
def test_any_other_camera_name_is_fine(name: str, tmp_path: Path) -> None:
    said = f'[cameras."{name}"]\nvideo = "a.mp4"\n[cameras.b]\n'
    assert cameras_of(make(tmp_path / "run", "a.mp4", "b.mp4", said=said)) == [name, "b"]


def test_names_that_one_folder_would_stand_for_are_refused(tmp_path: Path) -> None:
    said = '[cameras.Left]\nvideo = "a.mp4"\n[cameras.left]\nvideo = "b.mp4"\n'
    with pytest.raises(PosepipeError, match="differ only in case"):
        Recording.open(make(tmp_path / "run", "a.mp4", "b.mp4", said=said))


def test_neither_nothing_nor_a_file_is_a_recording(tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match="there is no folder"):
        Recording.open(tmp_path / "nowhere")
    clip = make(tmp_path, "a.mp4") / "a.mp4"
    with pytest.raises(PosepipeError, match="is a file"):
        Recording.open(clip)


def test_results_lie_beside_the_footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "ski run.v2", "a b.mp4")
    assert results_folder(folder) == tmp_path / "ski run.v2_posepipe"
    assert results_folder(folder / "a b.mp4") == folder / "a b_posepipe"
    monkeypatch.chdir(folder)
    assert results_folder(Path()) == tmp_path / "ski run.v2_posepipe"


def test_what_is_said_of_one_camera_takes_none_away(tmp_path: Path) -> None:
    make(tmp_path, "left.mp4", "middle.mp4", "right.mp4", said="[cameras.middle]\nmirrored = true\n")
    (take,) = Recording.open(tmp_path).takes
    assert [(camera.name, camera.mirrored) for camera in take.cameras] == [
        ("left", False), ("middle", True), ("right", False)]  # fmt: skip
