"""The page of result files knows every format, and every field of every format."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import fields, replace
from pathlib import Path

import ezc3d
import numpy as np
import pytest
import xarray
from known_clip import a_moving_clip, the_pose
from posepipe.pipeline.arrays import FusedPoses, Pose3D, ViewPoses, array_fields
from posepipe.pipeline.exporters import EXPORTERS, without_video
from posepipe.pipeline.exporters.clip import Clip, Person
from posepipe.pipeline.runs.batch import Row
from posepipe.pipeline.runs.results import write_results

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
SECTIONS = {
    word.partition(":")[0].strip(): f"{title}\n{text}"
    for title, text in re.findall(r"^## (.+)\n((?:.*\n)*?)(?=^## |\Z)", PAGE, re.MULTILINE)
    for word in title.partition(":")[0].split(",")
}
"""What the page says under each heading, by the words before the colon."""


def said(section: str) -> set[str]:
    """Words of a section that are marked as code, and those of which such are made."""
    marked = re.findall(r"`([^`]+)`", SECTIONS[section])
    return {word for text in marked for word in [text, *re.split(r"[^\w#]+", text)]}


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A clip whose poses have everything that poses can have."""
    clip = a_moving_clip()
    pose = the_pose(clip)
    full = replace(
        pose,
        joint_raw=np.array(pose.joint),
        expected_error=np.zeros(pose.confidence.shape, np.float32),
        filled=np.zeros(pose.confidence.shape, bool),
        root_trajectory=np.ones((len(pose.time), 3), np.float32),
        root_trajectory_raw=np.ones((len(pose.time), 3), np.float32),
        root_camera="focal length as given",
        steps=["smoothed"],
    )
    return replace(clip, people=(Person("person0", full),))


@pytest.fixture(scope="module")
def results(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_results(clip, folder, [name for name in without_video(EXPORTERS) if name not in {"rerun", "parquet"}])
    return folder


def test_every_format_has_a_section_with_its_file() -> None:
    for name, format_ in EXPORTERS.items():
        if format_.function.startswith("posepipe."):
            assert format_.file.rstrip("/") in SECTIONS[name].splitlines()[0]


def test_every_array_of_numpy_files(results: Path) -> None:
    with np.load(results / "poses.npz") as file:
        assert set(file) <= said("npz")
    assert set(array_fields(Pose3D)) <= said("npz")
    beyond = set(array_fields(FusedPoses)) - {"joint", "root", "take", "instant"}
    assert beyond | {"root_in_camera", "camera_names"} <= said("`poses_multiview.npz`")
    words = said("Results of a keypoint file") | said("npz") | said("`poses_multiview.npz`")
    assert set(array_fields(ViewPoses)) | {"rig_joint", "take_names"} <= words


def test_every_entry_of_the_record(results: Path) -> None:
    record = json.loads((results / "result.json").read_text(encoding="utf-8"))
    assert {*record, *record["about"]} <= said("Metadata of a clip")


@pytest.mark.parametrize(
    ("file", "section"),
    [("poses.csv", "csv"), ("angles.csv", "angles"), ("root.csv", "root"), ("segments.csv", "segments")],
)
def test_every_column(results: Path, file: str, section: str) -> None:
    with (results / file).open(newline="", encoding="utf-8") as table:
        titles = next(csv.reader(table))
    angles = {title for title in titles if title.endswith("_deg")}
    assert set(titles) - angles <= said(section)


def test_every_name_of_netcdf_and_c3d(results: Path) -> None:
    with xarray.open_dataset(results / "poses.nc") as data:
        names = {*data.variables, *data.attrs, *data.dims}
    facts = said("Metadata of a clip")
    assert {str(name) for name in names} <= said("netcdf") | facts
    file = ezc3d.c3d(str(results / "poses.c3d"))
    assert {name for name in file["parameters"]["POSEPIPE"] if not name.startswith("_")} <= said("c3d")


def test_every_key_of_json(results: Path) -> None:
    (first, *_) = sorted((results / "openpose").iterdir())
    content = json.loads(first.read_text(encoding="utf-8"))
    (person,) = content["people"]
    facts = said("Metadata of a clip")
    assert {key for key in person if person[key]} | {"people", "posepipe"} <= said("openpose")
    assert set(content["posepipe"]) <= said("openpose") | facts
    ours = json.loads((results / "mmpose.json").read_text(encoding="utf-8"))
    demo = json.loads((results / "mmpose_demo.json").read_text(encoding="utf-8"))
    assert {*ours[0], *ours[0]["instances"][0], *demo, *demo["meta_info"]} <= said("mmpose")


def test_every_title_of_trc(results: Path) -> None:
    _, keys, _, titles, *_ = (results / "poses.trc").read_text(encoding="utf-8").splitlines()
    assert {*keys.split("\t"), *titles.split("\t")[:2]} <= said("trc")


def test_every_column_of_a_batch() -> None:
    assert {field.name for field in fields(Row)} <= said("Results of a batch")
