"""Batches of training samples: arrays lie on the device, pictures stay on the disk until they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..models.method import Batch
from .arrays import Crops, Labels, Rig, Samples


class SampleCrops:
    """Which crop shows which view of which sample.

    Args:
        samples: as they were built from videos.
        crops: of each take's cameras.
    """

    def __init__(self, samples: Samples, crops: list[list[Crops]]) -> None:
        if samples.frame is None:
            raise ValueError("these samples do not come from videos")
        self._crops, self._take = crops, samples.take
        self._frame = np.where((samples.confidence > 0).any(-1), samples.frame, -1)

    def pick(self, sample: np.ndarray, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (N, H, W, 3) uint8 and maps (N, 2, 3) float32 of views of samples (N), (N).

        Black, with the identity, where a view is missing.
        """
        shape = self._crops[0][0].picture.shape[1:]
        picture = np.zeros((len(sample), *shape), np.uint8)
        crop_from_image = np.tile(np.eye(2, 3, dtype=np.float32), (len(sample), 1, 1))
        take = self._take[sample]
        for index, cameras in enumerate(self._crops):
            for camera, crops in enumerate(cameras):
                here = np.flatnonzero((take == index) & (view == camera))
                if len(here):
                    picture[here], crop_from_image[here] = crops.at(self._frame[sample[here], camera])
        return picture, crop_from_image


def to_batch(samples: Samples, rig: Rig | None, labels: Labels | None, device: torch.device) -> Batch:
    """All samples as tensors; cameras as in ``rig`` if it is given."""

    def tensor(array: Any) -> Tensor | None:
        return None if array is None else torch.from_numpy(array.copy()).to(device)

    cameras = samples if rig is None else rig
    fields = {name: getattr(samples, name) for name in ("keypoint", "confidence", "rig")}
    fields |= {name: getattr(cameras, name) for name in ("K", "R", "t")}
    if labels is not None:
        fields |= {"label": labels.joint, "label_confidence": labels.confidence}
    tensors: dict[str, Any] = {name: tensor(array) for name, array in fields.items()}
    return Batch(**tensors)


def pick(data: Batch, pictures: SampleCrops | None, index: Tensor) -> Batch:
    """Samples by index (B), and their pictures."""
    views = data.confidence.shape[1]
    places = index.to(data.rig.device)
    picked: dict[str, Any] = {name: None if value is None else value[places] for name, value in vars(data).items()}
    if pictures is not None:
        sample, view = index.repeat_interleave(views), torch.arange(views).repeat(len(index))
        read = read_crops(pictures, sample, view, data.rig.device)
        picked |= {name: value.unflatten(0, (-1, views)) for name, value in read.items()}
    return Batch(**picked)


def read_crops(pictures: SampleCrops, sample: Tensor, view: Tensor, device: torch.device) -> dict[str, Tensor]:
    """Pictures and maps of views of samples (N), by their names in batches and views."""
    picture, crop_from_image = pictures.pick(sample.cpu().numpy(), view.cpu().numpy())
    return {"crop": torch.from_numpy(picture).to(device),
            "crop_from_image": torch.from_numpy(crop_from_image).to(device)}  # fmt: skip
