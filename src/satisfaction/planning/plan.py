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
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results
from satisfaction.planning import allocation, size
from satisfaction.planning.allocation import Limit, psus_for_limits
from satisfaction.planning.size import VarianceModel, plannable, variance_model
from satisfaction.publication import plots
from satisfaction.publication.labels import mark
from satisfaction.ranking.rank import require_ranks

NEEDS = ("wish_zh", "wish_en", "psus", "psus_low", "psus_high", "interviews")
NO_WISH = (
    "没有写明要求，只比较各种分法；要求例如 --interval 2 --difference 5 --reliability 0.7 --establish 0.5，见 plan --help。 "
    "No wish is given, only ways of dividing are compared; wishes: --interval 2 --difference 5 --reliability 0.7 --establish 0.5, "
    "for instance; see plan --help."
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
    lines : list of str
    conventions : mapping
    """

    model: VarianceModel
    needs: pd.DataFrame = field(repr=False)
    allocations: pd.DataFrame = field(repr=False)
    areas: pd.DataFrame = field(repr=False)
    lines: list[str]
    conventions: Mapping[str, Any]


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
    psu, strata = survey.questionnaire.roles.psu, _strata(results)
    bottom, level = survey.rules.ranking.list_size, survey.rules.ranking.level
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
        zh, en = _("limits kept together (Bethel): {n}", n=len(wishes.limits))
        needs.append(_wish(zh, en, several.psus, per_psu=per_psu, areas=len(model.areas)))
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
    areas = areas.assign(
        **{f"wish_{row['wish_en'].split(' ')[0].strip(':')}": row["by_area"] for row in needs},
        **{f"plan_{n}": p for n, (_unused, _unused, p) in divided.items()},
    )
    table = pd.DataFrame([{key: row[key] for key in NEEDS} for row in needs], columns=list(NEEDS))
    conventions = {
        "measure": survey.questionnaire.ranked, "rho": model.rho, "kish": kish, "per_psu": per_psu, "budget": total, "level": level, "bottom": bottom,
        "limits": [str(one) for one in wishes.limits], "binding": list(binding), "left_out": left_out, "tau2": model.known.tau2, "draws": draws, "model": "V = sigma^2 kish (1 + (b - 1) rho) / (m b); true values normal with the wave's REML variance",
    }  # fmt: skip
    return Plan(
        model,
        table,
        allocations,
        areas,
        plan_lines(results, table, allocations, conventions),
        conventions,
    )


def wish_table(
    model: VarianceModel, wishes: Wishes, *, per_psu: int, bottom: int, level: float, draws: int
) -> list[dict[str, Any]]:
    """Return what every wish needs, one record a wish, with PSUs by area."""
    found: list[tuple[str, str, Any]] = []
    if wishes.interval is not None:
        found.append(
            (
                f"区间半宽 {wishes.interval:g}",
                f"interval ± {wishes.interval:g}",
                size.psus_for_interval(model, wishes.interval, per_psu=per_psu, level=level),
            )
        )
    asked = {"per_psu": per_psu, "power": wishes.power, "level": level}
    if wishes.difference is not None:
        needed = size.psus_for_difference(model, wishes.difference, **asked)
        found.append(
            (
                f"发现两县相差 {wishes.difference:g}（把握 {wishes.power:.0%}）",
                f"difference of {wishes.difference:g} found ({wishes.power:.0%})",
                needed,
            )
        )
    if wishes.change is not None:
        needed = size.psus_for_change(
            model, wishes.change, overlap=wishes.overlap, correlation=wishes.correlation, **asked
        )
        found.append(
            (
                f"发现变化 {wishes.change:g}（把握 {wishes.power:.0%}）",
                f"change of {wishes.change:g} found ({wishes.power:.0%})",
                needed,
            )
        )
    if wishes.reliability is not None:
        found.append(
            (
                f"信度 {wishes.reliability:g}",
                f"reliability {wishes.reliability:g}",
                size.psus_for_reliability(model, wishes.reliability, per_psu=per_psu),
            )
        )
    if wishes.established is not None:
        decided = size.psus_for_listing(
            model, wishes.established, per_psu=per_psu, bottom=bottom, level=level, draws=draws
        )
        everywhere = None if decided is None else np.full(len(model.areas), decided.psus)
        zh = f"真正末 {bottom} 位中确认 {wishes.established:.0%}"
        found.append(
            (
                zh,
                f"list: {wishes.established:.0%} of the true last {bottom} established",
                everywhere,
            )
        )
    return [_wish(zh, en, psus, per_psu=per_psu, areas=len(model.areas)) for zh, en, psus in found]


def _wish(zh: str, en: str, psus: Any, *, per_psu: int, areas: int) -> dict[str, Any]:
    if psus is None or (psus >= size.LARGEST).any():
        nothing = {"psus": pd.NA, "psus_low": pd.NA, "psus_high": pd.NA, "interviews": pd.NA}
        return {"wish_zh": zh, "wish_en": en, **nothing, "by_area": np.full(areas, np.nan)}
    counts = {
        "psus": int(psus.sum()),
        "psus_low": int(psus.min()),
        "psus_high": int(psus.max()),
        "interviews": int(psus.sum() * per_psu),
    }
    return {"wish_zh": zh, "wish_en": en, **counts, "by_area": psus}


def divisions(
    results: Results,
    model: VarianceModel,
    total: int,
    *,
    per_psu: int,
    bottom: int,
    level: float,
    least: int,
) -> dict[str, tuple[str, str, np.ndarray[Any, Any]]]:
    """Return ways of dividing the PSUs over the areas: names in both languages and PSUs by area, (A,) int."""
    areas, free = len(model.areas), total - least * len(model.areas)
    if free < 0:
        raise DesignError(
            "D132", _("A budget of {total} PSUs is too small: {least} an area at least.", total=total, least=least),
            where="budget", hint=_("Raise the budget."),
        )  # fmt: skip
    found = {
        "equal": (
            "平均分配",
            "equal",
            least + allocation.whole_sizes(allocation.equal(free, areas), free),
        )
    }
    if (population := _population(results, model.areas)) is not None:
        spread = np.sqrt(model.variance(1.0, per_psu))
        shares = {
            "proportional": ("按人口", "by population", allocation.proportional(free, population))
        }
        shares["neyman"] = (
            "Neyman（全省最精确）",
            "Neyman (most precise for the whole)",
            allocation.neyman(free, population, spread),
        )
        found |= {
            name: (zh, en, least + allocation.whole_sizes(one, free))
            for name, (zh, en, one) in shares.items()
        }
    cut = allocation.for_the_cut(
        model, total, per_psu=per_psu, bottom=bottom, least=least, level=level
    )
    return found | {"cut": ("分界处不能判定的最少", "fewest undecided at the cut", cut)}


def division_table(
    model: VarianceModel,
    divided: Mapping[str, Any],
    *,
    per_psu: int,
    bottom: int,
    level: float,
    draws: int,
) -> pd.DataFrame:
    """Return what every division brings."""
    rows = []
    for zh, en, psus in divided.values():
        se = np.sqrt(model.variance(psus, per_psu))
        power = size.listing_power(
            model, psus, per_psu=per_psu, bottom=bottom, level=level, draws=draws
        )
        counts = {
            "psus": int(psus.sum()),
            "interviews": int(psus.sum() * per_psu),
            "se_median": np.median(se),
            "se_largest": se.max(),
        }
        decided = {
            "established": power.established,
            "excluded": power.excluded,
            "undecided": power.undecided,
            "false": power.false,
        }
        rows.append({"name_zh": zh, "name_en": en, **counts, **decided})
    return pd.DataFrame(rows)


def plan_lines(
    results: Results, needs: pd.DataFrame, allocations: pd.DataFrame, conventions: Mapping[str, Any]
) -> list[str]:
    """Say what the plan found."""
    lines = [str(results.survey.declared.title), *filter(None, [mark(results.survey)])]
    lines.append(
        f"组内相关 rho {conventions['rho']:.3f}，不等权 kish {conventions['kish']:.2f}，每个初级单元 {conventions['per_psu']} 份 interviews a PSU"
    )
    if conventions["left_out"]:
        names = results.survey.area_names()
        unknown = "、".join(names[code].zh for code in conventions["left_out"])
        lines.append(
            f"没有可用数值，未列入规划，请另行安排 no figures to plan with, left out; provide for them apart: {unknown}"
        )
    if needs.empty:
        lines.append(NO_WISH)
    for row in needs.to_dict("records"):
        counted = (
            "任何可行的样本都做不到 no feasible sample does"
            if pd.isna(row["psus"])
            else f"{row['interviews']:,} 份 interviews, {row['psus']:,} PSU"
        )
        lines.append(f"{row['wish_zh']} {row['wish_en']}: {counted}")
    if conventions["limits"]:
        lines.append(
            f"界限 limits: {'; '.join(conventions['limits'])}；起决定作用的 those that decide: {'; '.join(conventions['binding'])}"
        )
    for row in allocations.to_dict("records"):
        lines.append(
            f"{row['name_zh']} {row['name_en']}: {row['interviews']:,} 份；se 中位 median {row['se_median']:.2f}；真末位确认 established "
            f"{row['established']:.0%}，其余排除 excluded {row['excluded']:.0%}，不能判定 undecided {row['undecided']:.1f}"
        )
    return lines


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


def needs_plot(plan: Plan, *, mark: str) -> plots.Figure | None:
    """Draw the interviews every wish needs beside those of the last wave; None where no wish has a number."""
    feasible = plan.needs.dropna(subset="psus")
    if feasible.empty:
        return None
    now = float((plan.model.psus * plan.model.per_psu).sum())
    names = [f"{row.wish_zh}\n{row.wish_en}" for row in feasible.itertuples()]
    return plots.bars(
        names,
        feasible["interviews"].astype(float).tolist(),
        line=now,
        mark=mark,
        heading=_("Interviews each wish needs"),
        line_label="上一期 last wave",
        unit="份 interviews",
    )
