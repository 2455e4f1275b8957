"""Export: more formats of results, from poses.npz alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from known_clip import a_clip, awkward_clips, the_pose, two_people
from posepipe.pipeline.arrays import Pose3D, array_fields
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.exporters import EXPORTERS, exporter, without_video
from posepipe.pipeline.exporters.npz import read
from posepipe.pipeline.runs.export import export
from posepipe.pipeline.runs.results import write_results


@pytest.mark.parametrize("name", awkward_clips())
def test_an_npz_gives_the_clip_back(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    exporter("npz")(clip, tmp_path / "poses.npz")
    back = read([path for _, path in clip.each(tmp_path / "poses.npz")])
    assert [person.name for person in back.people] == [person.name for person in clip.people]
    for person, again in zip(clip.people, back.people, strict=True):
        for field in array_fields(Pose3D):
            np.testing.assert_array_equal(getattr(again.pose, field), getattr(person.pose, field))
    assert back.facts("") == clip.facts("")
    assert (back.rate, back.image_size, back.variant) == (clip.rate, clip.image_size, clip.variant)


@pytest.mark.parametrize("make", [a_clip, two_people])
def test_all_formats_are_the_same_as_at_once(make: object, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    formats = [name for name in without_video(EXPORTERS) if name not in {"npz", "rerun"}]
    write_results(make(), tmp_path / "whole", ["npz", *formats])  # type: ignore[operator]
    write_results(make(), tmp_path / "npz", ["npz"])  # type: ignore[operator]
    made = export(tmp_path / "npz", formats)
    assert {path.name for path in made} | {path.name for path in (tmp_path / "npz").glob("*.npz")} == {
        path.name for path in (tmp_path / "whole").iterdir()
    } - {"result.json"}
    for path in made:
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "whole" / path.name).read_bytes(), path.name


def test_files_go_beside_the_poses_or_into_the_same_folders_elsewhere(tmp_path: Path) -> None:
    for camera in ("cam0", "cam1"):
        write_results(a_clip(), tmp_path / "results" / "takes" / camera, ["npz"])
    beside = export(tmp_path / "results", ["trc"])
    assert beside == [tmp_path / "results" / "takes" / camera / "poses.trc" for camera in ("cam0", "cam1")]
    elsewhere = export(tmp_path / "results", ["trc", "bvh"], tmp_path / "out")
    assert elsewhere[:2] == [tmp_path / "out" / "takes" / "cam0" / name for name in ("poses.trc", "poses.bvh")]
    assert export(tmp_path / "results" / "takes" / "cam0" / "poses.npz", ["csv"], tmp_path / "one") == [
        tmp_path / "one" / "poses.csv"
    ]


def test_the_record_says_what_the_files_cannot(tmp_path: Path) -> None:
    files = write_results(a_clip(rate="60000/1001"), tmp_path, ["npz", "trc", "bvh"])
    assert [path.name for path in files] == ["poses.npz", "poses.trc", "poses.bvh"]
    record = json.loads((tmp_path / "result.json").read_text())
    assert record["files"] == {"npz": ["poses.npz"], "trc": ["poses.trc"], "bvh": ["poses.bvh"]}
    assert record["about"]["rate"] == "60000/1001"
    assert record["about"]["provenance"] == {"posepipe": "0", "model": "abc"}
    assert record["about"]["joints"][0] == "pelvis"


def test_a_lost_file_is_made_again_and_a_whole_one_stays(tmp_path: Path) -> None:
    write_results(two_people(), tmp_path, ["trc", "csv"])
    stamp = (tmp_path / "poses.csv").stat().st_mtime_ns
    (tmp_path / "poses_bob.trc").unlink()
    write_results(two_people(), tmp_path, ["trc", "csv"])
    assert (tmp_path / "poses_bob.trc").exists()
    assert (tmp_path / "poses.csv").stat().st_mtime_ns == stamp


def test_a_format_that_fails_leaves_nothing(tmp_path: Path) -> None:
    clip = two_people()
    clip.people[1].pose.joint[...] = np.nan
    with pytest.raises(PosepipeError, match="leave out the format trc"):
        write_results(clip, tmp_path, ["trc"])
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    for words, sentence in (
        (["xyz"], "unknown export 'xyz'"),
        (["overlay"], "overlay needs the video"),
        (["trc"], "holds no poses.npz"),
    ):
        with pytest.raises(PosepipeError, match=sentence):
            export(tmp_path, words)
    (tmp_path / "poses.npz").write_bytes(b"no")
    with pytest.raises(PosepipeError, match=r"is not a poses\.npz of this posepipe"):
        export(tmp_path, ["trc"])
    np.savez(tmp_path / "poses.npz", joint=np.zeros((2, 3, 17, 3)))
    with pytest.raises(PosepipeError, match="holds the poses of a keypoint file"):
        export(tmp_path, ["trc"])


def test_people_of_different_clips_are_not_mixed(tmp_path: Path) -> None:
    exporter("npz")(a_clip(10), tmp_path / "poses_a.npz")
    exporter("npz")(a_clip(12), tmp_path / "poses_b.npz")
    with pytest.raises(PosepipeError, match="of different clips"):
        export(tmp_path, ["csv"])


def test_the_poses_exported_are_those_of_the_clip(tmp_path: Path) -> None:
    clip = a_clip()
    write_results(clip, tmp_path, ["npz"])
    export(tmp_path, ["trc"])
    rows = np.genfromtxt(tmp_path / "poses.trc", delimiter="\t", skip_header=5)
    np.testing.assert_allclose(rows[:, 2:5], the_pose(clip).joint[:, 0] * (1, -1, -1), atol=1e-6)
