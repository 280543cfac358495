"""Ranks with their certainty: guaranteed sets, membership tests and probabilities, which are three different things.

Reading order: `pairs` (all comparisons), `sets` (guaranteed rank sets), `membership` (last ten, targets), `bayes`
(probabilities). `units` reads what is given, `table` writes what is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.errors import RankingError, one_of
from satisfaction.ranking import bayes, membership
from satisfaction.ranking.pairs import Pairs, compare
from satisfaction.ranking.sets import MARGINAL, SIMULTANEOUS, Marginal, Simultaneous
from satisfaction.ranking.table import rank_table, spread_out, summarise
from satisfaction.ranking.units import Selection, Units, check_units, units_from_arrays, units_from_estimates

__all__ = ["Ranking", "Target", "rank"]

STATUS = ("established", "excluded", "possible")
VERDICT = ("met", "not met", "not decidable")


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Whether each unit, were it the one with the target, has met it.

    Attributes
    ----------
    kind, places : str, int
        "top", t: the target is a rank of at most t.
    table : DataFrame
        One row a unit, in input order: unit, verdict ("met", "not met", "not decidable", "not ranked"), p_met,
        p_not_met (one-sided, for one unit named beforehand), probability (empirical Bayes).
    summary : mapping
        level, selection, method.
    """

    kind: str
    places: int
    table: pd.DataFrame
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """A ranking with its certainty, as returned by `rank`.

    Attributes
    ----------
    table : DataFrame
        One row a unit, in input order: unit, estimate, se, rank, marginal_low, marginal_high, simultaneous_low,
        simultaneous_high, status, p_in, p_out, probability_bottom, expected_rank, reliability.
    summary : mapping
        What holds for the table as a whole, and every declared convention.
    units, pairs, posterior
        What the table was made from; scores in `pairs` and `posterior` are turned so that larger is better.
    """

    table: pd.DataFrame
    summary: Mapping[str, Any]
    units: Units = field(repr=False)
    pairs: Pairs = field(repr=False)
    posterior: bayes.Posterior = field(repr=False)

    def target(self, kind: str, places: int) -> Target:
        """Test a target of every unit.

        Parameters
        ----------
        kind : {"top"}
            "top": the unit's rank is at most `places`.
        places : int
            Between 1 and p - 1.

        Raises
        ------
        RankingError
            K120 for another kind, K121 for places out of range.
        """
        one_of(kind, ("top",), argument="kind", error=RankingError, code="K120")
        check_places(places, len(self.pairs.score), argument="places", code="K121")
        tests = membership.top_membership(self.pairs, places)
        provable = self.summary["selection"] == "probability"
        columns = {
            "verdict": membership.decide(tests, 1 - self.summary["level"], words=VERDICT, provable=provable),
            "p_met": tests.p_in,
            "p_not_met": tests.p_out,
            "probability": bayes.probability_top(self.posterior, places),
        }
        spread = {name: spread_out(values, self.units) for name, values in columns.items()}
        declared = {name: self.summary[name] for name in ("level", "selection", "membership", "df", "probabilities")}
        return Target(kind, places, pd.DataFrame({"unit": list(self.units.names)} | spread), MappingProxyType(declared))


def rank(
    estimate: object,
    se: object = None,
    cov: object = None,
    df: object = None,
    names: Iterable[object] | None = None,
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
    bottom: int = 10,
    marginal: Marginal = "simes",
    simultaneous: Simultaneous = "tukey",
    selection: Selection = "probability",
    ranked: object = None,
    seed: int | None = None,
) -> Ranking:
    """Rank units and say how certain each rank is.

    Parameters
    ----------
    estimate : Estimates or (p,) array
        Estimates of one measure by domain (they bring se, cov, df, names and selection), or numbers.
    se, cov : (p,) or (p, p) array
        Standard errors of independent units, or the sampling covariance; exactly one of them with an array.
    df : scalar or (p,) array, optional
        Degrees of freedom of the se; None = se known.
    names : (p,) of str, optional
        Default "1" ... "p".
    higher_is_better : bool
        Whether rank 1 is the largest estimate.
    level : float
        Confidence of sets and tests, between 0.5 and 1.
    bottom : int
        Length of the list of last units, between 1 and p - 1.
    marginal : {"simes", "holm"}
        Sets for one unit named beforehand. "simes" needs independent units; "holm" replaces it otherwise.
    simultaneous : {"tukey", "holm", "joint-ci"}
        Sets for the whole table.
    selection : {"probability", "quota", "open_link"}
        Without a probability sample no unit is established or excluded.
    ranked : (p,) bool array, optional
        Units that take part; the others keep their row.
    seed : int, optional
        For methods that simulate; none of the present ones does.

    Returns
    -------
    Ranking
        With `table`, `summary` and `target`.

    Raises
    ------
    RankingError
        K101-K112 for what is ranked, K113-K117 for options.

    Notes
    -----
    Sets from pairs: Mogstad, Romano, Shaikh and Wilhelm (2024), here by Tukey-Kramer / Games-Howell or Holm; counts by
    Simes: Goeman and Solari (2011); joint-ci: Klein, Wright and Wieczorek (2020); membership: Benjamini and Heller
    (2008); probabilities: Laird and Louis (1989).
    """
    one_of(marginal, MARGINAL, argument="marginal", error=RankingError, code="K113")
    one_of(simultaneous, SIMULTANEOUS, argument="simultaneous", error=RankingError, code="K114")
    check_level(level)
    units = read_units(estimate, se=se, cov=cov, df=df, names=names, ranked=ranked, selection=selection)
    check_units(units)
    check_places(bottom, int(units.ranked.sum()), argument="bottom", code="K116")

    kept, sign = units.ranked, 1.0 if higher_is_better else -1.0
    pairs = compare(sign * units.estimate[kept], cov=units.cov[np.ix_(kept, kept)], df=units.df[kept])
    marginal_used = marginal if pairs.independent else "holm"
    sets = MARGINAL[marginal_used](pairs, 1 - level), SIMULTANEOUS[simultaneous](pairs, 1 - level)
    tests = membership.bottom_membership(pairs, bottom)
    status = membership.decide(tests, 1 - level, words=STATUS, provable=units.selection == "probability")
    model = bayes.fit(pairs.score, pairs.se)
    table = rank_table(units, pairs=pairs, sets=sets, tests=tests, status=status, model=model, bottom=bottom)
    conventions = {
        "level": level,
        "bottom": bottom,
        "higher_is_better": higher_is_better,
        "selection": units.selection,
        "marginal": marginal_used,
        "marginal_asked": marginal,
        "simultaneous": simultaneous,
        "membership": f"partial conjunction, {'Simes' if pairs.independent else 'Bonferroni'} form, one unit, one side",
    }
    summary = summarise(units, table, pairs=pairs, sets=sets, model=model, conventions=conventions)
    return Ranking(table, summary, units, pairs, model)


def read_units(
    estimate: object,
    *,
    se: object,
    cov: object,
    df: object,
    names: Iterable[object] | None,
    ranked: object,
    selection: str,
) -> Units:
    """Read units from arrays or from Estimates, which bring their own errors and names."""
    if not hasattr(estimate, "table"):
        return units_from_arrays(estimate, se=se, cov=cov, df=df, names=names, ranked=ranked, selection=selection)
    if any(given is not None for given in (se, cov, df, names)):
        raise RankingError(
            "K102",
            "Estimates 已带有 se、cov、df 和名称，不能再给出。",
            "Estimates bring se, cov, df and names; do not give them again.",
            where="se, cov, df, names",
        )
    return units_from_estimates(estimate, ranked=ranked, selection=selection)


def check_level(level: float) -> None:
    """Refuse a level at which a unit could be proven both in and out."""
    if not 0.5 < level < 1:
        raise RankingError(
            "K115", f"level={level} 应在 0.5 与 1 之间。", f"level={level} is not between 0.5 and 1.", where="level"
        )


def check_places(places: int, p: int, *, argument: str, code: str) -> None:
    """Refuse a number of places that leaves nobody inside or nobody outside."""
    if isinstance(places, bool) or not isinstance(places, (int, np.integer)) or not 0 < places < p:
        raise RankingError(
            code,
            f"{argument}={places} 应为 1 到 {p - 1} 之间的整数（参与排名的单位共 {p} 个）。",
            f"{argument}={places} is not a whole number from 1 to {p - 1} ({p} units are ranked).",
            where=argument,
        )
