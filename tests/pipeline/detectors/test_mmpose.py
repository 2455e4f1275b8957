"""MMPose models: the same joints as MMPose's own inference, whatever is installed beside it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from posepipe.models.networks import openmmlab
from posepipe.models.networks.openmmlab import MissingPartError
from posepipe.models.skeleton import COCO23, H36M17, HALPE26, MPII16
from posepipe.pipeline.detectors import mmpose as backend
from posepipe.pipeline.detectors.boxes import BoxesFromPoses
from posepipe.pipeline.detectors.frozen import CannotCompileError, FrozenBackbone
from posepipe.pipeline.detectors.mmpose import MMPoseDetector
from posepipe.pipeline.detectors.model_zoo import find_config
from posepipe.pipeline.errors import PosepipeError

from mmpose.apis import inference_topdown, init_model  # isort: skip  (importable only after ours)

BASE = "td-hm_res50_8xb64-210e_coco-256x192"
SMALL = """
_base_ = {base!r}
model = dict(
    backbone=dict(depth=18),
    head=dict(in_channels=512, out_channels={keypoints}, deconv_out_channels=(32, 32, 32)),
)
{rest}
"""


class StubBoxes:
    """The same two boxes in every image, and none in the third."""

    description = "boxes from a test"

    def __init__(self, key: str = "stub") -> None:
        self.key = key

    def boxes(self, images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        two = np.array([[30, 20, 130, 230], [100.5, 60, 190, 200]], np.float32)
        for index, image in enumerate(images):
            yield image, two[:0] if index == 2 else two


@dataclass(frozen=True)
class Model:
    config: Path
    checkpoint: Path

    def detector(self, **options) -> MMPoseDetector:
        return MMPoseDetector(self.config, self.checkpoint, boxes=StubBoxes(), **options)


def write_config(path: Path, dataset: str | None = None, keypoints: int = 17, rest: str = "") -> Path:
    """A ResNet-18 with narrow heatmap head, for the joints of any of MMPose's data sets."""
    if dataset:
        metainfo = f'dict(from_file="configs/_base_/datasets/{dataset}.py")'
        rest += f"\ntrain_dataloader = dict(dataset=dict(metainfo={metainfo}))"
    path.write_text(SMALL.format(base=str(find_config(BASE)), keypoints=keypoints, rest=rest))
    return path


def random_model(config: Path, folder: Path, seed: int = 0) -> Model:
    """A checkpoint of the config's model with random weights."""
    torch.manual_seed(seed)
    with backend.quiet():
        weights = init_model(config, None, device="cpu").state_dict()
    checkpoint = folder / f"{config.stem}-{seed}.pth"
    if "SimCC" not in str(config.read_text()):
        weights["head.final_layer.bias"] += 0.5  # else most heatmaps are negative, and show no joint
    torch.save({"state_dict": weights}, checkpoint)
    return Model(config, checkpoint)


@pytest.fixture(scope="module")
def heatmap(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("heatmap")
    return random_model(write_config(folder / "small.py"), folder)


@pytest.fixture(scope="module")
def simcc(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return random_model(find_config("rtmpose-t"), tmp_path_factory.mktemp("simcc"))


@pytest.fixture(scope="module")
def hrnet(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return random_model(find_config("td-hm_hrnet-w32_8xb64-210e_coco-256x192"), tmp_path_factory.mktemp("hrnet"))


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (5, 24, 20, 3), np.uint8)
    return [cv2.resize(image, (200, 240), interpolation=cv2.INTER_CUBIC) for image in coarse]


def reference(model: Model, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """What MMPose's own inference finds: keypoints (P, J, 2) and scores (P, J) of each image."""
    with backend.quiet():
        network = init_model(model.config, str(model.checkpoint), device="cpu")
        found = []
        for image, boxes in StubBoxes().boxes(images):
            poses = inference_topdown(network, image, boxes)[: len(boxes)]  # no boxes: it takes the whole image
            joints = [pose.pred_instances.keypoints[0] for pose in poses]
            scores = [pose.pred_instances.keypoint_scores[0] for pose in poses]
            found.append((np.reshape(joints, (-1, 17, 2)), np.reshape(scores, (-1, 17))))
    return found


@pytest.mark.parametrize(
    ("name", "count", "kind"),
    [("heatmap", 5, "heatmap maximum"), ("simcc", 5, "SimCC score"), ("hrnet", 1, "heatmap maximum")],
)
def test_finds_the_joints_that_mmpose_itself_finds(
    name: str, count: int, kind: str, images: list[np.ndarray], request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    detector = model.detector()
    compared = 0
    people = list(detector.detect(images[:count]))
    for found, (keypoint, score) in zip(people, reference(model, images[:count]), strict=True):
        seen = score > 0
        compared += seen.sum()
        assert np.array_equal(np.isnan(found.keypoint).any(-1), ~seen)
        assert np.abs(found.keypoint - keypoint)[seen].max(initial=0) <= 0.01
        np.testing.assert_allclose(found.confidence, np.clip(score, 0, 1), atol=1e-5)
    assert compared >= 20 * count
    assert detector.confidence_kind == kind
    assert [person.keypoint.shape for person in people[:3]] == [(2, 17, 2), (2, 17, 2), (0, 17, 2)][:count]
    given = [boxes for _, boxes in StubBoxes().boxes(images[:count])]
    for one, other in zip(detector.detect_in_boxes(images[:count], given), people, strict=True):
        np.testing.assert_array_equal(one.keypoint, other.keypoint)


@pytest.mark.parametrize("name", ["heatmap", "simcc"])
def test_a_batch_gives_what_single_crops_give(
    name: str, images: list[np.ndarray], request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    batched, single = (model.detector(batch_size=size).detect(images) for size in (16, 1))
    for one, other in zip(batched, single, strict=True):
        np.testing.assert_array_equal(one.box, other.box)
        np.testing.assert_allclose(one.keypoint, other.keypoint, atol=0.01)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-5)


WITHOUT = """
import sys
for name in sys.argv[4:]:
    sys.modules[name] = None  # its import now fails
import numpy as np
import torch
from posepipe.pipeline.detectors.mmpose import MMPoseDetector
sys.path.insert(0, sys.argv[3])
class Boxes:
    description = key = "stub"
    def boxes(self, images):
        return ((image, np.array([[30, 20, 130, 230]], np.float32)) for image in images)
people = []
for model in sys.argv[1].split(";"):
    config, checkpoint = model.split(",")
    image = np.load(sys.argv[2])
    people.append(next(MMPoseDetector(config, checkpoint, boxes=Boxes()).detect([image])).keypoint)
assert not any(name in sys.modules and sys.modules[name] is not None for name in sys.argv[4:])
np.save(sys.argv[3] + "/found.npy", people)
"""


@pytest.mark.parametrize(
    "missing", [["mmdet", "torchvision", "mmcv._ext", "matplotlib", "munkres"], ["torchvision", "mmcv._ext"]]
)
def test_works_without_what_the_model_does_not_need(
    missing: list[str], heatmap: Model, simcc: Model, images: list[np.ndarray], tmp_path: Path
) -> None:
    np.save(tmp_path / "image.npy", images[0])
    models = ";".join(f"{model.config},{model.checkpoint}" for model in (heatmap, simcc))
    arguments = [models, str(tmp_path / "image.npy"), str(tmp_path), *missing]
    run = subprocess.run([sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == run.stderr == ""
    expected = [next(model.detector().detect(images[:1])).keypoint[:1] for model in (heatmap, simcc)]
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=0.01)


def test_nothing_stands_in_once_mmpose_is_imported() -> None:
    assert not [name for name, module in sys.modules.items() if isinstance(module, openmmlab._StandIn)]


def test_a_stand_in_says_what_is_missing() -> None:
    from mmcv.ops.nms import ext_module

    if find_spec("mmcv._ext") is not None:
        pytest.skip("the full mmcv is installed")
    with pytest.raises(MissingPartError, match=r"mmcv\._ext\.softnms, which needs the full mmcv"):
        ext_module.softnms()


def test_importing_the_detectors_imports_neither_mmpose_nor_torch() -> None:
    check = (
        "import posepipe.pipeline.detectors, sys; print({'mmpose', 'mmcv', 'torch', 'openvino'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("dataset", "keypoints", "skeleton"),
    [("halpe26", 26, HALPE26), ("mpii", 16, MPII16), ("h36m", 17, H36M17), ("coco_wholebody", 133, COCO23)],
)
def test_joints_are_those_of_the_models_data_set(dataset: str, keypoints: int, skeleton, tmp_path: Path) -> None:
    config = write_config(
        tmp_path / f"{dataset}.py", dataset, keypoints, rest="model['test_cfg'] = dict(flip_test=False)"
    )
    model = backend.build(backend.Config.fromfile(config), config)
    found, joints = backend._skeleton(model)
    names = [model.dataset_meta["keypoint_id2name"][joint] for joint in joints]
    assert found == skeleton
    assert joints == list(range(len(skeleton.joints)))
    assert [backend._OUR_NAMES.get(name, name) for name in names] == list(skeleton.joints)


def test_unknown_joints_are_named(tmp_path: Path) -> None:
    model = random_model(write_config(tmp_path / "crowd.py", "crowdpose", 14), tmp_path)
    with pytest.raises(
        PosepipeError, match=r"14 keypoints are of the set 'crowdpose' .* coco17, coco23, h36m17, halpe26, mpii16"
    ):
        model.detector()


def test_a_config_that_is_no_top_down_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("a = 1")
    with pytest.raises(PosepipeError, match="lacks 'model'"):
        MMPoseDetector(tmp_path / "empty.py", tmp_path / "any.pth", boxes=StubBoxes())
    (tmp_path / "broken.py").write_text("a = (")
    with pytest.raises(PosepipeError, match="cannot be read as an MMPose config"):
        MMPoseDetector(tmp_path / "broken.py", tmp_path / "any.pth", boxes=StubBoxes())
    config = find_config("dekr_hrnet-w32_8xb10-140e_coco-512x512")
    with pytest.raises(PosepipeError, match="top-down"):
        MMPoseDetector(config, tmp_path / "any.pth", boxes=StubBoxes())


def test_the_key_depends_on_config_weights_and_boxes(heatmap: Model, tmp_path: Path) -> None:
    def key(config: Path = heatmap.config, checkpoint: Path = heatmap.checkpoint, boxes: str = "stub") -> str:
        return MMPoseDetector(config, checkpoint, boxes=StubBoxes(boxes)).key

    copy = tmp_path / "elsewhere.pth"
    copy.write_bytes(heatmap.checkpoint.read_bytes())
    assert key() == key(checkpoint=copy)
    unflipped = write_config(tmp_path / "unflipped.py", rest="model['test_cfg'] = dict(flip_test=False)")
    keys = {
        key(),
        key(config=unflipped),
        key(checkpoint=random_model(heatmap.config, tmp_path, seed=1).checkpoint),
        key(boxes="other"),
    }
    assert len(keys) == 4


def test_the_network_of_2d_poses_is_frozen(heatmap: Model, images: list[np.ndarray]) -> None:
    """Training that reached it would let all joints fall together (EpipolarPose, Sec. 3.1)."""
    detector = heatmap.detector()
    network = detector._model
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.enable_grad():
        people = list(detector.detect(images[:3]))
    assert all(isinstance(found.keypoint, np.ndarray) for found in people)  # which carry no gradient
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_says_which_model_it_is_and_what_runs_it(heatmap: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "MMPose 1.3.2 small in {}, weights small-0.pth; boxes from a test"
    fast = heatmap.detector()
    monkeypatch.setattr(backend, "_compilers", lambda device: [FrozenBackbone])
    plain = heatmap.detector()
    assert plain.description == said.format("PyTorch")
    assert fast.description == said.format(f"OpenVINO {version('openvino')}")
    assert fast.key != plain.key  # sums of another order


def test_what_openvino_cannot_run_pytorch_runs_and_it_is_said(
    heatmap: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from posepipe.pipeline.detectors.openvino_backbone import OpenVinoBackbone

    def refuse(*_: object) -> None:
        raise CannotCompileError("an unknown layer")

    monkeypatch.setattr(OpenVinoBackbone, "_compile", refuse)
    assert " in PyTorch, " in heatmap.detector().description
    assert "cannot compile the network" in caplog.text
    assert "an unknown layer" in caplog.text


def test_openvino_tells_nobody_that_it_is_used() -> None:
    program = (
        "import posepipe.pipeline.detectors.openvino_backbone\n"
        "import openvino.tools.ovc as ovc\n"
        "print(type(ovc.telemetry).__module__)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "openvino.tools.ovc.telemetry_stub"


def test_an_openvino_that_is_broken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "posepipe.pipeline.detectors.openvino_runtime", raising=False)
    with pytest.raises(PosepipeError, match=r"openvino cannot be used \(.*; repair it: pip install"):
        importlib.import_module("posepipe.pipeline.detectors.openvino_runtime")


def test_the_default_boxes_are_those_of_the_embedded_detector(heatmap: Model) -> None:
    often, seldom = (MMPoseDetector(heatmap.config, heatmap.checkpoint, box_every=every) for every in (5, 6))
    assert isinstance(often._boxes, BoxesFromPoses)
    assert "in every 5. image" in often.description
    assert often.key != seldom.key


def test_follows_poses_if_asked_to(heatmap: Model, images: list[np.ndarray]) -> None:
    detector = heatmap.detector(follow_poses=True)
    assert detector.description.endswith("boxes from the pose in the image before, the first from a test")
    assert detector.key != heatmap.detector().key
    people = list(detector.detect(images))
    first = next(heatmap.detector().detect(images))
    np.testing.assert_allclose(people[0].keypoint, first.keypoint, atol=0.01)
    given = [found.box for found in people]
    for one, other in zip(people, detector.detect_in_boxes(images, given), strict=True):
        np.testing.assert_allclose(one.keypoint, other.keypoint, atol=0.01)


CROWDPOSE = {
    "pelvis": ["left_hip", "right_hip"],
    "spine": ["left_hip", "right_hip", "left_shoulder", "right_shoulder"],
    "thorax": ["neck"],
    "nose": ["neck", "top_head"],
    "head": ["top_head"],
}


def test_joints_of_the_users_own_are_declared(images: list[np.ndarray], tmp_path: Path) -> None:
    model = random_model(write_config(tmp_path / "crowd.py", "crowdpose", 14), tmp_path)
    detector = model.detector(h36m17=CROWDPOSE)
    assert detector.skeleton == H36M17
    people = list(detector.detect(images[:3]))
    assert [found.keypoint.shape for found in people] == [(2, 17, 2), (2, 17, 2), (0, 17, 2)]
    at = {name: people[0].keypoint[:, H36M17.index(name)] for name in H36M17.joints}
    np.testing.assert_allclose(at["pelvis"], (at["left_hip"] + at["right_hip"]) / 2, atol=1e-3)
    np.testing.assert_allclose(at["nose"], (at["thorax"] + at["head"]) / 2, atol=1e-3)
    assert detector.key != model.detector(h36m17=CROWDPOSE | {"thorax": ["top_head"]}).key
    with pytest.raises(PosepipeError, match=r"h36m17's head is made of 'head'.*under \[detect\.h36m17\]"):
        model.detector(h36m17={name: parts for name, parts in CROWDPOSE.items() if name != "head"})
