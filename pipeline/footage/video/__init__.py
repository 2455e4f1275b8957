"""Video in and out: pictures in decode order with true timestamps, streamed; H.264 out.

PyAV reads (any container and codec of FFmpeg's); the display rotation, which it leaves to the
caller, is applied here and nowhere else. Nothing ever seeks by frame number.
"""

from .facts import FOCAL_35MM, VideoFacts, focal_length_35mm, probe, timecode_seconds
from .image_folder import is_image_folder
from .pictures import read_frames, read_key_frames
from .sound import AUDIO_RATE
from .source import Filmed, probe_clip, read_clip, read_clip_keys, recorded
from .stream import VIDEO_SUFFIXES
from .write import write_video

__all__ = [
    "AUDIO_RATE", "FOCAL_35MM", "VIDEO_SUFFIXES",
    "Filmed", "VideoFacts", "focal_length_35mm", "is_image_folder", "probe", "probe_clip", "read_clip",
    "read_clip_keys", "read_frames", "read_key_frames", "recorded", "timecode_seconds", "write_video",
]  # fmt: skip
