"""Tensors and mathematics of posepipe: skeletons, geometry, losses, metrics and the training methods."""

METHODS: dict[str, str] = {
    "canonpose": "posepipe.models.methods.canonpose:CanonPose",
    "cvsf": "posepipe.models.methods.cvsf:CVSF",
    "epipolarpose": "posepipe.models.methods.epipolarpose:EpipolarPose",
    "iqbal": "posepipe.models.methods.iqbal:Iqbal",
    "li": "posepipe.models.methods.li:Li",
    "posepipe": "posepipe.models.methods.posepipe:Posepipe",
}
"""Our training methods by name; the class is imported only when it is used."""
