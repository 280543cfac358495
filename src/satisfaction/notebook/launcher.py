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
from satisfaction.foundation.language import NOTHING, Language, Text, _, comma_list, use
from satisfaction.foundation.pages import fill, page_name
from satisfaction.foundation.tables import write_text
from satisfaction.notebook.notebooks import find_notebooks, nothing_for, run_notebooks, shelf_of
from satisfaction.pipeline import run
from satisfaction.publication.file_set import export_dated, revision_of


@dataclass(frozen=True, slots=True)
class Wave:
    """One survey folder as the launcher lists it.

    Attributes
    ----------
    folder : Path
    title : Text
        For a folder that cannot be read what is wrong with it.
    wave, questionnaire, selection : str
    mark : Text
    finished : str
        When the latest run was finished, ISO text; empty without one.
    revision : int or None
    readable : bool
    """

    folder: Path
    title: Text
    wave: str = ""
    questionnaire: str = ""
    selection: str = ""
    mark: Text = NOTHING
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
        return Wave(folder, fault.text, readable=False)
    latest = _latest(folder)
    return Wave(
        folder,
        title=Text(declared.title.zh, declared.title.en),
        wave=declared.wave,
        questionnaire=declared.questionnaire,
        selection=declared.selection,
        mark=_("simulated") if declared.simulated else NOTHING,
        finished=str(latest.get("finished", "")),
        revision=latest.get("revision"),
    )


def _latest(folder: Path) -> dict[str, Any]:
    """Return what the latest run says of itself; nothing without one, or of one that is damaged."""
    path = folder / "out" / "latest" / "run.json"
    if not path.is_file():
        return {}
    try:
        return read_json(path)
    except DamagedSetError:
        return {}


CHECK = _("check responses")
RUN = _("run")
OPEN = _("open notebooks")
REPORT = _("report")
RESULTS = _("results")
RUNNING = _("running ...")


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
    shown.display(shown.HTML(overview(waves, find_questionnaires(root), language=language)))
    readable = [wave for wave in waves if wave.readable]
    shown.display(form(ipywidgets, readable, language=language))


def overview(waves: list[Wave], questionnaires: list[str], *, language: Language) -> str:
    """Return the list of waves and questionnaires as HTML."""
    with use(language):
        return fill("launcher.html", {"waves": waves, "questionnaires": questionnaires, "_": _})


def form(widgets: Any, waves: list[Wave], *, language: Language) -> Any:
    """Build the form; every button works on the wave chosen and writes below itself.

    The language chosen in it is that of what the buttons show and of the notebooks they open.
    """
    with use(language):
        folders = [(f"{wave.folder.name} · {wave.title}", wave.folder) for wave in waves]
        wave_menu = widgets.Dropdown(options=folders, description=str(_("wave")))
        languages = widgets.ToggleButtons(
            options=[(_("zh").zh, "zh"), ("English", "en")],
            value=language,
            description=str(_("language")),
        )
        notebooks = widgets.Checkbox(value=False, description=str(_("notebooks too")), indent=False)
        output = widgets.Output()
        actions: dict[str, Callable[[Path], str]] = {
            str(CHECK): lambda folder: account_page(folder, languages.value),
            str(RUN): lambda folder: ran(folder, languages.value, notebooks=notebooks.value),
            str(OPEN): lambda folder: opened(folder, languages.value),
        }
        primary = str(RUN)

    def press(button: Any) -> None:
        action = actions[button.description]
        with use(languages.value):
            _answer(output, action, wave_menu.value, buttons)

    buttons = []
    for name in actions:
        style = "primary" if name == primary else ""
        button = widgets.Button(description=name, button_style=style)
        button.on_click(press)
        buttons.append(button)
    return widgets.VBox([wave_menu, languages, notebooks, widgets.HBox(buttons), output])


def account_page(folder: Path, language: Language) -> str:
    """Check the responses of a wave; returns the account as HTML."""
    survey = read_survey(folder)
    responses = load_responses(survey, purpose="check")
    with use(language):
        return responses._repr_html_()


def ran(folder: Path, language: Language, *, notebooks: bool) -> str:
    """Run a wave as `satisfaction run` does; returns what came of it, with links, as HTML."""
    survey = read_survey(folder)
    results = run(survey)
    written = export_dated(results)
    declared = survey.declared.languages
    shown_in = language if language in declared else declared[0]
    names = {"report.html": REPORT, "ranking.xlsx": RESULTS, "indices.xlsx": RESULTS}
    links = [
        (label, written / page_name(name, shown_in, declared)) for name, label in names.items()
    ]
    revision = revision_of(written)
    lines = [_("Results: {folder}, revision {revision}", folder=written.name, revision=revision)]
    failure = ""
    if notebooks:
        shelf = written.with_name(f"{written.name}-notebooks")
        leave_out = nothing_for(results)
        for name, why in leave_out.items():
            lines.append(_("not executed: {notebook} ({why})", notebook=name, why=why))
        try:
            run_notebooks(survey, shelf, language=language, official=written, leave_out=leave_out)
        except SatisfactionError as fault:
            with use(language):
                failure = fault_as_html(fault)
        links += [(Text(path.stem), path) for path in sorted(shelf.glob("*.ipynb"))]
    with use(language):
        account = "".join(f"<p>{html.escape(str(line))}</p>" for line in lines)
        return results._repr_html_() + account + failure + linked(links)


def opened(folder: Path, language: Language) -> str:
    """Write the notebooks of a language for this wave into its out/notebooks/; returns links to them as HTML.

    A copy that somebody has edited stays as it is: the notebook as shipped is written beside it, under another name.
    """
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    survey = read_survey(folder)
    shelf = survey.folder / "out" / shelf_of(language)
    shelf.mkdir(parents=True, exist_ok=True)
    parameters = {"survey": str(survey.folder.resolve()), "language": language}
    links = []
    for path in find_notebooks(survey, language):
        ready = parameterize_notebook(load_notebook_node(str(path)), parameters)
        links += _beside_edited(ready, shelf / path.name)
    with use(language):
        return linked(links)


def _beside_edited(ready: Any, path: Path) -> list[tuple[Text, Path]]:
    """Return links to a notebook as shipped, written where no copy of it lies yet, and to the edited copies, which are kept."""
    import nbformat

    files: Any = nbformat  # not typed
    shipped = None
    edited = []
    for copy in sorted(path.parent.glob(f"{path.stem}*.ipynb")):
        if _sources(files.read(copy, as_version=4)) == _sources(ready):
            shipped = copy
        else:
            edited.append((_("your edited copy, kept"), copy))
    if shipped is None:
        shipped = free_name(path)
        with new_file(shipped) as scratch:
            write_text(files.writes(ready), scratch)
    return [(Text(path.stem), shipped), *edited]


def _sources(notebook: Any) -> list[str]:
    """Return the cells as written; outputs come from running them."""
    return [cell.source for cell in notebook.cells]


def linked(links: list[tuple[Text, Path]]) -> str:
    """Return links to files of the project: a workbook is downloaded, a page opens in a tab of its own, a notebook here.

    JupyterLab opens whatever is named relative to the notebook in its own viewers, which can read no workbook and run no
    script of a page; it leaves links to its server's /files/ alone.
    """
    items = []
    for label, path in links:
        place = os.path.relpath(path, Path.cwd()).replace(os.sep, "/")
        attributes = ""
        if path.suffix != ".ipynb":
            below = path.resolve().relative_to(project_root(path.parent)).as_posix()
            place = f"{os.environ.get('JUPYTERHUB_SERVICE_PREFIX', '/')}files/{below}"
            attributes = " download" if path.suffix == ".xlsx" else ' target="_blank"'
        words = html.escape(f"{label}: {path.name}")
        items.append(f'<li><a href="{html.escape(quote(place))}"{attributes}>{words}</a></li>')
    return f"<ul>{''.join(items)}</ul>"


def fault_as_html(fault: SatisfactionError) -> str:
    """Return a message as the form shows it."""
    return f'<pre style="color:#8f1818;white-space:pre-wrap">{html.escape(str(fault))}</pre>'


def _answer(output: Any, action: Callable[[Path], str], folder: Path, buttons: list[Any]) -> None:
    """Carry an action out below the form; a user's fault is its message, nothing more."""
    import IPython.display

    shown: Any = IPython.display
    for button in buttons:
        button.disabled = True
    output.clear_output()
    with output:
        shown.display(shown.HTML(f"<p>{html.escape(str(RUNNING))}</p>"))
        try:
            answer = action(folder)
        except SatisfactionError as fault:
            answer = fault_as_html(fault)
        output.clear_output()
        shown.display(shown.HTML(answer))
    for button in buttons:
        button.disabled = False
