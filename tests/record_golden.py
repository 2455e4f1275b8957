"""Records golden results: ``python tests/record_golden.py [STAGE or METHOD ...]``; without names, what must be.

A result that changed while no version did is not recorded: raise the version of its stage or method first. To record
one of a changed case in spite of that, remove its file.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden_cases import CASES, run
from golden_results import GOLDEN, Result, kept, methods_of_the_code, results_of, stages_of_the_code, verdict


def main(names: list[str]) -> int:
    """Record what is named; 1 if something must not be."""
    known = stages_of_the_code() | methods_of_the_code()
    if unknown := [name for name in names if name not in known]:
        print(f"no stage or method {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        for case in CASES:
            place = Path(folder) / case
            place.mkdir()
            made[case] = results_of(case, run(case, place))
    wanted, refused = kept(made), 0
    for path, result in wanted.items():
        if names and not {result.stage, result.method} & set(names):
            continue
        said = verdict(Result.read(path), result) if path.exists() else "new"
        if "raise the version" in said:
            print(f"not recorded: {said}")
            refused = 1
        elif said:
            result.write()
            print(f"recorded: {path.relative_to(GOLDEN)}")
    for path in sorted(set(GOLDEN.glob("*/*.npz")) - set(wanted)) if not names else ():
        path.unlink()
        print(f"removed, as nothing makes it any more: {path.relative_to(GOLDEN)}")
    return refused


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
