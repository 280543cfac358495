"""Ranks with their certainty: guaranteed sets, membership tests and probabilities, which are three
different things.

Reading order: `pairs` (all comparisons), `critical_values` and `sets` (guaranteed rank sets),
`membership` (last ten, targets), `probability` (under a model). `units` reads what is ranked,
`table` holds the options and writes what is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfaction.estimation.result import Estimates
from satisfaction.foundation.conventions import conventions_table
from satisfaction.foundation.engines import one_blas_thread
from satisfaction.foundation.errors import RankingError, one_of, shortened
from satisfaction.foundation.language import N_, Text, _
from satisfaction.foundation.pages import card
from satisfaction.ranking import membership, probability, rates, rise_bounds
from satisfaction.ranking.critical_values import DRAWS, SEED
from satisfaction.ranking.drawn import DrawnModel
from satisfaction.ranking.grades import (
    PROMISED,
    Grading,
    grade_units,
    less_sure,
    optimality_gap,
)
from satisfaction.ranking.membership import Form, Membership, Multiplicity, Side
from satisfaction.ranking.pairs import (
    TIE,
    Floats,
    Ints,
    Order,
    Pairs,
    Ties,
    by_point,
    competition_rank,
    order_of,
    tied_rank,
)
from satisfaction.ranking.probability import Between, Posterior
from satisfaction.ranking.rates import RatePosterior
from satisfaction.ranking.rise_probability import RATE_WAVES, SCORE_WAVES, rate_rises, score_rises
from satisfaction.ranking.sets import Marginal, RankSets, Simultaneous, sets_from
from satisfaction.ranking.table import (
    PRIORS,
    SETS,
    RankingSummary,
    RankOptions,
    check_options,
    check_places,
    conventions,
    is_whole,
    notes,
    point_summary,
    point_table,
    rank_table,
    spread_out,
    summarise,
)
from satisfaction.ranking.units import (
    Selection,
    Units,
    check_units,
    units_from_arrays,
    units_from_estimates,
)
from satisfaction.ranking.waves import (
    Comparability,
    Waves,
    pairs_of,
    require_comparable,
    waves_from_units,
)

STATUS = ("established", "excluded", "possible")
VERDICT = ("met", "not met", "not decidable")
NOTHING_TO_COMPARE = _(
    "Fewer than two areas have answers: there is nothing to compare, so no ranks and no list."
)
ONE_MODEL = "; one model, without a range"
Base: TypeAlias = Literal["published", "estimated"]
AskedPrior: TypeAlias = Literal["auto", "identity", "logit", "arcsine", "nonparametric"]
Known: TypeAlias = Posterior | RatePosterior | DrawnModel
BASES = {
    "published": N_(
        "the earlier published rank is a number; only the new rank is uncertain; the error counts over both waves"
    ),
    "estimated": N_(
        "both ranks are uncertain; half of the error a wave, any relation of the waves"
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class TargetVerdicts:
    """Whether each unit, were it the one with the target, has met it.

    Attributes
    ----------
    kind, places : str, int
        "top", t: the target is a rank of at most t. "rise", m: it is to have risen by at least m
        places.
    table : DataFrame
        One row a unit, in input order: unit, verdict ("met", "not met", "not decidable", "not
        ranked"), p_met, p_not_met (one-sided, for one unit named beforehand), probability
        (empirical Bayes); of rates, and of a rise since an earlier ranking, also probability_low,
        probability_high (over the assumptions compared) and model_dependent. Of scores "top" and a
        rise since published ranks rest on one model, that of the ranking, as P(list) does.
    summary : mapping
        level, selection, method.
    """

    kind: str
    places: int
    table: pd.DataFrame
    summary: Mapping[str, Any]

    def __repr__(self) -> str:
        verdicts = self.table["verdict"].value_counts().to_dict()
        return f"TargetVerdicts(kind={self.kind!r}, places={self.places}, verdicts={verdicts})"


@dataclass(frozen=True, eq=False)
class Grades:
    """Grades of the ranked units: within one, units are not told apart.

    Attributes
    ----------
    table : DataFrame
        One row a unit, in input order: unit, grade (1 is the best; missing where a unit is not
        ranked, and everywhere without a probability sample or of combined scores).
    number : int
        Grades in use.
    promised, wrong : float
        Over the pairs in different grades, the largest expected share in the wrong order that was
        asked for, and the expected share itself (0-1), under the model; nan where nothing is known.
    ordered, pairs : int
        Pairs of units in different grades, and all pairs.
    price : float
        lambda, what a rightly ordered pair is worth in wrongly ordered ones.
    """

    table: pd.DataFrame
    number: int
    promised: float
    wrong: float
    ordered: int
    pairs: int
    price: float
    grading: Grading | None
    better: Floats | None

    @cached_property
    def gap(self) -> float:
        """How much less loss a pair any grading could have at this lambda; 0: proven optimal.

        Found when first asked for: a linear programme, a second or two for 88 units.
        """
        if self.grading is None or self.better is None:
            return 0.0
        return optimality_gap(self.better, self.grading)

    def __repr__(self) -> str:
        shown = (
            f"Grades({self.number} grades, promised={self.promised:g}, wrong={self.wrong:.3f}, "
            f"ordered={self.ordered} of {self.pairs} pairs, price={self.price:.3f}"
        )
        if self.gap > 0:
            shown += f", gap={self.gap:.2g}"
        return shown + ")"


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """A ranking with its certainty, as returned by `rank`.

    Attributes
    ----------
    table : DataFrame
        One row a unit, in input order: unit, estimate, se, rank, marginal_low, marginal_high,
        simultaneous_low, simultaneous_high, status, p_in, p_out, probability_bottom, expected_rank,
        reliability.
    summary : RankingSummary
        What holds for the table as a whole, and every declared convention.
    units, pairs, posterior
        What the table was made from; scores in `pairs` and `posterior` are turned so that larger is
        better.
    source : Estimates or None
        What was ranked, where it was Estimates: two waves need them for their covariance.
    marginal, simultaneous : RankSets
        For one unit named beforehand; for the whole table at once.
    options : Options
        As asked for.
    model : Posterior, RatePosterior or DrawnModel
        What probabilities and grades come from: `posterior`, for rates the model of their prior,
        for scores that are drawn the draws.

    Examples
    --------
    >>> scores = [90.0, 70.0, 68.0, 40.0]
    >>> ranking = sat.rank(scores, se=[2.0] * 4, names=list("ABCD"), bottom=1)
    >>> ranking
    Ranking(4 units, RankingSummary(p=4, bottom=1, level=0.95, selection='probability',
    list_p=4.184e-23, rankability=0.9905))
    >>> ranking.target("top", 2).table[["unit", "verdict"]]
      unit        verdict
    0    A            met
    1    B  not decidable
    2    C  not decidable
    3    D        not met
    """

    table: pd.DataFrame
    summary: RankingSummary
    units: Units
    pairs: Pairs
    posterior: Posterior
    source: Estimates | None
    marginal: RankSets
    simultaneous: RankSets
    options: RankOptions
    model: Known

    def __repr__(self) -> str:
        return f"Ranking({len(self.table)} units, {self.summary!r})"

    def _repr_html_(self) -> str:
        columns = ["unit", "rank", *SETS, "status"]
        columns += ["probability_bottom", "estimate", "se", "reliability"]
        columns += [name for name in rates.RANGE if name in self.table]
        by_rank = self.table.sort_values("rank", kind="stable", na_position="last")[columns]
        declared = dict(self.summary)
        notes_of_table = declared.pop("notes")
        tables: dict[Text | str, pd.DataFrame] = {_("table"): by_rank}
        tables[_("conventions")] = conventions_table(declared)
        title = str(_("(no rank without its set)"))
        return card(title, tables=tables, note=" ".join(map(str, notes_of_table)))

    @property
    def ranks_any(self) -> bool:
        """Whether any unit has a rank: not where fewer than two have answers."""
        return bool(self.units.ranked.any())

    def order(self) -> Order:
        """Say which units are proven better than which, by the simultaneous method: pairs, steps
        and tiers.

        Without a probability sample nothing is proven.

        Raises
        ------
        RankingError
            K341 where nothing is ranked.
        """
        require_ranks(self, where="order")
        better = self.simultaneous.better
        assert better is not None
        how = f"{self.summary.simultaneous}, level {self.summary.level:g}"
        method = f"{how}, all pairs at once; chains completed"
        return order_of(list(self.units.ranked_names), self.pairs, better, method=method)

    def list_sets(self, kind: Side, places: int) -> pd.DataFrame:
        """Say which units surely and which possibly belong to a list, all of it at once (csranks'
        tau-best, tau-worst).

        Parameters
        ----------
        kind : {"top", "bottom"}
        places : int
            Between 1 and p - 1.

        Returns
        -------
        DataFrame
            One row a unit, in input order: unit, inner (True: every possible rank is in the list),
            outer (False: none is). With the confidence of the simultaneous sets, inner is part of
            the true list and the true list part of outer.

        Raises
        ------
        RankingError
            K120 for another kind, K121 for places out of range, K341 where nothing is ranked.
        """
        require_ranks(self, where="list_sets")
        one_of(kind, get_args(Side), argument="kind", error=RankingError, code="K120")
        check_places(places, len(self.pairs.score), argument="places", code="K121")
        sets = self.simultaneous
        members = membership.list_sets(sets.low, sets.high, side=kind, places=places)
        columns = {"inner": members.inner, "outer": members.outer}
        units = pd.DataFrame({"unit": list(self.units.names)})
        return units.assign(**spread_out(columns, self.units))

    @one_blas_thread
    def grades(self, promised: float = PROMISED) -> Grades:
        """Grade the ranked units: as many pairs as possible in different grades, with a promised
        share in the wrong order.

        Parameters
        ----------
        promised : float
            Largest expected share of wrongly ordered pairs, over the pairs in different grades
            (above 0, below 0.5).

        Returns
        -------
        Grades
            Without a probability sample nobody has a grade; nor where scores are combined, or drawn.

        Raises
        ------
        RankingError
            K126 for a share that cannot be promised.

        Notes
        -----
        Kline, Rose and Walters (2024), with the model of the probabilities: the promise holds on
        average over areas and surveys if the model does, and is no guarantee for one pair. The
        variance between areas is plugged in: where areas hardly differ most surveys order nothing,
        and the few that order some pairs have rather more of them wrong. A smooth prior sees no
        groups of equals and tells an order inside them; so each pair counts with the smaller
        certainty under the prior and under one of any shape (not of rates ranked with
        `other_priors` off). docs/method.md has how the promise was kept.

        Examples
        --------
        >>> import satisfaction as sat
        >>> ranking = sat.rank([90.0, 80.0, 79.9, 60.0], se=[1.0, 1.0, 1.0, 1.0], bottom=1)
        >>> ranking.grades(0.05).table["grade"].tolist()
        [1, 2, 2, 3]
        """
        if not 0 < promised < 0.5:
            raise RankingError(
                "K126",
                _("promised={promised} is not above 0 and below 0.5.", promised=promised),
                where="promised",
            )
        units = pd.DataFrame({"unit": list(self.units.names)})
        p = len(self.pairs.score)
        pairs = p * (p - 1) // 2
        if p < 2 or not self._may_be_graded:
            no_grades = pd.array([pd.NA] * len(units), dtype="Int64")
            nobody = units.assign(grade=no_grades)
            return Grades(nobody, 0, promised, np.nan, 0, pairs, np.nan, None, None)
        better = self.model.better()
        any_shape = self._of_any_shape()
        if any_shape is not None:
            better = less_sure(better, any_shape.better())
        grading = grade_units(better, promised)
        grades = spread_out({"grade": grading.grade}, self.units)
        return Grades(
            table=units.assign(**grades),
            number=int(grading.grade.max()),
            promised=promised,
            wrong=grading.wrong,
            ordered=grading.ordered,
            pairs=pairs,
            price=grading.price,
            grading=grading,
            better=better,
        )

    @property
    def _may_be_graded(self) -> bool:
        """Whether the promise was tried for such scores: those of one sample, with an error."""
        return self.summary.proven and self.options.graded and self.pairs.drawn is None

    def _of_any_shape(self) -> RatePosterior | None:
        """The model whose prior may have any shape; None where the ranking's stands alone: rates of
        which no priors are to be compared.
        """
        sign = self.options.sign
        value = sign * self.pairs.score
        se = np.maximum(self.pairs.se, TIE)
        if self.options.compares_priors:
            return rates.fit_rates("nonparametric", value, se, df=self.pairs.df, sign=sign)
        if isinstance(self.model, Posterior):
            return rates.fit_scores(value, se, sign=sign)
        return None

    def range_of_top(self, goals: Ints) -> dict[str, NDArray[Any]]:
        """Columns `rates.RANGE` beside P(rank <= goal), (p,) each and a goal a unit, over the priors
        that are compared; none where the model stands alone, as that of scores does.
        """
        if not self.options.compares_priors:
            return {}
        p = len(goals)
        counts = _counts(self.pairs, self.options)
        models = rates.fit_every(counts, sign=self.options.sign)
        chances = [_within(model, goals) for model in models]
        equal = None
        if rates.may_be_equal(counts):
            equal = np.clip(goals, 0, p) / p
        stated = _within(self.model, goals)
        return rates.compared_lists(stated, chances, equal=equal).columns()

    def target(
        self,
        kind: str,
        places: int,
        *,
        since: Ranking | Mapping[str, int] | None = None,
        base: Base = "published",
        comparable: bool | Comparability | None = None,
    ) -> TargetVerdicts:
        """Test a target of every unit.

        Parameters
        ----------
        kind : {"top", "rise"}
            "top": the unit's rank is at most `places`. "rise": it is better by at least `places`
            than in the wave `since`.
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
            K120 for another kind, K121 for places out of range, K141, K142 and K145 for waves that
            cannot be compared, K150-K152 for base and since, K341 where nothing is ranked.
        """
        require_ranks(self, where="target")
        one_of(kind, ("top", "rise"), argument="kind", error=RankingError, code="K120")
        check_places(places, len(self.pairs.score), argument="places", code="K121")
        names = ("level", "selection", "membership", "df", "probabilities")
        declared = {name: self.summary[name] for name in names}
        if not self.summary.proven:
            tests, unknown = _unknown(len(self.pairs.score))
            chances = {"probability": unknown}
        elif kind == "rise":
            tests, chances, of_rise = _rise_target(
                self, places, since=since, base=base, comparable=comparable
            )
            declared |= of_rise
        else:
            tests = membership.top_membership(self.pairs, places, self.options.membership)
            goals = np.full(len(self.pairs.score), places)
            chances = {"probability": self.model.probability_top(places)}
            chances |= self.range_of_top(goals)
            if not self.options.compares_priors:
                declared["probabilities"] += ONE_MODEL
        provable = declared["selection"] == "probability" and not self.options.taken_as_exact
        alpha = 1 - self.summary.level
        verdict = membership.decide(tests, alpha, words=VERDICT, provable=provable)
        columns = {"verdict": verdict, "p_met": tests.p_in, "p_not_met": tests.p_out} | chances
        units = pd.DataFrame({"unit": list(self.units.names)})
        verdicts = units.assign(**spread_out(columns, self.units))
        return TargetVerdicts(kind, places, verdicts, MappingProxyType(declared))


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
    between: Between = "reml",
    draws: int = DRAWS,
    step_down: bool = True,
    prior: AskedPrior = "auto",
) -> Ranking:
    """Rank units and say how certain each rank is.

    Parameters
    ----------
    estimate : Estimates or (p,) array
        Estimates of one measure by domain (they bring se, cov, df, names and selection), or
        numbers.
    se, cov : (p,) or (p, p) array
        Standard errors of independent units, or the sampling covariance; exactly one of them with
        an array.
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
        Sets for one unit named beforehand. "simes" needs independent units; "holm" replaces it
        otherwise. "maxt" is an integral for independent units and simulated otherwise.
    simultaneous : {"tukey", "holm", "joint-ci", "maxt"}
        Sets for the whole table. "maxt" is simulated.
    selection : {"probability", "quota", "open_link"}
        Without a probability sample there is no design error: units are ranked by their estimates,
        and se, sets, tests and probabilities are missing, also where se or cov are given.
    ranked : (p,) bool array, optional
        Units that take part; the others keep their row.
    seed : int, optional
        For methods that simulate ("maxt"); default a fixed one, `critical_values.SEED`.
    membership : {"simes", "dunnett", "bonferroni"}
        Form of the tests of belonging to a list, `Ranking.target` included. "bonferroni" replaces
        the others where units are dependent.
    multiplicity : {"holm", "bh"}, optional
        Adjust p_in and p_out for all units of the table (columns p_in_adjusted, p_out_adjusted,
        which then decide the status); None = each is for one unit named beforehand.
    ties : {"competition", "modified", "dense", "fractional"}
        Rule for the published rank of tied units.
    between : {"reml", "ml"}
        Estimate of the variance of the true scores.
    draws : int
        Draws of methods that simulate, at least 50,000.
    step_down : bool
        Whether simultaneous "maxt" takes its critical value again after each round of rejections.
    prior : {"auto", "identity", "logit", "arcsine", "nonparametric"}
        Shape of the true values in the model of probabilities and grades: "identity", normal as
        they are; for rates 0-1 also normal on the logit or arcsine scale, or of any shape. "auto":
        "logit" for Estimates of a rate, else "identity". For Estimates of a rate, and where one of
        the last three is asked for, errors depend on the rate and are moderated by their df; the
        table then ends with probability_low, probability_high (over all four and a prior with two
        ends) and model_dependent
        (they differ by more than 0.1).

    Returns
    -------
    Ranking
        With `table`, `summary` and `target`.

    Raises
    ------
    RankingError
        K101-K112 for what is ranked, K113-K119, K122-K125 and K127 for options; K128
        for pandas arguments under different indexes.

    Notes
    -----
    Sets from pairs: Mogstad, Romano, Shaikh and Wilhelm (2024), here by Tukey-Kramer / Dunnett's C
    or Holm; counts by Simes: Goeman and Solari (2011); joint-ci: Klein, Wright and Wieczorek
    (2020); max-t: Romano and Wolf (2005); membership: Benjamini and Heller (2008); probabilities:
    Laird and Louis (1989); variances from few PSUs, moderated: Smyth (2004); a prior of any shape:
    Koenker and Mizera (2014).

    Examples
    --------
    >>> scores = [90.0, 70.0, 68.0, 40.0]
    >>> ranking = sat.rank(scores, se=[2.0] * 4, names=list("ABCD"), bottom=1)
    >>> columns = ["unit", "rank", "simultaneous_low", "simultaneous_high", "status"]
    >>> ranking.table[columns]
      unit  rank  simultaneous_low  simultaneous_high       status
    0    A     1                 1                  1     excluded
    1    B     2                 2                  3     excluded
    2    C     3                 2                  3     excluded
    3    D     4                 4                  4  established
    """
    is_rate = isinstance(estimate, Estimates) and of_rates(estimate)
    options = RankOptions(
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
        seed=SEED if seed is None else seed,
        step_down=step_down,
        **prior_options(prior, is_rate=is_rate),
    )
    check_options(options)
    if not isinstance(estimate, Estimates):
        units = units_from_arrays(
            estimate, se=se, cov=cov, df=df, names=names, ranked=ranked, selection=selection
        )
        return rank_units(units, options)
    if any(argument is not None for argument in (se, cov, df, names)):
        raise RankingError(
            "K102",
            _("Estimates bring se, cov, df and names; do not give them again."),
            where="se, cov, df, names",
        )
    units = units_from_estimates(estimate, ranked=ranked, selection=selection)
    return rank_units(units, options, source=estimate)


def of_rates(estimates: Estimates) -> bool:
    """Whether Estimates are of one rate, shares 0-1 of the persons."""
    statistic = estimates.conventions.get("statistic")
    if statistic != "mean":
        return statistic == "proportion"
    measures = estimates.design.measures
    for name in estimates.table["measure"].unique():
        if name not in measures or measures[name].kind != "rate":
            return False
    return True


def prior_options(prior: AskedPrior, *, is_rate: bool) -> dict[str, Any]:
    """Options of the model: the prior that "auto" stands for, and whether priors are compared."""
    one_of(prior, PRIORS, argument="prior", error=RankingError, code="K125")
    used = prior
    if prior == "auto":
        used = rates.DEFAULT if is_rate else "identity"
    return {"prior": used, "is_rate": is_rate}


@one_blas_thread
def rank_units(units: Units, options: RankOptions, *, source: Estimates | None = None) -> Ranking:
    """Rank units under checked options; K104-K112 and K116 where they cannot be ranked."""
    check_units(units)
    check_places(options.bottom, int(units.ranked.sum()), argument="bottom", code="K116")
    pairs = pairs_of(units, options.sign)
    if units.selection != "probability":
        return _rank_by_point(units, pairs, options, source=source)
    marginal = options.marginal_sets(pairs)
    simultaneous = options.simultaneous_sets(pairs)
    listing = options.from_listed_end(pairs)
    tests = membership.bottom_membership(listing, options.bottom, options.membership)
    deciding = tests
    if options.multiplicity:
        deciding = membership.over_the_table(tests, options.multiplicity)
    normal = probability.fit(pairs.score, pairs.se, options.between)
    model, listed, over_priors = _probabilities(normal, pairs, options)
    columns: dict[str, NDArray[Any]] = {}
    columns["rank"] = tied_rank(pairs, options.ties)
    columns["marginal_low"] = marginal.low
    columns["marginal_high"] = marginal.high
    columns["simultaneous_low"] = simultaneous.low
    columns["simultaneous_high"] = simultaneous.high
    provable = not options.taken_as_exact
    alpha = 1 - options.level
    columns["status"] = membership.decide(deciding, alpha, words=STATUS, provable=provable)
    columns["p_in"] = tests.p_in
    columns["p_out"] = tests.p_out
    columns["probability_bottom"] = listed
    columns["expected_rank"] = model.expected_rank()
    columns["reliability"] = normal.reliability
    if options.multiplicity:
        columns["p_in_adjusted"] = deciding.p_in
        columns["p_out_adjusted"] = deciding.p_out
    if marginal.simulation is not None:
        columns["marginal_fragile"] = marginal.simulation.fragile
    if simultaneous.simulation is not None:
        columns["simultaneous_fragile"] = simultaneous.simulation.fragile
    columns |= over_priors
    rows = rank_table(units, columns)
    summary = summarise(
        units,
        rows,
        pairs,
        options=options,
        marginal=marginal,
        simultaneous=simultaneous,
        model=normal,
    )
    summary = replace(summary, notes=notes(summary))
    return Ranking(
        rows, summary, units, pairs, normal, source, marginal, simultaneous, options, model
    )


def _probabilities(
    normal: Posterior, pairs: Pairs, options: RankOptions
) -> tuple[Known, Floats, dict[str, NDArray[Any]]]:
    """The model of the true values, the probability of the listed end (p,), and where priors are
    compared its columns over all of them.
    """
    if options.of_rates:
        _refuse_no_rates(pairs, options)
    model: Known = normal
    if pairs.drawn is not None:
        model = DrawnModel(pairs.drawn.draws.scores)
    elif options.compares_priors:
        return _over_priors(pairs, options)
    elif options.of_rates:
        model = rates.fit_counts(options.prior, _counts(pairs, options), sign=options.sign)
    if options.side == "first":
        return model, model.probability_top(options.bottom), {}
    return model, model.probability_bottom(options.bottom), {}


def _refuse_no_rates(pairs: Pairs, options: RankOptions) -> None:
    """Refuse (K127) a prior for rates where estimates lie outside 0-1."""
    rate = options.sign * pairs.score
    if rate.min() >= 0 and rate.max() <= 1:
        return
    raise RankingError(
        "K127",
        _(
            "The prior {prior} is for rates 0-1; estimates run from {low:g} to {high:g}.",
            prior=options.prior,
            low=rate.min(),
            high=rate.max(),
        ),
        where="prior",
        hint=_("Scores and indices use `identity`."),
    )


def _counts(pairs: Pairs, options: RankOptions) -> rates.Counts:
    """Read the rates of pairs as counts."""
    se = np.maximum(pairs.se, TIE)
    return rates.effective_counts(options.sign * pairs.score, se, pairs.df)


def _over_priors(
    pairs: Pairs, options: RankOptions
) -> tuple[RatePosterior, Floats, dict[str, NDArray[Any]]]:
    """The model of the asked prior, its probability of the listed end, and the smallest and largest
    one over all priors, with where they differ by more than 0.1 (`rates.compared_lists`).

    Where the true rates are not shown to differ, every unit may be as likely as any.
    """
    p = len(pairs.score)
    counts = _counts(pairs, options)
    models = rates.fit_every(counts, sign=options.sign)
    first = options.side == "first"
    chances = rates.list_probabilities(models, options.bottom, first=first)
    equal = None
    if rates.may_be_equal(counts):
        equal = min(options.bottom, p) / p
    asked = rates.RATES.index(options.prior)
    compared = rates.compared_lists(chances[asked], chances, equal=equal)
    return models[asked], chances[asked], compared.columns()


def _rank_by_point(
    units: Units, pairs: Pairs, options: RankOptions, *, source: Estimates | None
) -> Ranking:
    """Rank units whose errors are unknown: every rank is possible, and whatever would state a
    certainty is missing.
    """
    p = len(pairs.score)
    ranks = tied_rank(pairs, options.ties) if p else np.empty(0, dtype=np.int64)
    rows = point_table(units, ranks, options)
    summary = point_summary(units, rows, pairs, options=options)
    summary = replace(summary, notes=notes(summary))
    nothing_proven = np.zeros((p, p), dtype=bool)
    anywhere = sets_from(nothing_proven)
    unknown = np.full(p, np.nan)
    model = Posterior(np.nan, np.nan, unknown, unknown, unknown, np.nan)
    return Ranking(rows, summary, units, pairs, model, source, anywhere, anywhere, options, model)


def rank_nobody(units: Units, options: RankOptions, *, source: Estimates) -> Ranking:
    """Keep the rows of units that have nothing to be compared with: `units.ranked` is False
    throughout.
    """
    pairs = by_point(np.empty(0))
    ranking = _rank_by_point(units, pairs, options, source=source)
    summary = replace(
        ranking.summary,
        established_listed=0,
        list_established=False,
        critical_values=MappingProxyType({"marginal": None, "simultaneous": None}),
        se_from_limits=(),
        df="nothing is ranked",
        **conventions(pairs, options),
        notes=(NOTHING_TO_COMPARE,),
    )
    return replace(ranking, summary=summary)


def require_ranks(ranking: Ranking, *, where: str) -> None:
    """Refuse to go on without ranks where the question is about ranks.

    Raises
    ------
    RankingError
        K341.
    """
    if not ranking.ranks_any:
        raise RankingError(
            "K341",
            _(
                "Fewer than two areas have answers: there are no ranks, and what is asked "
                "here is about ranks."
            ),
            where=where,
            hint=_(
                "One area can use run, report, fieldwork and rolling; beside an official "
                "survey, trial."
            ),
        )


# ---- the target "rose by at least m places since an earlier wave"


def _unknown(p: int) -> tuple[Membership, Floats]:
    """Return tests and probabilities of p units of which nothing is known."""
    return membership.untested(p), np.full(p, np.nan)


def _rise_target(
    later: Ranking,
    places: int,
    *,
    since: Ranking | Mapping[str, int] | None,
    base: Base,
    comparable: object,
) -> tuple[Membership, dict[str, NDArray[Any]], dict[str, Any]]:
    """Test whether each ranked unit rose by at least `places` since an earlier wave.

    Returns
    -------
    tests : Membership
        p_in: "rose", p_out: "did not", (p,), in the order of the ranked units; nan without a
        probability sample.
    chance : mapping to (p,)
        Probability that it rose, under the model; of rates and since an earlier ranking also `rates.RANGE`.
    declared : dict
        Method and conventions.
    """
    one_of(base, BASES, argument="base", error=RankingError, code="K150")
    declared = {
        "base": base,
        "meaning": BASES[base],
        "comparable": require_comparable(comparable),
        "draws": probability.DRAWS,
        "seed": probability.SEED,
        "ties": N_("competition ranks (1 2 2 4) in both waves, whatever rule the tables use"),
        "membership": N_(
            "partial conjunction, Simes or (dependent units) Bonferroni form, monotone; one unit, one side"
        ),
    }
    if isinstance(since, Ranking):
        waves = _waves_of(later, since)
        declared["selection"] = waves.selection
        declared["probabilities"] = SCORE_WAVES
        if later.options.of_rates:
            declared["probabilities"] = RATE_WAVES
        declared["relation"] = waves.relation
        if waves.selection != "probability":
            tests, chance = _unknown(len(later.pairs.score))
            return tests, {"probability": chance}, declared
        return *_since_ranking(later, waves, places, base=base), declared
    if isinstance(since, Mapping) and base == "published":
        declared["selection"] = later.summary.selection
        model = N_("as of the ranking: the later wave alone, the goal a number")
        if not later.options.compares_priors:
            model += ONE_MODEL
        declared["probabilities"] = model
        declared["relation"] = None
        return *_since_numbers(later, places, since), declared
    raise RankingError(
        "K151",
        _(
            "since must be the earlier Ranking, or with base='published' {{unit: rank}}; "
            "it is {name}.",
            name=type(since).__name__,
        ),
        where="since",
        got=base,
        hint=_("Rank the earlier wave and give that ranking as since."),
    )


def _since_numbers(
    later: Ranking, places: int, since: Mapping[str, int]
) -> tuple[Membership, dict[str, NDArray[Any]]]:
    """Test a rise since published ranks, given by unit."""
    goal = _published_ranks(later, since) - places
    rose = rise_bounds.new_rank_tests(rise_bounds.rank_claims(later.pairs), goal)
    if not isinstance(later.model, Posterior):
        chance = {"probability": _within(later.model, goal)} | later.range_of_top(goal)
        return Membership(*rose), chance
    known = later.posterior
    # where nothing differs every order is as likely, as in `probability.few_ahead`
    variance = np.maximum(known.sd, 100 * TIE) ** 2
    mean = known.mean[:, None]
    drawn = probability.rank_draws(mean, variance[:, None, None])
    reached = drawn[:, :, 0] <= goal
    return Membership(*rose), {"probability": reached.mean(axis=0)}


def _within(model: Known, goal: Ints) -> Floats:
    """P(rank <= goal), (p,), a goal a unit."""
    chance = np.zeros(len(goal))
    for places in np.unique(goal[goal > 0]).tolist():
        is_goal = goal == places
        chance[is_goal] = model.probability_top(places)[is_goal]
    return chance


def _since_ranking(
    later: Ranking, waves: Waves, places: int, *, base: Base
) -> tuple[Membership, dict[str, NDArray[Any]]]:
    """Test a rise since an earlier ranking, with base published or estimated."""
    sign = later.options.sign
    rises = rate_rises(waves, sign) if later.options.of_rates else score_rises(waves, sign)
    rank_before = rises.ranks[:, :, 0]
    rank_after = rises.ranks[:, :, 1]
    before = pairs_of(waves.before, sign)
    after = rise_bounds.rank_claims(later.pairs)
    if base == "published":
        goal = competition_rank(before) - places
        rose = rank_after <= goal
        tests = rise_bounds.new_rank_tests(after, goal)
    else:
        rose = rank_before - rank_after >= places
        tests = rise_bounds.change_tests(rise_bounds.rank_claims(before), after, places)
    chance = {"probability": rose.mean(axis=0)} | rises.compared(rose).columns()
    return Membership(*tests), chance


def _waves_of(later: Ranking, since: Ranking) -> Waves:
    """Put two rankings side by side; their Estimates, if they were made from them, give the
    covariance.
    """
    if later.summary.higher_is_better != since.summary.higher_is_better:
        raise RankingError(
            "K151",
            _("The two rankings go in opposite directions."),
            where="since",
            hint=_("Rank both waves with the same higher_is_better."),
        )
    return waves_from_units(later.units, since.units, sources=(later.source, since.source))


def _published_ranks(later: Ranking, since: Mapping[str, Any]) -> Ints:
    """Read the earlier ranks of the ranked units, (p,) whole numbers from 1 to p."""
    p = len(later.pairs.score)
    ranks = []
    wrong = []
    for name in later.units.ranked_names:
        published = since.get(name)
        ranks.append(published)
        if not is_whole(published) or not 1 <= published <= p:
            wrong.append(name)
    if wrong:
        raise RankingError(
            "K152",
            _(
                "The earlier wave has no rank (a whole number from 1 to {p}) for: {wrong}",
                p=p,
                wrong=shortened(wrong),
            ),
            where="since",
            hint=_("Give a rank for every unit that is ranked."),
        )
    return np.array(ranks, dtype=np.int64)
