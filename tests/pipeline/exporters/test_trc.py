"""poses.trc is what OpenSim and Pose2Sim read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
from known_clip import JOINTS, a_clip, a_pose, awkward_clips, some_frames, the_pose, without
from posepipe.models.skeleton import BLAZEPOSE33, H36M17, HALPE26
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters.clip import Clip, Person, marker_name
from posepipe.pipeline.exporters.gapless import gapless
from posepipe.pipeline.exporters.trc import write

NAMES = [
    "Pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Spine", "Thorax", "Nose", "Head",
    "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist",
]  # fmt: skip


def data(path: Path) -> np.ndarray:
    return np.genfromtxt(path, delimiter="\t", skip_header=5)


def header_value(path: Path, key: str) -> str:
    keys, values = (line.split("\t") for line in path.read_text().splitlines()[1:3])
    return values[keys.index(key)]


def test_header_to_the_byte(tmp_path: Path) -> None:
    write(a_clip(rate="60000/1001"), tmp_path / "poses.trc")
    xyz = "\t".join(f"X{n}\tY{n}\tZ{n}" for n in range(1, 18))
    expected = (
        "PathFileType\t4\t(X/Y/Z)\tski_run_root_relative.trc\n"
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
        "59.94005994\t59.94005994\t10\t17\tm\t59.94005994\t1\t10\n"
        "Frame#\tTime\t" + "\t\t\t".join(NAMES) + "\t\t\t\n"
        "\t\t" + xyz + "\t\n"
        "1\t0.000000\t0.000000\t0.000000\t0.000000\t0.010000\t0.000000\t0.010000\t"
    )
    assert (tmp_path / "poses.trc").read_bytes().startswith(expected.encode())


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    """As Pose2Sim reads it: pandas, four lines of header, tabs."""
    clip = awkward_clips()[name]
    write(clip, tmp_path / "poses.trc")
    for person, path in clip.each(tmp_path / "poses.trc"):
        table = pandas.read_csv(path, sep="\t", skiprows=4).dropna(axis=1, how="all")
        markers = [cell for cell in path.read_text().splitlines()[3].split("\t")[2:] if cell]
        assert markers == [marker_name(joint) for joint in clip.skeleton.joints]
        expected = gapless(clip, person, "trc")
        np.testing.assert_array_equal(table.iloc[:, 0], expected.frame + 1)
        np.testing.assert_allclose(table.iloc[:, 1], expected.time, atol=6e-7)
        found = table.iloc[:, 2:].to_numpy().reshape(len(table), -1, 3)
        np.testing.assert_allclose(found, expected.joint * (1, -1, -1), atol=6e-7)
        assert float(header_value(path, "DataRate")) == pytest.approx(float(clip.life_rate), abs=1e-8)
        assert int(header_value(path, "NumFrames")) == len(table)


def test_rows_have_no_phantom_column_and_y_points_up(tmp_path: Path) -> None:
    clip = a_clip(rate="60000/1001")
    write(clip, tmp_path / "poses.trc")
    rows = data(tmp_path / "poses.trc")
    assert rows.shape == (10, 2 + 3 * JOINTS)
    np.testing.assert_array_equal(rows[:, 0], np.arange(1, 11))
    np.testing.assert_allclose(rows[:, 1], the_pose(clip).time, atol=1e-6)
    x, y, z = np.moveaxis(the_pose(clip).joint, -1, 0)
    np.testing.assert_allclose(rows[:, 2:].reshape(10, JOINTS, 3), np.stack([x, -y, -z], -1), atol=1e-6)
    head, ankle = (rows[0, 2 + 3 * H36M17.index(joint) + 1] for joint in ("head", "left_ankle"))
    assert head > 0 > ankle


def test_no_cell_is_blank_gaps_are_interpolated_and_ends_left_out(tmp_path: Path) -> None:
    clip = a_clip()
    whole = the_pose(clip).joint.copy()
    without(the_pose(clip), 0, 4, 5, 8, 9)
    write(clip, tmp_path / "poses.trc")
    rows = data(tmp_path / "poses.trc")
    assert np.isfinite(rows).all()
    assert (header_value(tmp_path / "poses.trc", "NumFrames"), len(rows)) == ("7", 7)
    assert header_value(tmp_path / "poses.trc", "OrigNumFrames") == "10"
    np.testing.assert_array_equal(rows[:, 0], np.arange(2, 9))
    np.testing.assert_allclose(rows[:, 1], the_pose(clip).time[1:8], atol=1e-6)
    # The hand rises evenly, so that interpolation is exact.
    np.testing.assert_allclose(rows[:, 2:].reshape(7, JOINTS, 3), whole[1:8] * (1, -1, -1), atol=2e-6)


def test_true_times_of_a_variable_frame_rate(tmp_path: Path) -> None:
    time = np.array([0, 0.1, 0.15, 0.4, 0.5])
    clip = Clip.of(without(a_pose(time), 2), some_frames(time, "8"), Path("phone.mp4"), {})
    write(clip, tmp_path / "poses.trc")
    rows = data(tmp_path / "poses.trc")
    np.testing.assert_allclose(rows[:, 1], time, atol=1e-6)
    assert header_value(tmp_path / "poses.trc", "DataRate") == "8.0"
    wrist = rows[:, 2 + 3 * H36M17.index("left_wrist") + 1]
    np.testing.assert_allclose(wrist, time, atol=1e-6)  # interpolated over time, not over rows


def test_slow_motion_has_the_rate_of_life(tmp_path: Path) -> None:
    clip = a_clip(rate="30")
    slow = replace(clip, people=(Person("person0", a_pose(the_pose(clip).time / 4)),))
    write(slow, tmp_path / "poses.trc")
    assert header_value(tmp_path / "poses.trc", "DataRate") == "120.0"


def test_body_heights_are_not_called_metres(tmp_path: Path) -> None:
    write(a_clip(unit="body heights"), tmp_path / "poses.trc")
    assert header_value(tmp_path / "poses.trc", "Units") == "body_heights"


def test_a_clip_without_poses_is_refused(tmp_path: Path) -> None:
    clip = a_clip(frames=3)
    without(the_pose(clip), 0, 1, 2)
    with pytest.raises(PosepipeError, match=r"ski run\.mp4 has no frame with a 3D pose"):
        write(clip, tmp_path / "poses.trc")


def test_marker_names() -> None:
    assert [marker_name(joint) for joint in H36M17.joints] == NAMES
    assert marker_name("left_big_toe") == "LBigToe"
    for skeleton in (HALPE26, BLAZEPOSE33):
        assert len({marker_name(joint) for joint in skeleton.joints}) == len(skeleton.joints)
