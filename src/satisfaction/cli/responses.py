"""Commands: what the survey team does with responses."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from satisfaction.cli.options import (
    FOLDER,
    FOLDER_ARGUMENT,
    USER_FAULT,
    command,
    misused,
    option,
    reader,
    tell,
)
from satisfaction.foundation.language import NOTHING, _, ngettext, pgettext, use

if TYPE_CHECKING:
    import datetime

    import pandas as pd

    from satisfaction.collection.responses import Responses
    from satisfaction.declarations.survey import Survey
    from satisfaction.foundation.errors import SatisfactionError


WORDINGS = ("R301", "R302", "R303")
HOW = {
    "name": _("item name"),
    "alias": _("alias"),
    "label": pgettext("of a column", "label"),
    "number": _("question number"),
    "option": _("option of a select-all question"),
    "replaces": _("item of an earlier version"),
    "role": _("recorded by the platform"),
    "": NOTHING,
}
UNKNOWN_HEADINGS = {
    "title": pgettext("a heading", "question"),
    "word": pgettext("a heading", "unknown answer"),
    "count": pgettext("a heading", "how often"),
    "answers": pgettext("a heading", "answers in all"),
    "near": pgettext("a heading", "nearest"),
    "stops": pgettext("a heading", "a run stops"),
}


@command(_("Check the responses of the survey in FOLDER without computing anything."))
@FOLDER_ARGUMENT
@option(
    "--rejected",
    "workbook",
    type=FOLDER,
    words=_("write the rejected rows to a workbook to correct"),
)
@option("--columns", "every_column", is_flag=True, words=_("list what every column was matched to"))
def check(folder: Path, workbook: Path | None, every_column: bool) -> None:
    """Check the responses of the survey in FOLDER without computing anything."""
    from satisfaction.collection.account import ACTIONS
    from satisfaction.collection.corrections import write_rejected
    from satisfaction.collection.responses import load_responses
    from satisfaction.declarations.survey import read_survey
    from satisfaction.foundation.files import check_new_file

    if workbook:
        check_new_file(workbook, (".xlsx",), argument="--rejected")
    survey = read_survey(folder, ranking=False)
    responses = load_responses(survey, purpose="check")
    problems = _tell_verdict(survey, responses)
    log = responses.log
    by_rule = responses.by_rule
    by_rule = by_rule.assign(action=by_rule["action"].map(ACTIONS))
    columns = responses.columns
    tell(
        _(
            "columns recognised: {n} / {all} (--columns lists them)",
            n=(columns["how"] != "").sum(),
            all=len(columns),
        )
    )
    shown = {
        _("files"): responses.summary[
            ["file", "sheet", "rows", "accepted", "rejected", "blanked", "ignored_columns", "note"]
        ],
        _("interviewers with faults"): _faulty(responses.by_interviewer),
        _("areas with faults"): _faulty(responses.by_area),
        _("rules"): by_rule,
        _("wordings read as answers or as empty"): log.loc[
            log["rule"].isin(WORDINGS), ["file", "column", "value", "zh", "en"]
        ],
        _("unknown answers"): responses.unknown,
    }
    if every_column:
        shown[_("columns")] = _recognised(columns)
    for title, table in shown.items():
        if len(table):
            tell(title)
            tell(f"{_on_console(table)}\n")
        else:
            tell(_("{title}: none\n", title=title))
    if workbook and len(responses.to_correct):
        with use(reader()):
            write_rejected(responses, survey.questionnaire, workbook, mark=str(survey.marks or ""))
        tell(_("rows to correct: {workbook}", workbook=workbook))
        tell(
            _(
                "then: satisfaction corrections {folder} {workbook}",
                folder=folder,
                workbook=workbook,
            )
        )
    elif workbook:
        tell(_("No rows to correct; no workbook was written."))
    if problems:
        sys.exit(USER_FAULT)


@command(_("Add the cells corrected in the workbook to corrections.csv."))
@FOLDER_ARGUMENT
@click.argument("corrected", type=FOLDER, required=False)
@option("--by", default="", words=_("who corrected"))
@option("--check", "checked", is_flag=True, words=_("only see whether the corrections recorded can be replayed"))  # fmt: skip
@option("--set-aside", "aside", is_flag=True, words=_("leave out the rows that cannot be replayed; the log as it was is kept beside"))  # fmt: skip
def corrections(
    folder: Path, *, corrected: Path | None, by: str, checked: bool, aside: bool
) -> None:
    """Add the cells corrected in the workbook to corrections.csv."""
    import datetime

    if sum([corrected is not None, checked, aside]) != 1:
        raise misused(_("give one of: the workbook, --check, --set-aside"))
    if corrected is None:
        _tell_log(folder, aside=aside)
        return
    from satisfaction.collection.responses import correct_responses
    from satisfaction.declarations.survey import read_survey

    found = correct_responses(
        read_survey(folder, ranking=False), corrected, by=by, on=datetime.date.today()
    )
    tell(
        _("corrections recorded: {n}  {path}", n=len(found.added), path=folder / "corrections.csv")
    )
    if found.repeated:
        tell(_("recorded before and not again: {repeated}", repeated=found.repeated))
    if not len(found.added) and not found.repeated:
        tell(_("No cell of the workbook was changed."))
    if len(found.still):
        faults = found.still[["file", "row", "column", "value", "zh", "en", "suggestion"]]
        tell(_("rows that are still not right:"))
        tell(_on_console(faults))


def _tell_log(folder: Path, *, aside: bool) -> None:
    """Say whether the log of corrections can be replayed, or take out the rows that cannot."""
    import datetime

    from satisfaction.collection.responses import check_corrections, set_corrections_aside
    from satisfaction.declarations.survey import CORRECTIONS_FILE, read_survey

    survey = read_survey(folder)
    if not (folder / CORRECTIONS_FILE).is_file():
        tell(_("there is no log of corrections: {path}", path=folder / CORRECTIONS_FILE))
        return
    kept, faults = set_corrections_aside(survey, on=datetime.date.today()) if aside else (None, ())
    if faults:
        tell(_("cannot be replayed and are left out: {n}", n=len(faults)))
        for fault in faults:
            tell(_("  {where}: {fault}", where=fault.where, fault=fault.text))
        tell(_("the log as it was: {kept}", kept=kept))
    tell(
        _(
            "the log can be replayed: {n}  {path}",
            n=check_corrections(survey),
            path=folder / CORRECTIONS_FILE,
        )
    )


@command(_("Fieldwork quality: a workbook of the day and a page a county."))
@FOLDER_ARGUMENT
@option("--day", type=click.DateTime(["%Y-%m-%d"]), words=_("up to a day; default: the last one"))
def fieldwork(folder: Path, day: datetime.datetime | None) -> None:
    """Fieldwork quality: a workbook of the day and a page a county."""
    from satisfaction.collection.responses import load_responses
    from satisfaction.declarations.survey import read_survey
    from satisfaction.fieldwork.daily import summary_lines, write_fieldwork
    from satisfaction.fieldwork.standing import stand

    survey = read_survey(folder, ranking=False)
    standing = stand(survey, load_responses(survey), day=day and day.date())
    for line in summary_lines(standing, write_fieldwork(standing)):
        tell(line)


def _tell_verdict(survey: Survey, responses: Responses) -> list[SatisfactionError]:
    """Say first whether a run would go through and on what it would stop; then what is not read and which areas are absent.

    Returns
    -------
    list of SatisfactionError
        On what a run would stop.
    """
    from satisfaction.collection.account import account_line
    from satisfaction.collection.responses import load_responses
    from satisfaction.declarations.earlier import earlier_notes
    from satisfaction.declarations.survey import population_note, what_is_tested
    from satisfaction.foundation.errors import listed
    from satisfaction.foundation.yaml import placeholders

    counts = responses.summary[["rows", "accepted", "rejected", "blanked"]].sum()
    of_design = _fault_of_design(survey, responses) if counts.accepted else None
    problems = [*responses.problems, *filter(None, [survey.rule_fault, of_design])]
    if survey.reference is not None:
        problems += load_responses(survey.reference, purpose="check").problems
    if not problems:
        tell(_("can be run"))
    else:
        tell(_("cannot be run: {n}", n=ngettext("{n:,} problem", "{n:,} problems", len(problems))))
        tell(listed(problems, folder=str(survey.folder)), to_stderr=True)
    if places := placeholders(survey.sources):
        tell(
            _(
                "the template's words still stand in these lines; run and report publish nothing "
                "before they are replaced:"
            ),
            to_stderr=True,
        )
        tell("  " + "\n  ".join(places), to_stderr=True)
    tell_delivered(survey, responses)
    for line in (*earlier_notes(survey), population_note(survey), what_is_tested(survey)):
        if line:
            tell(line)
    tell(account_line(counts))
    tell()
    return problems


def tell_delivered(survey: Survey, responses: Responses) -> None:
    """Say what was not read, what is noted of the files, and which areas are without answers."""
    from satisfaction.collection.account import (
        coverage_lines,
        note_lines,
        sample_lines,
        unanswered_areas,
        unread_lines,
    )

    absent = unanswered_areas(survey, responses.by_area)
    for line in (
        *unread_lines(responses.not_read),
        *note_lines(responses.log),
        *coverage_lines(survey, absent),
        *sample_lines(survey, responses.accepted),
    ):
        tell(line)


def _on_console(table: pd.DataFrame) -> str:
    """Write a table in the reader's language, under titles without the names of columns."""
    from satisfaction.publication.headings import HEADINGS, in_one_language

    with use(reader()):
        if "stops" in table:
            table = table.assign(stops=table["stops"].map({True: _("yes"), False: _("no")}))
        shown = in_one_language(table, HEADINGS | UNKNOWN_HEADINGS)
    titles = [re.sub(r" \(\w+\)$", "", title) for title in shown.columns]
    lines: str = shown.set_axis(titles, axis="columns").to_string(index=False)
    return lines


def _recognised(columns: pd.DataFrame) -> pd.DataFrame:
    """Say in the reader's language how every column was recognised."""
    labels = _("labels")
    notes = columns["note"].str.replace(labels.both, labels.in_language(reader()), regex=False)
    return columns.assign(how=columns["how"].map(HOW), note=notes)


def _faulty(account: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of an account that have something rejected or blanked."""
    return account[(account[["rejected", "blanked"]] > 0).any(axis=1)] if len(account) else account


def _fault_of_design(survey: Survey, responses: Responses) -> SatisfactionError | None:
    """Return what a run would refuse of the sample and of the weighting; weights wait until every file can be read."""
    from satisfaction.foundation.errors import SatisfactionError
    from satisfaction.pipeline import base_design
    from satisfaction.weighting.wave_design import lonely_note, weigh

    try:
        design = base_design(survey, responses, engine="pandas")
        if not responses.problems:
            weigh(survey, design)
    except SatisfactionError as fault:
        return fault
    if note := lonely_note(survey, design):
        tell(note)
    return None
