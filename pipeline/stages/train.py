"""Training: one explicit loop for all methods.

Phases, schedules and loss weights are the method's data; the loop knows none of them. Every epoch
seeds all random numbers with (seed, epoch) and stores a checkpoint at its end, so that a killed
training resumes at its last epoch and ends with the same bits as an uninterrupted one (on the CPU).
Under torchrun, Slurm or MPI each process takes its share of every batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR, OneCycleLR

from ...models.body.familiar import comparable
from ...models.body.handedness import Handedness, judge_handedness
from ...models.method import Batch, Method, Phase, given
from ...models.networks.feet import FootLifter
from ...models.skeleton import SKELETONS
from ..arrays import Samples
from ..detectors.checkpoint import load_state_dict_safely
from ..errors import PosepipeError
from ..runtime.cache import Work, stage
from ..runtime.device import choose_device
from ..runtime.launcher import ALONE, Launch, together
from ..runtime.progress import Advance, progress
from ..settings import TrainModelSettings, method_class
from ..training.batches import NOTHING, OnDemand, SampleCrops, pick, pick_views, to_batch
from ..training.checkpoint import Checkpoint
from ..training.drawn_views import DrawnViews
from ..training.model_file import Model
from ..training.train_feet import train_feet
from ..training.training_set import TrainingSet
from ..training.windows import halves, windows_of

JUDGED_VIEWS, JUDGED_CROPS = 4096, 512
"""Numbers of training views whose predictions decide on handedness and teach feet, of 2D poses and of pictures."""
KNOWN_VIEWS = 1024
"""Views that a model keeps, to tell how unlike them a clip is."""

_BLOCK = 256
"""Views in memory at once, with their pictures or windows."""


def _versions(inputs: tuple[Any, ...], settings: TrainModelSettings) -> list[int]:
    """Those of the networks that are trained."""
    skeleton = SKELETONS[inputs[0].samples.skeleton]
    feet = [] if skeleton.body == skeleton else [FootLifter.version]
    return [method_class(settings.method).version, *feet]


@stage(version=3, distributed=True, networks=_versions)
def train_model(learnt_from: TrainingSet, settings: TrainModelSettings, *, work: Work) -> Model:
    """A method trained on a training set; feet that the samples show are learnt behind it (``models.networks.feet``).

    Raises:
        PosepipeError: no such device, a checkpoint that does not fit, a loss that is not finite, or handedness that
            stays undecided.
    """
    samples, body = learnt_from.samples, learnt_from.samples.body
    kind = method_class(settings.method)
    torch.manual_seed(settings.seed)
    method = kind(SKELETONS[body.skeleton], kind.Settings.model_validate(settings.options))
    if learnt_from.backbone is not None:
        _start_from(method, learnt_from.backbone.path)
    if learnt_from.prior is not None:
        method.start_from(Model.read(learnt_from.prior.path).state)
    pictures = None if learnt_from.crops is None else SampleCrops(samples, learnt_from.crops)
    half = torch.from_numpy(halves(samples))
    fused = learnt_from.reconstruction
    views = None if fused is None else DrawnViews(samples, fused, half, method.window)
    windows = windows_of(samples, method.window)
    more = OnDemand(pictures, windows, learnt_from.labelled, views, half)
    with together(settings.device) as launch:
        device = choose_device(settings.device)
        data = to_batch(body, learnt_from.rig, learnt_from.labels, device)
        losses = fit_method(method.to(device), data, settings.seed, work, launch, more)
    method.eval()
    parity, sample = _parities(method, data, more)
    handedness = _handedness(method, parity)
    return Model(
        method=settings.method,
        options=settings.options,
        skeleton=body.skeleton,
        state={name: value.cpu() for name, value in method.state_dict().items()},
        losses=losses,
        handedness=vars(handedness) | {"takes": _by_take(method, parity, samples.take[sample], samples.takes)},
        instants=len(samples.instant),
        recipe={},
        prior="none" if learnt_from.prior is None else "generic",
        window_step_s=None if more.windows is None or samples.time is None else more.windows.step,
        feet=_feet(method, data, more, samples, settings.seed),
        learnt_from=_learnt_from(method, data, views),
    )


def _handedness(method: Method, parity: np.ndarray) -> Handedness:
    """The handedness according to anatomy.

    Raises:
        PosepipeError: it is undecided, and the cameras do not decide it.
    """
    found = judge_handedness(parity, quotient=method.settles_handedness)
    if not method.mirror_fits:
        return replace(
            found, sentence=f"The cameras settle left and right, and anatomy checks them. {found.sentence}"
        )
    if found.verdict == "undecided":
        raise PosepipeError(f"training ended, but left and right were not told apart: {found.sentence}")
    return found


def _learnt_from(method: Method, data: Batch, views: DrawnViews | None) -> Tensor:
    """Some of the 2D poses (N, J, 2) float16 that it has seen, with which clips are compared.

    Half of them are drawn anew where the first phase learns from such views.
    """
    phase = method.phases()[0]
    drawn = KNOWN_VIEWS // 2 if views is not None and phase.filmed else 0
    sample, view = (data.confidence > 0).any(-1).cpu().nonzero(as_tuple=True)
    some = torch.linspace(0, len(sample) - 1, min(KNOWN_VIEWS - drawn, len(sample))).long()
    keypoint, confidence = (array.cpu()[sample[some], view[some]] for array in (data.keypoint, data.confidence))
    if views is not None and drawn:
        filmed = drawn * phase.filmed // (phase.filmed + phase.generic)
        more = views.draw(filmed, drawn - filmed, None)
        middle = method.window // 2
        keypoint = torch.cat([keypoint, more.keypoint[:, middle]])
        confidence = torch.cat([confidence, more.confidence[:, middle]])
    pose = comparable(keypoint.numpy(), confidence.numpy(), method.skeleton)
    return torch.from_numpy(pose[np.isfinite(pose).any((1, 2))]).half()


def _feet(method: Method, data: Batch, more: OnDemand, samples: Samples, seed: int) -> dict[str, Tensor] | None:
    """Weights of what places feet on the bodies that the method lifts, if the samples have feet."""
    skeleton = SKELETONS[samples.skeleton]
    if skeleton.body == skeleton:
        return None
    views = samples.confidence.shape[1]
    some = np.arange(0, len(samples.instant), _step(len(samples.instant) * views, more))
    keypoint, confidence = (torch.from_numpy(np.array(getattr(samples, name)[some])).to(data.rig.device)
                            for name in ("keypoint", "confidence"))  # fmt: skip
    row, view = (confidence > 0).any(-1).nonzero(as_tuple=True)
    joint = keypoint.new_full((*data.confidence[some].shape, 3), torch.nan)
    joint[row, view] = _predicted(method, data, more, torch.from_numpy(some).to(row.device)[row], view, "joint")
    return train_feet(skeleton, joint, keypoint, confidence, seed)


def _by_take(method: Method, parity: np.ndarray, take: np.ndarray, names: list[str]) -> dict[str, dict[str, float]]:
    """Mean magnitude of the parity, and shares of evident poses and of the majority's sign, by take."""
    found = {
        names[index]: judge_handedness(parity[take == index], method.settles_handedness)
        for index in np.unique(take).tolist()
    }
    return {
        name: {"margin": one.margin, "evident": one.evident, "majority": one.majority} for name, one in found.items()
    }


def _start_from(method: Method, checkpoint: Path) -> None:
    try:
        method.start_from(load_state_dict_safely(checkpoint))
    except ValueError as error:
        raise PosepipeError(f"checkpoint {checkpoint} does not fit train.backbone: {error}") from error


def fit_method(
    method: Method, data: Batch, seed: int, work: Work, launch: Launch = ALONE, more: OnDemand = NOTHING
) -> list[dict[str, Any]]:
    """Train all phases of a method, from the last stored epoch on; returns one row of losses per epoch.

    Pictures are read from the disk, and windows are cut, batch by batch.

    Raises:
        PosepipeError: a batch has fewer instants than there are processes.
    """
    learner, phases = _Learner(method, data, more, launch), method.phases()
    kept = work.parts(Checkpoint)
    history: list[dict[str, Any]] = []
    if kept:
        method.load_state_dict(kept[-1].method)
        history = list(kept[-1].losses)
    first = 0  # epoch of the history at which the phase begins
    for phase in phases:
        done, first = len(history) - first, first + phase.epochs
        if done >= phase.epochs:
            continue
        if phase.batch_size < launch.processes:
            raise PosepipeError(
                f"a batch of {phase.batch_size} instants is too small for {launch.processes} processes"
            )
        steps = max(math.ceil(len(learner.instants(phase)) / phase.batch_size), phase.min_steps)
        steps = min(steps, phase.max_steps or steps)
        descent = _Descent.of(method, phase, steps)
        if done:
            descent.optimizer.load_state_dict(kept[-1].optimizer)
            descent.schedule.load_state_dict(kept[-1].schedule)
        with progress(f"train {phase.name}", phase.epochs * steps) as advance:
            advance(done * steps)
            for epoch in range(done, phase.epochs):
                torch.manual_seed(seed * 1_000_003 + len(history))
                row = _epoch(learner, phase, epoch, descent, advance)
                history.append({"phase": phase.name, "epoch": epoch, **row})
                work.keep(Checkpoint.of(method, descent.optimizer, descent.schedule, history), instead=True)
    return history


@dataclass(frozen=True)
class _Learner:
    """A method, what it learns from, and the processes that train it."""

    method: Method
    data: Batch
    more: OnDemand
    launch: Launch

    def instants(self, phase: Phase) -> Tensor:
        """Indices (N) of the instants that a phase learns from."""
        if phase.half is None:
            return torch.arange(len(self.data.rig))
        found = (given(self.more.half, "halves of the footage") == phase.half).nonzero().flatten()
        if not len(found):
            raise PosepipeError("training takes two instants or more, of which one can be held out")
        return found

    def batches(self, phase: Phase, steps: int) -> Iterator[Batch]:
        """One batch per step: the share of this process in what all of them learn from."""
        own = slice(self.launch.rank, None, self.launch.processes)
        instants = self.instants(phase)
        for index in _shuffled(len(instants), phase.batch_size, steps):
            labelled = self.more.draw_labelled(phase.labelled)[own]
            batch = pick(self.data, instants[index[own]], self.more, labelled)
            yield replace(batch, drawn=self.more.draw_views(phase, own, self.data.rig.device))


@dataclass(frozen=True)
class _Descent:
    """Optimiser and schedule of a phase, and its number of steps per epoch."""

    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    steps: int

    @classmethod
    def of(cls, method: Method, phase: Phase, steps: int) -> Self:
        """Those of a phase."""
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[phase.optimizer]
        trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
        optimizer = kind(trained, lr=phase.learning_rate, weight_decay=phase.weight_decay, fused=True)
        schedule: LRScheduler
        if phase.schedule == "one_cycle":
            schedule = OneCycleLR(optimizer, phase.learning_rate, total_steps=phase.epochs * steps)
        else:
            schedule = MultiStepLR(optimizer, list(phase.milestones), gamma=0.1)
        return cls(optimizer, schedule, steps)


def _epoch(learner: _Learner, phase: Phase, epoch: int, descent: _Descent, advance: Advance) -> dict[str, float]:
    """One pass; mean of each loss term, their weighted total, and the learning rate at its end."""
    method, launch = learner.method, learner.launch
    optimizer, schedule, steps = descent.optimizer, descent.schedule, descent.steps
    method.train()
    weights = phase.weights_in(epoch)
    sums: dict[str, Tensor] = {}
    for batch in learner.batches(phase, steps):
        terms = method.losses(batch, phase)
        total = torch.stack([weight * terms[name] for name, weight in weights.items()]).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        _average([p.grad for p in method.parameters() if p.grad is not None], launch)
        optimizer.step()
        if isinstance(schedule, OneCycleLR):
            schedule.step()
        for name, value in {**terms, "total": total}.items():
            sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value.detach()
        advance(1)
    if not isinstance(schedule, OneCycleLR):
        schedule.step()
    _average(list(sums.values()), launch)
    means = {name: float(value) / steps for name, value in sums.items()}
    if not math.isfinite(means["total"]):
        raise PosepipeError(
            f"the loss of phase {phase.name!r} is no longer finite; "
            "lower train.learning_rate, or look for wrong keypoints"
        )
    return {**means, "learning_rate": float(schedule.get_last_lr()[0])}


def _shuffled(count: int, batch_size: int, steps: int) -> list[Tensor]:
    """Index batches of one epoch: as many passes over the shuffled instants as ``steps`` full batches need."""
    passes = [torch.randperm(count) for _ in range(math.ceil(steps * batch_size / count))]
    return list(torch.cat(passes)[: steps * batch_size].split(batch_size))


def _parities(method: Method, data: Batch, more: OnDemand) -> tuple[np.ndarray, np.ndarray]:
    """Parities (N) that the network itself shows on training views, spread evenly over them, and their samples."""
    sample, view = (data.confidence > 0).any(-1).nonzero(as_tuple=True)
    step = _step(len(sample), more)
    sample, view = sample[::step], view[::step]
    parity = _predicted(method, data, more, sample, view, "parity")
    return parity.cpu().numpy(), sample.cpu().numpy()


def _step(views: int, more: OnDemand) -> int:
    """One of how many views is looked at, where not all are needed."""
    return max(views // (JUDGED_VIEWS if more.pictures is None else JUDGED_CROPS), 1)


def _predicted(method: Method, data: Batch, more: OnDemand, sample: Tensor, view: Tensor, name: str) -> Tensor:
    """A field (N, ...) of what the method predicts for views (N) of samples (N)."""
    found = []
    for places in zip(sample.split(_BLOCK), view.split(_BLOCK), strict=True):
        with torch.no_grad():
            found.append(getattr(method.predict(pick_views(data, *places, more)), name))
    return torch.cat(found)


def _average(tensors: list[Tensor], launch: Launch) -> None:
    """Replace tensors by their mean over all processes."""
    if launch.processes > 1:
        for tensor in tensors:
            torch.distributed.all_reduce(tensor)
            tensor /= launch.processes
