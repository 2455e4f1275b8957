"""What the papers report, row by row, with how each row's method is trained (``reproduce``).

Nothing here was measured by us; the notes say what a number rests on that ours do not.
"""

from __future__ import annotations

from dataclasses import dataclass

TRAINING_POSES = "refine.reference="
"""The setting that names the training file, whose true poses the refinement unit learns."""


@dataclass(frozen=True)
class Published:
    """A row of a paper, by our names of measures."""

    name: str
    measures: dict[str, float]
    notes: str = ""


@dataclass(frozen=True)
class Table:
    """How one method is trained on one data set, and what its paper reports."""

    settings: tuple[str, ...]
    rows: tuple[Published, ...]
    pictures: bool = False
    """Whether it learns from videos, not from 2D poses."""
    cameras: int = 0
    """Of how many of the first cameras it learns; 0: all."""


ALPHAPOSE = "AlphaPose 2D, with confidences"
MORPHED = f"{ALPHAPOSE}; joints moved by a morph of subject 1, which is morph.network"
GT_DEPTH = "MPJPE with the true depth of the root"
CPN = "2D poses of a detector fine-tuned on Human3.6M's 2D labels; given calibration"
PIXELS = "learns from pictures; ours here lifts 2D poses (student = lifter)"
WEIGHTS = "starts from trained weights; give them as train.backbone_weights"
MPII = "2D labels of MPII as well; give them as train.labelled_images and train.labelled_annotations"
TRUE_3D = "learns from true 3D poses: not self-supervised"
STATIC, MOVING = "samples.static_cameras=true", "samples.static_cameras=false"
PAIRS = "label.triangulation=pairs"
VOLUMETRIC = "train.student=volumetric"

TABLES: dict[tuple[str, str], Table] = {
    ("h36m", "canonpose"): Table(
        ("train.recipe=published", STATIC),
        (
            Published("CanonPose + C", {"NMPJPE": 74.3, "PMPJPE": 53.0, "CPS": 167.3}, MORPHED),
            Published("CanonPose, true 2D", {"NMPJPE": 65.9, "PMPJPE": 51.4, "CPS": 187.1}),
        ),
    ),
    ("h36m", "canonpose+moving"): Table(
        ("train.recipe=published", MOVING),
        (Published("CanonPose", {"NMPJPE": 81.9, "PMPJPE": 53.0, "CPS": 167.6}, "without camera consistency"),),
    ),
    ("h36m", "canonpose+2cameras"): Table(
        ("train.recipe=published", MOVING),
        (Published("CanonPose, 2 cameras", {"NMPJPE": 82.7, "PMPJPE": 61.2, "CPS": 148.5}),),
        cameras=2,
    ),
    ("h36m", "canonpose+3cameras"): Table(
        ("train.recipe=published", MOVING),
        (Published("CanonPose, 3 cameras", {"NMPJPE": 82.0, "PMPJPE": 62.2, "CPS": 145.6}),),
        cameras=3,
    ),
    ("h36m", "canonpose+unsure"): Table(
        ("train.recipe=published", MOVING, "train.confidence_input=false"),
        (Published("CanonPose, no confidences", {"NMPJPE": 95.6, "PMPJPE": 65.0, "CPS": 142.5},
                   "none in its loss either; ours leaves them out of the input alone"),),
    ),
    ("h36m", "cvsf"): Table(
        ("train.recipe=paper", STATIC),
        (
            Published("CVSF S1", {"NMPJPE": 63.6, "PMPJPE": 46.1}, "its own baseline has PMPJPE 55.5"),
            Published("CVSF S1 + S2", {"NMPJPE": 61.4, "PMPJPE": 45.9}, "released code cannot run stage 2"),
        ),
    ),
    ("h36m", "epipolarpose"): Table(
        (PAIRS, STATIC),
        (Published("EpipolarPose SS, R known",
                   {"MPJPE": 76.6, "NMPJPE": 75.25, "PMPJPE": 67.45, "mPSS@50": 73.09, "mPSS@100": 64.03},
                   f"{PIXELS}; {GT_DEPTH}; NMPJPE by the scale of Procrustes"),),
    ),
    ("h36m", "epipolarpose+unplaced"): Table(
        (PAIRS, STATIC, "calibrate.extrinsics=joints"),
        (Published("EpipolarPose SS, R unknown", {"NMPJPE": 77.75, "PMPJPE": 70.67, "mPSS@100": 62.05}, PIXELS),),
    ),
    ("h36m", "epipolarpose+refinement"): Table(
        (PAIRS, STATIC, TRAINING_POSES),
        (Published("EpipolarPose SS + RU",
                   {"MPJPE": 60.56, "NMPJPE": 60.04, "PMPJPE": 47.48, "mPSS@50": 80.42, "mPSS@100": 75.41},
                   f"{TRUE_3D}; {PIXELS}; {GT_DEPTH}"),),
    ),
    ("h36m", "epipolarpose+volumetric"): Table(
        (PAIRS, STATIC, VOLUMETRIC),
        (Published("EpipolarPose SS, R known",
                   {"MPJPE": 76.6, "NMPJPE": 75.25, "PMPJPE": 67.45, "mPSS@50": 73.09, "mPSS@100": 64.03},
                   f"{GT_DEPTH}; NMPJPE by the scale of Procrustes; {WEIGHTS}"),),
        pictures=True,
    ),
    ("h36m", "iqbal"): Table(
        (STATIC,),
        (
            Published("Iqbal H", {"MPJPE": 69.1, "NMPJPE": 66.3, "PMPJPE": 55.9}, f"{MPII}; {WEIGHTS}"),
            Published("Iqbal H + I + Q", {"MPJPE": 67.4, "NMPJPE": 64.5, "PMPJPE": 54.5},
                      f"and videos from the Internet; {WEIGHTS}"),
        ),
        pictures=True,
    ),
    ("h36m", "li"): Table(
        ("train.recipe=published", STATIC), (Published("Li, ours", {"MPJPE": 59.0, "PMPJPE": 45.7}, CPN),)
    ),
    ("h36m", "li+reslinear"): Table(
        ("train.recipe=published", STATIC, "train.backbone=reslinear"),
        (Published("Li, ResLinear", {"MPJPE": 59.7, "PMPJPE": 45.0}, CPN),),
    ),
    ("h36m", "li+temporal"): Table(
        ("train.recipe=published", STATIC, "train.backbone=temporal"),
        (Published("Li, TemporalDilated", {"MPJPE": 56.1, "PMPJPE": 43.2}, CPN),),
    ),
    ("h36m", "li+virtual"): Table(
        ("train.recipe=published", STATIC, "train.virtual_views=2"),
        (Published("Li, ours + DA", {"MPJPE": 57.0, "PMPJPE": 44.1},
                   f"{CPN}; virtual views of true 3D poses, ours of triangulated ones"),),
    ),
    ("3dhp", "canonpose"): Table(
        ("train.recipe=published",),
        (
            Published("CanonPose", {"NMPJPE": 119.2, "PMPJPE": 68.7, "N-PCK": 69.0}, "without camera consistency"),
            Published("CanonPose + C", {"NMPJPE": 104.0, "PMPJPE": 70.3, "N-PCK": 77.0}, ALPHAPOSE),
        ),
    ),
    ("3dhp", "cvsf"): Table(
        ("train.recipe=paper",),
        (
            Published("CVSF S1", {"NMPJPE": 95.2, "PMPJPE": 57.3, "N-PCK": 79.3}),
            Published("CVSF S1 + S2", {"NMPJPE": 94.6, "PMPJPE": 56.5, "N-PCK": 81.9}),
        ),
    ),
    ("3dhp", "epipolarpose"): Table(
        (PAIRS,),
        (Published("EpipolarPose SS", {"MPJPE": 126.79, "NMPJPE": 125.65, "PCK": 64.7, "N-PCK": 71.9,
                   "mPSS@50": 70.94, "mPSS@100": 67.58}, f"{PIXELS}; {GT_DEPTH}"),),
    ),
    ("3dhp", "epipolarpose+volumetric"): Table(
        (PAIRS, STATIC, VOLUMETRIC),
        (Published("EpipolarPose SS", {"MPJPE": 126.79, "NMPJPE": 125.65, "PCK": 64.7, "N-PCK": 71.9,
                   "mPSS@50": 70.94, "mPSS@100": 67.58},
                   f"{GT_DEPTH}; NMPJPE by the scale of Procrustes; {WEIGHTS}"),),
        pictures=True,
    ),
    ("3dhp", "iqbal"): Table(
        (STATIC,),
        (
            Published("Iqbal H + I + Q", {"MPJPE": 122.4, "NMPJPE": 110.1, "PCK": 76.5, "N-PCK": 79.4},
                      f"and Human3.6M and videos from the Internet; {MPII}; {WEIGHTS}"),
            Published("Iqbal H + I + Q, R known", {"MPJPE": 109.3, "NMPJPE": 107.2, "PCK": 79.5, "N-PCK": 80.0},
                      f"{GT_DEPTH}; known R is train.alignment=extrinsics"),
        ),
        pictures=True,
    ),
    ("3dhp", "li"): Table(
        ("train.recipe=published",), (Published("Li", {"PCK": 74.1, "AUC": 41.4}, "given calibration"),)
    ),
    ("skipose", "canonpose"): Table(
        ("train.recipe=published", MOVING),
        (Published("CanonPose", {"NMPJPE": 128.1, "PMPJPE": 89.6, "N-PCK": 67.1, "CPS": 108.7}, ALPHAPOSE),),
    ),
    ("skipose", "cvsf"): Table(
        ("train.recipe=paper", MOVING),
        (
            Published("CVSF S1", {"NMPJPE": 118.2, "PMPJPE": 79.3, "N-PCK": 70.1}),
            Published("CVSF S1 + S2", {"NMPJPE": 115.2, "PMPJPE": 78.8, "N-PCK": 72.4}),
        ),
    ),
}  # fmt: skip

PROTOCOLS = {
    "h36m": "Test subjects 9 and 11, every 64th frame, 17 joints; mean over actions. Training subjects as imported.",
    "3dhp": "Valid frames of TS1 to TS6, 14 joints (pelvis, spine and head left out), poses of one body height.",
    "skipose": "The data set's own test split, 17 joints, all cameras.",
}
