"""A fit places the people of its takes in the world, in one unit, and says what it knows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from footage import detected_take
from posepipe.models.body.body import body_size
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.footage.description import PersonDescription
from posepipe.pipeline.footage.recording import Recording
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.settings import Settings, load_settings
from quick_fit import QUICK

SAID = '[people.anna]\nperson = "cam1@0.2s:80,64"\nheight_m = 1.62\n'


def settings(*more: str) -> Settings:
    return load_settings(overrides=[*QUICK, "fuse.enabled=true", "synchronize.offsets=stated", *more])


def described(folder: Path, said: str) -> Path:
    take = detected_take(folder / "run", 3)
    description = take / "posepipe.toml"
    description.write_text(description.read_text() + said)
    return take


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The takes folder of a fit of somebody whose height is stated."""
    folder = tmp_path_factory.mktemp("world")
    fit(described(folder, SAID), out=folder / "out", settings=settings(), exports=["npz", "trc", "csv"])
    return folder / "out" / "takes" / "run"


def test_all_files_of_a_take_are_in_metres(out: Path) -> None:
    for path in (out / "poses_multiview.npz", *(out / f"cam{camera}" / "poses.npz" for camera in range(3))):
        with np.load(path) as file:
            assert str(file["unit"]) == "m"
            whole = file["joint"][np.isfinite(file["joint"]).all((1, 2))]
            assert np.median(body_size(whole, H36M17)) == pytest.approx(1.62, rel=0.02)
    assert (out / "poses_multiview.trc").read_text().splitlines()[2].split("\t")[4] == "m"


def test_the_world_stands_beside_the_camera(out: Path) -> None:
    with np.load(out / "poses_multiview.npz") as file:
        A, joint = file["world_from_camera"], file["joint"] + file["root_trajectory"][:, None]
        world = np.einsum("tab,tjb->tja", A[..., :3], joint) + A[:, None, :, 3]
        there = np.isfinite(world).all((1, 2))
        np.testing.assert_allclose(
            world[there], file["joint_world"][there], atol=0.03
        )  # but for feet that are steadied
        notes = json.loads(file["world_notes"].item())
        assert notes["scale_source"] == "height"
        assert notes["stature"] == pytest.approx(1.62, rel=1e-3)
        assert "up: told by" in str(file["world"])
    with (out / "poses_multiview.csv").open(newline="") as table:
        first = next(csv.DictReader(table))
    with np.load(out / "poses_multiview.npz") as file:
        expected = file["joint_world"][0, 0]
    np.testing.assert_allclose([float(first[axis]) for axis in "xyz"], expected, atol=1e-5)


def test_every_take_has_events_and_measures(out: Path) -> None:
    for name, columns in (("events", ["person", "event", "side", "time", "frame"]), ("measures", None)):
        rows = list(csv.reader((out / f"{name}.csv").open(newline="")))
        assert columns is None or rows[0] == columns
    record = json.loads((out / "result.json").read_text())
    assert record["about"]["axes"].startswith("world axes")
    assert {"events", "measures"} <= set(record["files"])


def test_a_description_of_nobody_is_refused(tmp_path: Path) -> None:
    for said, message in (
        ('[people.anna]\nperson = "camera9@0.2s:80,64"\nheight_m = 1.6\n', "names the camera 'camera9'"),
        ("[people.anna]\nheight_m = 1.6\n[people.ben]\nheight_m = 1.8\n", r"say who \[people.anna\] .* is"),
    ):
        folder = tmp_path / str(len(message))
        with pytest.raises(PosepipeError, match=message):
            fit(described(folder, said), out=folder / "out", settings=settings(), until="match")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("[people.anna]\n", "height or lengths"),
        ('[people.anna]\nheight_m = 1.7\nperson = "largest"\n', "say a place"),
        ("[people.anna]\nheight_m = 17.2\n", "height_m"),
        ("[people.anna]\nheight_m = 1.7\nsegments_m = {thigh = 0.4}\n", "height or lengths"),
    ],
)
def test_a_size_that_cannot_be_is_refused(said: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match=message):
        Recording.open(described(tmp_path, said))


def test_segments_may_be_said_instead() -> None:
    said = PersonDescription.model_validate({"segments_m": {"thigh": 0.44}})
    assert said.place is None
