"""The notebook runs, without a network, and finds the angles of a knee."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "angles.ipynb"


def test_the_notebook_runs_from_footage_to_angles() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "store the notebook without its outputs"
    client = nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.get("text", "") for output in outputs)
    assert "left and right: clear" in text
    errors = [int(degrees) for degrees in re.findall(r"median error (\d+) degrees", text)]
    assert len(errors) == 2
    assert max(errors) < 9
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
