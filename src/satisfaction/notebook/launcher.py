"""The form of the first notebook: choose a wave, check its responses, run it, open its report and notebooks.

The waves and questionnaires of a project folder, and how each wave stands.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from satisfaction.collection.responses import load_responses
from satisfaction.declarations.survey import read_declared, read_survey
from satisfaction.foundation.errors import DamagedSetError, InputFileError, SatisfactionError
from satisfaction.foundation.files import free_name, new_file, read_json
from satisfaction.foundation.language import _, both, comma_list
from satisfaction.foundation.pages import fill
from satisfaction.foundation.tables import write_text
from satisfaction.notebook.notebooks import find_notebooks, nothing_for, run_notebooks
from satisfaction.notebook.show import Language, language_style
from satisfaction.pipeline import run
from satisfaction.publication.file_set import export_dated, revision_of


@dataclass(frozen=True, slots=True)
class Wave:
    """One survey folder as the launcher lists it.

    Attributes
    ----------
    folder : Path
    title : (str, str)
        Chinese and English; for a folder that cannot be read what is wrong with it.
    wave, questionnaire, selection, mark : str
    finished : str
        When the latest run was finished, ISO text; empty without one.
    revision : int or None
    readable : bool
    """

    folder: Path
    title: tuple[str, str]
    wave: str = ""
    questionnaire: str = ""
    selection: str = ""
    mark: str = ""
    finished: str = ""
    revision: int | None = None
    readable: bool = True


def project_root(start: Path, *, holding: Collection[str] = ("surveys", "notebooks")) -> Path:
    """Return the nearest folder at or above `start` that has `surveys` and `notebooks`.

    Parameters
    ----------
    start : Path
    holding : collection of str
        The folders it must have.

    Raises
    ------
    InputFileError
        F118 when there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if all((folder / name).is_dir() for name in holding):
            return folder
    raise InputFileError(
        "F118",
        _(
            "This is no project folder: {folders} not found in it or above it.",
            folders=comma_list(f"{name}/" for name in holding),
        ),
        where=str(start),
        hint=_(
            "Go to the project folder, or name it: satisfaction lab <folder>. "
            "`satisfaction init <folder>` makes an example project."
        ),
    )


def find_waves(root: Path) -> list[Wave]:
    """List the survey folders by name."""
    return [_wave(path.parent) for path in sorted((root / "surveys").glob("*/survey.yaml"))]


def find_questionnaires(root: Path) -> list[str]:
    """List the questionnaires as name@version."""
    return sorted(
        f"{path.parent.name}@{path.stem}" for path in (root / "questionnaires").glob("*/*.yaml")
    )


def _wave(folder: Path) -> Wave:
    try:
        _document, declared, _path = read_declared(folder)
    except SatisfactionError as fault:
        return Wave(folder, (fault.zh, fault.en), readable=False)
    simulated = both("simulated") if declared.simulated else ""
    finished, revision = _latest(folder)
    title = (declared.title.zh, declared.title.en)
    return Wave(
        folder,
        title,
        declared.wave,
        declared.questionnaire,
        declared.selection,
        simulated,
        finished,
        revision,
    )


def _latest(folder: Path) -> tuple[str, int | None]:
    path = folder / "out" / "latest" / "run.json"
    if not path.is_file():
        return "", None
    try:
        told = read_json(path)
    except DamagedSetError:
        return "", None
    return str(told.get("finished", "")), told.get("revision")


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of the form, in one language."""

    wave: str
    language: str
    check: str
    run: str
    with_notebooks: str
    open_notebooks: str
    running: str
    results: str
    report: str
    edited_copy: str


LABELS = {
    "zh": Labels(
        wave="调查",
        language="语言",
        check="检查答卷",
        run="运行",
        with_notebooks="同时执行笔记本",
        open_notebooks="打开笔记本",
        running="正在运行……",
        results="结果",
        report="报告",
        edited_copy="您改过的副本，未覆盖",
    ),
    "en": Labels(
        wave="wave",
        language="language",
        check="check responses",
        run="run",
        with_notebooks="notebooks too",
        open_notebooks="open notebooks",
        running="running ...",
        results="results",
        report="report",
        edited_copy="your edited copy, kept",
    ),
}


def launch(folder: str | Path = ".", *, language: Language = "zh") -> None:
    """Show the waves and questionnaires of the project around a folder, and the form that works on them.

    Parameters
    ----------
    folder : path
        Anywhere inside the project.
    language : {"zh", "en"}
    """
    import IPython.display
    import ipywidgets

    shown: Any = IPython.display
    root = project_root(Path(folder))
    waves = find_waves(root)
    shown.display(shown.HTML(language_style(language)))
    shown.display(shown.HTML(overview(waves, find_questionnaires(root), language=language)))
    readable = [wave for wave in waves if wave.readable]
    shown.display(form(ipywidgets, readable, language=language))


def overview(waves: list[Wave], questionnaires: list[str], *, language: Language) -> str:
    """Return the list of waves and questionnaires as HTML."""
    return fill(
        "launcher.html", {"waves": waves, "questionnaires": questionnaires, "language": language}
    )


def form(widgets: Any, waves: list[Wave], *, language: Language) -> Any:
    """Build the form; every button works on the wave chosen and writes below itself."""
    labels = LABELS[language]
    folders = []
    for wave in waves:
        zh, en = wave.title
        title = en if language == "en" else zh
        folders.append((f"{wave.folder.name} · {title}", wave.folder))
    wave_menu = widgets.Dropdown(options=folders, description=labels.wave)
    languages = widgets.ToggleButtons(
        options=[_("zh"), ("English", "en")], value=language, description=labels.language
    )
    notebooks = widgets.Checkbox(value=False, description=labels.with_notebooks, indent=False)
    output = widgets.Output()
    actions: dict[str, Callable[[Path], str]] = {
        labels.check: lambda folder: account_page(folder, languages.value),
        labels.run: lambda folder: ran(folder, languages.value, notebooks=notebooks.value),
        labels.open_notebooks: lambda folder: opened(folder, languages.value),
    }

    def press(button: Any) -> None:
        action = actions[button.description]
        _answer(output, action, wave_menu.value, buttons, languages.value)

    buttons = []
    for name in actions:
        style = "primary" if name == labels.run else ""
        button = widgets.Button(description=name, button_style=style)
        button.on_click(press)
        buttons.append(button)
    return widgets.VBox([wave_menu, languages, notebooks, widgets.HBox(buttons), output])


def account_page(folder: Path, language: Language) -> str:
    """Check the responses of a wave; returns the account as HTML."""
    survey = read_survey(folder)
    found = load_responses(survey, purpose="check")
    return found._repr_html_()


def ran(folder: Path, language: Language, *, notebooks: bool) -> str:
    """Run a wave as `satisfaction run` does; returns what came of it, with links, as HTML."""
    survey = read_survey(folder)
    results = run(survey)
    written = export_dated(results)
    labels = LABELS[language]
    links = [
        (labels.report, written / "report.html"),
        (labels.results, written / "ranking.xlsx"),
        (labels.results, written / "indices.xlsx"),
    ]
    revision = f"{html.escape(written.name)} · revision {revision_of(written)}"
    account = f"<p>{html.escape(labels.results)}: {revision}</p>"
    if notebooks:
        shelf = written.with_name(f"{written.name}-notebooks")
        leave_out = nothing_for(results)
        for name, why in leave_out.items():
            account += f"<p>不执行 not executed: {name}（{why}）</p>"
        try:
            run_notebooks(survey, shelf, language=language, official=written, leave_out=leave_out)
        except SatisfactionError as fault:
            account += fault_as_html(fault)
        links += [(path.stem, path) for path in sorted(shelf.glob("*.ipynb"))]
    return results._repr_html_() + account + linked(links)


def opened(folder: Path, language: Language) -> str:
    """Write the notebooks with this wave as their parameter into its out/notebooks/; returns links to them as HTML.

    A copy that somebody has edited stays as it is: the notebook as shipped is written beside it, under another name.
    """
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    survey = read_survey(folder)
    shelf = survey.folder / "out" / "notebooks"
    shelf.mkdir(parents=True, exist_ok=True)
    links = []
    for path in find_notebooks(survey):
        notebook = load_notebook_node(str(path))
        ready = parameterize_notebook(
            notebook, {"survey": str(survey.folder.resolve()), "language": language}
        )
        links += _beside_edited(ready, shelf / path.name, language)
    return linked(links)


def _beside_edited(ready: Any, path: Path, language: Language) -> list[tuple[str, Path]]:
    """Return links to a notebook as shipped, written where no copy of it lies yet, and to the edited copies, which are kept."""
    import nbformat

    files: Any = nbformat  # not typed
    shipped, edited = None, []
    for copy in sorted(path.parent.glob(f"{path.stem}*.ipynb")):
        if _sources(files.read(copy, as_version=4)) == _sources(ready):
            shipped = copy
        else:
            edited.append((LABELS[language].edited_copy, copy))
    if shipped is None:
        shipped = free_name(path)
        with new_file(shipped) as scratch:
            write_text(files.writes(ready), scratch)
    return [(path.stem, shipped), *edited]


def _sources(notebook: Any) -> list[str]:
    """Return the cells as written; outputs come from running them."""
    return [cell.source for cell in notebook.cells]


def linked(links: list[tuple[str, Path]]) -> str:
    """Return links to files of the project: a workbook is downloaded, a page opens in a tab of its own, a notebook here.

    JupyterLab opens whatever is named relative to the notebook in its own viewers, which can read no workbook and run no
    script of a page; it leaves links to its server's /files/ alone.
    """
    items = []
    for name, path in links:
        place = os.path.relpath(path, Path.cwd()).replace(os.sep, "/")
        attributes = ""
        if path.suffix != ".ipynb":
            below = path.resolve().relative_to(project_root(path.parent)).as_posix()
            place = f"{os.environ.get('JUPYTERHUB_SERVICE_PREFIX', '/')}files/{below}"
            attributes = " download" if path.suffix == ".xlsx" else ' target="_blank"'
        said = html.escape(f"{name}: {path.name}")
        items.append(f'<li><a href="{html.escape(quote(place))}"{attributes}>{said}</a></li>')
    return f"<ul>{''.join(items)}</ul>"


def fault_as_html(fault: SatisfactionError) -> str:
    """Return a message as the form shows it."""
    return f'<pre style="color:#8f1818;white-space:pre-wrap">{html.escape(str(fault))}</pre>'


def _answer(
    output: Any, action: Callable[[Path], str], folder: Path, buttons: list[Any], language: Language
) -> None:
    """Carry an action out below the form; a user's fault is its message, nothing more."""
    import IPython.display

    shown: Any = IPython.display
    for button in buttons:
        button.disabled = True
    output.clear_output()
    with output:
        shown.display(shown.HTML(f"<p>{html.escape(LABELS[language].running)}</p>"))
        try:
            answer = action(folder)
        except SatisfactionError as fault:
            answer = fault_as_html(fault)
        output.clear_output()
        shown.display(shown.HTML(answer))
    for button in buttons:
        button.disabled = False
