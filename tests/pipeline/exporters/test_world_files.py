"""Files of all views: upright, with travel, in metres, as independent readers see them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import bvhsdk
import ezc3d
import numpy as np
import pygltflib
import pytest
import xarray
from known_clip import some_frames
from posepipe.models.skeleton import H36M17_FEET
from posepipe.pipeline.arrays import Pose3D, WorldPoses, array_fields
from posepipe.pipeline.exporters import exporter
from posepipe.pipeline.exporters.clip import Clip, Person
from posepipe.pipeline.exporters.npz import read
from posepipe.pipeline.runs.export import export
from posepipe.pipeline.settings import WorldSettings
from posepipe.pipeline.stages.smooth import unfiltered
from posepipe.pipeline.stages.world import Placed, place_in_world
from walker import RATE, SKELETON, SPEED, STRIDE, jump, walk

SECONDS = 4.0
CAMERA = Placed(np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]), np.array([0.0, 1.2, 9.0]))
"""A level camera that looks along -x from 9 m away."""


def clip_of(joint: np.ndarray) -> Clip:
    """Somebody in the world as the clip of all views, whose calibration is known."""
    seen = joint @ CAMERA.R.T + CAMERA.t
    relative = (seen - seen[:, :1]).astype(np.float32)
    time = np.arange(len(joint)) / RATE
    pose = unfiltered(
        Pose3D(
            time=time,
            joint=relative,
            canonical=relative,
            camera_from_canonical=np.tile(np.eye(3, dtype=np.float32), (len(joint), 1, 1)),
            confidence=np.ones(joint.shape[:2], np.float32),
            keypoint=np.zeros((*joint.shape[:2], 2), np.float32),
            skeleton=SKELETON.name,
            unit="m",
            root_trajectory=seen[:, 0].astype(np.float32),
        )
    )
    world = place_in_world(pose, CAMERA, True, WorldSettings())
    frames = some_frames(time, str(RATE))
    clip = Clip.of_people((Person("anna", pose, world=world),), frames, Path("walk.mp4"), {})
    return replace(clip, variant="multiview", rate=str(RATE))


@pytest.fixture(scope="module")
def joint() -> np.ndarray:
    return walk(SECONDS)[0]


@pytest.fixture(scope="module")
def clip(joint: np.ndarray) -> Clip:
    return clip_of(joint)


def y_up(joint: np.ndarray) -> np.ndarray:
    return np.stack([joint[..., 0], joint[..., 2], -joint[..., 1]], -1)


def test_trc_stands_upright_in_metres_and_travels(clip: Clip, joint: np.ndarray, tmp_path: Path) -> None:
    exporter("trc")(clip, tmp_path / "poses.trc")
    table = np.genfromtxt(tmp_path / "poses.trc", delimiter="\t", skip_header=5)
    found = table[:, 2 : 2 + 3 * len(SKELETON.joints)].reshape(len(table), -1, 3)
    np.testing.assert_allclose(found, y_up(joint), atol=0.02)
    assert "walk_world.trc" in (tmp_path / "poses.trc").read_text().splitlines()[0]


def test_bvh_travels(clip: Clip, joint: np.ndarray, tmp_path: Path) -> None:
    exporter("bvh")(clip, tmp_path / "poses.bvh")
    animation = bvhsdk.ReadFile(str(tmp_path / "poses.bvh"))
    pelvis = np.array([animation.root.getPosition(frame) for frame in (0, len(joint) - 1)])
    np.testing.assert_allclose(pelvis, y_up(joint)[[0, -1], 0], atol=0.02)


def test_c3d_has_z_up_as_laboratories_do(clip: Clip, joint: np.ndarray, tmp_path: Path) -> None:
    exporter("c3d")(clip, tmp_path / "poses.c3d")
    file = ezc3d.c3d(str(tmp_path / "poses.c3d"))
    found = file["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(found, 1000 * joint, atol=20)
    assert file["parameters"]["POINT"]["Y_SCREEN"]["value"] == ["+Z"]
    assert "".join(file["parameters"]["POSEPIPE"]["AXES"]["value"]).startswith("world axes")


def test_gltf_travels(clip: Clip, joint: np.ndarray, tmp_path: Path) -> None:
    exporter("gltf")(clip, tmp_path / "poses.glb")
    file = pygltflib.GLTF2().load(str(tmp_path / "poses.glb"))
    (animation,) = file.animations
    pelvis = next(one for one in animation.channels if one.target.path == "translation")
    accessor = file.accessors[animation.samplers[pelvis.sampler].output]
    np.testing.assert_allclose(accessor.max[0] - accessor.min[0], np.ptp(joint[:, 0, 0]), atol=0.03)
    assert file.asset.extras["axes"].startswith("world axes with y up")


def test_tables_are_in_the_world(clip: Clip, joint: np.ndarray, tmp_path: Path) -> None:
    exporter("csv")(clip, tmp_path / "poses.csv")
    with (tmp_path / "poses.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["joint"] == "head"]
    found = np.array([[float(row[axis]) for axis in "xyz"] for row in rows])
    np.testing.assert_allclose(found, joint[:, SKELETON.index("head")], atol=0.02)
    exporter("netcdf")(clip, tmp_path / "poses.nc")
    with xarray.open_dataset(tmp_path / "poses.nc") as data:
        assert data.attrs["axes"].startswith("world axes")
        assert "up: as calibrated" in data.attrs["world"]
        np.testing.assert_allclose(data["position"].isel(individual=0).values.swapaxes(1, 2), joint, atol=0.02)
    exporter("root")(clip, tmp_path / "root.csv")
    with (tmp_path / "root.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["x"]) == pytest.approx(joint[-1, 0, 0], abs=0.02)


def test_npz_keeps_camera_axes_and_has_the_world_beside(clip: Clip, joint: np.ndarray, tmp_path: Path) -> None:
    exporter("npz")(clip, tmp_path / "poses_multiview.npz")
    with np.load(tmp_path / "poses_multiview.npz") as file:
        np.testing.assert_array_equal(file["joint"], clip.people[0].pose.joint)
        np.testing.assert_allclose(file["joint_world"], joint, atol=0.02)
        A = file["world_from_camera"]
        absolute = file["joint"] + file["root_trajectory"][:, None]
        again = np.einsum("tab,tjb->tja", A[..., :3], absolute) + A[:, None, :, 3]
        np.testing.assert_allclose(again, joint, atol=0.02)
        assert file["contact"].shape == file["standing"].shape == (len(joint), 2)
        assert json.loads(file["world_notes"].item())["up_source"] == "calibration"
    again_clip = read([tmp_path / "poses_multiview.npz"])
    back, was = again_clip.people[0].world, clip.people[0].world
    assert isinstance(back, WorldPoses) and isinstance(was, WorldPoses)
    assert back.notes() == was.notes()
    for name in array_fields(WorldPoses):
        np.testing.assert_array_equal(getattr(back, name), getattr(was, name))


def test_an_export_may_stay_in_camera_axes(clip: Clip, joint: np.ndarray, tmp_path: Path) -> None:
    exporter("npz")(clip, tmp_path / "poses_multiview.npz")
    for frame, head in (("world", joint[0, SKELETON.index("head")]), ("camera", None)):
        (file,) = export(tmp_path / "poses_multiview.npz", ["csv"], tmp_path / frame, frame)
        with file.open(newline="") as table:
            row = next(row for row in csv.DictReader(table) if row["joint"] == "head")
        expected = clip.people[0].pose.joint[0, SKELETON.index("head")] if head is None else head
        np.testing.assert_allclose([float(row[axis]) for axis in "xyz"], expected, atol=0.02)
        about = json.loads((file.parent / "result.json").read_text())["about"]
        assert about["axes"].startswith(frame)


def test_the_trunk_leans_against_the_vertical(joint: np.ndarray, tmp_path: Path) -> None:
    """However the camera hangs."""
    roll = np.radians(20)
    turn = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
    askew = clip_of(joint @ turn.T)  # as good as a camera that is rolled, if its calibration is not used
    (person,) = askew.people
    world = place_in_world(person.pose, None, True, WorldSettings())
    clip = replace(askew, people=(replace(person, world=world),))
    leans = {}
    for frame in ("world", "camera"):
        path = tmp_path / f"{frame}.csv"
        exporter("angles")(replace(clip, frame=frame), path)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        leans[frame] = max(
            abs(np.median([float(row[f"trunk_lean_{way}_deg"]) for row in rows])) for way in ("forward", "left")
        )
    assert leans["world"] < 3
    assert leans["camera"] > 15


def test_events_and_measures(clip: Clip, tmp_path: Path) -> None:
    exporter("events")(clip, tmp_path / "events.csv")
    with (tmp_path / "events.csv").open(newline="") as file:
        events = list(csv.DictReader(file))
    assert {(row["event"], row["side"]) for row in events} == {
        (kind, side) for kind in ("foot_strike", "foot_off") for side in ("left", "right")
    }
    exporter("measures")(clip, tmp_path / "measures.csv")
    with (tmp_path / "measures.csv").open(newline="") as file:
        measures = {(row["measure"], row["side"]): row for row in csv.DictReader(file)}
    assert float(measures["stride_length", "left"]["value"]) == pytest.approx(STRIDE, rel=0.05)
    speed = measures["walking_speed", ""]
    assert float(speed["low"]) < SPEED < float(speed["high"])
    assert (speed["unit"], speed["lengths_from"]) == ("m/s", "calibration")


def test_jumps_are_events_too(tmp_path: Path) -> None:
    exporter("events")(clip_of(jump(0.5)[0]), tmp_path / "events.csv")
    with (tmp_path / "events.csv").open(newline="") as file:
        kinds = [row["event"] for row in csv.DictReader(file)]
    assert kinds.count("take_off") == kinds.count("landing") == 3


def test_where_the_world_is_not_known_there_are_no_events(
    clip: Clip, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alone = replace(clip, people=(replace(clip.people[0], world=None),))
    for name in ("events", "measures"):
        exporter(name)(alone, tmp_path / f"{name}.csv")
        assert len((tmp_path / f"{name}.csv").read_text().splitlines()) == 1
    assert "the file stays empty" in caplog.text
    exporter("csv")(alone, tmp_path / "poses.csv")
    assert alone.facts(alone.axes)["world"] == "not known"
    assert H36M17_FEET.name in alone.facts(alone.axes)["skeleton"]
