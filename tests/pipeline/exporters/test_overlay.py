"""overlay.mp4 plays, keeps the time, and shows the skeletons."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from known_clip import a_clip, a_pose, film, some_frames, the_pose, without
from posepipe.pipeline.exporters.clip import Clip
from posepipe.pipeline.exporters.overlay import Panel, draw_pose, frames_to_show, write


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.width % 2 == stream.height % 2 == 0
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(stream)]


def coloured(picture: np.ndarray) -> int:
    """Pixels that are not about grey: the bones."""
    return int((np.ptp(picture.astype(int), axis=-1) > 60).sum())


def test_overlay_has_every_frame_with_a_moving_skeleton(tmp_path: Path) -> None:
    clip = a_clip(video=film(tmp_path / "video.mp4", np.arange(10) / 30))
    write(clip, tmp_path / "overlay.mp4")
    pictures = decoded(tmp_path / "overlay.mp4")
    assert len(pictures) == 10
    assert pictures[0].shape == (220, 200 + 164, 3)
    video, panel = pictures[4][:, :200], pictures[4][:, 200:]
    assert coloured(video) > 100
    assert coloured(panel) > 100
    turned = np.abs(panel.astype(int) - pictures[9][:, 200:]).max(-1)
    assert (turned > 60).sum() > 50, "the 3D skeleton turns"


def test_large_pictures_are_scaled_down(tmp_path: Path) -> None:
    size = (1000, 1600)
    clip = a_clip(frames=2, video=film(tmp_path / "video.mp4", np.arange(2) / 30, size))
    clip = replace(clip, image_size=size)
    write(clip, tmp_path / "overlay.mp4")
    assert decoded(tmp_path / "overlay.mp4")[0].shape == (720, 450 + 540, 3)


def test_a_variable_frame_rate_keeps_its_timing(tmp_path: Path) -> None:
    """The fourth picture came late: the third is shown until halfway to it."""
    time = np.array([0, 1, 2, 7, 8]) / 30
    clip = a_clip(frames=5, video=film(tmp_path / "video.mp4", time))
    clip = Clip.of(without(a_pose(time), *range(5)), some_frames(time), clip.video, {})
    shown = frames_to_show(time, 30)
    np.testing.assert_array_equal(shown, [0, 1, 2, 2, 2, 3, 3, 3, 4])
    write(clip, tmp_path / "overlay.mp4")
    brightness = np.array([picture[:, :200].mean() for picture in decoded(tmp_path / "overlay.mp4")])
    np.testing.assert_allclose(brightness - brightness[0], 10 * shown, atol=3)


@pytest.mark.parametrize("rate", [30.0, 60000 / 1001])
def test_a_constant_rate_shows_every_frame_once(rate: float) -> None:
    time = np.round(np.arange(500) / rate * 90000) / 90000
    np.testing.assert_array_equal(frames_to_show(time, rate), np.arange(500))
    np.testing.assert_array_equal(frames_to_show(time[:1], rate), [0])


def test_bones_are_where_the_pose_is_and_fade_with_confidence() -> None:
    clip = a_clip(frames=3)
    the_pose(clip).confidence[1] = 0.05
    without(the_pose(clip), 2)
    pictures = np.full((3, 220, 200, 3), 90, np.uint8)
    for frame, picture in enumerate(pictures):
        draw_pose(picture, the_pose(clip), frame, 1.0)
    changed = np.abs(pictures.astype(int) - 90).max(-1)
    x, y = np.rint(the_pose(clip).keypoint[0].mean(0)).astype(int)
    assert changed[0, y - 60 : y + 60, x - 20 : x + 20].any()
    rows, columns = np.nonzero(changed[0])
    extent = [rows.min(), rows.max(), columns.min(), columns.max()]
    np.testing.assert_allclose(extent, [100 - 64, 100 + 72, 100, 113], atol=8)
    assert changed[1].max() < changed[0].max() / 2
    assert not changed[2].any()


def test_a_pose_partly_outside_of_the_picture_is_drawn_as_far_as_it_goes() -> None:
    clip = a_clip(frames=2)
    the_pose(clip).keypoint[0] -= (120, 0)
    the_pose(clip).keypoint[1] += (1e6, np.nan)
    picture = np.zeros((220, 200, 3), np.uint8)
    draw_pose(picture, the_pose(clip), 0, 1.0)
    assert not picture.any(), "wholly to the left of the picture"
    the_pose(clip).keypoint[0] += (14, 0)
    draw_pose(picture, the_pose(clip), 0, 1.0)
    assert picture[:, :8].any()
    before = picture.copy()
    draw_pose(picture, the_pose(clip), 1, 1.0)
    np.testing.assert_array_equal(picture, before)


def test_the_panel_without_a_pose_is_an_empty_floor() -> None:
    clip = a_clip(frames=2)
    without(the_pose(clip), 1)
    panel = Panel(the_pose(clip), (160, 220))
    body, empty = panel.draw(0, 0.0), panel.draw(1, 0.0)
    assert coloured(body[:190]) > 100
    assert coloured(empty[:190]) == 0
