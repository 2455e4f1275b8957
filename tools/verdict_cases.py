"""Cases for the verdict on clips: models that are trained briefly, and seconds of footage that they are tried on."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from posepipe.models.body.metrics import complete, joint_errors
from posepipe.pipeline import PosepipeError, fit, infer, load_settings
from posepipe.pipeline.arrays import ViewPoses
from posepipe.pipeline.settings import method_class
from posepipe.pipeline.stages.judge import Evidence, evidence_of, seconds_of

log = logging.getLogger("posepipe")

Array = NDArray[np.float64]

FEWEST = 5
"""Frames of a second that counts."""
RATE_HZ = 50.0
"""Of ``frame_index``."""
SEQUENCES = 3
"""Sequences of a session that a model is tried on."""

QUICK = {
    "epochs": 10, "min_steps": 36, "width": 256, "batch_size": 32, "canonpose_epochs": 16, "steps": 120,
    "instants": 0, "window": 9,
}  # fmt: skip
"""Settings of a training of a minute, as far as a method knows them."""
OF_STUDENT = {"epochs": 2, "batch_size": 16}
"""The same where ``steps`` says how long an epoch is."""


@dataclass(frozen=True)
class Recipe:
    """What a model is trained on, and how."""

    method: str
    scenario: str
    session: int
    views: tuple[int, ...]
    sequences: int
    actions: tuple[str, ...] = ()
    """All if there are none."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the method."""

    @property
    def name(self) -> str:
        words = (self.method, self.scenario, f"s{self.session}", *self.actions)
        parts = (
            f"v{''.join(map(str, self.views))}",
            f"n{self.sequences}",
            *(f"{k}{v}" for k, v in self.more.items()),
        )
        return "-".join((*words, *parts))


LONGER = {"epochs": 24, "min_steps": 60}
ALL4, ALL6 = (0, 1, 2, 3), (0, 1, 2, 3, 4, 5)
RECIPES = (
    Recipe("canonpose", "static4", 0, ALL4, 15, more=LONGER),
    Recipe("canonpose", "static4", 1, ALL4, 15, more=LONGER),
    Recipe("canonpose", "static4", 0, ALL4, 12),
    Recipe("canonpose", "static4", 1, (0, 1, 2), 4, ("jumping",)),
    Recipe("canonpose", "ski6", 0, ALL6, 12, more=LONGER),
    Recipe("canonpose", "ski6", 1, (0, 1, 2), 5, ("walking",)),
    Recipe("canonpose", "static4", 2, (1, 2, 3), 8, ("basketball",)),
    Recipe("canonpose", "static4", 2, (0, 2), 2, ("walking", "stroll")),
    Recipe("posepipe", "static4", 0, ALL4, 12),
    Recipe("posepipe", "static4", 1, (0, 1, 3), 12),
    Recipe("posepipe", "ski6", 0, ALL6, 12),
    Recipe("posepipe", "ski6", 1, (0, 2, 4), 8),
    Recipe("posepipe", "static4", 2, (1, 2, 3), 8, ("basketball",)),
    Recipe("posepipe", "static4", 1, (0, 1, 2), 4, ("jumping",)),
    Recipe("posepipe", "ski6", 1, (0, 2, 4), 4, ("soccer",)),
    Recipe("posepipe", "static4", 2, (0, 1, 2, 3), 2, ("walking",)),
)
"""Their neighbours, of which one chooses and the other checks, are of one kind."""
TRIED = {"static4": ALL4, "ski6": (0, 2, 5)}
"""Views of the scenarios on which models are tried."""


class Cases(NamedTuple):
    """Seconds of footage (N), each lifted by one model."""

    model: NDArray[np.str_]
    footage: NDArray[np.str_]
    error: Array
    """Median NMPJPE in mm."""
    evidence: Evidence
    """Medians of the second."""

    def where(self, mask: NDArray[np.bool_]) -> Cases:
        """Some of them."""
        some = Evidence(*(values[mask] for values in self.evidence))
        return Cases(self.model[mask], self.footage[mask], self.error[mask], some)

    @staticmethod
    def together(parts: Sequence[Cases]) -> Cases:
        """All of some."""
        evidence = Evidence(*(np.concatenate(each) for each in zip(*(part.evidence for part in parts), strict=True)))
        model, footage, error = (np.concatenate([part[place] for part in parts]) for place in range(3))
        return Cases(model, footage, error, evidence)


def trained_models(data: Path, runs: Path, count: int) -> Iterator[tuple[int, str, Path]]:
    """Numbers, names and files of the models of the recipes that can be trained; what is trained stays so."""
    for number, recipe in enumerate(RECIPES[:count]):
        folder = runs / recipe.name
        footage = written(
            data, recipe.scenario, folder / "footage.npz", recipe.views, session_rows(data, recipe), known=False
        )
        fields = method_class(recipe.method).Settings.model_fields
        quick = QUICK | (OF_STUDENT if "steps" in fields else {}) | recipe.more
        said = [f"train.{name}={value}" for name, value in quick.items() if name in fields]
        static = "true" if recipe.scenario == "static4" else "false"
        more = [f"train.method={recipe.method}", f"train.seed={number}", "fuse.enabled=false", "device=cpu"]
        settings = load_settings(overrides=[*said, *more, f"samples.static_cameras={static}"])
        try:
            made = fit(footage, out=folder / "fit", settings=settings, until="train")
        except PosepipeError as error:
            log.warning("%s: %s", recipe.name, error)
            continue
        if made.model is not None:
            yield number, recipe.name, made.model


def session_rows(data: Path, recipe: Recipe) -> NDArray[np.bool_]:
    """The samples of a scenario that a recipe trains on."""
    return chosen_rows(data, recipe.scenario, recipe.session, recipe.sequences, recipe.actions)


def chosen_rows(
    data: Path, scenario: str, session: int, count: int, actions: Sequence[str] = (), first: int = 0
) -> NDArray[np.bool_]:
    """Samples of some sequences of a session, spread over it, perhaps of some actions only."""
    with np.load(data / f"{scenario}_train.npz") as file:
        sequence, subject, name = file["sequence_id"], file["subject_id"], file["clip_name"]
    there = np.unique(sequence[subject == session])
    there = [each for each in there if not actions or name[each].rsplit("_", 1)[0] in actions]
    step = max(1, len(there) // count)
    return np.isin(sequence, there[first % step :: step][:count])


def written(
    data: Path,
    scenario: str,
    path: Path,
    views: Sequence[int],
    rows: NDArray[np.bool_],
    known: bool,
    roll_deg: float = 0.0,
) -> Path:
    """A keypoint file of some samples and views of a scenario.

    Args:
        known: whether it says the intrinsics.
        roll_deg: by which the pictures are turned about their middle.
    """
    with np.load(data / f"{scenario}_train.npz") as file:
        all_names, (names, take) = file["clip_name"], np.unique(file["sequence_id"][rows], return_inverse=True)
        size = file["image_size"][list(views)]
        angle = np.radians(roll_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = size[:, None] / 2
        pose = np.array(file["poses_3d_cam"][rows][:, list(views)])
        pose[..., :2] = pose[..., :2] @ turn.T
        content = {
            "poses_2d": ((file["poses_2d"][rows][:, list(views)] - middle) @ turn.T + middle).astype(np.float32),
            "confidences": file["confidences"][rows][:, list(views)],
            "poses_3d_cam": pose.astype(np.float32),
            "joint_names": file["joint_names"],
            "image_size": size,
            "sequence_id": take,
            "frame_index": file["frame_index"][rows],
            "time": file["frame_index"][rows] / RATE_HZ,
            "rig": file["subject_id"][rows] if scenario == "static4" else np.full(rows.sum(), -1),
            "clip_name": np.array([f"{all_names[name]}_{name}" for name in names]),
        }
        if known:
            content["camera_K"] = file["camera_K"][rows][:, list(views)]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **content)
    return path


def tries(data: Path, runs: Path, model: Path, name: str, session: int) -> Cases:
    """A model on a session of both scenarios, as they are and in pictures that are turned."""
    rng, found = np.random.default_rng(zlib.crc32(f"{name} {session}".encode())), []
    for scenario, views in TRIED.items():
        for turned in (False, True):
            angle = float(rng.choice([-1, 1]) * rng.uniform(30, 180)) if turned else 0.0
            first, known = int(rng.integers(1000)), bool(rng.integers(2))
            rows = chosen_rows(data, scenario, session, 1 if turned else SEQUENCES, first=first)
            footage = f"{scenario}{' turned' if turned else ''}"
            place = runs / "tries" / f"{zlib.crc32(name.encode()):08x}" / f"{footage.replace(' ', '-')}-{session}"
            shown = written(data, scenario, place / "footage.npz", views, rows, known, angle)
            lifted = infer(shown, model=model, out=place / "lifted", exports=(), device="cpu").pose
            assert isinstance(lifted, ViewPoses)  # noqa: S101 - of a keypoint file
            with np.load(shown) as file:
                true = 1000 * file["poses_3d_cam"].astype(float)
            found.append(cases_of(lifted, true, name, footage))
    return Cases.together(found)


def cases_of(lifted: ViewPoses, true: Array, model: str, footage: str) -> Cases:
    """Every second of every view.

    Args:
        true: (S, V, J, 3) mm.
    """
    errors, evidence = [], []
    time = np.asarray(lifted.time)
    for take in np.unique(lifted.take):
        members = np.flatnonzero(lifted.take == take)
        members = members[np.argsort(time[members])]
        for view in range(true.shape[1]):
            pose = lifted.of_view(members, view, np.zeros((*lifted.confidence[members, view].shape, 2), np.float32))
            joint = np.asarray(pose.joint_raw, np.float64)
            error = np.full(len(joint), np.nan)
            there = complete(joint)
            if there.any():
                error[there] = joint_errors(joint[there], true[members, view][there], "scale").mean(1)
            of_frames = evidence_of(pose)
            for second in seconds_of(pose.time):
                if there[second].sum() >= FEWEST:
                    errors.append(float(np.nanmedian(error[second])))
                    evidence.append([median_of(values[second]) for values in of_frames])
    columns = np.array(evidence, float).reshape(-1, len(Evidence._fields)).T
    return Cases(np.full(len(errors), model), np.full(len(errors), footage), np.array(errors), Evidence(*columns))


def median_of(values: Array) -> float:
    """Median of the values (N) that are known; NaN of none."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan
