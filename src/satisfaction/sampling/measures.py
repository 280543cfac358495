"""From a questionnaire to per-respondent values: a valid flag and a whole-number score, as engine expressions.

The only reader of scoring rules. A score is counted in units: 1 for a rate over one item (0 or 1) and for points
0-100, a billionth for means over several items, which are divided as whole numbers and rounded half up. So every
engine gets the same value for the same answers, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add, mul
from typing import Literal

import narwhals as nw

from satisfaction.declarations.items import Index, MultipleItem, Rate, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.engines import Lazy
from satisfaction.foundation.errors import QuestionnaireError
from satisfaction.foundation.yaml import Label

BILLIONTH = 1_000_000_000
LARGEST_DIVISOR = (
    10_000  # keeps 2 x numerator x billion below 2**53, so the division is exact even on doubles
)
Kind = Literal["rate", "score", "index", "column"]


Stage = dict[str, nw.Expr]


@dataclass(frozen=True, slots=True)
class Measure:
    """A per-respondent value, as named columns to be computed in stages, each from the ones before.

    Attributes
    ----------
    name : str
    kind : {"rate", "score", "index", "column"}
        rate: share 0-1; score, index: points 0-100; column: a caller's own column, in its own unit.
    unit : int
        The score is counted in 1/unit.
    stages : tuple of {column: narwhals expression}
        Equal names are equal expressions. Stages keep expressions short: engines repeat a nested one wherever it is used.
        Among the columns are `valid_column` (0/1) and `score_column` (whole number, 0 where not valid); never null.
    label : Label or None
    own : tuple of str
        A caller's columns that it reads.
    """

    name: str
    kind: Kind
    unit: int
    stages: tuple[Stage, ...]
    label: Label | None = None
    own: tuple[str, ...] = ()

    @property
    def valid_column(self) -> str:
        """Return the name of the 0/1 column."""
        return f"_valid__{self.name}"

    @property
    def score_column(self) -> str:
        """Return the name of the score column."""
        return f"_score__{self.name}"


@dataclass(frozen=True, slots=True)
class _Part:
    """One item's contribution: the columns to compute, and the names of its valid flag and of its score in 1/unit."""

    columns: Stage
    valid: str
    score: str
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
    person = {
        name: index for name, index in questionnaire.indices.items() if index.level == "person"
    }
    return (
        *rates,
        *topics,
        *(_index(questionnaire, name, index) for name, index in person.items()),
    )


def column_measure(name: str, *, floating: bool = False, truth: bool = False) -> Measure:
    """Return a caller's own numeric column as a measure; null, and not-a-number in a floating column, are not valid."""
    column = nw.col(name)
    if floating or truth:
        column = column.cast(nw.Float64 if floating else nw.Int64)
    present = ~(column.is_null() | column.is_nan()) if floating else ~column.is_null()
    score = nw.when(present).then(column).otherwise(nw.lit(0))
    return Measure(
        name,
        "column",
        1,
        ({f"_valid__{name}": flag(present), f"_score__{name}": score},),
        own=(name,),
    )


def add_columns(rows: Lazy, measures: Sequence[Measure]) -> Lazy:
    """Compute the valid and score columns of measures, stage by stage."""
    for depth in range(max((len(measure.stages) for measure in measures), default=0)):
        stage: Stage = {}
        for measure in measures:
            stage |= measure.stages[depth] if depth < len(measure.stages) else {}
        rows = rows.with_columns(*(expression.alias(name) for name, expression in stage.items()))
    return rows


def only_where(rows: Lazy, measures: Sequence[Measure], column: str) -> Lazy:
    """Make computed measures not valid, hence their score 0, outside the rows where a column is 1."""
    computed = [
        name for measure in measures for name in (measure.valid_column, measure.score_column)
    ]
    return rows.with_columns(
        *((nw.col(name) * flag(nw.col(column) == 1)).alias(name) for name in computed)
    )


def stored(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Return the measures as columns that are there already: `add_columns` was applied and kept."""
    return tuple(replace(measure, stages=()) for measure in measures)


def flag(condition: nw.Expr) -> nw.Expr:
    """Return 1 where the condition holds, else 0 (also where it is null)."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)


def _rate(questionnaire: Questionnaire, name: str, rate: Rate) -> Measure:
    parts = [_credit(questionnaire, name, item) for item in rate.items]
    label = Label(zh=rate.zh, en=rate.en)
    if len(parts) == 1 and parts[0].unit == 1:
        only = {
            f"_valid__{name}": nw.col(parts[0].valid),
            f"_score__{name}": nw.col(parts[0].score),
        }
        return Measure(name, "rate", 1, (parts[0].columns, only), label)
    common = math.lcm(*(part.unit for part in parts))
    credit = {part.score: common // part.unit for part in parts}
    return _mean(
        name,
        "rate",
        parts,
        credit,
        {part.valid: common for part in parts},
        rate.min_valid_items,
        label,
    )


def _score(questionnaire: Questionnaire, item: str) -> Measure:
    part, declared = _points(questionnaire, item), questionnaire.items[item]
    only = {f"_valid__{item}": nw.col(part.valid), f"_score__{item}": nw.col(part.score)}
    return Measure(item, "score", 1, (part.columns, only), Label(zh=declared.zh, en=declared.en))


def _index(questionnaire: Questionnaire, name: str, index: Index) -> Measure:
    weights = {item: weight for item, weight in index.whole_weights().items() if weight}
    if sum(weights.values()) > LARGEST_DIVISOR:
        raise QuestionnaireError(
            "Q141",
            f"指数 '{name}' 的权重小数位过多，无法精确计算。",
            f"The weights of '{name}' have too many digits for exact sums.",
            where=f"indices.{name}.weights",
            hint=(
                '最多写 4 位小数，或写成 "1/3" 这样的分数。',
                'Use at most 4 digits, or fractions such as "1/3".',
            ),
        )
    parts = {item: _points(questionnaire, item) for item in weights}
    points = {parts[item].score: weight for item, weight in weights.items()}
    present = {parts[item].valid: weight for item, weight in weights.items()}
    return _mean(
        name,
        "index",
        list(parts.values()),
        points,
        present,
        index.min_valid_items,
        Label(zh=index.zh, en=index.en),
    )


def _mean(
    name: str,
    kind: Kind,
    parts: list[_Part],
    scores: dict[str, int],
    present: dict[str, int],
    least: int,
    label: Label,
) -> Measure:
    """Divide weighted sums of columns as whole numbers, in billionths rounded half up, where enough parts are valid."""
    numerator, divisor, valid = f"_numerator__{name}", f"_divisor__{name}", f"_valid__{name}"
    sums = {
        numerator: _sum([nw.col(column) * weight for column, weight in scores.items()]),
        divisor: nw.max_horizontal(
            _sum([nw.col(column) * weight for column, weight in present.items()]), nw.lit(1)
        ),
        valid: flag(_sum([nw.col(column) for column in present]) >= least),
    }
    quotient = (nw.col(numerator) * (2 * BILLIONTH) + nw.col(divisor)) // (nw.col(divisor) * 2)
    score = {f"_score__{name}": quotient.cast(nw.Int64) * nw.col(valid)}
    columns = {column: expression for part in parts for column, expression in part.columns.items()}
    return Measure(name, kind, BILLIONTH, (columns, sums, score), label)


def _credit(questionnaire: Questionnaire, name: str, item: str) -> _Part:
    """Return who is in the denominator of a rate at this item, and the credit earned."""
    rate, declared = questionnaire.rates[name], questionnaire.items[item]
    ways, specials = questionnaire.denominator(item, rate), questionnaire.special(item)
    kept = [code for code, special in specials.items() if ways[special.reason] == "in"]
    if isinstance(declared, MultipleItem):
        answered = flag(~nw.col(option_column(item, next(iter(declared.options)))).is_null())
        credit, unit = _knowledge(item, questionnaire.credited(item, rate))
    else:
        answers = questionnaire.answers(item)
        answered = flag(nw.col(item).is_in(list(answers)))
        counted = rate.counts or [code for code, answer in answers.items() if answer.counts]
        credit, unit = flag(nw.col(item).is_in(counted)), 1
    asked = _asked(questionnaire, item)
    inside = answered + flag(nw.col(item).is_in(kept)) if kept else answered
    if ways["no_answer"] == "in":
        inside = (
            inside + 1 - answered - (flag(nw.col(item).is_in(list(specials))) if specials else 0)
        )
    inside = inside * asked
    if ways["skipped"] == "in":
        inside = inside + 1 - asked
    valid, score = f"_in__{name}__{item}", f"_credit__{name}__{item}"
    return _Part({valid: inside, score: credit * answered * asked}, valid, score, unit)


def _points(questionnaire: Questionnaire, item: str) -> _Part:
    """Return the declared score of an item in points."""
    answers, asked = questionnaire.answers(item), _asked(questionnaire, item)
    points = _sum([flag(nw.col(item) == code) * answer.score for code, answer in answers.items()])
    valid, score = f"_answered__{item}", f"_points__{item}"
    return _Part(
        {valid: flag(nw.col(item).is_in(list(answers))) * asked, score: points * asked},
        valid,
        score,
    )


def _knowledge(item: str, declared: MultipleItem) -> tuple[nw.Expr, int]:
    """Return the credit of a select-all item and its unit (see Knowledge)."""
    assert declared.knowledge is not None
    chosen = {code: flag(nw.col(option_column(item, code)) == 1) for code in declared.options}
    right = _sum([chosen[code] for code, option in declared.options.items() if option.correct])
    wrong = _sum(
        [chosen[code] for code, option in declared.options.items() if not option.correct]
        or [nw.lit(0)]
    )
    correct = sum(bool(option.correct) for option in declared.options.values())
    if declared.knowledge.credit == "share":
        return (right - wrong) * flag(right > wrong), correct
    least = correct if declared.knowledge.credit == "all" else declared.knowledge.least
    allowed = 0 if declared.knowledge.credit == "all" else declared.knowledge.wrong_allowed
    return flag(right >= least) * flag(wrong <= allowed), 1


def _asked(questionnaire: Questionnaire, item: str) -> nw.Expr:
    """Return 1 where the skip rule has the item asked."""
    rules = questionnaire.items[item].asked_if
    return reduce(
        mul, [flag(nw.col(other).is_in(codes)) for other, codes in rules.items()], nw.lit(1)
    )


def _sum(parts: list[nw.Expr]) -> nw.Expr:
    return reduce(add, parts)
