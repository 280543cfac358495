"""From a questionnaire to per-respondent values: a valid flag and a whole-number score, as engine expressions.

The only reader of scoring rules. A score is counted in units: 1 for a rate over one item (0 or 1) and for points
0-100, a billionth for means over several items, which are divided as whole numbers and rounded half up. So every
engine gets the same value for the same answers, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import zip_longest
from operator import add
from typing import Literal

import narwhals as nw

from satisfaction.declarations.items import Index, MultipleItem, Rate, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.engines import Lazy
from satisfaction.foundation.errors import QuestionnaireError
from satisfaction.foundation.language import Text, _

BILLIONTH = 1_000_000_000
# keeps 2 x numerator x billion below 2**53, so the division is exact even on doubles
LARGEST_DIVISOR = 10_000
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
    label : Text or None
    own : tuple of str
        A caller's columns that it reads.
    """

    name: str
    kind: Kind
    unit: int
    stages: tuple[Stage, ...] = field(repr=False)
    label: Text | None = None
    own: tuple[str, ...] = ()

    @property
    def valid_column(self) -> str:
        """Return the name of the 0/1 column."""
        return f"_valid__{self.name}"

    @property
    def score_column(self) -> str:
        """Return the name of the score column."""
        return f"_score__{self.name}"


def compile_measures(questionnaire: Questionnaire) -> tuple[Measure, ...]:
    """Return the person-level measures of a questionnaire: its rates, its topics' scores and its person-level indices.

    Raises
    ------
    QuestionnaireError
        Q141 when an index's weights need more digits than exact arithmetic allows.

    Examples
    --------
    >>> questionnaire = sat.read_questionnaire("questionnaires/small/1.yaml")
    >>> {measure.name: measure.kind for measure in sat.compile_measures(questionnaire)}
    {'awareness': 'rate', 'participation': 'rate', 'satisfaction': 'rate', 'streets': 'score',
     'parks': 'score', 'safety': 'score', 'topic_index': 'index'}
    """
    measures = [_rate(questionnaire, name, rate) for name, rate in questionnaire.rates.items()]
    measures += [_score(questionnaire, item) for item in questionnaire.topics]
    for name, index in questionnaire.indices.items():
        if index.level == "person":
            measures.append(_index(questionnaire, name, index))
    return tuple(measures)


def column_measure(name: str, *, floating: bool = False, truth: bool = False) -> Measure:
    """Return a caller's own numeric column as a measure; null, and not-a-number in a floating column, are not valid."""
    column = nw.col(name)
    missing = column.is_null()
    if floating:
        column = column.cast(nw.Float64)
        missing = column.is_null() | column.is_nan()
    elif truth:
        column = column.cast(nw.Int64)
    columns = {
        f"_valid__{name}": flag(~missing),
        f"_score__{name}": nw.when(~missing).then(column).otherwise(nw.lit(0)),
    }
    return Measure(name, "column", 1, (columns,), own=(name,))


def add_columns(rows: Lazy, measures: Sequence[Measure]) -> Lazy:
    """Compute the valid and score columns of measures, stage by stage."""
    for stages in zip_longest(*(measure.stages for measure in measures), fillvalue={}):
        columns: Stage = {}
        for stage in stages:
            columns |= stage
        rows = rows.with_columns(*(expression.alias(name) for name, expression in columns.items()))
    return rows


def only_where(rows: Lazy, measures: Sequence[Measure], column: str) -> Lazy:
    """Make computed measures not valid, hence their score 0, outside the rows where a column is 1."""
    inside = flag(nw.col(column) == 1)
    columns = []
    for measure in measures:
        for name in (measure.valid_column, measure.score_column):
            columns.append((nw.col(name) * inside).alias(name))
    return rows.with_columns(*columns)


def stored(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Return the measures as columns that are there already: `add_columns` was applied and kept."""
    return tuple(replace(measure, stages=()) for measure in measures)


def flag(condition: nw.Expr) -> nw.Expr:
    """Return 1 where the condition holds, else 0 (also where it is null)."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)


@dataclass(frozen=True, slots=True)
class _Part:
    """One item's contribution: the columns to compute, and the names of its valid flag and of its score in 1/unit."""

    columns: Stage
    valid: str
    score: str
    unit: int = 1


def _rate(questionnaire: Questionnaire, name: str, rate: Rate) -> Measure:
    parts = [_credit(questionnaire, rate, name, item) for item in rate.items]
    label = Text(zh=rate.zh, en=rate.en)
    if len(parts) == 1 and parts[0].unit == 1:
        return _single(name, "rate", parts[0], label)
    common = math.lcm(*(part.unit for part in parts))
    credits = [common // part.unit for part in parts]
    presence = [common] * len(parts)
    least = rate.min_valid_items
    return _mean(name, "rate", label, parts, scores=credits, presence=presence, least=least)


def _score(questionnaire: Questionnaire, item: str) -> Measure:
    declared = questionnaire.items[item]
    label = Text(zh=declared.zh, en=declared.en)
    return _single(item, "score", _points(questionnaire, item), label)


def _index(questionnaire: Questionnaire, name: str, index: Index) -> Measure:
    weights = {item: weight for item, weight in index.whole_weights().items() if weight}
    if sum(weights.values()) > LARGEST_DIVISOR:
        raise QuestionnaireError(
            "Q141",
            _("The weights of '{name}' have too many digits for exact sums.", name=name),
            where=f"indices.{name}.weights",
            hint=_('Use at most 4 digits, or fractions such as "1/3".'),
        )
    parts = [_points(questionnaire, item) for item in weights]
    whole = list(weights.values())
    label = Text(zh=index.zh, en=index.en)
    least = index.min_valid_items
    return _mean(name, "index", label, parts, scores=whole, presence=whole, least=least)


def _single(name: str, kind: Kind, part: _Part, label: Text) -> Measure:
    """Return the measure that is one item's score."""
    only = {f"_valid__{name}": nw.col(part.valid), f"_score__{name}": nw.col(part.score)}
    return Measure(name, kind, 1, (part.columns, only), label)


def _mean(
    name: str,
    kind: Kind,
    label: Text,
    parts: list[_Part],
    *,
    scores: list[int],
    presence: list[int],
    least: int,
) -> Measure:
    """Divide weighted sums of columns as whole numbers, in billionths rounded half up, where enough parts are valid.

    Parameters
    ----------
    scores, presence : list of int
        What a part's score counts in the numerator, its valid flag in the divisor.
    least : int
        Valid parts that are needed.
    """
    numerator = f"_numerator__{name}"
    divisor = f"_divisor__{name}"
    valid = f"_valid__{name}"
    columns: Stage = {}
    for part in parts:
        columns |= part.columns
    present = [nw.col(part.valid) for part in parts]
    weighted = [nw.col(part.score) * weight for part, weight in zip(parts, scores, strict=True)]
    counted = [column * weight for column, weight in zip(present, presence, strict=True)]
    sums = {
        numerator: _sum(weighted),
        divisor: nw.max_horizontal(_sum(counted), nw.lit(1)),
        valid: flag(_sum(present) >= least),
    }
    quotient = (nw.col(numerator) * (2 * BILLIONTH) + nw.col(divisor)) // (nw.col(divisor) * 2)
    score = {f"_score__{name}": quotient.cast(nw.Int64) * nw.col(valid)}
    return Measure(name, kind, BILLIONTH, (columns, sums, score), label)


def _credit(questionnaire: Questionnaire, rate: Rate, name: str, item: str) -> _Part:
    """Return who is in the denominator of a rate at this item, and the credit earned."""
    declared = questionnaire.items[item]
    ways = questionnaire.denominator(item, rate)
    specials = questionnaire.special(item)
    unit = 1
    if isinstance(declared, MultipleItem):
        first_option = nw.col(option_column(item, next(iter(declared.options))))
        answered = flag(~first_option.is_null())
        credit, unit = _knowledge(item, questionnaire.credited(item, rate))
    else:
        answers = questionnaire.answers(item)
        answered = flag(nw.col(item).is_in(list(answers)))
        counted = rate.counts or [code for code, answer in answers.items() if answer.counts]
        credit = flag(nw.col(item).is_in(counted))
    asked = _asked(questionnaire, item)
    inside = answered
    special_inside = [code for code, special in specials.items() if ways[special.reason] == "in"]
    if special_inside:
        inside = inside + flag(nw.col(item).is_in(special_inside))
    if ways["no_answer"] == "in":
        inside = inside + 1 - answered
        if specials:
            inside = inside - flag(nw.col(item).is_in(list(specials)))
    inside = inside * asked
    if ways["skipped"] == "in":
        inside = inside + 1 - asked
    valid = f"_in__{name}__{item}"
    score = f"_credit__{name}__{item}"
    return _Part({valid: inside, score: credit * answered * asked}, valid, score, unit)


def _points(questionnaire: Questionnaire, item: str) -> _Part:
    """Return the declared score of an item in points."""
    answers = questionnaire.answers(item)
    asked = _asked(questionnaire, item)
    answered = flag(nw.col(item).is_in(list(answers)))
    points = _sum([flag(nw.col(item) == code) * answer.score for code, answer in answers.items()])
    valid = f"_answered__{item}"
    score = f"_points__{item}"
    return _Part({valid: answered * asked, score: points * asked}, valid, score)


def _knowledge(item: str, declared: MultipleItem) -> tuple[nw.Expr, int]:
    """Return the credit of a select-all item and its unit (see Knowledge)."""
    assert declared.knowledge is not None
    right: list[nw.Expr] = []
    wrong: list[nw.Expr] = []
    for code, option in declared.options.items():
        chosen = flag(nw.col(option_column(item, code)) == 1)
        (right if option.correct else wrong).append(chosen)
    rights = _sum(right)
    wrongs = _sum(wrong or [nw.lit(0)])
    if declared.knowledge.credit == "share":
        return (rights - wrongs) * flag(rights > wrongs), len(right)
    if declared.knowledge.credit == "all":
        return flag(rights >= len(right)) * flag(wrongs <= 0), 1
    least = declared.knowledge.least
    return flag(rights >= least) * flag(wrongs <= declared.knowledge.wrong_allowed), 1


def _asked(questionnaire: Questionnaire, item: str) -> nw.Expr:
    """Return 1 where the skip rule has the item asked."""
    asked = nw.lit(1)
    for other, codes in questionnaire.items[item].asked_if.items():
        asked = asked * flag(nw.col(other).is_in(codes))
    return asked


def _sum(parts: list[nw.Expr]) -> nw.Expr:
    return reduce(add, parts)
