"""``bench_accuracy`` on videos: trains on a folder of takes, and lifts clips of other athletes, one camera at a time.

All methods and seeds share one results folder, so that detection is done once.
"""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from pathlib import Path

from posepipe.pipeline import fit, infer
from posepipe.pipeline.footage.sources import videos_in
from posepipe.pipeline.settings import Settings, method_needs

PICTURES = ("crop.size_px=64", "train.backbone=resnet18", "train.head_width=64", "train.batch_size=8")
"""Networks of pictures that a processor can train in minutes, from random weights."""


def lifted_footage(train: Path, test: Path, settings: Settings, folder: Path) -> tuple[Path, Path]:
    """Fit on takes and lift test clips; ``folder`` gets the model and, clip by clip, the poses.

    Args:
        test: folder of clips, with ``calib.toml`` (Pose2Sim's format) for methods that need intrinsics.

    Returns:
        The results folder of the fit, and the folder of poses.
    """
    shared = folder.parents[1]
    made = fit(train, out=shared / "fit", settings=settings, until="refine").folder
    folder.mkdir(parents=True, exist_ok=True)
    model = Path(shutil.copy(made / "model.pt", folder / "model.pt"))
    cameras = tomllib.loads((test / "calib.toml").read_text(encoding="utf-8"))
    for clip in videos_in(test):
        focal = cameras[clip.stem]["matrix"][0][0] if "intrinsics" in method_needs(settings) else None
        out = shared / "clips" / clip.stem
        found = infer(clip, model=model, out=out, focal_px=focal, exports=("npz",), device=settings.device)
        kept = folder / "test" / clip.stem
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(found.files[0], kept / "poses.npz")
    return made, folder / "test"


def digest(path: Path) -> str:
    """Digest of a file's content, or of all files in a folder and their names."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    parts = [file.relative_to(path).as_posix() + digest(file) for file in files]
    return hashlib.sha256("".join(parts).encode()).hexdigest()
