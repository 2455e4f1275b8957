"""MMPose config of a small detector of drawn athletes, and how to train it.

Three stages of a ResNet-18 of half its width with a heatmap head, 0.9 million weights: for drawn athletes, not for
people.

    python demo/labelled.py --out drawn --number 4500 --size 160
    python tools/train_detector.py demo/detector/skier.py --labels drawn/labels.json --images drawn/images \\
        --out made --epochs 14 --batch-size 16

made ``skier.pth`` and ``skier.json`` beside this file, from scratch, but that the pictures were drawn at 256 px and
shrunk later, so saved as JPEG twice; training took 379 s of one processor. 90 % of the joints of held-out pictures,
with strangers, things before the athlete and blur, are within a tenth of the person's size, and 98 % of those of
clips as ``footage.py`` draws them; what is missing are mostly elbows and wrists.

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
    "backbone": {
        "type": "ResNet",
        "depth": 18,
        "num_stages": 3,
        "strides": (1, 2, 2),
        "dilations": (1, 1, 1),
        "out_indices": (2,),
        "stem_channels": 32,
        "base_channels": 32,
    },
    "head": {
        "type": "HeatmapHead",
        "in_channels": 128,
        "out_channels": 17,
        "deconv_out_channels": (64, 64),
        "deconv_kernel_sizes": (4, 4),
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
