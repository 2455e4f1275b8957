"""The report says what was seen, in any browser, and nothing in it can run but its own script."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_clip import a_moving_clip, a_pose, some_frames, the_pose, without
from posepipe.models.body.angles import joint_angles, measure_segments
from posepipe.models.skeleton import H36M17
from posepipe.pipeline.arrays import Detections, Pose3D, Timeline, Track
from posepipe.pipeline.pages.angle_tables import angle_table, segment_rows
from posepipe.pipeline.pages.report import (
    MAX_POSES,
    Report,
    ReportedCamera,
    ReportedTake,
    page_data,
    render,
    write_report,
)
from posepipe.pipeline.runtime.utilisation import Busy

from tools.browser import Page, find_chromium

HOSTILE = '<img src=x onerror="window.hit=1">&</script><script>window.hit=1</script>{{ 7*7 }}.mp4'


def a_track(pose: Pose3D) -> Track:
    return Track(
        time=pose.time,
        keypoint=pose.keypoint,
        confidence=pose.confidence,
        box=np.zeros((len(pose.time), 4), np.float32),
        skeleton=pose.skeleton,
        camera_moves=None,
        dropped=1234,
    )


def detections(pose: Pose3D) -> Detections:
    people = len(pose.time)
    return Detections(
        time=pose.time,
        camera_motion=np.full(people, np.nan, np.float32),
        frame=np.arange(people, dtype=np.int32),
        box=np.zeros((people, 4), np.float32),
        keypoint=pose.keypoint,
        confidence=pose.confidence,
        skeleton=pose.skeleton,
        confidence_kind="visibility",
        detector="a fake <detector>",
    )


def a_timeline(cameras: int, frames: int) -> Timeline:
    lag = np.array([0.004, *[np.nan] * (cameras - 1)])
    return Timeline(
        time=np.arange(frames) / 30,
        offset=np.arange(cameras) * -0.25,
        rate=np.full(cameras, 1.000012),
        frame=np.tile(np.arange(frames, dtype=float)[:, None], (1, cameras)),
        lag=lag,
        score=np.full(cameras, 0.9, np.float32),
        warnings=["cam0 <b>hardly agrees</b>"],
    )


def a_report(frames: int = 40, file: str = "clip.mp4") -> Report:
    cameras = []
    for name in ("cam0", "cam1"):
        pose = without(a_pose(np.arange(frames) / 30), 3)
        video = replace(some_frames(pose.time), rotation=90, missing_s=1.5)
        page = f"takes/%3Cb%3E/{name}/view.html"
        busy = Busy(total=10.0, network=8.0, waited=1.5)
        cameras.append(ReportedCamera(name, file, video, detections(pose), a_track(pose), pose, page, busy))
    losses = [
        {"phase": "warm up" if epoch < 3 else "all", "epoch": epoch, "reprojection": 2 / (epoch + 1), "total": 3.0}
        for epoch in range(6)
    ]
    return Report(
        title="A slalom",
        takes=[ReportedTake("first run", cameras, a_timeline(2, frames), None, [0.01, 0.04])],
        losses=losses,
        handedness={
            "verdict": "thin",
            "sentence": "Knees and noses tell little.",
            "evident": 0.7,
            "margin": 0.02,
            "majority": 0.9,
            "takes": {
                "first run": {"evident": 0.9, "margin": 0.05, "majority": 1.0},
                "<second>": {"evident": 0.5, "margin": 0.01, "majority": 0.6},
            },
        },
        parity=np.linspace(-0.5, 6, 30),
        settings="[detect]\nchunk_frames = 64",
        versions={"posepipe": "0.1.0"},
        warnings=[f"{file} breaks off"],
    )


def text_of(page: str) -> str:
    """What a reader sees of a page without its scripts and styles."""
    body = page[page.index("<body>") : page.index('<script id="data"')]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def test_tables_say_what_was_seen() -> None:
    text = text_of(render(a_report()))
    for expected in (
        "cam0 clip.mp4 h264 200 × 220 90° 30 40 1.33 s 1.50 s could not be told 98% 1,234",  # noqa: RUF001
        "2D poses by a fake &lt;detector&gt;; confidence is visibility.",
        "While people were looked for, the network computed 80% of the time, and 15% went by waiting for pictures.",
        "cam0 +0.000 s +12 ppm 100% +4 ms 0.90",
        "cam1 -0.250 s +12 ppm 100% could not be told 0.90",
        "cam0 &lt;b&gt;hardly agrees&lt;/b&gt;",
        "Left and right: thin Knees and noses tell little.",
        "Evident in 70.0 % of the training views",
        "Use this model with care",
        "Film movements with clearly bent knees",
        "first run 1.0 4.0",
        "first run 90.0 % 0.050 100.0 % &lt;second&gt; 50.0 % 0.010 60.0 %",
        "first run / cam1 0.75 0.75",
        "chunk_frames = 64",
    ):
        assert expected in text


def test_page_data_is_thinned_and_holds_the_poses() -> None:
    data = page_data(a_report(frames=2000))
    clip = data["clips"][0]
    assert len(clip["time"]) == 500 <= MAX_POSES
    assert clip["name"] == "first run / cam0"
    assert len(base64.b64decode(clip["pose"]["steps"])) == 500 * 17 * 3 * 2


def test_joint_angles_and_segments_of_each_clip() -> None:
    pose = without(the_pose(a_moving_clip(40)), 3)
    angles = joint_angles(pose.joint, H36M17)
    rows = {row["name"]: row for row in angle_table({"cam0": pose, "cam1": pose})}
    moving = 0
    for name, row in rows.items():
        for curve in row["cells"][0]:
            angle = angles[f"{curve['side']}_{name}".strip("_").lower().replace(" ", "_")]
            assert curve["range"] == f"{np.nanmin(angle) + 0.0:.0f}° to {np.nanmax(angle) + 0.0:.0f}°"
            heights = [float(point.split()[1]) for point in re.split("[ML]", curve["path"])[1:]]
            assert len(heights) == np.isfinite(angle).sum() and curve["path"].count("M") == 2  # one frame is a gap
            known = angle[np.isfinite(angle)]
            if np.ptp(known) > 10:
                moving += 1
                assert np.corrcoef(heights, known)[0, 1] < -0.97  # down is less, to the nearest pixel
    assert moving
    (segments,) = segment_rows({"cam0": pose})
    found = {segment.name: segment for segment in measure_segments(pose.joint, H36M17)}
    thigh = f"{100 * found['left_thigh'].median:.1f} / {100 * found['right_thigh'].median:.1f}"
    assert segments["Thigh"].startswith(thigh) and segments["Thigh"].endswith("%)")


def test_the_page_has_angles_and_segments() -> None:
    pose = a_report().takes[0].cameras[0].pose
    assert pose is not None
    text = text_of(render(a_report()))
    left, right = angle_table({"cam0": pose})[1]["cells"][0]
    for expected in (
        "first run: joint angles",
        f"left {left['range']} right {right['range']}",
        " ".join(segment_rows({"cam0": pose})[0].values()),
    ):
        assert expected in text


def test_clips_without_a_whole_pose_have_no_lengths() -> None:
    pose = without(a_pose(np.arange(4) / 30), *range(4))
    assert segment_rows({"cam0": pose}) == []
    assert {cell["range"] for row in angle_table({"cam0": pose}) for cell in row["cells"][0]} == {"not known"}


def test_variable_rates_are_called_so() -> None:
    report = a_report()
    take = report.takes[0]
    time = np.cumsum(np.tile([0.02, 0.05], 20))
    camera = replace(take.cameras[0], frames=some_frames(time, "28"))
    assert "28 (variable)" in text_of(render(replace(report, takes=[replace(take, cameras=[camera])])))


def test_expected_errors_are_told_in_body_heights() -> None:
    report = a_report()
    (take,) = report.takes
    assert "expected error" not in text_of(render(report))

    def with_errors(size: float) -> Report:
        poses = [replace(camera.pose, joint=size * camera.pose.joint) for camera in take.cameras if camera.pose]
        errors = [np.full(pose.joint.shape[:2], size * 0.043, np.float32) for pose in poses]
        told = [
            replace(camera, pose=replace(pose, expected_error=error))
            for camera, pose, error in zip(take.cameras, poses, errors, strict=True)
        ]
        return replace(report, takes=[replace(take, cameras=told)])

    sentence = re.compile(r"expected error of a joint is ([\d.]+)% of the body height")
    said = [sentence.search(render(with_errors(size))) for size in (1, 1.8)]
    first, second = (float(one[1]) for one in said if one)
    assert first == second
    assert 2 < first < 5


def test_a_fit_without_poses_losses_or_verdict_has_a_report() -> None:
    report = a_report()
    take = report.takes[0]
    cameras = [replace(camera, pose=None) for camera in take.cameras]
    bare = Report("bare", [replace(take, cameras=cameras, disagreement=())])
    page = render(bare)
    for part in ("scene", "losses", "space", "residuals"):
        assert f'id="{part}"' not in page


@pytest.fixture(scope="module")
def chromium() -> str:
    path = find_chromium()
    if path is None:
        pytest.skip("no chromium, chromium-browser or google-chrome is installed")
    return path


@pytest.fixture(scope="module")
def page(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, a_report(file=HOSTILE))
    with Page(chromium) as page:
        page.open(path)
        page.wait_for("window.page !== undefined")
        yield page
        assert page.errors == []
        assert [url for url in page.requests if not url.startswith(("file:///", "data:", "blob:"))] == []


def test_the_page_holds_all_it_needs(page: Page) -> None:
    assert len([url for url in page.requests if url.startswith("file:")]) == 1
    assert page.run("document.title") == "A slalom · posepipe"
    assert page.run("document.querySelectorAll('#losses path').length") == 2
    link = "document.querySelector('.pages a')"
    assert page.run(f"[{link}.textContent, {link}.getAttribute('href')]") == ["cam0", "takes/%3Cb%3E/cam0/view.html"]


def test_hostile_names_are_text(page: Page) -> None:
    assert page.run("window.hit") is None
    assert page.run("document.querySelectorAll('img[src=x]').length") == 0
    assert page.run(f"[...document.querySelectorAll('td')].some((td) => td.textContent === {json.dumps(HOSTILE)})")
    assert page.run("document.querySelector('section.warning li').textContent") == f"{HOSTILE} breaks off"


def test_play_moves_the_skeleton_and_pause_stops_it(page: Page) -> None:
    wrist = "page.scene.bodies[0].at(page.scene.frame)[13][2]"  # the left hand rises
    page.run("page.player.seek(0)")
    before = page.run(wrist)
    page.run("byId('play').click()")
    page.wait_for("page.scene.frame > 20")
    page.run("byId('play').click()")
    stopped = page.run("new Promise(done => setTimeout(() => done(page.scene.frame), 300))")
    assert page.run("new Promise(done => setTimeout(() => done(page.scene.frame), 300))") == stopped
    page.run("page.player.seek(39)")
    assert page.run(wrist) > before + 0.3


def test_scrubbing_shows_the_pose_of_that_moment(page: Page) -> None:
    page.run("byId('scrub').value = 30; byId('scrub').dispatchEvent(new Event('input'))")
    assert page.run("byId('moment').textContent") == "1.00 s"
    up = page.run("page.scene.bodies[0].at(30)[13]")
    pose = a_report().takes[0].cameras[0].pose
    assert pose is not None
    assert np.linalg.norm(up) == pytest.approx(np.linalg.norm(pose.joint[30, 13]), abs=2e-3)
    page.run("page.player.seek(3)")
    assert "nobody" in page.run("byId('moment').textContent")


def test_another_clip_can_be_chosen(page: Page) -> None:
    page.run("byId('clip').value = 1; byId('clip').dispatchEvent(new Event('change'))")
    assert page.run("page.clip.name") == "first run / cam1"


def test_a_phone_shows_it_without_scrolling_sideways(chromium: str, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", a_report())
    with Page(chromium, size=(390, 844), dark=True) as page:
        page.open(tmp_path / "report.html")
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 27)"
