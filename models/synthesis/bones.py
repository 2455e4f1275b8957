"""A skeleton as vectors along its bones: limbs are exchanged and lengths changed without undoing the rest."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..skeleton import Skeleton


class Bones:
    """Every joint hangs on another one, nearer to the pelvis; all joints follow from the vectors between them.

    What no chain of bones connects with the pelvis, such as the face of COCO, hangs on the thorax.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        count = len(skeleton.joints)
        bones = skeleton.bone_indices.tolist()
        root = skeleton.landmark("pelvis")[0]
        parent, reached = {root: root}, [root]
        while len(reached) < count:
            for joint in reached:  # which grows
                for bone in (bone for bone in bones if joint in bone):
                    other = bone[1 - bone.index(joint)]
                    if other not in parent:
                        parent[other] = joint
                        reached.append(other)
            for loose in [joint for joint in range(count) if joint not in parent][:1]:
                parent[loose] = skeleton.landmark("thorax")[0]
                reached.append(loose)
        self.parent = torch.tensor([parent[joint] for joint in range(count)])
        self._sum = torch.zeros(count, count)
        for joint in range(count):
            above = joint
            while above != root:
                self._sum[joint, above] = 1
                above = parent[above]
            self._sum[joint, root] = 1
        self.root = root

    def vectors(self, joint: Tensor) -> Tensor:
        """Vectors (..., J, 3) from the joint on which each hangs; of the root, where it is itself."""
        vector = joint - joint[..., self.parent, :]
        vector[..., self.root, :] = joint[..., self.root, :]
        return vector

    def joints(self, vector: Tensor) -> Tensor:
        """Joints (..., J, 3) of the vectors (..., J, 3) along the bones."""
        return mixed(vector, self._sum)

    def from_joint(self, joint: int) -> Tensor:
        """This joint and all (K) that hang on it, directly or not."""
        return (self._sum[:, joint] > 0).nonzero().flatten()


def mixed(point: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums (..., K, C) of points (..., J, C): ``weight @ point``, several times as fast.

    Args:
        weight: (K, J).
    """
    return linear(point.mT.contiguous(), weight).mT.contiguous()
