"""May two waves be compared? Whether both questionnaires declare the same measure, or the caller says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from satisfaction.errors import RankingError, shortened
from satisfaction.questionnaire import Questionnaire, SingleItem


@dataclass(frozen=True, slots=True)
class Comparability:
    """Whether a measure means the same in two waves, and why not.

    Attributes
    ----------
    measure : str
    versions : (str, str)
        Questionnaires as name@version, later first.
    differences : tuple of str
        What the questionnaires declare differently, as paths; empty where the measure is the same.
    """

    measure: str
    versions: tuple[str, str]
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def comparability(later: Questionnaire, earlier: Questionnaire, measure: str) -> Comparability:
    """Compare all that two questionnaires declare about a measure.

    Compared are the questionnaire's name (another instrument or mode), universe and eligibility, and the rate, index or
    item with everything it rests on: wording, answers, scores, special codes, denominators, weights. Sources are not.

    Raises
    ------
    RankingError
        K140 for a measure that one of them does not declare.
    """
    sides = [dict(flat(whole_definition(one, measure))) for one in (later, earlier)]
    paths = sorted(sides[0].keys() | sides[1].keys())
    missing = object()
    differences = tuple(path for path in paths if sides[0].get(path, missing) != sides[1].get(path, missing))
    return Comparability(measure, (later.reference, earlier.reference), differences)


def require_comparable(comparable: object) -> str:
    """Return the declaration in words, for the summary.

    Raises
    ------
    RankingError
        K141 where nothing is declared, K142 where the waves are declared, or found, not to be comparable.
    """
    if isinstance(comparable, Comparability) and comparable.same:
        return f"{comparable.measure}: the same in {' and '.join(comparable.versions)}"
    if comparable is True:
        return "declared by the caller"
    declared = isinstance(comparable, Comparability) or comparable is False
    raise not_comparable(comparable) if declared else not_declared(comparable)


def not_declared(comparable: object) -> RankingError:
    """Say that nobody has said whether the waves are comparable."""
    return RankingError(
        "K141",
        "比较两期之前必须声明问卷是否可比。",
        "Whether the waves are comparable must be declared before they are compared.",
        where="comparable",
        available=("comparability(later, earlier, measure)", "True", "False"),
        got=str(comparable),
        hint=(
            "用 comparability(后期问卷, 前期问卷, 指标) 检查，或确认题目、计分与权重一致后写 True。",
            "Check with comparability(later questionnaire, earlier questionnaire, measure), or give True once you know that "
            "items, scores and weights agree.",
        ),
    )


def not_comparable(comparable: object) -> RankingError:
    """Say that the waves must not be compared, and what differs."""
    found = comparable if isinstance(comparable, Comparability) else None
    versions, differ = (" / ".join(found.versions), shortened(found.differences)) if found else ("", "")
    return RankingError(
        "K142",
        "两期不可比: " + (f"{versions} 中 {differ} 不同。" if found else "调用方声明问卷版本不允许比较。"),
        "The waves are not comparable: "
        + (f"{versions} differ in {differ}." if found else "the caller declares that the questionnaires do not allow it."),
        where="comparable",
        hint=(
            "改用两期相同的指标；若有衔接研究证明可比，由负责人写 comparable=True。",
            "Use a measure that both share; if a bridging study shows that they agree, whoever answers for it gives comparable=True.",
        ),
    )


def whole_definition(questionnaire: Questionnaire, measure: str) -> dict[str, Any]:
    """Collect whatever decides the value of a measure, and who is asked."""
    about = questionnaire.model_dump(include={"questionnaire", "universe", "eligibility"})
    for name in questionnaire.eligibility:
        about[name] = definition(questionnaire, name)
    return about | {measure: definition(questionnaire, measure)}


def definition(questionnaire: Questionnaire, name: str, *, within: tuple[str, ...] = ()) -> dict[str, Any]:
    """Collect what a questionnaire declares about a rate, an index or an item, with all that it rests on."""
    if name in questionnaire.items:
        return item_definition(questionnaire, name, within=within)
    declared: dict[str, Any] = {}
    if rate := questionnaire.rates.get(name):
        declared, parts = rate.model_dump(exclude={"source"}), list(rate.items)
    elif index := questionnaire.indices.get(name):
        declared, parts = (
            index.model_dump(exclude={"source", "weights"}) | {"weights": index.whole_weights()},
            list(index.weights),
        )
    else:
        raise unknown(questionnaire, name)
    return declared | {part: definition(questionnaire, part) for part in parts}


def item_definition(questionnaire: Questionnaire, name: str, *, within: tuple[str, ...]) -> dict[str, Any]:
    """Collect an item's wording, answers and special codes, and the items (not `within`) that decide who is asked it."""
    item = questionnaire.items[name]
    declared = item.model_dump(exclude={"scale", "required"})
    if isinstance(item, SingleItem) and item.scale:
        declared |= questionnaire.scales[item.scale].model_dump()
    within = (*within, name)
    return declared | {asked: definition(questionnaire, asked, within=within) for asked in item.asked_if if asked not in within}


def flat(declared: Mapping[Any, Any], *, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of nested declarations with its path."""
    for key, value in declared.items():
        path = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            yield from flat(value, above=path)
        else:
            yield path, value


def unknown(questionnaire: Questionnaire, name: str) -> RankingError:
    """Say that a questionnaire has no such measure."""
    return RankingError(
        "K140",
        f"{questionnaire.reference} 没有指标 '{name}'。",
        f"{questionnaire.reference} declares no measure '{name}'.",
        where="measure",
        available=[*questionnaire.rates, *questionnaire.indices, *questionnaire.topics],
        got=name,
        hint=("改为两期都有的指标。", "Use a measure of both waves."),
    )
