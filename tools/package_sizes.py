"""Prints what each package of the running Python's environment takes on the disk, largest first, and the sum.

    .venv/bin/python tools/package_sizes.py

Files that pip installed count; the bytecode that Python writes beside them, about a tenth more, does not.
"""

from __future__ import annotations

from importlib.metadata import Distribution, distributions

LEAST_MB = 5.0
"""Smaller packages are counted together."""


def size_mb(package: Distribution) -> float:
    """Size in MB of a package's files, without bytecode."""
    files = [file.locate() for file in package.files or () if not file.name.endswith(".pyc")]
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def main() -> None:
    sizes = sorted(((size_mb(package), package.metadata["Name"]) for package in distributions()), reverse=True)
    small = [size for size, _ in sizes if size < LEAST_MB]
    for size, name in sizes[: len(sizes) - len(small)]:
        print(f"{size:6.0f} MB  {name}")
    print(f"{sum(small):6.0f} MB  {len(small)} others")
    print(f"{sum(size for size, _ in sizes):6.0f} MB  in all")


if __name__ == "__main__":
    main()
