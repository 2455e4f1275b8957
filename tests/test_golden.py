"""A result that changes while no version does is found: it would come back from caches under new code."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from golden_cases import CASES, run
from golden_results import (
    GOLDEN,
    Result,
    kept,
    methods_of_the_code,
    results_of,
    stages_of_the_code,
    verdict,
)

RECORDED = sorted(GOLDEN.glob("*/*.npz"))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Result]]:
    """Results of a case, which is run the first time that it is asked for."""

    @cache
    def of(case: str) -> dict[str, Result]:
        return results_of(case, run(case, tmp_path_factory.mktemp(case)))

    return of


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest, results: Callable[[str], dict[str, Result]]) -> dict[str, Result]:
    """Results of one case."""
    assert request.param in CASES, "remove its folder, or record all results with `python tests/record_golden.py`"
    return results(request.param)


CASE_AND_PATH = [pytest.param(path.parent.name, path, id=f"{path.parent.name}/{path.stem}") for path in RECORDED]


@pytest.mark.parametrize(("made", "path"), CASE_AND_PATH, indirect=["made"])
def test_a_result_is_as_recorded_or_has_another_version(path: Path, made: dict[str, Result]) -> None:
    recorded = Result.read(path)
    found = made.get(recorded.name)
    assert found, f"{recorded.whose} is not reached any more by case {recorded.case} of golden_cases.py"
    said = verdict(recorded, found)
    assert not said, said


def test_every_stage_and_method_has_a_golden_result() -> None:
    recorded = [Result.read(path) for path in RECORDED]
    advice = "add a case to golden_cases.py that reaches it, and record it with `python tests/record_golden.py`"
    assert sorted(stages_of_the_code() - {result.stage for result in recorded}) == [], advice
    assert sorted(methods_of_the_code() - {result.method for result in recorded}) == [], advice


def test_what_is_recorded_is_what_the_cases_reach_first(results: Callable[[str], dict[str, Result]]) -> None:
    reached = kept({case: results(case) for case in CASES})
    assert sorted(reached) == RECORDED, "record all results with `python tests/record_golden.py`"


# The judgement itself


@pytest.fixture
def pair() -> tuple[Result, Result]:
    """A recorded training, and the same found again."""
    recorded = Result.read(GOLDEN / "cvsf" / "train_model-cvsf.npz")
    return recorded, copy.deepcopy(recorded)


def test_a_changed_result_asks_for_a_version(pair: tuple[Result, Result]) -> None:
    recorded, found = pair
    assert verdict(recorded, found) == ""
    found.arrays["losses.total"] = found.arrays["losses.total"] * 1.1
    said = verdict(recorded, found)
    assert said.startswith("the result of the method cvsf changed in case cvsf (losses.total is off by")
    assert said.endswith(
        "raise the version of the method cvsf, and then record the result of the method cvsf with "
        "`python tests/record_golden.py cvsf`"
    )


def test_a_weight_of_a_loss_counts_even_if_no_loss_shows_it(pair: tuple[Result, Result]) -> None:
    recorded, found = pair
    name = next(name for name in found.about["phases"] if name.endswith("weights"))
    term = next(iter(found.about["phases"][name]))
    found.about["phases"][name][term] *= 1.001
    assert f"phase {name} is" in verdict(recorded, found)


def test_another_version_or_other_settings_ask_for_a_record(pair: tuple[Result, Result]) -> None:
    recorded, found = pair
    found.about["settings"] = {**found.about["settings"], "seed": 7}
    assert verdict(recorded, found) == "", "nothing came of it"
    found.arrays["losses.total"] = found.arrays["losses.total"] * 1.1
    assert "so did its settings: record the result" in verdict(recorded, found)
    found.about["versions"] = [2, 9]
    assert verdict(recorded, found).startswith("the version of the method cvsf is no longer the recorded one: record")


def test_what_follows_another_version_needs_none_of_its_own(pair: tuple[Result, Result]) -> None:
    recorded, found = pair
    found.arrays["losses.total"] = found.arrays["losses.total"] * 1.1
    found.about["before"] = {**found.about["before"], "select_samples": [9]}
    assert "behind other versions of what comes before (select_samples): record" in verdict(recorded, found)
