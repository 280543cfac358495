"""The contract with the ranking office's own scripts."""

from __future__ import annotations

import json
import re
import shutil

import nbformat
import pandas as pd
import pytest
from tests.ranking.test_rankings import prepare

import satisfaction as sat
from conftest import ROOT, SmallSurvey
from satisfaction.foundation.errors import InputFileError

SHELF = ROOT / "notebooks"
NOTEBOOKS = sorted(path for path in SHELF.rglob("*.ipynb") if path.parent.name == "office")
IDS = {path: path.relative_to(SHELF).as_posix() for path in NOTEBOOKS}


@pytest.fixture(scope="module")
def folder(published_template):
    return (published_template / "surveys" / "wave" / "out" / "latest").resolve()


def test_the_record_holds_typed_tables_and_what_must_be_said(folder):
    found = sat.read_indices(folder)
    assert (found.survey, found.wave, found.mark, found.revision, found.format) == (
        "small-wave",
        "2026T1",
        "",
        1,
        "2.0",
    )
    assert found.questionnaire == "small@1"
    assert found.provenance["rows"]["accepted"] == 120
    assert {"indices", "ranking", "covariance", "ranking_sentences", "ranking_within"} <= set(
        found.tables
    )
    for table in found.tables.values():
        if "code" in table:
            assert all(isinstance(code, str) and len(code) == 6 for code in table["code"])
    assert found.indices[["estimate", "se", "df", "ci_low", "ci_high"]].dtypes.eq(float).all()
    assert found.indices["n"].dtype == "Int64"
    assert found.ranking["rank"].tolist() == [1, 2, 3, 4]


def test_the_figures_are_those_of_the_pipeline(folder, unchanged):
    found, results = sat.read_indices(folder), sat.run(unchanged)
    own = found.measure("streets")
    expected = results.estimates["county"].of("streets").table.set_index("county")
    assert own.loc[expected.index.astype(str), "estimate"].tolist() == pytest.approx(
        expected["estimate"].tolist(), rel=1e-11
    )
    assert found.measure("streets", level="province")["se"].iloc[0] > 0


def test_records_are_frozen(folder):
    found = sat.read_indices(folder)
    with pytest.raises(AttributeError):
        found.revision = 2
    with pytest.raises(TypeError):
        found.tables["x"] = pd.DataFrame()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("indices.csv", "F124"),
        ("ranking.xlsx", "F124"),
        ("SHA256SUMS", "F121"),
        ("manifest.json", "F121"),
    ],
)
def test_a_file_that_is_missing_or_changed_is_refused(folder, tmp_path, name, code):
    copy = shutil.copytree(folder, tmp_path / "set")
    (copy / name).unlink()
    with pytest.raises(InputFileError, match=code) as fault:
        sat.read_indices(copy)
    assert name in str(fault.value)
    shutil.copy(folder / name, copy / name)
    sat.read_indices(copy)
    if code == "F124":
        (copy / name).write_bytes((copy / name).read_bytes() + b"\n")
        with pytest.raises(InputFileError, match="F124"):
            sat.read_indices(copy)


def test_another_format_and_an_unknown_measure_are_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "set")
    made = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    made["format"]["version"] = "3.0"
    (copy / "manifest.json").write_text(json.dumps(made), encoding="utf-8")
    with pytest.raises(InputFileError, match="F122"):
        sat.read_indices(copy)
    with pytest.raises(InputFileError, match="F125"):
        sat.read_indices(folder).measure("overal")


def test_the_office_has_an_example():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS.get)
def test_a_notebook_is_clean(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(
        cell.outputs == [] and cell.execution_count is None and len(cell.source.splitlines()) <= 25
        for cell in code
    )
    assert [
        re.findall(r"^(\w+) = ", cell.source, re.MULTILINE)
        for cell in code
        if "parameters" in cell.metadata.get("tags", [])
    ] == [["files", "language"]]
    for cell in cells:
        assert not re.search(r"^\s*(def|class)\s", cell.source, re.MULTILINE)


@pytest.fixture(scope="module")
def simulated_set(small_template, tmp_path_factory, pictures):
    """The set of a simulated wave with a combined score; its tables alone are read."""
    root = tmp_path_factory.mktemp("office")
    small = SmallSurvey(shutil.copytree(small_template, root / "small"))
    small.edit(
        "survey.yaml",
        "selection:",
        "simulated: {seed: 1, note: {zh: 模拟, en: simulated}}\nselection:",
    )
    prepare(small, rankings="")
    with pictures.left_out():
        return sat.export(sat.run(small.read()), root / "set")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS.get)
def test_a_notebook_runs_without_a_warning_and_says_what_must_be_said(
    path, simulated_set, tmp_path
):
    import papermill

    options = {
        "progress_bar": False,
        "kernel_name": "python3",
        "extra_arguments": ["--IPKernelApp.log_level=CRITICAL"],
    }
    done = papermill.execute_notebook(
        str(path), str(tmp_path / path.name), {"files": str(simulated_set)}, **options
    )
    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(
        output.output_type != "error" and output.get("name") != "stderr" for output in outputs
    )
    said = [str(output.get("data", {})) for output in outputs]
    marks = {"zh": "模拟数据", "en": "simulated data, not a real survey"}
    language = "en" if "en" in path.parts else "zh"
    assert sum(marks[language] in text for text in said) >= 2
    if language == "zh":
        assert not any(
            marks["en"] in output.get("data", {}).get("text/markdown", "") for output in outputs
        )
