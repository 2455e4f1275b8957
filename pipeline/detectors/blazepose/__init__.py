"""The embedded detector: everybody in the picture, near and far, with weights that are part of the package.

MoveNet finds people (``finder``), BlazePose's landmark network says where the joints of each are (``landmarks``) in
a square part of the picture around the person (``region``), and from one picture to the next the landmarks say where
that part will be (``following``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import DetectorSettings

if TYPE_CHECKING:
    from .detector import BlazePoseDetector


class BlazePoseSettings(DetectorSettings):
    """The embedded detector has nothing to choose."""

    def build(self, device: str) -> BlazePoseDetector:
        """The embedded detector; it runs on the processor."""
        from .detector import BlazePoseDetector

        return BlazePoseDetector()
