"""Our files of tensors and plain values, with format and version; nothing in them is ever executed."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ..errors import PosepipeError


@dataclass(frozen=True)
class TorchFormat:
    """A kind of file, and its names in messages."""

    name: str
    """Format name in the file."""
    version: int
    """The newest version that is known."""
    file: str
    """As in "there is no model file x.pt"."""
    noun: str
    """With its article, as in "is not a posepipe model"."""
    origin: str
    """The right file, as in "give the model.pt that `posepipe fit` wrote"."""
    again: str
    """How to create it again, as in "run fit again"."""

    def pack(self, content: Mapping[str, Any], version_needed: int | None = None) -> bytes:
        """The bytes of a file.

        Args:
            content: tensors and plain values by name.
            version_needed: the oldest version that can hold the content; by default the newest.
        """
        about = {
            "format": self.name,
            "format_version": version_needed or self.version,
            "posepipe": version("posepipe"),
        }
        buffer = io.BytesIO()  # a path would put its own name into the file
        torch.save({**about, **content}, buffer)
        return buffer.getvalue()

    def read(self, path: Path, kinds: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The content of a file, on the CPU; nothing in it is executed.

        Args:
            kinds: names that it must hold, with the types of their values.
            optional: names that it may hold.

        Raises:
            PosepipeError: missing, of another kind, of a newer version, or damaged.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # warnings of torch on a file that is refused below
                content = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError as error:
            raise PosepipeError(f"there is no {self.file} {path}") from error
        except Exception as error:  # torch and pickle raise many kinds
            raise PosepipeError(
                f"{path} is not {self.noun} (it cannot be read as plain tensors, so nothing in it was run); "
                f"{self.origin}"
            ) from error
        if not isinstance(content, dict) or content.get("format") != self.name:
            raise PosepipeError(f"{path} is not {self.noun}; {self.origin}")
        if not isinstance(written := content.get("format_version"), int):
            raise self.damaged(path, "it does not say its format")
        if written > self.version:
            raise PosepipeError(
                f"{path} was written by posepipe {content.get('posepipe')}, which is newer than this one "
                f"({version('posepipe')}); update posepipe, or {self.again}"
            )
        return self.checked(path, content, kinds, optional)

    def checked(
        self, path: Path, content: Any, kinds: Mapping[str, Any], optional: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The known entries of a file's content, or of a part of it, checked for their types.

        Raises:
            PosepipeError: something is missing or of another type.
        """
        if not isinstance(content, dict):
            raise self.damaged(path, "a part of it holds nothing by name")
        if lost := [name for name in kinds if name not in content]:
            raise self.damaged(path, f"it lacks {lost[0]!r}")
        known = {name: kind for name, kind in {**kinds, **(optional or {})}.items() if name in content}
        for name, kind in known.items():
            if not isinstance(content[name], kind):
                raise self.damaged(path, f"its {name!r} is of type {type(content[name]).__name__}")
        return {name: content[name] for name in known}

    def damaged(self, path: Path, why: str) -> PosepipeError:
        """The error for a file of this kind with invalid content."""
        return PosepipeError(f"{path} is damaged: {why}; {self.again}")
