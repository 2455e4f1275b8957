"""The upper bound: our own network, engine and schedule, trained with true 3D poses instead of other views.

It is no method of posepipe, which never trains on 3D; ``bench_accuracy`` gives it a row of its own.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from posepipe.models.geometry.geometry import normalise_keypoints, unit_norm
from posepipe.models.method import Batch, Phase, View, given
from posepipe.models.methods.canonpose import CanonPose
from posepipe.models.methods.losses import mean_where
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.footage.keypoint_file import open_keypoints
from posepipe.pipeline.runtime.cache import SourceFile, Work
from posepipe.pipeline.stages.import_arrays import read_keypoints
from posepipe.pipeline.stages.train import fit_method
from posepipe.pipeline.training.batches import to_batch
from torch import Tensor


class Supervised(CanonPose):
    """CanonPose's network with a loss on poses: mean joint distance of unit-norm poses in camera axes."""

    def phases(self) -> tuple[Phase, ...]:
        return tuple(replace(phase, weights={"pose": 1.0}) for phase in super().phases()[:1])

    def losses(self, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """Distances of predicted from true poses, both relative to the pelvis and of unit Frobenius norm."""
        batch = self.augment(batch)
        observed, seen = normalise_keypoints(batch.keypoint, batch.confidence, self.root)
        pose, R, _ = self.lift(observed, batch.confidence)
        predicted, true = pose @ R.mT, given(batch.label, "true poses")
        predicted = predicted - (self.root @ predicted)[..., None, :]
        distance = (unit_norm(predicted) - unit_norm(true)).norm(dim=-1).mean(-1)
        known = true.abs().amax((-1, -2)) > 0
        return {"pose": mean_where(distance, seen & known, (0, 1))}


@dataclass(frozen=True)
class Bound:
    """What the bound reaches."""

    joint: np.ndarray  # (S, V, 17, 3) root-relative poses of the test file, of any scale
    epochs: int


def upper_bound(train: Path, test: Path, options: dict[str, Any], seed: int, device: torch.device) -> Bound:
    """Train on a keypoint file with true poses, and predict every view of another.

    Args:
        options: settings of CanonPose.
    """
    torch.manual_seed(seed)
    settings = Supervised.Settings.model_validate(options | {"handedness": "none"})
    method = Supervised(H36M17, settings).to(device)
    samples = read_keypoints(SourceFile(train, ""), "h36m17", False, "")
    with open_keypoints(train) as file:
        true = file.array("joint_3d_cam", *samples.confidence.shape, 3)
        true = np.nan_to_num(true[..., file.joints(true.shape[2])[1], :].astype(np.float32))
    data = replace(to_batch(samples, None, None, device), label=torch.from_numpy(true).to(device))
    with tempfile.TemporaryDirectory() as folder:
        losses = fit_method(method, data, seed, Work(Path(folder)))
    method.eval()
    seen = read_keypoints(SourceFile(test, ""), "h36m17", False, "")
    views = [torch.from_numpy(np.array(array)).flatten(0, 1).to(device) for array in (seen.keypoint, seen.confidence)]
    joint = method.predict(View(*views)).joint.cpu().numpy()
    return Bound(joint.reshape(*seen.confidence.shape, 3), len(losses))
