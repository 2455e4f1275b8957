"""The page of a clip: what it holds, and that in a browser video and skeleton go together."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_clip import a_clip, a_moving_clip, film, the_pose, two_people, without
from posepipe.models.body.angles import joint_angles
from posepipe.pipeline.exporters import exporter
from posepipe.pipeline.exporters.clip import Clip
from posepipe.pipeline.exporters.view import page_data
from posepipe.pipeline.footage.video import probe
from posepipe.pipeline.footage.video.web_video import web_video
from posepipe.pipeline.pages.drawing import scene_of
from posepipe.pipeline.stages.judge import GREEN, RED

from tools.browser import Page, find_chromium

HOSTILE = '<img src=x onerror="window.hit=1">&{{ 7*7 }}.mp4'
TIMES = np.cumsum([0.0, *[0.03, 0.05] * 9])
"""Of a video whose frame rate varies: 19 frames."""


def numbers(packed: dict[str, object]) -> np.ndarray:
    """What ``packed`` made text of."""
    steps = np.frombuffer(base64.b64decode(str(packed["steps"])), "<i2")
    return np.where(steps == -32768, np.nan, steps * float(str(packed["step"])))


def a_filmed_clip(folder: Path, name: str = "clip.mp4") -> Clip:
    """A clip of the known person with a video whose brightness tells the frame."""
    clip = a_clip(len(TIMES))
    pose = replace(the_pose(clip), time=TIMES)
    people = (replace(clip.people[0], pose=pose),)
    video = film(folder / name, TIMES)
    return replace(clip, people=people, video=video, video_time=TIMES, frames=probe(video))


def write(clip: Clip, path: Path) -> Path:
    exporter("view")(clip, path)
    return path


def test_the_page_holds_poses_and_curves() -> None:
    clip = a_moving_clip()
    without(the_pose(clip), 7)
    pose = the_pose(clip)
    data = page_data(clip, 1)
    (person,) = data["people"]
    scene = scene_of(pose)
    shape = pose.joint.shape
    np.testing.assert_allclose(numbers(person["pose"]).reshape(shape), scene.place(pose.joint), atol=6e-4)
    np.testing.assert_allclose(numbers(person["keypoint"]).reshape(*shape[:2], 2), pose.keypoint, atol=0.06)
    knee = next(chart for chart in person["charts"] if chart["title"] == "Knee flexion")
    for curve, side in zip(knee["curves"], ("left", "right"), strict=True):
        angle = joint_angles(pose.joint, clip.skeleton)[f"{side}_knee_flexion"]
        np.testing.assert_allclose(numbers(curve["values"]), angle, atol=0.06)
    assert data["time"] == pytest.approx(clip.video_time, abs=1e-5)
    assert data["life"] is None
    json.dumps(data, allow_nan=False)


def a_judged_clip(*red: int) -> Clip:
    """A clip whose poses are green, but for some frames."""
    clip = a_moving_clip()
    trust = np.full(40, GREEN, np.int8)
    trust[list(red)] = RED
    known = {"likely_mm": np.full(40, 60, np.float32), "sides_in_doubt": np.zeros(40, bool), "trust": trust}
    pose = replace(the_pose(clip), turn=np.zeros((40, 3), np.float32), **known)
    return replace(clip, people=(replace(clip.people[0], pose=pose),))


def test_the_verdict_stands_at_the_top(tmp_path: Path) -> None:
    text = write(a_judged_clip(*range(30)), tmp_path / "view.html").read_text(encoding="utf-8")
    assert text.index('<section class="trust red"') < text.index('<section class="watch"')
    assert "red. Do not rely on these poses" in text and "likely to be off by 6 cm" in text
    assert "It is grey where it is drawn from poses that are not to be trusted" in text
    green = write(a_judged_clip(), tmp_path / "green.html").read_text(encoding="utf-8")
    assert '<section class="trust green"' in green and "It is grey where" not in green
    unjudged = write(a_moving_clip(), tmp_path / "unjudged.html").read_text(encoding="utf-8")
    assert '<section class="trust' not in unjudged


def test_frames_that_are_red_are_told_as_far_as_they_are_shown() -> None:
    (person,) = page_data(a_judged_clip(4, 5, 6, 20), 2)["people"]
    assert person["red"] == [2, 3, 10]


def test_curves_are_grey_where_poses_are_red(chromium: str, tmp_path: Path) -> None:
    path = write(a_judged_clip(*range(10, 20)), tmp_path / "view.html")
    with Page(chromium) as page:
        page.open(path)
        page.wait_for("window.page !== undefined")
        grey, left, right = page.run(
            "['untrusted', 'left', 'right'].map((side) => document.querySelector(`.chart path.${side}`)"
            ".getAttribute('d').match(/[ML]([0-9.]+)/g).map((piece) => Number(piece.slice(1)) / 1000 * 39))"
        )
        assert page.errors == []
    assert [round(at) for at in grey] == list(range(9, 21))
    assert [round(at) for at in left] == [round(at) for at in right] == [*range(10), *range(20, 40)]


def test_slow_motion_shows_the_time_of_life() -> None:
    clip = a_clip(30)
    pose = replace(the_pose(clip), time=clip.video_time / 8)
    slow = replace(clip, people=(replace(clip.people[0], pose=pose),))
    assert page_data(slow, 1)["life"] == pytest.approx(clip.video_time / 8, abs=1e-5)


def test_a_long_clip_is_thinned_and_says_so(tmp_path: Path) -> None:
    page = write(a_clip(60_000), tmp_path / "view.html")
    assert page.stat().st_size < 6e6
    assert "one in 4 frames, no video" in page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chromium() -> str:
    path = find_chromium()
    if path is None:
        pytest.skip("no chromium, chromium-browser or google-chrome is installed")
    return path


@pytest.fixture(scope="module")
def page(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("view")
    clip = a_filmed_clip(folder, HOSTILE)
    provenance = {"posepipe": "0", "detector": "a <b>detector</b>", "settings": {"lift": {"name": "</script>"}}}
    path = write(replace(clip, provenance=provenance), folder / "view.html")
    with Page(chromium) as page:
        page.open(path)
        page.wait_for("page.player.video !== null && page.player.pictured === 0")
        yield page
        assert page.errors == []
        assert [url for url in page.requests if not url.startswith(("file:///", "data:", "blob:"))] == []
        assert len([url for url in page.requests if url.startswith("file:")]) == 1


def brightness(page: Page) -> float:
    """Of the video's picture on view; frame n of ``film`` has 40 + 10 n."""
    return page.run(
        "(() => { const small = document.createElement('canvas'), pen = small.getContext('2d');"
        "pen.drawImage(byId('video'), 0, 0, 300, 150); return pen.getImageData(4, 4, 1, 1).data[1]; })()"
    )


def test_hostile_names_are_text(page: Page) -> None:
    assert page.run("window.hit") is None
    assert page.run("document.querySelectorAll('img, dd b').length") == 0
    assert page.run("document.title") == f"{HOSTILE} · posepipe"
    assert page.run("document.querySelector('h1').textContent") == HOSTILE
    assert "a <b>detector</b>" in page.run("document.body.textContent")
    assert "</script>" in page.run("document.querySelector('pre').textContent")


def test_the_first_picture_is_there_before_the_video(page: Page) -> None:
    page.run("window.still = new Image(); still.src = byId('video').poster; still.decode()")
    shown = page.run(
        "(() => { const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1; "
        "const pen = canvas.getContext('2d'); pen.drawImage(still, 0, 0, 1, 1); "
        "return [still.naturalWidth, still.naturalHeight, pen.getImageData(0, 0, 1, 1).data[0]]; })()"
    )
    assert shown == [200, 220, pytest.approx(40, abs=4)]


def test_video_and_skeleton_show_the_same_frame(page: Page) -> None:
    for frame in (0, 18, 1, 9, 10, 17, 2):
        page.run(f"byId('scrub').value = {frame}; byId('scrub').dispatchEvent(new Event('input'))")
        page.wait_for(f"!byId('video').seeking && page.player.pictured === {frame}")
        assert brightness(page) == pytest.approx(40 + 10 * frame, abs=4)
        assert page.run("[page.scene.frame, page.overlay.frame]") == [frame, frame]
        assert page.run("byId('moment').textContent") == f"{TIMES[frame]:.2f} s · frame {frame + 1}"
    height = "page.bodies[0].at(page.scene.frame)[page.bodies[0].skeleton.joints.indexOf('left_wrist')][2]"
    low, high = (page.run(f"page.player.seek({frame}), {height}") for frame in (0, 18))
    assert high - low == pytest.approx(18 / 30, abs=0.01)  # the hand rises by 1/30 a frame


def test_play_moves_both_and_pause_stops_them(page: Page) -> None:
    page.run("page.player.seek(0)")
    page.wait_for("page.player.pictured === 0")
    page.run("byId('speed').value = '0.25'; byId('speed').dispatchEvent(new Event('change'))")
    page.run("byId('play').click()")
    page.wait_for("page.scene.frame > 2")
    assert page.run("byId('play').getAttribute('aria-label')") == "Pause"
    page.run("byId('play').click()")
    page.wait_for("byId('video').paused && !byId('video').seeking")
    stopped = page.run("new Promise(done => setTimeout(() => done(page.scene.frame), 200))")
    assert page.run("new Promise(done => setTimeout(() => done(page.scene.frame), 200))") == stopped
    assert brightness(page) == pytest.approx(40 + 10 * stopped, abs=14)


def press(page: Page, key: str, where: str = "document.body", more: str = "") -> None:
    page.run(f"{where}.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true {more} }}))")


def test_keys_step_jump_turn_and_switch(page: Page) -> None:
    press(page, "Home")
    press(page, "ArrowRight")
    press(page, "ArrowRight", more=", shiftKey: true")
    press(page, "ArrowLeft")
    assert page.run("page.player.frame") == 10
    press(page, "End")
    assert page.run("page.player.frame") == 18
    press(page, "o")
    assert page.run("[byId('drawn').checked, page.overlay.on]") == [False, False]
    press(page, "o")
    before = page.run("byId('scene').toDataURL()")
    press(page, "ArrowLeft", where="byId('scene')")
    assert page.run("[page.player.frame, page.scene.azimuth]") == [18, 6]
    assert page.run("byId('scene').toDataURL()") != before
    press(page, "1")
    assert page.run("byId('scene').toDataURL()") == before


def test_the_distance_has_decimals_and_no_place_stays_empty(page: Page) -> None:
    last = "[...document.querySelectorAll('.chart')].at(-1)"
    assert page.run(f"{last}.querySelector('h3').textContent") == "Distance, estimated"
    assert page.run(f"{last}.querySelector('.now').textContent.trim()") == "5.0 m"
    assert page.run(f"{last}.querySelector('svg').getAttribute('aria-label')").endswith("5.0 m to 5.0 m")
    end = "getBoundingClientRect().right"
    assert page.run(f"byId('charts').{end} - {last}.{end}") == pytest.approx(0, abs=1)


def test_curves_follow_and_lead(page: Page) -> None:
    page.run("page.player.seek(9)")
    half = TIMES[9] / TIMES[-1] * 100
    assert page.run("parseFloat(document.querySelector('.cursor').style.left)") == pytest.approx(half, abs=0.1)
    assert page.run("document.querySelector('.chart svg').getAttribute('aria-label')").startswith("Hip flexion over")
    page.run(
        "const plot = document.querySelector('.plot'), box = plot.getBoundingClientRect();"
        "plot.setPointerCapture = () => {};"
        "plot.dispatchEvent(new PointerEvent('pointerdown', { clientX: box.right, clientY: box.top + 5 }))"
    )
    assert page.run("page.player.frame") == 18


def test_without_a_video_the_skeletons_play(chromium: str, tmp_path: Path) -> None:
    with Page(chromium) as page:
        page.open(write(two_people(40), tmp_path / "view.html"))
        assert page.run("document.querySelector('video')") is None
        page.run("byId('play').click()")
        page.wait_for("page.scene.frame > 5")
        page.run("byId('play').click(); page.player.seek(1)")
        names = page.run("[...document.querySelectorAll('[data-person]')].map((button) => button.textContent)")
        assert names == ["ann", "bob"]
        knees = "page.bodies.map((body) => body.at(0)[2][0])"
        assert page.run(knees)[1] - page.run(knees)[0] > 0.5  # beside each other
        assert "nobody" not in page.run("byId('moment').textContent")
        press(page, "p")
        assert page.run("[page.scene.chosen, page.overlay.chosen]") == [1, 1]
        assert "nobody" in page.run("byId('moment').textContent")
        assert page.errors == []


def test_a_phone_shows_it_without_scrolling_sideways(chromium: str, tmp_path: Path) -> None:
    with Page(chromium, size=(390, 844), dark=True) as page:
        page.open(write(two_people(40), tmp_path / "view.html"))
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 27)"


def test_a_minute_is_on_view_within_a_second_and_runs_at_30_frames_per_second(chromium: str, tmp_path: Path) -> None:
    time = np.arange(1800) / 30
    ramp = np.tile(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], (180, 1, 3))
    video = tmp_path / "minute.mp4"
    video.write_bytes(web_video(((t, np.roll(ramp, n, 1)) for n, t in enumerate(time)), (320, 180), 60.0))
    clip = replace(a_clip(1800), video=video, image_size=(320, 180), frames=probe(video))
    path = write(clip, tmp_path / "view.html")
    with Page(chromium) as page:
        page.open(path)
        page.wait_for("page.firstPicture")
        before = page.busy_s()
        assert before < 1  # processor time, as other work on the machine should not decide
        page.run("for (let frame = 0; frame < 60; frame += 1) page.show(frame)")
        page.run("byId('scene').toDataURL().length")  # waits until it is painted
        assert (page.busy_s() - before) / 60 < 1 / 30
