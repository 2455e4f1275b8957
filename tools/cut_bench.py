"""Cuts scenarios of the benchmark: fewer cameras, fewer samples, or a split for choosing settings.

    python tools/cut_bench.py DATA --out CUT --cameras 1,3          # static4-cameras13, ski6-cameras13
    python tools/cut_bench.py DATA --out CUT --samples 750          # static4-samples750, ...: the first of them
    python tools/cut_bench.py DATA --out CHOICE --hold-out          # static4, ski6: nothing of the test data in it

Cameras and samples are taken from ``<scenario>_train.npz`` alone; the test data stay whole. Of what is held out, the
last subject in every third clip of each action becomes ``<scenario>_test.npz``, the other subjects in the other clips
``<scenario>_train.npz``: neither person, clip nor rig is shared, as in the benchmark itself. Settings are chosen so:

    python tools/bench_accuracy.py CHOICE --methods canonpose,canonpose+flip=false --seeds 1
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of <scenario>_train.npz and <scenario>_test.npz")
    parser.add_argument("--out", type=Path, required=True)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--cameras", type=lambda text: [int(number) for number in text.split(",")], help="1,2,...")
    how.add_argument("--samples", type=int, help="how many of the first")
    how.add_argument("--hold-out", action="store_true")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.data.glob("*_train.npz")):
        scenario = path.name.removesuffix("_train.npz")
        train = _read(path)
        if options.hold_out:
            chosen, held_out = split(train)
            parts = {"train": pick(train, chosen), "test": pick(train, held_out)}
        else:
            test = _read(path.with_name(f"{scenario}_test.npz"))
            if options.cameras:
                scenario += "-cameras" + "".join(map(str, options.cameras))
                try:
                    train = only_cameras(train, np.array(options.cameras) - 1)
                except ValueError as error:
                    print(f"{path}: {error}", file=sys.stderr)
                    continue
            else:
                scenario += f"-samples{options.samples}"
                train = pick(train, np.arange(len(train["subject_id"])) < options.samples)
            parts = {"train": train, "test": test}
        for name, arrays in parts.items():
            np.savez(options.out / f"{scenario}_{name}.npz", **arrays)
        print(scenario, *(f"{name}: {len(arrays['subject_id'])} samples" for name, arrays in parts.items()))


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def split(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the samples (S) that are trained on, and of those held out; some are neither."""
    subject, names = arrays["subject_id"], arrays["clip_name"]
    takes = defaultdict(list)  # action -> its clips
    for clip in sorted(set(names.tolist())):
        takes[clip.rsplit("_", 1)[0]].append(clip)
    third = {clip for clips in takes.values() if len(clips) > 1 for clip in clips[::3]}
    in_third = np.array([name in third for name in names.tolist()])[arrays["sequence_id"]]
    last = subject == subject.max()
    return ~last & ~in_third, last & in_third


def pick(arrays: Arrays, chosen: np.ndarray) -> Arrays:
    """The chosen samples of all arrays that have samples; the others as they are."""
    count = len(arrays["subject_id"])
    return {name: array[chosen] if len(array) == count else array for name, array in arrays.items()}


def only_cameras(arrays: Arrays, cameras: np.ndarray) -> Arrays:
    """The arrays with fewer views, of a benchmark's file or a data set's."""
    count, views = arrays["poses_2d" if "poses_2d" in arrays else "keypoint"].shape[:2]
    if cameras.max() >= views:
        raise ValueError(f"there is no camera {cameras.max() + 1} among {views}")
    return {
        name: array[:, cameras]
        if array.shape[:2] == (count, views)
        else array[cameras]
        if name == "image_size"
        else array
        for name, array in arrays.items()
    }


if __name__ == "__main__":
    main()
