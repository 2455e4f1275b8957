"""Result files of keypoint files: 3D poses of every sample and view."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...models.skeleton import SKELETONS
from ..arrays import FusedPoses, Pose3D, Samples, Swaps, ViewPoses, array_fields
from ..exporters.clip import ONLY_PERSON, Person, marked, root
from ..exporters.npz import AXES
from ..footage.keypoint_file import open_keypoints
from ..runtime.cache import SourceFile
from ..runtime.writing import writing_to
from ..stages.adjust import describe_fit
from ..stages.sides import describe_swaps, take_members
from ..training.model_file import Model
from .array_chain import ArrayChain
from .fit_fused import FusedPerson, clip_of_take, clip_without_video, statures
from .results import MULTIVIEW, write_results

log = logging.getLogger("posepipe")

POSES = "poses.npz"
FUSED = marked(POSES, MULTIVIEW)


def write_poses(path: Path, pose: ViewPoses | FusedPoses, provenance: dict[str, Any]) -> None:
    """Write the arrays of a hand-over under their own names, and texts that say what they are; no pickle.

    ``joint`` is (sample, view, joint, 3) in the axes of each camera, the samples being those of the keypoint file, in
    its order. Of fused poses the one in the rig's axes is ``rig_joint`` (sample, joint, 3), and where its root is in
    camera axes ``root_in_camera``.
    """
    skeleton = SKELETONS[pose.skeleton]
    arrays = {field: getattr(pose, field) for field in array_fields(type(pose))}
    if isinstance(pose, FusedPoses):
        arrays |= {"rig_joint": pose.joint, "joint": pose.joint_in_camera, "root_in_camera": arrays.pop("root")}
    camera = pose.root_camera if isinstance(pose, ViewPoses) else ""
    texts = {
        "skeleton": skeleton.name,
        "unit": pose.unit,
        "axes": AXES,
        "root": root(skeleton, camera),
        "root_camera": camera,
        "provenance": json.dumps({"posepipe": version("posepipe"), **provenance}, sort_keys=True),
    }
    content: dict[str, Any] = {
        "joint_names": np.array(skeleton.joints),
        "bones": skeleton.bone_indices,
        "take_names": np.array(pose.takes),
        **{name: array for name, array in arrays.items() if array is not None},
        **{name: np.array(text) for name, text in texts.items()},
    }
    making = path.with_name(f".making-{path.name}")
    with writing_to(path):
        try:
            with making.open("wb") as file:
                np.savez(file, **content)
            making.replace(path)
        finally:
            making.unlink(missing_ok=True)


def provenance(source: SourceFile, model_file: SourceFile, model: Model) -> dict[str, Any]:
    """What the poses come from."""
    return {
        "keypoints_sha256": source.key,
        "model_sha256": model_file.key,
        "method": model.method,
        "supervision": model.supervision,
        "prior": model.prior,
    }


@dataclass(frozen=True)
class ArrayResults:
    """The result files of a keypoint file that says its times: of every view, and of all views together."""

    chain: ArrayChain
    samples: Samples
    """What was lifted."""
    origin: dict[str, Any]
    """What the poses come from, as plain values."""
    folder: Path
    """Of all results."""

    def write_views(
        self, pose: ViewPoses, swaps: Swaps | None, people: Mapping[str, Person], exports: Sequence[str]
    ) -> tuple[Path, ...]:
        """Files of every view of every take that shows somebody; their folders.

        Args:
            people: of takes, as all views together show them.
        """
        folders, pictures, views = [], picture_sizes(self.chain.source.path, self.samples), self._views
        sizes = statures(people)
        for take, number, members in self._takes(exports):
            for view in range(views):
                if not np.isfinite(pose.joint[members, view]).any():
                    continue
                shown = self.samples.confidence[members, view, :, None] > 0
                keypoint = np.where(shown, self.samples.keypoint[members, view], np.float32("nan"))
                motion = pose.of_view(members, view, keypoint)
                if take in sizes and motion.unit != "m":
                    motion = motion.in_metres(sizes[take])
                motion.steps.extend(self._steps(swaps, number * views + view, motion))
                name = f"{take} {view_name(view)}"
                seen = (Person(ONLY_PERSON, motion),)
                clip = clip_without_video(seen, name, pictures[view], {**self.origin, "clip": name})
                folders.append(_take_folder(self.folder, take) / view_name(view))
                write_results(clip, folders[-1], exports)
        return tuple(folders)

    def write_takes(self, fused: FusedPoses, exports: Sequence[str]) -> dict[str, Person]:
        """Files of every take, from all its views together; the person of each, by the name of its folder."""
        placed: dict[str, Person] = {}
        size = picture_sizes(self.chain.source.path, self.samples)[0]
        names = [view_name(view) for view in range(self._views)]
        for take, _, members in self._takes(exports):
            time, instant = np.asarray(self.samples.time)[members], np.arange(len(members))
            found = FusedPerson(fused, self.samples, members, instant, time, names)
            placed[take] = found.person(ONLY_PERSON, self.chain.settings)
            if (world := placed[take].world) is not None:
                log.info("take %s: %s", take, "; ".join(world.notes_on_world))
            made_from = {**self.origin, "clip": take, "world": self.chain.settings.world.model_dump(mode="json")}
            clip = clip_of_take((placed[take],), take, size, made_from, fused)
            clip = replace(clip, frame=self.chain.settings.world.frame)
            write_results(clip, _take_folder(self.folder, take), exports)
        return placed

    @property
    def _views(self) -> int:
        return self.samples.confidence.shape[1]

    def _takes(self, exports: Sequence[str]) -> Iterator[tuple[str, int, np.ndarray]]:
        """Name, number and samples of each take, in the order of their times; none if there is nothing to write."""
        if self.samples.time is not None and exports:
            names = take_folders(self.samples.takes)
            yield from ((names[number], number, members) for number, members in take_members(self.samples))

    def _steps(self, swaps: Swaps | None, camera: int, motion: Pose3D) -> list[str]:
        """What was done to a view, in sentences."""
        settings = self.chain.settings
        sides = [] if swaps is None else [describe_swaps(swaps, camera, settings.sides)]
        smoothed = [] if settings.motion.filter == "none" else [f"smoothed: {settings.motion.filter}"]
        return [*sides, *describe_fit(motion), *smoothed]


def written_folders(out: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The folders of views and of takes that ``ArrayResults`` writes, as the file of all poses says.

    There are none of poses without times.

    Raises:
        PosepipeError: no such file, or a damaged one.
    """
    with open_keypoints(out / POSES) as poses:
        joint, take, takes = poses.get("joint"), poses.get("take"), poses.get("take_names")
        if joint is None or take is None or takes is None or "time" not in poses:
            return (), ()
    names = take_folders([str(name) for name in takes])
    seen = np.isfinite(joint).any((2, 3))  # (sample, view)
    views = (
        _take_folder(out, names[number]) / view_name(view)
        for number in np.unique(take)
        for view in np.flatnonzero(seen[take == number].any(0)).tolist()
    )
    return tuple(views), tuple(_take_folder(out, names[number]) for number in np.unique(take))


def _take_folder(out: Path, take: str) -> Path:
    return out / "takes" / take


def view_name(view: int) -> str:
    """What a view is called, which has no name of its own."""
    return f"view{view + 1}"


def picture_sizes(path: Path, samples: Samples) -> list[list[int]]:
    """Width and height (px) of every view, as the file says, else as far as its 2D poses reach."""
    views = samples.confidence.shape[1]
    with open_keypoints(path) as file:
        if "image_size" in file:
            return file.array("image_size", views, 2).astype(int).tolist()
    shown = samples.confidence[..., None] > 0
    reach = np.where(shown, np.ceil(samples.keypoint), 1).max((0, 2))
    return reach.astype(int).tolist()


def take_folders(takes: Sequence[str]) -> list[str]:
    """What the folder of each take is called: like the take, where that can be a folder and no other is called so."""
    safe = [re.sub(r'[/\\:*?"<>|\x00-\x1f]', "_", name).strip(". ") for name in takes]
    folded = [name.casefold() for name in safe]
    return [
        name if name and folded.count(name.casefold()) == 1 else f"{name or 'take'} {number}"
        for number, name in enumerate(safe)
    ]
