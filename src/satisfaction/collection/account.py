"""The account of every row: rows read = rows accepted + rows rejected, by file, by area, by interviewer.

The log: what each rule says and does, and an entry for everything that changes, blanks or rejects an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ResponsesError, closest, named_place, shortened
from satisfaction.foundation.language import (
    NOTHING,
    Text,
    _,
    comma_list,
    ngettext,
    pgettext,
    semicolon_list,
)
from satisfaction.foundation.personal import masked

if TYPE_CHECKING:
    from satisfaction.collection.deliveries import Delivery


class Usual(NamedTuple):
    """What a rule usually does with a row or answer, what it says, and how it says what it does."""

    action: str
    fault: Text
    done: Text = NOTHING

    def text(self, action: str) -> Text:
        """Return what it says; without what it usually does where its action is another one."""
        if not self.done or action != self.action:
            return self.fault
        return _("{fault}; {done}", fault=self.fault, done=self.done)


BLANKED_BY_RULE = pgettext("by a rule", "blanked")
RULES: dict[str, Usual] = {
    "R201": Usual("reject_row", _("required item is empty")),
    "R202": Usual("blank_item", _("answer outside the scale"), BLANKED_BY_RULE),
    "R203": Usual("reject_row", _("respondent stands twice"), _("the first is kept")),
    "R204": Usual("reject_row", _("not eligible")),
    "R205": Usual("reject_row", _("interview outside the fielding period")),
    "R206": Usual("reject_row", _("PSU is not in the sample")),
    "R207": Usual("reject_row", _("contradicts the stratum of its PSU in the sample")),
    "R208": Usual("reject_row", _("area code is not in the table of areas")),
    "R209": Usual("reject_row", _("more cells than column names")),
    "R210": Usual(
        "blank_item", _("answered although the skip rule leaves it out"), BLANKED_BY_RULE
    ),
    "R211": Usual("normalised", _("full-width characters written as plain ones")),
    "R212": Usual("blank_item", _("no valid date or number"), BLANKED_BY_RULE),
    "R213": Usual("note", _("the sheet does not have the questionnaire's columns; not read")),
    "R214": Usual("blank_item", _("more options than allowed"), BLANKED_BY_RULE),
    "R215": Usual("reject_row", _("the file is identical to an earlier one")),
    "R216": Usual("corrected", _("corrected as the corrections log says")),
    "R217": Usual("recoded", _("code of an earlier version changed by its crosswalk")),
    "R218": Usual("masked", _("looks like personal data; masked")),
    "R219": Usual("reject_row", _("a row of totals, not a respondent")),
    "R220": Usual("recoded", _("name of an area written as its code")),
    "R324": Usual("note", _("the file is not read")),
    "R221": Usual("warn", _("contradicts the answer to another item")),
    "R222": Usual("note", _("the ends of a scale seem to be exchanged")),
    "R223": Usual("reject_row", _("the interview was rejected in the platform's review")),
    "R224": Usual("reject_row", _("its outcome is no interview")),
    "R301": Usual("note", _("a usual wording of an answer; read as it")),
    "R302": Usual("note", _("read as wordings.csv of the wave says")),
    "R303": Usual("note", _("read as empty; a word for none of a select-all item as none chosen")),
    "R304": Usual("note", _("options of a question in columns of their own; read as one question")),
}
ACTIONS = {
    "reject_row": _("row rejected"),
    "blank_item": _("item blanked"),
    "normalised": _("normalised"),
    "warn": _("warned"),
    "corrected": _("corrected"),
    "recoded": _("recoded"),
    "masked": _("masked"),
    "note": _("note"),
}
NEGATION = frozenset("不没未")
LONGEST = 40
MOST_SUGGESTIONS = 20  # different values a rule for which a near answer is looked for
LOG = ("file", "sheet", "row", "id", "column", "value", "rule", "action", "zh", "en", "suggestion")
SUMMARY = (
    "file", "sheet", "rows", "accepted", "rejected", "blanked", "ignored_columns", "sha256", "platform", "team", "submitted_first",
    "submitted_last", "note",
)  # fmt: skip
DIGEST = 12
ASIDE = ("R215", "R219")  # no answers that a team could correct: the same file again, totals
ROW = ("file", "sheet", "row")
HIDDEN_SHEET = "F316"
HIDDEN_ROWS = "F318"
EXCHANGED = "R222"
TOLD = (HIDDEN_SHEET, HIDDEN_ROWS, EXCHANGED)
REJECTED = _("rejected")
BLANKED = _("answers blanked")


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """A table after one step on the way from files to answers, and the log entries of what the step did."""

    table: pd.DataFrame
    entries: tuple[pd.DataFrame, ...] = ()


class TableNote(NamedTuple):
    """Something said of a table, or of a row of it that no rule decided; `row` is 0 for the table.

    Without a text of its own it is what the rule says.
    """

    file: str
    sheet: str
    row: int
    column: str
    value: str
    rule: str
    text: Text = NOTHING


def log_events(
    raw: pd.DataFrame,
    concerned: pd.Series,
    column: str,
    *,
    values: pd.Series | str,
    rule: str,
    action: str | None = None,
    text: Text | None = None,
    near: Iterable[str] = (),
) -> pd.DataFrame:
    """Build log entries for the rows marked; the index keeps their place in the raw table.

    Parameters
    ----------
    raw : DataFrame
        With _file, _sheet, _row and _id.
    concerned : Series of bool
    column : str
    values : Series or str
        What stood there; masked and cut before it is kept.
    rule : str
        One of `RULES`, whose action and words hold unless `action` and `text` are given.
    near : iterable of str
        What could have been meant; the nearest is proposed.
    """
    action = action or RULES[rule].action
    text = text or RULES[rule].text(action)
    origin = raw.loc[concerned, ["_file", "_sheet", "_row", "_id"]]
    if isinstance(values, str):
        values = pd.Series(values, index=raw.index)
    values = values[concerned].astype(object)
    texts = {value: shown(value) for value in values.unique()}
    suggestions: dict[str, str] = {}
    if near:
        for value in list(texts)[:MOST_SUGGESTIONS]:
            nearest = closest(texts[value], near) or ""
            if not is_opposite(texts[value], nearest):
                suggestions[value] = nearest
    entries = origin.set_axis(["file", "sheet", "row", "id"], axis=1)
    entries["id"] = entries["id"].map(shown)
    return entries.assign(
        column=column,
        value=values.map(texts),
        rule=rule,
        action=action,
        zh=text.zh,
        en=text.en,
        suggestion=values.map(lambda value: suggestions.get(value, "")),
    )


def is_opposite(value: str, answer: str) -> bool:
    """Tell whether of two texts one denies and the other does not."""
    return NEGATION.isdisjoint(value) != NEGATION.isdisjoint(answer)


def log_notes(notes: Iterable[TableNote]) -> pd.DataFrame:
    """Build the entries of notes; one about a row is a warning. The index is no row of the raw table."""
    table = pd.DataFrame(list(notes), columns=list(TableNote._fields))
    texts = [note.text or RULES[note.rule].fault for note in table.itertuples()]
    table["zh"] = [text.zh for text in texts]
    table["en"] = [text.en for text in texts]
    table["action"] = ["warn" if row else "note" for row in table["row"]]
    table["column"] = table["column"].map(masked)
    table["value"] = table["value"].map(shown)
    table.index = pd.Index([-1] * len(table))
    return table.reindex(columns=list(LOG), fill_value="")


class ReadTables:
    """The tables that rows were read from, for what is said of a table and not of its rows.

    Attributes
    ----------
    number : ndarray of int
        The table of each row.
    places : list of (str, str)
        File and sheet of each table.
    looked_at : ndarray of bool
        Rows that are not set aside as a whole.
    """

    def __init__(self, raw: pd.DataFrame) -> None:
        grouped = raw.groupby(["_file", "_sheet"], sort=False)
        self.number = grouped.ngroup().to_numpy()
        self.places = [(str(file), str(sheet)) for file, sheet in grouped.groups]
        self.looked_at = (raw["_aside"] == "").to_numpy()

    def log_words(
        self, column: str, words: pd.Series, meanings: Mapping[str, str], *, rule: str
    ) -> pd.DataFrame:
        """Build one entry a table and word: what it was read as and how often it stands there."""
        concerned = words.isin(list(meanings)).to_numpy() & self.looked_at
        texts = words[concerned].astype(object)
        table_of_text = self.number[concerned]
        counts = texts.groupby([table_of_text, texts], sort=False).size()
        notes = []
        for (table, word), count in counts.items():
            meaning = f" → {meanings[word]}" if meanings[word] else ""
            value = f"{masked(word)}{meaning} × {count}"
            file, sheet = self.places[table]
            notes.append(TableNote(file, sheet, 0, column, value, rule))
        return log_notes(notes)


def shown(value: object) -> str:
    """Return a value as a log or message may show it: what may be personal data is masked, what is long is cut."""
    text = masked(value)
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST] + "…"


def ordered_log(entries: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Bring entries into the order of the rows they concern; the index is their place in the raw table."""
    return pd.concat(entries).sort_index(kind="stable")[list(LOG)]


def rejected_rows(log: pd.DataFrame) -> pd.Index:
    """Return the places of rejected rows in the raw table."""
    rejecting = log[log["action"] == "reject_row"]
    return pd.Index(rejecting.index.unique())


def refuse_nothing_accepted(raw: pd.DataFrame, log: pd.DataFrame) -> None:
    """Refuse responses of which no row is accepted.

    Raises
    ------
    ResponsesError
        R104.
    """
    if len(rejected_rows(log)) < len(raw):
        return
    reasons = log.loc[log["action"] == "reject_row", "rule"].value_counts()
    rows = ngettext("{n:,} row", "{n:,} rows", len(raw))
    raise ResponsesError(
        "R104",
        _("Rejected: {n}, which is all there are.", n=rows),
        where=shortened(sorted(set(raw["_file"]))),
        available=[f"{rule}: {count}" for rule, count in reasons.items()],
        hint=_("Check the files against the rules named."),
    )


def correctable(log: pd.DataFrame) -> pd.DataFrame:
    """Return the entries about answers that a team can correct."""
    of_answers = log[~log["rule"].isin(ASIDE)]
    return of_answers[of_answers["action"].isin(["reject_row", "blank_item"])]


def correctable_table(faults: pd.DataFrame) -> pd.DataFrame:
    """Return one row a row with something rejected or blanked, in the order of the rows, with its state."""
    row_of_fault = [faults[name] for name in ROW]
    rejected = (faults["action"] == "reject_row").groupby(row_of_fault).any()
    state = rejected.map({True: str(REJECTED), False: str(BLANKED)}).astype("str")
    return reasons_by_row(faults).join(state.rename("state"), on=list(ROW))


def reasons_by_row(faults: pd.DataFrame) -> pd.DataFrame:
    """Return one row a row that entries of the log concern: all that is wrong, each reason with the item it concerns.

    Of an item it is said what could have been meant, or where the other row stands.
    """
    if faults.empty:
        return faults[[*ROW, "id"]].assign(rules="", zh="", en="").reset_index(drop=True)
    different = faults.drop_duplicates([*ROW, "column", "rule"])
    texts = []
    for entry in different.itertuples():
        text = Text(entry.zh, entry.en)
        if entry.suggestion and entry.rule == "R203":
            text = _("{fault} (see {place})", fault=text, place=named_place(entry.suggestion))
        elif entry.suggestion:
            text = _("{fault} (did you mean {answer}?)", fault=text, answer=entry.suggestion)
        if entry.column:
            text = _("{item}: {fault}", item=entry.column, fault=text)
        texts.append(text)
    different = different.assign(zh=[text.zh for text in texts], en=[text.en for text in texts])
    by_row = different.groupby(list(ROW), sort=False)
    table = by_row.agg(
        id=("id", "first"),
        rules=("rule", lambda rules: "; ".join(rules.unique())),
        zh=("zh", "；".join),
        en=("en", "; ".join),
    )
    return table.reset_index()


def counts_by(raw: pd.DataFrame, log: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Count rows, accepted, rejected and blanked answers by a grouping of the rows; rows without one stand under ''.

    Rows set aside as a whole (the same file again, totals) are nobody's fault; they stand in the account of the files alone.
    """
    raw = raw[raw["_aside"] == ""]
    blanked = log.index[log["action"] == "blank_item"].value_counts()
    table = pd.DataFrame(index=raw.index)
    known = group.notna()
    table["value"] = group.astype(object).where(known, "").astype(str)
    table["rejected"] = raw.index.isin(rejected_rows(log))
    table["blanked"] = blanked.reindex(raw.index, fill_value=0)
    by_value = table.groupby("value")
    counts = by_value[["rejected", "blanked"]].sum()
    counts.insert(0, "rows", by_value.size())
    counts.insert(1, "accepted", counts["rows"] - counts["rejected"])
    return counts.reset_index()


def summary_table(
    raw: pd.DataFrame, log: pd.DataFrame, deliveries: list[Delivery], *, columns: pd.DataFrame
) -> pd.DataFrame:
    """Return one row a table of respondents: counts, what was not kept, and what is known of the file."""
    table_of_row = [raw["_file"], raw["_sheet"]]
    rejected = pd.Series(raw.index.isin(rejected_rows(log)), index=raw.index)
    counts = rejected.groupby(table_of_row, sort=False).agg(["size", "sum"])
    blanking = log[log["action"] == "blank_item"]
    blanked = blanking.groupby(["file", "sheet"]).size()
    ignored = columns[(columns["item"] == "") & (columns["how"] == "")]
    ignored_titles = ignored.groupby(["file", "sheet"])["column"].agg("; ".join)
    stamps = raw.get("_submitted", pd.Series("", index=raw.index))
    submitted = stamps[stamps != ""].groupby(table_of_row).agg(["min", "max"])
    first_with: dict[str, str] = {}
    rows = []
    for delivery in deliveries:
        key = (delivery.file, delivery.export.sheet)
        read, refused = map(int, counts.loc[key])
        first = last = ""
        if key in submitted.index:
            first, last = submitted.loc[key].str[:10]
        earlier = first_with.setdefault(delivery.digest, delivery.file)
        note = _("identical to {earlier}", earlier=earlier).both if delivery.again else ""
        row = [*key, read, read - refused, refused, int(blanked.get(key, 0))]
        row += [ignored_titles.get(key, ""), delivery.digest[:DIGEST]]
        row += [delivery.export.platform, delivery.team, first, last, note]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(SUMMARY))


def unanswered_areas(survey: Survey, by_area: pd.DataFrame) -> pd.DataFrame:
    """Return the ranked areas without an accepted row.

    Parameters
    ----------
    survey : Survey
    by_area : DataFrame
        As in `Responses`.

    Returns
    -------
    DataFrame
        code, name, parent (its name, empty where the table of areas has none), rows (read, all of them rejected).
    """
    names = survey.area_names()
    parents = survey.parents()
    counts = by_area.set_index("value").reindex(survey.ranked_areas(), fill_value=0)
    absent = counts["rows"][counts["accepted"] == 0]
    rows = []
    for code, read in absent.items():
        parent = names.get(parents.get(code, ""), NOTHING)
        rows.append((code, names[code].zh, parent.zh, int(read)))
    return pd.DataFrame(rows, columns=["code", "name", "parent", "rows"])


def coverage_lines(survey: Survey, unanswered: pd.DataFrame) -> list[Text]:
    """Say how many ranked areas have answers, and name those without, those of one parent in a line."""
    of = len(survey.ranked_areas())
    have = of - len(unanswered)
    lines = [_("{have} of {of} areas have answers", have=have, of=of)]
    names = survey.area_names()
    parents = survey.parents()
    for _parent, group in unanswered.groupby("parent", sort=False):
        absent = []
        for area in group.itertuples():
            name = names[area.code]
            if area.rows:
                name = _("{area} (all of its {rows} rows rejected)", area=name, rows=area.rows)
            absent.append(name)
        areas = comma_list(absent)
        above = parents.get(group["code"].iloc[0], "")
        line = _("without answers: {areas}", areas=areas)
        if above in names:
            line = _("without answers in {parent}: {areas}", parent=names[above], areas=areas)
        lines.append(line)
    return lines


def sample_lines(survey: Survey, accepted: pd.DataFrame) -> list[Text]:
    """Say of how many sampled PSUs there are answers, and name the strata without any; nothing where none is lacking.

    Strata of areas without answers are not named: those areas are.
    """
    roles = survey.questionnaire.roles
    if survey.sample is None or roles.psu is None or accepted.empty:
        return []
    drawn = survey.sample[roles.psu]
    lacking = ~drawn.isin(accepted[roles.psu])
    if not lacking.any():
        return []
    have = len(drawn) - int(lacking.sum())
    lines = [_("{have} of {of} PSUs of the sample have answers", have=have, of=len(drawn))]
    if not roles.strata:
        return lines
    answered = set(accepted[roles.strata].astype(str).itertuples(index=False, name=None))
    areas = set(accepted[roles.area].astype(str))
    silent = []
    for stratum, psus in survey.sample.groupby(roles.strata, sort=False).size().items():
        levels = stratum if isinstance(stratum, tuple) else (stratum,)
        of_area = dict(zip(roles.strata, levels, strict=True)).get(roles.area)
        if levels not in answered and (of_area is None or of_area in areas):
            name = comma_list(_level_names(survey, levels))
            silent.append(
                ngettext("{stratum} ({n} PSU)", "{stratum} ({n} PSUs)", psus, stratum=name)
            )
    if silent:
        strata = semicolon_list(silent)
        lines.append(_("strata without answers, which nobody represents: {strata}", strata=strata))
    return lines


def _level_names(survey: Survey, levels: tuple[str, ...]) -> list[Text]:
    """Return what the levels of a stratum are called: names of areas, labels of answers."""
    names = survey.area_names()
    called = []
    for item, level in zip(survey.questionnaire.roles.strata, levels, strict=True):
        labels = survey.questionnaire.choices(item)
        of_code = {str(code): Text(label.zh, label.en) for code, label in labels.items()}
        called.append(of_code.get(level) or names.get(level) or Text(level))
    return called


def unread_lines(not_read: pd.DataFrame) -> list[Text]:
    """Name the files that are not read, one a line."""
    lines = []
    for passed in not_read.itertuples():
        why = Text(passed.zh, passed.en)
        lines.append(_("not read: {file} ({why})", file=passed.file, why=why))
    return lines


def note_lines(log: pd.DataFrame) -> list[Text]:
    """Say what whoever reads the figures must know of the files, one a line: sheets and rows that a workbook hides and
    that count, scales whose ends seem to be exchanged.
    """
    lines = []
    for note in log[log["rule"].isin(TOLD)].itertuples():
        words = Text(note.zh, note.en)
        parts = [note.file, note.sheet, note.value]
        if note.rule == HIDDEN_ROWS:
            words = _("{words} × {count}", words=words, count=note.value)
            parts.pop()
        place = " ".join(dict.fromkeys(filter(None, parts)))
        lines.append(_("{place}: {note}", place=place, note=words))
    return lines


def account_line(counts: pd.Series) -> Text:
    """Say how many rows were read and what became of them; `counts` by rows, accepted, rejected, blanked."""
    return _(
        "read {rows} = accepted {accepted} + rejected {rejected}; answers blanked {blanked}",
        **counts[["rows", "accepted", "rejected", "blanked"]],
    )
