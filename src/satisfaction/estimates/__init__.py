"""Means, proportions, totals, ratios and quantiles by domain, with their full covariance under the sample design."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from ..design import SurveyDesign, named
from ..engines import one_blas_thread
from ..errors import EstimatesError, one_of
from ..measures import Measure
from ..tally import Tally, refuse_reserved, resolve, resolve_all, tally
from ..variance import domain_df, sum_by_domain
from .carried import read_estimates, write_estimates
from .checks import check_level
from .domains import DegreesOfFreedom, Domains, Interval, Options, Variance, cut, without_rounding
from .intervals import korn_graubard_interval, logit_interval, satterthwaite, summed_df, t_interval
from .limits import limits
from .percentiles import estimate_percentile, interleaved
from .replicated import FAY
from .result import COLUMNS, Estimates, result_table
from .sample import Contributions, Sample, lay_out
from .statistics import Kind, design_effects, point, ratio_measures

__all__ = [
    "Contributions",
    "Estimates",
    "Sample",
    "check_level",
    "estimate",
    "korn_graubard_interval",
    "lay_out",
    "logit_interval",
    "read_estimates",
    "satterthwaite",
    "summed_df",
    "t_interval",
    "write_estimates",
]
Array = np.ndarray[Any, Any]
Statistic: TypeAlias = Literal["mean", "proportion", "total", "median"] | tuple[str, Any]
FPC_DROPPED = "重复样本未计 fpc fpc not credited by these replicates"
DEFAULT_INTERVALS = {
    "mean": "t; logit for rates", "proportion": "logit", "total": "t", "ratio": "t", "quantile": "Woodruff",
}  # fmt: skip


@one_blas_thread
def estimate(
    design: SurveyDesign,
    measures: str | Measure | Sequence[str | Measure],
    *,
    statistic: Statistic = "mean",
    by: str | Sequence[str] | None = None,
    variance: Variance = "default",
    level: float = 0.95,
    interval: Interval = "default",
    df: DegreesOfFreedom = "domain",
    domains: Sequence[Any] | None = None,
    counted: Tally | None = None,
    replicates: int = 200,
    seed: int = 1,
) -> Estimates:
    """Estimate measures by domain.

    Parameters
    ----------
    design : SurveyDesign
        Domains never filter it: PSUs without a member of a domain count in n_h.
    measures : str, Measure, or a sequence of them
        Declared measures or numeric columns. Null is not valid and makes the domain smaller.
    statistic : {"mean", "proportion", "total", "median"}, ("ratio", denominator) or ("quantile", p)
        A ratio counts respondents with both values. Quantiles are the smallest value whose share at or below is at least p;
        with a list of p the table has a row each, and a column p beside the domain columns.
    by : column or list of columns, optional
    variance : {"default", "linearized", "rake", "jkn", "brr", "fay", "rao-wu"}
        default: linearized without a recipe or after a single calibration, else jkn. linearized credits the last
        calibration by regression residuals (R's `calibrate`), rake by R's `rake` sweeps; steps before it count as fixed. The
        others replay the whole recipe in every replicate, centred on the replicates' mean.
    level : float
        Confidence level of the intervals.
    interval : {"default", "t", "logit", "beta", "wilson", "xlogit", "mean", "likelihood"}
        default: logit for proportions and the questionnaire's rates, t for the rest. All but t are for shares.
    df : {"domain", "design"}
        The domain's PSUs minus their strata, or the design's.
    domains : sequence, optional
        Values of the one column `by` that get a row also where no respondent has them (estimate nan, n 0).
    counted : Tally, optional
        A tally of the same design and measures whose keys hold `by`; saves the pass over the respondents.
    replicates, seed : int
        Of the Rao-Wu bootstrap.

    Raises
    ------
    EstimatesError
        E100 an unknown option, E101 unknown name, E102 no number, E103 a proportion of something outside 0-1, E104 a level
        or quantile that is none, E381 replicates or a seed that are none, E383 infinite values, E384 `domains` of
        another kind than the column, E385 a column `by` without a value, E386 one of a reserved name, E387 no measure, E150 and E151 replicates that the design does not allow, E382 a bootstrap of which more than 5 % has no solution.

    Notes
    -----
    Where a share is 0 or 1, or the se is 0, the limits are Korn and Graubard's with n_eff = n / deff of all domains
    together, and `note` says so; the se stays 0 and must not be used for ranks as it is. An estimate of nan has se nan, and 0 in `cov`. Replicates that
    no weights solve are never used: `note` and `replicates_note` say how many there were, where, and what stands instead
    (of the bootstrap they are left out, up to 5 %; a jackknife or half-samples give way to the linearized se).
    """
    kind, argument = _parsed(statistic)
    _check_options(variance, interval, df, level, replicates, seed)
    columns = named(by)
    several = kind == "quantile" and isinstance(argument, tuple)
    taken = (*COLUMNS, "p") if several else COLUMNS
    refuse_reserved([name for i, name in enumerate(columns) if name in taken or name in columns[:i]])
    chosen = resolve_all(design, _named_measures(measures))
    options = Options(kind, _resolved(variance, design), level, interval, df, replicates, seed)
    if kind == "quantile":
        parts = []
        for p in argument if several else (argument,):
            for measure in chosen:
                table, held, on = estimate_percentile(design, measure, p, columns=columns, listed=domains, options=options)
                table["note"] = _noted(table["note"].to_numpy(), on, options, held)
                if several:
                    table.insert(len(columns), "p", p)
                parts.append((table, held))
        said = _conventions(on, options, held) | {"p": argument}
        return interleaved(parts, (*columns, "p") if several else columns, said, design)
    measured = ratio_measures(chosen, resolve(design, argument)) if kind == "ratio" else chosen
    counted = counted or tally(design, measured, by=columns)
    return _estimated(cut(design, counted, columns=columns, listed=domains), chosen, options)


def _estimated(on: Domains, chosen: list[Measure], options: Options) -> Estimates:
    counted, sample, domain, size = on.counted, on.sample, on.domain, len(on.keys)
    found = point(options.kind, counted, domain, sample.weight, size)
    held = on.contributions(counted, found.z, options)
    cov = without_rounding(held.covariance, found.value.ravel())
    se = np.sqrt(np.maximum(np.diag(cov), 0)).reshape(found.value.shape)
    valid = counted.valid[:, : len(chosen)]
    df = domain_df(domain, valid, sample.clusters, domains=size) if options.df == "domain" else np.full(se.shape, sample.df)
    n = sum_by_domain(domain, valid, size)
    plain = on.design.base_weight is None
    deff, deff_wr = (
        design_effects(options.kind, counted, domain, sample.weight, se=se, size=found.size, n=n, replacement=replacement)
        for replacement in (plain, True)
    )
    deff_all = partial(_overall_deff, on, chosen, options)
    low, high, note = limits(chosen, options, (found.value, se, df, n), overall_deff=deff_all)
    se = np.where(np.isnan(found.value), np.nan, se)
    note = _noted(note, on, options, held)
    parts = {"estimate": found.value, "se": se, "df": df, "ci_low": low, "ci_high": high, "deff": deff}
    parts |= {"deff_wr": deff_wr, "n": n, "note": note}
    rows = on.keys.loc[on.keys.index.repeat(len(chosen))].reset_index(drop=True)
    rows = rows.assign(measure=[m.name for m in chosen] * size)[[*on.columns, "measure"]]
    table = result_table(rows, {name: part.ravel() for name, part in parts.items()})
    return Estimates(table, cov, held, on.columns, _conventions(on, options, held), on.design)


def _overall_deff(on: Domains, chosen: list[Measure], options: Options) -> Array:
    """Return the measures' design effects over all domains together, at least 1: (M,)."""
    if not on.columns:
        return np.ones(len(chosen))
    kind: Any = options.kind
    found = estimate(on.design, chosen, statistic=kind, level=options.level).table["deff"].to_numpy(float)
    return np.where(np.isfinite(found), np.maximum(found, 1.0), 1.0)


def _parsed(statistic: Statistic) -> tuple[Kind, Any]:
    """Return the kind of statistic and its argument."""
    if statistic == "median":
        return "quantile", 0.5
    if isinstance(statistic, tuple) and len(statistic) == 2 and statistic[0] in ("ratio", "quantile"):
        kind, argument = statistic
        return kind, _quantiles(argument) if kind == "quantile" else argument  # type: ignore[return-value]
    allowed = ("mean", "proportion", "total", "median", '("ratio", denominator)', '("quantile", p)')
    one_of(str(statistic), allowed[:4], argument="statistic", error=EstimatesError, code="E100")
    return statistic, None  # type: ignore[return-value]


def _quantiles(argument: Any) -> float | tuple[float, ...]:
    """Return one quantile, or a tuple of several."""
    several = isinstance(argument, list | tuple | np.ndarray)
    listed = list(argument) if several else [argument]
    wrong = [p for p in listed if isinstance(p, bool) or not isinstance(p, Real) or not 0 < float(p) < 1]
    if wrong or not listed:
        raise EstimatesError(
            "E104",
            f"分位点 {argument!r} 须为 0 与 1 之间的数。",
            f"A quantile of {argument!r} is not a number between 0 and 1.",
            where="statistic",
            hint=(
                '例如写 ("quantile", 0.5) 或 ("quantile", [0.25, 0.75])。',
                'Write ("quantile", 0.5) or ("quantile", [0.25, 0.75]).',
            ),
        )
    return tuple(map(float, listed)) if several else float(argument)


def _named_measures(measures: Any) -> list[str | Measure]:
    """Return the measures as a list; refuse none at all, and what is neither a name nor a measure."""
    listed = [measures] if isinstance(measures, str | Measure) else measures
    if not isinstance(listed, Iterable) or not (names := list(listed)) or not all(isinstance(m, str | Measure) for m in names):
        raise EstimatesError(
            "E387",
            f"没有给出可估计的指标: {measures!r}。",
            f"There is no measure to estimate in {measures!r}.",
            where="measures",
            hint=("写列名或指标名，或它们的列表。", "Write the name of a column or measure, or a list of them."),
        )
    return names


def _check_options(variance: str, interval: str, df: str, level: float, replicates: int, seed: int) -> None:
    for name, value, kinds in (("variance", variance, Variance), ("interval", interval, Interval), ("df", df, DegreesOfFreedom)):
        one_of(value, get_args(kinds), argument=name, error=EstimatesError, code="E100")
    check_level(level)
    for name, number, least in (("replicates", replicates, 2), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
            raise EstimatesError(
                "E381",
                f"{name}={number!r} 无效：须为不小于 {least} 的整数。",
                f"{name}={number!r} cannot be: a whole number of at least {least} is needed.",
                where=name,
                hint=("例如写 replicates=200, seed=1。", "Write replicates=200, seed=1, for instance."),
            )


def _resolved(variance: Variance, design: SurveyDesign) -> Variance:
    if variance != "default":
        return variance
    return "jkn" if design.weighting is not None and design.weighting.several else "linearized"


def _conventions(on: Domains, options: Options, held: Contributions) -> dict[str, Any]:
    design = on.design
    interval = DEFAULT_INTERVALS[options.kind] if options.interval == "default" else options.interval
    own: dict[str, dict[str, Any]] = {"jkn": {"centre": "mean of the replicates"}, "fay": {"fay": FAY}}
    own["rao-wu"] = {"replicates": options.replicates - held.unsolved, "seed": options.seed}
    replicated, used = options.variance not in ("linearized", "rake"), _variance_used(options, held)
    fpc = " + ".join(design.fpc) or "none"
    if _fpc_dropped(on, used):
        fpc += " (not credited by these replicates)"
    return {
        "statistic": options.kind,
        "variance": used,
        "interval": interval,
        "level": options.level,
        "df": "domain: PSUs - strata" if options.df == "domain" else "design: PSUs - strata",
        "deff": f"against simple random sampling {'with' if design.base_weight is None else 'without'} replacement",
        "lonely_psu": design.lonely_psu,
        "selection": design.selection,
        "calibration": design.weighting.name if design.weighting else "none",
        "fpc": fpc,
        "engine_exact": on.counted.exact,
        **own.get(used, {}),
        **({"replicates_unsolved": held.unsolved} if replicated and design.weighting else {}),
        **({"replicates_note": held.remark} if held.remark else {}),
    }


def _variance_used(options: Options, held: Contributions) -> str:
    """Return the method behind the se: linearized where a jackknife's or a half-sample's replicates were not solved."""
    return "linearized" if held.unsolved and options.variance != "rao-wu" else options.variance


def _fpc_dropped(on: Domains, variance: str) -> bool:
    """Return whether the design has an fpc that these replicates do not credit."""
    later_stages = variance in ("jkn", "rao-wu") and len(on.sample.stages) > 1
    return bool(on.design.fpc) and (variance in ("brr", "fay") or later_stages)


def _noted(note: Array, on: Domains, options: Options, held: Contributions) -> Array:
    """Add to every row's note what the replicates could not do."""
    remarks = [held.remark] if held.remark else []
    if _fpc_dropped(on, _variance_used(options, held)):
        remarks.append(FPC_DROPPED)
    texts = ["; ".join(filter(None, [text, *remarks])) for text in note.ravel()]
    return np.array(texts, dtype=object).reshape(note.shape)
