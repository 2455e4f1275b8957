"""Importers on small files that are written here in exactly the formats of the data sets."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from known_scene import cameras, people
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.footage.recording import Recording
from posepipe.pipeline.footage.sources import videos_in
from posepipe.pipeline.footage.video import probe, read_frames, write_video
from posepipe.pipeline.runtime.cache import SourceFile
from posepipe.pipeline.stages.import_arrays import read_keypoints
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from tools import import_dataset
from tools.datasets import h36m, mpi_inf_3dhp
from tools.datasets.plain_pickle import read_object

FRAMES = 20


def load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def worst_reprojection(arrays: dict[str, np.ndarray], world: np.ndarray) -> float:
    """Largest distance in px of world joints (S, 17, 3) in m, seen by K, R and t, from the stored keypoints."""
    seen = np.einsum("svij,snj->svni", arrays["R"], world) + arrays["t"][:, :, None]
    image = np.einsum("svij,svnj->svni", arrays["K"], seen)
    return float(np.nanmax(np.linalg.norm(image[..., :2] / image[..., 2:] - arrays["keypoint"], axis=-1)))


def check_poses(arrays: dict[str, np.ndarray], world: np.ndarray) -> None:
    """The stored poses are the world's, relative to the pelvis, in the axes of each camera."""
    expected = np.einsum("svij,snj->svni", arrays["R"], world - world[:, :1])
    known = np.isfinite(arrays["joint_3d_cam"])
    np.testing.assert_allclose(arrays["joint_3d_cam"][known], expected[known], atol=1e-4)


def check_opens_in_posepipe(path: Path) -> None:
    found = read_keypoints(SourceFile(path, "key"), "h36m17", None, "")
    assert found.skeleton == "h36m17" and found.confidence.max() == 1


# Human3.6M


def h36m_numbers() -> np.ndarray:
    """The 300 numbers of metadata.xml: four cameras, eleven subjects, lenses that bend as the real ones do."""
    rig = cameras(4)
    angles = Rotation.from_matrix(rig.R).as_euler("XYZ")
    centres = -np.einsum("vji,vj->vi", rig.R, rig.t) * 1000
    places = np.concatenate([angles, centres], 1)
    moved = places[:, None] + np.arange(11)[:, None] * np.array([0, 0, 0, 30.0, -20, 10])
    lens = np.array([1145.0, 1143.8, 512.5, 515.5, -0.2071, 0.2475, -0.0030, -0.00097, -0.00142])
    return np.concatenate([moved.ravel(), np.tile(lens, 4)])


def write_cdf(path: Path, pose: np.ndarray) -> None:
    cdfwrite = pytest.importorskip("cdflib").cdfwrite
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = pose.reshape(1, len(pose), -1)
    spec = {"Variable": "Pose", "Data_Type": 45, "Num_Elements": 1, "Rec_Vary": True, "Var_Type": "zVariable",
            "Dim_Sizes": list(flat.shape[1:])}  # fmt: skip
    file = cdfwrite.CDF(str(path), cdf_spec={"Majority": "row_major"}, delete=True)
    file.write_var(spec, var_data=flat)
    file.close()


@pytest.fixture
def human36m(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """The data set's folder, and the world joints (FRAMES, 17, 3) in m of all its takes."""
    numbers = " ".join(map(repr, h36m_numbers().tolist()))
    (tmp_path / "metadata.xml").write_text(f"<metadata><w0>[{numbers}]</w0></metadata>")
    world = people(FRAMES) + np.array([0.3, -0.2, 0.9])
    all_joints = np.zeros((FRAMES, 32, 3))
    all_joints[:, h36m.JOINTS] = world * 1000
    known = h36m.read_cameras(tmp_path / "metadata.xml")
    for subject, takes in ((5, ["Walking 1", "Eating"]), (9, ["Walking"]), (11, ["Directions", "Directions 1"])):
        for take in takes:
            folder = tmp_path / f"S{subject}/MyPoseFeatures"
            write_cdf(folder / f"D3_Positions/{take}.cdf", all_joints)
            for camera, name in enumerate(h36m.CAMERAS):
                seen = known[subject, camera].project(all_joints + 1e-9)
                write_cdf(folder / f"D2_Positions/{take}.{name}.cdf", seen)
    return tmp_path, world


def test_h36m_reprojects_without_distortion(human36m: tuple[Path, np.ndarray]) -> None:
    source, world = human36m
    out = source / "out"
    import_dataset.main(["h36m", str(source), "--out", str(out), "--train-every", "2", "--test-every", "4"])
    train, test = load(out / "h36m_train.npz"), load(out / "h36m_test.npz")
    assert train["keypoint"].shape == (2 * FRAMES // 2, 4, 17, 2)
    assert list(train["take_names"]) == ["S5 Eating", "S5 Walking 1"]
    assert sorted(set(train["action"])) == ["Eating", "Walking"]
    assert set(train["rig"]) == {5} and set(test["rig"]) == {9, 11}
    assert list(test["take_names"]) == ["S9 Walking", "S11 Directions 1"], "S11's first Directions is left out"
    for arrays, every in ((train, 2), (test, 4)):
        places = np.tile(world[::every], (2, 1, 1))
        assert worst_reprojection(arrays, places) < 0.1
        check_poses(arrays, places)
        np.testing.assert_array_equal(arrays["instant"], np.tile(np.arange(0, FRAMES, every), 2))
    check_opens_in_posepipe(out / "h36m_train.npz")


def test_h36m_videos_are_laid_out_as_footage(
    human36m: tuple[Path, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    source, world = human36m
    for path in sorted(source.glob("S*/MyPoseFeatures/D3_Positions/*.cdf")):
        for camera in h36m.CAMERAS:
            video = path.parents[2] / f"Videos/{path.stem}.{camera}.mp4"
            video.parent.mkdir(exist_ok=True)
            picture = np.full((48, 64, 3), 90, np.uint8)
            write_video(video, Fraction(50), iter([picture] * FRAMES))
    arguments = ["h36m", str(source), "--out", str(source / "out"), "--protocol", "iqbal", "--test-every", "4"]
    import_dataset.main([*arguments, "--videos"])
    out = source / "out/h36m"
    assert f"{out}: 16 videos" in capsys.readouterr().out, "two training takes and two that are tested, four cameras"

    recording = Recording.open(out / "train")
    assert [take.name for take in recording.takes] == ["S5_Eating", "S5_Walking_1"]
    known = h36m.read_cameras(source / "metadata.xml")
    for take in recording.takes:
        assert take.rig == "S5"
        for place, camera in enumerate(take.cameras):
            assert camera.offset_s == 0 and camera.moving is False and camera.calibration is not None
            given, lens = camera.calibration, known[5, place]
            assert given.R is not None and given.t is not None
            seen = world @ given.R.T + given.t
            ideal = seen[..., :2] / seen[..., 2:]
            image = cv2.projectPoints(world.reshape(-1, 3), given.R, given.t, given.K, given.distortion)[0]
            theirs = lens.project(world * 1000)
            near = np.abs(ideal).max(-1) < 0.4
            assert np.abs(image.reshape(theirs.shape) - theirs)[near].max() < 0.3

    clips = videos_in(out / "test")
    assert len(clips) == 8 and clips[-1].stem == "S11_Directions_1_60457274", "the corrupt take is left out"
    for clip in clips:
        with np.load(out / f"reference/{clip.stem}.npz") as true:
            np.testing.assert_allclose(true["time"], np.arange(0, FRAMES, 4) / 50)
            assert str(true["action"]) in ("Walking", "Directions")
            place = h36m.CAMERAS.index(clip.stem[-8:])
            lens = known[int(clip.stem[1 : clip.stem.index("_")]), place]
            np.testing.assert_allclose(true["joints_3d_cam"], lens.see(world[::4] * 1000) / 1000, atol=1e-5)

    (source / "S5/Videos/Eating.54138969.mp4").unlink()
    with pytest.raises(SystemExit, match=r"Eating.54138969.mp4 is missing; methods that learn from pictures need"):
        import_dataset.main([*arguments, "--videos"])


def test_h36m_lens_model() -> None:
    """The released code's equations, literally, and their inverse; the distortion is not small."""
    numbers = h36m_numbers()
    f, c, k, p = np.split(numbers[264:273], [2, 4, 7])
    centre = numbers[3:6]
    R = Rotation.from_euler("XYZ", numbers[:3]).as_matrix()
    lens = h36m.LensCamera(R, centre, f, c, k, p)
    world = people(5).reshape(-1, 3) * 1000
    seen = (R @ (world - centre).T).T
    x, y = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
    r2 = x**2 + y**2
    radial = 1 + k[0] * r2 + k[1] * r2**2 + k[2] * r2**3
    tangential = p[0] * y + p[1] * x
    u = f[0] * (x * (radial + tangential) + p[1] * r2) + c[0]
    v = f[1] * (y * (radial + tangential) + p[0] * r2) + c[1]
    np.testing.assert_allclose(lens.project(world), np.stack([u, v], 1), atol=1e-9)
    ideal = np.stack([f[0] * x + c[0], f[1] * y + c[1]], 1)
    np.testing.assert_allclose(lens.straighten(lens.project(world)), ideal, atol=1e-3)


def test_h36m_with_detections(human36m: tuple[Path, np.ndarray]) -> None:
    """VideoPose3D's archives may be longer than the motion capture, and are pickles."""
    source, _ = human36m
    found = {f"S{subject}": {take: [np.full((FRAMES + 3, 17, 2), 100.0 * camera) for camera in range(4)]
             for take in takes} for subject, takes in ((5, ["Walking 1", "Eating"]),)}  # fmt: skip
    np.savez_compressed(source / "data_2d.npz", positions_2d=np.array(found, dtype=object))
    arrays = h36m.read_h36m(source, (5,), 1, source / "data_2d.npz")
    assert arrays["keypoint"].shape == (2 * FRAMES, 4, 17, 2)
    lens = h36m.read_cameras(source / "metadata.xml")[5, 3]
    np.testing.assert_allclose(arrays["keypoint"][0, 3, 0], lens.straighten(np.array([300.0, 300.0])))


class _Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_pickles_that_are_programs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("bad.npz", positions_2d=np.array({"S1": _Malicious()}, dtype=object))
    with pytest.raises(SystemExit, match="not safe to read: it wants"):
        read_object(Path("bad.npz"), "positions_2d")
    assert not Path("ran").exists()
    np.savez("good.npz", positions_2d=np.array({"S1": {"Walking": [np.arange(3.0)]}}, dtype=object))
    assert read_object(Path("good.npz"), "positions_2d")["S1"]["Walking"][0].tolist() == [0, 1, 2]
    with pytest.raises(SystemExit, match="not an archive with 'positions_3d'"):
        read_object(Path("good.npz"), "positions_3d")


# MPI-INF-3DHP


@pytest.fixture
def mpi_inf_3dhp_folder(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """The data set's folder with one training sequence of 14 cameras and one test clip; world joints in m."""
    h5py = pytest.importorskip("h5py")
    rig, world = cameras(14), people(FRAMES) + np.array([0.1, 0.2, 1.0])
    folder = tmp_path / "S1/Seq1"
    folder.mkdir(parents=True)
    lines = ["Skeletool Camera Calibration File V1.0"]
    annot2, annot3 = np.empty((14, 1), object), np.empty((14, 1), object)
    order = [mpi_inf_3dhp._OF_28[joint] - 1 for joint in H36M17.joints]
    for camera in range(14):
        K, place = np.eye(4), np.eye(4)
        K[:3, :3], place[:3, :3], place[:3, 3] = rig.K[camera], rig.R[camera], rig.t[camera] * 1000
        lines += [f"name          {camera}", "  sensor      10 10", "  size        2048 2048", "  animated    0"]
        lines += ["  intrinsic   " + " ".join(map(repr, K.ravel().tolist())) + " "]
        lines += ["  extrinsic   " + " ".join(map(repr, place.ravel().tolist())) + " ", "  radial      0"]
        joint, pixel = np.zeros((FRAMES, 28, 3)), np.zeros((FRAMES, 28, 2))
        joint[:, order] = rig.see(world)[:, camera] * 1000
        pixel[:, order] = rig.project(world)[:, camera]
        annot3[camera, 0], annot2[camera, 0] = joint.reshape(FRAMES, -1), pixel.reshape(FRAMES, -1)
    (folder / "camera.calibration").write_text("\n".join(lines) + "\n")
    savemat(folder / "annot.mat", {"annot2": annot2, "annot3": annot3, "univ_annot3": annot3})
    (tmp_path / "TS1").mkdir()
    names = [H36M17.index(joint) for joint in mpi_inf_3dhp.TEST_JOINTS]
    with h5py.File(tmp_path / "TS1/annot_data.mat", "w") as file:
        file["annot2"] = rig.project(world)[:, :1, names]
        file["annot3"] = rig.see(world)[:, :1, names] * 1000
        file["univ_annot3"] = rig.see(world)[:, :1, names] * 900
        file["valid_frame"] = (np.arange(FRAMES)[:, None] % 2).astype(np.float64)
        file["activity_annotation"] = np.full((FRAMES, 1), 3.0)
    return tmp_path, world


def test_3dhp(mpi_inf_3dhp_folder: tuple[Path, np.ndarray]) -> None:
    source, world = mpi_inf_3dhp_folder
    out = source / "out"
    import_dataset.main(["3dhp", str(source), "--out", str(out)])
    train, test = load(out / "3dhp_train.npz"), load(out / "3dhp_test.npz")
    assert train["keypoint"].shape == (FRAMES // 5, 5, 17, 2)
    assert worst_reprojection(train, world[::5]) < 0.1
    check_poses(train, world[::5])
    assert test["keypoint"].shape == (FRAMES // 2, 1, 17, 2)
    np.testing.assert_array_equal(test["instant"], np.arange(1, FRAMES, 2))
    assert set(test["action"]) == {"sitting on a chair"}
    expected = cameras(14).see(world)[1::2, :1] * 0.9
    order = [H36M17.index(joint) for joint in test["joint_names"]]
    np.testing.assert_allclose(test["joint_3d_cam"], (expected - expected[:, :, :1])[:, :, order], atol=1e-4)
    check_opens_in_posepipe(out / "3dhp_test.npz")
    assert len(mpi_inf_3dhp.SCORED_JOINTS) == 14


def test_3dhp_videos_are_laid_out_as_footage(
    mpi_inf_3dhp_folder: tuple[Path, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    source, world = mpi_inf_3dhp_folder
    folder = source / "S1/Seq1/imageSequence"
    folder.mkdir()
    for camera in range(14):
        with av.open(str(folder / f"video_{camera}.avi"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25, width=64, height=48, pix_fmt="yuv420p")
            for frame in (VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8)) for _ in range(FRAMES)):
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    pictures = [source / f"TS1/imageSequence/img_{number + 1:06d}.jpg" for number in range(FRAMES + 2)]
    pictures[0].parent.mkdir()
    for number, path in enumerate(pictures):  # two more than annotations, as in TS4
        cv2.imwrite(str(path), np.full((48, 64, 3), 40 + 8 * number, np.uint8))
    arguments = ["3dhp", str(source), "--out", str(source / "out"), "--videos"]
    import_dataset.main(arguments)
    out, rig = source / "out/3dhp", cameras(14)
    assert f"{out}: 6 videos" in capsys.readouterr().out, "five cameras at chest height, and one test clip"

    (take,) = Recording.open(out / "train").takes
    assert (take.name, take.rig) == ("S1_Seq1", "S1_Seq1")
    assert [camera.name for camera in take.cameras] == [f"video_{number}" for number in mpi_inf_3dhp.CHEST_CAMERAS]
    for camera in take.cameras:
        number, given = int(camera.name[6:]), camera.calibration
        assert camera.offset_s == 0 and camera.moving is False and given is not None
        assert given.R is not None and given.t is not None and not given.distortion.any()
        assert len(probe(camera.video).time) == FRAMES
        image = (world @ given.R.T + given.t) @ given.K.T
        np.testing.assert_allclose(image[..., :2] / image[..., 2:], rig.project(world)[:, number], atol=1e-6)

    (clip,) = videos_in(out / "test")
    shown = [picture.mean() for _, picture in read_frames(clip, probe(clip))]
    np.testing.assert_allclose(shown, 40 + 8 * np.arange(FRAMES), atol=1)
    K = tomllib.loads((out / "test/calib.toml").read_text())["TS1"]["matrix"]
    np.testing.assert_allclose(K, rig.K[0], atol=1e-3)
    true, valid = load(out / "reference/TS1.npz"), np.arange(1, FRAMES, 2)
    np.testing.assert_allclose(true["time"], probe(clip).time[valid])
    np.testing.assert_allclose(true["joints_3d_cam"], rig.see(world)[valid, 0] * 0.9, atol=1e-5)
    assert list(true["joint_names"]) == list(H36M17.joints) and set(true["action"]) == {"sitting on a chair"}

    pictures[4].unlink()
    with pytest.raises(SystemExit, match=r"img_000005.jpg is missing; methods that learn from pictures need"):
        import_dataset.main(arguments)
    (folder / "video_8.avi").unlink()
    with pytest.raises(SystemExit, match=r"video_8.avi is missing; methods that learn from pictures need"):
        import_dataset.main(arguments)


def test_videos_of_skipose_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        import_dataset.main(["skipose", ".", "--out", "out", "--videos"])
    assert "--videos is for h36m and 3dhp" in capsys.readouterr().err


# SkiPose-PTZ


def test_skipose(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    world = people(6) + np.array([3.0, 2, 1])
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        rows = []
        for instant in range(6):
            moved = cameras(3, seed=instant)
            for camera in range(3):
                if (instant, camera) != (2, 1):  # a view that is missing
                    seen = moved.see(world[instant])[camera]
                    K = moved.K[camera] / np.array([[256], [256], [1]])
                    centre = -moved.R[camera].T @ moved.t[camera]
                    pixel = moved.project(world[instant])[camera] / 256
                    rows.append((instant // 3, camera, 10 * instant, 1, seen - seen[0], pixel, K, centre,
                                 moved.R[camera].T))  # fmt: skip
        names = ("seq", "cam", "frame", "subj", "3D", "2D", "cam_intrinsic", "cam_position", "R_cam_2_world")
        rng = np.random.default_rng(0)
        order = rng.permutation(len(rows))  # rows come in no particular order
        with h5py.File(tmp_path / split / "labels.h5", "w") as file:
            for name, column in zip(names, zip(*(rows[row] for row in order), strict=True), strict=True):
                values = np.array(column, np.float32)
                file[name] = (
                    values.reshape(len(rows), -1)[:, 0] if values.ndim == 1 else values.reshape(len(rows), -1)
                )
    import_dataset.main(["skipose", str(tmp_path), "--out", str(tmp_path / "out")])
    arrays = load(tmp_path / "out/skipose_train.npz")
    assert arrays["keypoint"].shape == (6, 3, 17, 2)
    missing = np.isnan(arrays["keypoint"]).all((2, 3))
    assert missing[2, 1] and missing.sum() == 1
    assert worst_reprojection(arrays, world) < 0.1
    check_poses(arrays, world)
    np.testing.assert_array_equal(arrays["take"], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(arrays["instant"], np.arange(6) * 10)
    assert (arrays["rig"] == -1).all(), "the cameras pan, tilt and zoom"
    check_opens_in_posepipe(tmp_path / "out/skipose_train.npz")


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds no S\*/Seq\*/annot\.mat"):
        import_dataset.main(["3dhp", str(tmp_path), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"there is no .*labels\.h5"):
        import_dataset.main(["skipose", str(tmp_path), "--out", str(tmp_path / "out")])
