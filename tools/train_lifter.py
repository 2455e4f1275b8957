"""Trains the generic lifter, which lifts footage that it has never seen: on motion capture and on drawn poses.

    python tools/train_lifter.py MOTIONS... --out FOLDER [--without NAME...] [--steps 20000]

MOTIONS are folders of .npz files, or such files: ``joints`` (T, 17 or 21, 3) in m, z up, joints of H36M-17 (with
heels and big toes last), and ``fps``, 50 if missing. docs/generic_model.md says where those of the model that comes
with posepipe are from. Clips named by --without are not read. Every step sees movements, limbs, bodies, cameras and
errors of detectors that no other step has (``posepipe.models.synthesis``); the losses are those of the method
posepipe. Every twelfth clip is left out of training, and its errors calibrate those that the network expects.

Writes FOLDER/h36m17.pt, in float16, for pipeline/training/generic, where generic_lifter.py says its digest. A
training that was stopped goes on from FOLDER/checkpoint.pt.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from posepipe.models.geometry.geometry import rotation_towards
from posepipe.models.method import View, Window
from posepipe.models.methods.posepipe import Posepipe, PosepipeSettings
from posepipe.models.networks.feet import FootLifter
from posepipe.models.networks.precision import Precision
from posepipe.models.skeleton import H36M17, H36M17_FEET
from posepipe.models.synthesis.clips import Clips
from posepipe.models.synthesis.drawn_poses import drawn_poses
from posepipe.models.synthesis.draws import uniform
from posepipe.models.synthesis.views import Footage, Synthesis, TrainingViews
from posepipe.pipeline.training.generic_lifter import SUPERVISION, WINDOW_STEP_S
from posepipe.pipeline.training.model_file import Model
from torch import Generator, Tensor

WINDOW, BATCH = 27, 128
FASTEST_S, SLOWEST_S = 0.02, 0.09
"""Time between two frames of a window: steps of all footage from 50 to 11 frames a second."""
DRAWN = 0.4
"""Share of windows with drawn poses."""
STORED, RENEWED_EVERY = 4096, 4
"""Filmed windows that are kept, and after how many steps a batch of them is replaced: what costs most is used several
times, with detections that are drawn anew."""
LEFT_OUT_EVERY = 12
CALIBRATION_STEPS, CALIBRATION_RATE = 120, 0.05
FOOT_VIEWS, FOOT_STEPS, FOOT_RATE = 60, 2000, 3e-3
START_RATE = 0.5
"""Share of the learning rate of a training that starts from another."""
REPORTED_EVERY, SAVED_EVERY = 250, 500


@dataclass(frozen=True)
class Motions:
    """Clips of motion capture."""

    joint: Tensor  # (frames, J, 3) m, z up, one clip behind the other
    clips: Clips

    @classmethod
    def of(cls, files: Sequence[Path], joints: int) -> Motions:
        """The first joints of the clips that have so many."""
        poses, rates = [], []
        for path in files:
            with np.load(path) as content:
                if content["joints"].shape[1] >= joints:
                    poses.append(torch.from_numpy(content["joints"][:, :joints].astype(np.float32)))
                    rates.append(float(content["fps"]) if "fps" in content else 50.0)
        return cls(torch.cat(poses), Clips([len(pose) for pose in poses], rates))

    def windows(self, chance: Generator, count: int) -> Tensor:
        """Windows (count, W, J, 3) at any step."""
        low, high = np.log(FASTEST_S), np.log(SLOWEST_S)
        return self.joint[self.clips.windows(chance, WINDOW, uniform(chance, count, low=low, high=high).exp())]


class Store:
    """Filmed windows, some of which are replaced by new ones every few steps."""

    def __init__(self, chance: Generator, synthesis: Synthesis, motions: Motions, drawn: float) -> None:
        self.chance, self.synthesis, self.motions, self.drawn = chance, synthesis, motions, drawn
        parts = [self._film(BATCH) for _ in range(STORED // BATCH)]
        self.footage = Footage(*(torch.cat(part) for part in zip(*parts, strict=True)))
        self.steps = 0

    def views(self) -> TrainingViews:
        """Some of the windows as a detector shows them."""
        if self.steps % RENEWED_EVERY == 0:
            first = self.steps // RENEWED_EVERY * BATCH % STORED
            for kept, fresh in zip(self.footage, self._film(BATCH), strict=True):
                kept[first : first + BATCH] = fresh
        self.steps += 1
        some = torch.randint(STORED, (BATCH,), generator=self.chance)
        return self.synthesis.detect(self.chance, Footage(*(part[some] for part in self.footage)))

    def _film(self, count: int) -> Footage:
        drawn = round(self.drawn * count)
        recorded = self.motions.windows(self.chance, count - drawn)
        joint = torch.cat([recorded, drawn_poses(self.chance, drawn, WINDOW)[:, :, : recorded.shape[2]]])
        return self.synthesis.film(self.chance, self.synthesis.exchange(self.chance, joint))


def train(method: Posepipe, store: Store, steps: int, out: Path, start: Path | None) -> None:
    """Train the student on views that are drawn anew at every step, or go on with that.

    Args:
        start: checkpoint of an earlier training whose weights it starts from.
    """
    phase = method.phases()[0]
    rate = phase.learning_rate
    if start is not None:
        method.lifter.load_state_dict(torch.load(start, weights_only=True)["lifter"])
        rate *= START_RATE
    optimizer = torch.optim.AdamW(method.lifter.parameters(), rate, weight_decay=phase.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    kept, first = out / "checkpoint.pt", 0
    if kept.exists():
        content = torch.load(kept, weights_only=True)
        first = content["step"]
        method.lifter.load_state_dict(content["lifter"])
        optimizer.load_state_dict(content["optimizer"])
        schedule.load_state_dict(content["schedule"])
        store.chance.manual_seed(first)
        print(f"goes on after {first} steps")
    method.train()
    began, sums, count = time.monotonic(), dict.fromkeys(("pose", "shape", "distance"), 0.0), 0
    for step in range(first, steps):
        terms = method.losses(store.views().batch(), phase)
        optimizer.zero_grad(set_to_none=True)
        sum(weight * terms[name] for name, weight in phase.weights.items()).backward()
        optimizer.step()
        schedule.step()
        sums, count = {name: total + float(terms[name].detach()) for name, total in sums.items()}, count + 1
        done = step + 1
        if done % REPORTED_EVERY == 0 or done == steps:
            told = ", ".join(f"{name} {total / count:.4f}" for name, total in sums.items())
            print(f"{done}: {told}, {time.monotonic() - began:.0f} s", flush=True)
            sums, count = dict.fromkeys(sums, 0.0), 0
        if done % SAVED_EVERY == 0 or done == steps:
            state = {"step": done, "lifter": method.lifter.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state | {"schedule": schedule.state_dict()}, kept)


def calibrate(method: Posepipe, store: Store) -> None:
    """Learn how much larger errors are on motions that training left out than the network expects."""
    method.uncertainty.load_state_dict(method.lifter.state_dict())
    phase = method.phases()[-1]
    optimizer = torch.optim.Adam([method.calibration], CALIBRATION_RATE)
    method.eval()
    for _ in range(CALIBRATION_STEPS):
        loss = method.losses(store.views().batch(), phase)["pose"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def train_feet(method: Posepipe, store: Store) -> FootLifter:
    """What places feet, learnt on bodies that the network lifts."""
    lifter = FootLifter(H36M17_FEET)
    body, parts = len(H36M17.joints), []
    for _ in range(FOOT_VIEWS):
        views = store.views()
        middle = WINDOW // 2
        window = Window(views.keypoint[:, :, :body], views.confidence[:, :, :body])
        lifted = method.predict(View(window.keypoint[:, middle], window.confidence[:, middle], window=window)).joint
        keypoint, confidence = views.keypoint[:, middle], views.confidence[:, middle]
        joint, offset, trust = lifter.observe(lifted, keypoint, confidence)
        unit = store.synthesis.bodies.bone_length(views.pose)[:, None, None]
        true = views.pose / unit
        R = rotation_towards(true[:, :body], joint)
        target = (true[:, body:] - true[:, lifter.ankles]) @ R.mT
        there = lifted.isfinite().all(-1).all(-1)
        parts.append(tuple(part[there] for part in (joint, offset, trust, target)))
    known = tuple(torch.cat(part) for part in zip(*parts, strict=True))
    optimizer = torch.optim.AdamW(lifter.parameters(), FOOT_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, FOOT_RATE, total_steps=FOOT_STEPS)
    for _ in range(FOOT_STEPS):
        some = torch.randint(len(known[0]), (BATCH,), generator=store.chance)
        loss = lifter.loss(*(part[some] for part in known))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    print(f"feet: {float(loss.detach()):.3f} mean bone lengths off their ankles", flush=True)
    return lifter


def generic_model(method: Posepipe, feet: FootLifter) -> Model:
    """A trained generic lifter as a model, in half precision.

    Args:
        method: trained and calibrated; the lifter's own spread stands in for that of the uncertainty.
        feet: what adds feet to its bodies.
    """
    state = {name: value.half() for name, value in method.state_dict().items() if not name.startswith("uncertainty.")}
    own = {name: value for name, value in state.items() if name.startswith("lifter.")}
    state |= {name.replace("lifter.", "uncertainty.", 1): value for name, value in own.items()}  # one in the file
    return Model(
        method="posepipe",
        options=method.settings.model_dump(mode="json", include={"window", "width"}),  # the rest is of training
        skeleton=method.skeleton.name,
        state=state,
        losses=[],
        handedness={"verdict": "clear"},
        instants=0,
        recipe={},
        window_step_s=WINDOW_STEP_S,
        supervision=SUPERVISION,
        feet={name: value.half() for name, value in feet.state_dict().items()},
    )


def motion_files(places: Sequence[Path], without: Sequence[str]) -> Iterator[Path]:
    """Files of motions, in folders or named one by one, but for those of these names."""
    for place in places:
        files = sorted(place.glob("*.npz")) if place.is_dir() else [place]
        yield from (path for path in files if path.stem not in without)


def main() -> None:
    """Train, calibrate, learn feet, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motions", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--without", nargs="*", default=[], help="names of clips, without .npz")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--start", type=Path, help="checkpoint.pt of an earlier training, to start from its weights")
    parser.add_argument("--width", type=int, default=PosepipeSettings().width)
    parser.add_argument("--drawn", type=float, default=DRAWN, help="share of windows with drawn poses")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="bf16 where it is faster")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    made = make(
        args.motions,
        args.out,
        args.without,
        args.steps,
        args.width,
        args.drawn,
        args.precision,
        args.seed,
        args.start,
    )
    print(f"{made}: {made.stat().st_size / 1e6:.1f} MB, SHA-256 {sha256(made.read_bytes()).hexdigest()}")


def make(
    places: Sequence[Path], out: Path, without: Sequence[str], steps: int, width: int, drawn: float,
    precision: Precision, seed: int, start: Path | None = None,
) -> Path:  # fmt: skip
    """Train the lifter and write it to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    files = list(motion_files(places, without))
    held = files[LEFT_OUT_EVERY // 2 :: LEFT_OUT_EVERY]
    seen = [path for path in files if path not in held]
    method = Posepipe(H36M17, PosepipeSettings(window=WINDOW, width=width, precision=precision))
    body, synthesis = len(H36M17.joints), Synthesis(H36M17)
    train(method, Store(chance, synthesis, Motions.of(seen, body), drawn), steps, out, start)
    calibrate(method, Store(chance, synthesis, Motions.of(held, body), 0.0))
    print(f"errors are {method.calibration.exp().mean():.2f} times as large on {len(held)} clips left out")
    with_feet = Motions.of(seen, len(H36M17_FEET.joints))
    feet = train_feet(method, Store(chance, Synthesis(H36M17_FEET), with_feet, 0.5))
    path = out / f"{H36M17.name}.pt"
    generic_model(method, feet).write(path)
    return path


if __name__ == "__main__":
    main()
