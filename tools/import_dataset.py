"""Converts Human3.6M, MPI-INF-3DHP or SkiPose-PTZ, as their authors distribute them, into keypoint files.

    python tools/import_dataset.py h36m SOURCE --out data [--protocol canonpose] [--detections data_2d_h36m_*.npz]
    python tools/import_dataset.py h36m SOURCE --out data --protocol iqbal --videos
    python tools/import_dataset.py 3dhp SOURCE --out data [--cameras 0,2,4,7,8] [--videos]
    python tools/import_dataset.py skipose SOURCE --out data

writes ``<dataset>_train.npz`` and ``<dataset>_test.npz``, in metres and pixels, on the joints of H36M-17, for
``posepipe fit``, ``infer`` and ``evaluate``. ``--videos`` lays out the videos of Human3.6M or 3DHP as well, in
``OUT/<dataset>``, for methods that learn from pictures (``datasets.footage``). You need the data set and its licence.
Human3.6M and 3DHP's test files need extra packages: pip install -c constraints.txt '.[datasets]'.

Protocols of Human3.6M: canonpose (also cvsf) trains on subjects 5 to 8, epipolarpose, iqbal and li on 1 and 5 to 8;
all test on 9 and 11, every 64th frame. 3DHP: train on S1 to S8, test on the valid frames of TS1 to TS6 against
poses of one body height. SkiPose: its own split. Without ``--detections`` keypoints are the data set's own 2D,
which for Human3.6M and 3DHP are projections of the true 3D: upper bounds, not results. Such 2D and VideoPose3D's
archives have no confidences: all joints count as sure.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np

from tools.datasets import h36m_footage, mpi_inf_3dhp_footage
from tools.datasets.h36m import read_h36m
from tools.datasets.mpi_inf_3dhp import CHEST_CAMERAS, read_test, read_training
from tools.datasets.skipose import read_skipose

H36M_TRAINING = {
    "canonpose": (5, 6, 7, 8),
    "cvsf": (5, 6, 7, 8),
    "epipolarpose": (1, 5, 6, 7, 8),
    "iqbal": (1, 5, 6, 7, 8),
    "li": (1, 5, 6, 7, 8),
}
"""Training subjects of each paper; CanonPose reserves subject 1 for its skeleton morph."""
H36M_TEST = (9, 11)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        path = options.out / f"{options.dataset}_{split}.npz"
        arrays = read(options, split)
        np.savez(path, **{name: _plain(value) for name, value in arrays.items()})
        samples, views = arrays["keypoint"].shape[:2]
        print(f"{path}: {samples} samples of {views} view{'s' if views > 1 else ''}")
    if options.videos:
        out = options.out / options.dataset
        print(f"{out}: {lay_out(options, out)} videos")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["h36m", "3dhp", "skipose"])
    parser.add_argument("source", type=Path, help="folder of the data set")
    parser.add_argument("--out", type=Path, required=True, help="folder of the keypoint files")
    parser.add_argument("--protocol", choices=H36M_TRAINING, default="canonpose", help="Human3.6M: whose subjects")
    parser.add_argument("--detections", type=Path, help="Human3.6M: 2D poses, an archive as VideoPose3D writes them")
    parser.add_argument("--videos", action="store_true", help="Human3.6M, 3DHP: lay out the videos as well")
    parser.add_argument("--cameras", type=_numbers, default=CHEST_CAMERAS, help="3DHP: training cameras")
    parser.add_argument("--train-every", type=int, default=5, help="keep every n-th training frame")
    parser.add_argument("--test-every", type=int, default=64, help="Human3.6M: keep every n-th test frame")
    options = parser.parse_args(arguments)
    if options.videos and options.dataset == "skipose":
        parser.error("--videos is for h36m and 3dhp: SkiPose has pictures cut out around the skier")
    return options


def read(options: argparse.Namespace, split: str) -> dict[str, Any]:
    """Arrays of one split."""
    source, every = options.source, options.train_every
    if options.dataset == "skipose":
        return read_skipose(source, split)
    if options.dataset == "3dhp":
        return read_training(source, every, options.cameras) if split == "train" else read_test(source)
    if split == "train":
        return read_h36m(source, H36M_TRAINING[options.protocol], every, options.detections)
    return read_h36m(source, H36M_TEST, options.test_every, options.detections)


def lay_out(options: argparse.Namespace, out: Path) -> int:
    """Lay the data set's videos out as footage; returns how many there are."""
    if options.dataset == "3dhp":
        return mpi_inf_3dhp_footage.lay_out(options.source, out, options.cameras)
    return h36m_footage.lay_out(options.source, out, H36M_TRAINING[options.protocol], H36M_TEST, options.test_every)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _plain(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float64 else array


if __name__ == "__main__":
    main()
