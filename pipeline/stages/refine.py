"""Training of the refinement unit, on pairs of lifted and true poses; off by default, as it needs true 3D poses."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from ...models.networks.refinement import RefinementUnit
from ...models.skeleton import SKELETONS
from ..arrays import TruePoses, ViewPoses
from ..errors import PosepipeError
from ..runtime.cache import Work, stage
from ..runtime.device import choose_device
from ..runtime.progress import progress
from ..settings import RefineModelSettings
from ..training.checkpoint import Checkpoint
from ..training.model_file import Model, network_versions

BATCH_SIZE = 64
LEARNING_RATE = 1e-3
STEPS_OF_A_RATE, DECAY = 100_000, 0.96
"""The learning rate is multiplied by ``DECAY`` every so many steps."""
MAX_GRADIENT = 1.0
KEEP_S = 30.0
"""Shortest time between two checkpoints, as each has 100 MB."""


@stage(version=1, networks=lambda *of: [RefinementUnit.version, *network_versions(*of)])
def refine_model(
    lifted: ViewPoses, true: TruePoses, model: Model, settings: RefineModelSettings, *, work: Work
) -> Model:
    """The model with a refinement unit that maps its lifted poses to the true ones.

    Settings of the optimiser are those of the released refiner (Kocabas et al., CVPR 2019).

    Args:
        lifted: poses from the model for the file of ``true``.

    Raises:
        PosepipeError: too few pairs, or no such device.
    """
    found, wanted = (torch.from_numpy(np.array(pose.body.joint)).flatten(0, 1) for pose in (lifted, true))
    known = (found.isfinite() & wanted.isfinite()).flatten(1).all(1)
    if known.sum() < BATCH_SIZE:
        raise PosepipeError(
            f"{true.source} has {int(known.sum())} poses that are both lifted and known; "
            f"the refinement unit needs {BATCH_SIZE} or more"
        )
    device = choose_device(settings.device)
    torch.manual_seed(settings.seed)
    unit = RefinementUnit(SKELETONS[true.skeleton].body).to(device)
    found, wanted = found[known].to(device), wanted[known].to(device)
    unit.standardise(found, wanted)
    losses = train_unit(unit, found, wanted, settings, work)
    return replace(
        model,
        losses=[*model.losses, *losses],
        refinement={name: value.cpu() for name, value in unit.state_dict().items()},
        supervision=f"3D poses of {true.source}" + (f", and {model.morph.supervision}" if model.morph else ""),
    )


def train_unit(
    unit: RefinementUnit, lifted: Tensor, true: Tensor, settings: RefineModelSettings, work: Work
) -> list[dict[str, Any]]:
    """Train on pairs of poses (N, J, 3), from the last kept epoch on; one row of losses per epoch."""
    optimizer = torch.optim.Adam(unit.parameters(), LEARNING_RATE)
    schedule = StepLR(optimizer, STEPS_OF_A_RATE, DECAY)
    rows: list[dict[str, Any]] = []
    if kept := work.parts(Checkpoint):
        unit.load_state_dict(kept[-1].method)
        optimizer.load_state_dict(kept[-1].optimizer)
        schedule.load_state_dict(kept[-1].schedule)
        rows = list(kept[-1].losses)
    since = time.monotonic()
    with progress("refine", settings.epochs) as advance:
        advance(len(rows))
        for epoch in range(len(rows), settings.epochs):
            torch.manual_seed(settings.seed * 1_000_003 + epoch)
            rows.append({"phase": "refinement", "epoch": epoch, **_epoch(unit, lifted, true, optimizer, schedule)})
            if time.monotonic() - since >= KEEP_S:
                work.keep(Checkpoint.of(unit, optimizer, schedule, rows), instead=True)
                since = time.monotonic()
            advance(1)
    return rows


def _epoch(
    unit: RefinementUnit, lifted: Tensor, true: Tensor, optimizer: torch.optim.Optimizer, schedule: StepLR
) -> dict[str, float]:
    """One pass; mean loss of each estimate, their sum, and the learning rate at its end."""
    unit.train()
    # A last batch of one has no deviation to norm by.
    batches = [index for index in torch.randperm(len(true)).split(BATCH_SIZE) if len(index) > 1]
    sums: dict[str, Tensor] = {}
    for index in batches:
        terms = unit.losses(lifted[index], true[index])
        terms["total"] = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        nn.utils.clip_grad_norm_(unit.parameters(), MAX_GRADIENT)
        optimizer.step()
        schedule.step()
        sums = {name: sums.get(name, 0) + value.detach() for name, value in terms.items()}
    means = {name: float(value) / len(batches) for name, value in sums.items()}
    return {**means, "learning_rate": float(schedule.get_last_lr()[0])}
