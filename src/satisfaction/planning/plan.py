"""A plan for the next wave from the last one: what every wish needs, what every way of dividing a budget brings.

The picture of a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import DesignError
from satisfaction.foundation.language import Text, _, comma_list, semicolon_list
from satisfaction.pipeline import Results
from satisfaction.planning import allocation, size
from satisfaction.planning.allocation import Limit, psus_for_limits
from satisfaction.planning.size import VarianceModel, plannable, variance_model
from satisfaction.publication import plots
from satisfaction.publication.labels import label_of
from satisfaction.ranking.rank import require_ranks

NEEDS = ("wish_zh", "wish_en", "psus", "psus_low", "psus_high", "interviews")
MODEL = (
    "V = sigma^2 kish (1 + (b - 1) rho) / (m b); true values normal with the wave's REML variance"
)
NO_WISH = _(
    "No wish is given, only ways of dividing are compared; wishes: --interval 2 --difference 5 "
    "--reliability 0.7 --establish 0.5, for instance; see plan --help."
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
        One row an area: area, name_zh, PSUs of the wave, of every wish and of every allocation.
    sentences : tuple of Text
        What the plan found.
    conventions : mapping
    """

    model: VarianceModel
    needs: pd.DataFrame = field(repr=False)
    allocations: pd.DataFrame = field(repr=False)
    areas: pd.DataFrame = field(repr=False)
    sentences: tuple[Text, ...]
    conventions: Mapping[str, Any]

    @property
    def lines(self) -> list[str]:
        """Return what the plan found, in the current language."""
        return [str(sentence) for sentence in self.sentences]


def make_plan(
    results: Results, wishes: Wishes, *, per_psu: int, budget: int | None = None, draws: int = 200
) -> Plan:
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
    draws : int
        Simulated fields and samples for what depends on the list.

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
    ranked = results.estimates[results.area].of(survey.questionnaire.ranked)
    psu = survey.questionnaire.roles.psu
    strata = _strata(results)
    bottom = survey.rules.ranking.list_size
    level = survey.rules.ranking.level
    measures = [survey.questionnaire.ranked, *(one.measure for one in wishes.limits)]
    known = plannable(results.estimates[results.area], measures)
    left_out = [code for code in ranked.table[ranked.by[0]].astype(str) if code not in known]
    if psu is None or len(known) <= bottom:
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
    needs = wish_table(model, wishes, per_psu=per_psu, bottom=bottom, level=level, draws=draws)
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
        together = _("limits kept together (Bethel): {n}", n=len(wishes.limits))
        needs.append(_wish(together, several.psus, per_psu=per_psu, areas=len(model.areas)))
    total = int(model.psus.sum()) if budget is None else budget
    divided = divisions(
        results, model, total, per_psu=per_psu, bottom=bottom, level=level, least=strata + 1
    )
    allocations = division_table(
        model, divided, per_psu=per_psu, bottom=bottom, level=level, draws=draws
    )
    names = survey.area_names()
    areas = pd.DataFrame(
        {
            "area": list(model.areas),
            "name_zh": [names[a].zh for a in model.areas],
            "psus_now": model.psus,
        }
    )
    for row in needs:
        word = row["wish_en"].split(" ")[0].strip(":")
        areas[f"wish_{word}"] = row["by_area"]
    for name, division in divided.items():
        areas[f"plan_{name}"] = division.psus
    table = pd.DataFrame([{key: row[key] for key in NEEDS} for row in needs], columns=list(NEEDS))
    conventions = {
        "measure": survey.questionnaire.ranked,
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
        "draws": draws,
        "model": MODEL,
    }
    sentences = plan_sentences(results, table, allocations, conventions)
    return Plan(model, table, allocations, areas, sentences, conventions)


def wish_table(
    model: VarianceModel, wishes: Wishes, *, per_psu: int, bottom: int, level: float, draws: int
) -> list[dict[str, Any]]:
    """Return what every wish needs, one record a wish, with PSUs by area."""
    wished: dict[Text, Any] = {}
    power = {"per_psu": per_psu, "power": wishes.power, "level": level}
    if wishes.interval is not None:
        wish = _("interval ± {half_width:g}", half_width=wishes.interval)
        wished[wish] = size.psus_for_interval(model, wishes.interval, per_psu=per_psu, level=level)
    if wishes.difference is not None:
        wish = _(
            "difference of {difference:g} found ({power:.0%})",
            difference=wishes.difference,
            power=wishes.power,
        )
        wished[wish] = size.psus_for_difference(model, wishes.difference, **power)
    if wishes.change is not None:
        wish = _(
            "change of {change:g} found ({power:.0%})", change=wishes.change, power=wishes.power
        )
        wished[wish] = size.psus_for_change(
            model, wishes.change, overlap=wishes.overlap, correlation=wishes.correlation, **power
        )
    if wishes.reliability is not None:
        wish = _("reliability {reliability:g}", reliability=wishes.reliability)
        wished[wish] = size.psus_for_reliability(model, wishes.reliability, per_psu=per_psu)
    if wishes.established is not None:
        wish = _(
            "list: {share:.0%} of the true last {n} established",
            share=wishes.established,
            n=bottom,
        )
        decided = size.psus_for_listing(
            model, wishes.established, per_psu=per_psu, bottom=bottom, level=level, draws=draws
        )
        wished[wish] = None
        if decided is not None:
            wished[wish] = np.full(len(model.areas), decided.psus)
    areas = len(model.areas)
    return [_wish(wish, psus, per_psu=per_psu, areas=areas) for wish, psus in wished.items()]


def _wish(wish: Text, psus: Any, *, per_psu: int, areas: int) -> dict[str, Any]:
    name = {"wish_zh": wish.zh, "wish_en": wish.en}
    if psus is None or (psus >= size.LARGEST).any():
        nothing = {"psus": pd.NA, "psus_low": pd.NA, "psus_high": pd.NA, "interviews": pd.NA}
        return {**name, **nothing, "by_area": np.full(areas, np.nan)}
    counts = {
        "psus": int(psus.sum()),
        "psus_low": int(psus.min()),
        "psus_high": int(psus.max()),
        "interviews": int(psus.sum() * per_psu),
    }
    return {**name, **counts, "by_area": psus}


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """A way of dividing PSUs over the areas: its name and PSUs by area, (A,) int."""

    name: Text
    psus: np.ndarray[Any, Any] = field(repr=False)


def divisions(
    results: Results,
    model: VarianceModel,
    total: int,
    *,
    per_psu: int,
    bottom: int,
    level: float,
    least: int,
) -> dict[str, Division]:
    """Return ways of dividing the PSUs over the areas."""
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

    def of(name: Text, shares: np.ndarray[Any, Any]) -> Division:
        return Division(name, least + allocation.whole_sizes(shares, free))

    divided = {"equal": of(_("equal"), allocation.equal(free, areas))}
    population = _population(results, model.areas)
    if population is not None:
        by_population = allocation.proportional(free, population)
        divided["proportional"] = of(_("by population"), by_population)
        spread = np.sqrt(model.variance(1.0, per_psu))
        neyman = allocation.neyman(free, population, spread)
        divided["neyman"] = of(_("Neyman (most precise for the whole)"), neyman)
    cut = allocation.for_the_cut(
        model, total, per_psu=per_psu, bottom=bottom, least=least, level=level
    )
    divided["cut"] = Division(_("fewest undecided at the cut"), cut)
    return divided


def division_table(
    model: VarianceModel,
    divided: Mapping[str, Division],
    *,
    per_psu: int,
    bottom: int,
    level: float,
    draws: int,
) -> pd.DataFrame:
    """Return what every division brings."""
    rows = []
    for division in divided.values():
        psus = division.psus
        se = np.sqrt(model.variance(psus, per_psu))
        power = size.listing_power(
            model, psus, per_psu=per_psu, bottom=bottom, level=level, draws=draws
        )
        row: dict[str, Any] = {"name_zh": division.name.zh, "name_en": division.name.en}
        row["psus"] = int(psus.sum())
        row["interviews"] = int(psus.sum() * per_psu)
        row["se_median"] = np.median(se)
        row["se_largest"] = se.max()
        for share in ("established", "excluded", "undecided", "false"):
            row[share] = getattr(power, share)
        rows.append(row)
    return pd.DataFrame(rows)


def plan_sentences(
    results: Results, needs: pd.DataFrame, allocations: pd.DataFrame, conventions: Mapping[str, Any]
) -> tuple[Text, ...]:
    """Say what the plan found."""
    survey = results.survey
    sentences = [survey.declared.title.text]
    if survey.marks:
        sentences.append(survey.marks)
    within = _(
        "rho within areas {rho:.3f}, unequal weights kish {kish:.2f}, {per_psu} interviews a PSU",
        rho=conventions["rho"],
        kish=conventions["kish"],
        per_psu=conventions["per_psu"],
    )
    sentences.append(within)
    if conventions["left_out"]:
        names = survey.area_names()
        areas = comma_list(names[code] for code in conventions["left_out"])
        unknown = _(
            "no figures to plan with, left out; provide for them apart: {areas}", areas=areas
        )
        sentences.append(unknown)
    if needs.empty:
        sentences.append(NO_WISH)
    for row in needs.to_dict("records"):
        sentences.append(_need(row))
    if conventions["limits"]:
        limits = _(
            "limits: {limits}; those that decide: {binding}",
            limits=semicolon_list(conventions["limits"]),
            binding=semicolon_list(conventions["binding"]),
        )
        sentences.append(limits)
    for row in allocations.to_dict("records"):
        division = _(
            "{name}: {interviews:,} interviews; median se {se:.2f}; of the true last established "
            "{established:.0%}, of the others excluded {excluded:.0%}, undecided {undecided:.1f}",
            name=label_of(row, "name"),
            interviews=row["interviews"],
            se=row["se_median"],
            established=row["established"],
            excluded=row["excluded"],
            undecided=row["undecided"],
        )
        sentences.append(division)
    return tuple(sentences)


def _need(row: Mapping[Any, Any]) -> Text:
    """Say what a wish needs."""
    wish = label_of(row, "wish")
    if pd.isna(row["psus"]):
        return _("{wish}: no feasible sample does", wish=wish)
    return _(
        "{wish}: {interviews:,} interviews, {psus:,} PSUs",
        wish=wish,
        interviews=row["interviews"],
        psus=row["psus"],
    )


def _strata(results: Results) -> int:
    """Strata an area: what the design's strata have beside the area."""
    table = results.responses.accepted
    roles = results.survey.questionnaire.roles
    per_area = (
        table[list(dict.fromkeys([roles.area, *roles.strata]))]
        .drop_duplicates()
        .groupby(roles.area)
        .size()
    )
    return int(per_area.max())


def _kish(results: Results) -> float:
    """Design effect of unequal weights within the areas, the median over them."""
    areas = results.responses.accepted[results.survey.questionnaire.roles.area].to_numpy()
    weights = pd.Series(results.design.weights[: len(areas)])
    sums = (
        pd.DataFrame({"w": weights, "ww": weights**2, "area": areas})
        .groupby("area")
        .agg(n=("w", "size"), w=("w", "sum"), ww=("ww", "sum"))
    )
    return float((sums["n"] * sums["ww"] / sums["w"] ** 2).median())


def _population(results: Results, areas: tuple[str, ...]) -> np.ndarray[Any, Any] | None:
    frame, area = results.survey.frame, results.survey.questionnaire.roles.area
    if frame is None or area not in frame:
        return None
    population = (
        frame.assign(population=frame["population"].astype(float)).groupby(area)["population"].sum()
    )
    return np.asarray(population.reindex(list(areas)), dtype=float)


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
