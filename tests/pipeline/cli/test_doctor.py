"""The doctor says what this machine can do, and why it cannot do the rest."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version

import pytest
from posepipe.pipeline.cli import app
from posepipe.pipeline.cli.doctor import examine
from typer.testing import CliRunner


def test_findings_are_one_line_each() -> None:
    findings = examine()
    assert findings["posepipe"] == version("posepipe")
    assert findings["torch"] == version("torch")
    assert "cpu" in findings["devices"]
    assert "av" in findings["ffmpeg"]
    assert {"blazepose detector", "mmpose detector"} <= set(findings)
    assert all(finding and "\n" not in finding for finding in findings.values())


def test_it_says_what_runs_the_embedded_detector() -> None:
    assert re.match(r"can run: BlazePose full, .*OpenVINO \d", examine()["blazepose detector"])


def test_what_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name in [name for name in sys.modules if name.startswith("posepipe.pipeline.detectors.")]:
        if name.endswith(("openvino_runtime", "finder", "landmarks", "following", "blazepose.detector")):
            monkeypatch.delitem(sys.modules, name)
    assert examine()["blazepose detector"].startswith("cannot run: openvino cannot be used")


def test_the_command_prints_them() -> None:
    told = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert told["posepipe"] == version("posepipe")
    table = CliRunner().invoke(app, ["doctor"]).stdout
    assert all(name in table for name in told)
