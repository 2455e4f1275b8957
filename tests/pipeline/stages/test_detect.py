"""Detection goes through a video chunk by chunk, survives interruptions, and sees whether the camera moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import FakeDetector, film, seen
from known_clip import film as film_at
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Detections
from posepipe.pipeline.detectors import People
from posepipe.pipeline.footage.video import probe, write_video
from posepipe.pipeline.runtime.cache import Cache, SourceFile, Work
from posepipe.pipeline.settings import DetectSettings
from posepipe.pipeline.stages.detect import MIN_CORNERS, background_shift, detect_poses
from posepipe.pipeline.stages.track.stage import MOVING, camera_moves

INSTANTS = range(5, 42)  # 37 pictures: two chunks of 15, and a rest


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("clip") / "cam1.mp4", 1, INSTANTS)


def detect(clip: Path, cache: Path, detector: FakeDetector | None = None, chunk: int = 15) -> Detections:
    source, frames = SourceFile(clip, "clip"), probe(clip)
    return Cache(cache).run(
        detect_poses, source, frames, detector or FakeDetector(), settings=DetectSettings(chunk_frames=chunk)
    )


def assert_same(one: Detections, other: Detections) -> None:
    for name in ("time", "camera_motion", "frame", "box", "keypoint", "confidence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_finds_in_every_picture_what_the_detector_finds(clip: Path, tmp_path: Path) -> None:
    found = detect(clip, tmp_path)
    np.testing.assert_array_equal(found.keypoint, seen(1, INSTANTS))
    np.testing.assert_array_equal(found.frame, np.arange(len(INSTANTS)))
    np.testing.assert_allclose(found.time, np.arange(len(INSTANTS)) / 25, atol=1e-9)
    assert (found.skeleton, found.confidence_kind, found.detector) == ("h36m17", "certainty", "fake detector")


def test_how_long_chunks_are_changes_no_detection(clip: Path, tmp_path: Path) -> None:
    whole, pieces = detect(clip, tmp_path / "a", chunk=1000), detect(clip, tmp_path / "b", chunk=1)
    np.testing.assert_array_equal(whole.keypoint, pieces.keypoint)
    np.testing.assert_array_equal(whole.frame, pieces.frame)


def test_nobody_and_several_people_are_kept_as_they_are(clip: Path, tmp_path: Path) -> None:
    class Moody(FakeDetector):
        key = "moody"

        def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
            for number, people in enumerate(super().detect(images)):
                times = number % 3  # nobody, one, two
                yield People(
                    *(np.repeat(field, times, 0) for field in (people.box, people.keypoint, people.confidence))
                )

    found = detect(clip, tmp_path, Moody())
    expected = [frame for frame in range(37) for _ in range(frame % 15 % 3)]
    assert found.frame.tolist() == expected
    assert len(found.time) == 37


class Killed(BaseException):
    """Stands for kill -9."""


class Mortal(FakeDetector):
    """Is killed at one of the pictures."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def _read(self, image: np.ndarray) -> People:
        if self.looked_at > self.at:
            raise Killed
        return super()._read(image)


@pytest.mark.parametrize("at", [0, 14, 15, 29, 36])
def test_a_killed_detection_goes_on_and_ends_with_the_same_bits(at: int, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        detect(clip, tmp_path / "cache", Mortal(at))
    again = FakeDetector()
    resumed = detect(clip, tmp_path / "cache", again)
    assert again.looked_at == 37 - at // 15 * 15  # at most one chunk is lost
    assert_same(resumed, detect(clip, tmp_path / "fresh"))
    detect(clip, tmp_path / "cache", again)
    assert again.looked_at == 37 - at // 15 * 15  # and nothing is done again
    assert not list((tmp_path / "cache").rglob("*.parts"))


def test_the_detector_starts_afresh_at_each_chunk(clip: Path, tmp_path: Path) -> None:
    calls: list[int] = []

    class Counting(FakeDetector):
        def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
            people = list(super().detect(images))
            calls.append(len(people))
            yield from people

    detect(clip, tmp_path, Counting())
    assert calls[:3] == [15, 15, 7]


def test_pictures_are_let_go(clip: Path, tmp_path: Path) -> None:
    ahead: list[int] = []

    class Slow(FakeDetector):
        def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
            taken = 0

            def counted() -> Iterator[np.ndarray]:
                nonlocal taken
                for image in images:
                    taken += 1
                    yield image

            for number, people in enumerate(super().detect(counted())):
                ahead.append(taken - number)
                yield people

    detect(clip, tmp_path, Slow(), chunk=1000)
    assert max(ahead) == 1


WIDTH, HEIGHT = 320, 180
TEXTURE = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (400, 900, 3), np.uint8), (0, 0), 2)
TEXTURE = cv2.normalize(TEXTURE, None, 0, 255, cv2.NORM_MINMAX)


def scene(second: float, pan: float, walk: float = 60.0, shake: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a background that pans (px per s) and a person who walks (px per s), and the person's box."""
    left = 50 + pan * second + shake * np.sin(40 * second)
    shift = np.array([[1, 0, -left], [0, 1, -60]], np.float32)
    picture = cv2.warpAffine(TEXTURE, shift, (WIDTH, HEIGHT))
    box = np.array([40 + walk * second, 40, 90 + walk * second, 160], np.float32)
    x0, y0, x1, y1 = box.astype(int)
    coat = np.random.default_rng(7).integers(0, 255, (12, 5, 3), np.uint8)
    picture[y0:y1, x0:x1] = cv2.resize(coat, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    return picture, box


class KnowsTheBox(FakeDetector):
    """Answers with the boxes of ``scene``, told by the order of pictures."""

    key = "knows the box"

    def __init__(self, boxes: list[np.ndarray]) -> None:
        super().__init__()
        self.boxes = boxes

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        for box, _ in zip(self.boxes, images, strict=False):
            joints = np.zeros((1, len(H36M17.joints), 2), np.float32)
            yield People(box[None], joints, np.ones(joints.shape[:2], np.float32))


@pytest.mark.parametrize(
    ("pan", "walk", "moves"),
    [(0.0, 60.0, False), (0.0, 0.0, False), (40.0, 0.0, True), (-40.0, 60.0, True), (8.0, 60.0, True)],
)
def test_a_camera_that_pans_is_told_from_one_that_stands(
    pan: float, walk: float, moves: bool, tmp_path: Path
) -> None:
    pictures, boxes = zip(*(scene(frame / 25, pan, walk) for frame in range(60)), strict=True)
    write_video(tmp_path / "a.mp4", Fraction(25), iter(pictures))
    found = detect(tmp_path / "a.mp4", tmp_path / "cache", KnowsTheBox(list(boxes)), chunk=100)
    looks = found.camera_motion[np.isfinite(found.camera_motion)]
    assert len(looks) == 8  # every quarter of a second
    assert np.median(looks) == pytest.approx(abs(pan) / WIDTH, abs=0.003)
    assert camera_moves(found.camera_motion) is moves


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def test_the_background_shifts_and_the_people_do_not_count() -> None:
    (before, box), (after, next_box) = scene(0, pan=24), scene(0.25, pan=24)
    people = np.stack([box, next_box])
    assert background_shift(grey(before), grey(after), people) == pytest.approx(6, abs=0.1)
    (still, box), (later, next_box) = scene(0, pan=0), scene(0.25, pan=0)
    assert background_shift(grey(still), grey(later), np.stack([box, next_box])) < 0.05


@pytest.mark.parametrize(
    "make", [lambda: np.full((HEIGHT, WIDTH), 90, np.uint8), lambda: np.zeros((HEIGHT, WIDTH), np.uint8)]
)
def test_before_a_plain_background_nothing_can_be_told(make: Callable[[], np.ndarray]) -> None:
    assert np.isnan(background_shift(make(), make(), np.zeros((0, 4), np.float32)))


def test_a_person_before_everything_hides_the_background() -> None:
    picture = grey(scene(0, 0)[0])
    assert np.isnan(background_shift(picture, picture, np.array([[-50, -50, 400, 400]], np.float32)))


def test_looks_are_a_quarter_of_a_second_apart_whatever_the_rate(tmp_path: Path) -> None:
    path = film_at(tmp_path / "a.mp4", np.array([0, 0.1, 0.2, 0.3, 1.0, 1.1, 1.2, 1.3]))
    found = detect(path, tmp_path / "cache")
    assert len(found.time) == 8
    assert len(found.frame) == 0
    work = Work(tmp_path / "none")
    assert work.parts(Detections) == []


@pytest.mark.parametrize(
    ("motion", "moves"),
    [
        ([np.nan, 0, np.nan, 0, 0, 0], False),
        ([MOVING * 2] * 6, True),
        ([0] * 20 + [1, 1], False),  # two jolts in twenty looks
        ([0] * 16 + [MOVING * 1.1] * 4, True),
        ([MOVING * 0.9] * 20, False),
        ([np.nan] * 20 + [1, 1, 1], None),
        ([], None),
    ],
)
def test_a_camera_moves_if_its_background_does_in_a_tenth_of_the_looks(motion: list, moves: bool | None) -> None:
    assert camera_moves(np.array(motion, np.float32)) is moves


def squares(count: int, shift: tuple[int, int] = (0, 0), only: tuple[int, int] | None = None) -> np.ndarray:
    """A dark picture (120, 200) with white squares, ten in a row, moved by (x, y) px; ``only`` some of them."""
    picture = np.zeros((120, 200), np.uint8)
    for number in range(count):
        if only is None or only[0] <= number < only[1]:
            x, y = 14 + 18 * (number % 10) + shift[0], 20 + 40 * (number // 10) + shift[1]
            picture[y : y + 6, x : x + 6] = 255
    return picture


NOBODY = np.zeros((0, 4), np.float32)


def test_the_background_moves_as_far_as_its_corners_do() -> None:
    assert background_shift(squares(20), squares(20), NOBODY) == pytest.approx(0, abs=0.01)
    assert background_shift(squares(20), squares(20, (3, 4)), NOBODY) == pytest.approx(5, abs=0.2)


def test_corners_on_people_and_beside_them_do_not_count() -> None:
    moved = squares(20)
    moved[:50] = squares(20, (3, 0))[:50]  # the upper row
    person = np.array([[10, 15, 195, 35]], np.float32)
    assert background_shift(squares(20), moved, person) == pytest.approx(0, abs=0.05)
    below = np.array([[10, 55, 195, 75]], np.float32)
    assert background_shift(squares(20), moved, below) == pytest.approx(3, abs=0.2)
    near = np.array([[10, 27, 195, 87]], np.float32)  # and a seventh of their height about them
    assert np.isnan(background_shift(squares(20), squares(20), near))


def test_too_few_corners_tell_nothing() -> None:
    count = next(n for n in range(1, 20) if not np.isnan(background_shift(squares(n), squares(n), NOBODY)))
    assert count == MIN_CORNERS // 2  # of a square's corners two are far enough apart
    assert np.isnan(background_shift(squares(0), squares(0), NOBODY))
    assert np.isnan(background_shift(squares(20), squares(20, only=(0, count - 1)), NOBODY)), "the others are gone"
