"""Field responses: exports checked and coded by the questionnaire. Rows read = rows accepted + rows rejected.

Every change and every rejection is a log entry with file, sheet, row, column, value, rule and a message.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.collection import account
from satisfaction.collection.account import ReadTables, account_line, log_events
from satisfaction.collection.coding import (
    code_answers,
    code_area_names,
    crosswalk,
    normalise,
    with_parents,
)
from satisfaction.collection.corrections import Corrected, add_corrections, replay, set_aside
from satisfaction.collection.deliveries import (
    Reading,
    former_answers,
    log_reading,
    read_deliveries,
    respondents,
)
from satisfaction.collection.directions import directions, refuse_directions
from satisfaction.collection.identifiers import (
    hide_paradata,
    hide_personal,
    number_rows,
    refuse_repeated_files,
)
from satisfaction.collection.matching import columns_table
from satisfaction.collection.rules import (
    NO_INTERVIEW,
    REFUSED,
    SURPLUS,
    UNSUBMITTED,
    apply_rules,
    compile_rules,
    refuse_unknown_area,
)
from satisfaction.collection.wordings import (
    USUAL,
    exchange_wordings,
    map_texts,
    refuse_unknown,
    unknown_answers,
)
from satisfaction.declarations.facts import INTERVIEWS
from satisfaction.declarations.questionnaire import CODES, Questionnaire
from satisfaction.declarations.survey import CORRECTIONS_FILE, Survey, read_survey
from satisfaction.foundation.errors import ResponsesError, SatisfactionError, together
from satisfaction.foundation.files import locked, recorded, refuse_changed
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.pages import card
from satisfaction.foundation.personal import masked

Purpose: TypeAlias = Literal["estimate", "check"]
ORIGIN = ["_file", "_sheet", "_row"]
OF_ROWS = (
    "_id",
    "_aside",
    SURPLUS,
    REFUSED,
    NO_INTERVIEW,
    UNSUBMITTED,
)  # wanted on the way, not kept
LONGEST = 1e9  # seconds; what is more is no duration


@dataclass(frozen=True, slots=True)
class Responses:
    """The respondents of a wave, coded, and an account of every row.

    Attributes
    ----------
    accepted : DataFrame
        One row a respondent: codes as Int64 (Float64 where an item has a `step`; null = no answer), areas and identifiers
        as text, a column of 0/1 for each option of a select-all item, a column for each higher area level, the origin
        (_file, _sheet, _row), and paradata where an export has them, as text: _submitted, _started, _ended, _seconds
        (Int64), _interviewer, _device, _ip (pseudonyms), _outcome, _platform, _team.
    rejected : DataFrame
        file, sheet, row, id, rules, zh, en; one row a rejected row.
    log : DataFrame
        file, sheet, row, id, column, value, rule, action, zh, en, suggestion; one row an event.
    summary : DataFrame
        file, sheet, rows, accepted, rejected, blanked, ignored_columns, sha256 (first 12), platform, team, submitted_first,
        submitted_last, note; rows = accepted + rejected.
    columns : DataFrame
        file, sheet, column, item, how, near, note; one row a column of a file. how: name, alias, label, number, role, option
        or replaces; empty for a column that was not kept.
    by_area, by_interviewer : DataFrame
        value, rows, accepted, rejected, blanked.
    to_correct : DataFrame
        file, sheet, row, id, rules, zh, en, state; one row a row with something rejected or blanked, but for totals and
        repeated files.
    as_read : DataFrame
        The answers of those rows as text, in the order of `to_correct`, personal data masked.
    read : dict of str to str
        SHA-256 of the bytes of every file that was read for all this, by absolute path.
    not_read : DataFrame
        file, zh, en: the files beside the responses that are not read, and why.
    problems : tuple of SatisfactionError
        What a run stops on; empty unless they were loaded to be checked.
    unknown : DataFrame
        Answers that nobody knows, see `wordings.unknown_answers`.
    rejected_answers : DataFrame
        The columns of `accepted` for the rejected rows, but for repeated files and totals, which are no answers.

    Examples
    --------
    >>> responses = sat.load_responses(sat.read_survey("surveys/wave"))
    >>> responses.summary[["file", "rows", "accepted", "rejected"]]
                    file  rows  accepted  rejected
    0  responses/all.csv   120       120         0
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    log: pd.DataFrame
    summary: pd.DataFrame
    columns: pd.DataFrame = field(default_factory=pd.DataFrame)
    by_area: pd.DataFrame = field(default_factory=pd.DataFrame)
    by_interviewer: pd.DataFrame = field(default_factory=pd.DataFrame)
    to_correct: pd.DataFrame = field(default_factory=pd.DataFrame)
    as_read: pd.DataFrame = field(default_factory=pd.DataFrame)
    read: Mapping[str, str] = field(default_factory=dict)
    not_read: pd.DataFrame = field(default_factory=pd.DataFrame)
    problems: tuple[SatisfactionError, ...] = ()
    unknown: pd.DataFrame = field(default_factory=pd.DataFrame)
    rejected_answers: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        counts = f"{len(self.accepted)} accepted, {len(self.rejected)} rejected"
        return f"<Responses: {counts}, {len(self.log)} log entries, {len(self.problems)} problems>"

    def _repr_html_(self) -> str:
        counts = self.summary[["rows", "accepted", "rejected", "blanked"]].sum()
        columns = ["code", "where", "zh", "en"]
        stops = [[getattr(fault, name) for name in columns] for fault in self.problems]
        tables = {
            _("cannot be run"): pd.DataFrame(stops, columns=columns),
            _("not read"): self.not_read,
            _("files"): self.summary,
            _("rules"): self.by_rule,
            _("to correct"): self.to_correct,
        }
        shown: dict[Text | str, pd.DataFrame] = {}
        for title, table in tables.items():
            shown[str(title)] = table
        return card(str(account_line(counts)), tables=shown)

    @property
    def by_rule(self) -> pd.DataFrame:
        """Return the number of events of every rule: rule, action, zh, en, events."""
        events = self.log.groupby(["rule", "action", "zh", "en"]).size()
        return events.rename("events").reset_index()


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows as read, personal data hidden and corrections carried out, with what happened on the way."""

    raw: pd.DataFrame
    entries: tuple[pd.DataFrame, ...]
    reading: Reading
    columns: pd.DataFrame
    read: dict[str, str]


def load_responses(survey: Survey, *, purpose: Purpose = "estimate") -> Responses:
    """Read, check and code all response files of a survey.

    Parameters
    ----------
    survey : Survey
    purpose : {"estimate", "check"}
        "check": what a run would stop on is gathered in `problems` and no error, as long as one file can be read, so that
        everything that is wrong can be seen at once; rows with an unknown area are rejected whatever rules.yaml says.

    Raises
    ------
    InputFileError
        For a file that cannot be read or is empty.
    ResponsesError
        R101 a column is missing, R102 an unknown area code (where rules.yaml says stop), R103 no rows, R104 no row accepted,
        R105 an action a rule cannot have, R106 a column with two meanings, R107-R110 from the corrections log; R300 more
        unknown answers than rules.yaml allows, R305 options in columns that cannot be read, R306 and R307 from wordings.csv;
        R320 files not read that may hold responses, R322 and R323 files with the same respondents' numbers, R327 a scale whose ends seem exchanged, R321 several of
        all these.

    Examples
    --------
    >>> survey = sat.read_survey("surveys/wave")
    >>> sat.load_responses(survey)
    <Responses: 120 accepted, 0 rejected, 0 log entries, 0 problems>
    """
    questionnaire = survey.questionnaire
    rules = compile_rules(survey)
    rows = _read_rows(survey, every_file=purpose == "estimate")
    raw = rows.raw
    tables = ReadTables(raw)
    problems = list(rows.reading.problems)

    plain = normalise(raw, tables, survey)
    coded_areas = code_area_names(plain.table, raw, survey)
    former = former_answers(rows.reading.deliveries, questionnaire)
    filled = crosswalk(coded_areas.table, raw, questionnaire, former=former)
    with recorded() as read:
        worded = exchange_wordings(filled.table, tables, survey)
    text = worded.table
    coded = code_answers(text, survey)
    unknown = unknown_answers(text, coded.table, tables, survey=survey)
    columns = _count_labels(rows.columns, tables, coded.labelled)
    answers = number_rows(coded.table, raw, survey)

    def refuse(check: Callable[[], None]) -> None:
        """Stop at a fault where figures follow; where responses are only looked at, keep it for the list of problems."""
        try:
            check()
        except ResponsesError as fault:
            if purpose == "estimate":
                raise
            problems.append(fault)

    refuse(lambda: refuse_unknown_area(survey, answers, raw))
    refuse(lambda: refuse_repeated_files(answers, raw, text, survey=survey))
    refuse(lambda: refuse_unknown(unknown, survey))
    ruled = apply_rules(rules, answers, raw=raw, text=text, questionnaire=questionnaire)
    steps = (plain, coded_areas, filled, worded, ruled)
    log = account.ordered_log([*rows.entries, *(one for step in steps for one in step.entries)])
    refuse(lambda: account.refuse_nothing_accepted(raw, log))

    answers = ruled.table
    del coded  # else what the rules blanked stands in memory twice
    # the accepted rows and the rejected ones, but for those set aside as a whole, with origin and paradata
    refused = account.rejected_rows(log)
    rows_beside = answers.join(_beside(raw, questionnaire))
    interviews = refused[raw.loc[refused, "_aside"] == ""]
    accepted = with_parents(rows_beside.drop(index=refused), survey).reset_index(drop=True)
    accepted.attrs[CODES] = questionnaire.coded_columns()
    rejected_answers = with_parents(rows_beside.loc[interviews], survey).reset_index(drop=True)
    del rows_beside  # they too
    exchanged = directions(accepted, survey)
    refuse(lambda: refuse_directions(exchanged, survey))
    log = account.ordered_log([log, account.log_notes(exchanged)])
    of_wave = {path: digest for path, digest in read.items() if Path(path) != USUAL}
    return Responses(
        accepted=accepted,
        log=log.reset_index(drop=True),
        columns=columns,
        read=rows.read | of_wave,
        problems=tuple(problems),
        unknown=unknown,
        rejected_answers=rejected_answers,
        **_accounts(survey, rows, log, answers=answers, columns=columns),
    )


def _accounts(
    survey: Survey, rows: _Rows, log: pd.DataFrame, *, answers: pd.DataFrame, columns: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return the accounts of the rows: fields of `Responses` by name."""
    raw = rows.raw
    roles = survey.questionnaire.roles
    faults = account.correctable(log)
    items = list(survey.questionnaire.items)
    interviewers = raw.get("_interviewer")
    if roles.interviewer:
        interviewers = answers[roles.interviewer]
    by_interviewer = pd.DataFrame()
    if interviewers is not None:
        by_interviewer = account.counts_by(raw, log, _without_personal(interviewers))
    by_area = account.counts_by(raw, log, _without_personal(answers[roles.area]))
    as_read = raw.loc[faults.index.unique(), items].map(masked)
    passed = [(unread.file, *unread.why) for unread in rows.reading.unread]
    return {
        "rejected": account.reasons_by_row(log[log["action"] == "reject_row"]),
        "summary": account.summary_table(raw, log, rows.reading.deliveries, columns=columns),
        "by_area": by_area,
        "by_interviewer": by_interviewer,
        "to_correct": account.correctable_table(faults),
        "as_read": as_read.reset_index(drop=True),
        "not_read": pd.DataFrame(passed, columns=["file", "zh", "en"]),
    }


def correct_responses(survey: Survey, corrected: Path, *, by: str, on: datetime.date) -> Corrected:
    """Append what a team has corrected in its workbook to the survey's corrections.csv, and look at the rows again.

    Raises
    ------
    ResponsesError
        As `add_corrections`.
    """
    with locked(survey.folder / CORRECTIONS_FILE):
        raw = _read_rows(survey).raw
        added, repeated = add_corrections(survey, corrected, raw, by=by, on=on)
        if added.empty:
            return Corrected(added, repeated, pd.DataFrame())
        log = load_responses(read_survey(survey.folder), purpose="check").log
    still = log[log["action"].isin(["reject_row", "blank_item", "warn"])]
    if len(still):
        key = ["file", "sheet", "row"]
        corrected_rows = added[key].drop_duplicates()
        still = still.assign(row=still["row"].astype(str)).merge(corrected_rows, on=key)
    return Corrected(added, repeated, still.reset_index(drop=True))


def set_corrections_aside(
    survey: Survey, *, on: datetime.date
) -> tuple[Path, Sequence[SatisfactionError]]:
    """Take the corrections that cannot be replayed out of the log, which stays as it was in a dated file beside it."""
    with locked(survey.folder / CORRECTIONS_FILE):
        return set_aside(survey, _read_rows(survey, corrected=False).raw, on=on)


def check_corrections(survey: Survey) -> int:
    """Return how many corrections the log holds, all of which can be replayed.

    Raises
    ------
    ResponsesError
        R107-R110 for the first that cannot.
    """
    log = pd.concat(_read_rows(survey).entries)
    return int((log["rule"] == "R216").sum())


def _read_rows(survey: Survey, *, corrected: bool = True, every_file: bool = False) -> _Rows:
    """Read all rows, with the corrections carried out unless `corrected` is False.

    What cannot be read is refused where nothing can, or where `every_file` is wanted.
    """
    questionnaire = survey.questionnaire
    with recorded() as read:
        reading = read_deliveries(survey)
        deliveries = reading.deliveries
        if reading.problems and (every_file or not deliveries):
            raise together(reading.problems, where=str(survey.folder))
        tables = [(delivery.file, delivery.export, delivery.sources) for delivery in deliveries]
        tables += [(file, export, {}) for file, export in reading.others]
        titles: dict[str, set[str]] = {}
        for _file, _export, sources in tables:
            for name, source in sources.items():
                of_item = titles.setdefault(name, set())
                of_item.update(column.title for column, _how in source.columns())
        hidden = hide_personal(respondents(deliveries, questionnaire), questionnaire, titles=titles)
        entries = [log_reading(reading), *hidden.entries]
        raw = hidden.table
        if corrected:
            replayed = replay(raw, survey)
            raw = replayed.table
            entries += replayed.entries
    refuse_changed(read)  # some formats are parsed by libraries that open the file themselves
    raw[NO_INTERVIEW] = _without_interview(raw, survey)
    raw[UNSUBMITTED] = _unsubmitted(raw)
    for rule in account.ASIDE:
        aside = raw["_aside"] == rule
        entries.append(log_events(raw, aside, "", values="", rule=rule))
    columns = columns_table(tables, questionnaire)
    return _Rows(raw, tuple(entries), reading, columns, dict(read))


def _without_interview(raw: pd.DataFrame, survey: Survey) -> pd.Series | bool:
    """Tell the rows whose outcome, by the declared map of outcome codes, is no interview: refused, nobody there, not eligible."""
    if survey.outcomes is None or "_outcome" not in raw:
        return False
    dispositions = raw["_outcome"].str.strip().map(survey.outcomes)
    return dispositions.notna() & ~dispositions.isin(INTERVIEWS)


def _unsubmitted(raw: pd.DataFrame) -> pd.Series | bool:
    """Tell the rows of LimeSurvey that nobody submitted: its export holds them unless it is told otherwise."""
    if "_submitted" not in raw:
        return False
    without_time = raw["_submitted"].fillna("").str.strip() == ""
    return (raw["_platform"] == "limesurvey") & without_time


def _count_labels(
    columns: pd.DataFrame, tables: ReadTables, labelled: Mapping[str, pd.Series]
) -> pd.DataFrame:
    """Say beside every matched column how many of its answers were labels in place of codes."""
    labels: dict[tuple[str, str, str], int] = {}
    for name, marked in labelled.items():
        numbers = tables.number[marked.to_numpy()]
        counts = np.bincount(numbers, minlength=len(tables.places))
        for (file, sheet), count in zip(tables.places, counts, strict=True):
            labels[file, sheet, name] = int(count)
    notes = []
    label = _("labels").both
    for column in columns.itertuples():
        labelled_answers = labels.get((column.file, column.sheet, column.item), 0)
        if labelled_answers:
            notes.append(f"{label} × {labelled_answers}")
        else:
            notes.append(column.note)
    return columns.assign(note=notes)


def _without_personal(values: pd.Series) -> pd.Series:
    return map_texts(values.astype(object).where(values.notna(), ""), masked)


def _beside(raw: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Return the origin of each row and its paradata, with pseudonyms for what identifies a device or person."""
    beside = raw.drop(columns=[*questionnaire.items, *OF_ROWS, *ORIGIN])
    paradata = {name: hide_paradata(values, name) for name, values in beside.items()}
    if "_seconds" in paradata:
        seconds = pd.to_numeric(paradata["_seconds"], errors="coerce")
        durations = seconds.where(seconds.abs() < LONGEST)
        paradata["_seconds"] = durations.round().astype("Int64")
    return raw[ORIGIN].assign(**paradata)
