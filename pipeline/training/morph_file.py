"""The file of a skeleton morph: tensors and plain values, never code."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import torch

from ...models.networks.morph import Morph
from ...models.skeleton import H36M17
from ..errors import PosepipeError
from ..runtime.cache import write_atomically

FORMAT = "posepipe morph"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class MorphNetwork:
    """A trained skeleton morph on the joints of Human3.6M-17."""

    state: dict[str, torch.Tensor]
    source: str
    """Name of the file of reference poses."""
    learnt_from: list[str]
    """Digests of the files that it learnt from, which must stay out of training."""

    @cached_property
    def key(self) -> str:
        """Digest of the weights, and of the version of the network that they belong to."""
        digest = hashlib.sha256(str(Morph.version).encode())
        for name, value in sorted(self.state.items()):
            digest.update(name.encode() + value.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def supervision(self) -> str:
        """What it learnt from, in words."""
        return f"reference 2D poses of {self.source}"

    def content(self) -> dict[str, Any]:
        """Tensors and plain values, for a file."""
        plain = json.loads(json.dumps({"source": self.source, "learnt_from": self.learnt_from}))
        return {"state": self.state, **plain}

    def build(self) -> Morph:
        """The network, ready to morph.

        Raises:
            PosepipeError: weights that do not fit.
        """
        network = Morph(H36M17)
        try:
            network.load_state_dict(self.state)
        except RuntimeError as error:
            raise PosepipeError(
                "the weights of the skeleton morph do not fit; run `posepipe morph fit` again"
            ) from error
        return network.eval().requires_grad_(False)

    def write(self, path: Path) -> None:
        """Write the file."""
        buffer = io.BytesIO()
        about = {"format": FORMAT, "format_version": FORMAT_VERSION, "posepipe": version("posepipe")}
        torch.save(about | self.content(), buffer)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; nothing in it is executed.

        Raises:
            PosepipeError: missing, no skeleton morph, or of a newer version.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError as error:
            raise PosepipeError(f"there is no file {path} of a skeleton morph (morph.network)") from error
        except Exception as error:
            raise PosepipeError(
                f"{path} is no skeleton morph; give the file that `posepipe morph fit` wrote"
            ) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise PosepipeError(f"{path} is no skeleton morph; give the file that `posepipe morph fit` wrote")
        if content["format_version"] > FORMAT_VERSION:
            raise PosepipeError(f"{path} was written by a newer posepipe ({content['posepipe']}); update posepipe")
        return cls(content["state"], content["source"], content["learnt_from"])
