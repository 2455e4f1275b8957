"""Measures the page of a long clip in Chromium: its size, when it shows the first picture, how smoothly it plays.

    python tools/page_speed.py demo_footage/heldout/cam5.mp4 --seconds 60

Plays a clip that `posepipe infer` has lifted again and again until it is that long, writes the page of it and opens
it. Prints megabytes of the page with and without its video, seconds until the first picture is on view and until the
video can be played (by the clock, and as processor time of the page's main thread, which other work on the machine
hardly changes), and, while it plays, poses shown per second and the share of time that the main thread is busy.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from posepipe.pipeline.arrays import Pose3D, array_fields
from posepipe.pipeline.exporters import exporter
from posepipe.pipeline.exporters.clip import Clip
from posepipe.pipeline.exporters.npz import read
from posepipe.pipeline.footage.sources import results_folder
from posepipe.pipeline.footage.video import probe, read_frames, write_video

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tools.browser import Page, find_chromium

PLAYED_S = 5
FIRST = """new Promise(done => new PerformanceObserver((list) => {
  const entry = list.getEntries().findLast((entry) => entry.element?.id === "video");
  if (entry) done(entry.startTime);
}).observe({type: "largest-contentful-paint", buffered: true}))"""
PLAY = f"""new Promise(done => {{
  const shown = new Set(), began = performance.now();
  byId("play").click();
  const look = () => {{
    shown.add(page.scene.frame);
    const seconds = (performance.now() - began) / 1000;
    if (seconds < {PLAYED_S}) requestAnimationFrame(look);
    else done(shown.size / seconds);
  }};
  requestAnimationFrame(look);
}})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, help="video, with the results of posepipe infer beside it")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        sys.exit("no chromium, chromium-browser or google-chrome is installed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "view.html")
        clip = looped(options.clip, options.seconds, Path(folder, "long.mp4"))
        exporter("view")(clip, path)
        with Page(chromium) as page:
            measure(page, path, clip)


def looped(source: Path, seconds: float, video: Path) -> Clip:
    """A clip and its poses, again and again."""
    clip = read([results_folder(source) / "poses.npz"])
    frames = round(seconds * float(clip.life_rate))
    order = np.arange(frames) % len(clip.time)
    pictures = [picture for _, picture in read_frames(source, probe(source))]
    write_video(video, Fraction(clip.rate), (pictures[frame] for frame in order))
    moment = np.arange(frames) / float(Fraction(clip.rate))
    people = tuple(replace(person, pose=repeated(person.pose, order, moment)) for person in clip.people)
    return replace(clip, people=people, video=video, video_time=moment, frames=probe(video))


def repeated(pose: Pose3D, order: np.ndarray, moment: np.ndarray) -> Pose3D:
    """Poses in another order."""
    arrays = {field.name: getattr(pose, field.name) for field in fields(pose) if field.name in array_fields(Pose3D)}
    return replace(
        pose, **{name: array[order] for name, array in arrays.items() if array is not None} | {"time": moment}
    )


def measure(page: Page, path: Path, clip: Clip) -> None:
    """Print what the page takes."""
    began = time.monotonic()
    page.open(path)
    page.wait_for("page.firstPicture", 120)
    waited, busy = time.monotonic() - began, page.busy_s()
    size, film = path.stat().st_size / 1e6, page.run("byId('film').textContent.length") / 1e6
    print(f"{len(clip.time)} poses: page of {size:.2f} MB, {size - film:.2f} MB without its video")
    print(f"first picture: {page.run(FIRST) / 1000:.2f} s by the clock")
    print(f"video can be played: {busy:.2f} s of the main thread, {waited:.2f} s by the clock")
    rate = page.run(PLAY)
    share = (page.busy_s() - busy) / PLAYED_S
    print(f"playing: {rate:.1f} of {float(clip.life_rate):.1f} poses per second, main thread busy {share:.0%}")


if __name__ == "__main__":
    main()
