"""The door: waves are listed with their state, a wave runs from the form, a fault is a message, the server keeps to itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from conftest import ROOT
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.language import Text
from satisfaction.notebook import server
from satisfaction.notebook.actions import (
    account_page,
    edited_notebooks,
    linked,
    opened,
    pages_of_fieldwork,
    plan_of_next,
    ran,
    results_in,
    since,
    written_report,
)
from satisfaction.notebook.launcher import (
    Form,
    find_questionnaires,
    find_runs,
    find_waves,
    overview,
    runs_list,
)
from satisfaction.notebook.notebooks import find_notebooks, project_root
from satisfaction.pipeline import STEPS
from system_packages import NEEDS_PROC


@pytest.fixture
def project(small):
    shutil.copytree(ROOT / "notebooks", small.root / "notebooks")
    return small


def test_waves_are_listed_with_their_state(project):
    (before,) = find_waves(project.root)
    assert (before.wave, before.questionnaire, before.finished, before.revision) == (
        "2026T1",
        "small@1",
        "",
        None,
    )
    ran(project.folder, "zh", notebooks=False)
    (after,) = find_waves(project.root)
    assert after.finished
    assert after.revision == 1
    assert find_questionnaires(project.root) == ["small@1"]
    english = overview([after], ["small@1"], language="en")
    assert "Test survey" in english
    assert "latest run" in english
    assert "Questionnaires: small@1" in english
    chinese = overview([after], ["small@1"], language="zh")
    assert "测试调查" in chinese
    assert "最近运行" in chinese
    assert "Test survey" not in chinese


def test_a_folder_that_cannot_be_read_is_listed_as_such(project):
    project.edit("survey.yaml", "selection: probability", "selection: guess")
    (wave,) = find_waves(project.root)
    assert not wave.readable
    assert "selection" in wave.title.en


def test_a_wave_runs_and_links_lead_to_its_files(project, monkeypatch):
    monkeypatch.chdir(project.root / "notebooks")
    html = ran(project.folder, "zh", notebooks=False)
    (folder,) = [path for path in (project.folder / "out").iterdir() if path.name[0] == "2"]
    shelf = f"/files/surveys/wave/out/{folder.name}"
    assert (
        f'<a href="{shelf}/report.html" target="_blank">' in html
    )  # JupyterLab's own viewer runs no script
    assert f'<a href="{shelf}/ranking.xlsx" download>' in html  # nor does it read workbooks
    assert "读入" in account_page(project.folder, "zh")
    assert linked([(Text("<b>"), folder)]).count("<b>") == 0


def test_notebooks_are_written_for_the_wave_chosen(project):
    shelves = {"zh": "out/notebooks", "en": "out/notebooks/en"}
    titles = {"zh": "# 05 排名", "en": "# 05 Ranking"}
    for language, shelf in shelves.items():
        html = opened(project.folder, language)
        written = sorted((project.folder / shelf).glob("*.ipynb"))
        shipped = find_notebooks(project.read(), language)
        assert [path.name for path in written] == [path.name for path in shipped]
        assert "00_start" not in html
        for path in written:
            sources = [cell.source for cell in nbformat.read(path, as_version=4).cells]
            chosen = f'language = "{language}"'
            assert any(chosen in source and "survey = " in source for source in sources)
        assert sources[0].startswith(titles[language])


def edit(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("'MY OWN'"))
    nbformat.write(notebook, path)


def test_an_edited_notebook_is_never_overwritten(project):
    opened(project.folder, "zh")
    mine = project.folder / "out" / "notebooks" / "02_weighting.ipynb"
    assert edited_notebooks(project.folder, "zh") == []
    edit(mine)
    assert edited_notebooks(project.folder, "zh") == ["02_weighting.ipynb"]
    html = opened(project.folder, "zh")
    assert "MY OWN" in mine.read_text(encoding="utf-8")
    assert "您改过的副本，未覆盖：02_weighting.ipynb" in html
    assert len(list(mine.parent.glob("02_*"))) == 1  # a fresh one only where it is asked for
    html = opened(project.folder, "zh", fresh=True)
    assert "MY OWN" in mine.read_text(encoding="utf-8")
    assert "02_weighting：02_weighting-2.ipynb" in html
    opened(project.folder, "zh", fresh=True)
    assert len(list(mine.parent.glob("02_*"))) == 2


def test_after_an_upgrade_what_was_edited_and_what_the_earlier_version_wrote_stay(project):
    opened(project.folder, "en")
    shelf = project.folder / "out" / "notebooks" / "en"
    edit(shelf / "02_weighting.ipynb")
    before = {path: path.read_bytes() for path in shelf.iterdir()}
    for name in ("02_weighting.ipynb", "03_tests.ipynb"):  # the new version has other cells
        shipped = project.root / "notebooks" / "en" / name
        notebook = nbformat.read(shipped, as_version=4)
        notebook.cells.append(nbformat.v4.new_markdown_cell("of the new version"))
        nbformat.write(notebook, shipped)
    html = opened(project.folder, "en")
    assert {path: path.read_bytes() for path in before} == before
    assert "as an earlier version wrote it, kept: 03_tests.ipynb" in html
    assert "of the new version" in (shelf / "03_tests-2.ipynb").read_text(encoding="utf-8")
    assert "your edited copy, kept: 02_weighting.ipynb" in html
    assert edited_notebooks(project.folder, "en") == ["02_weighting.ipynb"]


@pytest.mark.parametrize("content", ['{"cells": [{"cell_type": "m', "{}", "", "[1]"])
def test_a_notebook_whose_saving_broke_off_is_kept_and_stops_nothing(project, content):
    opened(project.folder, "en")
    broken = project.folder / "out" / "notebooks" / "en" / "03_tests.ipynb"
    broken.write_text(content, encoding="utf-8")
    assert edited_notebooks(project.folder, "en") == ["03_tests.ipynb"]
    html = opened(project.folder, "en")
    assert broken.read_text(encoding="utf-8") == content
    assert "cannot be read as a notebook, kept: 03_tests.ipynb" in html
    assert nbformat.read(broken.with_stem("03_tests-2"), as_version=4).cells


@pytest.fixture
def widgets(monkeypatch):
    import IPython.display
    import ipywidgets

    ipywidgets.said = []
    monkeypatch.setattr(
        IPython.display, "display", lambda answer: ipywidgets.said.append(answer.data)
    )
    return ipywidgets


def press(form: Form, label: str) -> str:
    (button,) = [one for one in form.buttons.values() if one.description == label]
    button.click()
    assert not any(one.disabled for one in form.buttons.values())
    return form.widgets.said.pop()


def test_the_form_is_in_one_language_and_its_menu_chooses_the_notebooks(project, widgets):
    labels = {
        "zh": ["检查答卷", "执行情况", "运行", "报告", "变化", "计划", "打开笔记本"],
        "en": ["check responses", "fieldwork", "run", "report", "change", "plan", "open notebooks"],
    }
    shelves = {"zh": "out/notebooks", "en": "out/notebooks/en"}
    for language, names in labels.items():
        form = Form(widgets, project.root, language)
        assert [button.description for button in form.buttons.values()] == names
        form.languages.value = "en" if language == "zh" else "zh"
        chosen = form.languages.value
        assert [button.description for button in form.buttons.values()] == labels[chosen]
        press(form, labels[chosen][-1])
        assert (project.folder / shelves[chosen] / "05_ranking.ipynb").is_file()


def test_the_form_asks_before_it_writes_beside_an_edited_notebook(project, widgets):
    form = Form(widgets, project.root, "en")
    press(form, "open notebooks")
    assert form.question.children == ()
    shelf = project.folder / "out" / "notebooks" / "en"
    edit(shelf / "02_weighting.ipynb")
    assert "your edited copy, kept" in press(form, "open notebooks")
    asked, fresh = form.question.children
    assert "02_weighting.ipynb" in asked.value
    assert not (shelf / "02_weighting-2.ipynb").exists()
    fresh.click()
    assert (shelf / "02_weighting-2.ipynb").is_file()
    assert form.question.children == ()


def test_the_form_tells_its_steps_and_lists_what_was_made(project, widgets):
    form = Form(widgets, project.root, "zh")
    told = []
    form.step.observe(lambda change: told.append(change.new), names="value")
    answer = press(form, "运行")
    assert told == ["正在运行……", *(step.zh for step in STEPS), "写结果文件"]
    assert form.bar.value == form.bar.max
    assert "<td>知晓率</td>" in answer  # labels and units, no names of the code
    assert "%</td>" in answer
    assert "名单" in answer
    listed = form.runs.outputs[0]["data"]["text/html"]
    assert "第 1 版" in listed
    assert "report.html" in listed
    (made,) = find_runs(project.folder)
    assert made.revision == 1


def test_the_wave_before_is_proposed_to_be_compared_with(project, widgets):
    before = project.folder.with_name("before")
    shutil.copytree(project.folder, before)
    survey = project.folder / "survey.yaml"
    text = survey.read_text(encoding="utf-8")
    survey.write_text(f"{text}\nfieldwork: {{earlier: ../before}}\n", encoding="utf-8")
    form = Form(widgets, project.root, "en")
    form.wave.value = before
    form.wave.value = project.folder
    assert form.earlier.value == before.resolve()


def test_a_fault_is_its_message_and_the_form_goes_on(project, widgets):
    form = Form(widgets, project.root, "en")
    project.edit("survey.yaml", "selection: probability", "selection: guess")
    answer = press(form, "run")
    assert "Traceback" not in answer
    assert "selection" in answer
    assert find_runs(project.folder) == []


def test_every_button_writes_what_its_command_writes(project, monkeypatch):
    monkeypatch.chdir(project.root / "notebooks")
    later = project.folder.with_name("later")
    shutil.copytree(project.folder, later)
    survey = (later / "survey.yaml").read_text(encoding="utf-8")
    for old, new in {"2026T1": "2026T2", "survey: small-wave": "survey: later-wave"}.items():
        survey = survey.replace(old, new)
    (later / "survey.yaml").write_text(survey, encoding="utf-8")
    answers = {
        "report": written_report(later, "en"),
        "change-2026T1": since(project.folder, later, "en"),
        "plan": plan_of_next(later, "en", interval=3.0),
        "fieldwork": pages_of_fieldwork(later, "en"),
    }
    files = {
        "report": {"index-en.html", "report-en.html"},
        "change-2026T1": {"change-en.xlsx"},
        "plan": {"plan-en.html", "plan-en.xlsx"},
        "fieldwork": {"index-en.html"},
    }
    folders = {run.folder.name.partition("-")[2]: run.folder for run in find_runs(later)}
    assert set(folders) == set(files)
    for name, folder in folders.items():
        names = {path.name for _label, path in results_in(folder, "en")}
        assert files[name] <= names, name
        assert all(path in answers[name] for path in files[name])
    listed = runs_list(later, language="en")
    assert all(folder.name in listed for folder in folders.values())


def test_the_server_opens_the_first_notebook_of_the_language(tmp_path):
    opens = "--LabApp.default_url=/lab/tree/notebooks/"
    for language, place in {"zh": "00_start.ipynb", "en": "en/00_start.ipynb"}.items():
        command = server.server_command(tmp_path, port=1, browser=True, language=language)
        assert opens + place in command
        assert (ROOT / server.start_of(language)).is_file()


def test_the_project_is_found_from_anywhere_inside(project, tmp_path_factory):
    assert project_root(project.folder / "responses") == project.root.resolve()
    with pytest.raises(InputFileError, match="F118"):
        project_root(tmp_path_factory.mktemp("elsewhere"))


def test_the_server_has_settings_of_its_own(tmp_path):
    environment = server.private_folders(tmp_path)
    assert all(value.startswith(str(tmp_path)) for value in environment.values())
    settings = next((tmp_path / "settings").rglob("*.jupyterlab-settings"))
    assert json.loads(settings.read_text())["fetchNews"] == "false"
    command = server.server_command(tmp_path, port=1, browser=False)
    assert "--no-browser" in command
    assert "--ip=127.0.0.1" in command


@pytest.mark.parametrize(("language", "locale"), [("zh", "zh_CN"), ("en", "en")])
def test_jupyterlab_itself_speaks_the_reader_s_language(tmp_path, language, locale):
    server.private_folders(tmp_path, language=language)
    place = "settings/@jupyterlab/translation-extension/plugin.jupyterlab-settings"
    assert json.loads((tmp_path / place).read_text()) == {"locale": locale}


def test_only_the_first_notebook_as_shipped_runs_by_itself(project, tmp_path):
    first = project.root / server.start_of("zh")
    assert server.untouched(first)
    assert server.untouched(project.root / server.start_of("en"))
    notebook = nbformat.read(first, as_version=4)
    notebook.cells[1].source = 'language = "en"'
    nbformat.write(notebook, first)
    assert server.untouched(first)
    notebook.cells.append(nbformat.v4.new_code_cell("import this"))
    nbformat.write(notebook, first)
    assert not server.untouched(first)
    first.write_text("no notebook")
    assert not server.untouched(first)


def test_the_door_is_a_package_as_jupyterlab_reads_it(tmp_path):
    from jupyterlab_server.config import get_federated_extensions

    environment = server.private_folders(tmp_path)
    server.add_door(environment, "notebooks/00_start.ipynb")
    shelf = Path(environment["JUPYTER_DATA_DIR"]) / "labextensions"
    (package,) = get_federated_extensions([str(shelf)]).values()
    script = shelf / package["name"] / package["jupyterlab"]["_build"]["load"]
    assert '"notebooks/00_start.ipynb"' in script.read_text()


def children(pid: int) -> list[int]:
    return [
        int(found)
        for found in subprocess.run(
            ["pgrep", "-P", str(pid)], capture_output=True, text=True
        ).stdout.split()
    ]


@pytest.mark.skipif(sys.platform != "linux", reason=NEEDS_PROC)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_jupyterlab_starts_answers_keeps_its_token_to_itself_and_ends_with_the_command(
    project, tmp_path, name
):
    ending = getattr(signal, name)
    command = [sys.executable, "-m", "satisfaction", "lab", str(project.root), "--no-browser"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    words = []
    while running.poll() is None and not any(word.startswith("http") for word in words):
        words = running.stdout.readline().split()
    address = urlsplit(next(word for word in words if word.startswith("http")))
    for _ in range(240):
        try:
            asked = f"http://{address.netloc}/api/contents/notebooks?{address.query}"
            with urllib.request.urlopen(asked, timeout=5) as answer:
                names = [one["name"] for one in json.load(answer)["content"]]
            break
        except OSError:
            time.sleep(0.5)
    assert "00_start.ipynb" in names
    (lab,) = children(running.pid)
    shown = Path(f"/proc/{lab}/cmdline").read_text(encoding="utf-8")
    assert "jupyterlab" in shown
    assert address.query.removeprefix("token=") not in shown
    running.send_signal(ending)
    running.communicate(timeout=60)
    assert running.returncode == 128 + ending
    assert not Path(f"/proc/{lab}").exists()
    assert list(tmp_path.glob("satisfaction-lab-*")) == []


def test_outside_a_project_the_command_says_so(call, tmp_path):
    code, _, err = call("lab", tmp_path)
    assert code == 2
    assert "F118" in err
