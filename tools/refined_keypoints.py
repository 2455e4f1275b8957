"""How much better 2D poses are once CVSF has refined them: joint detection rates, where the truth is known.

    python tools/refined_keypoints.py MODEL DATA.npz

MODEL is a model of method cvsf, DATA a keypoint file with several views and true 2D poses (``poses_2d_gt``). A joint
counts as detected within half a head, a tenth of the side of a square crop that the person fills to three quarters.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from posepipe.models.body.metrics import jdr
from posepipe.models.methods.cvsf import CVSF
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.footage.keypoint_file import open_keypoints
from posepipe.pipeline.runtime.cache import SourceFile
from posepipe.pipeline.stages.import_arrays import read_keypoints
from posepipe.pipeline.training.batches import pick, to_batch
from posepipe.pipeline.training.model_file import Model

PERSON = 0.75
"""Share of the crop's side that the larger side of the person takes up."""

_BLOCK = 256


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    options = parser.parse_args(arguments)
    method = Model.read(options.model).build()
    if not isinstance(method, CVSF):
        sys.exit(f"{options.model} is a model of {type(method).__name__}; only cvsf refines 2D poses")
    samples = read_keypoints(SourceFile(options.data, ""), "h36m17", None, "")
    with open_keypoints(options.data) as file:
        true = file.array("poses_2d_gt", *samples.confidence.shape, 2)[:, :, file.joints(len(H36M17.joints))[1]]
    data = to_batch(samples, None, None, torch.device("cpu"))
    blocks = torch.arange(len(data.rig)).split(_BLOCK)
    refined = np.concatenate([method.refine(pick(data, rows)).numpy() for rows in blocks])
    unsure = samples.confidence < method.settings.refine_below
    print(f"{'':24}{'all joints':>12}{'unsure':>12}")
    for name, keypoint in (("as detected", samples.keypoint), ("refined", refined)):
        print(f"{'JDR ' + name:24}{rate(keypoint, true):>12.1f}{rate(keypoint, true, unsure):>12.1f}")


def rate(keypoint: np.ndarray, true: np.ndarray, chosen: np.ndarray | None = None) -> float:
    """Joint detection rate (%) of keypoints (S, V, J, 2), of the chosen joints (S, V, J) or all."""
    side = np.ptp(true, axis=2).max(-1) / PERSON
    error = np.linalg.norm(keypoint - true, axis=-1)
    chosen = np.ones(error.shape, bool) if chosen is None else chosen
    return jdr(error[chosen][:, None], np.broadcast_to(side[..., None], error.shape)[chosen])


if __name__ == "__main__":
    main()
