"""Two waves of the same units: read from Estimates or arrays, put in one order, with the covariance between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from satisfaction.errors import RankingError, shortened
from satisfaction.ranking.pairs import Floats, Pairs, by_point, compare
from satisfaction.ranking.units import Units, check_units, numbers, shaped, units_from_arrays, units_from_estimates


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
        return self.before.selection if self.after.selection == "probability" else self.after.selection

    def covariance(self) -> Floats:
        """(2p, 2p) sampling covariance of the ranked units, later wave first."""
        kept = np.ix_(self.kept, self.kept)
        cross = self.cross[kept]
        return np.block([[self.after.cov[kept], cross], [cross.T, self.before.cov[kept]]])

    def sampling(self) -> Floats:
        """(p, 2, 2) sampling covariances of the ranked units one by one, earlier wave first."""
        parts = [[self.before.cov, self.cross], [self.cross, self.after.cov]]
        return np.stack([[np.diag(part)[self.kept] for part in row] for row in parts]).transpose(2, 0, 1)

    def pairs(self, sign: float) -> tuple[Pairs, Pairs]:
        """Pairs of the earlier and of the later wave, scores times `sign`."""
        return pairs_of(self.before, sign), pairs_of(self.after, sign)


def pairs_of(units: Units, sign: float) -> Pairs:
    """Compare the ranked units of one wave."""
    kept = units.ranked
    if units.selection != "probability":
        return by_point(sign * units.estimate[kept])
    return compare(sign * units.estimate[kept], cov=units.cov[np.ix_(kept, kept)], df=units.df[kept])


def waves_from_estimates(later: Any, earlier: Any, *, ranked: object, selection: str) -> Waves:
    """Read two Estimates of one measure by the same areas; shared PSUs give the covariance."""
    after = units_from_estimates(later, ranked=ranked, selection=selection)
    order = same_units(after.names, unit_names(earlier))
    taking_part = after.ranked[np.argsort(order)]
    before = reordered(units_from_estimates(earlier, ranked=taking_part, selection=selection), order)
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
        raise RankingError("K143", "se 与 cov 必须且只能给出一个。", "Give exactly one of se and cov.", where="se, cov")
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
            values, se=parts["se"][w], cov=parts["cov"][w], df=freedom[w], names=names, ranked=ranked, selection=selection
        )
        for w, values in enumerate((scores, shaped(earlier, "earlier", (p,))))
    )
    return checked(Waves(before, after, cross, relation))


def waves_from_units(after: Units, before: Units, *, sources: tuple[Any, Any]) -> Waves:
    """Put the units of two rankings side by side; without both Estimates the waves count as independent."""
    order = same_units(after.names, before.names)
    before = reordered(before, order)
    if np.any(before.ranked != after.ranked):
        raise different("参与排名的单位", "units ranked", after=ranked_names(after), before=ranked_names(before))
    if any(one is None for one in sources):
        cross = np.zeros((len(order), len(order)))
        return checked(Waves(before, after, cross, "unknown: taken as independent, which matters to probabilities only"))
    return checked(Waves(before, after, *shared_covariance(*sources, order)))


def shared_covariance(later: Any, earlier: Any, order: Any) -> tuple[Floats, str, int, Any]:
    """(p, p) covariance of two Estimates, the earlier one's columns in the given order; where from, shared PSUs, members."""
    from satisfaction.comparisons import combine_waves  # here: it loads statsmodels, which a plain ranking does not need

    both = combine_waves({"later": later, "earlier": earlier})
    p = len(order)
    members = both.contributions.members.of(np.concatenate([np.arange(p), p + order]))
    relation = "PSUs of the same stratum and code in both waves"
    return both.cov[:p, p:][:, order], relation, int(both.conventions["shared_psus"]), members


def unit_names(estimates: Any) -> tuple[str, ...]:
    """Names of the areas of Estimates, as `units_from_estimates` writes them."""
    return tuple("/".join(map(str, row)) for row in estimates.table[list(estimates.by)].itertuples(index=False))


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
    return tuple(name for name, taking_part in zip(units.names, units.ranked, strict=True) if taking_part)


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
