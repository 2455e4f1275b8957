"""References of other systems, in their own rate, unit and axes, count as the same poses in npz do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np
import pytest
from known_scene import people
from posepipe.models.body.angles import joint_angles
from posepipe.models.skeleton import H36M17, HALPE26, h36m17_of_names
from posepipe.pipeline.cli import app
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters.angles import opensim_name
from posepipe.pipeline.footage.marker_file import Markers, read_angles, read_markers
from posepipe.pipeline.runs.evaluate import evaluate, evaluate_angles
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

FRAMES, RATE, MARKER_RATE = 40, 25.0, 100.0
NAMES = list(H36M17.joints)
MARKERS = {"pelvis": "Hip", "thorax": "Neck", "spine": "Spine", "nose": "Nose", "head": "Head"}
"""Pose2Sim's, of which the others are RHip, LKnee and so on."""
LABELS = [MARKERS.get(name) or name[0].upper() + name.split("_")[1].capitalize() for name in NAMES]
TURN = np.diag([1.0, -1.0, -1.0]) @ Rotation.from_euler("y", 70, degrees=True).as_matrix()


def true_poses(time: np.ndarray) -> np.ndarray:
    """Poses (T, 17, 3) in m of one body that turns and bends slowly."""
    bent, straight = people(2, seed=1, turn=False)
    share = 0.5 + 0.5 * np.sin(3 * time)[:, None, None]
    turned = Rotation.from_euler("z", 0.8 * time[:, None]).as_matrix()
    return np.einsum("tab,tjb->tja", turned, share * bent + (1 - share) * straight) - bent[:1]


TIME = np.arange(FRAMES) / RATE
MARKER_TIME = np.arange(round((FRAMES - 1) / RATE * MARKER_RATE) + 1) / MARKER_RATE


def prediction(folder: Path) -> Path:
    true = true_poses(TIME)
    joint = true + np.random.default_rng(0).normal(0, 0.02, true.shape)
    folder.mkdir()
    np.savez(folder / "poses.npz", joint=joint, time=TIME, joint_names=NAMES, unit="m")
    return folder


def points() -> np.ndarray:
    """Markers (T, 17, 3) m in axes with y up, somewhere."""
    return true_poses(MARKER_TIME) @ TURN.T + [3.0, 1.0, -2.0]


def trc(path: Path, unit: str = "m", said: str | None = None, labels: list[str] = LABELS) -> Path:
    scale = {"m": 1, "cm": 100, "mm": 1000}[unit]
    count = len(labels)
    lines = [
        "PathFileType\t4\t(X/Y/Z)\treference.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"100.0\t100.0\t{len(MARKER_TIME)}\t{count}\t{unit if said is None else said}\t100.0\t1\t{len(MARKER_TIME)}",
        "Frame#\tTime\t" + "\t\t\t".join(labels) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{number}" for number in range(1, count + 1) for axis in "XYZ"),
        "",
    ]
    for number, (time, pose) in enumerate(zip(MARKER_TIME, points()[:, :count] * scale, strict=True)):
        lines.append("\t".join([str(number + 1), f"{time:.6f}", *(f"{value:.6f}" for value in pose.ravel())]))
    path.write_text("\n".join(lines) + "\n")
    return path


def c3d(path: Path, unit: str = "mm", said: str | None = None, prefix: str = "") -> Path:
    scale = {"m": 1, "cm": 100, "mm": 1000}[unit]
    file = ezc3d.c3d()
    flat = (points() * scale).transpose(2, 1, 0)
    file["data"]["points"] = np.concatenate([flat, np.ones((1, *flat.shape[1:]))])
    file["parameters"]["POINT"]["RATE"]["value"] = [MARKER_RATE]
    file["parameters"]["POINT"]["UNITS"]["value"] = [unit if said is None else said]
    file["parameters"]["POINT"]["LABELS"]["value"] = [prefix + label for label in LABELS]
    file.write(str(path))
    return path


def npz(path: Path, scale: float = 1.0, name: str = "joints_3d_m") -> Path:
    np.savez(path, **{name: true_poses(TIME) * scale, "joint_names": NAMES, "time": TIME})
    return path


def score(predicted: Path, reference: Path) -> float:
    return evaluate(predicted, reference).mean.measures["PMPJPE"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (trc, {}),
        (trc, {"unit": "mm"}),
        (trc, {"unit": "cm"}),
        (trc, {"unit": "mm", "said": ""}),
        (c3d, {}),
        (c3d, {"unit": "m"}),
        (c3d, {"unit": "mm", "said": "metres"}),
        (c3d, {"prefix": "skier:"}),
    ],
)
def test_markers_count_as_the_same_poses_in_npz(make: Any, said: dict[str, str], tmp_path: Path) -> None:
    predicted = prediction(tmp_path / "clip_posepipe")
    wanted = score(predicted, npz(tmp_path / "clip.npz"))
    found = evaluate(predicted, make(tmp_path / f"reference.{make.__name__}", **said))
    assert found.mean.measures["PMPJPE"] == pytest.approx(wanted, abs=0.5)
    assert (found.mean.frames, found.mean.missing) == (FRAMES, 0)
    assert "MPJPE" not in found.mean.measures  # axes are not the camera's


def test_markers_lie_in_a_folder_of_references(tmp_path: Path) -> None:
    predicted = prediction(tmp_path / "clip")
    folder = tmp_path / "references"
    folder.mkdir()
    with pytest.raises(PosepipeError, match=r"there is no reference .*clip.npz for .*, nor a C3D or TRC"):
        evaluate(predicted, folder)
    trc(folder / "clip.trc")
    assert evaluate(predicted, folder).mean.frames == FRAMES
    c3d(folder / "clip.c3d")
    with pytest.raises(PosepipeError, match="several references"):
        evaluate(predicted, folder)


@pytest.mark.parametrize("scale", [100, 1000])
@pytest.mark.parametrize("name", ["joints_3d_m", "joints_3d_cam"])
def test_a_reference_in_another_unit_is_converted(
    scale: float, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    predicted = prediction(tmp_path / "clip_posepipe")
    right = evaluate(predicted, npz(tmp_path / "clip.npz", 1, name)).mean.measures
    assert not caplog.text
    found = evaluate(predicted, npz(tmp_path / "other.npz", scale, name)).mean.measures
    assert found == pytest.approx(right)
    assert f"is in {({100: 'cm', 1000: 'mm'})[scale]}, as bodies" in caplog.text
    with pytest.raises(PosepipeError, match=r"a body of .* m is none, nor one of cm or mm"):
        evaluate(predicted, npz(tmp_path / "odd.npz", 1e6, name))


def test_markers_are_interpolated_within_what_is_there() -> None:
    joint = np.arange(4.0)[:, None, None] + np.zeros((4, 17, 3))
    joint[2] = np.nan
    markers = Markers(np.arange(4) / 10, joint)
    found = markers.at(np.array([-0.2, -0.04, 0, 0.05, 0.1, 0.15, 0.3, 0.34, 0.4]))[:, 0, 0]
    np.testing.assert_allclose(found, [np.nan, 0, 0, 0.5, 1, np.nan, 3, 3, np.nan])


def test_markers_of_other_names_make_the_joints_where_they_can() -> None:
    halpe = ["Hip", *LABELS[1:7], "Neck", "Nose", "Head", *LABELS[11:], "LBigToe", "RHeel"]  # no spine, no eyes
    weights = h36m17_of_names(halpe)
    spine = {halpe[number]: weight for number, weight in enumerate(weights[H36M17.index("spine")]) if weight}
    assert spine == dict.fromkeys(("LHip", "RHip", "LShoulder", "RShoulder"), 0.25)
    assert weights[H36M17.index("pelvis"), 0] == 1
    np.testing.assert_allclose(h36m17_of_names(HALPE26.joints).sum(1), 1)
    with pytest.raises(ValueError, match="none of its markers is, or makes, the joint 'left_knee'"):
        h36m17_of_names([name for name in LABELS if name != "LKnee"])


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("a.trc", lambda text: text.replace("Frame#", "Frame"), "no row of markers"),
        ("a.trc", lambda text: text.replace("LKnee", "LK"), "the joint 'left_knee'"),
        ("a.trc", lambda text: text.replace("0.020000", "0.000000"), "its times do not rise"),
        ("a.trc", lambda text: text.replace("0.020000", "soon"), "could not convert"),
        ("a.c3d", lambda text: text[:100], "cannot be read as a reference"),
    ],
)
def test_damaged_references_are_one_sentence(name: str, change: Any, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / name
    trc(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(PosepipeError, match=sentence) as told:
        evaluate(prediction(tmp_path / "clip_posepipe"), path)
    assert "\n" not in str(told.value)
    with pytest.raises(PosepipeError, match="there is no file"):
        read_markers(tmp_path / "nowhere.trc")


def mot(path: Path, degrees: bool = True) -> Path:
    angles = {opensim_name(name): angle for name, angle in joint_angles(true_poses(MARKER_TIME), H36M17).items()}
    names = ["time", "knee_angle_l", "elbow_flex_r", "pelvis_tx"]
    knee, elbow = (angles[name] * (1 if degrees else np.pi / 180) for name in names[1:3])
    rows = np.column_stack([MARKER_TIME, knee + (5 if degrees else np.radians(5)), elbow, knee])
    head = ["Coordinates", "version=1", f"inDegrees={'yes' if degrees else 'no'}", "endheader", "\t".join(names)]
    path.write_text("\n".join([*head, *("\t".join(f"{value:.8f}" for value in row) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize("degrees", [True, False])
def test_angles_are_compared_with_a_motion_of_opensim(degrees: bool, tmp_path: Path) -> None:
    exact = tmp_path / "clip_posepipe"
    exact.mkdir()
    np.savez(exact / "poses.npz", joint=true_poses(TIME), time=TIME, joint_names=NAMES, unit="m")
    scores = {score.name: score for score in evaluate_angles(exact, mot(tmp_path / "clip.mot", degrees))}
    assert set(scores) == {"knee_angle_l", "elbow_flex_r"}
    assert scores["knee_angle_l"].bias_deg == pytest.approx(-5, abs=0.1)
    assert scores["knee_angle_l"].off_deg == pytest.approx(5, abs=0.1)
    assert scores["knee_angle_l"].frames == FRAMES
    assert scores["elbow_flex_r"].off_deg < 0.1
    assert scores["elbow_flex_r"].correlation > 0.99
    done = CliRunner().invoke(app, ["evaluate", str(exact), str(tmp_path / "clip.mot")])
    assert done.exit_code == 0 and "knee_angle_l" in done.stdout
    done = CliRunner().invoke(app, ["evaluate", str(exact), str(tmp_path / "clip.mot"), "--json"])
    assert len(json.loads(done.stdout)) == 2


def test_what_is_no_motion_is_refused(tmp_path: Path) -> None:
    predicted, path = prediction(tmp_path / "clip_posepipe"), tmp_path / "clip.mot"
    with pytest.raises(PosepipeError, match="there is no file"):
        read_angles(path)
    for text, sentence in (
        ("", "no motion of OpenSim|is not a motion"),
        ("endheader\ntime a\n1 2 3\n", "is not a motion"),
        ("endheader\na b\n1 2\n", "no times that rise"),
        ("endheader\ntime hip\n0 2\n1 2\n", "no angle at the same time; .* has hip"),
    ):
        path.write_text(text)
        with pytest.raises(PosepipeError, match=sentence):
            evaluate_angles(predicted, path)
    prediction(tmp_path / "another")
    with pytest.raises(PosepipeError, match=r"2 clips; a .mot is compared with one"):
        evaluate_angles(tmp_path, path)
