"""What a fit is asked for: all that it reads, by content, and all the files that it has to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..exporters import FROM_VIDEO
from ..footage.known_cameras import camera_model, lens_of
from ..footage.recording import Camera, Recording
from ..runtime.workplace import Workplace
from ..settings import Settings
from .results import are_written


def content_of(recording: Recording, place: Workplace) -> list[Any]:
    """All that a fit reads, by content."""
    return [
        [take.name, take.rig, [[_facts(camera), place.digests.of(camera.video)] for camera in take.cameras]]
        for take in recording.takes
    ]


def _facts(camera: Camera) -> list[Any]:
    known = [camera_model(camera), lens_of(camera), camera.focal_px]
    return [camera.name, camera.video.name, camera.offset_s, camera.moving, camera.slow_motion, *known]


def exports_of(camera: Camera, exports: Sequence[str]) -> list[str]:
    """Those of the formats that a camera can have: nothing is drawn on a video that is not there."""
    return [name for name in exports if camera.keypoints is None or name not in FROM_VIDEO]


def fused_exports(exports: Sequence[str]) -> list[str]:
    """Those of the formats that poses of all views together can have, and what they can be exported from."""
    return ["npz", *(name for name in exports if name not in {"npz", *FROM_VIDEO})]


def result_folders(recording: Recording, target: Path) -> tuple[Path, ...]:
    """One folder per camera, in order."""
    return tuple(target / "takes" / take.name / camera.name for take in recording.takes for camera in take.cameras)


def is_complete(
    recording: Recording, target: Path, until: str | None, exports: Sequence[str], settings: Settings
) -> bool:
    """Whether all files that a fit writes are there."""
    if until is not None:
        return True
    main = all((target / name).exists() for name in ("model.pt", "settings.toml", "report.html"))
    fused = not settings.fuse.enabled or all(
        are_written(target / "takes" / take.name, fused_exports(exports)) for take in recording.takes
    )
    cameras = [camera for take in recording.takes for camera in take.cameras]
    folders = result_folders(recording, target)
    return (
        main
        and fused
        and all(
            are_written(folder, exports_of(camera, exports)) for folder, camera in zip(folders, cameras, strict=True)
        )
    )
