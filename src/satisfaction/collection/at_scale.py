"""The rules of a survey on a table of coded answers that stays where it lies: counts, and the first rows that break each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import narwhals as nw
import pandas as pd

from satisfaction.collection.log import shown
from satisfaction.collection.rules import SURPLUS, Rule, compile_rules, read
from satisfaction.collection.spelling import Answers
from satisfaction.declarations.items import DateItem, Item, MultipleItem, NumberItem, SingleItem
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.engines import Lazy, fetch, scan
from satisfaction.foundation.errors import ResponsesError

ALONE = ("R210",)  # a skipped question may ask for another: one stage each
EXAMPLES = ("rule", "item", "id", "value")


@dataclass(frozen=True, slots=True, eq=False)
class Validity:
    """What the rules say of a table.

    Attributes
    ----------
    read, accepted, rejected : int
        Rows; read = accepted + rejected.
    table : DataFrame
        One row a rule and item: rule, item, action, rows (that break it), zh, en.
    examples : DataFrame
        rule, item, id, value: the first rows by identifier that break each rule; what may be personal is masked.
    """

    read: int
    accepted: int
    rejected: int
    table: pd.DataFrame
    examples: pd.DataFrame


def check_rows(survey: Survey, table: Any, *, first: int = 5) -> Validity:
    """Run the rules of a survey on coded answers, inside the engine of the table.

    Parameters
    ----------
    survey : Survey
    table : pandas or polars DataFrame, DuckDB relation, PySpark DataFrame, or a path of Parquet files
        One column an item of the questionnaire, codes as numbers (select-all items: one column an option, 0 or 1). Columns of
        items that are not required may be missing.
    first : int
        Example rows a rule.

    Returns
    -------
    Validity
        As the reading of files would decide, rule by rule, what one blanks before the next looks. Nothing is changed. Areas
        outside the table of areas count under R208 (reading files stops there, R102).

    Raises
    ------
    ResponsesError
        R130 for a column of a required item that is not there.
    """
    rows = _prepared(survey, scan(table))
    rules = [
        rule for rule in compile_rules(survey) if rule.id != "R209"
    ]  # surplus cells are a matter of files
    plain, repeated = [r for r in rules if not r.among_usable], [r for r in rules if r.among_usable]
    flagged, flags = _flagged(survey, rows, plain)
    refusing = [flag for flag, rule in flags.items() if rule.action == "reject_row"]
    usable = nw.sum_horizontal(*refusing) == 0 if refusing else nw.lit(True)
    counted = fetch(
        flagged.select(
            nw.len().cast(nw.Int64).alias("_read"),
            usable.cast(nw.Int64).sum().alias("_usable"),
            *(nw.col(flag).sum() for flag in flags),
        )
    )
    counts = {name: int(counted[name].iloc[0] or 0) for name in counted}
    role = survey.questionnaire.roles.respondent
    found = [(rule, counts[flag]) for flag, rule in flags.items()]
    parts = [
        _examples(flagged, nw.col(flag) == 1, rule, id_=role, first=first)
        for flag, rule in flags.items()
        if counts[flag]
    ]
    rejected = counts["_read"] - counts["_usable"]
    for rule in repeated:
        surplus, part = _repeated(flagged.filter(usable), rule, first=first)
        found.append((rule, surplus))
        parts.append(part)
        rejected += surplus if rule.action == "reject_row" else 0
    kept = [
        {"rule": r.id, "item": r.column, "action": r.action, "rows": n, "zh": r.zh, "en": r.en}
        for r, n in found
        if n
    ]
    examples = (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(EXAMPLES))
    )
    table_ = pd.DataFrame(kept, columns=["rule", "item", "action", "rows", "zh", "en"])
    return Validity(counts["_read"], counts["_read"] - rejected, rejected, table_, examples)


def _prepared(survey: Survey, rows: Lazy) -> Lazy:
    """Give every item its coded columns and the text that was read; a code that is no answer is null in the first."""
    questionnaire, there = survey.questionnaire, rows.collect_schema()
    lacking = [
        column for name, item in questionnaire.items.items() if item.required for column in questionnaire.columns(name)[-1:]
        if column not in there
    ]  # fmt: skip
    if lacking:
        raise ResponsesError(
            "R130", f"缺少必答题的列 {lacking}。", f"Columns of required items are missing: {lacking}.", where="check_rows",
            available=there.names(), got=lacking[0], hint=("列名须为题名；先改列名。", "Columns have the items' names: rename them first."),
        )  # fmt: skip
    coded, texts = [], []
    for name, item in questionnaire.items.items():
        for column in questionnaire.columns(name):
            given = (
                nw.col(column)
                if column in there
                else nw.lit(None, dtype=nw.Int64 if _numeric(item) else nw.String)
            )
            coded.append(_valid(survey, name, item, column, given).alias(column))
        shown_as = [
            nw.col(c).cast(nw.String).fill_null("")
            for c in questionnaire.columns(name)
            if c in there
        ]
        texts.append((nw.concat_str(*shown_as) if shown_as else nw.lit("")).alias(read(name)))
    return rows.select(*coded, *texts, nw.lit(False).alias(SURPLUS))


def _numeric(item: Item) -> bool:
    return isinstance(item, SingleItem | MultipleItem | NumberItem)


def _valid(survey: Survey, name: str, item: Item, column: str, given: nw.Expr) -> nw.Expr:
    """Return a coded column, null where its value is no declared answer."""
    if isinstance(item, MultipleItem) and column != name:
        return nw.when(given.is_in([0, 1])).then(given.cast(nw.Int64))
    if isinstance(item, SingleItem | MultipleItem):
        answers = Answers(survey.questionnaire, name)
        codes = (
            answers.special
            if isinstance(item, MultipleItem)
            else {answers.code(code) for code in answers.codes}
        )
        return nw.when(given.is_in(sorted(code for code in codes if code is not None))).then(
            given.cast(nw.Int64)
        )
    if isinstance(item, NumberItem):
        return nw.when((given >= item.low) & (given <= item.high)).then(given)
    return given.cast(nw.String) if isinstance(item, DateItem) else given


def _flagged(survey: Survey, rows: Lazy, rules: Sequence[Rule]) -> tuple[Lazy, dict[str, Rule]]:
    """Add a column of 0 and 1 for every rule, in their order; what a rule blanks is blank for those after it."""
    flags: dict[str, Rule] = {}
    for stage in _stages(rules):
        new = {f"_rule{len(flags) + k}": rule for k, rule in enumerate(stage)}
        marks = [
            nw.when(rule.broken).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64).alias(flag)
            for flag, rule in new.items()
        ]
        rows = rows.with_columns(*marks)
        blanked: dict[str, list[str]] = {}
        for flag, rule in new.items():
            for column in (
                survey.questionnaire.columns(rule.column) if rule.action == "blank_item" else ()
            ):
                blanked.setdefault(column, []).append(flag)
        if blanked:
            kept = {column: nw.sum_horizontal(*by) == 0 for column, by in blanked.items()}
            rows = rows.with_columns(
                *(
                    nw.when(whole).then(nw.col(column)).alias(column)
                    for column, whole in kept.items()
                )
            )
        flags |= new
    return rows, flags


def _stages(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Group rules that do not look at what one another blanks."""
    for _, group in groupby(rules, key=lambda rule: rule.column if rule.id in ALONE else rule.id):
        yield list(group)


def _examples(rows: Lazy, broken: nw.Expr, rule: Rule, *, id_: str, first: int) -> pd.DataFrame:
    """Return the first rows by identifier that break a rule."""
    wanted = [nw.col(id_).cast(nw.String).alias("id"), nw.col(read(rule.column)).alias("value")]
    found = fetch(rows.filter(broken).select(*wanted).sort("id", "value").head(first))
    told = found.assign(
        rule=rule.id, item=rule.column, id=found["id"].map(shown), value=found["value"].map(shown)
    )
    return told[list(EXAMPLES)]


def _repeated(rows: Lazy, rule: Rule, *, first: int) -> tuple[int, pd.DataFrame]:
    """Count the rows beyond the first of every value that should be unique."""
    named = nw.col(rule.column).cast(nw.String).alias("id")
    ones = rows.select(named, nw.lit(1).cast(nw.Int64).alias("times")).filter(
        ~nw.col("id").is_null()
    )
    groups = (
        ones.group_by("id").agg(nw.col("times").sum()).with_columns(nw.col("times").cast(nw.Int64))
    )
    twice = groups.filter(nw.col("times") > 1)
    surplus = fetch(
        twice.select((nw.col("times") - 1).sum().alias("n"), nw.len().cast(nw.Int64).alias("ids"))
    )
    found = fetch(twice.sort("id").head(first))
    told = found.assign(
        rule=rule.id,
        item=rule.column,
        value=found["times"].map("x {}".format),
        id=found["id"].map(shown),
    )
    count = surplus["n"].iloc[0]
    return (0 if pd.isna(count) else int(count)), told[list(EXAMPLES)]
