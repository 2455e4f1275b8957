"""State of a training, stored so that a killed one resumes with the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from ..arrays import HandOver, durable
from .torch_file import TorchFormat

FORMAT = TorchFormat(
    "posepipe checkpoint",
    1,
    file="checkpoint",
    noun="a checkpoint of a training",
    origin="remove the folder that it lies in, and run fit again",
    again="remove the folder that it lies in, and run fit again",
)
_KINDS = {"method": dict, "optimizer": dict, "schedule": dict, "losses": list}


@dataclass(frozen=True)
class Checkpoint(HandOver):
    """State of a training after an epoch."""

    method: dict[str, Tensor]
    """Weights of the trained network."""
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    losses: list[dict[str, Any]]

    @classmethod
    def of(
        cls, network: nn.Module, optimizer: torch.optim.Optimizer, schedule: LRScheduler, losses: list[dict[str, Any]]
    ) -> Self:
        """The present state."""
        plain = {
            name: value
            for name, value in schedule.state_dict().items()
            if isinstance(value, int | float | bool | str | list)
        }
        return cls(network.state_dict(), optimizer.state_dict(), plain, losses)

    def notes(self) -> dict[str, Any]:
        """Empty, as tensors and losses are in the file."""
        return {}

    def save(self, folder: Path) -> None:
        """Write ``checkpoint.pt``."""
        with durable(folder / "checkpoint.pt") as file:
            file.write(FORMAT.pack({name: getattr(self, name) for name in self.__dataclass_fields__}))

    @classmethod
    def load(cls, folder: Path, notes: dict[str, Any]) -> Self:
        """Read ``checkpoint.pt``.

        Raises:
            PosepipeError: it is damaged.
        """
        return cls(**FORMAT.read(folder / "checkpoint.pt", _KINDS))
