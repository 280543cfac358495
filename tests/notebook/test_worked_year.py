"""The worked year in a notebook, run on the small wave: listed, listed again, released; a gap refused."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from one_kernel import NotebookRun, execute_in_one_kernel

ROOT = Path(__file__).parents[2]
NOTEBOOKS = [
    ROOT / "notebooks" / "planning" / "21_year.ipynb",
    ROOT / "notebooks" / "en" / "planning" / "21_year.ipynb",
]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=["zh", "en"])
def test_the_notebook_is_clean(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert all(len(cell.source.splitlines()) <= 25 for cell in code)
    assert not any(re.search(r"^\s*(def|class)\s", cell.source, re.MULTILINE) for cell in code)


def test_a_county_is_listed_twice_and_released_and_a_gap_is_refused(small, tmp_path):
    runs = []
    for path, language in zip(NOTEBOOKS, ("zh", "en"), strict=True):
        runs.append(NotebookRun(path, small.folder, tmp_path / language, language))
    execute_in_one_kernel(runs, pictures_of_pages=False)
    for language in ("zh", "en"):
        cells = nbformat.read(tmp_path / language / "21_year.ipynb", as_version=4).cells
        outputs = [out for cell in cells if cell.cell_type == "code" for out in cell.outputs]
        assert all(out.output_type != "error" and out.get("name") != "stderr" for out in outputs)
        said = "".join(str(out.get("data", {})) for out in outputs)
        assert "S341" in said
        assert {"zh": "模拟数据", "en": "simulated data, not a real survey"}[language] in said
        steps = {}
        for wave in ("2026q2", "2026q3"):
            (table,) = (tmp_path / language / "surveys" / f"year-{wave}" / "out").glob(
                "*Z/ranking_ladder.csv"
            )
            ladder = pd.read_csv(table, dtype=str, encoding="utf-8-sig")
            mine = ladder[(ladder["code"] == "990101") & (ladder["in_force"] == "yes")]
            steps[wave] = mine["step_en"].tolist()
        assert steps == {"2026q2": ["talk"], "2026q3": ["released"]}
