"""What the buttons of the form do with a wave: as the command of the same name, the answer as HTML with links to its files."""

from __future__ import annotations

import hashlib
import html
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pandas as pd

from satisfaction.collection.responses import load_responses
from satisfaction.comparison.changes import run_change
from satisfaction.comparison.wave_files import export_change
from satisfaction.comparison.words import change_lines
from satisfaction.declarations.survey import read_survey
from satisfaction.fieldwork.daily import summary_lines, write_fieldwork
from satisfaction.fieldwork.standing import stand
from satisfaction.foundation.errors import SatisfactionError
from satisfaction.foundation.files import free_name, new_file, path_below
from satisfaction.foundation.language import Language, Text, _, use
from satisfaction.foundation.pages import card
from satisfaction.foundation.tables import write_text
from satisfaction.notebook.notebooks import (
    find_notebooks,
    nothing_for,
    project_root,
    run_notebooks,
    shelf_of,
)
from satisfaction.notebook.show import readable_cards
from satisfaction.pipeline import run
from satisfaction.planning.plan import Wishes, make_plan
from satisfaction.planning.planning_files import write_plan
from satisfaction.publication.file_set import export_dated, revision_of
from satisfaction.publication.report import write_report

Answer: TypeAlias = str
"""HTML below the form."""
Tell: TypeAlias = Callable[[Text], object]
SHIPPED = "satisfaction_shipped"
"""Metadata of a notebook written for a wave: the hash of its cells as they were written."""
FILES = {
    "change": _("change"),
    "confirm": _("Confirmation of the figures"),
    "index": _("pages"),
    "indices": _("indices"),
    "plan": _("plan"),
    "ranking": _("ranking"),
    "reading": _("how to read the figures"),
    "rejected": _("rejected interviews"),
    "report": _("report"),
}
"""What the files of a folder in `out/` are, by name."""
PER_PSU = 10  # interviews, as `satisfaction plan` takes it


def _silent(_step: Text) -> None:
    """Tell nobody."""


def account_page(folder: Path, language: Language) -> Answer:
    """Check the responses of a wave; returns the account."""
    survey = read_survey(folder)
    responses = load_responses(survey, purpose="check")
    with use(language), readable_cards(survey):
        return responses._repr_html_()


def pages_of_fieldwork(folder: Path, language: Language) -> Answer:
    """Check the fieldwork so far, as `satisfaction fieldwork` does."""
    survey = read_survey(folder, ranking=False)
    standing = stand(survey, load_responses(survey))
    written = write_fieldwork(standing)
    with use(language):
        lines = summary_lines(standing, written)[:-3]
        return _lines(lines) + linked(results_in(written, language))


def ran(folder: Path, language: Language, *, notebooks: bool, tell: Tell = _silent) -> Answer:
    """Run a wave as `satisfaction run` does; returns the figures of the whole, the list, and links to the files."""
    survey = read_survey(folder)
    results = run(survey, tell=tell)
    tell(_("writing the results"))
    written = export_dated(results)
    revision = revision_of(written)
    lines = [_("Results: {folder}, revision {revision}", folder=written.name, revision=revision)]
    links = results_in(written, language)
    failure = ""
    if notebooks:
        shelf = written.with_name(f"{written.name}-notebooks")
        leave_out = nothing_for(results)
        for name, why in leave_out.items():
            lines.append(_("not executed: {notebook} ({why})", notebook=name, why=why))
        tell(_("executing the notebooks"))
        try:
            run_notebooks(survey, shelf, language=language, official=written, leave_out=leave_out)
        except SatisfactionError as fault:
            with use(language):
                failure = fault_as_html(fault)
        links += results_in(shelf, language)
    with use(language), readable_cards(survey):
        table = results.ranking.table
        listed = table[table["unit"].isin(results.ranking.summary.get("listed", ()))]
        listed_units = ""
        if len(listed):
            columns = ["rank", "unit", "estimate", "se", "marginal_low", "marginal_high"]
            columns += ["probability_bottom", "status"]
            heading = _("last {n} of {p}", n=len(listed), p=results.ranking.summary["p"])
            listed_units = card(
                str(heading), tables={_("list"): listed.sort_values("rank")[columns]}
            )
        return _lines(lines) + failure + linked(links) + results._repr_html_() + listed_units


def written_report(folder: Path, language: Language, *, tell: Tell = _silent) -> Answer:
    """Write the report and the areas' pages of a wave, as `satisfaction report` does."""
    results = run(read_survey(folder), tell=tell)
    tell(_("writing the pages"))
    written = write_report(results)
    with use(language):
        lines = [_("Pages: {folder}", folder=written.name)]
        return _lines(lines) + linked(results_in(written, language))


def since(earlier: Path, later: Path, language: Language) -> Answer:
    """Compare a wave with an earlier one, as `satisfaction change` does."""
    change = run_change(earlier, later)
    written = export_change(change)
    with use(language), readable_cards(change.later.survey):
        links = linked(results_in(written, language))
        tables: dict[Text | str, pd.DataFrame] = {_("areas"): change.table}
        return _lines(change_lines(change)) + links + card(str(_("change")), tables=tables)


def plan_of_next(
    folder: Path, language: Language, *, interval: float, tell: Tell = _silent
) -> Answer:
    """Plan the next wave from this one, as `satisfaction plan --interval` does."""
    results = run(read_survey(folder), tell=tell)
    tell(_("planning"))
    plan = make_plan(results, Wishes(interval=interval), per_psu=PER_PSU)
    written = write_plan(results, plan)
    with use(language), readable_cards(results.survey):
        tables: dict[Text | str, pd.DataFrame] = {
            _("needs"): plan.needs,
            _("allocations"): plan.allocations,
        }
        answer = _lines(plan.lines) + linked(results_in(written, language))
        return answer + card(str(_("plan")), tables=tables)


def _lines(lines: Iterable[Text]) -> str:
    items = "".join(f"<li>{html.escape(str(line))}</li>" for line in lines if str(line))
    return f"<ul>{items}</ul>"


def edited_notebooks(folder: Path, language: Language) -> list[str]:
    """Name the notebooks of a wave that somebody has edited."""
    shelf = folder / "out" / shelf_of(language)
    numbered = sorted(shelf.glob("0*.ipynb"))
    return [path.name for path in numbered if _is_edited(_read(path))]


def opened(folder: Path, language: Language, *, fresh: bool = False) -> Answer:
    """Write the notebooks of a language for this wave into its out/notebooks/; returns links to them.

    No file that lies there is written over. A notebook that somebody has edited is what is opened; `fresh` writes it as
    shipped beside the edited copy, under another name. What an earlier version of the program wrote stays too.
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
        ready.metadata[SHIPPED] = _hash(ready)
        links += _beside(ready, shelf / path.name, fresh=fresh)
    with use(language):
        return linked(links)


def _beside(ready: Any, path: Path, *, fresh: bool) -> list[tuple[Text, Path]]:
    """Return links to the copies of a notebook that lie there, and to one as shipped where it is wanted or there is none."""
    import nbformat

    files: Any = nbformat  # not typed
    as_shipped = None
    kept = []
    edited = False
    for copy in sorted(path.parent.glob(f"{path.stem}*.ipynb")):
        notebook = _read(copy)
        if notebook is None:
            kept.append((_("cannot be read as a notebook, kept"), copy))
        elif _hash(notebook) == _hash(ready):
            as_shipped = copy
        elif _is_edited(notebook):
            edited = True
            kept.append((_("your edited copy, kept"), copy))
        else:
            kept.append((_("as an earlier version wrote it, kept"), copy))
    if as_shipped is None and (fresh or not edited):
        as_shipped = free_name(path)
        with new_file(as_shipped) as scratch:
            write_text(files.writes(ready), scratch)
    if as_shipped is None:
        return kept
    return [(Text(path.stem), as_shipped), *kept]


def _read(path: Path) -> Any:
    """Return a notebook; None for a file that is none, as a save that was broken off leaves it."""
    import nbformat

    files: Any = nbformat  # not typed
    try:
        return files.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, files.ValidationError):
        return None


def _hash(notebook: Any) -> str:
    """Return the hash of the cells as written; outputs come from running them."""
    sources = "\0".join(cell.source for cell in notebook.cells)
    return hashlib.sha256(sources.encode()).hexdigest()


def _is_edited(notebook: Any) -> bool:
    """Return whether a copy has other cells than were written for it; one without a record counts as edited."""
    return notebook is None or bool(notebook.metadata.get(SHIPPED) != _hash(notebook))


def results_in(folder: Path, language: Language) -> list[tuple[Text, Path]]:
    """Return what a person opens of a folder in `out/`: its pages, workbooks and notebooks, each in one language.

    A file is written once a language; the one in the survey's first language has the plain name.
    """
    links = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".html", ".xlsx", ".pdf", ".ipynb"):
            continue
        if path.stem.endswith(("-zh", "-en")):
            continue
        spoken = path.with_stem(f"{path.stem}-{language}")
        shown = spoken if spoken.is_file() else path
        label = FILES.get(path.stem, Text(path.stem))
        links.append((label, shown))
    return links


def linked(links: list[tuple[Text, Path]]) -> str:
    """Return links to files of the project: a workbook is downloaded, a page opens in a tab of its own, a notebook here.

    JupyterLab opens whatever is named relative to the notebook in its own viewers, which can read no workbook and run no
    script of a page; it leaves links to its server's /files/ alone.
    """
    items = []
    for label, path in links:
        place = path_below(Path.cwd(), path)
        attributes = ""
        if path.suffix != ".ipynb":
            below = path.resolve().relative_to(project_root(path.parent)).as_posix()
            place = f"{os.environ.get('JUPYTERHUB_SERVICE_PREFIX', '/')}files/{below}"
            attributes = " download" if path.suffix == ".xlsx" else ' target="_blank"'
        words = html.escape(str(_("{name}: {value}", name=label, value=path.name)))
        items.append(f'<li><a href="{html.escape(quote(place))}"{attributes}>{words}</a></li>')
    return f"<ul>{''.join(items)}</ul>"


def fault_as_html(fault: SatisfactionError) -> str:
    """Return a message as the form shows it."""
    return (
        '<pre style="color:var(--jp-error-color1,#8f1818);white-space:pre-wrap">'
        f"{html.escape(str(fault))}</pre>"
    )
