"""Tensors and mathematics of posepipe: skeletons, geometry, losses, metrics and the training methods."""

METHODS: dict[str, str] = {
    "canonpose": "posepipe.models.canonpose:CanonPose",
    "cvsf": "posepipe.models.cvsf:CVSF",
    "epipolarpose": "posepipe.models.epipolarpose:EpipolarPose",
    "iqbal": "posepipe.models.multiview_25d:Multiview25D",
    "li": "posepipe.models.transform_reprojection:TransformReprojection",
    "posepipe": "posepipe.models.posepipe:Posepipe",
}
"""Training methods by name; the class is imported only when it is used."""
