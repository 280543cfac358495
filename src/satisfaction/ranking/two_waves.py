"""Two waves of the same units: read from Estimates or arrays, put in one order, with the covariance between them.

May two waves be compared? Whether both questionnaires declare the same measure, one allows it, or the caller says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.ranking.pairs import Floats, Pairs, by_point, compare
from satisfaction.ranking.units import (
    Units,
    check_units,
    numbers,
    shaped,
    units_from_arrays,
    units_from_estimates,
)


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """Two waves of p units, in the later wave's order.

    Attributes
    ----------
    before, after : Units
        The earlier and the later wave.
    cross : (p, p)
        Sampling covariance of the later (rows) and the earlier estimates.
    relation : str
        Where `cross` comes from.
    shared_psus : int or None
        PSUs that stand in both waves; None where only arrays were given.
    members : Members or None
        Which PSUs hold respondents of each unit, later wave first, then the earlier one: (P, 2p).
    """

    before: Units
    after: Units
    cross: Floats
    relation: str
    shared_psus: int | None = None
    members: Any = None

    @property
    def kept(self) -> Any:
        """(p,) bool: units that are ranked."""
        return self.after.ranked

    @property
    def selection(self) -> str:
        """The weaker of both waves' selections."""
        return (
            self.before.selection if self.after.selection == "probability" else self.after.selection
        )

    def covariance(self) -> Floats:
        """(2p, 2p) sampling covariance of the ranked units, later wave first."""
        kept = np.ix_(self.kept, self.kept)
        cross = self.cross[kept]
        return np.block([[self.after.cov[kept], cross], [cross.T, self.before.cov[kept]]])

    def sampling(self) -> Floats:
        """(p, 2, 2) sampling covariances of the ranked units one by one, earlier wave first."""
        parts = [[self.before.cov, self.cross], [self.cross, self.after.cov]]
        return np.stack([[np.diag(part)[self.kept] for part in row] for row in parts]).transpose(
            2, 0, 1
        )

    def pairs(self, sign: float) -> tuple[Pairs, Pairs]:
        """Pairs of the earlier and of the later wave, scores times `sign`."""
        return pairs_of(self.before, sign), pairs_of(self.after, sign)


def pairs_of(units: Units, sign: float) -> Pairs:
    """Compare the ranked units of one wave."""
    kept = units.ranked
    if units.selection != "probability":
        return by_point(sign * units.estimate[kept])
    return compare(
        sign * units.estimate[kept], cov=units.cov[np.ix_(kept, kept)], df=units.df[kept]
    )


def waves_from_estimates(later: Any, earlier: Any, *, ranked: object, selection: str) -> Waves:
    """Read two Estimates of one measure by the same areas; shared PSUs give the covariance."""
    after = units_from_estimates(later, ranked=ranked, selection=selection)
    order = same_units(after.names, unit_names(earlier))
    taking_part = after.ranked[np.argsort(order)]
    before = reordered(
        units_from_estimates(earlier, ranked=taking_part, selection=selection), order
    )
    return checked(Waves(before, after, *shared_covariance(later, earlier, order)))


def waves_from_arrays(
    later: object,
    earlier: object,
    *,
    se: Any,
    cov: object,
    df: Any,
    names: Iterable[object] | None,
    ranked: object,
    selection: str,
) -> Waves:
    """Read two arrays of scores; see `satisfaction.ranking.change.rank_change` for the arguments."""
    scores = numbers(later, "later")
    p = len(np.atleast_1d(scores))
    if (se is None) == (cov is None):
        raise RankingError(
            "K143",
            "se 与 cov 必须且只能给出一个。",
            "Give exactly one of se and cov.",
            where="se, cov",
        )
    cross, relation = np.zeros((p, p)), "waves independent: se given"
    parts: dict[str, Any] = {"se": (None, None), "cov": (None, None)}
    if se is None:
        both = symmetric(shaped(cov, "cov", (2 * p, 2 * p)))
        cross, relation = both[:p, p:], "covariance given"
        parts["cov"] = both[:p, :p], both[p:, p:]
    else:
        parts["se"] = shaped(se, "se", (2, p))
    freedom = (None, None) if df is None else shaped(df, "df", (2, p), scalar=True)
    names = None if names is None else tuple(names)
    after, before = (
        units_from_arrays(
            values,
            se=parts["se"][w],
            cov=parts["cov"][w],
            df=freedom[w],
            names=names,
            ranked=ranked,
            selection=selection,
        )
        for w, values in enumerate((scores, shaped(earlier, "earlier", (p,))))
    )
    return checked(Waves(before, after, cross, relation))


def waves_from_units(after: Units, before: Units, *, sources: tuple[Any, Any]) -> Waves:
    """Put the units of two rankings side by side; without both Estimates the waves count as independent."""
    order = same_units(after.names, before.names)
    before = reordered(before, order)
    if np.any(before.ranked != after.ranked):
        raise different(
            "参与排名的单位", "units ranked", after=ranked_names(after), before=ranked_names(before)
        )
    if any(one is None for one in sources):
        cross = np.zeros((len(order), len(order)))
        return checked(
            Waves(
                before,
                after,
                cross,
                "unknown: taken as independent, which matters to probabilities only",
            )
        )
    return checked(Waves(before, after, *shared_covariance(*sources, order)))


def shared_covariance(later: Any, earlier: Any, order: Any) -> tuple[Floats, str, int, Any]:
    """(p, p) covariance of two Estimates, the earlier one's columns in the given order; where from, shared PSUs, members."""
    from satisfaction.estimation.change import (
        combine_waves,  # here: it loads statsmodels, which a plain ranking does not need
    )

    both = combine_waves({"later": later, "earlier": earlier})
    p = len(order)
    members = both.contributions.members.of(np.concatenate([np.arange(p), p + order]))
    relation = "PSUs of the same stratum and code in both waves"
    return both.cov[:p, p:][:, order], relation, int(both.conventions["shared_psus"]), members


def unit_names(estimates: Any) -> tuple[str, ...]:
    """Names of the areas of Estimates, as `units_from_estimates` writes them."""
    return tuple(
        "/".join(map(str, row))
        for row in estimates.table[list(estimates.by)].itertuples(index=False)
    )


def same_units(after: tuple[str, ...], before: tuple[str, ...]) -> Any:
    """Where each of the later wave's units stands in the earlier one: (p,) int."""
    if sorted(after) != sorted(before):
        raise different("单位", "units", after=after, before=before)
    place = {name: i for i, name in enumerate(before)}
    return np.array([place[name] for name in after])


def reordered(units: Units, order: Any) -> Units:
    """Put units in another order."""
    return replace(
        units,
        names=tuple(units.names[i] for i in order),
        estimate=units.estimate[order],
        cov=units.cov[np.ix_(order, order)],
        df=units.df[order],
        ranked=units.ranked[order],
    )


def ranked_names(units: Units) -> tuple[str, ...]:
    """Names of the units that take part."""
    return tuple(
        name for name, taking_part in zip(units.names, units.ranked, strict=True) if taking_part
    )


def checked(waves: Waves) -> Waves:
    """Refuse waves of which one cannot be ranked."""
    check_units(waves.after)
    check_units(waves.before)
    return waves


def symmetric(cov: Floats) -> Floats:
    """Refuse a covariance that is not symmetric."""
    spread = np.sqrt(np.maximum(np.diag(cov), 0))
    if not np.all(np.abs(cov - cov.T) <= 1e-9 * spread[:, None] * spread):
        raise RankingError(
            "K144",
            "cov 必须对称且无缺失，后期在前、前期在后。",
            "cov must be symmetric and complete, the later wave first.",
            where="cov",
        )
    return cov


def different(zh: str, en: str, *, after: tuple[str, ...], before: tuple[str, ...]) -> RankingError:
    """Say which units stand in only one wave."""
    only_after = [name for name in after if name not in set(before)]
    only_before = [name for name in before if name not in set(after)]
    return RankingError(
        "K145",
        f"两期的{zh}不同：仅后期有 {shortened(only_after) or '-'}；仅前期有 {shortened(only_before) or '-'}。",
        f"The waves' {en} differ: only later {shortened(only_after) or '-'}; only earlier {shortened(only_before) or '-'}.",
        where="later, earlier",
        hint=("对相同的单位估计并排名两期。", "Estimate and rank both waves over the same units."),
    )


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
    differences = tuple(
        path for path in paths if sides[0].get(path, missing) != sides[1].get(path, missing)
    )
    allowed, beyond = declared_bridge(later, earlier, measure)
    return Comparability(
        measure, (later.reference, earlier.reference), differences, allowed, beyond
    )


def declared_bridge(
    later: Questionnaire, earlier: Questionnaire, measure: str
) -> tuple[str, tuple[str, ...]]:
    """Find the `comparable_with` that covers a measure: its words, and the items that no such declaration covers."""
    beyond: tuple[str, ...] = ()
    for one, other in ((later, earlier), (earlier, later)):
        for declared in one.comparable_with:
            if declared.version == other.reference:
                items = one.rests_on(measure) | other.rests_on(measure)
                beyond = tuple(
                    sorted(
                        items.difference(
                            items if declared.bridge_items is None else declared.bridge_items
                        )
                    )
                )
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
        return (
            f"{comparable.measure}: the same in {' and '.join(dict.fromkeys(comparable.versions))}"
        )
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


def definition(
    questionnaire: Questionnaire, name: str, *, within: tuple[str, ...] = ()
) -> dict[str, Any]:
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


def item_definition(
    questionnaire: Questionnaire, name: str, *, within: tuple[str, ...]
) -> dict[str, Any]:
    """Collect an item's wording, answers and special codes, and the items (not `within`) that decide who is asked it."""
    item = questionnaire.items[name]
    declared = without_spellings(
        item.model_dump(exclude={"scale", "required", "number", "replaces"})
    )
    if isinstance(item, SingleItem) and item.scale:
        declared |= without_spellings(questionnaire.scales[item.scale].model_dump())
    within = (*within, name)
    return declared | {
        asked: definition(questionnaire, asked, within=within)
        for asked in item.asked_if
        if asked not in within
    }


def without_spellings(declared: dict[str, Any]) -> dict[str, Any]:
    """Leave out how answers may be spelt in files: that changes no answer."""
    return {
        key: without_spellings(value) if isinstance(value, dict) else value
        for key, value in declared.items()
        if key != "aliases"
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
