"""MMPose top-down models: any of its configs with a checkpoint on disk, crops of many images in one pass.

A config is a Python program: give only configs that you trust. Checkpoints are read safely.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...models.networks.openmmlab import MissingPartError, openmmlab_imports, quiet
from ...models.networks.precision import Precision
from ...models.skeleton import COCO17, COCO23, H36M17, HALPE26, MPII16, Skeleton
from ..errors import PosepipeError
from ..footage.joints import declared_mapping
from ..runtime.utilisation import network
from . import People
from .boxes import BoxSource, blazepose_boxes
from .checkpoint import file_digest, load_weights
from .following import follow
from .frozen import CannotCompileError, CompiledBackbone, FrozenBackbone
from .model_zoo import find_config, find_config_of, why_not
from .openvino_backbone import OpenVinoBackbone

if reason := why_not():
    raise PosepipeError(f"mmpose cannot run, because {reason}; or set detect.detector = blazepose")

with openmmlab_imports():
    import mmpose
    from mmengine.config import Config
    from mmengine.dataset import Compose, pseudo_collate
    from mmpose.apis import init_model
    from mmpose.apis.inference import dataset_meta_from_config
    from mmpose.codecs import RegressionLabel, SimCCLabel
    from mmpose.models import TopdownPoseEstimator

log = logging.getLogger("posepipe")

_KNOWN = (HALPE26, COCO23, COCO17, H36M17, MPII16)
_OUR_NAMES = {
    "head_top": "head", "upper_neck": "neck",  # mpii
    "root": "pelvis", "left_foot": "left_ankle", "right_foot": "right_ankle", "neck_base": "nose",  # h36m
}  # fmt: skip
"""Our names of joints that have other names in MMPose."""


class MMPoseDetector:
    """A top-down model: finds the joints of the person in each box.

    Args:
        config: file of an MMPose top-down config, or a name that MMPose knows; "" takes the one of the checkpoint's
            file name.
        checkpoint: file of its weights.
        device: where torch computes.
        batch_size: crops in one pass of the network.
        precision: of the backbone's arithmetic; bf16 is faster where the processor supports it.
        box_every: the person's box is detected in one image of so many, if ``boxes`` is not given.
        follow_poses: whether boxes come from the poses in the previous image; ``boxes`` is then used at the start and
            when people are lost.
        h36m17: for other joint sets, the model's joints of which a joint of H36M-17 is the middle; joints of the same
            name can be omitted.
        boxes: source of boxes; the embedded detector by default.

    Raises:
        PosepipeError: unknown or unusable config, unknown joints, or a checkpoint that does not fit.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: Path,
        *,
        device: str | torch.device = "cpu",
        batch_size: int = 16,
        precision: Precision = "fp32",
        box_every: int = 5,
        follow_poses: bool = False,
        h36m17: dict[str, list[str]] | None = None,
        boxes: BoxSource | None = None,
    ) -> None:
        checkpoint = Path(checkpoint).expanduser()
        path = find_config(config) if config else find_config_of(checkpoint)
        with quiet():
            settings = read_config(path)
            text = json.dumps(settings.to_dict(), sort_keys=True, default=str)
            self._model = build(settings, path)
            load_weights(self._model, checkpoint, path.stem)
            self._model.to(device)
            self._device = torch.device(device)
            pipeline = settings.test_dataloader.dataset.pipeline
            self._pipeline = Compose(pipeline)
            self.runtime = _compile(self._model, pipeline, precision)
        names = _joints(self._model)
        self._declared = declared_mapping(names, h36m17, "detect") if h36m17 else None
        if self._declared:
            self.skeleton, self._joints = self._declared.target, list(range(len(names)))
        else:
            self.skeleton, self._joints = _skeleton(self._model)
        self.confidence_kind = _confidence_kind(self._model.head)
        self._batch_size = batch_size
        self._boxes = boxes or blazepose_boxes(1 if follow_poses else box_every)
        self._look_every = box_every if follow_poses else None
        boxes_from = self._boxes.description
        if follow_poses:
            boxes_from = f"boxes from the pose in the image before, the first {boxes_from.removeprefix('boxes ')}"
        release = mmpose.__version__
        network = f"{path.stem} in {self.runtime}" + (" with bf16" if precision == "bf16" else "")
        self.description = f"MMPose {release} {network}, weights {checkpoint.name}; {boxes_from}"
        parts = ["mmpose", release, text, file_digest(checkpoint), precision, h36m17 or {}]
        parts += [self._boxes.key, self._look_every]
        if self.runtime != FrozenBackbone.runtime:  # which sums in another order
            parts.append(self.runtime)
        self.key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def detect(self, images: Iterable[np.ndarray]) -> Iterator[People]:
        """People in consecutive images (H, W, 3) uint8 BGR of one video."""
        if self._look_every is None:
            return self._find(self._boxes.boxes(images))
        return follow(images, self._boxes, lambda image, box: next(self._find([(image, box)])), self._look_every)

    def anybody(self, images: Iterable[np.ndarray]) -> Iterator[bool]:
        """Whether there is a box for anybody in each image (H, W, 3) uint8 BGR."""
        return self._boxes.anybody(images)

    def detect_in_boxes(self, images: Iterable[np.ndarray], boxes: Iterable[np.ndarray]) -> list[People]:
        """The people in given boxes (P, 4) px per image (H, W, 3): left, top, right, bottom."""
        return list(self._find(zip(images, boxes, strict=True)))

    def _find(self, boxed: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[People]:
        """The people in images with their boxes."""
        boxed = iter(boxed)
        while group := list(islice(boxed, self._batch_size)):
            poses = self._poses([(image, box) for image, boxes in group for box in boxes])
            for _, boxes in group:
                yield self._people(boxes, list(islice(poses, len(boxes))))

    def _poses(self, crops: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
        """For each image and box the joints (J, 3) float32 in the skeleton's order: x, y in px and confidence."""
        for start in range(0, len(crops), self._batch_size):
            batch = pseudo_collate([self._crop(*crop) for crop in crops[start : start + self._batch_size]])
            try:
                with torch.inference_mode(), quiet(), network(self._device):
                    samples = self._model.test_step(batch)
            except MissingPartError as error:
                raise PosepipeError(str(error)) from error
            for sample in samples:
                found = sample.pred_instances
                pose = np.column_stack([found.keypoints[0], np.clip(found.keypoint_scores[0], 0, 1)])
                yield pose[self._joints].astype(np.float32)

    def _crop(self, image: np.ndarray, box: np.ndarray) -> dict[str, Any]:
        """The output of the model's own test pipeline for one person."""
        person = {"img": image, "bbox": np.asarray(box, np.float32)[None], "bbox_score": np.ones(1, np.float32)}
        return self._pipeline(person | self._model.dataset_meta)

    def _people(self, box: np.ndarray, poses: list[np.ndarray]) -> People:
        pose = np.array(poses, np.float32).reshape(len(poses), -1 if poses else len(self.skeleton.joints), 3)
        keypoint, confidence = pose[..., :2], pose[..., 2]
        keypoint[confidence == 0] = np.nan  # the heatmap has no maximum
        if poses and self._declared is not None:
            keypoint, confidence = self._declared.apply(keypoint, confidence)
        return People(np.asarray(box, np.float32).reshape(-1, 4), keypoint, confidence)


def read_config(path: Path) -> Config:
    """The settings of a config file.

    Raises:
        PosepipeError: not a config of a model.
    """
    try:
        config = Config.fromfile(path)
    except (OSError, SyntaxError, ImportError, RuntimeError) as error:
        raise PosepipeError(f"{path} cannot be read as an MMPose config: {error}") from error
    if "model" not in config or "test_dataloader" not in config:
        raise PosepipeError(f"{path} is no MMPose config of a model: it lacks 'model' or 'test_dataloader'")
    return config


def build(config: Config, path: Path) -> Any:
    """The model of a config, without weights.

    Raises:
        PosepipeError: not a top-down 2D model, or it needs packages that are not installed.
    """
    try:
        model = init_model(config, None, device="cpu")
    except (ImportError, KeyError) as error:
        raise PosepipeError(f"MMPose cannot build the model of {path}: {error}") from error
    if not isinstance(model, TopdownPoseEstimator):
        raise PosepipeError(f"{path} is not a top-down model but a {type(model).__name__}; name a top-down config")
    model.dataset_meta = _dataset_meta(config, path)  # init_model takes COCO's where a config names no keypoints
    return model


def _compile(model: Any, pipeline: list[Any], precision: Precision) -> str:
    """Replace a model's backbone by a compiled one; a warning says if that is impossible.

    Returns:
        Name of the engine.

    Raises:
        PosepipeError: bf16 is impossible.
    """
    size = next(step["input_size"] for step in pipeline if step["type"] == "TopdownAffine")
    for compiled in _compilers(next(model.parameters()).device):
        try:
            model.backbone = compiled(model.backbone, size, precision)
            return compiled.runtime
        except CannotCompileError as error:
            reason = error
            log.warning("mmpose: %s cannot compile the network, which is slower without: %s", compiled.runtime, error)
    if precision == "bf16":
        raise PosepipeError(f"this model cannot run with bf16: {reason}; set detect.precision = fp32") from reason
    return FrozenBackbone.runtime


def _compilers(device: torch.device) -> list[type[CompiledBackbone]]:
    """Compilers of networks for a device, the fastest first."""
    return [OpenVinoBackbone, FrozenBackbone] if device.type == "cpu" else [FrozenBackbone]


def _dataset_meta(config: Config, path: Path) -> dict[str, Any]:
    """A config's metadata on the joints of its model.

    Raises:
        PosepipeError: it has none.
    """
    meta = dataset_meta_from_config(config, "train") or dataset_meta_from_config(config, "test")
    if meta is None:
        raise PosepipeError(f"{path} does not say which keypoints the model finds; give its datasets a 'metainfo'")
    return meta


def keypoint_names(names: Iterable[str]) -> list[str]:
    """Our names of the joints of MMPose's data sets."""
    return [_OUR_NAMES.get(name, name) for name in names]


def keypoints_of(config: Config, path: Path) -> list[str]:
    """Names of the joints on which a config's model is trained, in its order.

    Raises:
        PosepipeError: the config has no names.
    """
    return keypoint_names(name for _, name in sorted(_dataset_meta(config, path)["keypoint_id2name"].items()))


def _joints(model: Any) -> list[str]:
    """Names of the joints that a model finds, in its order."""
    names = keypoint_names(name for _, name in sorted(model.dataset_meta["keypoint_id2name"].items()))
    chosen = (model.test_cfg or {}).get("output_keypoint_indices") or range(len(names))
    return [names[index] for index in chosen]


def _skeleton(model: Any) -> tuple[Skeleton, list[int]]:
    """The largest known skeleton whose joints a model finds, and their indices among the model's keypoints.

    Raises:
        PosepipeError: none.
    """
    meta, names = model.dataset_meta, _joints(model)
    for skeleton in _KNOWN:
        if set(skeleton.joints) <= set(names):
            return skeleton, [names.index(joint) for joint in skeleton.joints]
    raise PosepipeError(
        f"the model's {len(names)} keypoints are of the set {meta['dataset_name']!r} ({', '.join(names[:4])}, ...), "
        f"which holds none of {', '.join(sorted(s.name for s in _KNOWN))}; name a config that was trained on one, "
        "or say under [detect.h36m17] of which of them the joints of h36m17 are the middle"
    )


def _confidence_kind(head: Any) -> str:
    """Kind of a head's scores."""
    if isinstance(head.decoder, SimCCLabel):
        return "SimCC score"
    return "regression score" if isinstance(head.decoder, RegressionLabel) else "heatmap maximum"
