"""What a row must fulfil, compiled from questionnaire and survey to expressions that a dataframe engine can run.

The table they are run on has the coded columns of the questionnaire and, for each item, the text that was read as
`read(item)`. A rule is run after the rules before it have blanked what they blank.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace

import narwhals as nw
import pandas as pd

from satisfaction.collection.identifiers import twins
from satisfaction.collection.log import RULES, log_events, said, shown
from satisfaction.collection.spelling import Answers
from satisfaction.declarations.items import (
    AreaItem,
    Constraint,
    DateItem,
    Item,
    MultipleItem,
    NumberItem,
    SingleItem,
    TextItem,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ResponsesError, number_of

ALLOWED: dict[str, tuple[str, ...]] = {
    "R201": ("reject_row",),
    "R202": ("blank_item", "reject_row"),
    "R203": ("reject_row", "warn"),
    "R204": ("reject_row", "warn"),
    "R205": ("reject_row", "warn"),
    "R206": ("reject_row",),
    "R207": ("reject_row", "warn"),
    "R208": ("reject_row",),
    "R209": ("reject_row", "warn"),
    "R210": ("blank_item", "reject_row", "warn"),
    "R212": ("blank_item", "reject_row"),
    "R214": ("blank_item", "reject_row", "warn"),
    "R221": ("warn", "blank_item", "reject_row"),
}
COMPARED = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
SURPLUS, ANY_ROW = "_surplus", ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about one item.

    Attributes
    ----------
    id, column : str
        Identifier in `events.RULES`, and the item; empty for the row as a whole.
    action : {"reject_row", "blank_item", "warn"}
    zh, en : str
        What is wrong where it is broken.
    suggestion : tuple of str
        What may stand there; the nearest is proposed.
    broken : narwhals.Expr
        True for the rows that break it.
    among_usable : bool
        Whether it compares rows, so that rejected ones are left out before it is run.
    """

    id: str
    column: str
    action: str
    zh: str
    en: str
    suggestion: tuple[str, ...]
    broken: nw.Expr
    among_usable: bool = False


def read(item: str) -> str:
    """Return the column that holds an item's text as it was read."""
    return f"read:{item}"


def compile_rules(survey: Survey) -> list[Rule]:
    """Compile all rules of a survey, in the order they are run.

    Raises
    ------
    ResponsesError
        R105 for an action that a rule cannot have, or a rule that is none.
    """
    questionnaire = survey.questionnaire
    chosen = {"R202": survey.rules.responses.outside_scale} | dict(survey.rules.responses.actions)
    _check_actions(survey)

    def rule(
        id_: str,
        column: str,
        broken: nw.Expr,
        near: tuple[str, ...] = (),
        *,
        among_usable: bool = False,
    ) -> Rule:
        action = chosen.get(id_, RULES[id_][0])
        return Rule(id_, column, action, *said(id_, action), near, broken, among_usable)

    rules = [
        rule(_validity(item), name, _invalid(questionnaire, name), _texts(questionnaire, name))
        for name, item in _coded(questionnaire)
    ]
    for name, item in questionnaire.items.items():
        if isinstance(item, MultipleItem) and item.max_selected is not None:
            rules.append(
                rule(
                    "R214",
                    name,
                    nw.sum_horizontal(*questionnaire.columns(name)[1:]) > item.max_selected,
                )
            )
        answered = ~_unanswered(questionnaire, name)
        for other, codes in item.asked_if.items():
            rules.append(
                rule(
                    "R210", name, (nw.col(other).is_null() | ~nw.col(other).is_in(codes)) & answered
                )
            )
    for name, item in questionnaire.items.items():
        if item.required:
            rules.append(rule("R201", name, _unanswered(questionnaire, name)))
        if isinstance(item, AreaItem) and survey.areas is not None:
            current = valid_areas(survey, name)
            names = [survey.area_names()[code].zh for code in current]
            rules.append(rule("R208", name, _outside(name, current), (*current, *names)))
    rules += [
        rule("R204", name, _outside(name, codes))
        for name, codes in questionnaire.eligibility.items()
    ]
    rules += [rule(id_, name, broken) for id_, name, broken in _against_survey(survey)]
    rules += [
        _with_words(rule("R221", one.left, _contradicts(one)), one)
        for one in questionnaire.constraints.values()
    ]
    rules.append(rule("R209", ANY_ROW, nw.col(SURPLUS)))
    for name, item in questionnaire.items.items():
        if isinstance(item, TextItem) and item.unique:
            twice = ~nw.col(name).is_null() & ~nw.col(name).is_first_distinct()
            rules.append(rule("R203", name, twice, among_usable=True))
    return rules


def _coded(questionnaire: Questionnaire) -> Iterator[tuple[str, Item]]:
    """Yield the items whose text may be no answer."""
    return (
        (name, item)
        for name, item in questionnaire.items.items()
        if not isinstance(item, TextItem | AreaItem)
    )


def _validity(item: Item) -> str:
    return "R212" if isinstance(item, DateItem | NumberItem) else "R202"


def _unanswered(questionnaire: Questionnaire, name: str) -> nw.Expr:
    return nw.all_horizontal(
        *(nw.col(column).is_null() for column in questionnaire.columns(name)), ignore_nulls=True
    )


def _invalid(questionnaire: Questionnaire, name: str) -> nw.Expr:
    return _unanswered(questionnaire, name) & (nw.col(read(name)) != "")


def _texts(questionnaire: Questionnaire, name: str) -> tuple[str, ...]:
    item = questionnaire.items[name]
    return Answers(questionnaire, name).texts if isinstance(item, SingleItem | MultipleItem) else ()


def _outside(name: str, allowed: list[str] | list[int]) -> nw.Expr:
    return ~nw.col(name).is_null() & ~nw.col(name).is_in(allowed)


def valid_areas(survey: Survey, level: str) -> list[str]:
    """Return the codes of a level that are valid now."""
    assert survey.areas is not None
    return list(
        survey.areas.loc[
            (survey.areas["level"] == level) & (survey.areas["valid_to"] == ""), "code"
        ]
    )


def _against_survey(survey: Survey) -> Iterator[tuple[str, str, nw.Expr]]:
    """Yield what compares an answer with the fielding period and the sample."""
    roles, fielded = survey.questionnaire.roles, survey.declared.fielded
    if roles.interview_date and fielded:
        day = nw.col(roles.interview_date)
        yield (
            "R205",
            roles.interview_date,
            ~day.is_null() & ~day.is_between(nw.lit(str(fielded.start)), nw.lit(str(fielded.end))),
        )
    if roles.psu and survey.sample is not None:
        sample, psu = survey.sample, nw.col(roles.psu)
        yield "R206", roles.psu, _outside(roles.psu, list(sample[roles.psu]))
        for name in roles.strata:
            own = nw.concat_str(psu, nw.col(name).cast(nw.String), separator="\t")
            pairs = list(sample[roles.psu] + "\t" + sample[name].astype(str))
            there = psu.is_in(list(sample[roles.psu])) & ~psu.is_null() & ~nw.col(name).is_null()
            yield "R207", name, there & ~own.is_in(pairs)


def _contradicts(one: Constraint) -> nw.Expr:
    """Return whether a comparison between two answers does not hold; unanswered items contradict nothing."""
    left = nw.col(one.left)
    right = nw.lit(one.right) if isinstance(one.right, int) else nw.col(one.right)
    broken: nw.Expr = ~left.is_null() & ~right.is_null() & ~COMPARED[one.operator](left, right)
    return broken


def _with_words(rule: Rule, one: Constraint) -> Rule:
    """Say what a comparison means, in the questionnaire's own words."""
    return replace(
        rule, zh=f"{rule.zh}: {one.zh}（{one.check}）", en=f"{rule.en}: {one.en} ({one.check})"
    )


def _check_actions(survey: Survey) -> None:
    for id_, action in survey.rules.responses.actions.items():
        if action not in ALLOWED.get(id_, ()):
            there = id_ in ALLOWED
            raise ResponsesError(
                "R105",
                f"规则 {id_} 不能设为 {action}。" if there else f"没有可设置的规则 '{id_}'。",
                f"Rule {id_} cannot be {action}."
                if there
                else f"There is no rule '{id_}' whose action can be set.",
                where=f"{survey.folder / survey.declared.rules}: responses.actions",
                available=ALLOWED[id_] if there else tuple(ALLOWED),
                got=action if there else id_,
                hint=("改为上列之一，或删去该行。", "Use one of those listed, or remove the line."),
            )


def apply_rules(
    rules: list[Rule],
    coded: pd.DataFrame,
    *,
    raw: pd.DataFrame,
    text: pd.DataFrame,
    questionnaire: Questionnaire,
    events: list[pd.DataFrame],
) -> None:
    """Run rules in their order; blanks answers of `coded` in place and logs every row that breaks a rule.

    Rows set aside as a whole (`raw["_aside"]`) are not looked at.
    """
    answers = text[list(questionnaire.items)].rename(columns=read)
    table = pd.concat([coded, answers, raw[[SURPLUS]]], axis=1)
    looked_at = raw["_aside"] == ""
    refused = ~looked_at
    nothing = pd.Series("", index=raw.index)
    for rule in rules:
        rows = table[~refused] if rule.among_usable else table
        found = (
            nw.from_native(rows, eager_only=True).select(broken=rule.broken).to_native()["broken"]
        )
        wrong = (
            found.astype("boolean")
            .fillna(False)
            .reindex(table.index, fill_value=False)
            .astype(bool)
        )
        wrong &= looked_at
        if not wrong.any():
            continue
        values = _shown_values(rule, raw, text) if rule.column else nothing
        words = (rule.zh, rule.en)
        entries = log_events(
            raw,
            wrong,
            rule.column,
            values=values,
            rule=rule.id,
            action=rule.action,
            text=words,
            near=rule.suggestion,
        )
        if rule.id == "R203":
            entries["suggestion"] = twins(rows[rule.column], raw).loc[entries.index]
        events.append(entries)
        if rule.action == "reject_row":
            refused |= wrong
        elif rule.action == "blank_item":
            for column in questionnaire.columns(rule.column):
                coded[column] = table[column] = table[column].mask(wrong, None)


def _shown_values(rule: Rule, raw: pd.DataFrame, text: pd.DataFrame) -> pd.Series:
    """Return the item as it was read for what concerns the row, as it was understood for what concerns the answer."""
    return (text if rule.id in ("R202", "R210", "R212", "R214", "R221") else raw)[rule.column]


def stop_on_unknown_area(survey: Survey, coded: pd.DataFrame, raw: pd.DataFrame) -> None:
    """Refuse the whole where an area code is not valid now, unless rules.yaml says that such rows are rejected.

    Raises
    ------
    ResponsesError
        R102.
    """
    if survey.areas is None or survey.rules.responses.unknown_area == "reject_row":
        return
    for name in (
        name for name, item in survey.questionnaire.items.items() if isinstance(item, AreaItem)
    ):
        wrong = (
            coded[name].notna()
            & ~coded[name].isin(valid_areas(survey, name))
            & (raw["_aside"] == "")
        )
        if wrong.any():
            raise _unknown_area(survey, name, coded.loc[wrong, name].iloc[0], raw[wrong])


def _unknown_area(survey: Survey, name: str, value: str, wrong: pd.DataFrame) -> ResponsesError:
    assert survey.areas is not None
    code, first = shown(value), wrong.iloc[0]
    current = survey.areas[(survey.areas["level"] == name) & (survey.areas["valid_to"] == "")]
    successor = dict(
        zip(survey.areas["code"], survey.areas.get("successor", ""), strict=False)
    ).get(code)
    return ResponsesError(
        "R102",
        f"第 {first['_row']} 行的地区代码 '{code}' 不在地区表中（共 {len(wrong)} 行）。",
        f"Row {first['_row']}: area code '{code}' is not in the table of areas ({number_of(len(wrong), 'row')} in all).",
        where=" ".join(
            filter(
                None, (first["_file"], first["_sheet"], f"row {first['_row']}", f"column {name}")
            )
        ),
        available=[f"{c} {n}" for c, n in zip(current["code"], current["name"], strict=True)],
        got=code,
        hint=(
            (f"'{code}' 现为 '{successor}'。 " if successor else "")
            + "改正代码；或在 rules.yaml 中写 responses: {unknown_area: reject_row} 以拒收这些行。",
            (f"'{code}' is now '{successor}'. " if successor else "")
            + "Correct the code; or write responses: {unknown_area: reject_row} in rules.yaml to reject these rows.",
        ),
    )
