"""The form of the first notebook: choose a wave, and check, run, compare or plan it by a button.

The waves and questionnaires of a project folder, and how each wave stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup

from satisfaction.declarations.survey import read_declared
from satisfaction.foundation.errors import DamagedSetError, SatisfactionError
from satisfaction.foundation.files import read_json
from satisfaction.foundation.language import NOTHING, Language, Text, _, comma_list, use
from satisfaction.foundation.pages import fill
from satisfaction.notebook.actions import (
    Answer,
    account_page,
    edited_notebooks,
    fault_as_html,
    linked,
    opened,
    pages_of_fieldwork,
    plan_of_next,
    ran,
    results_in,
    since,
    written_report,
)
from satisfaction.notebook.notebooks import project_root
from satisfaction.pipeline import STEPS
from satisfaction.publication.report.method import SELECTION


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
    before : Path or None
        Folder of the wave before, where the checks of the fieldwork name one.
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
    before: Path | None = None


def find_waves(root: Path) -> list[Wave]:
    """List the survey folders by name."""
    declared = (root / "surveys").glob("*/survey.yaml")
    return [_wave(path.parent) for path in sorted(declared)]


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
    latest = _record_of(folder / "out" / "latest") or {}
    checking = declared.fieldwork
    before = None
    if checking is not None and checking.earlier is not None:
        before = (folder / checking.earlier).resolve()
    return Wave(
        folder,
        title=declared.title.text,
        wave=declared.wave,
        questionnaire=declared.questionnaire,
        selection=declared.selection,
        mark=_("simulated") if declared.simulated else NOTHING,
        finished=str(latest.get("finished", "")),
        revision=latest.get("revision"),
        before=before,
    )


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run of a wave, or a report, a comparison, a plan made from it.

    Attributes
    ----------
    folder : Path
    finished : str
        ISO text.
    revision : int or None
        Of a file set.
    """

    folder: Path
    finished: str
    revision: int | None


def find_runs(folder: Path) -> list[Run]:
    """List what lies in a wave's `out/`, the newest first."""
    runs = []
    for path in sorted((folder / "out").glob("[0-9]*T*Z*"), reverse=True):
        record = _record_of(path)
        if record is None:
            continue
        stamp = path.name.partition("Z")[0]
        at = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[9:11]}:{stamp[11:13]}"
        runs.append(Run(path, str(record.get("finished", at)), record.get("revision")))
    return runs


def _record_of(run: Path) -> dict[str, Any] | None:
    """Return what a run says of itself: nothing without a record, None of one that is damaged."""
    path = run / "run.json"
    if not path.is_file():
        return {}
    try:
        return read_json(path)
    except DamagedSetError:
        return None


CHECK = _("check responses")
FIELDWORK = _("fieldwork")
RUN = _("run")
REPORT = _("report")
CHANGE = _("change")
PLAN = _("plan")
OPEN = _("open notebooks")
MOST_RUNS = 12  # of a wave, in the list; all lie in its out/


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
    shown.display(form(ipywidgets, project_root(Path(folder)), language=language))


def overview(waves: list[Wave], questionnaires: list[str], *, language: Language) -> str:
    """Return the list of waves and questionnaires as HTML."""
    with use(language):
        values = {"waves": waves, "questionnaires": questionnaires, "selections": SELECTION}
        return fill("launcher.html", values)


def runs_list(folder: Path, *, language: Language) -> str:
    """Return what was made of a wave, with links to it, as HTML."""
    with use(language):
        runs = find_runs(folder)
        rows = [(run, Markup(linked(results_in(run.folder, language)))) for run in runs[:MOST_RUNS]]
        return fill("runs.html", {"rows": rows, "more": len(runs) - len(rows)})


class Form:
    """The form: what is chosen, buttons, the progress of what runs, its answer, the list of runs.

    The language chosen in it is that of what the buttons show and of the notebooks they open.
    """

    def __init__(self, widgets: Any, root: Path, language: Language) -> None:
        self.widgets = widgets
        self.root = root
        wide = {"width": "98%", "max_width": "60rem"}
        style = {"description_width": "8rem"}
        readable = [wave for wave in find_waves(root) if wave.readable]
        with use(language):
            titled = [(f"{wave.folder.name} · {wave.title}", wave.folder) for wave in readable]
        self.overview = widgets.HTML()
        self.wave = widgets.Dropdown(options=titled, layout=wide, style=style)
        if readable:
            self.wave.value = max(readable, key=lambda wave: wave.finished).folder
        self.earlier = widgets.Dropdown(options=titled, layout=wide, style=style)
        self.languages = widgets.ToggleButtons(
            options=[(_("zh").zh, "zh"), ("English", "en")], value=language
        )
        self.notebooks = widgets.Checkbox(value=False, indent=False)
        self.width = widgets.BoundedFloatText(
            value=3.0, min=0.1, max=50, step=0.1, layout=wide, style=style
        )
        self.bar = widgets.IntProgress(value=0, min=0, max=len(STEPS) + 1)
        self.step = widgets.Label()
        self.progress = widgets.HBox([self.bar, self.step])
        self.progress.layout.visibility = "hidden"
        self.question = widgets.HBox([])
        self.output = widgets.Output()
        self.runs = widgets.Output()  # its links are JupyterLab's, which opens notebooks
        self.buttons: dict[Text, Any] = {}
        for name in self.actions():
            button = widgets.Button(button_style="primary" if name == RUN else "")
            button.on_click(lambda _button, name=name: self.press(name))
            self.buttons[name] = button
        self.languages.observe(lambda _change: self.refresh(), names="value")
        self.wave.observe(lambda _change: self.choose(), names="value")
        self.box = widgets.VBox(
            [
                self.overview,
                self.languages,
                self.wave,
                self.earlier,
                self.width,
                self.notebooks,
                widgets.HBox(list(self.buttons.values()), layout={"flex_flow": "row wrap"}),
                self.progress,
                self.question,
                self.output,
                self.runs,
            ]
        )
        self.choose()

    def choose(self) -> None:
        """Propose the wave before the one chosen to be compared with, and show what was made of it."""
        folders = [folder for _title, folder in self.earlier.options]
        for wave in find_waves(self.root):
            is_chosen = wave.folder == self.wave.value
            if is_chosen and wave.before in folders:
                self.earlier.value = wave.before
        self.refresh()

    def refresh(self) -> None:
        """Write all words anew, in the language chosen, and list what has been made meanwhile."""
        language = self.languages.value
        with use(language):
            self.languages.description = str(_("language"))
            self.wave.description = str(_("wave"))
            self.earlier.description = str(_("compare with"))
            self.width.description = str(_("half width"))
            self.width.tooltip = str(_("wish of a plan: half width of an area's interval"))
            self.notebooks.description = str(_("notebooks too"))
            for name, button in self.buttons.items():
                button.description = str(name)
        waves = find_waves(self.root)
        questionnaires = find_questionnaires(self.root)
        self.overview.value = overview(waves, questionnaires, language=language)
        if self.wave.value is not None:
            page = runs_list(self.wave.value, language=language)
            self.runs.outputs = (
                {"output_type": "display_data", "metadata": {}, "data": {"text/html": page}},
            )

    def actions(self) -> dict[Text, Callable[[Path, Language], Answer]]:
        """Return what each button does with a wave, as the form stands now."""
        notebooks = self.notebooks.value
        interval = self.width.value
        return {
            CHECK: account_page,
            FIELDWORK: pages_of_fieldwork,
            RUN: partial(ran, notebooks=notebooks, tell=self.tell),
            REPORT: partial(written_report, tell=self.tell),
            CHANGE: partial(since, self.earlier.value),
            PLAN: partial(plan_of_next, interval=interval, tell=self.tell),
            OPEN: self.open,
        }

    def tell(self, step: Text) -> None:
        """Show that a step begins."""
        self.bar.value += 1
        with use(self.languages.value):
            self.step.value = str(step)

    def press(self, name: Text) -> None:
        """Carry an action out below the form; a user's fault is its message, nothing more."""
        import IPython.display

        shown: Any = IPython.display
        for button in self.buttons.values():
            button.disabled = True
        self.bar.value = 0
        self.progress.layout.visibility = "visible"
        self.question.children = ()
        self.output.clear_output()
        language = self.languages.value
        try:
            with use(language), self.output:
                self.step.value = str(_("running ..."))
                try:
                    answer = self.actions()[name](self.wave.value, language)
                except SatisfactionError as fault:
                    answer = fault_as_html(fault)
                shown.display(shown.HTML(answer))
        finally:
            self.progress.layout.visibility = "hidden"
            for button in self.buttons.values():
                button.disabled = False
            self.refresh()

    def open(self, folder: Path, language: Language) -> Answer:
        """Open the notebooks; where some were edited, ask whether fresh copies are wanted beside them."""
        edited = edited_notebooks(folder, language)
        if edited:
            fresh = self.widgets.Button(
                description=str(_("fresh copies beside them")), layout={"width": "auto"}
            )
            fresh.on_click(lambda _button: self.fresh(folder, language))
            names = comma_list(edited)
            asked = _("You have edited {names}; your copies stay as they are.", names=names)
            question = self.widgets.Label(str(asked))
            self.question.children = (question, fresh)
        return opened(folder, language)

    def fresh(self, folder: Path, language: Language) -> None:
        """Write fresh copies beside the edited ones."""
        import IPython.display

        shown: Any = IPython.display
        self.question.children = ()
        self.output.clear_output()
        with self.output:
            shown.display(shown.HTML(opened(folder, language, fresh=True)))


def form(widgets: Any, root: Path, *, language: Language) -> Any:
    """Build the form of a project; see `Form`."""
    return Form(widgets, root, language).box
