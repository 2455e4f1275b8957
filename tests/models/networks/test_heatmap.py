"""Maps evaluated analytically against maps drawn bin by bin."""

import math

import pytest
import torch
from posepipe.models.networks.heatmap import (
    Grid,
    Ridges,
    argmax,
    heat,
    lattice,
    segment_distances,
    soft_argmax,
    square_distance,
)
from torch import Tensor

GRID = Grid(64, 0.65)


def random_ridges(maps: int, segments: int, seed: int = 0) -> Ridges:
    """Segments that pass near a common point of each map, a point among them, one of them missing."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    angle = 2 * math.pi * uniform(maps, segments)
    direction = torch.stack([angle.cos(), angle.sin()], -1) * 0.6 * uniform(maps, segments, 1)
    origin = 0.8 * uniform(maps, 1, 2) - 0.4 + 0.1 * uniform(maps, segments, 2)
    origin = origin + (uniform(maps, segments, 1) - 0.5) * direction
    direction[:, 0] = 0
    height = uniform(maps, segments)
    height[:, -1] = (uniform(maps) < 0.7) * height[:, -1]
    return Ridges(origin, direction, height, 0.02 + 0.04 * uniform(maps, segments))


def literal_distance(point: list[float], origin: list[float], direction: list[float]) -> float:
    """Distance of a point from a segment, by trying out positions on it."""
    steps = torch.linspace(-1, 1, 20001, dtype=torch.float64).tolist()
    return min(
        math.hypot(point[0] - origin[0] - z * direction[0], point[1] - origin[1] - z * direction[1]) for z in steps
    )


def literal_heat(point: list[float], ridges: Ridges) -> float:
    """The map of one set of ridges (S) at one point, segment by segment."""
    return sum(
        c * math.exp(-(literal_distance(point, o, d) ** 2) / (2 * s**2))
        for o, d, c, s in zip(*(part.tolist() for part in ridges), strict=True)
    )


def test_heat_is_its_formula() -> None:
    ridges = random_ridges(3, 3)
    points = torch.rand(5, 2, dtype=torch.float64) - 0.5
    found = heat(points, ridges)
    for n in range(3):
        expected = [literal_heat(point, ridges.pick(torch.tensor(n))) for point in points.tolist()]
        assert found[n].tolist() == pytest.approx(expected, abs=1e-6)


def test_slack_bounds_the_neighbourhood() -> None:
    ridges = random_ridges(20, 4)
    point = torch.rand(20, 1, 2, dtype=torch.float64) - 0.5
    angle = torch.linspace(0, 2 * math.pi, 100, dtype=torch.float64)
    around = point + 0.05 * torch.stack([angle.cos(), angle.sin()], -1)
    assert (heat(point, ridges, 0.05) >= heat(around, ridges) - 1e-12).all()


def test_heat_has_a_gradient_even_for_a_point() -> None:
    ridges = random_ridges(3, 4)
    points = torch.rand(3, 5, 2, dtype=torch.float64) - 0.5
    origin, direction, height, sigma = (part.clone().requires_grad_() for part in ridges)
    assert torch.autograd.gradcheck(lambda *parts: heat(points, Ridges(*parts)), (origin, direction, height, sigma))
    heat(points, Ridges(origin, direction, height, sigma)).sum().backward()
    assert direction.grad is not None and direction.grad.isfinite().all()


@pytest.mark.parametrize("segments", [2, 4, 6])
@pytest.mark.parametrize("bins", [64, 160])
def test_the_search_finds_what_looking_everywhere_finds(segments: int, bins: int) -> None:
    grid, ridges = Grid(bins, 0.65), random_ridges(60, segments, seed=segments)
    everywhere = heat(grid.centres(ridges.origin), ridges)
    expected = grid.centres(ridges.origin)[everywhere.argmax(-1)]
    torch.testing.assert_close(argmax(ridges, grid, sub_pixel=False), expected)


def test_the_search_survives_flat_and_missing_maps() -> None:
    nothing = Ridges(torch.zeros(2, 1, 2), torch.zeros(2, 1, 2), torch.zeros(2, 1), torch.ones(2, 1))
    assert argmax(nothing, Grid(16, 0.5)).isfinite().all()
    assert argmax(nothing.pick(slice(0, 0)), GRID).shape == (0, 2)


def test_sub_pixel_maxima_lie_between_bins() -> None:
    generator = torch.Generator().manual_seed(0)
    point = torch.rand(50, 1, 2, generator=generator, dtype=torch.float64) - 0.5
    lines = torch.tensor([[0.6, 0.05], [0.1, 0.5], [0.0, 0.0]], dtype=torch.float64).expand(50, 3, 2)
    along = torch.tensor([0.3, -0.2, 0.0], dtype=torch.float64)[:, None]
    ridges = Ridges(point + along * lines, lines, torch.ones(50, 3), torch.full((50, 3), 0.05))
    coarse, fine = ((argmax(ridges, GRID, sub) - point[:, 0]).norm(dim=-1) for sub in (False, True))
    assert coarse.max() < GRID.bin_side and fine.max() < GRID.bin_side / 20
    assert fine.mean() < coarse.mean() / 20


def test_segment_distances_are_those_of_their_points() -> None:
    ridges = random_ridges(8, 4, seed=2)
    ridges.direction[:, 3] = ridges.direction[:, 2] / 2  # parallel
    found = segment_distances(ridges.origin, ridges.direction)
    z = torch.linspace(-1, 1, 801, dtype=torch.float64)[:, None]
    points = ridges.origin[:, :, None] + z * ridges.direction[:, :, None]  # (8, 4, 801, 2)
    apart = square_distance(
        points[:, :, None], ridges.origin[:, None, :, None], ridges.direction[:, None, :, None]
    ).amin(-1)
    torch.testing.assert_close(found, apart.sqrt(), atol=2e-3, rtol=0)
    torch.testing.assert_close(found, found.mT)


def test_bins_stand_for_their_centres() -> None:
    assert GRID.bin_side == pytest.approx(1.3 / 64)
    centres = Grid(16, 0.8).centres(torch.zeros(1))
    assert centres[0].tolist() == pytest.approx([-0.75, -0.75]) and centres[1].tolist() == pytest.approx(
        [-0.65, -0.75]
    )
    assert lattice(3, 1.0, torch.zeros(1))[4].tolist() == [0, 0]


def test_soft_argmax_is_the_expectation() -> None:
    value = torch.tensor([0.0, math.log(3) / 2])
    point = torch.tensor([[0.0, 4.0], [8.0, 0.0]])
    assert soft_argmax(value, point, 2.0).tolist() == pytest.approx([6.0, 1.0])
    assert soft_argmax(torch.tensor([0.0, 1e3]), point, 1.0).tolist() == [8.0, 0.0]


def test_the_gradient_of_soft_argmax_and_of_heat_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(4)
    value = torch.randn(3, 5, generator=generator, dtype=torch.float64).requires_grad_()
    point = torch.randn(3, 5, 2, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v, p: soft_argmax(v, p, 1.5), (value, point.requires_grad_()))
    origin, direction = (
        torch.randn(2, 3, 2, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2)
    )
    height = torch.rand(2, 3, generator=generator, dtype=torch.float64).requires_grad_()
    window = torch.randn(2, 4, 2, generator=generator, dtype=torch.float64)

    def drawn(origin: Tensor, direction: Tensor, height: Tensor) -> Tensor:
        return heat(window, Ridges(origin, direction, height, torch.full_like(height, 0.7)))

    assert torch.autograd.gradcheck(drawn, (origin, direction, height))
