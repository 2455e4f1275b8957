"""Video in and out: pictures in decode order with true timestamps, streamed; H.264 out.

PyAV reads (any container and codec of FFmpeg's); the display rotation, which it leaves to the
caller, is applied here and nowhere else. Nothing ever seeks by frame number.
"""

from .facts import FOCAL_35MM, VideoFacts, focal_length_35mm, probe, timecode_seconds
from .pictures import read_frames, read_key_frames
from .sound import AUDIO_RATE
from .stream import VIDEO_SUFFIXES
from .write import write_video

__all__ = [
    "AUDIO_RATE", "FOCAL_35MM", "VIDEO_SUFFIXES",
    "VideoFacts", "focal_length_35mm", "probe", "read_frames", "read_key_frames", "timecode_seconds", "write_video",
]  # fmt: skip
