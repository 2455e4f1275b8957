"""The page of everybody in the pictures: numbers, words to choose by, and nothing that can run."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from posepipe.pipeline.footage.video.web_video import jpeg
from posepipe.pipeline.pages.people import Marked, Picture, Sheet, View, render, write_sheet
from posepipe.pipeline.settings import PeopleSettings

from tools.browser import Page, find_chromium

HOSTILE = '<img src=x onerror="window.hit=1">&'
GREY = jpeg(np.full((90, 160, 3), 90, np.uint8))


def marked(number: int, x: float, height: float = 60.0) -> Marked:
    bones = [(x, 20.0, x + 10, 40.0), (x + 10, 40.0, x, 20 + height)]
    return Marked(number, (x, 20.0, x + 20, 20 + height), (x + 10.2, 50.0), bones, GREY)


def sheet(takes: tuple[str, ...] = ("run",), filmed: bool = True) -> Sheet:
    views = []
    for take in takes:
        for camera in ("cam0", HOSTILE):
            pictures = [
                Picture(0.5, GREY if filmed else b"", [marked(0, 10), marked(1, 60)]),
                Picture(2.0, GREY if filmed else b"", [marked(0, 90, 66.0)]),
            ]
            views.append(View(take, camera, (160, 90), pictures, {0: 1.0, 1: 0.5}))
    return Sheet("A run", views, ("cam1 <b>shows</b> somebody else",))


def test_everybody_is_shown_with_the_words_that_choose_them() -> None:
    page = render(sheet())
    assert re.findall(r"<code>(--person \d)</code>", page) == ["--person 0", "--person 1"]
    assert "--person cam0@2.00s:100,50" in page  # where somebody is largest
    assert "--person cam0@0.50s:70,50" in page
    assert "cam0 50%" in page
    assert page.count("<figure>") == 4
    assert HOSTILE not in page
    assert "&lt;b&gt;shows&lt;/b&gt;" in page


def test_of_several_takes_a_place_tells_which_one_is_meant_and_of_a_clip_no_camera_is_named() -> None:
    page = render(sheet(("first", "second")))
    assert "--person first/cam0@2.00s:100,50" in page
    assert "--person second/cam0@2.00s:100,50" in page
    assert "--person 0" not in page
    clip = Sheet("clip.mp4", [View("", "", (160, 90), [Picture(0.5, b"", [marked(0, 10)])], {0: 1.0})], ())
    assert "--person 0.50s:20,50" in render(clip)


def test_the_words_work_in_a_shell_whatever_cameras_are_called_and_at_the_edge_of_the_picture() -> None:
    for camera, x in (("left & right", 30.0), ("cam1", -40.0)):
        views = [View("", camera, (160, 90), [Picture(0.5, b"", [marked(0, x)])], {0: 1.0})]
        (words,) = re.findall(r"<code>(--person [^<]*@[^<]*)</code>", render(Sheet("run", views, ())))
        option, place = shlex.split(html.unescape(words))
        found = PeopleSettings(person=place).place
        assert option == "--person" and found is not None
        assert (found.camera, found.x, found.y) == (camera, x + 10, 50)


def test_whoever_one_camera_shows_alone_is_not_offered_to_a_fit() -> None:
    views = [View("run", f"cam{camera}", (160, 90), [Picture(0.5, b"", [marked(each, 9) for each in shown])],
                  dict.fromkeys(shown, 1.0)) for camera, shown in enumerate(((0, 1), (0,)))]  # fmt: skip
    page = render(Sheet("run", views, ()))
    assert re.findall(r"<code>(--person \d)</code>", page) == ["--person 0"]
    assert "a fit takes two cameras" in page


def test_2d_poses_without_a_video_are_drawn() -> None:
    page = render(sheet(filmed=False))
    assert "<image" not in page
    assert "M10 20L20 40" in page.replace(".0", "")


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium")
@pytest.mark.parametrize(("size", "dark"), [((1280, 900), False), ((375, 800), True)])
def test_the_page_works_in_a_browser(size: tuple[int, int], dark: bool, tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "people.html", sheet())
    with Page(str(find_chromium()), size, dark) as page:
        page.open(path)
        assert page.errors == []
        assert all(request.startswith(("file:", "data:")) for request in page.requests)
        assert page.run("window.hit") is None
        assert page.run("document.documentElement.scrollWidth") <= size[0]
        assert page.run("[...document.images].every(image => image.naturalWidth > 0)")
        assert page.run("document.querySelectorAll('svg text').length") == 6
        assert page.run("[...document.querySelectorAll('svg')].every(svg => svg.getBoundingClientRect().width > 100)")
