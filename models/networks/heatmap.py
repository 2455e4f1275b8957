"""Heatmaps of joints as sums of Gaussian ridges over an image, their maximum on a grid, and soft-argmax.

A detection is a Gaussian around a point, an epipolar line a Gaussian around a segment; a point is a segment of
length zero. Maps are never stored: ``heat`` evaluates them at the given points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

_BLOCK, _INNER, _SPLIT = 16, (4, 1), 4
"""Sides, in bins, of the blocks that branch and bound accepts or rejects; each splits into 4 x 4 smaller ones."""

_ROWS = 512
"""Maps searched at once, so that intermediate results stay in the processor's cache."""

_ROUNDING = 1e-6
_TINY = 1e-12


class Ridges(NamedTuple):
    """The segments (S) ``origin + z direction``, |z| <= 1, whose ridges add up to each of the maps (...)."""

    origin: Tensor  # (..., S, 2)
    direction: Tensor  # (..., S, 2), from the middle to an end; zero: a point
    height: Tensor  # (..., S) of the crest; 0: no such ridge
    sigma: Tensor  # (..., S) of the Gaussian across

    def pick(self, index: Tensor | slice) -> Ridges:
        """The ridges of some of the maps (...), by an index into their first dimension."""
        return Ridges(*(part[index] for part in self))

    def detach(self) -> Ridges:
        """The same ridges without gradients."""
        return Ridges(*(part.detach() for part in self))


@dataclass(frozen=True)
class Grid:
    """Square bins over the square of +-``half_side`` around the origin; a bin stands for its centre."""

    bins: int  # in a row, a multiple of 16
    half_side: float

    @property
    def bin_side(self) -> float:
        """Distance between neighbouring bins."""
        return 2 * self.half_side / self.bins

    def centres(self, like: Tensor) -> Tensor:
        """Centres (bin, 2) of all bins, row by row (y first)."""
        return lattice(self.bins, self.bin_side, like)


def lattice(count: int, spacing: float, like: Tensor) -> Tensor:
    """Points (count * count, 2) around the origin, row by row (y first)."""
    axis = (torch.arange(count, dtype=like.dtype, device=like.device) - (count - 1) / 2) * spacing
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)


def heat(points: Tensor, ridges: Ridges, slack: float = 0.0) -> Tensor:
    """Sum (..., K) at points (..., K, 2) of ``height exp(-distance^2 / (2 sigma^2))`` over the segments.

    With ``slack`` every distance is shortened by it, which gives an upper bound for all points within that distance.
    Differentiable in all fields of the ridges, and finite for segments of length zero.
    """
    total = points.new_zeros(())
    parts = zip(ridges.origin.unbind(-2), ridges.direction.unbind(-2), strict=True)
    for s, (origin, direction) in enumerate(parts):
        square = square_distance(points, origin[..., None, :], direction[..., None, :])
        if slack:
            square = (square.sqrt() - slack).clamp_min(0).square()
        steepness = -0.5 / ridges.sigma[..., s, None].square()
        total = total + ridges.height[..., s, None] * (square * steepness).exp()
    return total


def square_distance(point: Tensor, origin: Tensor, direction: Tensor) -> Tensor:
    """Squared distances (...) of points (..., 2) from the segments ``origin + z direction``, |z| <= 1."""
    x, y = (p - o for p, o in zip(point.unbind(-1), origin.unbind(-1), strict=True))
    u, v = direction.unbind(-1)
    # The nearest z needs no gradient: between the ends the distance is stationary in z, at an end z is fixed.
    with torch.no_grad():
        scale = 1 / (u.square() + v.square()).clamp_min(_TINY)
        z = (x * (u * scale) + y * (v * scale)).clamp(-1, 1)
    return (x - z * u).square() + (y - z * v).square()


def segment_distances(origin: Tensor, direction: Tensor) -> Tensor:
    """Distances (..., S, S) between segments (..., S, 2) given as in ``Ridges``; 0 where they cross."""
    ends = torch.stack([origin - direction, origin + direction], -2)  # (..., S, 2 ends, 2)
    of_ends = square_distance(
        ends[..., :, None, :, :], origin[..., None, :, None, :], direction[..., None, :, None, :]
    )
    nearest = of_ends.amin(-1)
    nearest = torch.minimum(nearest, nearest.mT).sqrt()
    offset = origin[..., None, :, :] - origin[..., :, None, :]
    one, other = direction[..., :, None, :], direction[..., None, :, :]
    area = _cross(one, other)
    parallel = area.abs() < _TINY
    area = torch.where(parallel, 1.0, area)
    on_one, on_other = _cross(offset, other) / area, _cross(offset, one) / area
    crossing = ~parallel & (on_one.abs() <= 1) & (on_other.abs() <= 1)
    return nearest.masked_fill(crossing, 0)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


@torch.no_grad()
def argmax(ridges: Ridges, grid: Grid, sub_pixel: bool = True) -> Tensor:
    """Coordinates (N, 2) of the bins where the maps of ridges (N, S) are highest.

    Equal to an exhaustive search; a block of bins is skipped if its upper bound is below a height that the map is
    known to reach.

    Args:
        sub_pixel: refine to the maximum of the paraboloid through the bin and its neighbours, if there is one.
    """
    chunks = [ridges.pick(slice(start, start + _ROWS)) for start in range(0, max(len(ridges.origin), 1), _ROWS)]
    highest = torch.cat([_highest_bins(chunk, grid) for chunk in chunks])
    return _climb(highest, ridges, grid.bin_side) if sub_pixel else highest


def _highest_bins(ridges: Ridges, grid: Grid) -> Tensor:
    """Centres (N, 2) of the bins where maps are highest, by branch and bound."""
    blocks = lattice(grid.bins // _BLOCK, _BLOCK * grid.bin_side, ridges.origin)
    bound = heat(blocks, ridges, _reach(_BLOCK, grid))
    reached = _descend(blocks[bound.argmax(-1)], ridges, grid)
    row, block = (bound >= reached[:, None]).nonzero(as_tuple=True)
    centre = blocks[block]
    for side in _INNER:
        points = centre[:, None] + lattice(_SPLIT, side * grid.bin_side, centre)
        value = heat(points, ridges.pick(row), _reach(side, grid))  # (block, 16)
        kept = value >= reached[row, None]
        row, centre, value = row[:, None].expand_as(value)[kept], points[kept], value[kept]
    best = value.new_zeros(len(bound)).scatter_reduce(0, row, value, "amax")
    place = torch.arange(len(row), device=row.device).masked_fill(value < best[row], len(row))
    first = torch.full_like(row[: len(bound)], len(row)).scatter_reduce(0, row, place, "amin")
    return centre[first]


def _descend(centre: Tensor, ridges: Ridges, grid: Grid) -> Tensor:
    """Heights (N) of the bin that is reached by following the best block at each level from blocks (N, 2)."""
    for side in _INNER:
        points = centre[:, None] + lattice(_SPLIT, side * grid.bin_side, centre)
        value = heat(points, ridges, _reach(side, grid))
        centre = points.take_along_dim(value.argmax(-1)[:, None, None], 1).squeeze(1)
    return value.amax(-1) * (1 - _ROUNDING)


def _reach(side: int, grid: Grid) -> float:
    """Distance from the centre of a block of side * side bins to its farthest bin."""
    return (side - 1) * grid.bin_side / math.sqrt(2)


def _climb(point: Tensor, ridges: Ridges, step: float) -> Tensor:
    """Points (N, 2) moved to the maximum of the paraboloid through heights a step apart, by a step at most."""
    around = heat(point[:, None] + lattice(3, step, point), ridges).unflatten(-1, (3, 3))  # y, x
    x = (around[:, 1, 2] - around[:, 1, 0]) / 2
    y = (around[:, 2, 1] - around[:, 0, 1]) / 2
    xx = around[:, 1, 2] - 2 * around[:, 1, 1] + around[:, 1, 0]
    yy = around[:, 2, 1] - 2 * around[:, 1, 1] + around[:, 0, 1]
    xy = (around[:, 2, 2] - around[:, 2, 0] - around[:, 0, 2] + around[:, 0, 0]) / 4
    area = xx * yy - xy.square()
    peaked = (xx < 0) & (area > _TINY)
    move = torch.stack([xy * y - yy * x, xy * x - xx * y], -1) / torch.where(peaked, area, 1.0)[:, None]
    return point + step * (move * peaked[:, None]).clamp(-1, 1)


def soft_argmax(value: Tensor, point: Tensor, sharpness: float) -> Tensor:
    """Expected point (..., 2) of points (..., K, 2) under the softmax of ``sharpness * value`` (..., K)."""
    return ((sharpness * value).softmax(-1)[..., None] * point).sum(-2)
