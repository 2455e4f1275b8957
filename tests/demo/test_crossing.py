"""Two demo athletes who cross in four views: each stays the same human in every camera and across the cameras.

Nobody says when the cameras started, and who is the larger one differs from camera to camera.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from footage import RATE, FakeDetector, film, people_at
from posepipe.pipeline.detectors import People
from posepipe.pipeline.runs import fit_takes
from posepipe.pipeline.runs.fit import fit
from posepipe.pipeline.settings import load_settings
from quick_fit import QUICK

from demo.athlete import SLOPE, SlalomSkier
from demo.cameras import following_shot, static_shot
from demo.footage import PLACEMENTS

STARTS = (0, 20, 35, 10)
"""Frames by which the cameras started late."""
FRAMES = 300
TIME = np.arange(FRAMES + max(STARTS)) / RATE
NOISE, LOST = 0.006, 0.02
"""Of a detector: errors in sizes of the person, and people whom it does not find."""


def perform() -> np.ndarray:
    """Two skiers (T, person, 17, 3) m who change places, one round the other, beside swinging past each other."""
    turned = np.linspace(-0.3, np.pi + 0.3, len(TIME))
    people = []
    for seed, way in ((21, 1.2), (22, -1.2)):
        path = way * (np.outer(np.cos(turned), SLOPE[:, 0]) + np.outer(np.sin(turned), SLOPE[:, 1]))
        people.append(SlalomSkier(seed).perform(TIME).joint + path[:, None])
    return np.stack(people, 1)


def film_them() -> tuple[np.ndarray, np.ndarray]:
    """Joints (camera, T, person, 17, 2) px and distances (camera, T, person) m, two cameras standing, two panning."""
    scene = perform()
    joints, distance = [], []
    for placement in PLACEMENTS[:4]:
        shot = static_shot(placement.centre, SLOPE[:, 2] * 0.75, placement.focal, len(TIME))
        if placement.follows:
            rng = np.random.default_rng(placement.number)
            shot = following_shot(placement.centre, scene.mean((1, 2)), TIME, placement.focal, rng)
        joints.append(shot.project(scene))
        distance.append(shot.to_camera(scene)[..., 2].mean(-1))
    return np.array(joints), np.array(distance)


JOINTS, DISTANCE = film_them()


class Crowd(FakeDetector):
    """Finds both with a detector's errors, in any order; who is behind the other is not found."""

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        for image in images:
            number = self.number(image)
            assert number is not None
            camera, instant = number
            rng = np.random.default_rng(number)
            pose = JOINTS[camera, instant]
            size = np.ptp(pose, axis=1).max()
            near, far = np.argsort(DISTANCE[camera, instant])
            apart = np.linalg.norm(pose[near].mean(0) - pose[far].mean(0)) / size
            found = [person for person in (near, far) if rng.uniform() > LOST and (person == near or apart > 0.15)]
            rng.shuffle(found)
            noise = rng.normal(0, NOISE * size, (len(found), 17, 2))
            yield people_at((pose[found] + noise).astype(np.float32).reshape(-1, 17, 2))


def human_of(poses: Path) -> tuple[str, int, float]:
    """The name in a result file, the human whom its 2D poses show most of the time, and the share of that."""
    camera = int(poses.parent.name.removeprefix("cam"))
    with np.load(poses) as file:
        keypoint = file["keypoint"][:, : JOINTS.shape[-2]]
        seen = np.isfinite(keypoint).all((1, 2))
        shown = JOINTS[camera, STARTS[camera] + np.flatnonzero(seen)]
        error = np.linalg.norm(keypoint[seen][:, None] - shown, axis=-1).mean(-1)
        human = error.argmin(1)
        most = int(np.bincount(human).argmax())
        return str(file["person"]), most, float((human == most).mean())


def test_each_is_one_human_in_every_camera_and_across_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_takes, "choose_detector", lambda settings, device: Crowd())
    side = np.sign(JOINTS[:, :, 0].mean(-2)[..., 0] - JOINTS[:, :, 1].mean(-2)[..., 0])
    assert (np.abs(np.diff(side, axis=1)).sum(1) >= 2).all(), "they do not cross in every view"
    larger = np.ptp(JOINTS, axis=3).max(-1).mean(1).argmax(-1)
    assert set(larger.tolist()) == {0, 1}, "one of them is the larger one in all views"

    take = tmp_path / "crossing"
    for camera, start in enumerate(STARTS):
        film(take / f"cam{camera}.mp4", camera, range(start, start + FRAMES))
    settings = load_settings(overrides=[*QUICK, "people.everybody=true", "detect.chunk_frames=300"])
    done = fit(take, settings=settings, exports=["npz"])
    found = [human_of(poses) for folder in done.results for poses in sorted(folder.glob("*.npz"))]
    assert len(found) == 2 * len(STARTS)
    assert len({(name, human) for name, human, _ in found}) == 2  # one human, one name
    assert min(share for *_, share in found) == 1.0
    (offset,) = (np.load(path) for path in (done.folder / "cache" / "synchronize").glob("*/offset.npy"))
    np.testing.assert_allclose(offset - offset[0], np.array(STARTS) / RATE, atol=0.5 / RATE)
