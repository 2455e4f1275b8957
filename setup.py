"""Finds the packages: ``models/`` and ``pipeline/`` are imported as ``posepipe.models`` and ``posepipe.pipeline``.

Everything else is declared in ``pyproject.toml``, whose search for packages cannot put them under another name.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        f"posepipe.{name}"
        for root in ("models", "pipeline")
        for name in (root, *(f"{root}.{inner}" for inner in find_packages(root)))
    ]
)
