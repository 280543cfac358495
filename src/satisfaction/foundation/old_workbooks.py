"""Workbooks that are no xlsx, read in a process of its own: a damaged one may abort it or take all memory it can get."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

MEMORY = 1_300_000_000  # bytes; the largest .xls sheet, 65,536 x 256 cells, needs 1.1 GB
SECONDS = 120  # of the processor
CHILD = f"""
import io, pickle, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
    resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass  # Windows has no such limits
from python_calamine import CalamineWorkbook
sheets = []
try:
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    for place, name in enumerate(workbook.sheet_names):
        sheet = workbook.get_sheet_by_index(place)
        before = (sheet.start or (0, 0))[1]
        sheets.append((name, before, sheet.merged_cell_ranges or (), list(sheet.iter_rows())))
    answer = sheets
except Exception as fault:
    answer = str(fault)
sys.stdout.buffer.write(pickle.dumps(answer))
"""


def read_old_workbook(content: bytes) -> list[tuple[str, int, Any, list[list[object]]]]:
    """Return name, empty columns before the table, merged cells and rows of every sheet of an .xls, .xlsb or .ods workbook.

    Raises
    ------
    ValueError
        Where it cannot be read.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD], input=content, capture_output=True, check=False
    )
    if done.returncode or not done.stdout:
        raise ValueError(f"the reader ended with {done.returncode}")
    answer = pickle.loads(done.stdout)
    if isinstance(answer, str):
        raise ValueError(answer)
    return answer  # type: ignore[no-any-return]
