"""Training gives the same bits whenever it is started, interrupted and resumed, and works in several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import posepipe.models
import pytest
import torch
from footage import seen
from posepipe.models.method import Batch, Method, MethodSettings, Phase, Prediction, View
from posepipe.pipeline.arrays import Samples
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runtime import launcher
from posepipe.pipeline.runtime.cache import Cache
from posepipe.pipeline.runtime.launcher import ALONE, Launch, this_launch, together
from posepipe.pipeline.settings import TrainModelSettings, method_class
from posepipe.pipeline.stages.train import train_model
from posepipe.pipeline.training.model_file import Model
from posepipe.pipeline.training.training_set import TrainingSet
from posepipe.pipeline.training.windows import halves

INSTANTS = 40
CANONPOSE = {"epochs": 3, "min_steps": 5, "batch_size": 16, "width": 32, "learning_rate": 0.01}


def samples() -> Samples:
    keypoint = np.stack([seen(camera, range(INSTANTS)) for camera in range(3)], 1)
    return Samples(
        keypoint=keypoint,
        confidence=np.full(keypoint.shape[:3], 0.9, np.float32),
        instant=np.arange(INSTANTS),
        take=np.zeros(INSTANTS, np.int64),
        rig=np.zeros(INSTANTS, np.int64),
        K=None,
        R=None,
        t=None,
        skeleton="h36m17",
        takes=["take"],
    )


class FakeSettings(MethodSettings):
    fail_at: int = -1
    """Step at which the loss is no longer finite."""
    parity: float = 1.0
    batch_size: int = 16
    schedule: str = "steps"
    weights: dict[str, float] = {"fit": 1.0}  # noqa: RUF012 - pydantic copies it
    ramp: float = 0.0


class FakeMethod(Method):
    """Two phases of a small regression with random draws, which ends in a known parity."""

    Settings = FakeSettings
    seen: list[tuple[str, int]] = []  # noqa: RUF012 - for tests to look at
    at_step: Callable[[int], None] = staticmethod(lambda step: None)

    def __init__(self, skeleton: Any, settings: FakeSettings) -> None:
        super().__init__(skeleton, settings)
        self.layer = torch.nn.Linear(2, 2)
        self.never = torch.nn.Parameter(torch.ones(1), requires_grad=False)

    def phases(self) -> tuple[Phase, ...]:
        options: dict[str, Any] = {
            "weights": self.settings.weights, "ramps": {"fit": self.settings.ramp}, "learning_rate": 0.1,
            "batch_size": self.settings.batch_size, "schedule": self.settings.schedule, "milestones": (1,),
        }  # fmt: skip
        first = Phase("first", self.settings.epochs, **options)
        second = Phase("second", 2, **options, optimizer="adamw", min_steps=7)
        return first, second, Phase("third", 1, **options, max_steps=2)

    def losses(self, batch: Batch, phase: Phase) -> dict[str, torch.Tensor]:
        step = len(self.seen)
        self.at_step(step)
        self.seen.append((phase.name, len(batch.rig)))
        error = self.layer(batch.keypoint / 100) - torch.randn(2)
        scale = float("nan") if step == self.settings.fail_at else 1.0
        return {"fit": error.square().mean() * scale, "monitored": error.abs().mean()}

    def predict(self, view: View) -> Prediction:
        count = len(view.keypoint)
        pose = torch.zeros(count, 17, 3)
        return Prediction(pose, pose, torch.zeros(count, 3, 3), torch.full((count,), self.settings.parity))


@pytest.fixture(autouse=True)
def fake_method(monkeypatch: pytest.MonkeyPatch) -> type[FakeMethod]:
    monkeypatch.setitem(posepipe.models.METHODS, "fake", f"{__name__}:FakeMethod")
    monkeypatch.setattr(FakeMethod, "seen", [])
    return FakeMethod


def train(folder: Path, method: str = "fake", seed: int = 0, **options: Any) -> Model:
    options = {**(CANONPOSE if method == "sure" else {"epochs": 3}), **options}
    settings = TrainModelSettings(method=method, seed=seed, options=options)
    return Cache(folder).run(train_model, TrainingSet(samples()), settings=settings)


def bits(model: Model) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state.items()}


@pytest.mark.parametrize("method", ["sure", "fake"])
def test_a_seed_gives_one_model_and_another_seed_another(method: str, tmp_path: Path) -> None:
    one, same, other = (train(tmp_path / name, method, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert bits(one) == bits(same)
    assert one.losses == same.losses
    assert bits(one) != bits(other)


def test_canonpose_learns_and_says_how(tmp_path: Path) -> None:
    model = train(tmp_path, "sure")
    assert [row["epoch"] for row in model.losses] == [0, 1, 2]
    assert {"phase", "epoch", "reprojection", "view", "camera", "total", "learning_rate"} <= set(model.losses[0])
    assert model.losses[-1]["total"] < model.losses[0]["total"]
    assert model.handedness["verdict"] in ("clear", "thin")
    assert (model.method, model.skeleton, model.instants) == ("sure", "h36m17", INSTANTS)
    assert all(torch.isfinite(value).all() for value in model.state.values())


def test_phases_run_in_order_with_their_own_steps_and_rates(fake_method: type[FakeMethod], tmp_path: Path) -> None:
    model = train(tmp_path)
    steps = [name for name, _ in fake_method.seen]
    # 40 instants in batches of 16; 7 steps at least; 2 steps
    assert steps == ["first"] * 9 + ["second"] * 14 + ["third"] * 2
    assert {size for _, size in fake_method.seen} == {16}
    assert [(row["phase"], row["epoch"]) for row in model.losses] == [
        ("first", 0), ("first", 1), ("first", 2), ("second", 0), ("second", 1), ("third", 0),
    ]  # fmt: skip
    np.testing.assert_allclose([row["learning_rate"] for row in model.losses], [0.01] * 6)
    assert "monitored" in model.losses[0]
    assert all(row["total"] == row["fit"] for row in model.losses)


def test_loss_terms_count_by_their_weights(tmp_path: Path) -> None:
    rows = train(tmp_path / "both", weights={"fit": 0.25, "monitored": 3.0}).losses
    totals = [0.25 * row["fit"] + 3 * row["monitored"] for row in rows]
    np.testing.assert_allclose([row["total"] for row in rows], totals, rtol=1e-5)
    alone, without, beside = (
        bits(train(tmp_path / str(weights), weights={"fit": 1.0, **weights}))
        for weights in ({}, {"monitored": 0.0}, {"monitored": 5.0})
    )
    assert alone == without != beside


def test_a_weight_that_grows_is_whole_after_its_share_of_the_epochs(tmp_path: Path) -> None:
    rows = train(tmp_path, epochs=4, ramp=0.75).losses
    grown = [row["total"] / row["fit"] for row in rows if row["phase"] == "first"]
    np.testing.assert_allclose(grown, [1 / 3, 2 / 3, 1, 1], rtol=1e-5)


def test_a_phase_learns_from_its_half_of_the_footage_only(
    fake_method: type[FakeMethod], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase, learnt = Phase("one half", 2, {"fit": 1.0}, batch_size=16, learning_rate=0.1, half=1), []

    def losses(self: FakeMethod, batch: Batch, phase: Phase) -> dict[str, torch.Tensor]:
        learnt.extend(batch.keypoint.numpy())
        return {"fit": self.layer(batch.keypoint / 100).square().mean()}

    monkeypatch.setattr(fake_method, "phases", lambda self: (phase,))
    monkeypatch.setattr(fake_method, "losses", losses)
    train(tmp_path)
    held = samples().keypoint[halves(samples()) == 1]
    assert {array.tobytes() for array in learnt} == {array.tobytes() for array in held}


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("schedule", ["steps", "one_cycle"])
@pytest.mark.parametrize("step", [0, 2, 3, 8, 9, 10, 16, 22])
def test_a_killed_training_ends_with_the_same_bits(
    step: int, schedule: str, fake_method: type[FakeMethod], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tmp_path / "whole", schedule=schedule)
    fake_method.seen.clear()

    def kill(now: int) -> None:
        if now == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(fake_method, "at_step", staticmethod(kill))
        with pytest.raises(Killed):
            train(tmp_path / "cut", schedule=schedule)
    fake_method.seen.clear()
    torch.manual_seed(12345)  # whatever happened to be drawn before
    resumed = train(tmp_path / "cut", schedule=schedule)
    assert bits(resumed) == bits(whole)
    assert resumed.losses == whole.losses
    lost = step % 3 if step < 9 else (step - 9) % 7  # only the epoch that was cut short
    assert len(fake_method.seen) == 25 - (step - lost)
    assert not list((tmp_path / "cut").rglob("*.parts"))


def test_canonpose_resumes_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from posepipe.models.methods.canonpose import CanonPose

    whole, losses, steps = train(tmp_path / "whole", "sure"), CanonPose.losses, 0

    def mortal(*args: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 9:
            raise Killed
        return losses(*args)

    with monkeypatch.context() as patch:
        patch.setattr(CanonPose, "losses", mortal)
        with pytest.raises(Killed):
            train(tmp_path / "cut", "sure")
    assert bits(train(tmp_path / "cut", "sure")) == bits(whole)


def test_more_epochs_start_anew_and_fewer_do_not_end_the_same(tmp_path: Path) -> None:
    assert bits(train(tmp_path, epochs=3)) != bits(train(tmp_path, epochs=4))
    assert len(list((tmp_path / "train_model").iterdir())) == 2


def test_a_loss_that_is_not_finite_is_said(tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match="the loss of phase 'second' is no longer finite"):
        train(tmp_path, fail_at=15)


def test_handedness_that_stays_undecided_is_refused_and_a_thin_one_is_stored(tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match="left and right were not told apart"):
        train(tmp_path, parity=0.001)
    clear = train(tmp_path, parity=0.2).handedness
    assert clear["verdict"] == "clear"
    assert clear["takes"] == {"take": pytest.approx({"margin": 0.2, "evident": 1, "majority": 1})}
    assert train(tmp_path, parity=-0.2).handedness["verdict"] == "mirrored"  # the method has no mirror quotient


def test_where_cameras_settle_handedness_nothing_is_refused(
    fake_method: type[FakeMethod], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_method, "mirror_fits", False)
    undecided = train(tmp_path, parity=0.001).handedness
    assert undecided["verdict"] == "undecided"
    assert undecided["sentence"].startswith("The cameras settle left and right, and anatomy checks them. ")


@pytest.mark.parametrize(
    ("method", "fits"), [("canonpose", True), ("cvsf", True), ("iqbal", True), ("epipolarpose", False), ("li", False)]
)
def test_methods_that_know_perspective_do_not_fear_the_mirror(method: str, fits: bool) -> None:
    assert method_class(method).mirror_fits == fits


def test_a_device_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = TrainModelSettings(method="fake", options={}, device="cuda:99")
    with pytest.raises(PosepipeError, match="device 'cuda:99' is not available here"):
        Cache(tmp_path).run(train_model, TrainingSet(samples()), settings=settings)


def test_missing_views_are_trained_around(tmp_path: Path) -> None:
    whole = samples()
    confidence, keypoint = whole.confidence.copy(), whole.keypoint.copy()
    confidence[::3, 1], keypoint[::3, 1] = 0, 0
    gappy = replace(whole, confidence=confidence, keypoint=keypoint)
    settings = TrainModelSettings(method="sure", options=CANONPOSE)
    model = Cache(tmp_path).run(train_model, TrainingSet(gappy), settings=settings)
    assert all(np.isfinite(row["total"]) for row in model.losses)


LAUNCHES = [
    ({}, ALONE),
    ({"RANK": "0", "WORLD_SIZE": "1"}, ALONE),
    ({"RANK": "1", "WORLD_SIZE": "2"}, Launch("pytorch", 1, 2)),
    ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}, Launch("slurm", 3, 4)),
    ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, ALONE),  # a batch script, outside of srun
    ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, Launch("mpi", 1, 2)),
]


@pytest.fixture
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM", "OMPI")) or name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(("environment", "launch"), LAUNCHES)
def test_each_launcher_is_recognised(
    environment: dict[str, str], launch: Launch, no_launcher: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert this_launch() == launch


def test_processes_that_do_not_know_where_to_meet_say_so(no_launcher: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with together("cpu") as launch:
        assert launch == ALONE
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    with pytest.raises(PosepipeError, match="set MASTER_ADDR"), together("cpu"):
        pass


def test_slurm_is_asked_where_to_meet(no_launcher: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node[7-8]")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PosepipeError, match=r"Slurm does not say .* set MASTER_ADDR"), together("cpu"):
        pass
    (tmp_path / "scontrol").write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames node[7-8]" ] && echo node7 && echo node8\n'
    )
    (tmp_path / "scontrol").chmod(0o755)
    assert launcher._first_host_of_slurm() == "node7"


TOGETHER = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
import torch
from test_train import CANONPOSE, samples
from posepipe.pipeline.runtime.cache import Cache
from posepipe.pipeline.runtime import launcher
from posepipe.pipeline.runtime.launcher import this_launch
from posepipe.pipeline.settings import TrainModelSettings, method_class
from posepipe.pipeline.stages.train import train_model
from posepipe.pipeline.training.training_set import TrainingSet
from posepipe.pipeline.training.windows import halves

torch.set_num_threads(1)
launch, out = this_launch(), Path(sys.argv[3])
cache = Cache(out / "cache", processes=launch.processes, rank=launch.rank)
settings = TrainModelSettings(method="sure", options=CANONPOSE, device="cpu")
model = cache.run(train_model, TrainingSet(samples()), settings=settings)
torch.save({"state": model.state, "losses": model.losses}, out / f"{launch.rank}.pt")
"""


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    script, here = tmp_path / "together.py", Path(__file__).parent
    script.write_text(TOGETHER)
    started = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--standalone")
    command = [sys.executable, *started, str(script), str(here), str(here.parents[1]), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first["state"][name], second["state"][name]) for name in first["state"])
    assert all(torch.isfinite(value).all() for value in first["state"].values())
    assert first["losses"] == second["losses"]
    assert len(first["losses"]) == CANONPOSE["epochs"]
    alone = train(tmp_path / "alone", "sure")
    assert first["losses"][0]["total"] == pytest.approx(alone.losses[0]["total"], rel=0.2)  # the same problem
    stored = [path.name for path in (tmp_path / "cache" / "train_model").iterdir()]
    assert len(stored) == 1  # one result, no parts
