"""posepipe's command line with a training method, a detector and a format of our own.

python my_posepipe.py fit hall/ --method agreeing_views --detector patches --export npz,jsonl
"""

from posepipe.models import METHODS
from posepipe.pipeline.cli import app
from posepipe.pipeline.detectors import DETECTORS
from posepipe.pipeline.exporters import EXPORTERS, Format

METHODS["agreeing_views"] = "agreeing_views:AgreeingViews"
DETECTORS["patches"] = "patches:PatchSettings"
EXPORTERS["jsonl"] = Format("poses.jsonl", "json_lines:write")

if __name__ == "__main__":  # the processes of a batch read this file as well
    app()
