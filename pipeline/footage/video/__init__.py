"""Video in and out: pictures with their true times, streamed; H.264 out.

PyAV reads (any container and codec of FFmpeg's). What it leaves to the caller is done here and nowhere else: pictures
are turned and mirrored as they are to be shown, their pixels made square, their fields taken apart. What the decoder
gives is the truth, and it is asked once: ``probe`` reads packets and decodes a few pictures only, and the first
``Reading`` of all pictures gives the one list of times that everything after it follows (``as_decoded``). A clip may
also be a recording in several files, or a folder of pictures (``probe_clip``, ``read_clip``). Nothing ever seeks by
frame number.
"""

from .facts import FOCAL_35MM, focal_length_35mm, probe, timecode_seconds
from .image_folder import is_image_folder
from .losses import as_decoded
from .pictures import read_frames, read_key_frames
from .sound import AUDIO_RATE
from .source import Filmed, Reading, probe_clip, read_clip, read_clip_keys, recorded
from .stream import VIDEO_SUFFIXES
from .write import write_video

__all__ = [
    "AUDIO_RATE", "FOCAL_35MM", "VIDEO_SUFFIXES",
    "Filmed", "Reading", "as_decoded", "focal_length_35mm", "is_image_folder", "probe", "probe_clip", "read_clip",
    "read_clip_keys", "read_frames", "read_key_frames", "recorded", "timecode_seconds", "write_video",
]  # fmt: skip
