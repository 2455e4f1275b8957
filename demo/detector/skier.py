"""MMPose config of a small detector of drawn athletes, and how to train it.

A ResNet-18 of a quarter of its width with a heatmap head, 1 million weights: for drawn athletes, not for people.

    python demo/labelled.py --out drawn --number 4500 --size 160
    python tools/train_detector.py demo/detector/skier.py --labels drawn/labels.json --images drawn/images \\
        --out made --epochs 10

is how it is made. ``skier.pth`` beside this file came in steps: 10 epochs at 64x96 px, the first 5 of 14 at 96x128 px
(rate 1.5e-3), 2 at 7e-4, which ``skier.json`` is about, each by ``--checkpoint`` from the one before; some 5 minutes
of one processor. 85 % of the joints of held-out pictures, with strangers, things before the athlete and blur, are
within a tenth of the person's size, and 94 % of those of clips as ``footage.py`` draws them; what is missing are
elbows and wrists.

    posepipe fit demo_footage/training --detector mmpose --set detect.mmpose_config=demo/detector/skier.py \\
        --set detect.mmpose_checkpoint=demo/detector/skier.pth
"""

default_scope = "mmpose"
codec = {"type": "UDPHeatmap", "input_size": (96, 128), "heatmap_size": (24, 32), "sigma": 1.5, "blur_kernel_size": 9}

model = {
    "type": "TopdownPoseEstimator",
    "data_preprocessor": {
        "type": "PoseDataPreprocessor",
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
        "bgr_to_rgb": True,
    },
    "backbone": {"type": "ResNet", "depth": 18, "stem_channels": 16, "base_channels": 16},
    "head": {
        "type": "HeatmapHead",
        "in_channels": 128,
        "out_channels": 17,
        "deconv_out_channels": (64, 64, 64),
        "deconv_kernel_sizes": (4, 4, 4),
        "loss": {"type": "KeypointMSELoss", "use_target_weight": True},
        "decoder": codec,
    },
    "train_cfg": {"compute_acc": False},
    "test_cfg": {"flip_test": True, "flip_mode": "heatmap", "shift_heatmap": False},
}

affine = {"type": "TopdownAffine", "input_size": codec["input_size"], "use_udp": True}
test_pipeline = [{"type": "LoadImage"}, {"type": "GetBBoxCenterScale"}, affine, {"type": "PackPoseInputs"}]
train_pipeline = [*test_pipeline[:-1], {"type": "GenerateTarget", "encoder": codec}, test_pipeline[-1]]
data = {"type": "CocoDataset", "data_mode": "topdown", "metainfo": {"from_file": "configs/_base_/datasets/h36m.py"}}
train_dataloader = {"dataset": {**data, "pipeline": train_pipeline}}
test_dataloader = {"dataset": {**data, "pipeline": test_pipeline}}
optim_wrapper = {"type": "OptimWrapper", "optimizer": {"type": "AdamW", "lr": 2e-3, "weight_decay": 1e-3}}
