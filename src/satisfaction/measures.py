"""From a questionnaire to per-respondent values: a valid flag and a whole-number score, as engine expressions.

The only reader of scoring rules. A score is counted in units: 1 for a rate over one item (0 or 1) and for points
0-100, a billionth for means over several items, which are divided as whole numbers and rounded half up. So every
engine gets the same value for the same answers, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import Literal

import narwhals as nw

from .errors import QuestionnaireError
from .io.yaml import Label
from .questionnaire import Index, MultipleItem, Questionnaire, Rate

BILLIONTH = 1_000_000_000
LARGEST_DIVISOR = 1_000_000  # keeps every product below 2**63 and every quotient exact even where an engine divides doubles
Kind = Literal["rate", "score", "index", "column"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A per-respondent value.

    Attributes
    ----------
    name : str
    kind : {"rate", "score", "index", "column"}
        rate: share 0-1; score, index: points 0-100; column: a caller's own column, in its own unit.
    unit : int
        The score is counted in 1/unit.
    valid, score : narwhals expressions
        0/1 and a whole number, 0 where not valid; never null.
    label : Label or None
    """

    name: str
    kind: Kind
    unit: int
    valid: nw.Expr
    score: nw.Expr
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """One item's contribution: valid flag, score in 1/unit."""

    valid: nw.Expr
    score: nw.Expr
    unit: int = 1


def compile_measures(questionnaire: Questionnaire) -> tuple[Measure, ...]:
    """Return the person-level measures of a questionnaire: its rates, its topics' scores and its person-level indices.

    Raises
    ------
    QuestionnaireError
        Q141 when an index's weights need more digits than exact arithmetic allows.
    """
    rates = [_rate(questionnaire, name, rate) for name, rate in questionnaire.rates.items()]
    topics = [_score(questionnaire, item) for item in questionnaire.topics]
    person = {name: index for name, index in questionnaire.indices.items() if index.level == "person"}
    return (*rates, *topics, *(_index(questionnaire, name, index) for name, index in person.items()))


def column_measure(name: str) -> Measure:
    """Return a caller's own numeric column as a measure; null is not valid."""
    present = ~nw.col(name).is_null()
    return Measure(name, "column", 1, flag(present), nw.when(present).then(nw.col(name)).otherwise(nw.lit(0)))


def flag(condition: nw.Expr) -> nw.Expr:
    """Return 1 where the condition holds, else 0 (also where it is null)."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)


def _rate(questionnaire: Questionnaire, name: str, rate: Rate) -> Measure:
    parts = [_credit(questionnaire, item, rate) for item in rate.items]
    label = Label(zh=rate.zh, en=rate.en)
    if len(parts) == 1 and parts[0].unit == 1:
        return Measure(name, "rate", 1, parts[0].valid, parts[0].score * parts[0].valid, label)
    common = math.lcm(*(part.unit for part in parts))
    numerator = _sum([part.score * part.valid * (common // part.unit) for part in parts])
    answered = _sum([part.valid for part in parts])
    valid = flag(answered >= rate.min_valid_items)
    return Measure(name, "rate", BILLIONTH, valid, _billionths(numerator, answered * common) * valid, label)


def _score(questionnaire: Questionnaire, item: str) -> Measure:
    part, declared = _points(questionnaire, item), questionnaire.items[item]
    return Measure(item, "score", 1, part.valid, part.score, Label(zh=declared.zh, en=declared.en))


def _index(questionnaire: Questionnaire, name: str, index: Index) -> Measure:
    weights = index.whole_weights()
    if sum(weights.values()) > LARGEST_DIVISOR:
        raise QuestionnaireError(
            "Q141", f"指数 '{name}' 的权重小数位过多，无法精确计算。", f"The weights of '{name}' have too many digits for exact sums.",
            where=f"indices.{name}.weights", hint=('最多写 6 位小数，或写成 "1/3" 这样的分数。', 'Use at most 6 digits, or fractions such as "1/3".'),
        )  # fmt: skip
    parts = {item: _points(questionnaire, item) for item in weights}
    numerator = _sum([parts[item].score * weight for item, weight in weights.items()])
    divisor = _sum([parts[item].valid * weight for item, weight in weights.items()])
    weighing = [part.valid for item, part in parts.items() if weights[item]]
    valid = flag(_sum(weighing) >= index.min_valid_items)
    label = Label(zh=index.zh, en=index.en)
    return Measure(name, "index", BILLIONTH, valid, _billionths(numerator, divisor) * valid, label)


def _billionths(numerator: nw.Expr, divisor: nw.Expr) -> nw.Expr:
    """Divide whole numbers into billionths, rounded half up; 0 where the divisor is 0."""
    safe = nw.when(divisor > 0).then(divisor).otherwise(nw.lit(1)).cast(nw.Int64)
    whole = (numerator // safe).cast(nw.Int64)
    rest = numerator - whole * safe
    return whole * BILLIONTH + ((rest * (2 * BILLIONTH) + safe) // (safe * 2)).cast(nw.Int64)


def _credit(questionnaire: Questionnaire, item: str, rate: Rate) -> _Part:
    """Return who is in the denominator of a rate at this item, and the credit earned."""
    ways = questionnaire.denominator(item, rate)
    kept = [code for code, special in questionnaire.special(item).items() if ways[special.reason] == "in"]
    declared, asked = questionnaire.items[item], _asked(questionnaire, item)
    if isinstance(declared, MultipleItem):
        answered = flag(~nw.col(option_column(item, next(iter(declared.options)))).is_null())
        score, unit = _knowledge(item, declared)
    else:
        answers = questionnaire.answers(item)
        answered = flag(nw.col(item).is_in(list(answers)))
        counted = rate.counts or [code for code, answer in answers.items() if answer.counts]
        score, unit = flag(nw.col(item).is_in(counted)), 1
    special = flag(nw.col(item).is_in(list(questionnaire.special(item)))) if questionnaire.special(item) else nw.lit(0)
    inside = answered + flag(nw.col(item).is_in(kept)) if kept else answered
    if ways["no_answer"] == "in":
        inside = inside + (nw.lit(1) - answered - special)
    inside = inside * asked
    if ways["skipped"] == "in":
        inside = inside + (nw.lit(1) - asked)
    return _Part(inside, score * answered * asked, unit)


def _points(questionnaire: Questionnaire, item: str) -> _Part:
    """Return the declared score of an item in points."""
    answers = questionnaire.answers(item)
    valid = flag(nw.col(item).is_in(list(answers))) * _asked(questionnaire, item)
    return _Part(valid, _sum([flag(nw.col(item) == code) * answer.score for code, answer in answers.items()]) * valid)


def _knowledge(item: str, declared: MultipleItem) -> tuple[nw.Expr, int]:
    """Return the credit of a select-all item and its unit (see Knowledge)."""
    assert declared.knowledge is not None
    chosen = {code: flag(nw.col(option_column(item, code)) == 1) for code in declared.options}
    right = _sum([chosen[code] for code, option in declared.options.items() if option.correct])
    wrong = _sum([chosen[code] for code, option in declared.options.items() if not option.correct] or [nw.lit(0)])
    correct = sum(bool(option.correct) for option in declared.options.values())
    if declared.knowledge.credit == "share":
        return (right - wrong) * flag(right > wrong), correct
    least = correct if declared.knowledge.credit == "all" else declared.knowledge.least
    allowed = 0 if declared.knowledge.credit == "all" else declared.knowledge.wrong_allowed
    return flag(right >= least) * flag(wrong <= allowed), 1


def _asked(questionnaire: Questionnaire, item: str) -> nw.Expr:
    """Return 1 where the skip rule has the item asked."""
    rules = questionnaire.items[item].asked_if
    return reduce(mul, [flag(nw.col(other).is_in(codes)) for other, codes in rules.items()], nw.lit(1))


def option_column(item: str, code: int) -> str:
    """Return the column that holds 1 where an option of a select-all item was chosen, 0 where not, null if unanswered."""
    return f"{item}_{code}"


def _sum(parts: list[nw.Expr]) -> nw.Expr:
    return reduce(add, parts)
