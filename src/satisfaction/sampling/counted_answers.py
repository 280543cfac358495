"""Which answers count: in the denominator of a rate (don't know, refused, not asked), in its numerator, and what they score.

A questionnaire declares it; here it becomes a valid flag and a whole-number score of every respondent, as engine
expressions. The only reader of scoring rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import narwhals as nw
import numpy as np

from satisfaction.declarations.items import Index, MultipleItem, Rate, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import QuestionnaireError
from satisfaction.foundation.language import Text, _
from satisfaction.sampling.measures import BILLIONTH, Kind, Measure, PersonScores, Stage, flag
from satisfaction.sampling.variance import Array

# keeps 2 x numerator x billion below 2**53, so the division is exact even on doubles
LARGEST_DIVISOR = 10_000


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


def compile_rate(questionnaire: Questionnaire, name: str) -> Measure:
    """Return one rate of a questionnaire as a measure."""
    return _rate(questionnaire, name, questionnaire.rates[name])


def score_from_points(name: str, index: Index, *, valid: Array, points: Array) -> PersonScores:
    """Return a person-level index of n respondents from the points of its K items: what its measure computes.

    Parameters
    ----------
    name : str
        That a fault names.
    valid, points : (n, K) int
        In the order of the index's weights; 0 points where not valid.

    Raises
    ------
    QuestionnaireError
        Q141 as `compile_measures`.
    """
    weights = _weights_of_items(name, index)
    at = [list(index.weights).index(item) for item in weights]
    whole = np.array(list(weights.values()))
    numerator = points[:, at] @ whole
    divisor = np.maximum(valid[:, at] @ whole, 1)
    enough = (valid[:, at].sum(axis=1) >= index.min_valid_items).astype(np.int64)
    return PersonScores(enough, _in_billionths(numerator, divisor) * enough, BILLIONTH)


def point_columns(index: Index) -> tuple[list[str], list[str]]:
    """Return the columns of the valid flags and of the points of an index's items, as its measure stores them."""
    return [f"_answered__{item}" for item in index.weights], [
        f"_points__{item}" for item in index.weights
    ]


@dataclass(frozen=True, slots=True)
class _Part:
    """One item's contribution: the columns to compute, and the names of its valid flag and of its score in 1/unit."""

    columns: Stage
    valid: str
    score: str
    unit: int = 1


def _rate(questionnaire: Questionnaire, name: str, rate: Rate) -> Measure:
    parts = [_credit(questionnaire, rate, name, item=item) for item in rate.items]
    label = Text(zh=rate.zh, en=rate.en)
    if len(parts) == 1 and parts[0].unit == 1:
        return _single(name, "rate", parts[0], label=label)
    common = math.lcm(*(part.unit for part in parts))
    credits = [common // part.unit for part in parts]
    presence = [common] * len(parts)
    least = rate.min_valid_items
    return _mean(name, "rate", label, parts=parts, scores=credits, presence=presence, least=least)


def _score(questionnaire: Questionnaire, item: str) -> Measure:
    declared = questionnaire.items[item]
    label = Text(zh=declared.zh, en=declared.en)
    return _single(item, "score", _points(questionnaire, item), label=label)


def _index(questionnaire: Questionnaire, name: str, index: Index) -> Measure:
    weights = _weights_of_items(name, index)
    parts = [_points(questionnaire, item) for item in weights]
    whole = list(weights.values())
    label = Text(zh=index.zh, en=index.en)
    least = index.min_valid_items
    return _mean(name, "index", label, parts=parts, scores=whole, presence=whole, least=least)


def _weights_of_items(name: str, index: Index) -> dict[str, int]:
    """Return the whole weights of the items that count."""
    weights = {item: weight for item, weight in index.whole_weights().items() if weight}
    if sum(weights.values()) > LARGEST_DIVISOR:
        raise QuestionnaireError(
            "Q141",
            _("The weights of '{name}' have too many digits for exact sums.", name=name),
            where=f"indices.{name}.weights",
            hint=_('Use at most 4 digits, or fractions such as "1/3".'),
        )
    return weights


def _single(name: str, kind: Kind, part: _Part, *, label: Text) -> Measure:
    """Return the measure that is one item's score."""
    only = {f"_valid__{name}": nw.col(part.valid), f"_score__{name}": nw.col(part.score)}
    return Measure(name, kind, 1, (part.columns, only), label)


def _mean(
    name: str,
    kind: Kind,
    label: Text,
    *,
    parts: list[_Part],
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
    quotient = _in_billionths(nw.col(numerator), nw.col(divisor))
    score = {f"_score__{name}": quotient.cast(nw.Int64) * nw.col(valid)}
    return Measure(name, kind, BILLIONTH, (columns, sums, score), label)


def _in_billionths(numerator: Any, divisor: Any) -> Any:
    """Divide whole numbers, rounded half up; of expressions as of arrays."""
    return (numerator * (2 * BILLIONTH) + divisor) // (divisor * 2)


def _credit(questionnaire: Questionnaire, rate: Rate, name: str, *, item: str) -> _Part:
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
        if option.correct:
            right.append(chosen)
        else:
            wrong.append(chosen)
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
