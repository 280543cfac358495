"""Change between two waves: of the score, of the score relative to the field, and of the rank.

Three answers that are never mixed: t tests of the score's change from the covariance of both waves
(`relative_change`, t, p), guaranteed bounds of the rank's change (`rise_low` ... `all_high`), and
probabilities under a model (`expected_rise`, `probability_rise`, `shrunk_change`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special

from satisfaction.estimation.intervals import satterthwaite, satterthwaite_of_blocks
from satisfaction.estimation.multiplicity import benjamini_hochberg, holm
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_, Text, _
from satisfaction.ranking.drawn import marginal_drawn_sets, simultaneous_drawn_sets
from satisfaction.ranking.pairs import TIE, Floats, Ints, Pairs, competition_rank
from satisfaction.ranking.probability import (
    DRAWS,
    SEED,
    Bivariate,
    frequencies,
)
from satisfaction.ranking.rank import of_rates
from satisfaction.ranking.rates import FEW, RISING, AcrossPriors, compared_rises
from satisfaction.ranking.rise_bounds import BOUNDS, Bounds, project
from satisfaction.ranking.rise_probability import (
    RATE_WAVES,
    SCORE_WAVES,
    DrawnRises,
    rate_rises,
    score_rises,
)
from satisfaction.ranking.sets import RankSets, holm_sets, tukey_sets
from satisfaction.ranking.table import Facts, df_convention, is_whole, spread_out
from satisfaction.ranking.units import UNDECLARED, Selection, Units
from satisfaction.ranking.waves import (
    Comparability,
    Waves,
    one_measure,
    require_comparable,
    waves_from_arrays,
    waves_from_estimates,
)
from satisfaction.sampling.variance import Members

NO_ERROR = 1e-12  # a se under this is rounding
CERTAINTY = (
    "rise_low",
    "rise_high",
    "all_low",
    "all_high",
    "shrunk_change",
    "shrunk_sd",
    "expected_rise",
    "probability_rise",
)
RISE_RANGE = ("probability_rise_low", "probability_rise_high", "model_dependent")
"""Columns beside `probability_rise`."""
GUARANTEED = CERTAINTY[:4]
UNTESTED = N_("none: scores are drawn")
UNPROVEN = N_("none: not both samples are probability samples")
OF_RATES = _(
    "Probabilities of rises of rates hold on average only: two waves hardly tell how far true rates "
    "changed. Where they changed little, rises are less likely than stated, where much, likelier."
)
OF_SCORES = _(
    "Probabilities of rises hold on average only: two waves hardly tell how far true scores "
    "changed, nor whether all of them did or few. Where few changed, or none, rises are less likely "
    "than stated, where all did, likelier; the range beside a probability says how much depends on it."
)
OF_FEW = _(
    "With fewer than {few} units probabilities of rises were up to twice too high in simulations: each "
    "from {least:g} on counts as depending on the model, and its range reaches down to half of it.",
    few=FEW,
    least=RISING,
)
OF_DRAWN = _(
    "The score is drawn, because a mark or points of inspection decide about points: no standard "
    "error carries it from wave to wave. Bounds of ranks and intervals give each wave half of the "
    "error and hold however the waves are related; the change is not tested, and rises have no "
    "probability."
)
NOT_BOTH = _(
    "Not both waves are probability samples, hence no sampling error: how "
    "certain the changes are is unknown."
)

NO_ERROR_DECLARED = _(
    "No standard error of this score is declared: how certain the changes are is unknown."
)


def tests_of_change(waves: Waves) -> dict[str, Floats]:
    """Test each ranked unit's change relative to the mean change of all of them; missing without a
    probability sample, and of drawn scores.
    """
    ranked = waves.ranked
    p = int(ranked.sum())
    centred = np.eye(p) - 1 / p
    matrix = np.hstack([centred, -centred])
    score = np.concatenate([waves.after.estimate[ranked], waves.before.estimate[ranked]])
    df = np.concatenate([waves.after.df[ranked], waves.before.df[ranked]])
    relative = matrix @ score
    tests = {"change": score[:p] - score[p:], "relative_change": relative}
    if waves.selection != "probability" or waves.drawn:
        unknown = np.full(p, np.nan)
        return tests | dict.fromkeys(("se", "df", "t", "p", "p_bh", "p_holm"), unknown)
    cov = waves.covariance()
    se = np.sqrt(np.maximum(np.sum((matrix @ cov) * matrix, axis=1), 0.0))
    if waves.members is not None and waves.shared_psus:
        freedom = shared_freedom(waves, waves.members, matrix, cov=cov, df=df)
    else:
        freedom = satterthwaite(matrix**2 * np.diag(cov), df)
    return tests | {"se": se, "df": freedom} | two_sided(relative, se, freedom)


def shared_freedom(
    waves: Waves, members: Members, matrix: Floats, *, cov: Floats, df: Floats
) -> Floats:
    """Degrees of freedom of (k, 2p) combinations of waves that share PSUs: a unit's two estimates
    are one block.
    """
    in_both_waves = np.tile(waves.ranked, 2)
    of_ranked = members.of(np.flatnonzero(in_both_waves))
    one_each = np.arange(len(df))
    combinations = sp.csr_array(matrix)
    return satterthwaite_of_blocks(combinations, cov, domain=one_each, df=df, members=of_ranked)


def two_sided(difference: Floats, se: Floats, df: Floats) -> dict[str, Floats]:
    """Test (p,) differences by t, adjusted over all of them; a difference under 1e-9 is none."""
    difference = np.where(np.abs(difference) < TIE, 0.0, difference)
    endless = np.copysign(np.inf, difference)
    exact = np.where(difference == 0, 0.0, endless)
    tested = (se > NO_ERROR) & (difference != 0)
    t = np.divide(difference, se, out=exact, where=tested)
    p = 2 * special.stdtr(df, -np.abs(t))
    return {
        "t": t,
        "p": p,
        "p_bh": benjamini_hochberg(p),
        "p_holm": holm(p),
    }


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class ChangeSummary(Facts):
    """What holds for a table of changes as a whole, and every convention; also a mapping by these
    names.

    The defaults are those of waves of which one is no probability sample.

    Attributes
    ----------
    p, not_ranked : int, tuple of str
    relation, shared_psus : str, int or None
        Where the covariance of the waves comes from.
    between, correlation : list or None, float or None
        Covariance and correlation of the true scores over units.
    rising, guaranteed_rising, expected_rising : int, int or None, float or None
        Units that rose by `places` or more: in published ranks, proven, expected under the model.
    df, ties, tests, guaranteed, probabilities, bounds
        Conventions in words.
    level, places, higher_is_better, selection, comparable, draws, seed
        Options as used.
    notes : tuple of Text
        Sentences that must accompany the table.
    independent, monte_carlo_error
        Only with two probability samples.
    model_dependent : tuple of str
        Units whose probability of a rise depends on the model; only with two probability samples.
    """

    where_used = ("independent", "monte_carlo_error", "model_dependent")

    p: int
    not_ranked: tuple[str, ...]
    relation: str
    shared_psus: int | None
    independent: bool | None = None
    between: list[list[float]] | None = None
    correlation: float | None = None
    model_dependent: tuple[str, ...] | None = None
    rising: int
    guaranteed_rising: int | None = None
    expected_rising: float | None = None
    df: Mapping[str, str] | str = UNPROVEN
    ties: str = "scores closer than 1e-9 are ties; competition ranks (1 2 2 4)"
    tests: str = UNPROVEN
    guaranteed: str = UNPROVEN
    probabilities: str = UNPROVEN
    monte_carlo_error: float | None = None
    se_from_limits: tuple[str, ...] = ()
    level: float
    places: int
    higher_is_better: bool
    selection: str
    bounds: str = UNPROVEN
    comparable: str
    draws: int
    seed: int
    notes: tuple[Text, ...]

    def __repr__(self) -> str:
        return (
            f"ChangeSummary(p={self.p}, places={self.places}, rising={self.rising}, "
            f"guaranteed_rising={self.guaranteed_rising}, expected_rising={self.expected_rising})"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RankChange(Brief):
    """Change of scores and ranks between two waves, as returned by `rank_change`.

    Attributes
    ----------
    table : DataFrame
        One row a unit, in the later wave's order. Tests: unit, before, after (scores), change,
        relative_change (minus the mean change of the ranked units), se, df, t, p, p_bh, p_holm (of
        relative_change, two-sided). Ranks: rank_before, rank_after, rise (places gained; negative =
        lost). Guarantees: rise_low, rise_high (one unit named beforehand, each bound at `level`),
        all_low, all_high (whole table at once, at `level`). Model: shrunk_change (posterior mean of
        relative_change), shrunk_sd, expected_rise, probability_rise (at least `places`),
        probability_rise_low, probability_rise_high (with little and with much change, of a rate on
        both scales) and model_dependent (they differ by more than 0.1). Of drawn scores there are no
        tests and no model; ci_low, ci_high are limits of relative_change then.
    summary : ChangeSummary
        What holds for the table as a whole, and every declared convention.
    waves, before, after, posterior
        What the table was made from: both waves, the pairs of each, the model; scores in the pairs
        and in `posterior` are turned so that larger is better.
    rise_frequency : (p, 2p - 1)
        Share of posterior draws in which a ranked unit rose by -(p - 1) ... p - 1 places.
    assumed_frequency : (k, p, 2p - 1)
        As `rise_frequency`, under each other assumption.
    """

    table: pd.DataFrame
    summary: ChangeSummary
    waves: Waves
    before: Pairs
    after: Pairs
    posterior: Bivariate
    rise_frequency: Floats
    assumed_frequency: Floats

    def probability_rise(self, places: int) -> pd.Series:
        """P(rank before - rank after >= places), by unit; a negative number asks about "fell by no
        more than".
        """
        return self._by_unit(_at_least(self.rise_frequency, places))

    def rise_range(self, places: int) -> pd.DataFrame:
        """Smallest and largest `probability_rise` over the assumptions compared, by unit, and
        whether they differ by more than 0.1; columns `RISE_RANGE`, without rows where nothing is
        proven.
        """
        if not len(self.assumed_frequency):
            return pd.DataFrame(columns=list(RISE_RANGE))
        frequencies = np.array([self.rise_frequency, *self.assumed_frequency])
        columns = _range_of_rise(frequencies, places)
        spread = spread_out(columns, self.waves.after)
        return pd.DataFrame(spread).set_axis(list(self.waves.after.names))

    def _by_unit(self, values: Floats) -> pd.Series:
        after = self.waves.after
        of_units = spread_out({"unit": values}, after)["unit"]
        return pd.Series(of_units, index=list(after.names))


def rank_change(
    later: object,
    earlier: object,
    *,
    comparable: bool | Comparability | None = None,
    se: object = None,
    cov: object = None,
    df: object = None,
    names: Iterable[object] | None = None,
    higher_is_better: bool = True,
    level: float = 0.95,
    places: int = 5,
    bounds: Bounds = "simes",
    selection: Selection = "probability",
    ranked: object = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> RankChange:
    """Compare scores and ranks of the same units in two waves.

    Parameters
    ----------
    later, earlier : Estimates or (p,) array
        Estimates of one measure by the same areas (shared PSUs give the covariance), or numbers in
        the same order.
    comparable : bool or Comparability
        Whether the measure means the same in both waves: what `comparability` found, or the
        caller's word. Must be given.
    se : (2, p) array, optional
        Standard errors, later wave first; units and waves are then independent. For arrays: exactly
        one of se and cov.
    cov : (2p, 2p) array, optional
        Sampling covariance, later wave first.
    df : scalar or (2, p) array, optional
        Degrees of freedom of the se, later wave first; None = se known.
    names : (p,) of str, optional
        Default "1" ... "p".
    higher_is_better : bool
        Whether rank 1 is the largest estimate. Changes of scores keep their sign; a rise is always
        an improvement.
    level : float
        Of the bounds, between 0.5 and 1.
    places : int
        For the column probability_rise, between 1 and p - 1.
    bounds : {"simes", "dunnett"}
        Rank bounds for one named unit: counts by closed testing, or the largest difference
        (independent units only).
    selection : {"probability", "quota", "open_link"}
        Without two probability samples there are no tests, guarantees and probabilities: their
        columns are missing.
    ranked : (p,) bool array, optional
        Units that take part, in the later wave's order; the others keep their row.
    draws, seed : int
        Of the posterior.

    Returns
    -------
    RankChange

    Raises
    ------
    RankingError
        K101-K112 for what is ranked, K141 and K142 for waves that may not be compared, K143-K145
        for the two waves, K146-K149 for options.

    Notes
    -----
    Guarantees use half of the error for each wave, so they hold whatever the waves share
    (projection: Mogstad, Romano, Shaikh and Wilhelm 2024; counts: Goeman and Solari 2011). Model:
    the bivariate form of Laird and Louis (1989), how true values changed averaged over (`rises`).

    Examples
    --------
    >>> later = [80.0, 70.0, 60.0]
    >>> earlier = [60.0, 70.0, 80.0]
    >>> moved = sat.rank_change(later, earlier, se=np.full((2, 3), 2.0), comparable=True, places=1)
    >>> moved.table[["unit", "change", "rank_before", "rank_after", "rise", "rise_low"]]
      unit  change  rank_before  rank_after  rise  rise_low
    0    1    20.0            3           1     2         2
    1    2     0.0            2           2     0         0
    2    3   -20.0            1           3    -2        -2
    """
    declared = require_comparable(comparable)
    waves = _read_waves(
        later,
        earlier,
        se=se,
        cov=cov,
        df=df,
        names=names,
        ranked=ranked,
        selection=selection,
    )
    p = int(waves.ranked.sum())
    one_of(bounds, BOUNDS, argument="bounds", error=RankingError, code="K148")
    _check_asked(level, places, draws, p=p)
    sign = 1.0 if higher_is_better else -1.0
    before, after = waves.pairs(sign)
    if not (before.independent and after.independent):
        bounds = "simes"  # the largest difference has no such integral then: counts replace it
    columns: dict[str, Any] = dict(tests_of_change(waves))
    columns["rank_before"] = competition_rank(before)
    columns["rank_after"] = competition_rank(after)
    columns["rise"] = columns["rank_before"] - columns["rank_after"]
    proven = waves.selection == "probability"
    is_rate = isinstance(later, Estimates) and of_rates(later)
    modelled = _Modelled.unknown(p)
    if proven and not waves.drawn:
        drawn_rises = rate_rises if is_rate else score_rises
        modelled = _Modelled.of(drawn_rises(waves, sign, draws=draws, seed=seed), p)
        columns |= guaranteed_rises(before, after, bounds, level=level)
        columns |= _shrunk(modelled.model, sign)
        columns["expected_rise"] = modelled.expected
        columns["probability_rise"] = _at_least(modelled.rises, places)
        columns |= _range_of_rise(np.array([modelled.rises, *modelled.assumed]), places)
    else:
        columns |= dict.fromkeys(CERTAINTY, np.full(p, np.nan))
        if proven:
            columns |= guaranteed_rises(before, after, bounds, level=level)
            columns |= drawn_limits(waves, level)
    table = pd.DataFrame({"unit": list(waves.after.names)})
    table["before"] = waves.before.estimate
    table["after"] = waves.after.estimate
    table = table.assign(**spread_out(columns, waves.after))
    table = table.astype(dict.fromkeys(("rise_low", "rise_high", "all_low", "all_high"), "Int64"))
    rising = int((table["rise"] >= places).sum())
    unproven = _(
        "Units whose rank rose by {places} or more: {rising}. {not_both}",
        places=places,
        rising=rising,
        not_both=NO_ERROR_DECLARED if waves.selection == UNDECLARED else NOT_BOTH,
    )
    summary = ChangeSummary(
        p=p,
        not_ranked=tuple(table["unit"][~waves.ranked]),
        relation=waves.relation,
        shared_psus=waves.shared_psus,
        rising=rising,
        level=level,
        places=places,
        higher_is_better=higher_is_better,
        selection=waves.selection,
        comparable=declared,
        draws=draws,
        seed=seed,
        notes=(unproven,),
    )
    if proven and waves.drawn:
        summary = _with_bounds(summary, table)
    elif proven:
        summary = _with_certainty(
            summary,
            table,
            waves,
            before=before,
            after=after,
            bounds=bounds,
            model=modelled.model,
            is_rate=is_rate,
        )
    return RankChange(
        table, summary, waves, before, after, modelled.model, modelled.rises, modelled.assumed
    )


def _check_asked(level: float, places: int, draws: int, *, p: int) -> None:
    """Refuse (K149) a level, a rise or a number of draws that cannot be asked of p units."""
    whole = is_whole(places) and is_whole(draws)
    if not whole or not 0.5 < level < 1 or not 1 <= places < p or draws < 1_000:
        raise RankingError(
            "K149",
            _(
                "level={level}, places={places} or draws={draws} is out of range: level "
                "between 0.5 and 1, places a whole number from 1 to {p}, draws at least 1000.",
                level=level,
                places=places,
                draws=draws,
                p=p - 1,
            ),
            where="level, places, draws",
        )


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class _Modelled(Brief):
    """Rises of p units under a model: how often each of -(p - 1) ... p - 1 places was gained, and under other assumptions.

    Attributes
    ----------
    model : Bivariate
    expected : (p,)
    rises : (p, 2p - 1)
    assumed : (k, p, 2p - 1)
    """

    model: Bivariate
    expected: Floats
    rises: Floats
    assumed: Floats

    @classmethod
    def of(cls, drawn: DrawnRises, p: int) -> _Modelled:
        """Count the places that were gained in every draw."""
        gained = drawn.ranks[:, :, 0] - drawn.ranks[:, :, 1]
        rises = frequencies(gained, 1 - p, p - 1)
        apart = [frequencies(gained[which], 1 - p, p - 1) for which in drawn.assumed]
        return cls(drawn.model, drawn.expected_rise, rises, np.array(apart))

    @classmethod
    def unknown(cls, p: int) -> _Modelled:
        """Return what is known without a model: nothing."""
        unknown = np.full((p, 2, 2), np.nan)
        model = Bivariate(unknown[0], unknown[0, 0], unknown[:, 0], unknown, np.nan)
        rises = np.full((p, 2 * p - 1), np.nan)
        return cls(model, unknown[:, 0, 0], rises, np.empty((0, *rises.shape)))


def guaranteed_rises(
    before: Pairs, after: Pairs, bounds: Bounds, *, level: float
) -> dict[str, Any]:
    """Bound every rise, of one named unit and of all at once, (p,): each wave has half of the error."""
    half = (1 - level) / 2
    independent = before.independent and after.independent
    low, high = project(_of_one_unit(before, bounds, half), _of_one_unit(after, bounds, half))
    sets_before = _of_all_units(before, half, independent=independent)
    sets_after = _of_all_units(after, half, independent=independent)
    of_table = (sets_before.low - sets_after.high, sets_before.high - sets_after.low)
    return dict(zip(GUARANTEED, (low, high, *of_table), strict=True))


def _of_one_unit(pairs: Pairs, bounds: Bounds, alpha: float) -> tuple[Ints, Ints]:
    """Best and worst rank of one named unit, each at alpha; of drawn scores both at alpha together."""
    if pairs.drawn is None:
        return BOUNDS[bounds](pairs, alpha)
    sets = marginal_drawn_sets(pairs.drawn, alpha)
    return sets.low, sets.high


def _of_all_units(pairs: Pairs, alpha: float, *, independent: bool) -> RankSets:
    if pairs.drawn is not None:
        return simultaneous_drawn_sets(pairs.drawn, alpha)
    return tukey_sets(pairs, alpha) if independent else holm_sets(pairs, alpha)


def drawn_limits(waves: Waves, level: float) -> dict[str, Floats]:
    """Limits of every ranked unit's change relative to the mean change, for one unit named beforehand.

    Each wave has half of the error, and its reach is added to the other's: they hold however the waves
    are related.
    """
    half = (1 - level) / 2
    after = _relative(waves.after, half)
    before = _relative(waves.before, half)
    reach = after.reach + before.reach
    return {
        "ci_low": after.low - before.high - reach,
        "ci_high": after.high - before.low + reach,
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Relative:
    """Scores of p ranked units minus their mean: (p,) fewest and most of what is not ruled out, and reach of the errors."""

    low: Floats
    high: Floats
    reach: Floats


def _relative(units: Units, alpha: float) -> _Relative:
    rows = np.flatnonzero(units.ranked)
    p = len(rows)
    if units.drawn is None:
        centred = np.eye(p) - 1 / p
        cov = units.cov[np.ix_(rows, rows)]
        score = centred @ units.estimate[rows]
        variance = np.sum((centred @ cov) * centred, axis=1)
        df = satterthwaite(centred**2 * np.diag(cov), units.df[rows])
        reach = -special.stdtrit(df, alpha / 2) * np.sqrt(np.maximum(variance, 0.0))
        return _Relative(score, score, reach)
    draws = units.drawn.of(rows)
    others_high = draws.high.sum() - draws.high
    others_low = draws.low.sum() - draws.low
    low = draws.low - (draws.low + others_high) / p
    high = draws.high - (draws.high + others_low) / p
    errors = draws.errors - draws.errors.mean(axis=1, keepdims=True)
    reach = np.quantile(np.abs(errors), 1 - (alpha - draws.spent), axis=0)
    return _Relative(low, high, reach)


def _range_of_rise(frequency: Floats, places: int) -> dict[str, Any]:
    """Columns `RISE_RANGE` of (k, p, 2p - 1) frequencies, the stated ones first."""
    rose = list(_at_least(frequency, places))
    if places > 0:
        return compared_rises(rose).columns(RISE_RANGE)
    fell = compared_rises([1 - chance for chance in rose])
    return AcrossPriors(1 - fell.high, 1 - fell.low, fell.depends).columns(RISE_RANGE)


def _at_least(frequency: Floats, places: int) -> Floats:
    """Add up frequencies (..., p, 2p - 1) of rises by so many places or more: (..., p)."""
    p = frequency.shape[-2]
    start = max(places + p - 1, 0)
    from_there = frequency[..., start:]
    return np.asarray(from_there.sum(axis=-1))


def _depends(number: int, p: int, places: int) -> Text:
    return _(
        "Units whose probability of a rise by {places} or more depends on the model (it differs by "
        "more than 0.1 between assumptions on how true values changed): {number} of {p}.",
        places=places,
        number=number,
        p=p,
    )


def _read_waves(later: object, earlier: object, **arrays: Any) -> Waves:
    """Read two waves from Estimates, or from arrays."""
    if not isinstance(later, Estimates) and not isinstance(earlier, Estimates):
        return waves_from_arrays(later, earlier, **arrays)
    of_arrays = [arrays[name] for name in ("se", "cov", "df", "names")]
    twice = any(one is not None for one in of_arrays)
    if twice or not isinstance(later, Estimates) or not isinstance(earlier, Estimates):
        raise RankingError(
            "K146",
            _("Give two Estimates (they bring se, cov, df and names) or two arrays."),
            where="later, earlier",
            hint=_("Estimate both waves and leave out se, cov, df and names."),
        )
    one_measure(later, earlier)
    return waves_from_estimates(
        later, earlier, ranked=arrays["ranked"], selection=arrays["selection"]
    )


def _shrunk(model: Bivariate, sign: float) -> dict[str, Floats]:
    """Posterior mean and sd of each unit's relative change, in the direction of the scores."""
    p = len(model.mean)
    before, after = model.mean.T
    moved = after - before
    later_minus_earlier = np.array([-1.0, 1.0])
    variance = later_minus_earlier @ model.cov @ later_minus_earlier
    of_mean = variance.sum() / p**2
    pooled = variance * (1 - 2 / p) + of_mean
    relative = moved - moved.mean()
    sd = np.sqrt(np.maximum(pooled, 0.0))
    return {"shrunk_change": sign * relative, "shrunk_sd": sd}


def _with_certainty(
    summary: ChangeSummary,
    table: pd.DataFrame,
    waves: Waves,
    *,
    before: Pairs,
    after: Pairs,
    bounds: str,
    model: Bivariate,
    is_rate: bool,
) -> ChangeSummary:
    """State how certain the changes of two probability samples are."""
    independent = before.independent and after.independent
    probabilities = RATE_WAVES if is_rate else SCORE_WAVES
    if not independent:
        probabilities += "; ignore the covariance between units"
    df = {
        "before": df_convention(before),
        "after": df_convention(after),
        "change": "Satterthwaite",
    }
    places = summary.places
    rising = summary.rising
    guaranteed = int((table["rise_low"] >= places).sum())
    expected = float(table["probability_rise"].sum())
    notes = [
        _(
            "Units whose rank rose by {places} or more: {rising}; expected under the "
            "model: {expected:.1f}; guaranteed: {guaranteed}.",
            places=places,
            rising=rising,
            expected=expected,
            guaranteed=guaranteed,
        )
    ]
    if not independent:
        notes.append(_("Units are dependent: probabilities ignore it."))
    if waves.relation.startswith("unknown"):
        notes.append(_("Covariance of the waves unknown: probabilities take them as independent."))
    notes.append(OF_RATES if is_rate else OF_SCORES)
    if summary.p < FEW:
        notes.append(OF_FEW)
    depends = tuple(table["unit"][table["model_dependent"].fillna(False).astype(bool)])
    if depends:
        notes.append(_depends(len(depends), summary.p, places))
    from_limits = waves.before.se_from_limits + waves.after.se_from_limits
    return replace(
        summary,
        independent=independent,
        between=model.between.tolist(),
        correlation=model.correlation,
        guaranteed_rising=guaranteed,
        expected_rising=expected,
        model_dependent=depends,
        df=df,
        tests="two-sided t of the change minus the mean change of the ranked units; Benjamini-Hochberg and Holm over them",
        guaranteed=_guaranteed_in_words(bounds, independent=independent),
        probabilities=probabilities,
        monte_carlo_error=0.5 / summary.draws**0.5,
        se_from_limits=tuple(dict.fromkeys(from_limits)),
        bounds=bounds,
        notes=tuple(notes),
    )


def _with_bounds(summary: ChangeSummary, table: pd.DataFrame) -> ChangeSummary:
    """State how certain the changes of drawn scores are: by bounds alone."""
    places = summary.places
    guaranteed = int((table["rise_low"] >= places).sum())
    notes = (
        _(
            "Units whose rank rose by {places} or more: {rising}; guaranteed: {guaranteed}.",
            places=places,
            rising=summary.rising,
            guaranteed=guaranteed,
        ),
        OF_DRAWN,
    )
    return replace(
        summary,
        independent=False,
        guaranteed_rising=guaranteed,
        df=UNTESTED,
        tests=UNTESTED,
        guaranteed=DRAWN_BOUNDS,
        probabilities=UNTESTED,
        bounds="maxt",
        notes=notes,
    )


DRAWN_BOUNDS = N_(
    "max-t over the draws of each wave, half of the error a wave, points of marks that are not ruled out at their least and "
    "most: rise_low, rise_high for one unit named beforehand, both together at the level; all_low, all_high for all units at "
    "once; ci_low, ci_high of relative_change for one unit; any relation of the waves"
)


def _guaranteed_in_words(bounds: str, *, independent: bool) -> str:
    """Name what the guaranteed bounds rest on."""
    form = "counts (Bonferroni)"
    joint = "Holm"
    if independent:
        form = "counts (Simes)"
        joint = "Tukey-Kramer"
    if bounds == "dunnett":
        form = "largest difference"
    return (
        f"rise_low, rise_high: one unit named beforehand, each bound at the level, {form}, half of the error a wave; "
        f"all_low, all_high: all units at once, {joint}, half of the error a wave; any relation of the waves"
    )
