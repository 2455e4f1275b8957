"""Splits training footage for choosing settings, so that nothing is chosen on the test footage.

    python tools/hold_out.py DATA --out CHOICE
    python tools/bench_accuracy.py CHOICE --methods canonpose,canonpose+flip=false --seeds 1

Of ``<scenario>_train.npz``, the last subject in every third clip of each action becomes
``CHOICE/<scenario>_test.npz``; the other subjects in the other clips become ``CHOICE/<scenario>_train.npz``. So
neither person, clip nor rig is shared, as in the benchmark itself.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_PER_SAMPLE_OF = "subject_id"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of <scenario>_train.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder of the split")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.data.glob("*_train.npz")):
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        held_out = held_out_samples(arrays)
        for name, chosen in zip(("train", "test"), held_out, strict=True):
            np.savez(options.out / path.name.replace("_train", f"_{name}"), **pick(arrays, chosen))
            print(f"{path.name} -> {name}: {chosen.sum()} samples")


def held_out_samples(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the samples (S) that are trained on, and of those held out; some are neither."""
    subject, names = arrays["subject_id"], arrays["clip_name"]
    takes = defaultdict(list)  # action -> its clips
    for clip in sorted(set(names.tolist())):
        takes[clip.rsplit("_", 1)[0]].append(clip)
    third = {clip for clips in takes.values() if len(clips) > 1 for clip in clips[::3]}
    in_third = np.array([name in third for name in names.tolist()])[arrays["sequence_id"]]
    last = subject == subject.max()
    return ~last & ~in_third, last & in_third


def pick(arrays: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    """The chosen samples of all arrays that have samples; the others as they are."""
    count = len(arrays[_PER_SAMPLE_OF])
    return {name: array[chosen] if len(array) == count else array for name, array in arrays.items()}


if __name__ == "__main__":
    main()
