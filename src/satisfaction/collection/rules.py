"""What a row must fulfil, compiled from questionnaire and survey to expressions.

The table they are run on has the coded columns of the questionnaire and, for each item, the text that was read as
`read(item)`. A rule is run after the rules before it have blanked what they blank: on rows read from files
(`apply_rules`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import narwhals as nw
import pandas as pd

from satisfaction.collection.account import RULES, Step, log_events, shown
from satisfaction.collection.identifiers import twins
from satisfaction.collection.wordings import Answers
from satisfaction.declarations.facts import current_areas, names_of_areas
from satisfaction.declarations.items import (
    AreaItem,
    Constraint,
    DateItem,
    MultipleItem,
    NumberItem,
    TextItem,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ResponsesError, place_of
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import Text, _, ngettext

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
    "R223": ("reject_row", "warn"),
    "R224": ("reject_row", "warn"),
    "R226": ("warn", "reject_row"),
}
COMPARED = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
SURPLUS = "_surplus"
REFUSED = "_refused"
NO_INTERVIEW = "_no_interview"
UNSUBMITTED = "_unsubmitted"
ANY_ROW = ""
READ_FROM_TEXT = (
    "R202",
    "R210",
    "R212",
    "R214",
    "R221",
)  # about the answer as it was understood, not as it stood


@dataclass(frozen=True, slots=True, repr=False)
class Rule(Brief):
    """One rule about one item.

    Attributes
    ----------
    id, column : str
        Identifier in `account.RULES`, and the item; empty for the row as a whole.
    action : {"reject_row", "blank_item", "warn"}
    text : Text
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
    text: Text
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
    rule = _Maker(_declared_actions(survey)).rule
    questionnaire = survey.questionnaire
    rules = [*_of_codes(questionnaire, rule), *_of_skips(questionnaire, rule)]
    for name, item in questionnaire.items.items():
        if item.required:
            rules.append(rule("R201", name, _unanswered(questionnaire, name)))
        if isinstance(item, AreaItem) and survey.areas is not None:
            areas = names_of_areas(current_areas(survey.areas, name))
            names = [area.zh for area in areas.values()]
            unknown = _outside(name, list(areas))
            rules.append(rule("R208", name, unknown, near=[*areas, *names]))
    for name, codes in questionnaire.eligibility.items():
        rules.append(rule("R204", name, _outside(name, codes)))
    rules += [rule(id_, name, broken) for id_, name, broken in _against_survey(survey)]
    for constraint in questionnaire.constraints.values():
        left = nw.col(constraint.left)
        right = nw.lit(constraint.right)
        if isinstance(constraint.right, str):
            right = nw.col(constraint.right)
        answered = ~left.is_null() & ~right.is_null()  # unanswered items contradict nothing
        holds = COMPARED[constraint.operator](left, right)
        rules.append(rule("R221", constraint.left, answered & ~holds, constraint=constraint))
    rules.append(rule("R209", ANY_ROW, nw.col(SURPLUS)))
    rules.append(rule("R223", ANY_ROW, nw.col(REFUSED)))
    rules.append(rule("R224", ANY_ROW, nw.col(NO_INTERVIEW)))
    rules.append(rule("R226", ANY_ROW, nw.col(UNSUBMITTED)))
    for name, item in questionnaire.items.items():
        if isinstance(item, TextItem) and item.unique:
            number = nw.col(name)
            repeated = ~number.is_null() & ~number.is_first_distinct()
            rules.append(replace(rule("R203", name, repeated), among_usable=True))
    return rules


def _declared_actions(survey: Survey) -> dict[str, str]:
    """Return the actions that rules.yaml gives rules, by their names; R105."""
    responses = survey.rules.responses
    for id_, declared in responses.actions.items():
        if declared in ALLOWED.get(id_, ()):
            continue
        problem = _("There is no rule '{rule}' whose action can be set.", rule=id_)
        got = id_
        if id_ in ALLOWED:
            problem = _("Rule {rule} cannot be {action}.", rule=id_, action=declared)
            got = declared
        raise ResponsesError(
            "R105",
            problem,
            where=f"{survey.folder / survey.declared.rules}: responses.actions",
            available=ALLOWED.get(id_, ALLOWED),
            got=got,
            hint=_("Use one of those listed, or remove the line."),
        )
    return {"R202": responses.outside_scale} | dict(responses.actions)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes rules with the actions that rules.yaml gives them, and the words that say so."""

    actions: Mapping[str, str]

    def rule(
        self,
        id_: str,
        item: str,
        broken: nw.Expr,
        *,
        near: Sequence[str] = (),
        constraint: Constraint | None = None,
    ) -> Rule:
        """Make a rule that rows break where `broken` holds."""
        action = self.actions.get(id_, RULES[id_].action)
        text = RULES[id_].text(action)
        if constraint is not None:
            text = _(
                "{fault}: {constraint} ({check})",
                fault=text,
                constraint=constraint,
                check=constraint.check,
            )
        return Rule(id_, item, action, text, tuple(near), broken)


def _of_codes(questionnaire: Questionnaire, rule: Callable[..., Rule]) -> Iterator[Rule]:
    """Yield the rules that what was read is an answer of its item."""
    for name, item in questionnaire.items.items():
        if isinstance(item, TextItem | AreaItem):
            continue
        was_read = nw.col(read(name)) != ""
        invalid = _unanswered(questionnaire, name) & was_read
        if isinstance(item, DateItem | NumberItem):
            yield rule("R212", name, invalid)
        else:
            yield rule("R202", name, invalid, near=Answers(questionnaire, name).texts)


def _of_skips(questionnaire: Questionnaire, rule: Callable[..., Rule]) -> Iterator[Rule]:
    """Yield the rules on how many options may be chosen, and on items that a skip rule leaves out."""
    for name, item in questionnaire.items.items():
        if isinstance(item, MultipleItem) and item.max_selected is not None:
            selected = nw.sum_horizontal(*questionnaire.columns(name)[1:])
            yield rule("R214", name, selected > item.max_selected)
        for other, codes in item.asked_if.items():
            answer = nw.col(other)
            not_asked = answer.is_null() | ~answer.is_in(codes)
            yield rule("R210", name, not_asked & ~_unanswered(questionnaire, name))


def _unanswered(questionnaire: Questionnaire, name: str) -> nw.Expr:
    empty = nw.col(*questionnaire.columns(name)).is_null()
    return nw.all_horizontal(empty, ignore_nulls=True)


def _outside(name: str, allowed: list[str] | list[int]) -> nw.Expr:
    answer = nw.col(name)
    return ~answer.is_null() & ~answer.is_in(allowed)


def _against_survey(survey: Survey) -> Iterator[tuple[str, str, nw.Expr]]:
    """Yield what compares an answer with the fielding period and the sample."""
    roles = survey.questionnaire.roles
    fielded = survey.declared.fielded
    if roles.interview_date and fielded:
        day = nw.col(roles.interview_date)
        first = nw.lit(str(fielded.start))
        last = nw.lit(str(fielded.end))
        within = day.is_between(first, last)
        yield "R205", roles.interview_date, ~day.is_null() & ~within
    if roles.psu and survey.sample is not None:
        psu = nw.col(roles.psu)
        sampled = survey.sample[roles.psu]
        is_sampled = psu.is_in(list(sampled)) & ~psu.is_null()
        yield "R206", roles.psu, _outside(roles.psu, list(sampled))
        for name in roles.strata:
            stratum = nw.col(name)
            pair = nw.concat_str(psu, stratum.cast(nw.String), separator="\t")
            pairs = sampled + "\t" + survey.sample[name].astype(str)
            elsewhere = ~stratum.is_null() & ~pair.is_in(list(pairs))
            yield "R207", name, is_sampled & elsewhere


def apply_rules(
    rules: list[Rule],
    coded: pd.DataFrame,
    *,
    raw: pd.DataFrame,
    text: pd.DataFrame,
    questionnaire: Questionnaire,
) -> Step:
    """Run rules in their order; an answer that one blanks is null for those after it. Every row that breaks one is logged.

    Rows set aside as a whole (`raw["_aside"]`) are not looked at.

    Parameters
    ----------
    coded, text, raw : DataFrame
        The coded answers, the texts they were coded from, and the rows as they were read.
    """
    texts = text[list(questionnaire.items)].rename(columns=read)
    table = pd.concat([coded, texts, raw[[SURPLUS, REFUSED, NO_INTERVIEW, UNSUBMITTED]]], axis=1)
    looked_at = raw["_aside"] == ""
    rejected = ~looked_at
    blanked: dict[str, pd.Series] = {}
    entries = []
    for rule in rules:
        rows = table
        if rule.among_usable:
            rows = table.loc[~rejected, [rule.column]]
        marked = nw.from_native(rows, eager_only=True).select(broken=rule.broken)
        marks = marked.to_native()["broken"]
        if marks.dtype != bool:  # what is not known breaks nothing
            marks = marks.astype("boolean").fillna(False).astype(bool)
        if rule.among_usable:
            marks = marks.reindex(table.index, fill_value=False)
        broken = looked_at & marks
        if not broken.any():
            continue
        values: pd.Series | str = ""
        if rule.id in READ_FROM_TEXT:
            values = text[rule.column]
        elif rule.column:
            values = raw[rule.column]
        events = log_events(
            raw,
            broken,
            rule.column,
            values=values,
            rule=rule.id,
            action=rule.action,
            text=rule.text,
            near=rule.suggestion,
        )
        if rule.id == "R203":
            first_places = twins(rows[rule.column], raw)
            events["suggestion"] = first_places.loc[events.index]
        entries.append(events)
        if rule.action == "reject_row":
            rejected |= broken
        elif rule.action == "blank_item":
            for column in questionnaire.columns(rule.column):
                blanked[column] = table[column].mask(broken, None)
                table[column] = blanked[column]
    return Step(coded.assign(**blanked), tuple(entries))


def refuse_unknown_area(survey: Survey, coded: pd.DataFrame, raw: pd.DataFrame) -> None:
    """Refuse the whole where an area code is not valid now, unless rules.yaml says that such rows are rejected.

    Raises
    ------
    ResponsesError
        R102.
    """
    if survey.areas is None or survey.rules.responses.unknown_area == "reject_row":
        return
    for name in survey.questionnaire.items_of(AreaItem):
        codes = coded.loc[raw["_aside"] == "", name].dropna()
        names = names_of_areas(current_areas(survey.areas, name))
        unknown = codes[~codes.isin(list(names))]
        if unknown.empty:
            continue
        code = shown(unknown.iloc[0])
        first = raw.loc[unknown.index[0]]
        hint = _(
            "Correct the code; or write responses: {unknown_area} in rules.yaml to reject these rows.",
            unknown_area="{unknown_area: reject_row}",
        )
        if "successor" in survey.areas:
            successors = survey.areas.set_index("code")["successor"]
            if successor := successors.get(code, ""):
                hint = _(
                    "'{code}' is now '{successor}'. {hint}",
                    code=code,
                    successor=successor,
                    hint=hint,
                )
        row = first["_row"]
        place = place_of(first["_file"], first["_sheet"], f"row {row}", f"column {name}")
        text = _(
            "Row {row}: area code '{code}' is not in the table of areas ({n} in all).",
            row=row,
            code=code,
            n=ngettext("{n:,} row", "{n:,} rows", len(unknown)),
        )
        known = [_("{code} {name}", code=code, name=area) for code, area in names.items()]
        raise ResponsesError("R102", text, where=place, available=known, got=code, hint=hint)
