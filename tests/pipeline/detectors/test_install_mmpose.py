"""MMPose is installed with uv or pip, and imported without what it names and does not need."""

from __future__ import annotations

import pkgutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from posepipe.models.networks import openmmlab
from posepipe.models.networks.openmmlab_packages import IMPORTED, PINNED
from posepipe.pipeline.detectors import install_mmpose as module
from posepipe.pipeline.detectors.install_mmpose import install_mmpose
from posepipe.pipeline.errors import PosepipeError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that are run, instead of running them."""
    run: list[list[str]] = []

    def note(command: list[str], check: bool) -> CompletedProcess[str]:
        run.append(command)
        return CompletedProcess(command, 0)

    monkeypatch.setattr(module.subprocess, "run", note)
    return run


def test_pinned_versions_come_without_what_their_metadata_ask_for(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    install_mmpose()
    monkeypatch.setattr(module.shutil, "which", lambda name: "/bin/uv")
    install_mmpose()
    rest = ["--quiet", "--no-deps", *PINNED, *IMPORTED]
    assert commands == [
        [sys.executable, "-m", "pip", "install", *rest],
        ["/bin/uv", "pip", "install", "--python", sys.executable, *rest],
    ]


def test_what_cannot_be_installed_is_said(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(PosepipeError, match="has no pip, and there is no uv"):
        install_mmpose()
    monkeypatch.setattr(module.shutil, "which", lambda name: "/bin/uv")
    monkeypatch.setattr(module.subprocess, "run", lambda command, check: CompletedProcess(command, 1))
    with pytest.raises(PosepipeError, match=r"/bin/uv could not install mmpose==1\.3\.2"):
        install_mmpose()


def test_mmengine_finds_packages_without_pkg_resources_and_find_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Python 3.14 and setuptools 82."""
    monkeypatch.delattr(pkgutil, "find_loader", raising=False)
    with openmmlab.openmmlab_imports():
        import mmpose
        from mmengine import utils

        assert sys.modules["xtcocotools.coco"].__name__ == "pycocotools.coco"
    assert pkgutil.find_loader("mmcv._ext") is None and pkgutil.find_loader("mmcv")
    assert utils.is_installed("mmpose") and not utils.is_installed("no_such_package")
    assert utils.get_installed_path("mmpose") == str(Path(mmpose.__file__).parent)
    with pytest.raises(ImportError, match="no_such_package is not installed"):
        utils.get_installed_path("no_such_package")
    assert "xtcocotools.coco" not in sys.modules
