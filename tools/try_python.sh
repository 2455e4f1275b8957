#!/usr/bin/env bash
# Runs the tests on another Python, in a fresh environment with the versions of constraints.txt:
#   tools/try_python.sh 3.13                          # all of them
#   tools/try_python.sh 3.13 tests/models -k metrics  # some
# The environment stays in build/python3.13 until the next run or `make clean`.
set -euo pipefail
cd "$(dirname "$0")/.."
python="python$1"
shift
"$python" tools/install.py "build/$python" --python "$python"
exec "build/$python/bin/python" -m pytest "$@"
