"""Makes the picture of the README from the demo's results.

make demo
python tools/pictures.py demo_footage --out docs
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from posepipe.pipeline.video import read_frames

WIDTH_PX = 1600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path, help="folder of the demo")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--time", type=float, default=3.4, help="instant to show, s")
    options = parser.parse_args()
    overlays = sorted((options.footage / "training_posepipe" / "takes").glob("*/*/overlay.mp4"))
    shown = [picture_at(path, options.time) for path in overlays]
    grid = np.vstack([np.hstack(shown[row : row + 2]) for row in range(0, len(shown), 2)])
    scale = WIDTH_PX / grid.shape[1]
    grid = cv2.resize(grid, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    options.out.mkdir(exist_ok=True)
    cv2.imwrite(str(options.out / "demo.jpg"), grid, [cv2.IMWRITE_JPEG_QUALITY, 85])


def picture_at(path: Path, wanted_s: float) -> np.ndarray:
    """The picture (H, W, 3) of a video that is shown at a time."""
    return next(picture for time, picture in read_frames(path) if time >= wanted_s - 1e-6)


if __name__ == "__main__":
    main()
