"""Several processes for one training, started by torchrun, Slurm (srun) or Open MPI (mpirun)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import PosepipeError

_VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE"),
    "slurm": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # the latter is set in steps only: a batch script is alone
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
}
"""Environment variables of each launcher (by mmengine's name) with rank and number of processes."""


@dataclass(frozen=True)
class Launch:
    """The processes that work together."""

    launcher: str = ""
    rank: int = 0
    """Number of this process; only the first one, 0, writes."""
    processes: int = 1


ALONE = Launch()


def this_launch() -> Launch:
    """The launch that started this process; a single process is its own launch."""
    for launcher, (rank, processes) in _VARIABLES.items():
        if rank in os.environ and int(os.environ.get(processes, "1")) > 1:
            return Launch(launcher, int(os.environ[rank]), int(os.environ[processes]))
    return ALONE


@contextmanager
def together(device: str) -> Iterator[Launch]:
    """Context in which all processes compute together; each gets its own GPU if there are any.

    Raises:
        PosepipeError: the address of the first process is unknown.
    """
    launch = this_launch()
    if launch.processes == 1:
        yield launch
        return
    import torch

    gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if "MASTER_ADDR" not in os.environ and not (gpu and launch.launcher == "slurm"):  # which mmengine asks itself
        raise PosepipeError("set MASTER_ADDR to the name of the host on which the first process runs")
    if gpu:
        from mmengine.dist import init_dist

        init_dist(launch.launcher, backend="nccl")
    else:  # mmengine's way needs a GPU
        os.environ |= {"RANK": str(launch.rank), "WORLD_SIZE": str(launch.processes)}
        os.environ.setdefault("MASTER_PORT", "29500")
        torch.distributed.init_process_group("gloo")
    try:
        yield launch
    finally:
        torch.distributed.destroy_process_group()
