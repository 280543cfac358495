"""A plan for the next wave from the last one: what every wish needs, what every way of dividing a budget brings.

The picture of a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import DesignError
from satisfaction.foundation.language import Text, _, comma_list, semicolon_list
from satisfaction.pipeline import Results
from satisfaction.planning import allocation, size
from satisfaction.planning.allocation import Limit, psus_for_limits
from satisfaction.planning.size import ListTerms, VarianceModel, plannable, variance_model
from satisfaction.publication import plots
from satisfaction.publication.labels import label_of, labelled
from satisfaction.ranking.rank import require_ranks
from satisfaction.sampling.variance import Array

COUNTS = ("psus", "psus_low", "psus_high", "interviews")
NEEDS = ("wish_zh", "wish_en", *COUNTS)
ALLOCATIONS = (
    "name_zh", "name_en", "psus", "interviews", "se_median", "se_largest", "established", "excluded", "undecided", "false",
)  # fmt: skip
MODEL = (
    "V = sigma^2 kish (1 + (b - 1) rho) / (m b); true values normal with the wave's REML variance"
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the next wave is wanted for; None: not asked.

    Attributes
    ----------
    interval, difference, change : float
        Half width of an area's interval; true difference of two areas, true change of one, to be found; in the measure's unit.
    reliability : float
        tau^2 / (tau^2 + V), 0-1.
    established : float
        Share (0-1) of the truly last areas that is to be established.
    power : float
        For difference and change.
    overlap, correlation : float
        Share of PSUs kept by the next wave, and how far PSU means of both waves are correlated.
    limits : tuple of Limit
        Interval widths of several measures to be kept together, at least cost (Bethel).
    """

    interval: float | None = None
    difference: float | None = None
    change: float | None = None
    reliability: float | None = None
    established: float | None = None
    power: float = 0.8
    overlap: float = 0.25
    correlation: float = 0.5
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """What one wish needs.

    Attributes
    ----------
    wish : Text
    psus : (A,) or None
        PSUs of every area; None where no sample of a feasible size does.
    """

    wish: Text
    psus: Array | None = field(repr=False)

    def row(self, *, per_psu: int) -> dict[str, Any]:
        """Return the row of `Plan.needs`."""
        words = {"wish_zh": self.wish.zh, "wish_en": self.wish.en}
        if self.psus is None:
            return words | dict.fromkeys(COUNTS, pd.NA)
        total = int(self.psus.sum())
        lowest = int(self.psus.min())
        highest = int(self.psus.max())
        counts = (total, lowest, highest, total * per_psu)
        return words | dict(zip(COUNTS, counts, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """A way of dividing a budget: its name, and the PSUs of every area, (A,) int."""

    name: Text
    psus: Array = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Needs and allocations.

    Attributes
    ----------
    model : VarianceModel
    needs : DataFrame
        One row a wish: wish_zh, wish_en, psus (all areas), psus_low, psus_high (of an area), interviews; missing where no
        sample of a feasible size does.
    allocations : DataFrame
        One row a way of dividing the budget: name_zh, name_en, psus, interviews, se_median, se_largest, established,
        excluded (0-1), undecided (areas), false (0-1).
    areas : DataFrame
        One row an area: area, name_zh, name_en, PSUs of the wave, of every wish and of every allocation.
    lines : list of Text
    conventions : mapping
    """

    model: VarianceModel
    needs: pd.DataFrame = field(repr=False)
    allocations: pd.DataFrame = field(repr=False)
    areas: pd.DataFrame = field(repr=False)
    lines: list[Text]
    conventions: Mapping[str, Any]


def make_plan(results: Results, wishes: Wishes, *, per_psu: int, budget: int | None = None) -> Plan:
    """Plan the next wave by the ranked measure of the last one.

    Parameters
    ----------
    results : Results
        The last wave.
    wishes : Wishes
    per_psu : int
        Interviews a PSU.
    budget : int, optional
        PSUs to divide; default those of the last wave.

    Raises
    ------
    DesignError
        D360 without a probability sample. D132 where the wave's errors cannot be planned with (no PSUs, or too few design effects). An area without one is left
        out and named.
    RankingError
        K341 where nothing is ranked.
    """
    survey = results.survey
    require_ranks(results.ranking, where=str(survey.folder))
    if survey.declared.selection != "probability":
        raise DesignError(
            "D360",
            _("The wave is no probability sample: it has no sampling error to plan a sample with."),
            where=survey.name,
            hint=_("Use a wave of a probability sample."),
        )
    questionnaire = survey.questionnaire
    ranked = results.estimates[results.area].of(questionnaire.ranked)
    strata = _strata(results)
    bottom = survey.rules.ranking.list_size
    level = survey.rules.ranking.level
    measures = [questionnaire.ranked, *(limit.measure for limit in wishes.limits)]
    known = plannable(results.estimates[results.area], measures)
    left_out = [code for code in ranked.table[ranked.by[0]].astype(str) if code not in known]
    if questionnaire.roles.psu is None or len(known) <= bottom:
        raise DesignError(
            "D132",
            _(
                "The wave has no PSUs, or only {n} areas with a design effect to plan with.",
                n=len(known),
            ),
            where=survey.name,
            hint=_("Use a wave with PSUs, or another measure."),
        )
    kish = _kish(results)
    model = variance_model(ranked, strata=strata, kish=kish, areas=known)
    terms = ListTerms(per_psu, bottom, level)
    needs = wish_table(model, wishes, terms)
    binding: tuple[str, ...] = ()
    if wishes.limits:
        several = psus_for_limits(
            results,
            wishes.limits,
            strata=strata,
            kish=kish,
            per_psu=per_psu,
            level=level,
            areas=known,
        )
        binding = several.binding
        wish = _("limits kept together (Bethel): {n}", n=len(wishes.limits))
        needs["limits"] = Need(wish, _feasible(several.psus))
    total = budget
    if total is None:
        total = int(model.psus.sum())
    divided = divisions(results, model, total, terms=terms, least=strata + 1)
    allocations = division_table(model, divided, terms)
    rows = [need.row(per_psu=per_psu) for need in needs.values()]
    table = pd.DataFrame(rows, columns=list(NEEDS))
    conventions = {
        "measure": questionnaire.ranked,
        "rho": model.rho,
        "kish": kish,
        "per_psu": per_psu,
        "budget": total,
        "level": level,
        "bottom": bottom,
        "limits": [str(limit) for limit in wishes.limits],
        "binding": list(binding),
        "left_out": left_out,
        "tau2": model.known.tau2,
        "draws": terms.draws,
        "model": MODEL,
    }
    return Plan(
        model,
        needs=table,
        allocations=allocations,
        areas=_by_area(results, model, needs, divided),
        lines=plan_lines(results, table, allocations, conventions=conventions),
        conventions=conventions,
    )


def _by_area(
    results: Results,
    model: VarianceModel,
    needs: Mapping[str, Need],
    divided: Mapping[str, Division],
) -> pd.DataFrame:
    """Return the PSUs of every area: of the wave, of every wish and of every allocation."""
    names = results.survey.area_names()
    areas = pd.DataFrame({"area": list(model.areas)})
    table = labelled(areas, names, key="area", into="name")
    table["psus_now"] = model.psus
    for name, need in needs.items():
        table[f"wish_{name}"] = np.nan if need.psus is None else need.psus
    for name, division in divided.items():
        table[f"plan_{name}"] = division.psus
    return table


def wish_table(model: VarianceModel, wishes: Wishes, terms: ListTerms) -> dict[str, Need]:
    """Return what every wish needs: interval, difference, change, reliability, list."""
    needs = dict[str, Need]()
    per_psu = terms.per_psu
    if wishes.interval is not None:
        psus = size.psus_for_interval(model, wishes.interval, per_psu=per_psu, level=terms.level)
        needs["interval"] = Need(
            _("interval ± {half_width:g}", half_width=wishes.interval), _feasible(psus)
        )
    options = {"per_psu": per_psu, "power": wishes.power, "level": terms.level}
    if wishes.difference is not None:
        psus = size.psus_for_difference(model, wishes.difference, **options)
        needs["difference"] = Need(
            _(
                "difference of {difference:g} found ({power:.0%})",
                difference=wishes.difference,
                power=wishes.power,
            ),
            _feasible(psus),
        )
    if wishes.change is not None:
        psus = size.psus_for_change(
            model, wishes.change, overlap=wishes.overlap, correlation=wishes.correlation, **options
        )
        needs["change"] = Need(
            _(
                "change of {change:g} found ({power:.0%})",
                change=wishes.change,
                power=wishes.power,
            ),
            _feasible(psus),
        )
    if wishes.reliability is not None:
        psus = size.psus_for_reliability(model, wishes.reliability, per_psu=per_psu)
        needs["reliability"] = Need(
            _("reliability {reliability:g}", reliability=wishes.reliability), _feasible(psus)
        )
    if wishes.established is not None:
        decided = size.psus_for_listing(model, wishes.established, terms)
        everywhere = None
        if decided is not None:
            everywhere = np.full(len(model.areas), decided.psus)
        needs["list"] = Need(
            _(
                "list: {share:.0%} of the true last {bottom} established",
                share=wishes.established,
                bottom=terms.bottom,
            ),
            _feasible(everywhere),
        )
    return needs


def _feasible(psus: Array | None) -> Array | None:
    """Return PSUs by area, None where an area would need more than a sample can have."""
    if psus is None or (psus >= size.LARGEST).any():
        return None
    return psus


def divisions(
    results: Results, model: VarianceModel, total: int, *, terms: ListTerms, least: int
) -> dict[str, Division]:
    """Return ways of dividing the PSUs over the areas.

    Raises
    ------
    DesignError
        D132 for a budget that does not give every area the least number.
    """
    areas = len(model.areas)
    free = total - least * areas
    if free < 0:
        raise DesignError(
            "D132",
            _(
                "A budget of {total} PSUs is too small: {least} an area at least.",
                total=total,
                least=least,
            ),
            where="budget",
            hint=_("Raise the budget."),
        )
    shares = {"equal": (_("equal"), allocation.equal(free, areas))}
    population = _population(results, model.areas)
    if population is not None:
        spread = np.sqrt(model.variance(1.0, terms.per_psu))
        by_population = allocation.proportional(free, population)
        precise = allocation.neyman(free, population, spread)
        shares["proportional"] = (_("by population"), by_population)
        shares["neyman"] = (_("Neyman (most precise for the whole)"), precise)
    divided = {}
    for key, (name, share) in shares.items():
        beyond_least = allocation.whole_sizes(share, free)
        divided[key] = Division(name, least + beyond_least)
    cut = allocation.for_the_cut(model, total, terms, least=least)
    divided["cut"] = Division(_("fewest undecided at the cut"), cut)
    return divided


def division_table(
    model: VarianceModel, divided: Mapping[str, Division], terms: ListTerms
) -> pd.DataFrame:
    """Return what every division brings."""
    rows = []
    for division in divided.values():
        se = np.sqrt(model.variance(division.psus, terms.per_psu))
        psus = int(division.psus.sum())
        row = {
            "name_zh": division.name.zh,
            "name_en": division.name.en,
            "psus": psus,
            "interviews": psus * terms.per_psu,
            "se_median": np.median(se),
            "se_largest": se.max(),
        }
        rows.append(asdict(size.listing_power(model, division.psus, terms)) | row)
    return pd.DataFrame(rows, columns=list(ALLOCATIONS))


def plan_lines(
    results: Results,
    needs: pd.DataFrame,
    allocations: pd.DataFrame,
    *,
    conventions: Mapping[str, Any],
) -> list[Text]:
    """Say what the plan found."""
    lines = [results.survey.declared.title.text]
    if results.survey.marks:
        lines.append(results.survey.marks)
    lines.append(
        _(
            "rho {rho:.3f} within PSUs, kish {kish:.2f} of unequal weights, {per_psu} interviews "
            "a PSU",
            rho=conventions["rho"],
            kish=conventions["kish"],
            per_psu=conventions["per_psu"],
        )
    )
    if conventions["left_out"]:
        names = results.survey.area_names()
        unknown = comma_list(names[code] for code in conventions["left_out"])
        lines.append(
            _("no figures to plan with, left out; provide for them apart: {areas}", areas=unknown)
        )
    if needs.empty:
        lines.append(
            _(
                "No wish is given, only ways of dividing are compared; wishes: --interval 2 --difference 5 "
                "--reliability 0.7 --establish 0.5, for instance; see plan --help."
            )
        )
    for row in needs.to_dict("records"):
        counted = _("no feasible sample does")
        if pd.notna(row["psus"]):
            counted = _(
                "{interviews:,} interviews, {psus:,} PSUs",
                interviews=row["interviews"],
                psus=row["psus"],
            )
        wish = label_of(row, "wish")
        lines.append(_("{wish}: {counted}", wish=wish, counted=counted))
    if conventions["limits"]:
        lines.append(
            _(
                "limits: {limits}; those that decide: {binding}",
                limits=semicolon_list(conventions["limits"]),
                binding=semicolon_list(conventions["binding"]),
            )
        )
    for row in allocations.to_dict("records"):
        lines.append(
            _(
                "{division}: {interviews:,} interviews; median se {se:.2f}; true last ones "
                "established {established:.0%}, others excluded {excluded:.0%}, undecided "
                "{undecided:.1f}",
                division=label_of(row, "name"),
                interviews=row["interviews"],
                se=row["se_median"],
                established=row["established"],
                excluded=row["excluded"],
                undecided=row["undecided"],
            )
        )
    return lines


def _strata(results: Results) -> int:
    """Strata an area: what the design's strata have beside the area."""
    roles = results.survey.questionnaire.roles
    columns = list(dict.fromkeys([roles.area, *roles.strata]))
    strata = results.responses.accepted[columns].drop_duplicates()
    strata_of_area = strata[roles.area].value_counts()
    return int(strata_of_area.max())


def _kish(results: Results) -> float:
    """Design effect of unequal weights within the areas, the median over them."""
    area = results.survey.questionnaire.roles.area
    areas = results.responses.accepted[area].to_numpy()
    weights = pd.Series(results.design.weights[: len(areas)])
    n = weights.groupby(areas).size()
    total = weights.groupby(areas).sum()
    squares = (weights**2).groupby(areas).sum()
    return float((n * squares / total**2).median())


def _population(results: Results, areas: tuple[str, ...]) -> Array | None:
    frame = results.survey.frame
    area = results.survey.questionnaire.roles.area
    if frame is None or area not in frame:
        return None
    population = frame["population"].astype(float)
    people = population.groupby(frame[area]).sum()
    return np.asarray(people.reindex(list(areas)), dtype=float)


def needs_plot(plan: Plan, *, mark: Text) -> plots.Figure | None:
    """Draw the interviews every wish needs beside those of the last wave; None where no wish has a number."""
    feasible = plan.needs.dropna(subset="psus")
    if feasible.empty:
        return None
    in_last_wave = float((plan.model.psus * plan.model.per_psu).sum())
    names = [label_of(row, "wish") for row in feasible.to_dict("records")]
    return plots.bars(
        names,
        feasible["interviews"].astype(float).tolist(),
        line=in_last_wave,
        line_label=_("last wave"),
        heading=plots.Heading(_("Interviews each wish needs"), mark),
        unit=_("interviews"),
    )
