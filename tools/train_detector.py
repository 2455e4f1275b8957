"""Trains an MMPose top-down model on labelled pictures with MMPose's own loop, or goes on from a checkpoint.

    python demo/labelled.py --out drawn                       # pictures drawn by the demo; or take your own
    python tools/train_detector.py demo/detector/skier.py --labels drawn/labels.json --images drawn/images --out made

    python tools/train_detector.py rtmpose-m --checkpoint rtmpose-m.pth --labels mine.json --images frames --out tuned

Labels are a COCO JSON whose category names its keypoints: those of the model's data set, in any order. Every tenth
picture is kept out of training, and scored before (with --checkpoint) and after it. Writes OUT/<config>.pth, tensors
only, after each epoch, and OUT/metrics.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from posepipe.models.networks.openmmlab import openmmlab_imports, quiet
from posepipe.models.networks.precision import fastest_precision, hidden_layers
from posepipe.pipeline.detectors.checkpoint import load_weights
from posepipe.pipeline.detectors.model_zoo import find_config
from posepipe.pipeline.errors import PosepipeError
from posepipe.pipeline.runtime.writing import write_atomically

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.detector_scores import Scores, score

from posepipe.pipeline.detectors import mmpose as detectors  # isort: skip  (imports MMPose as it can be imported here)

with openmmlab_imports():
    import mmpose.datasets
    from mmengine.config import Config
    from mmengine.hooks import Hook
    from mmengine.optim import OptimWrapper
    from mmengine.registry import OPTIM_WRAPPERS
    from mmengine.runner import Runner

HELD_OUT_EVERY = 10
WARM_UP = 150
"""Steps until the learning rate is reached."""


@dataclass(frozen=True)
class Labels:
    """People in pictures, with keypoints in the order of a model."""

    images: Path
    content: dict[str, Any]  # COCO's

    def part(self, held_out: bool) -> Labels:
        """The labels of every tenth picture, or of all others."""
        images = sorted(self.content["images"], key=lambda image: image["file_name"])
        kept = [image for i, image in enumerate(images) if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == held_out]
        ids = {image["id"] for image in kept}
        people = [person for person in self.content["annotations"] if person["image_id"] in ids]
        return Labels(self.images, self.content | {"images": kept, "annotations": people})


def read_labels(path: Path, images: Path, wanted: list[str]) -> Labels:
    """The labels of a COCO JSON, with keypoints in the wanted order.

    Raises:
        PosepipeError: no such file, no COCO keypoints, joints missing, or pictures missing.
    """
    try:
        content = json.loads(path.read_text())
        named = [category for category in content["categories"] if category.get("keypoints")]
        names = detectors.keypoint_names(named[0]["keypoints"])
        people = [
            _person(person, len(names)) for person in content["annotations"] if any(person.get("keypoints", ()))
        ]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PosepipeError(f"{path} is no COCO JSON of keypoints whose category names them: {error!r}") from error
    if missing := [name for name in wanted if name not in names]:
        raise PosepipeError(f"{path} lacks keypoints of the model: {', '.join(missing)}; it has {', '.join(names)}")
    order = [names.index(name) for name in wanted]
    for person in people:
        pose = np.reshape(person["keypoints"], (-1, 3))[order]
        person |= {"keypoints": pose.ravel().tolist(), "num_keypoints": int((pose[:, 2] > 0).sum())}
    absent = [image["file_name"] for image in content["images"] if not (images / image["file_name"]).is_file()]
    if absent:
        raise PosepipeError(f"{len(absent)} pictures of {path} are not in {images}, the first is {absent[0]}")
    categories = [{"id": 1, "name": "person"}]
    return Labels(images, {"images": content["images"], "annotations": people, "categories": categories})


def _person(person: dict[str, Any], joints: int) -> dict[str, Any]:
    """One annotation with all that MMPose reads; its box is that of the joints if it has none."""
    pose = np.reshape(person["keypoints"], (joints, 3))
    seen = pose[pose[:, 2] > 0, :2]
    box = person.get("bbox") or [*seen.min(0).tolist(), *np.ptp(seen, axis=0).tolist()]
    return {"iscrowd": 0, "area": box[2] * box[3]} | person | {"category_id": 1, "bbox": box}


class StartFrom(Hook):
    """Gives the model the weights of a checkpoint, after the runner has drawn those that models start with."""

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint

    def before_train(self, runner: Runner) -> None:
        load_weights(runner.model, self._checkpoint, str(runner.work_dir))


@OPTIM_WRAPPERS.register_module()
class FastestOptimWrapper(OptimWrapper):
    """Steps in bf16 where the processor is made for it; MMEngine's own mixed precision wants a GPU."""

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        device = next(model.parameters()).device
        with super().optim_context(model), hidden_layers(fastest_precision(), training=True, device=device):
            yield


class KeepWeights(Hook):
    """Writes the weights after every epoch: tensors by name, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def after_train_epoch(self, runner: Runner) -> None:
        making = self._path.with_suffix(".part")
        torch.save({"state_dict": runner.model.state_dict()}, making)
        making.replace(self._path)


def recipe(config: Config, labels: Labels, out: Path, epochs: int, rate: float, batch: int, seed: int) -> Config:
    """The config of a training run: the config's model and targets, our labels, schedule and augmentation."""
    listed = out / "labels.json"
    write_atomically(listed, json.dumps(labels.content).encode())
    given = {step["type"]: step for step in config.train_dataloader.dataset.pipeline}
    pipeline = [
        {"type": "LoadImage"},
        {"type": "GetBBoxCenterScale"},
        {"type": "RandomFlip", "direction": "horizontal"},
        {"type": "RandomBBoxTransform", "shift_factor": 0.1, "scale_factor": (0.8, 1.25), "rotate_factor": 40},
        given["TopdownAffine"],
        given["GenerateTarget"],
        {"type": "PackPoseInputs"},
    ]
    data = config.train_dataloader.dataset
    described = data.get("metainfo") or getattr(mmpose.datasets.datasets, data.type).METAINFO
    dataset = {
        "type": "CocoDataset", "data_mode": "topdown", "metainfo": described, "pipeline": pipeline,
        "ann_file": str(listed.resolve()), "data_prefix": {"img": str(labels.images.resolve())},
    }  # fmt: skip
    optimizer = config.optim_wrapper.optimizer | {"lr": rate}
    return Config({
        "default_scope": "mmpose",
        "model": config.model,
        "work_dir": str(out / "log"),
        "train_dataloader": {
            "batch_size": batch, "num_workers": 0, "drop_last": True, "dataset": dataset,
            "sampler": {"type": "DefaultSampler", "shuffle": True},
        },
        "train_cfg": {"by_epoch": True, "max_epochs": epochs},
        "optim_wrapper": {"type": "FastestOptimWrapper", "optimizer": optimizer},
        "param_scheduler": [
            {"type": "LinearLR", "start_factor": 0.01, "begin": 0, "end": WARM_UP, "by_epoch": False},
            {
                "type": "CosineAnnealingLR", "eta_min": rate / 200, "begin": 0, "end": epochs, "by_epoch": True,
                "convert_to_iter_based": True,
            },
        ],
        "default_hooks": {"checkpoint": None},
        "randomness": {"seed": seed},
    })  # fmt: skip


def train(config: Config, weights: Path, checkpoint: Path | None) -> None:
    """Runs MMPose's training loop; ``weights`` is written after every epoch."""
    with quiet():
        runner = Runner.from_cfg(config)
    if checkpoint:
        runner.register_hook(StartFrom(checkpoint))
    runner.model.to(memory_format=torch.channels_last)
    runner.register_hook(KeepWeights(weights))
    runner.train()


def score_on(labels: Labels, names: list[str], config: Path, weights: Path) -> Scores:
    """How well a model finds the joints of labelled people in their own boxes; ``names`` are the labels' joints."""
    detector = detectors.MMPoseDetector(config, weights)
    named = {image["id"]: image["file_name"] for image in labels.content["images"]}
    people = labels.content["annotations"]
    box = np.array([person["bbox"] for person in people], np.float32)
    box[:, 2:] += box[:, :2]
    pictures = (cv2.imread(str(labels.images / named[person["image_id"]])) for person in people)
    found = detector.detect_in_boxes(pictures, box[:, None])
    pose = np.array([np.reshape(person["keypoints"], (-1, 3)) for person in people])
    pose = pose[:, [names.index(joint) for joint in detector.skeleton.joints]]
    return score(
        np.concatenate([one.keypoint for one in found]),
        np.concatenate([one.confidence for one in found]),
        np.where(pose[..., 2:] > 0, pose[..., :2], np.nan),
        (box[:, 2:] - box[:, :2]).max(1),
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("config", help="MMPose top-down config: a file, or a name that MMPose knows")
    made.add_argument("--labels", type=Path, required=True, help="COCO JSON of people and their keypoints")
    made.add_argument("--images", type=Path, required=True, help="folder of the pictures that it names")
    made.add_argument("--out", type=Path, required=True, help="folder to write to")
    made.add_argument("--checkpoint", type=Path, help="weights to go on from; from scratch without")
    made.add_argument("--epochs", type=int, default=26, help="passes over the pictures")
    made.add_argument("--rate", type=float, help="learning rate; the config's, or a tenth of it from a checkpoint")
    made.add_argument("--batch-size", type=int, default=32)
    made.add_argument("--seed", type=int, default=0)
    return made


def main() -> None:
    """Train, or say in one sentence why not."""
    options = parser().parse_args()
    try:
        metrics = run(options)
    except PosepipeError as error:
        sys.exit(f"error: {error}")
    print(json.dumps(metrics, indent=1))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Trains and scores; what is written to metrics.json.

    Raises:
        PosepipeError: unusable config, checkpoint or labels.
    """
    path = find_config(options.config)
    config = detectors.read_config(path)
    names = detectors.keypoints_of(config, path)
    labels = read_labels(options.labels, options.images, names)
    kept, held_out = labels.part(held_out=False), labels.part(held_out=True)
    options.out.mkdir(parents=True, exist_ok=True)
    weights = options.out / f"{path.stem}.pth"
    metrics: dict[str, Any] = {"train_pictures": len(kept.content["images"])}
    metrics |= {"held_out_pictures": len(held_out.content["images"])}
    metrics |= {name: getattr(options, name) for name in ("epochs", "batch_size", "seed")}
    if options.checkpoint:
        metrics["before"] = asdict(score_on(held_out, names, path, options.checkpoint))
    rate = options.rate or config.optim_wrapper.optimizer.lr * (0.1 if options.checkpoint else 1)
    began = time.process_time()
    training = recipe(config, kept, options.out, options.epochs, rate, options.batch_size, options.seed)
    train(training, weights, options.checkpoint)
    metrics |= {"rate": rate, "processor_s": round(time.process_time() - began)}
    metrics["after"] = asdict(score_on(held_out, names, path, weights))
    write_atomically(options.out / "metrics.json", json.dumps(metrics, indent=1).encode())
    return metrics


if __name__ == "__main__":
    main()
