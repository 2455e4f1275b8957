"""Infer on keypoint files: arrays of 2D poses in, arrays of 3D poses out, no video anywhere."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from ..arrays import ViewPoses
from ..errors import PosepipeError
from ..exporters import without_video
from ..footage.keypoint_file import open_keypoints
from ..pages.verdict import describe_views
from ..runtime.workplace import open_workplace
from ..settings import CAMERA_NEEDS, Settings
from ..stages.lift import check_intrinsics, lift_samples
from ..training.generic_lifter import read_model
from .array_chain import NO_TIMES, ArrayChain, find_cameras, says_sizes, seen_by, with_intrinsics
from .array_files import POSES, ArrayResults, provenance, write_poses
from .results import Inferred
from .up_to_date import InferRequest, digest_of

log = logging.getLogger("posepipe")


def infer_arrays(
    asked: InferRequest, out: Path, settings: Settings, exports: tuple[str, ...], device: str
) -> Inferred:
    """3D poses of every view of a keypoint file, each from that view alone, with a model that a fit made.

    Args:
        settings: those of the stages before training that the model was made with, but for what was overridden.

    Raises:
        PosepipeError: a mistake in the input, said in one sentence.
    """
    path, clip = asked.clip.video, asked.clip
    focal_px = asked.focal_px or (clip.focal_px if says_sizes(path) else None)
    with open_workplace(out, borrowed=(asked.model.parent / "cache",)) as place:
        request = digest_of(asked, place.digests)
        place.journal.begin()
        model, model_file, source = read_model(asked.model), place.source(asked.model), place.source(path)
        if "crop" in model.recipe:
            raise PosepipeError(
                f"models of method {model.method!r} look at pictures, and {path} has none; give a video"
            )
        with open_keypoints(path) as file:
            check_intrinsics(model, "K" in file or focal_px is not None)
            cameras = "K" if model.needs & CAMERA_NEEDS and "K" in file else ""
        chain = ArrayChain.of(place.cache, source, asked.clip, settings, model.morph)
        read = partial(chain.read, static=False)
        samples, swaps = chain.mend(read(cameras), alone=True)
        if samples.time is None:
            log.warning("%s: %s", path, NO_TIMES)
        if model.lifts_with_intrinsics and samples.K is None and focal_px is not None:
            samples = seen_by(samples, find_cameras(path, samples, focal_px, settings))
        lifting = asked.lifting.model_copy(update={"device": device})
        lifted: ViewPoses = place.cache.run(lift_samples, samples, model, settings=lifting, subject=path.stem)
        seen = with_intrinsics(path, samples, lambda: chain.mended(read("K"), swaps), settings, focal_px)
        pose = chain.finish(lifted, samples, seen, swaps, model.known_poses)
        for said in describe_views(pose):
            log.info("%s: %s", path, said)
        origin = provenance(source, model_file, model)
        write_poses(out / POSES, pose, origin)
        folders = ArrayResults(chain, samples, origin, out).write_views(pose, swaps, {}, without_video(exports))
        place.journal.end(request)
        return Inferred(path, out, pose, (out / POSES, *folders))
