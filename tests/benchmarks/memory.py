"""Peak memory of a process of a benchmark."""

from __future__ import annotations

import resource
from pathlib import Path


def peak_mb() -> float:
    """Return the peak memory of this process in MB; where Linux tells it, without what the parent process held."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
