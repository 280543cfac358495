"""How often do the 95 % intervals hold the truth? Fresh samples of simulated provinces; see `python -m tests.coverage_study -h`."""

import os

for threads in (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
):  # before numpy is imported: one a process
    os.environ.setdefault(threads, "1")
