"""Shared by all pages: templates, style, and poses encoded for their scripts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...models.body.body import body_size
from ...models.skeleton import Skeleton
from ..arrays import Pose3D
from .drawing import bone_sides, scene_of

TEMPLATES = Path(__file__).with_name("templates")
STEP = 1e-3
"""Resolution of poses in a page, in their unit."""
MISSING = -32768
TORSO = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")


def render_page(template: str, **content: Any) -> str:
    """A page as one self-contained HTML file; ``content`` is escaped unless the template marks it as safe."""
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    templates.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    templates.globals["source"] = lambda name: Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - ours
    return templates.get_template(template).render(**content)


def packed(values: np.ndarray, finest: float) -> dict[str, Any]:
    """Numbers (...) as little-endian 16-bit multiples of a step, in base64; NaN is ``MISSING``.

    The step is ``finest``, in the unit of the values, or coarser if they are too large for that.
    """
    largest = float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))
    step = max(finest, largest / 32767)
    steps = np.where(np.isfinite(values), np.rint(np.nan_to_num(values) / step), MISSING).astype("<i2")
    return {"steps": base64.b64encode(steps.tobytes()).decode(), "step": step}


def drawn_skeleton(skeleton: Skeleton) -> dict[str, Any]:
    """Data with which a script draws a skeleton; joints are indices."""
    torso = [skeleton.index(name) for name in TORSO if name in skeleton.joints]
    return {
        "joints": skeleton.joints,
        "bones": skeleton.bone_indices.tolist(),
        "sides": bone_sides(skeleton),
        "head": skeleton.landmark("head"),
        "nose": skeleton.landmark("nose"),
        "torso": torso if len(torso) == len(TORSO) else None,
    }


def drawn_poses(pose: Pose3D, skeleton: Skeleton, stride: int) -> dict[str, Any]:
    """Every ``stride``-th pose, upright, with the space that the poses need and the person's size."""
    scene, whole = scene_of(pose), pose.there
    size = float(np.median(body_size(np.asarray(pose.joint[whole], float), skeleton))) if whole.any() else 1.0
    joint = np.asarray(pose.joint[::stride], float)
    shown = np.where(whole[::stride, None, None], scene.place(joint), np.nan)
    return {
        "pose": packed(shown, STEP),
        "floor": round(scene.floor, 4),
        "reach": round(scene.reach, 4),
        "stature": round(size, 4),
    }
