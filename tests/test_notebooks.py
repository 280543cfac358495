"""The notebooks: clean as committed, quiet when run, and their exports equal the pipeline's byte for byte."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from one_kernel import NotebookRun, execute_in_one_kernel
from satisfaction.foundation.errors import ExportError
from satisfaction.notebook.notebooks import exported, nothing_for, run_notebooks
from satisfaction.pipeline import Results, run
from satisfaction.publication.file_set import export
from satisfaction.publication.labels import mark

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORKING = [
    path for path in NOTEBOOKS if not path.name.startswith("00")
]  # 00 is the door, see test_lab.py
SHIPPED = (
    "guizhou-2026q3",
    "guiyang-phone-2026q3",
    "san-diego-2015",
)  # the small wave, too, has none before it
OF_THE_RUN = {
    "report.html",
    "manifest.json",
    "run.json",
    "datapackage.json",
    "README.txt",
    "confirm.html",
    "SHA256SUMS",
}
PERSONAL = re.compile(r"/(home|root|Users|work|tmp|mnt)/|[A-Za-z]:\\\\")
MOST_LINES = 30  # of 100 columns


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS
    assert all(re.match(r"\d\d_[a-z]+$", path.stem) for path in NOTEBOOKS)


def test_outputs_are_stripped(notebook):
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(notebook))


def test_one_cell_holds_the_parameters(notebook):
    tagged = [
        cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    assert len(tagged) == 1
    wanted = (
        {"language"} if notebook.cells[0].id.startswith("00") else {"survey", "out", "language"}
    )
    assert wanted == set(re.findall(r"^(\w+) = ", tagged[0], re.MULTILINE)) - {
        "previous"
    }  # the wave before, 03


def test_cells_call_and_do_not_define(notebook):
    for cell in code(notebook):
        assert not re.search(r"^\s*(def|class|async)\s", cell.source, re.MULTILINE), cell.id
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.id


def test_prose_comes_first_and_leads_every_section(notebook):
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith('<div lang="zh">\n\n# ')
    assert sum(cell.cell_type == "markdown" for cell in notebook.cells) * 3 >= len(notebook.cells)


def test_prose_stands_in_both_languages_and_the_second_is_hidden(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            blocks = re.fullmatch(
                r'<div lang="zh">\n\n(.+)\n\n</div>\n<div lang="en" hidden>\n\n(.+)\n\n</div>',
                cell.source,
                re.DOTALL,
            )
            assert blocks, cell.id
            assert [
                re.findall(r"^#+ [\d ]*", text, re.MULTILINE) for text in blocks.groups()
            ].count([]) in (0, 2), cell.id
            assert not re.search(r"[\u4e00-\u9fff]{3,}", blocks[2]), cell.id


def test_nothing_personal(notebook):
    assert not PERSONAL.search(nbformat.writes(notebook))
    assert notebook.metadata.kernelspec.name == "python3"


def test_cell_ids_are_names_of_their_own(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"\d\d-[a-z-]+", name) for name in ids)


def assert_quiet_and_marked(folder: Path, said: str, left_out: dict[str, str]) -> None:
    """No error, nothing on stderr; what must be said about the sample stands in every notebook's outputs."""
    assert {path.name for path in folder.glob("*.ipynb")} == {path.name for path in WORKING} - set(
        left_out
    )
    for path in folder.glob("*.ipynb"):
        cells = code(nbformat.read(path, as_version=4))
        for cell in cells:
            for output in cell.outputs:
                assert output.output_type != "error", (path.name, cell.id, output.get("evalue"))
                assert output.get("name") != "stderr", (path.name, cell.id, output.get("text"))
        texts = [
            output.data.get("text/markdown", "")
            for cell in cells
            for output in cell.outputs
            if "data" in output
        ]
        assert any(said in text for text in texts), path.name


def assert_same_files(notebooks: Path, pipeline: Path) -> None:
    written = {path.name: path.read_bytes() for path in exported(notebooks)}
    assert set(written) == {path.name for path in pipeline.iterdir()} - OF_THE_RUN
    assert [
        name for name, content in written.items() if content != (pipeline / name).read_bytes()
    ] == []


def check(results: Results, notebooks: Path, tmp_path: Path) -> None:
    assert_quiet_and_marked(notebooks, mark(results.survey), nothing_for(results))
    assert_same_files(notebooks, export(results, tmp_path / "pipeline-out"))


@pytest.fixture(scope="module")
def in_one_kernel(shipped, unchanged, tmp_path_factory):
    """Every notebook on every wave, one after the other in one kernel; results and notebooks by wave."""
    waves = {wave: shipped(wave) for wave in SHIPPED} | {"small": run(unchanged)}
    root = tmp_path_factory.mktemp("in_one_kernel")
    runs = []
    for wave, results in waves.items():
        (root / wave).mkdir()
        for notebook in WORKING:
            if notebook.name not in nothing_for(results):
                runs.append(NotebookRun(notebook, results.survey.folder.resolve(), root / wave))
    execute_in_one_kernel(runs)
    return {wave: (results, root / wave) for wave, results in waves.items()}


@pytest.mark.slow
@pytest.mark.parametrize("wave", SHIPPED)
def test_notebooks_of_the_shipped_waves_equal_the_pipeline(in_one_kernel, wave, tmp_path):
    results, notebooks = in_one_kernel[wave]
    check(results, notebooks, tmp_path)


@pytest.mark.slow
def test_notebooks_of_a_wave_without_a_mark_equal_the_pipeline(in_one_kernel, tmp_path):
    results, notebooks = in_one_kernel["small"]
    assert mark(results.survey) == ""
    check(results, notebooks, tmp_path)


@pytest.mark.slow
def test_notebooks_with_a_kernel_each_write_the_same_files(in_one_kernel, small, tmp_path):
    """As `satisfaction run --notebooks` executes them: at once, each running the survey itself."""
    results, _ = in_one_kernel["small"]
    shutil.copytree(ROOT / "notebooks", small.root / "notebooks")
    left_out = {path.name for path in WORKING} - {"01_fieldwork.ipynb", "04_indices.ipynb"}
    here = Path.cwd()
    notebooks = run_notebooks(small.read(), tmp_path / "notebooks-out", leave_out=left_out)
    assert Path.cwd() == here
    assert_quiet_and_marked(notebooks, "", dict.fromkeys(left_out, ""))
    published = export(results, tmp_path / "pipeline-out")
    written = list(exported(notebooks))
    assert {"indices.csv", "log.csv"} <= {path.name for path in written}
    for path in written:
        assert path.read_bytes() == (published / path.name).read_bytes(), path.name


def test_a_notebook_that_went_its_own_way_is_named_and_its_files_are_a_trial(small, tmp_path):
    """An edited notebook must not leave a second indices.csv that looks official."""
    notebook = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    parameters = nbformat.v4.new_code_cell(
        "survey = out = language = ''", metadata={"tags": ["parameters"]}
    )
    same = "from pathlib import Path\nPath(out, 'ranking.csv').write_text('rank')"
    other = "Path(out, 'indices.csv').write_text('other')"
    notebook.cells = [parameters, *map(nbformat.v4.new_code_cell, (same, other))]
    (small.root / "notebooks").mkdir()
    nbformat.write(notebook, small.root / "notebooks" / "04_indices.ipynb")
    official = tmp_path / "official"
    official.mkdir()
    (official / "indices.csv").write_text("published")
    (official / "ranking.csv").write_text("rank")
    with pytest.raises(ExportError, match=r"X401") as fault:
        run_notebooks(small.read(), tmp_path / "out", official=official)
    assert "04_indices.ipynb (indices.csv)" in str(fault.value)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"ranking.csv", "trial_indices.csv", "trial_04_indices.ipynb"}


def test_no_table_that_is_searched_is_cut(notebook):
    """A table with a search box that holds a part of the areas says of an area that it does not exist."""
    for cell in code(notebook):
        shown = re.findall(
            r"(?:display\(.*|^[\w\[].*)\.(?:head|tail)\(\d*\)", cell.source.splitlines()[-1]
        )
        assert shown == [] or cell.id == "02-influence", cell.id


def test_logarithmic_axes_have_plain_numbers(notebook):
    """2×10⁻¹ 3×10⁻¹ 4×10⁻¹ run into one another."""
    for cell in code(notebook):
        assert cell.source.count('scale="log"') == cell.source.count(
            "LogLocator(subs=[1, 2, 5])"
        ), cell.id
