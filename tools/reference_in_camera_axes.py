"""Turns a reference in world axes into one file per camera, so that `posepipe evaluate` can score NMPJPE as well.

    python tools/reference_in_camera_axes.py reference_3d.npz cameras.json --out reference

``cameras.json``: {"cameras": [{"name", "R"}, ...]} with x_camera = R x_world + t. For evaluation only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path)
    parser.add_argument("cameras", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with np.load(options.reference, allow_pickle=False) as archive:
        joint = archive["joints_3d_m"]
    options.out.mkdir(parents=True, exist_ok=True)
    for camera in json.loads(options.cameras.read_text())["cameras"]:
        in_camera = (joint - joint[:, :1]) @ np.array(camera["R"]).T
        np.savez(options.out / f"{camera['name']}.npz", joints_3d_cam=in_camera.astype(np.float32))
        print(options.out / f"{camera['name']}.npz")


if __name__ == "__main__":
    main()
