"""What is asked of a ranking, and what it answers: options, the rank table, and the summary with
every convention.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias, TypeGuard, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfaction.estimation.intervals import check_level
from satisfaction.foundation.errors import RankingError, one_of, shortened_list
from satisfaction.foundation.language import N_, Text, _
from satisfaction.ranking.critical_values import DRAWS, FEWEST, SEED
from satisfaction.ranking.drawn import (
    marginal_drawn_sets,
    monte_carlo_error,
    simultaneous_drawn_sets,
)
from satisfaction.ranking.membership import (
    Form,
    Multiplicity,
    PointList,
    form_used,
    point_list,
    verify_list,
)
from satisfaction.ranking.pairs import RULES, Bools, Pairs, Ties
from satisfaction.ranking.probability import Between, Posterior
from satisfaction.ranking.rates import RANGE, Prior
from satisfaction.ranking.sets import MARGINAL, SIMULTANEOUS, Marginal, RankSets, Simultaneous
from satisfaction.ranking.units import UNDECLARED, Units
from satisfaction.sampling.design import NO_ERROR

FORMS = {
    "simes": N_("Simes form"),
    "bonferroni": N_("Bonferroni form"),
    "dunnett": N_(
        "Dunnett form (the comparisons with the largest se stand for those that may be false)"
    ),
}
FAMILIES = {
    "holm": N_(
        "Holm: family-wise error over the units of the table, p_in and p_out each for itself"
    ),
    "bh": N_(
        "Benjamini-Hochberg: false discovery rate over the units of the table, p_in and p_out each for itself"
    ),
}
TIES = "scores closer than 1e-9 are ties; {}; never rounded, ties at the cut never broken"
BY_POINT = _(
    "Not a probability sample, hence no sampling error: ranks and list follow "
    "the estimates alone; how certain they are is unknown."
)
NO_DECLARED_ERROR = _(
    "No standard error of this score is declared: ranks and list follow the scores alone; how "
    "certain they are is unknown."
)
PROBABILITIES = "normal empirical Bayes, {} tau2, se as if known, exact by quadrature"
OF_RATES = "empirical Bayes of effective counts, variances moderated by their df; true rates {}; by quadrature"
OF_DRAWS = "shares of {} joint draws around the estimates, no model between units; reliability by the draws' spread"
SHAPES = {
    "identity": N_("normal (ML)"),
    "logit": N_("normal on the logit scale (ML)"),
    "arcsine": N_("normal on the arcsine scale (ML)"),
    "nonparametric": N_("of any distribution (nonparametric ML)"),
}
SETS = ("marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high")
CERTAINTY = ("p_in", "p_out", "probability_bottom", "expected_rank", "reliability")
ADJUSTED = ("p_in_adjusted", "p_out_adjusted")
PRIORS = (*get_args(Prior), "auto")
End: TypeAlias = Literal["last", "first"]


@dataclass(frozen=True, slots=True)
class RankOptions:
    """Options of `satisfaction.rank`, under the same names; `side` is the end of the ranking that
    `bottom` lists, `is_rate` says that the estimates are shares 0-1. `taken_as_exact` names parts of
    the scores that count as exact although nobody declares that they are: nothing is proven then.
    Without `other_priors` the model of a rate stands alone; without `graded` nobody has a grade.
    """

    level: float = 0.95
    bottom: int = 10
    side: End = "last"
    higher_is_better: bool = True
    marginal: Marginal = "simes"
    simultaneous: Simultaneous = "tukey"
    membership: Form = "simes"
    multiplicity: Multiplicity | None = None
    ties: Ties = "competition"
    between: Between = "reml"
    draws: int = DRAWS
    seed: int = SEED
    step_down: bool = True
    prior: Prior = "identity"
    is_rate: bool = False
    taken_as_exact: tuple[str, ...] = ()
    other_priors: bool = True
    graded: bool = True

    @property
    def of_rates(self) -> bool:
        """Whether the model is the one for rates."""
        return self.is_rate or self.prior != "identity"

    @property
    def compares_priors(self) -> bool:
        """Whether the model for rates stands beside those of other priors."""
        return self.of_rates and self.other_priors

    @property
    def sign(self) -> float:
        """What estimates are multiplied by so that larger is better."""
        return 1.0 if self.higher_is_better else -1.0

    def from_listed_end(self, pairs: Pairs) -> Pairs:
        """The pairs turned so that the list is at their bottom."""
        if self.side == "last":
            return pairs
        return pairs.reversed()

    def marginal_used(self, pairs: Pairs) -> Marginal:
        """Simes needs independent units; Holm replaces it otherwise, max-t where scores are drawn."""
        if pairs.drawn is not None:
            return "maxt"
        if self.marginal == "simes" and not pairs.independent:
            return "holm"
        return self.marginal

    def simultaneous_used(self, pairs: Pairs) -> Simultaneous:
        """Return the method asked for, max-t where scores are drawn."""
        if pairs.drawn is not None:
            return "maxt"
        return self.simultaneous

    def marginal_sets(self, pairs: Pairs) -> RankSets:
        """Compute the sets for one unit named beforehand."""
        if pairs.drawn is not None:
            return marginal_drawn_sets(pairs.drawn, 1 - self.level)
        method = self.marginal_used(pairs)
        kernel = MARGINAL[method]
        return kernel(pairs, 1 - self.level, **self._simulation(method))

    def simultaneous_sets(self, pairs: Pairs) -> RankSets:
        """Compute the sets for the whole table."""
        if pairs.drawn is not None:
            return simultaneous_drawn_sets(pairs.drawn, 1 - self.level)
        kernel = SIMULTANEOUS[self.simultaneous]
        options = self._simulation(self.simultaneous)
        return kernel(pairs, 1 - self.level, **options)

    def _simulation(self, method: str) -> dict[str, Any]:
        if method != "maxt":
            return {}
        return {"draws": self.draws, "seed": self.seed, "step_down": self.step_down}


def check_options(options: RankOptions) -> None:
    """Refuse what cannot be asked; K113-K115, K117-K119, K122-K124."""
    # at a lower level a unit could be proven both in and out
    check_level(options.level, above=0.5, error=RankingError, code="K115")
    known: dict[str, tuple[str, Iterable[str]]] = {
        "marginal": ("K113", MARGINAL),
        "simultaneous": ("K114", SIMULTANEOUS),
        "membership": ("K117", FORMS),
        "ties": ("K119", get_args(Ties)),
        "between": ("K122", get_args(Between)),
        "prior": ("K125", get_args(Prior)),
    }
    if options.multiplicity is not None:
        known["multiplicity"] = ("K118", FAMILIES)
    for argument, (code, names) in known.items():
        value = getattr(options, argument)
        one_of(value, names, argument=argument, error=RankingError, code=code)
    if not is_whole(options.draws) or options.draws < FEWEST:
        raise RankingError(
            "K123",
            _(
                "draws={draws} is too few; at least {FEWEST} are needed.",
                draws=options.draws,
                FEWEST=FEWEST,
            ),
            where="draws",
            hint=_("Use the default of {DRAWS}.", DRAWS=DRAWS),
        )
    if not is_whole(options.seed) or options.seed < 0:
        raise RankingError(
            "K124",
            _("seed={seed} is not a whole number from 0 on.", seed=options.seed),
            where="seed",
        )


def check_places(places: int, p: int, *, argument: str, code: str) -> None:
    """Refuse a number of places that leaves nobody inside or nobody outside."""
    if not is_whole(places) or not 0 < places < p:
        raise RankingError(
            code,
            _(
                "{argument}={places} is not a whole number from 1 to {p} ({p2} units are ranked).",
                argument=argument,
                places=places,
                p=p - 1,
                p2=p,
            ),
            where=argument,
        )


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | np.integer)


# ---- the table


def point_table(units: Units, ranks: NDArray[Any], options: RankOptions) -> pd.DataFrame:
    """Assemble `Ranking.table` for units whose certainty is unknown: ranks of the estimates, the
    rest missing.
    """
    unknown = np.full(len(ranks), np.nan)
    columns = {"rank": ranks} | dict.fromkeys(SETS, unknown)
    columns["status"] = np.full(len(ranks), "possible", dtype=object)
    columns |= dict.fromkeys(CERTAINTY, unknown)
    kinds = dict.fromkeys(SETS, "Int64")
    if options.multiplicity:
        columns |= dict.fromkeys(ADJUSTED, unknown)
    if options.compares_priors:
        columns |= dict.fromkeys(RANGE, unknown)
        kinds[RANGE[2]] = "boolean"
    return rank_table(units, columns).astype(kinds)


def rank_table(units: Units, columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """Assemble a table of all units: unit, estimate, se, then columns of the ranked ones."""
    table: dict[str, Any] = {"unit": list(units.names), "estimate": units.estimate}
    table["se"] = errors_of(units)
    return pd.DataFrame(table | spread_out(columns, units))


def errors_of(units: Units) -> NDArray[np.float64]:
    """Return the (p,) standard errors; missing where there is no estimate to have one."""
    return np.where(np.isnan(units.estimate), np.nan, np.sqrt(np.diag(units.cov)))


def spread_out(columns: Mapping[str, NDArray[Any]], units: Units) -> dict[str, Any]:
    """Place the ranked units' values in input order; the others get a missing value, or the words
    "not ranked".
    """
    ranked = units.ranked
    return {name: _spread_out(values, ranked) for name, values in columns.items()}


def _spread_out(values: NDArray[Any], ranked: Bools) -> Any:
    """Place the values of ranked units among all, as a column of a table."""
    if values.dtype == object:
        words = np.full(len(ranked), "not ranked", dtype=object)
        words[ranked] = values
        return pd.Series(words, dtype=object)
    if values.dtype == bool:
        known = np.zeros(len(ranked), dtype=bool)
        known[ranked] = values
        return pd.arrays.BooleanArray(known, ~ranked)
    if np.issubdtype(values.dtype, np.integer):
        numbers = np.zeros(len(ranked), dtype=np.int64)
        numbers[ranked] = values
        return pd.arrays.IntegerArray(numbers, ~ranked)
    full = np.full(len(ranked), np.nan)
    full[ranked] = values
    return full


def ranked_rows(table: pd.DataFrame, units: Units) -> pd.DataFrame:
    """Return the rows of the ranked units."""
    return table if units.ranked.all() else table[units.ranked]


# ---- the summary


class Facts(Mapping[str, Any]):
    """A record that is a mapping too; fields in `where_used` are entries unless None."""

    __slots__ = ()
    where_used: ClassVar[tuple[str, ...]] = ()

    def _entries(self) -> dict[str, Any]:
        entries = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if value is not None or field.name not in self.where_used:
                entries[field.name] = value
        return entries

    def __getitem__(self, name: str) -> Any:
        return self._entries()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class RankingSummary(Facts):
    """What holds for a rank table as a whole, and every convention that was used; also a mapping by
    these names.

    The defaults are those of a table of which nothing is certain.

    Attributes
    ----------
    p, not_ranked : int, tuple of str
        How many units are ranked, and who is not.
    rankability, tau2, mu : float or None
        Of the model: tau2 / (tau2 + median se^2); variance and mean of the true scores.
    decidable_share : float or None
        Share of the pairs that the simultaneous sets decide (0-1).
    listed, tied_at_cut, tie_at_cut : tuple of str, tuple of str, bool
        The list by the estimates, and who is in or out of it by how ties are broken.
    list_size_low, list_size_high : int
        Its length without and with those.
    expected_true_bottom, established_listed : float or None, int or None
        How many of the listed truly belong: expected by the model, established by their tests.
    list_p, list_established : float or None, bool or None
        p-value of the list as a whole.
    critical_values : mapping
        By kind of set, the smallest and the largest.
    se_from_limits, zero_se : tuple of str
        Units whose se comes from their limits, or is 0.
    df, independent, ties, probabilities : str, bool, str, str
        Conventions in words.
    seed, fragile : int or None, tuple of str
        Of simulated sets; units whose bounds lie within the error of the simulation.
    level, bottom, higher_is_better, selection, marginal, marginal_asked, simultaneous, membership
        Options as used.
    notes : tuple of Text
        Sentences that must accompany the table.
    membership_asked, multiplicity, marginal_method, simultaneous_method, draws, monte_carlo_error,
    critical_steps
        Only where these options were used.
    model_dependent : tuple of str
        Only for rates: units whose probability of the list depends on the prior (by more than 0.1).
    moved_by_rounding, minimum_df, minimum_deff, se_from_larger, side, wrongly_ordered
        Only under declared rules (`ranking.area_rankings`).
    tie_break, ordered_by_tie_break : str, int
        The score by which ties are broken, and how many ranks it moves; only where one is declared.
    taken_as_exact : tuple of str
        Parts of the scores that count as exact, so that nothing is established; only where there are any.
    drawn : bool
        Only where scores are drawn, because no standard error carries their errors (`ranking.drawn`):
        `draws` and `seed` are theirs, and `monte_carlo_error` holds that of a probability too.
    on_list : tuple of str
        The list where declared thresholds act on it; `listed` is then the list by rank alone.
    """

    where_used = (
        "membership_asked",
        "multiplicity",
        "marginal_method",
        "simultaneous_method",
        "draws",
        "monte_carlo_error",
        "critical_steps",
        "moved_by_rounding",
        "minimum_df",
        "minimum_deff",
        "se_from_larger",
        "side",
        "model_dependent",
        "wrongly_ordered",
        "tie_break",
        "ordered_by_tie_break",
        "taken_as_exact",
        "drawn",
        "on_list",
    )

    p: int
    not_ranked: tuple[str, ...]
    rankability: float | None = None
    tau2: float | None = None
    mu: float | None = None
    decidable_share: float | None = None
    listed: tuple[str, ...]
    tied_at_cut: tuple[str, ...]
    tie_at_cut: bool
    list_size_low: int
    list_size_high: int
    expected_true_bottom: float | None = None
    established_listed: int | None = None
    list_p: float | None = None
    list_established: bool | None = None
    critical_values: Mapping[str, Any]
    se_from_limits: tuple[str, ...] = ()
    zero_se: tuple[str, ...] = ()
    df: str = NO_ERROR
    independent: bool
    ties: str
    probabilities: str = NO_ERROR
    seed: int | None = None
    fragile: tuple[str, ...] = ()
    level: float
    bottom: int
    higher_is_better: bool
    selection: str
    marginal: str = NO_ERROR
    marginal_asked: str
    simultaneous: str = NO_ERROR
    membership: str = NO_ERROR
    membership_asked: str | None = None
    multiplicity: str | None = None
    marginal_method: str | None = None
    simultaneous_method: str | None = None
    draws: int | None = None
    monte_carlo_error: Mapping[str, float] | None = None
    critical_steps: tuple[float, ...] | None = None
    notes: tuple[Text, ...] = ()
    moved_by_rounding: int | None = None
    minimum_df: int | None = None
    minimum_deff: float | None = None
    se_from_larger: Mapping[str, str] | None = None
    side: str | None = None
    model_dependent: tuple[str, ...] | None = None
    wrongly_ordered: float | None = None
    tie_break: str | None = None
    ordered_by_tie_break: int | None = None
    taken_as_exact: tuple[str, ...] | None = None
    drawn: bool | None = None
    on_list: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        declared = f"bottom={self.bottom}, level={self.level:g}, selection={self.selection!r}"
        certainty = f"list_p={_brief(self.list_p)}, rankability={_brief(self.rankability)}"
        return f"RankingSummary(p={self.p}, {declared}, {certainty})"

    @property
    def proven(self) -> bool:
        """Whether anything can be proven: only with a probability sample."""
        return self.selection == "probability"

    @property
    def filed(self) -> tuple[str, ...]:
        """Return the list to be filed: that of the ranks, or what declared thresholds make of it."""
        return self.listed if self.on_list is None else self.on_list


def _brief(figure: float | None) -> str:
    """Write a figure with four significant digits."""
    return "None" if figure is None else f"{figure:.4g}"


def point_summary(
    units: Units, table: pd.DataFrame, pairs: Pairs, *, options: RankOptions
) -> RankingSummary:
    """State what holds without any error: who is ranked, the list by the estimates, the options; no
    notes yet.
    """
    points = point_list(options.from_listed_end(pairs), options.bottom)
    facts = list_facts(ranked_rows(table, units), points)
    facts["critical_values"] = MappingProxyType({})
    return _with_options(units, pairs, options, facts=facts)


def _with_options(
    units: Units, pairs: Pairs, options: RankOptions, *, facts: Mapping[str, Any]
) -> RankingSummary:
    """State who is ranked, and the options, beside other facts."""
    family = None
    if options.multiplicity:
        family = FAMILIES[options.multiplicity]
    form = None
    if options.membership != "simes":
        form = options.membership
    names = np.array(units.names, dtype=object)
    return RankingSummary(
        p=len(pairs.score),
        not_ranked=tuple(names[~units.ranked]),
        se_from_limits=units.se_from_limits,
        independent=pairs.independent,
        ties=TIES.format(RULES[options.ties]),
        level=options.level,
        bottom=options.bottom,
        higher_is_better=options.higher_is_better,
        selection=units.selection,
        marginal_asked=options.marginal,
        membership_asked=form,
        multiplicity=family,
        **facts,
    )


def summarise(
    units: Units,
    table: pd.DataFrame,
    pairs: Pairs,
    *,
    options: RankOptions,
    marginal: RankSets,
    simultaneous: RankSets,
    model: Posterior,
) -> RankingSummary:
    """State what holds for the table as a whole, and how certain it is; no notes yet."""
    rows = ranked_rows(table, units)
    p = len(pairs.score)
    listing = options.from_listed_end(pairs)
    points = point_list(listing, options.bottom)
    list_p = verify_list(listing, options.bottom)
    decided = int((simultaneous.low - 1).sum())
    critical = {"marginal": marginal.critical, "simultaneous": simultaneous.critical}
    names = rows["unit"].to_numpy(object)
    facts = list_facts(rows, points, list_p=list_p, level=options.level)
    facts["rankability"] = model.rankability
    facts["tau2"] = model.tau2
    facts["mu"] = model.mu
    facts["decidable_share"] = decided / (p * (p - 1) / 2)
    facts["critical_values"] = MappingProxyType(critical)
    facts["zero_se"] = tuple(names[pairs.se == 0])
    facts["df"] = df_convention(pairs)
    facts["marginal_method"] = marginal.method or None
    facts["simultaneous_method"] = simultaneous.method or None
    facts |= conventions(pairs, options)
    if options.taken_as_exact:
        facts |= {"list_established": False, "taken_as_exact": options.taken_as_exact}
    if RANGE[2] in rows:
        depends = rows[RANGE[2]].to_numpy(bool)
        facts["model_dependent"] = tuple(names[depends])
    summary = _with_options(units, pairs, options, facts=facts)
    runs = {}
    for kind, sets in {"marginal": marginal, "simultaneous": simultaneous}.items():
        if sets.simulation is not None:
            runs[kind] = sets.simulation
    if not runs:
        return summary
    fragile = np.any([run.fragile for run in runs.values()], axis=0)
    errors = {kind: run.error for kind, run in runs.items()}
    seed = options.seed
    number = options.draws
    if pairs.drawn is not None:
        seed = pairs.drawn.draws.seed
        number = pairs.drawn.draws.number
        shares = rows["probability_bottom"].to_numpy(float)
        errors["probability"] = monte_carlo_error(shares, number)
        summary = replace(summary, drawn=True)
    steps: tuple[float, ...] = ()
    if simultaneous.simulation is not None:
        steps = simultaneous.simulation.steps
    return replace(
        summary,
        seed=seed,
        draws=number,
        monte_carlo_error=MappingProxyType(errors),
        critical_steps=steps,
        fragile=tuple(names[fragile]),
    )


def list_facts(
    rows: pd.DataFrame, points: PointList, *, list_p: float | None = None, level: float = 1.0
) -> dict[str, Any]:
    """Say who of the ranked units' rows is listed or tied at the cut, and how certain the list is
    (None = unknown).

    A list whose cut is tied is not established.
    """
    names = rows["unit"].to_numpy(object)
    listed = tuple(names[points.listed])
    tied = tuple(names[points.tied])
    expected = established = list_established = None
    if list_p is not None:
        if tied:
            list_p = 1.0
        chances = rows["probability_bottom"].to_numpy(float)[points.listed]
        status = rows["status"].to_numpy(object)[points.listed]
        expected = float(np.nansum(chances))
        established = int(np.count_nonzero(status == "established"))
        list_established = list_p <= 1 - level
    return {
        "listed": listed,
        "tied_at_cut": tied,
        "tie_at_cut": bool(tied),
        "list_size_low": len(listed),
        "list_size_high": len(listed) + len(tied),
        "expected_true_bottom": expected,
        "established_listed": established,
        "list_p": list_p,
        "list_established": list_established,
    }


def conventions(pairs: Pairs, options: RankOptions) -> dict[str, Any]:
    """Say by which methods sets, tests and probabilities were made."""
    form = FORMS[form_used(pairs, options.membership)]
    probabilities = PROBABILITIES.format(options.between.upper())
    if options.of_rates:
        probabilities = OF_RATES.format(SHAPES[options.prior])
    if pairs.drawn is not None:
        probabilities = OF_DRAWS.format(pairs.drawn.draws.number)
    return {
        "marginal": options.marginal_used(pairs),
        "simultaneous": options.simultaneous_used(pairs),
        "membership": f"partial conjunction, {form}, one unit, one side",
        "probabilities": probabilities,
    }


def df_convention(pairs: Pairs) -> str:
    """Say how the se entered the tests."""
    if pairs.drawn is not None:
        return N_("by the draws: t with the df of every area, sites' t, files' normal errors")
    if np.all(np.isinf(pairs.df)):
        return N_("se known: normal distribution")
    least = pairs.df.min()
    most = pairs.df.max()
    return f"se estimated: t with Satterthwaite df of each pair (units: {least:g} to {most:g})"


def notes(summary: RankingSummary) -> tuple[Text, ...]:
    """Sentences, Chinese and English, that must accompany the table."""
    sentences = []
    size = summary.list_size_low
    if summary.selection == UNDECLARED:
        sentences.append(NO_DECLARED_ERROR)
    elif not summary.proven:
        sentences.append(BY_POINT)
    else:
        sure = summary.established_listed
        whole = _(
            "Units listed: {size}, of them established: {sure}; the list as a whole is not "
            "established.",
            size=size,
            sure=sure,
        )
        if summary.list_established:
            whole = _(
                "Units listed: {size}, of them established: {sure}; the list as a whole is "
                "established.",
                size=size,
                sure=sure,
            )
        sentences.append(whole)
    if summary.tie_at_cut:
        high = summary.list_size_high
        sentences.append(
            _("Tie at the cut: the list has {size} or {high} units.", size=size, high=high)
        )
    if summary.drawn and summary.monte_carlo_error:
        sentences.append(
            _(
                "Sets, tests and probabilities by {draws:,} joint draws, seed {seed}; points that a "
                "mark decides count by the probability of passing. Monte-Carlo error of a "
                "probability: at most {error:.3f}.",
                draws=summary.draws,
                seed=summary.seed,
                error=summary.monte_carlo_error["probability"],
            )
        )
    elif not summary.independent:
        method = {"holm": "Holm", "maxt": "max-t"}[summary.marginal]
        sentences.append(
            _(
                "Units are dependent: {method} for marginal sets, Bonferroni form for "
                "membership; probabilities ignore the dependence.",
                method=method,
            )
        )
        if summary.simultaneous == "tukey":
            sentences.append(_("The Tukey critical value is approximate for dependent units."))
    if summary.model_dependent:
        sentences.append(
            _(
                "The probability of the list depends on the model; other assumptions give another answer: {units}.",
                units=", ".join(summary.model_dependent),
            )
        )
    if summary.fragile:
        fragile = ", ".join(summary.fragile)
        sentences.append(
            _("Bounds within the error of the simulation: {fragile}.", fragile=fragile)
        )
    if summary.se_from_limits:
        replaced = ", ".join(summary.se_from_limits)
        sentences.append(
            _("se of 0 replaced by the se of the limits: {replaced}.", replaced=replaced)
        )
    return tuple(sentences)


def with_names(note: Text, summary: RankingSummary, names: Mapping[str, Text]) -> Text:
    """Return a note with the names of the units that it lists by their codes, the first ones of many, and of the score
    that breaks ties.
    """
    breaking = summary.tie_break
    if (
        breaking is not None
        and breaking in names
        and note.en.startswith(f"Areas of equal score were ordered by {breaking},")
    ):
        label = names[breaking]
        zh = note.zh.replace(breaking, label.zh, 1)
        return Text(zh, note.en.replace(breaking, label.in_language("en"), 1))
    for units in (summary.model_dependent, summary.fragile, summary.se_from_limits):
        codes = ", ".join(units or ())
        if units and note.en.endswith(f": {codes}."):
            listed = shortened_list([names.get(unit, Text(unit)) for unit in units])
            zh = note.zh.replace(codes, listed.zh)
            return Text(zh, note.en.replace(codes, listed.in_language("en")))
    return note
