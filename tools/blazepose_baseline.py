"""The 3D that the embedded detector itself guesses from one view: the row that a trained model has to beat.

    python tools/blazepose_baseline.py FOLDER --out baseline
    posepipe evaluate baseline REFERENCE

writes ``baseline/<video>/poses.npz`` with BlazePose's world landmarks on the H36M-17 skeleton.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from posepipe.models.skeleton import BLAZEPOSE33, mapping_to_h36m17
from posepipe.pipeline.detectors.blazepose.finder import FinderNetwork
from posepipe.pipeline.detectors.blazepose.following import Follower
from posepipe.pipeline.detectors.blazepose.landmarks import LandmarkNetwork
from posepipe.pipeline.footage.sources import videos_in
from posepipe.pipeline.footage.video import probe, read_frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="videos")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for video in videos_in(options.folder):
        time, joint = guess(video)
        folder = options.out / video.stem
        folder.mkdir(parents=True, exist_ok=True)
        mapping = mapping_to_h36m17(BLAZEPOSE33)
        joint, _ = mapping.apply(joint, np.isfinite(joint[..., 0]).astype(np.float32))
        joint -= joint[:, :1]
        names = np.array(mapping.target.joints)
        np.savez(folder / "poses.npz", time=time, joint=joint, joint_names=names, unit=np.array("m"))
        print(folder / "poses.npz")


def guess(video: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times (F) in s and world landmarks (F, 33, 3) in m and camera axes of the largest person; else NaN."""
    times, joints = [], []
    follower = Follower(FinderNetwork(), LandmarkNetwork())
    for time, picture in read_frames(video, probe(video)):
        people = follower.next(picture)
        times.append(time)
        joints.append(people.world[0] if len(people.world) else np.full((33, 3), np.nan))
    return np.array(times), np.array(joints, np.float32)


if __name__ == "__main__":
    main()
