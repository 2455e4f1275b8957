"""Draws multi-camera footage of athletes whose 3D motion is known, so that the whole chain runs offline."""
