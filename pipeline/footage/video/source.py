"""What one camera filmed, read as one clip: a video, a recording in several files, or a folder of pictures.

All times are those of the whole clip: those of a part of it do not begin at 0, and a chapter begins where the one
before it ends.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import av
import numpy as np

from ...arrays import Frames
from ...errors import PosepipeError
from ...runtime.cache import SourceFile
from . import facts, pictures
from .clock import ROUNDING_S, Seen
from .image_folder import probe_images, read_images
from .losses import breaks_off
from .sound import AUDIO_RATE
from .stream import open_video

Frame = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Filmed(SourceFile):
    """A clip as a camera left it, known by its content."""

    chapters: tuple[Path, ...] = ()
    """Files in which the recording goes on."""
    rate_hz: float | None = None
    """Of a folder of pictures, how many a second."""


def probe_clip(video: SourceFile, mirrored: bool = False) -> Frames:
    """When each picture of a clip is to be shown and how, and its sound, as ``probe`` says it of a file.

    Args:
        mirrored: whether the camera stored the mirror image.

    Raises:
        PosepipeError: not a readable video, no picture, a folder of pictures without a rate, or chapters that do not
            belong together.
    """
    if video.path.is_dir():
        return probe_images(video.path, _rate(video), mirrored)
    files = _files(video)
    found = [facts.probe(file, mirrored) for file in files]
    return _joined(files, found) if len(files) > 1 else found[0]


def read_clip(
    video: SourceFile,
    frames: Frames,
    *,
    ahead: int = 8,
    parts: Sequence[tuple[float, float]] | None = None,
    seen: Sequence[Seen] | None = None,
) -> Generator[Frame, None, None]:
    """Time (s) and picture (H, W, 3) uint8 BGR of each of the frames, as ``read_frames`` gives those of a file.

    Args:
        frames: what ``probe_clip`` or ``as_decoded`` said of the clip, or a part of it.
        ahead: pictures that are decoded in advance at most.
        parts: starts and ends (s) of what is wanted, in order and apart; the rest is hardly decoded.
        seen: of each file, where the clip is read for the first time.

    Raises:
        PosepipeError: not a readable video.
    """
    begin, end = _ends(frames)
    if frames.is_part:
        inside = [(max(begin, first), min(end, last)) for first, last in parts or [(begin, end)]]
        parts = [(first, last) for first, last in inside if first <= last]
    with closing(_pictures(video, frames, ahead, parts, seen)) as found:
        yield from ((time, picture) for time, picture in found if begin <= time <= end)


class Reading:
    """A clip as it is decoded for the first time: its pictures, and then when they were taken and what was lost.

    Args:
        frames: what ``probe_clip`` said of the clip, or a part of it.
    """

    def __init__(self, video: SourceFile, frames: Frames) -> None:
        self._video, self._frames = video, frames
        self._seen = [Seen() for _ in _files(video)]
        self._times: list[float] = []

    def pictures(self, parts: Sequence[tuple[float, float]] | None = None) -> Generator[Frame, None, None]:
        """Time (s) and picture, as of ``read_clip``; times of frames without their own are only near the true ones.

        Args:
            parts: starts and ends (s) of what is wanted, in order and apart, of frames with their own times.
        """
        with closing(read_clip(self._video, self._frames, parts=parts, seen=self._seen)) as found:
            for time, picture in found:
                self._times.append(time)
                yield time, picture

    @property
    def time(self) -> np.ndarray:
        """Rising times (F) s of the pictures, when all of them have been read."""
        if self._frames.own_times:
            return np.array(self._times, float)
        starts = self._frames.chapter_starts or [0.0]
        order = self._frames.field_order
        return np.concatenate([start + seen.time(order) for start, seen in zip(starts, self._seen, strict=True)])

    @property
    def damaged(self) -> int:
        """How many pictures were found damaged or missing."""
        return sum(seen.damaged for seen in self._seen)


def read_clip_keys(video: SourceFile, frames: Frames) -> Iterator[Frame]:
    """Time (s) and picture, as of ``read_clip``, of the frames that stand for themselves.

    Args:
        frames: with their own times.

    Raises:
        PosepipeError: not a readable video.
    """
    begin, end = _ends(frames)
    for time, picture in _key_pictures(video, frames):
        if time > end:
            return
        if time >= begin:
            yield time, picture


def _ends(frames: Frames) -> tuple[float, float]:
    """Between which times (s) pictures are of these frames; infinite where they are all of the clip."""
    if not frames.is_part:
        return -np.inf, np.inf
    return float(frames.time[0]) - ROUNDING_S, float(frames.time[-1]) + ROUNDING_S


def _pictures(
    video: SourceFile,
    frames: Frames,
    ahead: int,
    parts: Sequence[tuple[float, float]] | None,
    seen: Sequence[Seen] | None,
) -> Generator[Frame, None, None]:
    """Pictures of all files of a clip; between the parts none, or few."""
    if video.path.is_dir():
        yield from read_images(video.path, _rate(video), frames, parts, seen[0] if seen else None)
        return
    for number, (file, start, own) in enumerate(_timed(video, frames)):
        end = start + own.time[-1]
        here = None if parts is None else [(a - start, b - start) for a, b in parts if b >= start and a <= end]
        if here != []:
            first = seen[number] if seen else None
            with closing(pictures.read_frames(file, own, ahead=ahead, parts=here, seen=first)) as found:
                yield from ((start + time, picture) for time, picture in found)


def _key_pictures(video: SourceFile, frames: Frames) -> Iterator[Frame]:
    if video.path.is_dir():
        yield from read_images(video.path, _rate(video), frames)
        return
    for file, start, own in _timed(video, frames):
        yield from ((start + time, picture) for time, picture in pictures.read_key_frames(file, own))


def _files(video: SourceFile) -> tuple[Path, ...]:
    return (video.path, *video.chapters) if isinstance(video, Filmed) else (video.path,)


def _timed(video: SourceFile, frames: Frames) -> Iterator[tuple[Path, float, Frames]]:
    """Each file of a clip with its start (s), and all of its own frames, of which those of the clip may be a part."""
    starts = frames.chapter_starts or [0.0]
    time = np.asarray(frames.time if frames.whole_time is None else frames.whole_time)
    first = [*np.searchsorted(time, np.array(starts) - ROUNDING_S), len(time)]
    for number, (file, start) in enumerate(zip(_files(video), starts, strict=True)):
        own = time[first[number] : first[number + 1]] - start
        yield file, start, replace(frames, time=own, whole_time=None, chapter_starts=[])


def _rate(video: SourceFile) -> float:
    rate_hz = video.rate_hz if isinstance(video, Filmed) else None
    if rate_hz is None:
        raise PosepipeError(
            f"{video.path} is a folder of pictures, which do not say how many a second were taken (their rate): say "
            "--set pictures.rate_hz=30, or rate_hz = 30 under [pictures] in posepipe.toml"
        )
    return rate_hz


def _joined(files: Sequence[Path], found: Sequence[Frames]) -> Frames:
    """What the chapters of a recording say as one clip."""
    first, starts = found[0], [0.0]
    for file, each in zip(files[:-1], found[:-1], strict=True):
        period = float(np.median(np.diff(each.time))) if len(each.time) > 1 else ROUNDING_S
        starts.append(starts[-1] + max(recorded(file).length_s, float(each.time[-1]) + period))
    for file, each in zip(files, found, strict=True):
        if not np.array_equal(each.image_size, first.image_size):
            raise PosepipeError(
                f"{file} is named as if it went on where {files[0].name} ends, but its pictures have another size; "
                "if it is another recording, give it another name"
            )
    return replace(
        first,
        time=np.concatenate([start + each.time for start, each in zip(starts, found, strict=True)]),
        missing_s=found[-1].missing_s,
        audio_envelope=_joined_sound(starts, [each.audio_envelope for each in found]),
        chapter_starts=starts,
        own_times=all(each.own_times for each in found),
        lost=_said(files, [*([*each.lost, *breaks_off(each)] for each in found[:-1]), found[-1].lost]),
    )


def _said(files: Sequence[Path], sentences: Sequence[list[str]]) -> list[str]:
    """What is to be said of each chapter, in sentences about the first."""
    later = zip(files[1:], sentences[1:], strict=True)
    return [*sentences[0], *(f"goes on in {file.name}, which {said}" for file, each in later for said in each)]


def _joined_sound(starts: Sequence[float], sounds: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """The envelopes of chapters one after the other, silent where one has none or ends early."""
    places = [round(start * AUDIO_RATE) for start in starts]
    heard = [(place, sound) for place, sound in zip(places, sounds, strict=True) if sound is not None]
    if not heard:
        return None
    joined = np.zeros(max(place + len(sound) for place, sound in heard), np.float32)
    for place, sound in heard:
        joined[place : place + len(sound)] = sound
    return joined


@dataclass(frozen=True)
class Recorded:
    """When a file was recorded, as it says itself."""

    began_s: float | None
    """On any clock that the files of one camera share."""
    length_s: float
    kind: tuple[str, int, int]
    """Codec, width and height."""


def recorded(file: Path) -> Recorded:
    """When a file was recorded, without decoding any of it.

    Raises:
        PosepipeError: not a readable video.
    """
    with open_video(file) as (container, stream):
        said = stream.metadata.get("creation_time") or container.metadata.get("creation_time")
        if stream.duration and stream.time_base:
            length = float(stream.duration * stream.time_base)
        else:
            length = (container.duration or 0) / av.time_base
        return Recorded(_seconds(said), length, (stream.codec_context.name, stream.width, stream.height))


def _seconds(said: str | None) -> float | None:
    try:
        return datetime.fromisoformat(said).timestamp() if said else None
    except ValueError:
        return None
