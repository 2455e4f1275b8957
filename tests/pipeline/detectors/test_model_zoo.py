"""Configs by name and by checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from posepipe.models.networks import openmmlab_packages
from posepipe.pipeline.detectors.model_zoo import find_checkpoint, find_config, find_config_of, status, why_not
from posepipe.pipeline.errors import PosepipeError

HRNET = "td-hm_hrnet-w32_8xb64-210e_coco-256x192"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("human", "rtmpose-m_8xb256-420e_body8-256x192"),
        ("body26", "rtmpose-m_8xb512-700e_body8-halpe26-256x192"),
        ("rtmpose-m", "rtmpose-m_8xb256-420e_body8-256x192"),
        (HRNET, HRNET),
        (f"{HRNET}.py", HRNET),
    ],
)
def test_finds_configs_by_mmposes_names(name: str, stem: str) -> None:
    config = find_config(name)
    assert config.is_file()
    assert config.stem == stem


def test_a_file_is_its_own_config_and_an_unknown_name_gets_suggestions(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    assert find_config(tmp_path / "mine.py") == tmp_path / "mine.py"
    with pytest.raises(PosepipeError, match=r"similar names: .*td-hm_hrnet-w32"):
        find_config("td-hm_hrnet-w32_8xb64-210e_coco-256x19")


@pytest.mark.parametrize(
    ("checkpoint", "stem"),
    [
        # published names, of which the second does not start with its config's
        (f"{HRNET}-81c58e40_20220909.pth", HRNET),
        ("rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.pth", "rtmpose-m_8xb256-420e_body8-256x192"),
        # names that people give, where the longest config's name counts
        (f"{HRNET}.pth", HRNET),
        ("rtmpose-m_8xb512-700e_body8-halpe26-256x192_mine.pth", "rtmpose-m_8xb512-700e_body8-halpe26-256x192"),
    ],
)
def test_finds_the_config_of_a_checkpoint(checkpoint: str, stem: str) -> None:
    assert find_config_of(Path("/somewhere") / checkpoint).stem == stem


@pytest.mark.parametrize("checkpoint", ["mine.pth", f"{HRNET}0.pth", "rtmpose-m_8xb32-210e_ap10k-256x256.pth"])
def test_other_names_tell_no_config(checkpoint: str) -> None:
    with pytest.raises(PosepipeError, match="says nothing of its model"):
        find_config_of(Path(checkpoint))


def test_looks_into_the_folder_for_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEPIPE_MODELS", str(tmp_path))
    assert find_checkpoint() is None
    assert status().endswith("needs a checkpoint: posepipe models pull rtmpose-m")
    (tmp_path / "a.pth").touch()
    (tmp_path / f"{HRNET}-1.pth").touch()
    found = find_checkpoint()
    assert found is not None
    assert (found.config.stem, found.checkpoint) == (HRNET, tmp_path / f"{HRNET}-1.pth")
    assert HRNET in status()


def test_says_why_mmpose_cannot_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert why_not() is None
    monkeypatch.setattr(openmmlab_packages, "_MODULES", ("torch", "no_such_package"))
    assert why_not() == "not installed: no_such_package (posepipe models install-mmpose installs them)"
    assert status() == f"mmpose cannot run, because {why_not()}"
    assert find_checkpoint(tmp_path) is None
