"""Ranks with their certainty: guaranteed sets, membership tests and probabilities, which are three different things.

Reading order: `pairs` (all comparisons), `sets` (guaranteed rank sets; `studentized`, `dunnett` and `maxt` hold their
critical values), `membership` (last ten, targets), `order` (who is proven better than whom), `bayes` (probabilities).
`units` reads what is given, `options` what is asked, `table` writes what is published.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.foundation.pages import card
from satisfaction.ranking import max_t as maxt
from satisfaction.ranking import membership as lists
from satisfaction.ranking import pairs as order
from satisfaction.ranking import probability as bayes
from satisfaction.ranking.membership import Form, Multiplicity, Side
from satisfaction.ranking.options import Options, Ties, check_options, check_places
from satisfaction.ranking.pairs import Pairs, by_point, compare
from satisfaction.ranking.rise_target import Base, rise_target
from satisfaction.ranking.sets import Marginal, RankSets, Simultaneous
from satisfaction.ranking.table import point_summary, point_table, rank_table, spread_out, summarise
from satisfaction.ranking.two_waves import Comparability
from satisfaction.ranking.units import (
    Selection,
    Units,
    check_units,
    units_from_arrays,
    units_from_estimates,
)

STATUS = ("established", "excluded", "possible")
VERDICT = ("met", "not met", "not decidable")


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Whether each unit, were it the one with the target, has met it.

    Attributes
    ----------
    kind, places : str, int
        "top", t: the target is a rank of at most t. "rise", m: it is to have risen by at least m places.
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
    source : Estimates or None
        What was ranked, where it was Estimates: two waves need them for their covariance.
    sets : (RankSets, RankSets)
        Marginal and simultaneous.
    options : Options
        As asked for.
    """

    table: pd.DataFrame
    summary: Mapping[str, Any]
    units: Units = field(repr=False)
    pairs: Pairs = field(repr=False)
    posterior: bayes.Posterior = field(repr=False)
    source: Any = field(repr=False)
    sets: tuple[RankSets, RankSets] = field(repr=False)
    options: Options = field(repr=False)

    def _repr_html_(self) -> str:
        sets = ["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high"]
        columns = [
            "unit",
            "rank",
            *sets,
            "status",
            "probability_bottom",
            "estimate",
            "se",
            "reliability",
        ]
        table = self.table.sort_values("rank", kind="stable", na_position="last")[columns]
        said = {name: str(value) for name, value in self.summary.items() if name != "notes"}
        return card(
            "排名（名次不能脱离名次集合使用）ranking (no rank without its set)",
            tables={
                "table": table,
                "约定 conventions": pd.DataFrame(list(said.items()), columns=["name", "value"]),
            },
            note=" ".join(self.summary.get("notes", ())),
        )

    @property
    def ranks_any(self) -> bool:
        """Whether any unit has a rank: not where fewer than two have answers."""
        return bool(self.units.ranked.any())

    def order(self) -> order.Order:
        """Say which units are proven better than which, by the simultaneous method: pairs, steps and tiers.

        Without a probability sample nothing is proven.
        """
        better, names = (
            self.sets[1].better,
            [
                name
                for name, in_it in zip(self.units.names, self.units.ranked, strict=True)
                if in_it
            ],
        )
        assert better is not None
        provable = self.summary["selection"] == "probability"
        method = f"{self.summary['simultaneous']}, level {self.summary['level']:g}, all pairs at once; chains completed"
        return order.order_of(names, self.pairs, better & provable, method=method)

    def list_sets(self, kind: Side, places: int) -> pd.DataFrame:
        """Say which units surely and which possibly belong to a list, all of it at once (csranks' tau-best, tau-worst).

        Parameters
        ----------
        kind : {"top", "bottom"}
        places : int
            Between 1 and p - 1.

        Returns
        -------
        DataFrame
            One row a unit, in input order: unit, inner (True: every possible rank is in the list), outer (False: none is).
            With the confidence of the simultaneous sets, inner is part of the true list and the true list part of outer.

        Raises
        ------
        RankingError
            K120 for another kind, K121 for places out of range.
        """
        one_of(kind, get_args(Side), argument="kind", error=RankingError, code="K120")
        check_places(places, len(self.pairs.score), argument="places", code="K121")
        found = lists.list_sets(self.sets[1].low, self.sets[1].high, side=kind, places=places)
        proven = self.summary["selection"] == "probability"
        columns = {"inner": found.inner & proven, "outer": found.outer | (not proven)}
        spread = {name: spread_out(values, self.units) for name, values in columns.items()}
        return pd.DataFrame({"unit": list(self.units.names)} | spread)

    def target(
        self,
        kind: str,
        places: int,
        *,
        since: Ranking | Mapping[str, int] | None = None,
        base: Base = "published",
        comparable: bool | Comparability | None = None,
    ) -> Target:
        """Test a target of every unit.

        Parameters
        ----------
        kind : {"top", "rise"}
            "top": the unit's rank is at most `places`. "rise": it is better by at least `places` than in the wave `since`.
        places : int
            Between 1 and p - 1.
        since : Ranking, or mapping unit -> published rank
            For "rise": the earlier wave; a mapping only for base "published".
        base : {"published", "estimated"}
            For "rise": whether the earlier rank counts as a number, or as uncertain as the new one.
        comparable : bool or Comparability
            For "rise": whether both waves may be compared; as for `rank_change`. Must be given.

        Raises
        ------
        RankingError
            K120 for another kind, K121 for places out of range, K141, K142 and K145 for waves that cannot be compared,
            K150-K152 for base and since.
        """
        one_of(kind, ("top", "rise"), argument="kind", error=RankingError, code="K120")
        check_places(places, len(self.pairs.score), argument="places", code="K121")
        names = ("level", "selection", "membership", "df", "probabilities")
        declared = {name: self.summary[name] for name in names}
        if self.summary["selection"] != "probability":
            tests, probability = (
                lists.untested(len(self.pairs.score)),
                np.full(len(self.pairs.score), np.nan),
            )
        elif kind == "rise":
            tests, probability, used = rise_target(
                self, places, since=since, base=base, comparable=comparable
            )
            declared |= used
        else:
            tests = lists.top_membership(self.pairs, places, self.options.membership)
            probability = bayes.probability_top(self.posterior, places)
        provable = declared["selection"] == "probability"
        columns = {
            "verdict": lists.decide(
                tests, 1 - self.summary["level"], words=VERDICT, provable=provable
            ),
            "p_met": tests.p_in,
            "p_not_met": tests.p_out,
            "probability": probability,
        }
        spread = {name: spread_out(values, self.units) for name, values in columns.items()}
        return Target(
            kind,
            places,
            pd.DataFrame({"unit": list(self.units.names)} | spread),
            MappingProxyType(declared),
        )


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
    membership: Form = "simes",
    multiplicity: Multiplicity | None = None,
    ties: Ties = "competition",
    between: bayes.Between = "reml",
    draws: int = maxt.DRAWS,
    step_down: bool = True,
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
    marginal : {"simes", "holm", "maxt"}
        Sets for one unit named beforehand. "simes" needs independent units; "holm" replaces it otherwise. "maxt" is an
        integral for independent units and simulated otherwise.
    simultaneous : {"tukey", "holm", "joint-ci", "maxt"}
        Sets for the whole table. "maxt" is simulated.
    selection : {"probability", "quota", "open_link"}
        Without a probability sample there is no design error: units are ranked by their estimates, and se, sets, tests
        and probabilities are missing, also where se or cov are given.
    ranked : (p,) bool array, optional
        Units that take part; the others keep their row.
    seed : int, optional
        For methods that simulate ("maxt"); default a fixed one, `maxt.SEED`.
    membership : {"simes", "dunnett", "bonferroni"}
        Form of the tests of belonging to a list, `Ranking.target` included. "bonferroni" replaces the others where units
        are dependent.
    multiplicity : {"holm", "bh"}, optional
        Adjust p_in and p_out for all units of the table (columns p_in_adjusted, p_out_adjusted, which then decide the
        status); None = each is for one unit named beforehand.
    ties : {"competition", "modified", "dense", "fractional"}
        Rule for the published rank of tied units.
    between : {"reml", "ml"}
        Estimate of the variance of the true scores.
    draws : int
        Draws of methods that simulate, at least 50,000.
    step_down : bool
        Whether simultaneous "maxt" takes its critical value again after each round of rejections.

    Returns
    -------
    Ranking
        With `table`, `summary` and `target`.

    Raises
    ------
    RankingError
        K101-K112 for what is ranked, K113-K119 and K122-K124 for options.

    Notes
    -----
    Sets from pairs: Mogstad, Romano, Shaikh and Wilhelm (2024), here by Tukey-Kramer / Dunnett's C or Holm; counts by
    Simes: Goeman and Solari (2011); joint-ci: Klein, Wright and Wieczorek (2020); max-t: Romano and Wolf (2005); membership:
    Benjamini and Heller (2008); probabilities: Laird and Louis (1989).
    """
    options = Options(
        level=level,
        bottom=bottom,
        higher_is_better=higher_is_better,
        marginal=marginal,
        simultaneous=simultaneous,
        membership=membership,
        multiplicity=multiplicity,
        ties=ties,
        between=between,
        draws=draws,
        seed=maxt.SEED if seed is None else seed,
        step_down=step_down,
    )
    check_options(options)
    units = read_units(
        estimate, se=se, cov=cov, df=df, names=names, ranked=ranked, selection=selection
    )
    check_units(units)
    check_places(bottom, int(units.ranked.sum()), argument="bottom", code="K116")
    return ranked_units(
        units, options, source=estimate if hasattr(estimate, "contributions") else None
    )


def ranked_units(units: Units, options: Options, *, source: Any) -> Ranking:
    """Rank checked units under checked options."""
    kept, sign = units.ranked, 1.0 if options.higher_is_better else -1.0
    if units.selection != "probability":
        return _ranked_by_point(units, options, sign=sign, source=source)
    pairs = compare(
        sign * units.estimate[kept], cov=units.cov[np.ix_(kept, kept)], df=units.df[kept]
    )
    sets = options.sets(pairs)
    tests = lists.bottom_membership(pairs, options.bottom, options.membership)
    adjusted = lists.over_the_table(tests, options.multiplicity) if options.multiplicity else None
    provable = units.selection == "probability"
    status = lists.decide(adjusted or tests, 1 - options.level, words=STATUS, provable=provable)
    model = bayes.fit(pairs.score, pairs.se, options.between)
    table = rank_table(
        units,
        pairs=pairs,
        sets=sets,
        tests=tests,
        adjusted=adjusted,
        status=status,
        model=model,
        options=options,
    )
    summary = summarise(units, table, pairs=pairs, sets=sets, model=model, options=options)
    return Ranking(table, summary, units, pairs, model, source, sets, options)


def _ranked_by_point(units: Units, options: Options, *, sign: float, source: Any) -> Ranking:
    """Rank units whose errors are unknown: every rank is possible, and whatever would state a certainty is missing."""
    pairs = by_point(sign * units.estimate[units.ranked])
    p = len(pairs.score)
    unknown = np.full(p, np.nan)
    anywhere = RankSets(
        np.ones(p, dtype=np.int64), np.full(p, p), better=np.zeros((p, p), dtype=bool)
    )
    model = bayes.Posterior(math.nan, math.nan, unknown, unknown, unknown, math.nan)
    table = point_table(units, pairs, options)
    summary = point_summary(units, table, pairs=pairs, options=options)
    return Ranking(table, summary, units, pairs, model, source, (anywhere, anywhere), options)


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
        return units_from_arrays(
            estimate, se=se, cov=cov, df=df, names=names, ranked=ranked, selection=selection
        )
    if any(given is not None for given in (se, cov, df, names)):
        raise RankingError(
            "K102",
            "Estimates 已带有 se、cov、df 和名称，不能再给出。",
            "Estimates bring se, cov, df and names; do not give them again.",
            where="se, cov, df, names",
        )
    return units_from_estimates(estimate, ranked=ranked, selection=selection)
