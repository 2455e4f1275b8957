"""The file of a skeleton morph: tensors and plain values, never code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ...models.skeleton import H36M17
from ..errors import PosepipeError
from ..runtime.writing import write_atomically

if TYPE_CHECKING:  # torch is imported only where a network is used
    import torch

    from ...models.networks.morph import Morph
    from .torch_file import TorchFormat

FORMAT_VERSION = 1
MORPH_KINDS = {"state": dict, "source": str, "learnt_from": list}
"""Names in the file, with the types of their values."""


@dataclass(frozen=True)
class MorphNetwork:
    """A trained skeleton morph on the joints of Human3.6M-17."""

    state: dict[str, torch.Tensor]
    source: str
    """Name of the file of reference poses."""
    learnt_from: list[str]
    """Digests of its training files, which must not be used for training of methods."""

    @cached_property
    def key(self) -> str:
        """Digest of the weights, and of the version of the network that they belong to."""
        from ...models.networks.morph import Morph

        digest = hashlib.sha256(str(Morph.version).encode())
        for name, value in sorted(self.state.items()):
            digest.update(name.encode() + value.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def supervision(self) -> str:
        """Its training data, in words."""
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
        from ...models.networks.morph import Morph

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
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _format().pack(self.content()))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; nothing in it is executed.

        Raises:
            PosepipeError: missing, no skeleton morph, of a newer version, or damaged.
        """
        return cls(**_format().read(path, MORPH_KINDS))


def _format() -> TorchFormat:
    from .torch_file import TorchFormat

    return TorchFormat(
        "posepipe morph",
        FORMAT_VERSION,
        file="file of a skeleton morph (morph.network):",
        noun="a skeleton morph",
        origin="give the file that `posepipe morph fit` wrote",
        again="run `posepipe morph fit` again",
    )
