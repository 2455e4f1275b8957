"""MMPose's own list of models: configs by name, and the config that belongs to a checkpoint file.

Reads the files that come with MMPose without importing it.
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

from ...models.networks import openmmlab_packages
from ..errors import PosepipeError

_OWN_NAMES = {
    **{f"rtmpose-{size}": f"rtmpose-{size}_8xb256-420e_body8-256x192" for size in "tsm"},
    **{f"rtmpose-{size}-halpe26": f"rtmpose-{size}_8xb1024-700e_body8-halpe26-256x192" for size in "ts"},
    **{f"rtmpose-{size}-halpe26": f"rtmpose-{size}_8xb512-700e_body8-halpe26-256x192" for size in "ml"},
    "rtmpose-m-mpii": "rtmpose-m_8xb64-210e_mpii-256x256",
    "hrnet-w32": "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
    "hrnet-w48": "td-hm_hrnet-w48_8xb32-210e_coco-256x192",
    "hrnet-w32-mpii": "td-hm_hrnet-w32_8xb64-210e_mpii-256x256",
}
"""Short names of models without one in MMPose."""

_FAMILIES = ("integral_regression", "rtmpose", "simcc", "topdown_heatmap", "topdown_regression")
_DATASETS = ("body8", "coco", "humanart", "mpii")


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
            f"MMPose config {str(config)!r} is neither a file nor a name that MMPose knows; "
            f"similar names: {', '.join(near)}"
        ) from None


def find_config_of(checkpoint: Path) -> Path:
    """The config of a published checkpoint, or of one whose file name starts with a config's name.

    Raises:
        PosepipeError: the file name does not identify a config.
    """
    config = _config_of(checkpoint.name)
    if config is None:
        raise PosepipeError(
            f"the name of checkpoint {checkpoint} says nothing of its model; name its config in detect.mmpose_config"
        )
    return config


def published_weights(config: Path) -> str:
    """The address at which OpenMMLab publishes the weights of a config.

    Raises:
        PosepipeError: it publishes none.
    """
    for entry in _listed():
        if entry.config == config and entry.weights:
            return entry.weights
    raise PosepipeError(f"OpenMMLab publishes no weights for {config.stem}; name a checkpoint of your own")


def models_folder() -> Path:
    """Folder of checkpoints: ``$POSEPIPE_MODELS``, or ``~/.cache/posepipe/models``."""
    return Path(os.environ.get("POSEPIPE_MODELS") or "~/.cache/posepipe/models").expanduser()


def find_checkpoint(folder: Path | None = None) -> FoundModel | None:
    """The first checkpoint (``*.pth``, by name) in the models folder whose name identifies its config.

    None also if MMPose cannot run here; ``status`` says why.
    """
    if why_not():
        return None
    for checkpoint in sorted((folder or models_folder()).glob("*.pth")):
        config = _config_of(checkpoint.name)
        if config is not None:
            return FoundModel(config, checkpoint)
    return None


def why_not() -> str | None:
    """Why MMPose cannot run here, or None if it can."""
    if reason := openmmlab_packages.why_not():
        return reason
    return None if _mim().is_dir() else f"its configs are missing at {_mim()}; install the mmpose wheel"


def status() -> str:
    """One sentence for ``posepipe doctor``: whether MMPose can run, and with which model."""
    reason = why_not()
    if reason:
        return f"mmpose cannot run, because {reason}"
    found = find_checkpoint()
    if found is None:
        return f"mmpose {version('mmpose')} can run, but needs a checkpoint: posepipe models pull rtmpose-m"
    return f"mmpose {version('mmpose')} can run: {found.config.stem} with {found.checkpoint}"


def _mim() -> Path:
    """The folder of the MMPose wheel that holds its configs and model lists."""
    found = find_spec("mmpose")
    if found is None or found.origin is None:
        raise PosepipeError(f"mmpose is not installed; {openmmlab_packages.INSTALL} installs it")
    return Path(found.origin).parent / ".mim"


@dataclass(frozen=True)
class _Listed:
    """One entry of MMPose's model lists."""

    config: Path
    names: tuple[str, ...]
    weights: str
    """Address of its published weights, or ""."""


@cache
def _listed() -> tuple[_Listed, ...]:
    """The entries of MMPose's model lists whose config exists."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    listed = []
    for path in sorted((_mim() / "configs").rglob("*.yml")):
        for entry in yaml.load(path.read_text(), loader).get("Models", []):  # noqa: S506 (it is a safe loader)
            aliases = entry.get("Alias", [])
            names = (entry["Name"], *([aliases] if isinstance(aliases, str) else aliases))
            listed.append(_Listed(_mim() / entry["Config"], names, entry.get("Weights") or ""))
    return tuple(entry for entry in listed if entry.config.is_file())


@cache
def _config_names() -> dict[str, Path]:
    """Config files by all their names; where names clash, that of the file itself wins, then the first listed."""
    files = sorted(path for path in (_mim() / "configs").rglob("*.py") if "_base_" not in path.parts)
    names = {path.stem: path for path in reversed(files)}
    for entry in _listed():
        for name in entry.names:
            names.setdefault(name, entry.config)
    return names | {short: names[name] for short, name in _OWN_NAMES.items() if name in names}


def _config_of(file_name: str) -> Path | None:
    """The body config whose published weights have this name, else the one with the longest name that starts it."""
    body = [entry for entry in _listed() if _is_body(entry.config)]
    published = {entry.weights.rpartition("/")[2]: entry.config for entry in reversed(body) if entry.weights}
    if file_name in published:
        return published[file_name]
    files = {path.stem: path for path in _config_names().values() if _is_body(path)}
    starting = [name for name in files if _starts(file_name, name)]
    return files[max(starting, key=len)] if starting else None


def _starts(file_name: str, name: str) -> bool:
    """Whether the file name is the name, or goes on after it with a mark."""
    return file_name.startswith(name) and not file_name[len(name) :][:1].isalnum()


def _is_body(config: Path) -> bool:
    kind, family, dataset = config.parts[-4:-1]
    return kind == "body_2d_keypoint" and family in _FAMILIES and dataset in _DATASETS
