"""poses.nc is a data set of the package movement, for xarray."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray
from known_clip import awkward_clips
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.exporters.netcdf import write


@pytest.mark.parametrize("name", awkward_clips())
def test_round_trip(name: str, tmp_path: Path) -> None:
    clip = awkward_clips()[name]
    write(clip, tmp_path / "poses.nc")
    with xarray.open_dataset(tmp_path / "poses.nc") as data:
        assert data.position.dims == ("time", "space", "keypoint", "individual")
        assert data.confidence.dims == ("time", "keypoint", "individual")
        assert data.space.values.tolist() == ["x", "y", "z"]
        assert data.keypoint.values.tolist() == list(H36M17.joints)
        assert data.individual.values.tolist() == [person.name for person in clip.people]
        np.testing.assert_array_equal(data.time, clip.time)
        for person in clip.people:
            one = data.sel(individual=person.name)
            np.testing.assert_array_equal(one.position.transpose("time", "keypoint", "space"), person.pose.joint)
            np.testing.assert_array_equal(one.confidence, person.pose.confidence)
        assert np.isscalar(data.attrs["fps"])
        assert data.attrs["fps"] == float(clip.life_rate)
        texts = {"time_unit": "seconds", "source_software": "posepipe", "source_file": clip.video.name,
                 "ds_type": "poses", "rate": str(clip.life_rate), "unit": clip.unit}  # fmt: skip
        assert {key: data.attrs[key] for key in texts} == texts
        assert json.loads(data.attrs["provenance"]) == clip.provenance
        assert "y down" in data.attrs["axes"]
        assert "root-relative" in data.attrs["root"]


def test_joints_are_found_by_name(tmp_path: Path) -> None:
    clip = awkward_clips()["59.94 fps"]
    write(clip, tmp_path / "poses.nc")
    with xarray.open_dataset(tmp_path / "poses.nc") as data:
        head = data.position.sel(keypoint="head", space="y", individual="person0")
        np.testing.assert_array_equal(head, clip.people[0].pose.joint[:, H36M17.index("head"), 1])
