"""The example project: written in one step, the same every time, and it runs; what is shipped; what is installed apart."""

from __future__ import annotations

import ast
import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import satisfaction
from conftest import ROOT
from satisfaction.declarations.new_wave import new_wave
from satisfaction.declarations.questionnaire import questionnaires_above
from satisfaction.declarations.survey import read_survey
from satisfaction.foundation import shipped
from satisfaction.foundation.errors import ExportError, InputFileError, InstallationError
from satisfaction.foundation.tables import read_table
from satisfaction.notebook import server
from satisfaction.notebook.notebooks import find_notebooks
from satisfaction.pipeline import run
from satisfaction.planning.example import SURVEY, write_example
from satisfaction.publication import manifest

COVERED = 3.5  # standard errors of a mean of 20 counties' own: one in 2,000 is farther away


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_example(tmp_path_factory.mktemp("init") / "demo", language="en")


@pytest.fixture(scope="module")
def results(project):
    return run(read_survey(project.survey))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_command_writes_the_same_project_byte_for_byte_and_says_what_comes_next(
    project, call, tmp_path
):
    code, out, err = call("init", tmp_path / "demo")
    assert (code, err) == (0, "")
    assert f"satisfaction run {tmp_path / 'demo' / 'surveys' / SURVEY}" in out
    written = files_of(tmp_path / "demo")
    assert {"README.md", "tables/areas.csv", "notebooks/00_start.ipynb"} <= set(written)
    assert written == files_of(project.folder)


def test_nothing_is_overwritten(project):
    with pytest.raises(ExportError, match="X101"):
        write_example(project.folder)


def test_the_wave_runs_and_meets_its_truth(project, results):
    assert results.survey.marks
    counts = results.responses.summary[["accepted", "rejected"]].sum()
    assert counts.to_dict() == {"accepted": 5005, "rejected": 10}
    assert results.ranking.summary["p"] == 20
    truth = read_table(project.survey / "truth.csv").astype({"value": float})
    truth = truth.set_index(["county", "measure"])["value"]
    table = results.estimates["county"].table
    for measure, rows in table.groupby("measure"):
        wanted = truth.loc[list(zip(rows["county"], rows["measure"], strict=True))].to_numpy()
        distance = (rows["estimate"].to_numpy() - wanted) / rows["se"].to_numpy()
        assert abs(distance.mean()) * len(distance) ** 0.5 < COVERED, measure


@pytest.mark.usefixtures("tables_alone")
def test_the_report_is_written_from_the_command(project, call, tmp_path):
    code, out, err = call("report", project.survey, "--out", tmp_path / "pages")
    assert (code, err) == (0, ""), out
    assert (tmp_path / "pages" / "index.html").is_file()


def test_a_sample_is_drawn_from_the_frame_of_communities(project, call, tmp_path):
    code, _, err = call(
        "draw", project.communities, "--take", 3, "--seed", 1, "--simulated", "--out", tmp_path / "s"
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert len(read_table(tmp_path / "s" / "sample.csv")) == 3 * 39  # a county has no rural part


def test_the_words_are_those_of_the_language_asked_for(project, tmp_path):
    chinese = write_example(tmp_path / "demo", language="zh")
    for areas in (chinese.areas, chinese.survey / "areas.csv", project.areas):
        assert (read_table(areas)["name_en"] != "").all()  # whatever the language
    assert "示例项目" in (chinese.folder / "README.md").read_text(encoding="utf-8")
    assert "example project" in (project.folder / "README.md").read_text(encoding="utf-8")
    for shelf, language in (("notebooks", "zh"), ("notebooks/en", "en")):
        notebooks = sorted((project.folder / shelf).glob("*.ipynb"))
        assert len(notebooks) == 6
        for notebook in notebooks:
            sources = notebook.read_text(encoding="utf-8")
            assert f'language = \\"{language}\\"' in sources
            assert "guizhou-2026q3" not in sources
            json.loads(sources)


def test_the_notebooks_of_the_project_are_those_of_its_wave(project):
    found = find_notebooks(read_survey(project.survey))
    assert {path.parent for path in found} == {project.folder.resolve() / "notebooks"}
    shelf = [path.name for path in sorted((ROOT / "notebooks").glob("0*.ipynb"))]
    assert [path.name for path in found] == shelf[1:]


def test_a_survey_without_notebooks_above_it_takes_those_that_are_shipped(small):
    found = find_notebooks(small.read())
    assert {path.parent for path in found} == {shipped.shipped("notebooks")}


def test_a_new_wave_finds_a_shipped_questionnaire_and_keeps_a_copy(project, tmp_path):
    reference = "phone-satisfaction@2026-1"
    wave = new_wave(tmp_path / "mine-2026q4", questionnaire=reference, areas=project.areas)
    copied = wave / "questionnaires" / "phone-satisfaction" / "2026-1.yaml"
    assert copied.read_bytes() == shipped.shipped_questionnaires()[reference].read_bytes()
    assert questionnaires_above(wave / "survey.yaml")[reference] == copied.resolve()


def test_a_questionnaire_of_the_project_is_not_copied(project):
    wave = new_wave(
        project.folder / "surveys" / "mine-2026q4",
        questionnaire="civilised-city@2026-1",
        areas=project.areas,
    )
    kept = not (wave / "questionnaires").exists()
    shutil.rmtree(wave)
    assert kept


def test_lab_brings_the_notebooks_to_a_project_without_them(project, tmp_path):
    root = tmp_path / "bare"
    shutil.copytree(project.folder, root, ignore=shutil.ignore_patterns("notebooks"))
    written = server.add_notebooks(root)
    assert root / "notebooks" / server.START in written
    assert root / "notebooks" / "en" / server.START in written
    assert SURVEY in (root / "notebooks" / "01_fieldwork.ipynb").read_text(encoding="utf-8")
    assert server.add_notebooks(root) == []


def test_lab_refuses_a_folder_without_surveys(tmp_path):
    with pytest.raises(InputFileError, match="F118"):
        server.serve(tmp_path)


@pytest.fixture
def no_lab(monkeypatch):
    """Have Python find none of the modules of the extra."""
    monkeypatch.setattr(shipped, "find_spec", lambda module: None)


@pytest.mark.parametrize("arguments", [["lab"], ["run", "--notebooks"]])
def test_a_command_without_its_extra_says_what_to_install(no_lab, project, call, arguments):
    before = files_of(project.folder)
    code, out, err = call(*arguments, project.survey)
    assert (code, out) == (2, "")
    assert "[Z430]" in err
    assert 'pip install "satisfaction[lab]"' in err
    assert f"satisfaction {' '.join(arguments)}" in err
    assert files_of(project.folder) == before


def test_spark_without_its_extra_says_what_to_install(monkeypatch, project, call):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    code, _, err = call("run", project.survey, "--engine", "pyspark")
    assert code == 2
    assert "[G103]" in err
    assert "satisfaction[spark]" in err


def test_the_version_to_cite_is_that_of_the_program():
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {satisfaction.__version__}\n" in cited


def test_what_a_run_records_is_the_version_of_the_code_not_of_an_older_installation(monkeypatch):
    monkeypatch.setattr(manifest, "__version__", "9.9.9")
    assert manifest.versions()["satisfaction"] == "9.9.9"


def test_only_what_is_absent_is_named(monkeypatch):
    monkeypatch.setattr(shipped, "find_spec", lambda module: module != "papermill" or None)
    with pytest.raises(InstallationError) as fault:
        shipped.require_extra("lab", "satisfaction lab")
    assert fault.value.where == "papermill"


WORDS_ONLY = {"jupyterlab-language-pack-zh-CN"}  # without it the menus are English, nothing stops


def test_the_extras_named_in_the_code_are_those_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra, modules in shipped.EXTRAS.items():
        packages = {one.split(">=")[0] for one in declared["optional-dependencies"][extra]}
        assert packages - WORDS_ONLY == set(modules)


def test_every_library_that_the_commands_import_is_declared():
    """The base install is enough: what is imported outside the notebook floor and the engines is a dependency."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = {one.split(">=")[0].replace("-", "_") for one in declared["dependencies"]}
    packages |= {"ruamel", "satisfaction"}
    packages |= {"pydantic_core", "markupsafe"}  # parts of pydantic and jinja2
    source = Path(shipped.__file__).parents[1]
    apart = {"pyspark", "polars"}  # engines: foundation/engines.py says so itself
    undeclared = set()
    for path in source.rglob("*.py"):
        if path.parent.name == "notebook":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            roots = {name.split(".")[0] for name in names}
            undeclared |= roots - packages - apart - set(sys.stdlib_module_names)
    assert undeclared == set()
