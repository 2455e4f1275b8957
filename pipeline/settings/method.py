"""The chosen training method: its class, its own settings, what it needs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ...models import METHODS
from ..errors import PosepipeError
from .extensions import check_extension, find_extension, load_place
from .learning import TrainModelSettings
from .parsing import parse
from .whole import Settings

if TYPE_CHECKING:
    from ...models.method import Method, MethodSettings

FROM_JOINTS = frozenset({"extrinsics", "labels"})
"""Needs of methods that the athlete's joints meet, once the intrinsics are known."""

FROM_VIEWS = frozenset({"reconstruction"})
"""Needs that the views meet with nothing else known."""

CAMERA_NEEDS = FROM_JOINTS | {"intrinsics"}
"""Needs that take intrinsics; methods that have one see keypoints freed from lens distortion, where it is known."""


def method_class(name: str) -> type[Method]:
    """The class of a training method (imports torch).

    Raises:
        PosepipeError: unknown method, or one of another package that cannot be used.
    """
    from ...models.method import Method

    place = find_extension("method", name, METHODS)
    kind = load_place(place)
    fits = isinstance(kind, type) and issubclass(kind, Method)
    check_extension(place, fits, "a subclass of posepipe.models.method.Method")
    return kind


def method_settings(settings: Settings) -> MethodSettings:
    """The chosen method's own settings, defaults filled in (imports torch).

    Raises:
        PosepipeError: unknown name (with the nearest valid one), or a value that does not fit.
    """
    return parse(method_class(settings.train.method).Settings, settings.method, "settings", section="train")


def method_needs(settings: Settings) -> frozenset[str]:
    """What the chosen method needs under its settings (imports torch).

    Raises:
        TypeError: a need that nobody can give, or without what it asks for: a mistake in the method's class.
    """
    from ...models.method import checked_needs

    kind = method_class(settings.train.method)
    return checked_needs(kind, kind.needs_with(method_settings(settings)))


def training_settings(settings: Settings, offered: Collection[str], advice: str) -> TrainModelSettings:
    """Settings of the training stage, checked, as are the data that the method needs.

    Args:
        offered: which of the needs of methods (``Method.needs``) the data meet.
        advice: what to do if they do not.

    Raises:
        PosepipeError: unknown settings, or data that the method cannot do without.
    """
    options, needs = method_settings(settings).model_dump(mode="json"), method_needs(settings)
    name = settings.train.method
    if settings.train.prior == "generic" and not method_class(name).prior_settings:
        raise PosepipeError(
            f"method {name!r} takes no prior, as its paper has none: leave out --prior, or use posepipe"
        )
    if needs & FROM_JOINTS:
        needs = needs - FROM_JOINTS | {"intrinsics"}
    if missing := sorted(needs - FROM_VIEWS - set(offered)):
        raise PosepipeError(
            f"method {name!r} needs {' and '.join(missing)}: {advice}, or use --method canonpose with its defaults"
        )
    shared = settings.train.model_dump(exclude={"prior"})
    return TrainModelSettings(**shared, options=options, device=settings.device)
