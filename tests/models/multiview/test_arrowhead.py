from __future__ import annotations

import numpy as np
import pytest
from posepipe.models.multiview.arrowhead import Arrowhead

RNG = np.random.default_rng(0)


def dense(system: Arrowhead) -> tuple[np.ndarray, np.ndarray]:
    """The literal matrix and its right-hand side."""
    instants, size, common = system.border.shape
    whole = np.zeros((instants * size + common,) * 2)
    for t in range(instants):
        here = slice(t * size, (t + 1) * size)
        whole[here, here] = system.block[t]
        whole[here, instants * size :] = system.border[t]
        whole[instants * size :, here] = system.border[t].T
        for step, diagonal in ((1, system.next), (2, system.second_next)):
            if t + step < instants:
                there = slice((t + step) * size, (t + step + 1) * size)
                whole[here, there] = whole[there, here] = np.diag(diagonal[t])
    whole[instants * size :, instants * size :] = system.common
    return whole, np.concatenate([system.right.ravel(), system.right_common])


def system(instants: int, size: int, common: int) -> Arrowhead:
    half = RNG.normal(size=(instants, size, size))
    return Arrowhead(
        half @ np.swapaxes(half, 1, 2) + 10 * size * np.eye(size),
        RNG.normal(size=(instants, size)),
        RNG.normal(size=(instants, size)),
        RNG.normal(size=(instants, size, common)),
        10 * size * instants * np.eye(common),
        RNG.normal(size=(instants, size)),
        RNG.normal(size=common),
    )


@pytest.mark.parametrize(("instants", "size", "common"), [(7, 4, 3), (7, 4, 0), (1, 3, 2), (2, 3, 2), (3, 1, 1)])
def test_it_solves_the_literal_system(instants: int, size: int, common: int) -> None:
    asked = system(instants, size, common)
    matrix, right = dense(asked)
    own, shared = asked.solve(0.0)
    assert np.concatenate([own.ravel(), shared]) == pytest.approx(np.linalg.solve(matrix, right), rel=1e-6, abs=1e-8)


def test_damping_is_marquardts() -> None:
    asked = system(5, 3, 2)
    matrix, right = dense(asked)
    own, shared = asked.solve(0.5)
    damped = np.linalg.solve(matrix + 0.5 * np.diag(np.diag(matrix)), right)
    assert np.concatenate([own.ravel(), shared]) == pytest.approx(damped, rel=1e-6, abs=1e-8)


def test_an_indefinite_system_is_refused() -> None:
    asked = system(3, 2, 0)
    with pytest.raises(np.linalg.LinAlgError):
        asked._replace(block=-asked.block).solve(0.0)
