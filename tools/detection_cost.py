"""What detection costs beyond decoding and the detector itself, and whether its memory stays flat.

    python tools/detection_cost.py time FOLDER              # stage against a bare loop, over all videos of a folder
    python tools/detection_cost.py memory CLIP --minutes 1 10

``time`` runs, in turn and several times, the bare loop (PyAV decode + the same detector) and the stage as `fit`
runs it (decode + detect + store), each in a process of its own, and prints the ratios of their wall times.
``memory`` repeats a clip up to the given lengths and prints the peak memory of detecting each.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import ffmpeg
import imageio_ffmpeg
from posepipe.pipeline.detectors.blazepose.detector import BlazePoseDetector
from posepipe.pipeline.footage.sources import videos_in
from posepipe.pipeline.runtime.cache import Cache, SourceFile
from posepipe.pipeline.settings import DetectSettings
from posepipe.pipeline.stages.detect import detect_poses
from posepipe.pipeline.stages.frames import extract_frames


def bare_loop(videos: list[Path]) -> None:
    """Decode and detect, and forget."""
    detector = BlazePoseDetector()
    for path in videos:
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for _ in detector.detect(frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)):
                pass


def stage(videos: list[Path]) -> None:
    """Decode, detect and store, as fit does."""
    detector = BlazePoseDetector()
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        for path in videos:
            video = SourceFile(path, str(path))
            frames = cache.run(extract_frames, video, False)
            cache.run(detect_poses, video, frames, detector, settings=DetectSettings())


def compare(folder: Path, runs: int) -> None:
    """Print wall times of both, and their ratios pair by pair."""
    ratios = []
    for number in range(runs + 1):
        seconds = {kind: child(kind, videos_in(folder))[0] for kind in ("bare", "stage")}
        if number == 0:
            continue  # warms the disk cache
        ratios.append(seconds["stage"] / seconds["bare"])
        print(
            f"bare loop {seconds['bare']:6.1f} s   stage {seconds['stage']:6.1f} s   ratio {ratios[-1]:.3f}",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.3f} (target: at most 1.15)")


def memory(clip: Path, minutes: list[float]) -> None:
    """Print the peak memory of detecting a clip repeated up to each length, at 1920x1080 and 30 frames/s."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for length in minutes:
            path = Path(folder) / f"{length:g}.mp4"
            (
                ffmpeg.input(str(clip), stream_loop=-1, t=length * 60)
                .output(str(path), vcodec="libx264", preset="ultrafast", r=30, an=None, loglevel="error",
                        vf="scale=1920:1080:force_original_aspect_ratio=decrease,pad=1920:1080:-1:-1")
                .run(cmd=imageio_ffmpeg.get_ffmpeg_exe())
            )  # fmt: skip
            seconds, peak = child("stage", [path])
            peaks.append(peak)
            print(f"{length:5g} min: peak {peak / 1e6:7.1f} MB, {seconds:7.1f} s", flush=True)
    print(f"largest to smallest: {max(peaks) / min(peaks):.3f} (target: at most 1.10)")


def child(kind: str, videos: list[Path]) -> tuple[float, int]:
    """Wall seconds and peak memory (bytes) of one kind of run in a process of its own."""
    command = [sys.executable, __file__, kind, *map(str, videos)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), int(peak)


def main() -> None:
    if sys.argv[1:2] in (["bare"], ["stage"]):
        began = time.perf_counter()
        {"bare": bare_loop, "stage": stage}[sys.argv[1]]([Path(video) for video in sys.argv[2:]])
        print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for_time = commands.add_parser("time")
    for_time.add_argument("folder", type=Path)
    for_time.add_argument("--runs", type=int, default=3)
    for_memory = commands.add_parser("memory")
    for_memory.add_argument("clip", type=Path)
    for_memory.add_argument("--minutes", type=float, nargs="+", default=[1, 10])
    options = parser.parse_args()
    if options.what == "time":
        compare(options.folder, options.runs)
    else:
        memory(options.clip, options.minutes)


if __name__ == "__main__":
    main()
