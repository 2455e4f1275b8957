"""Checks the types of both packages with mypy, under the names by which they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "posepipe"
        package.mkdir()
        for name in ("models", "pipeline"):
            (package / name).symlink_to(REPOSITORY / name)
        command = [sys.executable, "-m", "mypy", "--config-file", str(REPOSITORY / "pyproject.toml")]
        command += ["--namespace-packages", "-p", "posepipe.models", "-p", "posepipe.pipeline"]
        sys.exit(subprocess.run(command, cwd=folder, env=os.environ | {"MYPYPATH": folder}).returncode)


if __name__ == "__main__":
    main()
