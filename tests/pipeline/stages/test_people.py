"""Several people from end to end: whose poses are wanted, and who is who in the result files."""

from __future__ import annotations

import re
import shutil
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
from posepipe.pipeline.runs.people import sheet
from posepipe.pipeline.runs.people.sheet import show_people
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
    for module in (fit_takes, inference, sheet):
        monkeypatch.setattr(module, "choose_detector", lambda settings, device: CrowdDetector())
    return film_take(tmp_path / "crossing", 3, range(len(TIME)))


def person_of(poses: Path) -> tuple[str, int]:
    """The name in a result file, and which of the two people its 2D poses are in all frames."""
    camera = int(poses.parent.name.removeprefix("cam"))
    with np.load(poses) as file:
        keypoint = file["keypoint"][:, :17]  # the detector finds no feet
        error = np.linalg.norm(keypoint[:, None] - SEEN[:, camera], axis=-1).mean(-1)
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


def place_of(person: int, camera: int = 1, instant: int = 10) -> str:
    """Where somebody is in a camera's picture, in words."""
    x, y = SEEN[instant, camera, person].mean(0)
    return f"{instant / RATE:.2f}s:{max(x, 0):.0f},{max(y, 0):.0f}"


def test_somebody_is_chosen_by_where_they_are(crowd: Path) -> None:
    for person in range(2):
        done = fit(crowd, settings=wanted(f"people.person=cam1@{place_of(person)}"), exports=["npz"])
        assert [person_of(folder / "poses.npz") for folder in done.results] == [(f"person{person}", person)] * 3
    clip = film(crowd.parent / "alone" / "cam3.mp4", 3, range(len(TIME)))
    out = clip.parent / "out" / "cam3"
    for said in (f"cam3@{place_of(1, 3)}", place_of(1, 3)):
        made = infer(clip, model=done.model, out=out, exports=["npz"], overrides={"people": {"person": said}})
        assert [person_of(file) for file in made.files] == [("person1", 1)]
    main = infer(clip, model=done.model, out=out, exports=["npz"])  # a place is of one clip, and no part of the model
    assert [person_of(file) for file in main.files] == [("person0", 0)]
    with pytest.raises(PosepipeError, match="there is no camera 'cam9'; the clip is cam3"):
        infer(clip, model=done.model, overrides={"people": {"person": "cam9@1s:2,3"}})


def test_a_place_where_nobody_is_and_a_camera_that_is_not_there_are_said(crowd: Path) -> None:
    with pytest.raises(PosepipeError, match=r"cam1.mp4: nobody is at 9000,9000 at 1 s; the nearest is person \d, at"):
        fit(crowd, settings=wanted("people.person=cam1@1s:9000,9000"))
    with pytest.raises(PosepipeError, match=r"say which camera .* the cameras are crossing/cam0, crossing/cam1"):
        fit(crowd, settings=wanted("people.person=1s:20,20"))
    shutil.copytree(crowd, crowd / "again")
    for video in crowd.glob("*.mp4"):
        (crowd / "first").mkdir(exist_ok=True)
        video.rename(crowd / "first" / video.name)
    with pytest.raises(PosepipeError, match=r"as in again/cam1@1s:20,20; it may be again/cam1 or first/cam1"):
        fit(crowd, settings=wanted("people.person=cam1@1s:20,20"))


def test_a_camera_that_shows_somebody_else_alone_is_left_out_and_two_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Alone(FakeDetector):
        """Finds the second person in the last camera, and the first one in the others."""

        def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
            for image in images:
                camera, instant = self.number(image)
                yield people_at(SEEN[instant, camera, int(camera == 3)][None].astype(np.float32))

    monkeypatch.setattr(fit_takes, "choose_detector", lambda settings, device: Alone())
    take = film_take(tmp_path / "take", 4, range(len(TIME)))
    done = fit(take, settings=wanted("synchronize.offsets=stated"), exports=["npz"])
    assert [folder.name for folder in done.results] == ["cam0", "cam1", "cam2"]
    assert any(re.search(r"cam3.mp4 does not show person 0 .*, and is left out", said) for said in done.warnings)
    for camera in (1, 2):
        (take / f"cam{camera}.mp4").unlink()
    with pytest.raises(PosepipeError, match="no two cameras agree on anybody whom they show"):
        fit(take, settings=wanted("synchronize.offsets=stated"))


def test_a_page_shows_everybody_with_the_words_that_choose_them(crowd: Path) -> None:
    page = show_people(crowd, settings=wanted())
    text = page.read_text()
    assert page == crowd.with_name("crossing_posepipe") / "people.html"
    places = re.findall(r"--person (cam\d@[\d.]+s:\d+,\d+)", text)
    assert len(places) == 2
    for person, place in enumerate(places):
        assert f"--person {person}<" in text
        done = fit(crowd, settings=wanted(f"people.person={place}"), exports=["npz"])
        assert person_of(done.results[0] / "poses.npz") == (f"person{person}", person)
    clip = film(crowd.parent / "alone" / "cam3.mp4", 3, range(len(TIME)))
    text = show_people(clip).read_text()
    assert len(re.findall(r"--person [\d.]+s:\d+,\d+", text)) == 2
    with pytest.raises(PosepipeError, match="there is no file or folder"):
        show_people(crowd / "nothing")


def test_people_are_one_or_all() -> None:
    assert [everybody(said) for said in (None, "one", "all")] == [None, False, True]
    with pytest.raises(PosepipeError, match="--people some: say one, for the athlete only, or all"):
        everybody("some")
