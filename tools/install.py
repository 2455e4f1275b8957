"""Makes a virtual environment with posepipe and the tested versions of all it needs.

    python3.11 tools/install.py .venv

On Linux the package index serves PyTorch built for CUDA, gigabytes that a machine without a GPU has no
use for. If pip would take that build, PyTorch's own list of CPU builds is offered to it as well. To get
CUDA, say `POSEPIPE_TORCH=cuda make install`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"


def main() -> None:
    if sys.version_info[:2] != (3, 11):
        sys.exit(
            f"posepipe needs Python 3.11 (its detectors have no builds for others); this is {sys.version.split()[0]}"
        )
    folder = Path(sys.argv[1])
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(REPOSITORY / "constraints.txt")]
    environment = dict(os.environ)
    if environment.get("POSEPIPE_TORCH") != "cuda" and brings_cuda(pip):
        environment["PIP_EXTRA_INDEX_URL"] = f"{environment.get('PIP_EXTRA_INDEX_URL', '')} {CPU_BUILDS}".strip()
    print(f"installing posepipe into {folder} (about 3.1 GB, some minutes)", flush=True)
    extras = "dev,docs,datasets,parquet,rerun"
    subprocess.run([*pip, "--editable", f"{REPOSITORY}[{extras}]"], check=True, env=environment)


def brings_cuda(pip: list[str]) -> bool:
    """Whether pip, left to itself, would install PyTorch with CUDA."""
    plan = subprocess.run([*pip, "--dry-run", "--report", "-", "torch"], check=True, capture_output=True, text=True)
    names = [item["metadata"]["name"] for item in json.loads(plan.stdout)["install"]]
    return any(name.startswith("nvidia") for name in names)


if __name__ == "__main__":
    main()
