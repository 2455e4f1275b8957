"""Training of a skeleton morph on pairs of detections and reference 2D poses of one subject.

Settings of the optimiser are those of the released code of CanonPose (Wandt et al., CVPR 2021).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import MultiStepLR

from ...models.geometry.geometry import normalise_keypoints
from ...models.networks.morph import Morph
from ...models.skeleton import H36M17, SKELETONS, mapping_to_h36m17
from ..errors import PosepipeError
from ..footage.keypoint_file import KEYPOINT_SUFFIX, open_keypoints
from ..footage.readers import format_of
from ..runtime.cache import SourceFile
from ..runtime.digests import Digests
from ..runtime.progress import progress
from ..settings import KeypointSettings
from ..stages.import_arrays import read_keypoints
from ..stages.import_poses import read_people
from ..training.morph_file import MorphNetwork

log = logging.getLogger("posepipe")

BATCH_SIZE = 64
LEARNING_RATE, WEIGHT_DECAY = 1e-4, 1e-5
MILESTONES, DECAY = (0.4, 0.8, 0.95), 0.1
"""Shares of the epochs after which the learning rate is multiplied by ``DECAY``."""
HIDDEN = 0.05
"""Share of the joints that are hidden in training, so that the network handles missing joints."""
KEPT_OUT = 0.1
"""Share of held-out pairs, the last ones, which measure the error."""
LEAST = 100
"""Smallest number of pairs."""


@dataclass(frozen=True)
class FittedMorph:
    """A trained morph and its errors on held-out pairs."""

    network: MorphNetwork
    pairs: int
    before: float
    """Mean distance of the detected joints from the reference ones about the root, in sizes of the person.

    The size is the root mean square distance of the joints from the root.
    """
    after: float
    """Mean distance of the morphed joints."""


def fit_morph(detections: Path, reference: Path, *, epochs: int = 100, seed: int = 0) -> FittedMorph:
    """Train a skeleton morph.

    Args:
        detections: 2D poses of one subject from the detector, a keypoint file (``keypoint_file``) or a file of one
            camera (``readers``).
        reference: reference poses of the same frames and views.
        epochs: passes over the pairs.
        seed: of all random draws.

    Raises:
        PosepipeError: files that cannot be read or do not belong together, or too few pairs.
    """
    (found, seen), (wanted, there) = _poses(detections), _poses(reference)
    if found.shape != wanted.shape:
        raise PosepipeError(
            f"{detections} holds {len(found)} poses and {reference} {len(wanted)}; "
            "give the same frames and views in both, in the same order"
        )
    known = (seen > 0) & (there > 0) & (seen[:, :1] > 0) & (there[:, :1] > 0)  # without root there is no pose
    pairs = np.flatnonzero(known.sum(1) > len(H36M17.joints) // 2)
    if len(pairs) < LEAST:
        raise PosepipeError(
            f"{detections} and {reference} have {len(pairs)} poses in common; a skeleton morph needs {LEAST} or more"
        )
    arrays = [torch.from_numpy(np.asarray(array[pairs], np.float32)) for array in (found, wanted, known)]
    kept = round(len(pairs) * (1 - KEPT_OUT))
    torch.manual_seed(seed)
    morph = Morph(H36M17)
    _train(morph, [array[:kept] for array in arrays], epochs)
    before, after = _measure(morph.eval(), *(array[kept:] for array in arrays))
    log.info(
        "skeleton morph: %d pairs; of those kept out %.2f %% off, morphed %.2f %%", kept, 100 * before, 100 * after
    )
    digests = [digest for path in (detections, reference) for digest in _digests(path)]
    return FittedMorph(MorphNetwork(morph.state_dict(), reference.name, digests), kept, before, after)


def _train(morph: Morph, pairs: list[Tensor], epochs: int) -> None:
    """Train on found and wanted joints (N, J, 2) px and which are known (N, J)."""
    optimizer = torch.optim.Adam(morph.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = MultiStepLR(optimizer, [round(share * epochs) for share in MILESTONES], DECAY)
    with progress("morph", epochs) as advance:
        for _ in range(epochs):
            for index in torch.randperm(len(pairs[0])).split(BATCH_SIZE):
                found, wanted, known = (array[index] for array in pairs)
                hidden = torch.rand_like(known) < HIDDEN
                hidden[:, 0] = False  # the root
                loss = morph.loss(found, wanted, known * ~hidden)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            schedule.step()
            advance(1)


def _measure(morph: Morph, found: Tensor, wanted: Tensor, known: Tensor) -> tuple[float, float]:
    """Mean distances of joints from the reference's before and after, both about the root and of size 1."""

    def off(pose: Tensor) -> float:
        one, other = (normalise_keypoints(each, known, morph.root)[0] for each in (pose, wanted))
        distance = (one - other).norm(dim=-1).sum(1) / known.sum(1)
        return float((distance * known.sum(1).sqrt()).mean())

    return off(found), off(morph.morph(found, known))


def _poses(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All poses of a file on Human3.6M-17: joints (N, J, 2) px, 0 where missing, and confidences (N, J)."""
    source = SourceFile(path, "")
    if path.suffix.lower() == KEYPOINT_SUFFIX and (not path.exists() or format_of(path) is None):
        samples = read_keypoints(source, H36M17.name, False, "")
        return samples.keypoint.reshape(-1, len(H36M17.joints), 2), samples.confidence.reshape(-1, len(H36M17.joints))
    people = read_people(source, False, KeypointSettings())
    if len(np.unique(people.frame)) < len(people.frame):
        raise PosepipeError(f"{path} holds several people in a frame; a skeleton morph learns from one subject")
    mapped, confidence = mapping_to_h36m17(SKELETONS[people.skeleton]).apply(people.keypoint, people.confidence)
    joints = len(H36M17.joints)
    keypoint, surety = np.zeros((len(people.time), joints, 2), np.float32), np.zeros((len(people.time), joints))
    keypoint[people.frame], surety[people.frame] = np.nan_to_num(mapped), confidence
    return keypoint, surety


def _digests(path: Path) -> list[str]:
    """Digest of a file or folder, and that of the video whose poses a ``poses.npz`` of ours holds."""
    digest = Digests(path.with_name("digests.json"), writable=False).of(path)
    if path.suffix.lower() != KEYPOINT_SUFFIX:
        return [digest]
    with open_keypoints(path) as file:
        said = file.get("provenance")
    origin = {} if said is None else json.loads(str(said))
    return [digest, *(origin[name] for name in ("clip_sha256", "keypoints_sha256") if name in origin)]
