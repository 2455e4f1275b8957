"""Models that can be downloaded: names, configs, addresses and digests of OpenMMLab's published weights.

OpenMMLab puts the first eight digits of a file's SHA-256 into its name; more is not published. That detects damaged
files, but not forged ones; so only tensors are read from a checkpoint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import PosepipeError
from .download import adopt, download
from .model_zoo import find_config, models_folder, published_weights

NAMES = (
    "rtmpose-t", "rtmpose-s", "rtmpose-m", "rtmpose-l",
    "rtmpose-t-halpe26", "rtmpose-s-halpe26", "rtmpose-m-halpe26", "rtmpose-l-halpe26", "rtmpose-m-mpii",
    "hrnet-w32", "hrnet-w48", "hrnet-w32-mpii", "vitpose-s", "vitpose-b", "vitpose-l", "vitpose-h",
)  # fmt: skip
LICENCE = "Apache-2.0"
"""Licence of all weights that OpenMMLab publishes with MMPose."""
SERVERS = ("https://download.openmmlab.com/", "https://openmmlab.oss-accelerate.aliyuncs.com/")
"""OpenMMLab's server, and the storage behind it under its older address."""


@dataclass(frozen=True)
class ReadyModel:
    """A model whose weights are published."""

    name: str
    config: Path
    file_name: str
    urls: tuple[str, ...]
    sha256: str
    """Its known first digits."""

    @property
    def path(self) -> Path:
        """Path of its weights, whether they are downloaded or not."""
        return models_folder() / self.file_name

    @property
    def needs(self) -> str:
        """Further package that it needs beside MMPose, or ""."""
        return "mmpretrain" if self.name.startswith("vitpose") else ""


def ready_model(name: str) -> ReadyModel:
    """A model of the table by name.

    Raises:
        PosepipeError: unknown name.
    """
    if name not in NAMES:
        raise PosepipeError(f"unknown model {name!r}; known: {', '.join(NAMES)}")
    config = find_config(name)
    url = published_weights(config)
    file_name = url.rpartition("/")[2]
    digits = re.findall(r"-([0-9a-f]{8})_\d{8}\.pth$", file_name)
    return ReadyModel(name, config, file_name, _mirrored(url), digits[0])


def ready_models() -> list[ReadyModel]:
    """All models of the table."""
    return [ready_model(name) for name in NAMES]


def pull(name: str, source: str = "") -> Path:
    """The weights of a model of the table, downloaded if necessary.

    Args:
        name: of the table.
        source: a local file, or the https address of a copy; OpenMMLab's servers if empty.

    Raises:
        PosepipeError: unknown name, no server has it, or other content.
    """
    model = ready_model(name)
    if source and not source.startswith(("https://", "http://")):
        adopt(Path(source).expanduser(), model.path, model.sha256)
    elif not model.path.is_file():
        try:
            download([source] if source else model.urls, model.path, model.sha256)
        except PosepipeError as error:
            raise PosepipeError(f"{error}, or give another copy of the file with --from FILE or --from URL") from None
    return model.path


def path_of(name: str) -> Path:
    """Path of the weights of a model of the table.

    Raises:
        PosepipeError: unknown name, or not downloaded yet.
    """
    model = ready_model(name)
    if not model.path.is_file():
        raise PosepipeError(f"{name} is not here: posepipe models pull {name} fetches it to {model.path}")
    return model.path


def _mirrored(url: str) -> tuple[str, ...]:
    path = urlsplit(url).path.lstrip("/")
    return tuple(server + path for server in SERVERS)
