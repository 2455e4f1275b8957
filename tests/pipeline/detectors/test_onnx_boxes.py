"""Boxes of people from ONNX files: here of a network that finds what is white."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx_file import FLOAT, INT64, constant, node, value, write_onnx
from posepipe.pipeline.detectors.mmpose_settings import MMPoseSettings
from posepipe.pipeline.detectors.onnx_boxes import BoxesFromOnnx
from posepipe.pipeline.errors import PosepipeError

SIDE = 64


def network(path: Path, classes: tuple[int, ...] = (0, 0, 0), scores: tuple[float, ...] = (0.9, 0.1, 0.8)) -> Path:
    """Thrice the box of the brightest pixels, with scores and classes, in a picture (1, 3, 64, 64)."""
    nodes = [node("ReduceMax", ["image"], "rows", axes=[1, 3], keepdims=0)]
    nodes += [node("ReduceMax", ["image"], "columns", axes=[1, 2], keepdims=0)]
    corners = [("left", "columns", 0), ("top", "rows", 0), ("right", "columns", 1), ("bottom", "rows", 1)]
    for name, profile, last in corners:
        nodes.append(node("ArgMax", [profile], f"{name}_index", axis=1, keepdims=1, select_last_index=last))
    nodes.append(node("Concat", [f"{name}_index" for name, *_ in corners], "whole", axis=1))
    nodes.append(node("Cast", ["whole"], "box", to=FLOAT))
    nodes.append(node("Concat", ["box"] * 3, "flat", axis=0))
    nodes.append(node("Concat", ["flat", "scores"], "scored", axis=1))
    nodes.append(node("Unsqueeze", ["scored", "zero"], "dets"))
    nodes.append(node("Identity", ["classes"], "labels"))
    constants = [
        constant("scores", FLOAT, [3, 1], np.float32(scores).tobytes()),
        constant("zero", INT64, [1], np.int64([0]).tobytes()),
        constant("classes", INT64, [1, 3], np.int64(classes).tobytes()),
    ]
    found = [value("dets", FLOAT, [1, 3, 5]), value("labels", INT64, [1, 3])]
    return write_onnx(path, nodes, constants, value("image", FLOAT, [1, 3, SIDE, SIDE]), found)


def picture(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """White within the box (both ends), in a grey picture of twice and once the network's size."""
    image = np.full((SIDE, 2 * SIDE, 3), 30, np.uint8)
    image[top : bottom + 1, left : right + 1] = 255
    return image


def test_boxes_lie_where_the_network_sees_people_in_the_picture(tmp_path: Path) -> None:
    boxes = BoxesFromOnnx(network(tmp_path / "rtmo.onnx"), every=2)
    np.testing.assert_allclose(boxes.look(picture(20, 10, 61, 41)), [[20, 10, 60, 40]] * 2)  # shrunk to a half
    assert boxes.description == "boxes from rtmo.onnx, in every 2. image"
    images = [picture(20, 10, 61, 41), picture(20, 10, 61, 41), picture(30, 10, 71, 41)]
    moved = [box for _, box in boxes.boxes(images)]
    np.testing.assert_allclose([box[0, 0] for box in moved], [20, 25, 30])
    assert list(boxes.anybody(images)) == [True] * 3


def test_other_classes_and_unlikely_people_do_not_count(tmp_path: Path) -> None:
    some = BoxesFromOnnx(network(tmp_path / "yolox.onnx", classes=(0, 0, 2)))
    assert len(some.look(picture(20, 10, 61, 41))) == 1
    none = BoxesFromOnnx(network(tmp_path / "unsure.onnx", scores=(0.2, 0.1, 0.29)))
    assert none.look(picture(20, 10, 61, 41)).shape == (0, 4)
    assert none.key != some.key


def test_files_that_give_no_boxes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PosepipeError, match=r"boxes_checkpoint: there is no file"):
        BoxesFromOnnx(tmp_path / "nowhere.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(PosepipeError, match=r"broken.onnx is no ONNX file that can be run"):
        BoxesFromOnnx(tmp_path / "broken.onnx")
    same = [node("Identity", ["image"], "copy")]
    for shape, sentence in (
        ([1, 3, 8, 8], r"gives \(1, 3, 8, 8\), but no boxes with scores \(1, N, 5\)"),
        ([1, 4], r"takes \[1, 4\], not pictures \(1, 3, height, width\)"),
    ):
        path = write_onnx(tmp_path / "a.onnx", same, [], value("image", FLOAT, shape), [value("copy", FLOAT, shape)])
        with pytest.raises(PosepipeError, match=sentence):
            BoxesFromOnnx(path)


def test_a_config_beside_an_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"")
    settings = {"mmpose_config": "rtmpose-t", "mmpose_checkpoint": str(tmp_path / "a.pth")}
    settings |= {"boxes_config": "rtmpose-t", "boxes_checkpoint": str(tmp_path / "b.onnx")}
    with pytest.raises(PosepipeError, match=r"detect.boxes_config: an ONNX file such as .*b.onnx needs none"):
        MMPoseSettings(**settings).build("cpu")


def test_without_onnxruntime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "posepipe.pipeline.detectors.onnx_boxes")
    settings = {"mmpose_config": "rtmpose-t", "mmpose_checkpoint": str(tmp_path / "a.pth")}
    with pytest.raises(PosepipeError, match=r"an ONNX file needs onnxruntime .*pip install 'posepipe\[onnx\]'"):
        MMPoseSettings(**settings, boxes_checkpoint=str(tmp_path / "b.onnx")).build("cpu")
