"""Batches of training samples: arrays are on the device, pictures and windows are made on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.method import Batch, Drawn, Labelled2D, Phase, View, Window, given
from ..arrays import Crops, LabelledPictures, Labels, Rig, Samples
from .drawn_views import DrawnViews
from .windows import Windows


class SampleCrops:
    """The crops of the views of all samples.

    Args:
        samples: built from videos.
        crops: of each take's cameras.
    """

    def __init__(self, samples: Samples, crops: list[list[Crops]]) -> None:
        if samples.frame is None:
            raise ValueError("these samples do not come from videos")
        self._crops, self._take = crops, samples.take
        self._frame = np.where((samples.confidence > 0).any(-1), samples.frame, -1)

    def pick(self, sample: np.ndarray, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (N, H, W, 3) uint8 and maps (N, 2, 3) float32 of views (N) of samples (N).

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


@dataclass(frozen=True)
class OnDemand:
    """Inputs of samples beside their arrays, made on demand."""

    pictures: SampleCrops | None = None
    windows: Windows | None = None
    """Of the views of all samples, view by view within a sample."""
    labelled: LabelledPictures | None = None
    """Of other people."""
    views: DrawnViews | None = None
    """That no camera has filmed."""
    half: Tensor | None = None
    """Half (S) of the footage of each sample (``halves``), for phases that learn from one of them."""

    def draw_labelled(self, count: int) -> Tensor:
        """Indices (count) of labelled pictures, drawn at random; (0) if there are none."""
        known = 0 if self.labelled is None else len(self.labelled.picture)
        return torch.randint(known, (count,)) if known else torch.zeros(0, dtype=torch.int64)

    def draw_views(self, phase: Phase, own: slice, device: torch.device) -> Drawn | None:
        """Views that a phase learns from in a step, drawn at random, of which a process takes its ``own``."""
        if not phase.filmed + phase.generic:
            return None
        drawn = given(self.views, "a reconstruction").draw(phase.filmed, phase.generic, phase.half)
        return Drawn(**{name: value[own].to(device) for name, value in vars(drawn).items()})


NOTHING = OnDemand()


def to_batch(samples: Samples, rig: Rig | None, labels: Labels | None, device: torch.device) -> Batch:
    """All samples as tensors, keypoints (S, V, J, 2); cameras from ``rig`` if it is given."""

    def tensor(array: Any) -> Tensor | None:
        return None if array is None else torch.from_numpy(array.copy()).to(device)

    cameras = samples if rig is None else rig
    fields = {name: getattr(samples, name) for name in ("keypoint", "confidence", "rig")}
    fields |= {name: getattr(cameras, name) for name in ("K", "R", "t")}
    if labels is not None:
        body = slice(samples.confidence.shape[2])  # labels may have feet behind it
        fields |= {"label": labels.joint[:, :, body], "label_confidence": labels.confidence[:, :, body]}
    tensors: dict[str, Any] = {name: tensor(array) for name, array in fields.items()}
    return Batch(**tensors)


def pick(data: Batch, index: Tensor, more: OnDemand = NOTHING, labelled: Tensor | None = None) -> Batch:
    """Samples by index (B), with their pictures and windows, and labelled pictures by index (M)."""
    views = data.confidence.shape[1]
    places = index.to(data.rig.device)
    picked: dict[str, Any] = {name: None if value is None else value[places] for name, value in vars(data).items()}
    sample, view = index.repeat_interleave(views), torch.arange(views).repeat(len(index))
    if more.pictures is not None:
        read = read_crops(more.pictures, sample, view, data.rig.device)
        picked |= {name: value.unflatten(0, (-1, views)) for name, value in read.items()}
    if more.windows is not None:
        picked["window"] = _windows(data, sample, view, more.windows, (len(index), views))
    if more.labelled is not None and labelled is not None:
        picked["labelled"] = read_labelled(more.labelled, labelled, data.rig.device)
    return Batch(**picked)


def pick_views(data: Batch, sample: Tensor, view: Tensor, more: OnDemand = NOTHING) -> View:
    """Views (N) of samples (N), with their pictures and windows."""
    places = sample.to(data.rig.device), view.to(data.rig.device)
    made: dict[str, Any] = {}
    if more.pictures is not None:
        made |= read_crops(more.pictures, sample, view, data.rig.device)
    if more.windows is not None:
        made["window"] = _windows(data, sample, view, more.windows, sample.shape)
    return View(data.keypoint[places], data.confidence[places], None if data.K is None else data.K[places], **made)


def _windows(data: Batch, sample: Tensor, view: Tensor, windows: Windows, shape: tuple[int, ...]) -> Window:
    """Windows (*shape, W) around views (N) of samples (N)."""
    index = windows.around((sample * data.confidence.shape[1] + view).cpu().numpy())
    K = None if data.K is None else data.K.flatten(0, 1)
    return cut_windows(data.keypoint.flatten(0, 1), data.confidence.flatten(0, 1), K, index.reshape(*shape, -1))


def cut_windows(keypoint: Tensor, confidence: Tensor, K: Tensor | None, index: np.ndarray) -> Window:
    """Windows of frames (F) by index (..., W), -1 where missing."""
    places = torch.from_numpy(index).to(confidence.device)
    there, places = places >= 0, places.clamp_min(0)
    return Window(
        keypoint[places] * there[..., None, None],
        confidence[places] * there[..., None],
        None if K is None else K[places],
    )


def read_labelled(labelled: LabelledPictures, index: Tensor, device: torch.device) -> Labelled2D:
    """Labelled pictures by index (M)."""
    place = index.numpy()
    known = labelled.confidence[place] > 0
    keypoint = np.where(known[..., None], labelled.keypoint[place], 0)
    parts = (labelled.picture[place], keypoint, labelled.confidence[place])
    return Labelled2D(*(torch.from_numpy(np.array(part)).to(device) for part in parts))


def read_crops(pictures: SampleCrops, sample: Tensor, view: Tensor, device: torch.device) -> dict[str, Tensor]:
    """Pictures and maps of views of samples (N), by their names in batches and views."""
    picture, crop_from_image = pictures.pick(sample.cpu().numpy(), view.cpu().numpy())
    return {"crop": torch.from_numpy(picture).to(device),
            "crop_from_image": torch.from_numpy(crop_from_image).to(device)}  # fmt: skip
