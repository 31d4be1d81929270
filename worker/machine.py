"""The machine that the worker runs on, as Darkroom is told of it: what an hour costs depends on it."""

import os
import re
import sys
from functools import cache
from pathlib import Path

from darkroom.jobs.contract import WorkerMachine

_DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's driver tells of each GPU (its README, "The /proc interface")."""


@cache
def machine() -> WorkerMachine:
    """The GPU's name and how many processors there are. SageMaker tells a container nothing of its instance type."""
    return WorkerMachine(gpu=gpu_name(), cpus=os.cpu_count())


def gpu_name(driver: Path = _DRIVER) -> str | None:
    """The name of the first GPU, None where there is none; `driver` is the folder of the driver's texts."""
    for path in sorted(driver.glob("*/information")):
        try:
            found = re.search(r"^Model:\s*(.+?)\s*$", path.read_text(errors="replace"), re.MULTILINE)
        except OSError:
            continue
        if found:
            return found[1][:200]
    # Where the container has no such folder. An engine without torch does not import it for this.
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name())[:200] if torch and torch.cuda.is_available() else None
