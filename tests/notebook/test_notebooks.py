"""The notebooks: clean as committed, quiet when run, and their exports equal the pipeline's byte for byte."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from conftest import SmallSurvey, table_rows
from cut_waves import cut_wave
from one_kernel import NotebookRun, execute_in_one_kernel
from satisfaction import open_wave, read_survey
from satisfaction.estimation.reliability import reliability
from satisfaction.foundation.errors import ExportError
from satisfaction.notebook import weighting
from satisfaction.notebook.notebooks import exported, nothing_for, run_notebooks
from satisfaction.pipeline import Results, run
from satisfaction.publication import plots
from satisfaction.publication.file_set import export

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "notebooks"
ENGLISH = SHELF / "en"
NOTEBOOKS = sorted(SHELF.glob("*.ipynb"))
IN_ENGLISH = sorted(ENGLISH.glob("*.ipynb"))
EVERY_CHINESE = sorted(path for path in SHELF.rglob("*.ipynb") if ENGLISH not in path.parents)
EVERY_ENGLISH = sorted(ENGLISH.rglob("*.ipynb"))
HAN = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
GLOSS = re.compile(r"[A-Za-z]")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
WORKING = [
    path for path in NOTEBOOKS if not path.name.startswith("00")
]  # 00 is the door, see test_lab.py
CUT = "guizhou-2026q3"
SHIPPED = (
    CUT,
    "guiyang-phone-2026q3",
    "san-diego-2015",
)  # the small wave, too, has none before it
OF_THE_RUN = {
    "report.html",
    "report-en.html",
    "confirm-en.html",
    "README-en.txt",
    "manifest.json",
    "run.json",
    "datapackage.json",
    "README.txt",
    "confirm.html",
    "SHA256SUMS",
}
PERSONAL = re.compile(r"/(home|root|Users|work|tmp|mnt)/|[A-Za-z]:\\\\")
MOST_LINES = 12  # of 100 columns


def in_its_folder(path: Path) -> str:
    return path.relative_to(SHELF).with_suffix("").as_posix()


@pytest.fixture(params=[*NOTEBOOKS, *IN_ENGLISH], ids=in_its_folder)
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
    assert notebook.cells[0].source.startswith("# ")
    assert sum(cell.cell_type == "markdown" for cell in notebook.cells) * 3 >= len(notebook.cells)


def prose(path: Path) -> list:
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "markdown"]


def test_every_notebook_is_there_in_both_languages():
    in_chinese = [path.relative_to(SHELF) for path in EVERY_CHINESE]
    assert [path.relative_to(ENGLISH) for path in EVERY_ENGLISH] == in_chinese


@pytest.mark.parametrize("path", EVERY_CHINESE, ids=in_its_folder)
def test_cells_are_the_same_in_both_languages_but_for_prose_and_the_language(path):
    chinese = nbformat.read(path, as_version=4).cells
    english = nbformat.read(ENGLISH / path.relative_to(SHELF), as_version=4).cells
    assert [cell.id for cell in chinese] == [cell.id for cell in english]
    assert [cell.cell_type for cell in chinese] == [cell.cell_type for cell in english]
    changed = []
    for one, other in zip(chinese, english, strict=True):
        if one.cell_type == "code" and one.source != other.source:
            changed.append(one)
            assert one.source.replace('language = "zh"', 'language = "en"') == other.source
    assert [cell.metadata.get("tags") for cell in changed] == [["parameters"]]


@pytest.mark.parametrize("path", EVERY_CHINESE, ids=in_its_folder)
def test_chinese_prose_is_chinese(path):
    for cell in prose(path):
        assert HAN.search(cell.source), cell.id
        assert "<div" not in cell.source, cell.id
        for _level, title in HEADING.findall(cell.source):
            assert not GLOSS.search(title.replace("PSU", "")), title


@pytest.mark.parametrize("path", EVERY_ENGLISH, ids=in_its_folder)
def test_english_prose_is_english(path):
    for cell in prose(path):
        assert not HAN.search(cell.source), cell.id
        assert "<div" not in cell.source, cell.id


@pytest.mark.parametrize("path", EVERY_CHINESE, ids=in_its_folder)
def test_the_outline_has_one_heading_a_section_and_is_the_same_in_both_languages(path):
    outlines = []
    for one in (path, ENGLISH / path.relative_to(SHELF)):
        outline = []
        for cell in prose(one):
            headings = HEADING.findall(cell.source)
            assert len(headings) <= 1, cell.id
            assert not headings or cell.source.startswith("#"), cell.id
            outline += [(level, re.match(r"[\d ]*", title)[0]) for level, title in headings]
        outlines.append(outline)
    assert outlines[0] == outlines[1]
    assert outlines[0][0][0] == "#"
    sections = [number.strip() for level, number in outlines[0] if level == "##"]
    assert sections == [str(place) for place in range(1, len(sections) + 1)]


def test_nothing_personal(notebook):
    assert not PERSONAL.search(nbformat.writes(notebook))
    assert notebook.metadata.kernelspec.name == "python3"


def test_cell_ids_are_names_of_their_own(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"\d\d-[a-z-]+", name) for name in ids)


def assert_quiet_and_marked(folder: Path, said: str, left_out: dict[str, str]) -> None:
    """No error, nothing on stderr, no heading; what must be said about the sample stands in every notebook's outputs."""
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
        assert [text for text in texts if re.search(r"^[> ]*#", text, re.MULTILINE)] == []
        pages = [page for page in htmls(cells) if re.search(r"<h[1-6]\b", page)]
        assert pages == [], path.name


def htmls(cells: list) -> list[str]:
    """Return what cells show as HTML."""
    pages = []
    for cell in cells:
        for output in cell.outputs:
            pages.append(output.get("data", {}).get("text/html", ""))
    return pages


def assert_same_files(notebooks: Path, pipeline: Path) -> None:
    written = {path.name: path.read_bytes() for path in exported(notebooks)}
    assert set(written) == {path.name for path in pipeline.iterdir()} - OF_THE_RUN
    assert [
        name for name, content in written.items() if content != (pipeline / name).read_bytes()
    ] == []


def check(results: Results, notebooks: Path, tmp_path: Path) -> None:
    marks = results.survey.marks
    assert_quiet_and_marked(notebooks, marks.zh if marks else "", nothing_for(results))
    assert_same_files(notebooks, export(results, tmp_path / "pipeline-out"))


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """Copies of the shipped waves, run: notebook 02 notes beside a wave the trials it looks at.

    The wave of all counties is cut to a few of each kind, and so is the one before it; the others are small.
    """
    root = tmp_path_factory.mktemp("waves")
    cut_wave("guizhou-2026q2", root)
    folders = {CUT: cut_wave(CUT, root)}
    for wave in set(SHIPPED) - {CUT}:
        copy = root / "surveys" / wave
        shutil.copytree(ROOT / "surveys" / wave, copy, ignore=shutil.ignore_patterns("out"))
        folders[wave] = copy
    return {wave: run(read_survey(folders[wave])) for wave in SHIPPED}


@pytest.fixture(scope="module")
def in_one_kernel(waves, tmp_path_factory):
    """Every notebook on every wave, one after the other in one kernel; results and notebooks by wave.

    Pages are written without pictures: those of the small wave have them, and figures of cells are drawn.
    """
    root = tmp_path_factory.mktemp("in_one_kernel")
    runs = []
    for wave, results in waves.items():
        (root / wave).mkdir()
        for notebook in WORKING:
            if notebook.name not in nothing_for(results):
                runs.append(NotebookRun(notebook, results.survey.folder.resolve(), root / wave))
    execute_in_one_kernel(runs, pictures_of_pages=False)
    return {wave: (results, root / wave) for wave, results in waves.items()}


@pytest.fixture(scope="module")
def small_in_both(small_template, tmp_path_factory):
    """The notebooks on the small wave in one kernel: results, and the executed notebooks by what they are.

    `zh`, `en`: in both languages. `again`: as shipped, in the kernel that still holds what the run in Chinese left.
    `level`: the tests of a wave whose level of confidence is 80%, in English.
    """
    root = tmp_path_factory.mktemp("small_in_both")
    # of its own: notebook 02 notes the trials it looks at
    shutil.copytree(small_template, root / "small")
    unchanged = read_survey(root / "small" / "surveys" / "wave")
    runs = []
    survey = unchanged.folder.resolve()
    executed = {name: root / name for name in ("zh", "again", "en", "level")}
    for folder in executed.values():
        folder.mkdir()
    for path in WORKING:
        runs.append(NotebookRun(path, survey, executed["zh"], emptied=False))
        runs.append(NotebookRun(path, survey, executed["again"], exports=False))
    for path in WORKING:
        runs.append(NotebookRun(ENGLISH / path.name, survey, executed["en"], "en"))
    low = SmallSurvey(shutil.copytree(small_template, root / "low"))
    low.edit("survey.yaml", "level: 0.95", "level: 0.8")
    tests = ENGLISH / "03_tests.ipynb"
    runs.append(NotebookRun(tests, low.folder.resolve(), executed["level"], "en"))
    execute_in_one_kernel(runs)
    return run(unchanged), executed


def cells_of(folder: Path, name: str) -> list:
    return code(nbformat.read(folder / name, as_version=4))


def tables_shown(cell) -> list[list]:
    """Return the rows of every table that a cell shows in the page."""
    return [table_rows(page) for page in htmls([cell])]


NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
AS_WORDS = (0, 1)  # "none", "one": a language may write them in letters


def cells_in(shown) -> list:
    """Return the cells of nested rows, in order."""
    if isinstance(shown, list):
        return [cell for one in shown for cell in cells_in(one)]
    return [shown]


def figures_in(shown) -> list[str]:
    """Return the cells that are figures alone, in order."""
    return [str(cell) for cell in cells_in(shown) if NUMBER.fullmatch(str(cell).strip())]


def numbers_in_words(shown) -> list[float]:
    """Return the numbers that stand between words, sorted: a sentence may name them in another order."""
    words = [str(cell) for cell in cells_in(shown) if not NUMBER.fullmatch(str(cell).strip())]
    numbers = [float(number) for text in words for number in NUMBER.findall(text)]
    return sorted(number for number in numbers if number not in AS_WORDS)


def printed(cell) -> str:
    texts = [output.get("data", {}).get("text/markdown", "") for output in cell.outputs]
    return "\n".join([*texts, *(output.get("text", "") for output in cell.outputs)])


@pytest.mark.slow
def test_numbers_and_files_are_the_same_in_both_languages(small_in_both):
    _results, executed = small_in_both
    in_chinese = executed["zh"]
    in_english = executed["en"]
    compared = 0
    for notebook in WORKING:
        pairs = zip(
            cells_of(in_chinese, notebook.name), cells_of(in_english, notebook.name), strict=True
        )
        for one, other in pairs:
            shown = [*tables_shown(one), printed(one)]
            figures = figures_in(shown)
            beside = [*tables_shown(other), printed(other)]
            assert figures == figures_in(beside), one.id
            assert numbers_in_words(shown) == numbers_in_words(beside), one.id
            assert not re.search(r"[0-9]\s+%", str(shown + beside)), one.id
            compared += len(figures)
    assert compared > 1000
    written = {path.name: path.read_bytes() for path in exported(in_chinese)}
    assert {path.name: path.read_bytes() for path in exported(in_english)} == written
    assert "indices.csv" in written


@pytest.mark.slow
def test_english_notebooks_show_english(small_in_both):
    _results, executed = small_in_both
    in_english = executed["en"]
    assert_quiet_and_marked(in_english, "", {})
    for notebook in WORKING:
        for cell in cells_of(in_english, notebook.name):
            shown = json.dumps(tables_shown(cell), ensure_ascii=False) + printed(cell)
            shown = shown.replace("测试 test", "")  # a source, as the survey declares it
            assert not HAN.search(shown), (cell.id, HAN.search(shown))


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
def test_without_a_front_end_what_if_is_a_table(small_in_both, language):
    _results, executed = small_in_both
    tables = 0
    for notebook in WORKING:
        for cell in cells_of(executed[language], notebook.name):
            shown = json.dumps([output.get("data", {}) for output in cell.outputs])
            assert "widget-view" not in shown, cell.id
            assert "VBox(" not in shown, cell.id
            if cell.id.endswith("-what-if"):
                assert len(tables_shown(cell)) >= 1, cell.id
                assert "satisfaction-what-if" in shown, cell.id
                tables += 1
    assert tables == 3


@pytest.mark.slow
@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize("wave", SHIPPED)
def test_notebooks_of_the_shipped_waves_equal_the_pipeline(in_one_kernel, wave, tmp_path):
    results, notebooks = in_one_kernel[wave]
    check(results, notebooks, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
def test_notebooks_of_a_wave_without_a_mark_equal_the_pipeline(small_in_both, language, tmp_path):
    results, executed = small_in_both
    assert results.survey.marks is None
    check(results, executed[language], tmp_path)


@pytest.mark.slow
def test_run_all_succeeds_a_second_time(small_in_both):
    """As shipped, in the kernel that still holds what the first time left."""
    _results, executed = small_in_both
    assert_quiet_and_marked(executed["again"], "", {})


@pytest.mark.slow
def test_notebooks_with_a_kernel_each_write_the_same_files(small_in_both, small, tmp_path):
    """As `satisfaction run --notebooks` executes them: at once, each running the survey itself."""
    results, _executed = small_in_both
    shutil.copytree(ROOT / "notebooks", small.root / "notebooks")
    left_out = {path.name for path in WORKING} - {"01_fieldwork.ipynb", "04_indices.ipynb"}
    here = Path.cwd()
    notebooks = run_notebooks(
        small.read(), tmp_path / "notebooks-out", language="en", leave_out=left_out
    )
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


def test_logarithmic_axes_have_plain_numbers():
    """2×10⁻¹ 3×10⁻¹ 4×10⁻¹ run into one another."""
    weights = pd.DataFrame({"base": [0.2, 1.0, 3.0], "1 calibration": [0.3, 1.0, 5.0]})
    figure = plots.weights_plot(weights, ["base weight", "1 calibration"])
    axes = figure.axes[0]
    figure.canvas.draw()
    low, high = axes.get_xlim()
    ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    shown = [label.get_text() for place, label in ticks if low <= place <= high]
    assert axes.get_xscale() == "log"
    assert shown == ["0.2", "0.5", "1", "2"]
    assert not [label for label in axes.get_xminorticklabels() if label.get_text()]


def test_publish_is_an_order_to_notebook_05_and_no_folder(notebook):
    """Given to all of a wave's notebooks, it left a folder `publish` with files of 04 that nobody had asked for."""
    for cell in code(notebook):
        if "if out" in cell.source:
            assert re.search(r'out [!=]= "publish"', cell.source), cell.id


def test_pictures_are_those_of_the_house(notebook):
    """Whoever draws in a cell has a style of his own."""
    for cell in code(notebook):
        assert not re.search(r"\b(matplotlib|seaborn|plt|sns)\b", cell.source), cell.id


HEADING_CELL = re.compile(r"<th[^>]*>(.*?)(?:<small>.*?</small>)?</th>", re.DOTALL)
IN_BOTH = {"", "p", "z", "n", "1%", "25%", "75%", "99%"}


@pytest.mark.slow
def test_every_heading_of_a_table_is_in_the_readers_language(small_in_both):
    """No name of the code stands as a title: `rho_without`, `gap`, `share_dont_know %`."""
    _results, executed = small_in_both
    read = 0
    raw = set()
    for notebook in WORKING:
        for language in ("zh", "en"):
            for cell in cells_of(executed[language], notebook.name):
                for title in HEADING_CELL.findall("".join(htmls([cell]))):
                    title = html.unescape(title)
                    foreign = language == "zh" and title not in IN_BOTH and not HAN.search(title)
                    if "_" in title or foreign:
                        raw.add((cell.id, title))
                    read += 1
    assert raw == set()
    assert read > 500


def test_the_df_shown_is_that_of_the_errors_where_strata_are_merged(small):
    """Notebook 02, section 2: 8 strata of 3 PSUs, one of which joins another one."""
    merged = "lonely_psu: fail\ncollapse: [{stratum: ['990101', 1], into: ['990101', 2]}]"
    small.edit("survey.yaml", "lonely_psu: fail", merged)
    bench = open_wave(small.folder)
    base = next(iter(weighting.designs_by_step(bench.results).values()))
    facts = weighting.design_facts(bench.results, base)
    whole = bench.results.estimates[bench.survey.whole()].table
    assert (whole["df"] == facts["df"]).all()
    assert facts["df"] == facts["psus"] - facts["strata"] == 24 - 7


@pytest.mark.slow
def test_notebook_03_tests_at_the_level_that_the_wave_declares(small_in_both, small):
    """Half of its functions took 95% whatever survey.yaml said, and set their limits beside others."""
    small.edit(small.folder / "survey.yaml", "level: 0.95", "level: 0.8")
    _results, executed = small_in_both
    cells = cells_of(executed["level"], "03_tests.ipynb")
    shown = [row for cell in cells for table in tables_shown(cell) for row in table]
    levels = [row[1] for row in shown if row and row[0] == "confidence level (level)"]
    assert levels
    assert set(levels) == {"0.8"}
    results = run(small.read())
    index = results.survey.questionnaire.ranked
    alpha = reliability(results.design, results.survey.questionnaire, index, level=0.8)
    figures = [cell for row in shown for cell in row]
    assert f"{alpha.ci_low:.2f} – {alpha.ci_high:.2f}" in figures
