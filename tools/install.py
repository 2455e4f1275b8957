"""Makes a virtual environment with posepipe, MMPose and the tested versions of all they need.

    python3 tools/install.py .venv                          # the best Python on the path that has PyTorch
    python3 tools/install.py .venv --python python3.12      # this one

Runs on Python 3.8 or later; posepipe itself takes 3.11 to 3.14. Uses uv where it is there, otherwise pip.

On Linux the package index serves PyTorch built for CUDA, gigabytes that a machine without a GPU has no use for. There
PyTorch's own list of CPU builds is asked as well, and a Python for which neither has one comes after those for which
one does. `POSEPIPE_TORCH=cuda make install` asks for CUDA where no GPU is seen.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CONSTRAINTS = (REPOSITORY / "constraints.txt").as_uri()
"""As an address, because pip and uv take a list of files apart at its spaces."""
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
PYTHONS = ("3.13", "3.12", "3.11", "3.14")
"""Those that posepipe takes, the preferred first: nothing was tried on 3.14 yet."""
EXTRAS = "dev,docs,datasets,mmdet,onnx,parquet,rerun"


class Installer:
    """Makes environments of one Python, and installs into them with uv or pip."""

    def __init__(self, python: str, uv: bool = False, **variables: str) -> None:
        self.name = f"{python} with {'uv' if uv else 'pip'}"
        self._python, self._uv = python, uv
        self._environment = {**os.environ, "PIP_CONSTRAINT": CONSTRAINTS, "UV_CONSTRAINT": CONSTRAINTS, **variables}

    def make(self, folder: Path) -> Path:
        """An environment in a folder, which is emptied first; returns its folder of programs."""
        pip = [self._python, "-m", "venv", "--upgrade-deps"]  # older pips download gigabytes even in a dry run
        self.run([*(["uv", "venv", "--seed", "--python", self._python] if self._uv else pip), "--clear", str(folder)])
        return folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, programs: Path, *words: str) -> str:
        """Install packages into an environment; what is printed. Modules are compiled when first imported."""
        python = str(programs / "python")
        pip = [python, "-m", "pip", "install", "--no-compile"]
        return self.run([*(["uv", "pip", "install", "--python", python] if self._uv else pip), *words])

    def run(self, command: list[str]) -> str:
        """Run a program; what it prints.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        done = subprocess.run(command, check=True, env=self._environment, capture_output=True, text=True)
        return done.stdout + done.stderr

    def has_torch(self, cuda: bool) -> bool:
        """Whether PyTorch is there for this Python, with CUDA only if that is wanted."""
        with tempfile.TemporaryDirectory() as folder:
            programs = self.make(Path(folder))
            try:
                plan = self.install(programs, "--dry-run", "torch")
            except subprocess.CalledProcessError:
                return False
        return cuda or "nvidia" not in plan


def choose(pythons: list[str], cuda: bool) -> Installer:
    """An installer for the first of some Pythons that has PyTorch as wanted; for the first of all if none has.

    Raises:
        subprocess.CalledProcessError: an environment cannot be made.
        SystemExit: there is no Python.
    """
    lists = f"{os.environ.get('PIP_EXTRA_INDEX_URL', '')} {CPU_BUILDS}".strip()
    cpu = not cuda and answers(f"{CPU_BUILDS}/torch/")
    for python in pythons:
        tried = [Installer(python), *([Installer(python, PIP_EXTRA_INDEX_URL=lists)] if cpu else [])]
        if shutil.which("uv"):
            asked = os.environ.get("POSEPIPE_TORCH") == "cuda"  # then what the package index has, as with pip
            tried.insert(0, Installer(python, uv=True, **({} if asked else {"UV_TORCH_BACKEND": "auto"})))
        for installer in tried:
            if installer.has_torch(cuda):
                return installer
    if not pythons:
        sys.exit(f"posepipe needs one of Python {', '.join(sorted(PYTHONS))}; there is none on the path")
    print("no CPU build of PyTorch can be reached, so the one for CUDA is installed, which takes 5 GB")
    return Installer(pythons[0])


def answers(address: str) -> bool:
    """Whether a server answers; pip would ask one that does not for every package, several times."""
    try:
        with urllib.request.urlopen(address, timeout=10):  # noqa: S310 - https
            return True
    except OSError:
        return False


def found() -> list[str]:
    """The Pythons on the path that posepipe takes, the preferred first, and the running one if it is such."""
    names = {version: shutil.which(f"python{version}") for version in PYTHONS}
    names["{}.{}".format(*sys.version_info)] = sys.executable
    return [name for version, name in names.items() if name and version_of(name) == version and version in PYTHONS]


def version_of(python: str) -> str:
    """Such as "3.12"; empty if the program does not run or cannot make environments."""
    command = [python, "-c", "import ensurepip, sys; print('{}.{}'.format(*sys.version_info))"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the environment, which is emptied first")
    parser.add_argument("--python", help="the program of a Python, such as python3.12")
    options = parser.parse_args()
    if options.python and version_of(options.python) not in PYTHONS:
        sys.exit(f"{options.python} is none of Python {', '.join(sorted(PYTHONS))}, or has no ensurepip")
    cuda = os.environ.get("POSEPIPE_TORCH") == "cuda" or shutil.which("nvidia-smi") is not None
    try:
        installer = choose([options.python] if options.python else found(), cuda)
        print(f"installing posepipe for {installer.name} into {options.folder} (2.6 GB, some minutes)", flush=True)
        programs = installer.make(options.folder)
        installer.install(programs, "--editable", f"{REPOSITORY}[{EXTRAS}]")
        print(installer.run([str(programs / "posepipe"), "models", "install-mmpose"]), end="")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.stdout}{error.stderr}\n{' '.join(error.cmd)} ended with {error.returncode}")


if __name__ == "__main__":
    main()
