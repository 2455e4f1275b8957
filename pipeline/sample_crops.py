"""Which crop shows which view of which training sample; pictures stay on the disk until they are asked for."""

from __future__ import annotations

import numpy as np

from .arrays import Crops, Samples


class SampleCrops:
    """The crops of all samples.

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
