"""The worked example: plan, draw, simulated fieldwork, run, combined score, report, in one notebook and without a warning."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from one_kernel import NotebookRun, execute_in_one_kernel

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "planning" / "20_wave.ipynb"


def test_the_notebook_is_clean():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(
        cell.outputs == [] and cell.execution_count is None and len(cell.source.splitlines()) <= 25
        for cell in code
    )
    assert not any(re.search(r"^\s*(def|class)\s", cell.source, re.MULTILINE) for cell in code)


def test_a_second_run_writes_beside_the_first_and_coverage_carries_its_error():
    sources = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells]
    assert any("shelf = free_name(project / out)" in source for source in sources)
    assert any('error=(0.95 * 0.05 / coverage["areas"]) ** 0.5' in source for source in sources)


@pytest.mark.slow
def test_the_worked_wave_runs_is_marked_and_covers_the_truth(tmp_path):
    (tmp_path / "wave").mkdir()
    worked = NotebookRun(NOTEBOOK, ROOT / "surveys" / "guizhou-2026q3", tmp_path / "wave")
    execute_in_one_kernel([worked], pictures_of_pages=False)
    cells = nbformat.read(tmp_path / "wave" / NOTEBOOK.name, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    faults = [output for output in outputs if output.output_type == "error"]
    assert faults == []
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert any("模拟数据" in output.get("data", {}).get("text/markdown", "") for output in outputs)
    # the folder was there, so the new wave stands beside it
    folder = tmp_path / "wave-2" / "surveys" / "guizhou-2026q4"
    indices = pd.read_csv(
        folder / "out" / "files" / "indices.csv", dtype={"code": str}, encoding="utf-8-sig"
    )
    truth = pd.read_csv(folder / "truth.csv", dtype={"county": str}, encoding="utf-8-sig").rename(
        columns={"county": "code"}
    )
    both = indices[indices["level"] == "county"].merge(truth, on=["code", "measure"])
    assert len(both) > 1000
    assert 0.92 < both["value"].between(both["ci_low"], both["ci_high"]).mean() < 0.98
