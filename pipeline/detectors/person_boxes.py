"""Boxes of all people from a person detector of MMDetection or a one-stage pose model of MMPose.

Configs are Python programs: use only those that you trust. Checkpoints are read safely.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ...models.networks.openmmlab import MissingPartError, openmmlab_imports, quiet
from ..errors import PosepipeError
from ..runtime.utilisation import network
from .carried import LEAST_OVERLAP, LEAST_SCORE, BoxesNowAndThen
from .checkpoint import file_digest, load_weights
from .model_zoo import find_config, why_not

if reason := why_not():
    raise PosepipeError(f"detect.boxes_config: mmpose cannot run, because {reason}")

with openmmlab_imports():
    import mmpose.apis
    from mmengine.config import Config
    from mmengine.dataset import Compose, pseudo_collate
    from mmpose.models import BottomupPoseEstimator


class BoxesFromModel(BoxesNowAndThen):
    """All people that a model finds in every n-th image; in between, boxes are interpolated linearly.

    Args:
        config: file of an MMDetection config, or file or name of a one-stage MMPose config (RTMO, YOLOX-Pose).
        checkpoint: file of its weights.
        device: where torch computes.
        every: one image in so many is searched for people.

    Raises:
        PosepipeError: no such model, one that finds no people, or a checkpoint that does not fit.
    """

    def __init__(
        self, config: str | Path, checkpoint: Path, *, device: str | torch.device = "cpu", every: int = 5
    ) -> None:
        super().__init__(every)
        path = find_config(config)
        if not checkpoint.is_file():
            raise PosepipeError(f"detect.boxes_checkpoint: there is no file {checkpoint}")
        with quiet():
            settings, self._model = _build(path)
            load_weights(self._model, checkpoint, path.stem)
            self._model.to(device)
            self._device = torch.device(device)
            self._pipeline = Compose(_for_arrays(settings.test_dataloader.dataset.pipeline))
        self._person = _person_class(self._model, path)
        self.description = f"boxes from {path.stem}, weights {checkpoint.name}, in every {every}. image"
        text = json.dumps(settings.to_dict(), sort_keys=True, default=str)
        parts = [text, file_digest(checkpoint), every, LEAST_SCORE, LEAST_OVERLAP]
        self.key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def look(self, image: np.ndarray) -> np.ndarray:
        """Boxes (P, 4) float32 px of the people in one image (H, W, 3) uint8 BGR.

        Raises:
            PosepipeError: the model needs a part of mmcv that is missing here.
        """
        given = {"img": image, "img_id": 0} | getattr(self._model, "dataset_meta", {})
        try:
            with torch.inference_mode(), quiet():
                batch = pseudo_collate([self._pipeline(given)])
                with network(self._device):
                    found = self._model.test_step(batch)[0].pred_instances
        except MissingPartError as error:
            raise PosepipeError(str(error)) from error
        if self._person is None:
            box, score = np.asarray(found.bboxes), np.asarray(found.bbox_scores)
        else:
            people = found[found.labels == self._person]
            box, score = people.bboxes.numpy(force=True), people.scores.numpy(force=True)
        return box[score >= LEAST_SCORE].astype(np.float32).reshape(-1, 4)


def _build(path: Path) -> tuple[Config, Any]:
    """The settings and the model of a config, without weights.

    Raises:
        PosepipeError: not a model that finds people.
    """
    try:
        settings = Config.fromfile(path)
        if settings.get("default_scope", "mmdet") == "mmpose":
            model = mmpose.apis.init_model(settings, None, device="cpu")
        else:
            model = mmdetection().init_detector(settings, None, device="cpu")
    except (OSError, SyntaxError, ImportError, KeyError, AttributeError, RuntimeError) as error:
        raise PosepipeError(f"detect.boxes_config: the model of {path} cannot be built: {error}") from error
    if settings.get("default_scope") == "mmpose" and not isinstance(model, BottomupPoseEstimator):
        raise PosepipeError(
            f"detect.boxes_config: {path} is a {type(model).__name__}, which needs boxes itself; "
            "name a detector of MMDetection's or a one-stage model such as rtmo-s_8xb32-600e_body7-640x640"
        )
    return settings, model


def mmdetection() -> ModuleType:
    """MMDetection's module ``mmdet.apis``.

    Raises:
        PosepipeError: it is not installed.
    """
    if find_spec("mmdet") is None:
        raise PosepipeError("detect.boxes_config: models of MMDetection need mmdet: pip install 'posepipe[mmdet]'")
    with openmmlab_imports():
        import mmdet.apis
    return mmdet.apis


def _for_arrays(pipeline: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A test pipeline that takes pictures in memory, and no labels."""
    steps = [step for step in pipeline if not step["type"].endswith("Annotations")]
    first = {"type": "LoadImageFromNDArray"} if steps[0]["type"].endswith("LoadImageFromFile") else steps[0]
    return [first, *steps[1:]]


def _person_class(model: Any, path: Path) -> int | None:
    """Number of a detector's class of people; None for models of people only."""
    if isinstance(model, BottomupPoseEstimator):
        return None
    classes = model.dataset_meta["classes"]
    if "person" not in classes:
        raise PosepipeError(f"detect.boxes_config: {path} finds {', '.join(classes[:4])}, but no 'person'")
    return classes.index("person")
