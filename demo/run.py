"""The whole chain on footage that it draws itself: fit four cameras, infer a fifth, score both, write the page.

python demo/run.py --out demo_footage
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo.footage import make_footage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo_footage"), help="folder for footage and results")
    parser.add_argument("--seconds", type=float, default=12, help="length of the training clips")
    parser.add_argument("--seed", type=int, default=0, help="seed of the footage and of training")
    options = parser.parse_args()
    began = time.monotonic()
    folder, results = options.out, options.out / "training_posepipe"
    clip = folder / "heldout" / "cam5.mp4"
    if not clip.exists():
        say(f"drawing footage into {folder}")
        make_footage(folder, seed=options.seed, seconds=options.seconds)
    posepipe("fit", folder / "training", "--seed", options.seed)
    posepipe("infer", clip, "--model", results / "model.pt", "--height", 1.80)
    say("\nthe four training clips against the exact 3D (mm)")
    posepipe("evaluate", results, folder / "reference")
    say("\nthe held-out clip: another camera, another time (mm)")
    posepipe("evaluate", folder / "heldout" / "cam5_posepipe", folder / "reference")
    page = folder / "heldout" / "cam5_posepipe" / "view.html"
    say(f"\ndone in {(time.monotonic() - began) / 60:.1f} min; open {page} in a browser")


def posepipe(*arguments: object) -> None:
    """Run the command line as a user would."""
    words = [str(argument) for argument in arguments]
    say(f"\n$ posepipe {' '.join(words)}")
    done = subprocess.run([str(Path(sys.executable).with_name("posepipe")), *words])
    if done.returncode:
        sys.exit(done.returncode)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
