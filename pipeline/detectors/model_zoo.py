"""MMPose's own list of models: configs by name, and the config that belongs to a checkpoint file.

Reads the files that come with MMPose and imports nothing of it.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import yaml

from ..errors import PosepipeError

_OWN_NAMES = {f"rtmpose-{size}": f"rtmpose-{size}_8xb256-420e_body8-256x192" for size in "tsm"}
"""Short names that MMPose itself has for the largest RTMPose only."""

_FAMILIES = ("integral_regression", "rtmpose", "simcc", "topdown_heatmap", "topdown_regression")
_DATASETS = ("body8", "coco", "humanart", "mpii")
_PACKAGES = ("torch", "mmengine", "mmcv", "mmpose", "xtcocotools")


@dataclass(frozen=True)
class FoundModel:
    """A checkpoint on disk and the config that belongs to it."""

    config: Path
    checkpoint: Path


def find_config(config: str | Path) -> Path:
    """The file of a config: a path, or a name that MMPose knows ("human", "td-hm_hrnet-w32_8xb64-210e_coco-256x192").

    Raises:
        PosepipeError: no such file or name.
    """
    path = Path(config).expanduser()
    if path.is_file():
        return path
    names = _config_names()
    try:
        return names[str(config).removesuffix(".py")]
    except KeyError:
        near = difflib.get_close_matches(str(config), names, n=3) or ["human", "rtmpose-m"]
        raise PosepipeError(
            f"MMPose config {str(config)!r} is neither a file nor a name that MMPose knows; near it: {', '.join(near)}"
        ) from None


def find_config_of(checkpoint: Path) -> Path:
    """The config of a published checkpoint, or of one whose file name starts with a config's name.

    Raises:
        PosepipeError: the file name says nothing.
    """
    config = _config_of(checkpoint.name)
    if config is None:
        raise PosepipeError(
            f"the name of checkpoint {checkpoint} says nothing of its model; name its config in detect.mmpose_config"
        )
    return config


def models_folder() -> Path:
    """Where checkpoints are looked for: ``$POSEPIPE_MODELS``, or ``~/.cache/posepipe/models``."""
    return Path(os.environ.get("POSEPIPE_MODELS") or "~/.cache/posepipe/models").expanduser()


def find_checkpoint(folder: Path | None = None) -> FoundModel | None:
    """The first checkpoint (``*.pth``, by name) in the folder for models whose config its name tells."""
    for checkpoint in sorted((folder or models_folder()).glob("*.pth")):
        config = _config_of(checkpoint.name)
        if config is not None:
            return FoundModel(config, checkpoint)
    return None


def why_not() -> str | None:
    """Why MMPose cannot run here, or None if it can."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not _mim().is_dir():
        return f"its configs are missing at {_mim()}; install the mmpose wheel"
    return None


def status() -> str:
    """One sentence for ``posepipe doctor``: whether MMPose can run, and with which model."""
    reason = why_not()
    if reason:
        return f"mmpose cannot run, because {reason}"
    found = find_checkpoint()
    if found is None:
        return f"mmpose {version('mmpose')} can run, but needs a checkpoint: put one into {models_folder()}"
    return f"mmpose {version('mmpose')} can run: {found.config.stem} with {found.checkpoint}"


def _mim() -> Path:
    """The folder of the MMPose wheel that holds its configs and model lists."""
    found = find_spec("mmpose")
    if found is None or found.origin is None:
        raise PosepipeError("mmpose is not installed; install it, or set detect.detector = mediapipe")
    return Path(found.origin).parent / ".mim"


@cache
def _listed_models() -> list[dict[str, object]]:
    """The entries (Name, Config, Alias, Weights) of MMPose's model lists."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    lists = [yaml.load(path.read_text(), loader) for path in sorted((_mim() / "configs").rglob("*.yml"))]  # noqa: S506
    return [model for listed in lists for model in listed.get("Models", []) if (_mim() / model["Config"]).is_file()]


@cache
def _config_names() -> dict[str, Path]:
    """Config files by all their names; where names clash, that of the file itself wins, then the first listed."""
    names: dict[str, Path] = {}
    for path in sorted((_mim() / "configs").rglob("*.py")):
        if "_base_" not in path.parts:
            names.setdefault(path.stem, path)
    for model in _listed_models():
        aliases = model.get("Alias", [])
        for name in (model["Name"], *([aliases] if isinstance(aliases, str) else aliases)):  # type: ignore[misc]
            names.setdefault(name, _mim() / str(model["Config"]))
    return names | {short: names[name] for short, name in _OWN_NAMES.items() if name in names}


@cache
def _body_weights() -> dict[str, Path]:
    """Configs of the body models with known joints, by the file names of their published weights."""
    weights: dict[str, Path] = {}
    for model in _listed_models():
        config = _mim() / str(model["Config"])
        if _is_body(config) and model.get("Weights"):
            weights.setdefault(str(model["Weights"]).rpartition("/")[2], config)
    return weights


def _config_of(file_name: str) -> Path | None:
    """The body config whose published weights have this name, else the one with the longest name that starts it."""
    if file_name in _body_weights():
        return _body_weights()[file_name]
    starting = [
        name for name, config in _config_names().items()
        if name == config.stem and _is_body(config) and _starts(file_name, name)
    ]  # fmt: skip
    return _config_names()[max(starting, key=len)] if starting else None


def _starts(file_name: str, name: str) -> bool:
    """Whether the file name is the name, or goes on after it with a mark."""
    return file_name.startswith(name) and not file_name[len(name)].isalnum()


def _is_body(config: Path) -> bool:
    kind, family, dataset = config.parts[-4:-1]
    return kind == "body_2d_keypoint" and family in _FAMILIES and dataset in _DATASETS
