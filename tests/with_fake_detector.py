"""The command line in a process of its own, with the fake detector: ``python with_fake_detector.py fit FOLDER``."""

import torch
from footage import FakeDetector
from posepipe.pipeline.cli import app
from posepipe.pipeline.runs import fit_takes
from posepipe.pipeline.runs import infer as inference

torch.set_num_threads(1)
for module in (fit_takes, inference):
    module.choose_detector = lambda settings, device: FakeDetector()
if __name__ == "__main__":  # a batch's processes read this file as well
    app()
