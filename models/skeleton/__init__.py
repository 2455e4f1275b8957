"""Joint sets as data, and the mappings between them."""

from .known import (
    BLAZEPOSE33,
    BODY25,
    BODY25B,
    COCO17,
    COCO23,
    FEET,
    H36M17,
    H36M17_FEET,
    HALPE26,
    MPII16,
    OPENPOSE18,
    SKELETONS,
)
from .mapping import Mapping, h36m17_of_names, mapping_to_h36m17
from .names import recognise
from .skeleton import LANDMARKS, Skeleton

__all__ = [
    "BLAZEPOSE33", "BODY25", "BODY25B", "COCO17", "COCO23", "FEET", "H36M17", "H36M17_FEET", "HALPE26", "LANDMARKS",
    "MPII16", "OPENPOSE18", "SKELETONS", "Mapping", "Skeleton", "h36m17_of_names", "mapping_to_h36m17", "recognise",
]  # fmt: skip
