"""Means, proportions, totals, ratios and quantiles by domain, with their full covariance under the sample design."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from ..design import SurveyDesign, named
from ..engines import one_blas_thread
from ..errors import EstimatesError, one_of
from ..measures import Measure
from ..tally import Tally, resolve, resolve_all, tally
from ..variance import domain_df, sum_by_domain
from .carried import read_estimates, write_estimates
from .domains import DegreesOfFreedom, Domains, Interval, Options, Variance, cut, without_rounding
from .intervals import korn_graubard_interval, logit_interval, satterthwaite, summed_df, t_interval
from .limits import limits
from .percentiles import estimate_percentile, interleaved
from .replicated import FAY
from .result import Estimates, result_table
from .sample import Contributions, Sample, lay_out
from .statistics import Kind, design_effects, point, ratio_measures

__all__ = [
    "Contributions",
    "Estimates",
    "Sample",
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
        A ratio counts respondents with both values. Quantiles are the smallest value whose share at or below is at least p.
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
        or quantile that is none, E150 and E151 replicates that the design does not allow.

    Notes
    -----
    Where a share is 0 or 1, or the se is 0, the limits are Korn and Graubard's with n_eff = n / deff of all domains
    together, and `note` says so; the se stays 0 and must not be used for ranks as it is.
    """
    kind, argument = _parsed(statistic)
    _check_options(variance, interval, df, level)
    names = [measures] if isinstance(measures, str | Measure) else list(measures)
    chosen, columns = resolve_all(design, names), named(by)
    options = Options(kind, _resolved(variance, design), level, interval, df, replicates, seed)
    if kind == "quantile":
        parts = [
            estimate_percentile(design, m, float(argument), columns=columns, listed=domains, options=options) for m in chosen
        ]
        said = _conventions(parts[0][2], options, parts[0][1]) | {"p": float(argument)}
        return interleaved([part[:2] for part in parts], columns, said, design)
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
        if kind == "quantile" and not 0 < float(argument) < 1:
            raise EstimatesError(
                "E104",
                f"分位点 {argument} 须在 0 与 1 之间。",
                f"A quantile of {argument} is not between 0 and 1.",
                where="statistic",
                hint=('例如写 ("quantile", 0.5)。', 'Write ("quantile", 0.5), for instance.'),
            )
        return kind, argument  # type: ignore[return-value]
    allowed = ("mean", "proportion", "total", "median", '("ratio", denominator)', '("quantile", p)')
    one_of(str(statistic), allowed[:4], argument="statistic", error=EstimatesError, code="E100")
    return statistic, None  # type: ignore[return-value]


def _check_options(variance: str, interval: str, df: str, level: float) -> None:
    for name, value, kinds in (("variance", variance, Variance), ("interval", interval, Interval), ("df", df, DegreesOfFreedom)):
        one_of(value, get_args(kinds), argument=name, error=EstimatesError, code="E100")
    if not 0 < level < 1:
        raise EstimatesError(
            "E104",
            f"置信水平 {level} 须在 0 与 1 之间。",
            f"A confidence level of {level} is not between 0 and 1.",
            where="level",
            hint=("例如写 0.95。", "Write 0.95, for instance."),
        )


def _resolved(variance: Variance, design: SurveyDesign) -> Variance:
    if variance != "default":
        return variance
    return "jkn" if design.weighting is not None and design.weighting.several else "linearized"


def _conventions(on: Domains, options: Options, held: Contributions) -> dict[str, Any]:
    design = on.design
    interval = DEFAULT_INTERVALS[options.kind] if options.interval == "default" else options.interval
    own: dict[str, dict[str, Any]] = {"jkn": {"centre": "mean of the replicates"}, "fay": {"fay": FAY}}
    own["rao-wu"] = {"replicates": options.replicates, "seed": options.seed}
    fpc, replicated = " + ".join(design.fpc) or "none", options.variance not in ("linearized", "rake")
    if design.fpc and (options.variance in ("brr", "fay") or (replicated and len(on.sample.stages) > 1)):
        fpc += " (not credited by these replicates)"
    return {
        "statistic": options.kind,
        "variance": options.variance,
        "interval": interval,
        "level": options.level,
        "df": "domain: PSUs - strata" if options.df == "domain" else "design: PSUs - strata",
        "deff": f"against simple random sampling {'with' if design.base_weight is None else 'without'} replacement",
        "lonely_psu": design.lonely_psu,
        "selection": design.selection,
        "calibration": design.weighting.name if design.weighting else "none",
        "fpc": fpc,
        "engine_exact": on.counted.exact,
        **own.get(options.variance, {}),
        **({"replicates_unsolved": held.unsolved} if replicated and design.weighting else {}),
    }
