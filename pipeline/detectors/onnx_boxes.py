"""Boxes of all people from an ONNX file in the form that OpenMMLab's MMDeploy exports RTMO, YOLOX-Pose and YOLOX.

Its input are pictures (1, 3, H, W) float32, BGR in 0..255, scaled into the upper left of its input size; its outputs
are boxes with scores (1, N, 5) and, with several classes, class numbers (1, N), 0 for people.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import torch

from ..errors import PosepipeError
from ..runtime.utilisation import network
from .carried import LEAST_OVERLAP, LEAST_SCORE, BoxesNowAndThen
from .checkpoint import file_digest

try:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors
except ImportError as error:
    raise PosepipeError(
        f"detect.boxes_checkpoint: an ONNX file needs onnxruntime ({error}); pip install 'posepipe[onnx]'"
    ) from error

PADDING = 114
"""Grey value of the padding in training of OpenMMLab's one-stage models."""
PERSON = 0
_UNUSABLE = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)


class BoxesFromOnnx(BoxesNowAndThen):
    """All people that a network finds in every n-th image; in between, boxes are interpolated linearly.

    Args:
        file: the network.
        every: one image in so many is searched for people.

    Raises:
        PosepipeError: no such file, not ONNX, or without boxes as output.
    """

    def __init__(self, file: Path, *, every: int = 5) -> None:
        super().__init__(every)
        if not file.is_file():
            raise PosepipeError(f"detect.boxes_checkpoint: there is no file {file}")
        self._session = _opened(file)
        given = self._session.get_inputs()
        shape = list(given[0].shape)
        if (
            len(given) != 1
            or len(shape) != 4
            or shape[1] != 3
            or not all(isinstance(side, int) for side in shape[2:])
        ):
            raise PosepipeError(
                f"detect.boxes_checkpoint: {file} takes {shape}, not pictures (1, 3, height, width) of one size"
            )
        self._input, (self._height, self._width) = given[0].name, shape[2:]
        self._file = file
        self.look(np.zeros((self._height, self._width, 3), np.uint8))
        self.description = f"boxes from {file.name}, in every {every}. image"
        parts = ["onnx", onnxruntime.__version__, file_digest(file), every, LEAST_SCORE, LEAST_OVERLAP]
        self.key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def look(self, image: np.ndarray) -> np.ndarray:
        """Boxes (P, 4) float32 px of the people in one image (H, W, 3) uint8 BGR.

        Raises:
            PosepipeError: the network cannot be run, or its outputs are not boxes.
        """
        share = min(self._height / image.shape[0], self._width / image.shape[1])
        size = round(image.shape[1] * share), round(image.shape[0] * share)
        picture = np.full((self._height, self._width, 3), PADDING, np.uint8)
        picture[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        given = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
        try:
            with network():
                found = self._session.run(None, {self._input: given})
        except _UNUSABLE as error:
            raise PosepipeError(f"detect.boxes_checkpoint: {self._file} cannot be run: {error}") from error
        scored = [each[0] for each in found if each.ndim == 3 and each.shape[-1] == 5]
        if len(scored) != 1:
            shapes = ", ".join(str(each.shape) for each in found)
            raise PosepipeError(
                f"detect.boxes_checkpoint: {self._file} gives {shapes}, but no boxes with scores (1, N, 5); "
                "export it with its suppression of double boxes, as MMDeploy does"
            )
        kept = scored[0][:, 4] >= LEAST_SCORE
        for each in found:
            if each.ndim == 2 and np.issubdtype(each.dtype, np.integer):
                kept &= each[0] == PERSON
        limit = np.array([image.shape[1], image.shape[0]] * 2)
        return np.clip(scored[0][kept, :4] / share, 0, limit).astype(np.float32)


def _opened(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except _UNUSABLE as error:
        raise PosepipeError(f"detect.boxes_checkpoint: {file} is no ONNX file that can be run: {error}") from error
