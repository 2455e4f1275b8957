"""Options of the MMPose detector; MMPose is imported only when the detector is built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ..errors import PosepipeError
from . import Detector, DetectorSettings
from .model_zoo import find_checkpoint, models_folder
from .ready_models import NAMES as READY_NAMES
from .ready_models import path_of

if TYPE_CHECKING:
    from .boxes import BoxSource


class MMPoseSettings(DetectorSettings):
    """MMPose's top-down models, one network for the boxes of people and one for their joints."""

    mmpose_config: str = Field(
        "", description="MMPose top-down config: a file, a name that MMPose knows, or one of posepipe models list"
    )
    mmpose_checkpoint: str = Field("", description="local MMPose checkpoint file")
    box_every: int = Field(5, ge=1, description="look for people's boxes in every n-th frame")
    boxes_config: str = Field(
        "",
        description="config of another model that finds people's boxes: a file of MMDetection's, or a one-stage "
        "model of MMPose's such as RTMO; without one boxes come from blazepose",
    )
    boxes_checkpoint: str = Field(
        "", description="its local checkpoint file; or an ONNX file of such a model, which needs no config"
    )
    h36m17: dict[str, list[str]] = Field(
        {}, description="for a model of joints of your own: of which a joint of h36m17 is the middle"
    )
    follow_poses: bool = Field(
        False, description="look for people where they were in the frame before, and for boxes when they are lost"
    )
    batch_size: int = Field(16, ge=1, description="crops in one network pass")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="sums of the backbone; bf16 is faster on processors that have it, and rounds more"
    )

    def build(self, device: str) -> Detector:
        """The configured checkpoint, or the one found on disk (imports MMPose).

        Raises:
            PosepipeError: there is no checkpoint, or MMPose cannot run here.
        """
        from ..runtime.device import choose_device
        from .mmpose import MMPoseDetector

        config, checkpoint = self._weights()
        chosen = choose_device(device)
        return MMPoseDetector(
            config,
            checkpoint,
            device=chosen,
            batch_size=self.batch_size,
            precision=self.precision,
            box_every=self.box_every,
            follow_poses=self.follow_poses,
            h36m17=self.h36m17,
            boxes=self._boxes(str(chosen)),
        )

    def _weights(self) -> tuple[str, Path]:
        """Name or file of the config, and the file of weights.

        Raises:
            PosepipeError: no such file, or none is named and none is on disk.
        """
        found = find_checkpoint()
        if self.mmpose_checkpoint:
            config, checkpoint = self.mmpose_config, Path(self.mmpose_checkpoint).expanduser()
        elif self.mmpose_config in READY_NAMES:
            config, checkpoint = self.mmpose_config, path_of(self.mmpose_config)
        elif found and not self.mmpose_config:
            config, checkpoint = str(found.config), found.checkpoint
        else:
            raise PosepipeError(
                f"mmpose needs a checkpoint: posepipe models pull rtmpose-m, put one into {models_folder()}, "
                "or name it with --set detect.mmpose_checkpoint=FILE (and its config with detect.mmpose_config)"
            )
        if not checkpoint.is_file():
            raise PosepipeError(f"detect.mmpose_checkpoint: there is no file {checkpoint}")
        return config, checkpoint

    def _boxes(self, device: str) -> BoxSource | None:
        """The model of people's boxes that the options name, if they do.

        Raises:
            PosepipeError: a config without checkpoint or the other way round, or an unusable one.
        """
        if not (self.boxes_config or self.boxes_checkpoint):
            return None
        every = 1 if self.follow_poses else self.box_every
        checkpoint = Path(self.boxes_checkpoint).expanduser()
        if checkpoint.suffix == ".onnx":
            if self.boxes_config:
                raise PosepipeError(
                    f"detect.boxes_config: an ONNX file such as {checkpoint} needs none; leave it out"
                )
            from .onnx_boxes import BoxesFromOnnx

            return BoxesFromOnnx(checkpoint, every=every)
        if not (self.boxes_config and self.boxes_checkpoint):
            raise PosepipeError("detect.boxes_config and detect.boxes_checkpoint belong together: give both")
        from .person_boxes import BoxesFromModel

        return BoxesFromModel(self.boxes_config, checkpoint, device=device, every=every)
