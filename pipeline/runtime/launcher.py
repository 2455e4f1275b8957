"""Several processes for one training, started by torchrun, Slurm (srun) or Open MPI (mpirun)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import PosepipeError

_VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "slurm": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),  # the number of tasks is set in steps only
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
"""Environment variables of each launcher with rank, number of processes, and rank on this host."""


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
    for launcher, (rank, processes, _) in _VARIABLES.items():
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

    if "MASTER_ADDR" not in os.environ:
        if launch.launcher != "slurm":
            raise PosepipeError("set MASTER_ADDR to the name of the host on which the first process runs")
        os.environ["MASTER_ADDR"] = _first_host_of_slurm()
    os.environ |= {"RANK": str(launch.rank), "WORLD_SIZE": str(launch.processes)}
    os.environ.setdefault("MASTER_PORT", "29500")
    if device.startswith("cuda") or (device == "auto" and torch.cuda.is_available()):
        torch.cuda.set_device(int(os.environ[_VARIABLES[launch.launcher][2]]))
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")
    try:
        yield launch
    finally:
        torch.distributed.destroy_process_group()


def _first_host_of_slurm() -> str:
    """Name of the first host of this job.

    Raises:
        PosepipeError: Slurm does not say.
    """
    try:
        command = ["scontrol", "show", "hostnames", os.environ["SLURM_STEP_NODELIST"]]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]  # noqa: S603
    except (KeyError, OSError, subprocess.CalledProcessError, IndexError) as error:
        raise PosepipeError(
            "Slurm does not say which hosts it gave; set MASTER_ADDR to the name of the host of the first process"
        ) from error
