"""Least squares over time: linear systems that are banded along the instants, with a few unknowns common to all.

    [ A   W ] [ x ]   [ a ]        A (T blocks): dense within an instant, diagonal to the next two instants
    [ W'  C ] [ y ] = [ c ]        W, C: what the instants share

A has a banded Cholesky factor, so that the cost of a system is proportional to its number of instants T. The common
unknowns follow from the Schur complement ``C - W' A^-1 W`` (Triggs et al., Bundle Adjustment, 2000, Sec. 6).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

Array = NDArray[np.float64]

_LEAST = 1e-9
"""Added to the diagonal, as a share of its mean, for unknowns that nothing determines."""


class Arrowhead(NamedTuple):
    """A symmetric system of T instants with N unknowns each and M common ones, and its right-hand side."""

    block: Array  # (T, N, N) within instants
    next: Array  # (T, N) diagonals that couple an instant to the next one; the last row is not used
    second_next: Array  # (T, N) diagonals that couple it to the one after that; the last two rows are not used
    border: Array  # (T, N, M) between instants and common unknowns
    common: Array  # (M, M)
    right: Array  # (T, N)
    right_common: Array  # (M)

    def solve(self, damping: float) -> tuple[Array, Array]:
        """Solve for the unknowns (T, N) of the instants and the common ones (M), with Marquardt's damping.

        Raises:
            numpy.linalg.LinAlgError: the damped system is not positive definite.
        """
        instants, size, common = self.border.shape
        band = self._band(damping)
        factor = cholesky_banded(band, overwrite_ab=True, lower=True, check_finite=False)
        sides = np.concatenate([self.right[..., None], self.border], -1).reshape(instants * size, 1 + common)
        solved = cho_solve_banded((factor, True), sides, check_finite=False)
        border = self.border.reshape(instants * size, common)
        reduced = _damped(self.common, damping) - border.T @ solved[:, 1:]
        shared = np.linalg.solve(reduced, self.right_common - border.T @ solved[:, 0]) if common else np.zeros(0)
        return (solved[:, 0] - solved[:, 1:] @ shared).reshape(instants, size), shared

    def _band(self, damping: float) -> Array:
        """Lower band ``band[i - j, j] = A[i, j]`` of the damped block matrix, as LAPACK stores it."""
        instants, size = self.right.shape
        band = np.zeros((2 * size + 1, instants, size))
        for below in range(size):
            band[below, :, : size - below] = np.diagonal(self.block, -below, 1, 2)
        band[0] += damping * band[0] + _LEAST * band[0].mean()
        band[size, :-1] = self.next[:-1]
        band[2 * size, :-2] = self.second_next[:-2]
        return band.reshape(2 * size + 1, instants * size)


def _damped(matrix: Array, damping: float) -> Array:
    diagonal = np.diag(matrix)
    least = _LEAST * diagonal.mean() if diagonal.size else 0.0
    return matrix + np.diag(damping * diagonal + least)
