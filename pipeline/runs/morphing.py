"""The skeleton morph in a fit: is its file fit for it, and what stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PosepipeError
from ..runtime.workplace import Workplace
from ..settings import Settings

if TYPE_CHECKING:
    from ..training.morph_file import MorphNetwork  # imports torch


def chosen_morph(settings: Settings, sources: Mapping[Path, str]) -> MorphNetwork | None:
    """The skeleton morph that the settings name, if they do.

    Args:
        sources: files that a fit is to learn from, and their digests.

    Raises:
        PosepipeError: it cannot be read, does not belong to the skeleton, or learnt from one of the files.
    """
    if not settings.morph.network:
        return None
    if settings.morph.skeleton == "native":
        raise PosepipeError("morph.network moves the joints of h36m17; use --skeleton h36m17 or leave it out")
    from ..training.morph_file import MorphNetwork

    network = MorphNetwork.read(Path(settings.morph.network).expanduser())
    for path, digest in sources.items():
        if digest in network.learnt_from:
            raise PosepipeError(
                f"the skeleton morph {settings.morph.network} learnt from {path}: its subject must stay out of "
                "training, so leave that file out"
            )
    return network


def morph_digest(settings: Settings, place: Workplace) -> str:
    """Digest of the skeleton morph's file; empty if there is none."""
    path = Path(settings.morph.network).expanduser()
    return place.digests.of(path) if settings.morph.network and path.is_file() else ""
