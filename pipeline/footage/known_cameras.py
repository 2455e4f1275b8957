"""What is known of a camera before a fit, as nested lists, which stages take as inputs."""

from __future__ import annotations

from ...models.geometry.lens import COEFFICIENTS
from .lenses import Lens
from .recording import CameraClip


def camera_model(camera: CameraClip) -> list[list[list[float]]]:
    """K, R and t as nested lists, as many of them as are known."""
    known = camera.calibration
    if known is None:
        return []
    place = [] if known.R is None or known.t is None else [known.R.tolist(), [known.t.tolist()]]
    return [known.K.tolist(), *place]


def lens_of(camera: CameraClip) -> Lens:
    """Distortion coefficients of a camera; zeros where nothing is known of it."""
    return [0.0] * COEFFICIENTS if camera.calibration is None else camera.calibration.distortion.tolist()
