"""What all settings have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

UNKEYED: dict[str, Any] = {"keyed": False}
"""Marks a setting that says how to compute, not what: it does not count in cache keys."""


class StageSettings(BaseModel):
    """Base of all settings: unknown words are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
