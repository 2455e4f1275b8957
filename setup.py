"""Finds the packages: ``models/`` and ``pipeline/`` are imported as ``posepipe.models`` and ``posepipe.pipeline``.

Everything else is declared in ``pyproject.toml``, whose search for packages cannot put them under another name.
Folders of data, such as templates, count as packages, so that their files are found as well.
"""

from setuptools import find_namespace_packages, setup

setup(
    packages=[
        f"posepipe.{name}"
        for root in ("models", "pipeline")
        for name in (root, *(f"{root}.{inner}" for inner in find_namespace_packages(root, exclude=["*__pycache__*"])))
    ]
)
