"""How much faster posepipe runs MMPose's top-down models than MMPose's own loop, at the same joints.

    python tools/mmpose_speed.py rtmpose-m hrnet-w32                     # random weights, random pictures
    python tools/mmpose_speed.py demo/detector/skier.py --checkpoint made/skier.pth --pictures drawn/images

Runs ``inference_topdown`` picture by picture, and the detector with fp32 and, where the processor has it, with bf16,
in turn on the same pictures and boxes, in one process with one thread. Prints the ratios of their processor times
round by round, and how far joints lie from MMPose's own.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from posepipe.models.networks.openmmlab import quiet
from posepipe.models.networks.precision import Precision, has_bf16
from posepipe.pipeline.detectors import mmpose as detectors
from posepipe.pipeline.detectors.checkpoint import load_weights
from posepipe.pipeline.detectors.model_zoo import find_config

from mmpose.apis import inference_topdown  # isort: skip  (importable only after ours)

Found = list[np.ndarray]
EQUAL_PX = 0.05
"""Up to which two joints are the same. In maps of an untrained network some maxima are ties, which sums break."""


def random_checkpoint(model: Any, folder: Path) -> Path:
    """The model's random weights as a file; heatmaps are lifted, else most show no joint."""
    weights = model.state_dict()
    if "head.final_layer.bias" in weights and weights["head.final_layer.bias"].ndim == 1:
        weights["head.final_layer.bias"] += 0.5
    path = folder / "random.pth"
    torch.save({"state_dict": weights}, path)
    return path


def pictures_in(folder: Path | None, number: int) -> list[np.ndarray]:
    """Pictures of a folder, or coarse noise."""
    if folder:
        return [cv2.imread(str(path)) for path in sorted(folder.iterdir())[:number]]
    coarse = np.random.default_rng(0).integers(0, 256, (number, 24, 20, 3), np.uint8)
    return [cv2.resize(picture, (400, 480), interpolation=cv2.INTER_CUBIC) for picture in coarse]


def compare(config: str, checkpoint: Path | None, pictures: list[np.ndarray], rounds: int, batch: int) -> None:
    """Print the ratios of one model."""
    path = find_config(config)
    torch.manual_seed(0)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        model = detectors.build(detectors.read_config(path), path)
        weights = checkpoint or random_checkpoint(model, Path(folder))
        load_weights(model, weights, path.stem)
        made: list[Precision] = ["fp32", "bf16"] if has_bf16(torch.device("cpu")) else ["fp32"]
        ours = {p: detectors.MMPoseDetector(path, weights, precision=p, batch_size=batch) for p in made}
    sides = [np.array([p.shape[1], p.shape[0]] * 2, np.float32) for p in pictures]
    boxes = [side * np.array([[0.1, 0.05, 0.9, 0.95]], np.float32) for side in sides]
    runs: dict[str, Callable[[], Found]] = {"mmpose": lambda: theirs(model, pictures, boxes)}
    runs |= {p: (lambda p=p: [one.keypoint for one in ours[p].detect_in_boxes(pictures, boxes)]) for p in made}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    found: dict[str, Found] = {}
    for number in range(rounds + 1):
        for name, run in runs.items():
            began = time.process_time()
            found[name] = run()
            if number:  # the first only warms up
                seconds[name].append(time.process_time() - began)
    reference = np.concatenate(found["mmpose"])
    rate = len(pictures) / statistics.median(seconds["mmpose"])
    print(f"{path.stem}: mmpose {rate:.2f} pictures per processor second")
    for name in made:
        ratios = sorted(a / b for a, b in zip(seconds["mmpose"], seconds[name], strict=True))
        far = np.linalg.norm(np.concatenate(found[name]) - reference, axis=-1)
        print(
            f"  {name} in {ours[name].runtime}: {statistics.median(ratios):.2f} times as fast "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}); "
            f"joints differ by {np.nanmedian(far):.4f} px (median), {np.nanmax(far):.4f} px (largest), "
            f"{(far > EQUAL_PX).sum()} of {far.size} by more than {EQUAL_PX} px"
        )


def theirs(model: Any, pictures: list[np.ndarray], boxes: list[np.ndarray]) -> Found:
    """What MMPose's own loop finds."""
    with quiet():
        samples = [inference_topdown(model, picture, box)[0] for picture, box in zip(pictures, boxes, strict=True)]
    return [np.asarray(sample.pred_instances.keypoints) for sample in samples]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", help="MMPose configs: files, or names that MMPose knows")
    parser.add_argument("--checkpoint", type=Path, help="weights of the one config; random without")
    parser.add_argument("--pictures", type=Path, help="folder of pictures; noise without")
    parser.add_argument("--number", type=int, default=16, help="of pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for config in options.configs:
        pictures = pictures_in(options.pictures, options.number)
        compare(config, options.checkpoint, pictures, options.rounds, options.batch_size)


if __name__ == "__main__":
    main()
