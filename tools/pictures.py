"""Makes the picture of the README from the demo's page of the clip that no training saw; needs Chromium.

make demo
python tools/pictures.py demo_footage --out docs
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import cv2

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tools.browser import Page, find_chromium

SIZE = (1280, 828)
PAGE = Path("heldout", "cam5_posepipe", "view.html")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path, help="folder of the demo")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--time", type=float, default=2.43, help="instant to show, s")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        sys.exit("no chromium, chromium-browser or google-chrome is installed")
    with tempfile.TemporaryDirectory() as folder, Page(chromium, SIZE) as page:
        page.open(options.footage / PAGE)
        page.wait_for("page.firstPicture")
        page.run(f"page.player.seek(page.player.nearest({options.time}))")
        page.wait_for("page.player.pictured === page.player.frame")
        page.screenshot(Path(folder) / "page.png")
        picture = cv2.imread(str(Path(folder) / "page.png"))
    options.out.mkdir(exist_ok=True)
    cv2.imwrite(str(options.out / "view.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
