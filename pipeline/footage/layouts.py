"""Folders of other programs: where in a recording of theirs the videos are, and what lies beside them.

=========  ===========================================================================================================
FreeMoCap  ``synchronized_videos`` beside ``annotated_videos``; earlier ``SyncedVideos``, ``RawVideos``, ``CalVideos``
Pose2Sim   ``videos`` beside ``pose`` (2D poses found in them) and ``calibration``; a session holds several of these
anipose    ``videos-raw`` beside ``calibration`` (of the board), ``pose-2d``, ``videos-labeled`` and so on
OpenCap    ``Videos/Cam0/InputMedia/TRIAL/TRIAL.mov``, and so on for each camera
EasyMocap  ``videos`` beside ``images`` and ``annots``
=========  ===========================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .sources import clips_in, folders_in, is_hidden, natural_order, videos_in

FILMED = (
    "synchronized_videos", "syncedvideos", "videos-raw", "raw_videos", "rawvideos", "videos", "pose-sync", "pose",
    "images",
)  # fmt: skip
"""Folders of a recording that hold one clip per camera, in small letters; the first that is there counts."""

DERIVED = (
    "annotated_videos", "videos-labeled", "videos-labeled-filtered", "videos-labeled-proj", "videos-combined",
    "videos-compare", "videos-3d", "videos-2d-proj", "pose-2d", "pose-2d-filtered", "pose-2d-proj", "pose-associated",
    "pose-3d", "output_data", "annots",
)  # fmt: skip
"""Folders beside them that show the same again."""

BOARD = ("calib", "checkerboard", "chessboard", "charuco", "calvideos", "intrinsic", "extrinsic")
"""What folders with pictures of a calibration board have in their names."""


TRIAL_CAMERA = re.compile(r"(.+?)[ _-]+(cam[^ _-]*)", re.IGNORECASE)

OF_BOARD = "its name is that of a folder for calibration"


def is_of_board(folder: Path) -> bool:
    """Whether a folder is named like those for calibration."""
    return any(word in folder.name.lower() for word in BOARD)


def filmed_folder(folder: Path) -> Path | None:
    """The folder in a recording of another program that holds its clips; None if it is no such recording."""
    inside = {path.name.lower(): path for path in folders_in(folder)}
    known = [inside[name] for name in FILMED if name in inside]
    filmed = next((path for path in known if len(clips_in(path).clips) >= 2), None)
    others = [
        path for path in folders_in(folder) if not is_of_board(path) and path.name.lower() not in FILMED + DERIVED
    ]
    if filmed is None or any(len(clips_in(path).clips) >= 2 for path in others):
        return None
    return filmed


def anipose_trials(filmed: Path) -> dict[str, dict[str, Path]]:
    """The clips of each trial in anipose's folder of all of them, by the names of cameras; empty if there is but one.

    They are called after trial and camera, such as ``walk-camA``.
    """
    trials: dict[str, dict[str, Path]] = {}
    for clip in clips_in(filmed).clips if filmed.name.lower() == "videos-raw" else ():
        parts = TRIAL_CAMERA.fullmatch(clip.stem)
        trials.setdefault(parts[1] if parts else "", {})[parts[2] if parts else clip.stem] = clip
    cameras = {frozenset(videos) for videos in trials.values()}
    return trials if len(trials) > 1 and len(cameras) == 1 and len(*cameras) >= 2 else {}


def beside(used: Path) -> dict[Path, str]:
    """Folders with clips beside that which holds the clips of a recording, and why they are not used."""
    why = {}
    for path in folders_in(used.parent):
        if path != used and clips_in(path).clips:
            why[path] = OF_BOARD if is_of_board(path) else f"{used.name} is used instead of it"
    return why


def opencap_trials(folder: Path) -> dict[str, dict[str, Path]]:
    """The videos of each trial of an OpenCap session, by the names of cameras; empty if it is no such session.

    Trials that show the board are none.
    """
    trials: dict[str, dict[str, Path]] = {}
    for camera, trial in _opencap_folders(folder):
        if videos := videos_in(trial):
            named = next((path for path in videos if path.stem == trial.name), videos[0])
            trials.setdefault(trial.name, {})[camera] = named
    return {name: videos for name, videos in trials.items() if len(videos) >= 2 and not is_of_board(Path(name))}


def _opencap_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    for camera in natural_order((folder / "Videos").glob("Cam*")):
        for trial in natural_order((camera / "InputMedia").glob("*")):
            if trial.is_dir() and not is_hidden(trial):
                yield camera.name, trial
