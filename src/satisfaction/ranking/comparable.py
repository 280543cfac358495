"""May two waves be compared? Whether both questionnaires declare the same measure, one allows it, or the caller says so."""

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
    allowed : str
        The `comparable_with` of one of them that covers the measure, with its note and source; empty where there is none.
    beyond_bridge : tuple of str
        Items of the measure that the `bridge_items` of such a declaration leave out.
    """

    measure: str
    versions: tuple[str, str]
    differences: tuple[str, ...]
    allowed: str = ""
    beyond_bridge: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def comparability(later: Questionnaire, earlier: Questionnaire, measure: str) -> Comparability:
    """Compare all that two questionnaires declare about a measure, and read what `comparable_with` of either allows.

    Compared are the questionnaire's name (another instrument or mode), universe and eligibility, and the rate, index or
    item with everything it rests on: wording, answers, scores, special codes, denominators, weights. Sources are not.
    A declaration with bridge items covers the measures that rest on these items alone.

    Raises
    ------
    RankingError
        K140 for a measure that one of them does not declare.
    """
    sides = [dict(flat(whole_definition(one, measure))) for one in (later, earlier)]
    paths = sorted(sides[0].keys() | sides[1].keys())
    missing = object()
    differences = tuple(path for path in paths if sides[0].get(path, missing) != sides[1].get(path, missing))
    allowed, beyond = declared_bridge(later, earlier, measure)
    return Comparability(measure, (later.reference, earlier.reference), differences, allowed, beyond)


def declared_bridge(later: Questionnaire, earlier: Questionnaire, measure: str) -> tuple[str, tuple[str, ...]]:
    """Find the `comparable_with` that covers a measure: its words, and the items that no such declaration covers."""
    beyond: tuple[str, ...] = ()
    for one, other in ((later, earlier), (earlier, later)):
        for declared in one.comparable_with:
            if declared.version == other.reference:
                items = one.rests_on(measure) | other.rests_on(measure)
                beyond = tuple(sorted(items.difference(items if declared.bridge_items is None else declared.bridge_items)))
                if not beyond:
                    return f"comparable_with of {one.reference}: {declared}", ()
    return "", beyond


def require_comparable(comparable: object) -> str:
    """Return the declaration in words, for the summary.

    Raises
    ------
    RankingError
        K141 where nothing is declared, K142 where the waves are declared, or found, not to be comparable.
    """
    if isinstance(comparable, Comparability) and comparable.same:
        return f"{comparable.measure}: the same in {' and '.join(dict.fromkeys(comparable.versions))}"
    if isinstance(comparable, Comparability) and comparable.allowed:
        return f"{comparable.measure}: {comparable.allowed}; differs in {places_of(comparable)}"
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
    """Say that the waves must not be compared; where it was found out, what differs and what would have to be declared."""
    if isinstance(comparable, Comparability):
        return differently_declared(comparable)
    return RankingError(
        "K142",
        "两期不可比: 调用方声明问卷版本不允许比较。",
        "The waves are not comparable: the caller declares that the questionnaires do not allow it.",
        where="comparable",
        hint=("改用两期相同的指标。", "Use a measure that both share."),
    )


def differently_declared(found: Comparability) -> RankingError:
    """Name what two questionnaires declare differently, and the declaration that is missing."""
    later, earlier = found.versions
    differ, beyond = places_of(found), shortened(found.beyond_bridge)
    return RankingError(
        "K142",
        f"两期不可比: {later} 与 {earlier} 的 {found.measure} 在 {differ} 上不同"
        + f"；衔接题目不含 {beyond}" * bool(beyond)
        + "。",
        f"The waves are not comparable: {later} and {earlier} differ for {found.measure} in {differ}"
        + f"; bridge_items leave out {beyond}" * bool(beyond)
        + ".",
        where="comparable",
        hint=(
            f"改用两期相同的指标；若有衔接研究证明可比，在问卷 {later} 中写 comparable_with: [{earlier}]（可限于 bridge_items）。",
            "Use a measure that both share; if a bridging study shows that they agree, write "
            f"comparable_with: [{earlier}] in questionnaire {later} (bridge_items if it covers only some).",
        ),
    )


def places_of(found: Comparability) -> str:
    """List where the differences lie, not every answer one by one."""
    return shortened(dict.fromkeys(".".join(path.split(".")[:3]) for path in found.differences), 6)


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
    declared = without_spellings(item.model_dump(exclude={"scale", "required", "number", "replaces"}))
    if isinstance(item, SingleItem) and item.scale:
        declared |= without_spellings(questionnaire.scales[item.scale].model_dump())
    within = (*within, name)
    return declared | {asked: definition(questionnaire, asked, within=within) for asked in item.asked_if if asked not in within}


def without_spellings(declared: dict[str, Any]) -> dict[str, Any]:
    """Leave out how answers may be spelt in files: that changes no answer."""
    return {
        key: without_spellings(value) if isinstance(value, dict) else value for key, value in declared.items() if key != "aliases"
    }


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
