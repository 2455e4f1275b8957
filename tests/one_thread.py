"""Imported before NumPy: its arithmetic takes one thread, in the processes that tests start as well.

Where several tests run at once, the threads of small matrix products otherwise wait for each other, and tests take
several times as long.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
