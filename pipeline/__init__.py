"""The Python API of posepipe.

from posepipe.pipeline import as_dataset, fit, infer, load_model, load_settings

made = fit("ski_videos", settings=load_settings(overrides=["train.epochs=50"]))
poses = infer("clip.mp4", model=made.model, height_m=1.80).pose
more = load_model(made.model).lift(keypoints, confidence)  # arrays in memory
as_dataset(poses)  # for xarray
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import PosepipeError

if TYPE_CHECKING:
    from .arrays import Pose3D
    from .exporters.dataset import as_dataset
    from .footage.recording import Recording
    from .runs.fit import Fit, fit
    from .runs.infer import Inferred, infer
    from .runs.trained import TrainedModel, load_model
    from .settings import Settings, load_settings

__all__ = [
    "Fit",
    "Inferred",
    "Pose3D",
    "PosepipeError",
    "Recording",
    "Settings",
    "TrainedModel",
    "as_dataset",
    "fit",
    "infer",
    "load_model",
    "load_settings",
]

# OpenMP threads that spin while they wait make training several times slower on a machine with other work, and
# threads that sleep at once make it half as fast on one without. So these spin shortly.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

_HOMES = {
    "Fit": "runs.fit",
    "fit": "runs.fit",
    "Inferred": "runs.infer",
    "infer": "runs.infer",
    "Pose3D": "arrays",
    "TrainedModel": "runs.trained",
    "load_model": "runs.trained",
    "as_dataset": "exporters.dataset",
    "Recording": "footage.recording",
    "Settings": "settings",
    "load_settings": "settings",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that the command line starts without torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
