"""Several people from end to end: whose poses are wanted, and who is who in the result files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from footage import RATE, FakeDetector, athlete, film, film_take, people_at, scene_cameras
from posepipe.pipeline.cli.options import everybody
from posepipe.pipeline.detectors import People
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runs import fit_takes
from posepipe.pipeline.runs import infer as inference
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.runs.infer import infer
from posepipe.pipeline.settings import Settings, load_settings
from quick_fit import QUICK

TIME = np.arange(60) / RATE
WALK = 0.5 * (TIME - 1.2)[:, None, None] * np.array([1.0, 0, 0])
SCENE = np.stack([athlete(TIME, 0) + WALK + [0, -0.3, 0], 0.8 * athlete(TIME, 1) - WALK + [0, 0.3, 0]], 1)
SEEN = np.stack([scene_cameras().project(SCENE[:, person]) for person in range(2)], 2)  # (T, V, person, 17, 2)


class CrowdDetector(FakeDetector):
    """Finds two people who cross, in an order that changes from picture to picture."""

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        for image in images:
            self.looked_at += 1
            camera, instant = self.number(image)
            both = SEEN[instant, camera]
            yield people_at(both[:: 1 if instant % 3 else -1].astype(np.float32))


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for module in (fit_takes, inference):
        monkeypatch.setattr(module, "choose_detector", lambda settings, device: CrowdDetector())
    return film_take(tmp_path / "crossing", 3, range(len(TIME)))


def person_of(poses: Path) -> tuple[str, int]:
    """The name in a result file, and which of the two people its 2D poses are in all frames."""
    camera = int(poses.parent.name.removeprefix("cam"))
    with np.load(poses) as file:
        error = np.linalg.norm(file["keypoint"][:, None] - SEEN[:, camera], axis=-1).mean(-1)
        shown = set(error.argmin(1).tolist())
        assert len(shown) == 1, "somebody else in between"
        return str(file["person"]), shown.pop()


def wanted(*overrides: str) -> Settings:
    return load_settings(overrides=[*QUICK, *overrides])


def test_everybody_has_a_name_that_is_the_same_person_in_every_file(crowd: Path) -> None:
    done = fit(crowd, settings=wanted("people.everybody=true"), exports=["npz", "csv"])
    found = [person_of(poses) for folder in done.results for poses in sorted(folder.glob("*.npz"))]
    assert len(found) == 6
    assert set(found) == {("person0", 0), ("person1", 1)}
    assert done.warnings == ()
    assert fit(crowd, settings=wanted("people.everybody=true"), exports=["npz", "csv"]).nothing_to_do

    clip = film(crowd.parent / "alone" / "cam3.mp4", 3, range(len(TIME)))
    made = infer(clip, model=done.model, out=clip.parent / "out" / "cam3", exports=["npz"])
    assert list(made.people) == ["person0", "person1"]
    assert {person_of(file) for file in made.files} == {("person0", 0), ("person1", 1)}
    overrides = {"people": {"person": 1, "everybody": False}}
    only = infer(clip, model=done.model, out=clip.parent / "one" / "cam3", exports=["npz"], overrides=overrides)
    assert [person_of(file) for file in only.files] == [("person1", 1)]

    athlete_only = fit(crowd, settings=wanted("people.person=1"), exports=["npz"])
    assert [person_of(folder / "poses.npz") for folder in athlete_only.results] == [("person1", 1)] * 3


def test_somebody_who_is_not_there_is_said(crowd: Path) -> None:
    with pytest.raises(PosepipeError, match="there is no person 2; the people found are 0 to 1"):
        fit(crowd, settings=wanted("people.person=2"))
    with pytest.raises(PosepipeError, match=r"people\.person = 'tallest'"):
        wanted("people.person=tallest")


def test_people_are_one_or_all() -> None:
    assert [everybody(said) for said in (None, "one", "all")] == [None, False, True]
    with pytest.raises(PosepipeError, match="--people some: say one, for the athlete only, or all"):
        everybody("some")
