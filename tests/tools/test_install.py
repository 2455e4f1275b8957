"""The installer takes the newest tried Python that has PyTorch, and of PyTorch the build without CUDA."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tools import install
from tools.install import CPU_BUILDS, PYTHONS, Installer, choose, found


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Where there are builds of PyTorch without CUDA: a Python, and "" or the list of CPU builds; none at first."""
    slim: set[tuple[str, str]] = set()

    def has_torch(self: Installer, cuda: bool) -> bool:
        where = CPU_BUILDS if CPU_BUILDS in self._environment.get("PIP_EXTRA_INDEX_URL", "") else ""
        return cuda or (self.name, where) in slim

    monkeypatch.setattr(Installer, "has_torch", has_torch)
    monkeypatch.setattr(install, "answers", lambda address: True)
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    return slim


def test_the_newest_python_that_has_everything_is_taken(
    builds: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds |= {("python3.12 with pip", CPU_BUILDS), ("python3.11 with pip", "")}
    pythons = ["python3.13", "python3.12", "python3.11"]
    assert choose(pythons, cuda=False).name == "python3.12 with pip"
    assert choose(pythons, cuda=True).name == "python3.13 with pip"
    builds.add(("python3.13 with uv", ""))
    assert choose(pythons, cuda=False).name == "python3.12 with pip", "there is no uv"
    monkeypatch.setattr(install, "answers", lambda address: False)
    assert choose(pythons, cuda=False).name == "python3.11 with pip"


def test_uv_is_used_where_it_is(builds: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.shutil, "which", lambda name: f"/bin/{name}")
    builds |= {("python3.13 with uv", ""), ("python3.13 with pip", "")}
    assert choose(["python3.13"], cuda=False).name == "python3.13 with uv"


def test_if_no_cpu_build_can_be_reached_it_is_said(
    builds: set[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose(["python3.13", "python3.12"], cuda=False).name == "python3.13 with pip"
    assert "the one for CUDA is installed" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"needs one of Python 3\.11, 3\.12, 3\.13, 3\.14"):
        choose([], cuda=False)


def test_pythons_that_do_not_run_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in PYTHONS:  # as pyenv's, for versions that are not chosen
        (tmp_path / f"python{version}").write_text("#!/bin/sh\nexit 127\n")
        (tmp_path / f"python{version}").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found() == [sys.executable]


def test_a_checkout_may_lie_in_a_folder_with_a_space(tmp_path: Path) -> None:
    script = tmp_path / "my own" / "tools" / "install.py"
    script.parent.mkdir(parents=True)
    script.write_text(Path(install.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    stated = runpy.run_path(str(script))["CONSTRAINTS"]
    assert " " not in stated and Path(url2pathname(urlsplit(stated).path)) == tmp_path / "my own" / "constraints.txt"


def test_the_installer_itself_runs_on_old_pythons() -> None:
    script = Path(install.__file__)
    check = "import ast, sys; ast.parse(open(sys.argv[1], encoding='utf-8').read(), feature_version=(3, 8))"
    subprocess.run([sys.executable, "-c", check, str(script)], check=True)
