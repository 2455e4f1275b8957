"""Cameras and points."""
