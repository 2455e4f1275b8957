"""How long our CanonPose takes to be as accurate as the published recipe is in the end.

    python tools/recipe_race.py DATA [--scenario static4] [--epochs 33]

Trains recipe "published" (network, losses, batch, optimiser of the paper; the learning rate falls tenfold five
epochs before the end, as in the best schedule known for 33 epochs) and recipe "fast" with the same data, seed and
threads, one after the other, and scores both after every epoch on ``<scenario>_test.npz`` (which takes part in
nothing else; the clock stands still meanwhile). Prints both courses and the ratio of the times.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from posepipe.models.body.metrics import joint_errors
from posepipe.models.method import Batch, Phase, View
from posepipe.models.methods.canonpose import CanonPose, CanonPoseSettings
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.runtime.cache import SourceFile, Work
from posepipe.pipeline.stages.import_arrays import read_keypoints
from posepipe.pipeline.stages.train import fit_method
from posepipe.pipeline.training.batches import to_batch

_LAST_EPOCHS = 5
"""Epochs of the published recipe at a tenth of its learning rate."""


class Published(CanonPose):
    """The published recipe with a schedule for few epochs, and the quotient, so that both are right-handed."""

    def phases(self) -> tuple[Phase, ...]:
        return tuple(replace(phase, milestones=(phase.epochs - _LAST_EPOCHS,)) for phase in super().phases())


@dataclass(frozen=True)
class Moment:
    """Where a training stands after an epoch."""

    seconds: float
    """Processor time spent on training, on all threads together."""
    pmpjpe: float


class Clock(Work):
    """Stands for the store of a training: keeps nothing but times and scores."""

    def __init__(self, method: CanonPose, view: View, true: np.ndarray) -> None:
        super().__init__(Path())
        self.method, self.view, self.true = method, view, true
        self.moments: list[Moment] = []
        self._paused = 0.0
        self._began = time.process_time()

    def parts(self, kind: Any) -> list[Any]:
        """None: every training begins at its first epoch."""
        return []

    def keep(self, part: Any, *, instead: bool = False) -> None:
        """Score instead of storing; the clock stands still meanwhile."""
        stopped = time.process_time()
        self.method.eval()
        joint = self.method.predict(self.view).joint.double().numpy()
        pmpjpe = float(joint_errors(joint, self.true, "procrustes").mean())
        self.moments.append(Moment(stopped - self._began - self._paused, pmpjpe))
        name, epoch = type(self.method).__name__, len(self.moments)
        print(f"{name:10} epoch {epoch:3} {self.moments[-1].seconds:7.0f} s PMPJPE {pmpjpe:6.1f}", flush=True)
        self._paused += time.process_time() - stopped


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of <scenario>_train.npz and <scenario>_test.npz")
    parser.add_argument("--scenario", default="static4")
    parser.add_argument("--epochs", type=int, default=33, help="epochs of the published recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    train, _ = read(options.data / f"{options.scenario}_train.npz")
    test, true = read(options.data / f"{options.scenario}_test.npz")
    view = View(test.keypoint.flatten(0, 1), test.confidence.flatten(0, 1))
    ours = race(CanonPose, CanonPoseSettings(), train, view, true, options.seed)
    published = CanonPoseSettings(recipe="published", epochs=options.epochs)
    theirs = race(Published, published, train, view, true, options.seed)
    goal = theirs[-1]
    reached = next((moment for moment in ours if moment.pmpjpe <= goal.pmpjpe), None)
    print(f"published recipe: PMPJPE {goal.pmpjpe:.1f} after {goal.seconds:.0f} s of processor time")
    if reached is None:
        print(f"ours ends at {ours[-1].pmpjpe:.1f} after {ours[-1].seconds:.0f} s and does not reach it")
    else:
        share = reached.seconds / goal.seconds
        print(f"ours: PMPJPE {reached.pmpjpe:.1f} after {reached.seconds:.0f} s, {share:.3f} of that time")


def read(file: Path) -> tuple[Batch, np.ndarray]:
    """All samples of a keypoint file, and its true poses (S * V, J, 3) in mm, for scores only."""
    samples = read_keypoints(SourceFile(file, ""), "h36m17", True, "")
    with np.load(file, allow_pickle=False) as arrays:
        true = 1000 * arrays["poses_3d_cam"].astype(np.float64).reshape(-1, 17, 3)
    return to_batch(samples, None, None, torch.device("cpu")), true


def race(
    kind: type[CanonPose], settings: CanonPoseSettings, train: Batch, view: View, true: np.ndarray, seed: int
) -> list[Moment]:
    """Train, and say how accurate it was when."""
    torch.manual_seed(seed)
    method = kind(H36M17, settings)
    clock = Clock(method, view, true)
    fit_method(method, train, seed, clock)
    return clock.moments


if __name__ == "__main__":
    main()
