"""Mistakes that are put into code: which there are, that each is one, and what a table says of them."""

from __future__ import annotations

import ast
from pathlib import Path

from tools.mutants import mutants_of, mutated
from tools.mutation_score import describe

CODE = '''"""A text: 1 + 1."""

def clamp(value: int, low: int = 0) -> int:
    """Not less than 2 * 3."""
    if not isinstance(value, int) or value < low:
        raise ValueError(f"{value} < {low - 1}")
    return max(value - low, -1, key=abs)
'''


def test_every_mistake_is_another_program(tmp_path: Path) -> None:
    path = tmp_path / "clamp.py"
    path.write_text(CODE)
    mutants = mutants_of(path)
    assert sorted(mutant.kind for mutant in mutants) == [
        "argument", "arithmetic", "boolean", "comparison", "constant", "constant", "return", "sign", "sign",
    ]  # fmt: skip
    programs = {ast.unparse(mutated(path, mutant.number)) for mutant in mutants}
    assert len(programs | {ast.unparse(ast.parse(CODE))}) == len(mutants) + 1
    assert all('raise ValueError(f"' in program.replace("'", '"') for program in programs)
    assert {mutant.line for mutant in mutants} == {3, 5, 7}
    assert "value < low -> value <= low" in {mutant.change for mutant in mutants}


def test_survivors_are_counted_and_named() -> None:
    rows = [
        {"mutant": f"a.py:{line} x -> y", "folder": "a", "kind": "sign", "result": result, "seconds": 1.0}
        for line, result in enumerate(("noticed", "survived", "endless", "unreached"))
    ]
    told = describe(rows)
    assert "| all | 4 | 2 | 50 % |" in told
    assert told.endswith("- a.py:1 x -> y\n- a.py:3 x -> y (no test)")
