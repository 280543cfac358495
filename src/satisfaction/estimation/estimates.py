"""Means, proportions, totals, ratios and quantiles by domain, with their full covariance under the sample design.

Estimates without the tally: what may leave a place whose counts may not.

Carried are the estimates with their conventions and, for every sampling unit, the totals of the linearized variables (in
the form whose cross-products are the covariance) and which domains it has respondents of. No count of respondents by cell and no answer is among them. Ranks,
contrasts and the change between waves that share PSUs go on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from numbers import Real
from pathlib import Path
from typing import Any, Literal, TypeAlias

import narwhals as nw
import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.estimation.domains import (
    FAY,
    DegreesOfFreedom,
    Domains,
    Interval,
    Kind,
    Options,
    Point,
    Variance,
    cut,
    fpc_dropped,
    point,
    without_rounding,
)
from satisfaction.estimation.hypothesis_tests import levels, name_of, with_values
from satisfaction.estimation.intervals import check_level, limits, standard_errors
from satisfaction.estimation.quantiles import estimate_percentile, interleaved
from satisfaction.estimation.result import COLUMNS, Estimates, result_table
from satisfaction.estimation.sample import Contributions
from satisfaction.foundation.engines import fetch, one_blas_thread
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.foundation.files import changed_since, new_folder, read_json, refuse_existing
from satisfaction.foundation.language import N_, _
from satisfaction.foundation.tables import (
    read_table,
    write_checksums,
    write_json,
    write_rfc4180,
    write_text,
)
from satisfaction.sampling.conditions import SUBPOPULATION
from satisfaction.sampling.design import ROW, SampleDesign, SurveyDesign, named
from satisfaction.sampling.measures import Measure, Stage, flag
from satisfaction.sampling.tally import Tally, refuse_reserved, resolve, resolve_all, tally
from satisfaction.sampling.variance import Array, Members, simple_variance, sum_by_domain

LEVEL = "level"
MOST_LEVELS = 200


@dataclass(frozen=True, slots=True)
class Category:
    """One level of a categorical variable, as a measure: 1 at that level, 0 at the others, not valid where missing."""

    variable: str
    level: Any
    measure: Measure


def categories(
    design: SampleDesign, variables: Sequence[str | Measure]
) -> tuple[SampleDesign, list[Category]]:
    """Return the levels of categorical variables in sorted order, and the design with the columns they need.

    Special codes of the questionnaire (don't know, refused) are not valid: out of the base of the shares.

    Raises
    ------
    EstimatesError
        E141 an unknown name, E521 a select-all item, E522 a variable without a level or with more than 200.
    """
    held, columns = with_values(design, variables, where="measures")
    rows = held.rows()
    of_levels = []
    for variable, column in zip(variables, columns, strict=True):
        codes = design.codes.get(column, {})
        if codes.get("select_all"):
            columns = design.table.collect_schema().names()
            raise EstimatesError(
                "E521",
                _(
                    "'{column}' is a select-all item: a respondent has several options, and their shares do not add up to 1.",
                    column=column,
                ),
                where=column,
                available=[name for name in columns if name.startswith(f"{column}_")],
                hint=_('Estimate the 0/1 columns of its options: statistic="proportion".'),
            )
        special = list(codes.get("special", ()))
        valid = ~nw.col(column).is_null()
        if rows.collect_schema()[column].is_float():
            valid = valid & ~nw.col(column).is_nan()
        if special:
            valid = valid & ~nw.col(column).is_in(special)
        inside = rows.filter(valid)
        if design.subpopulation:
            inside = inside.filter(nw.col(SUBPOPULATION) == 1)
        values = fetch(inside.select(nw.col(column)).unique())[column]
        named_levels, _codes = levels(values, values.notna().to_numpy())
        if not 0 < len(named_levels) <= MOST_LEVELS:
            raise EstimatesError(
                "E522",
                _(
                    "'{variable}' has {number} levels; shares are estimated of 1 to {most}.",
                    variable=name_of(variable),
                    number=len(named_levels),
                    most=MOST_LEVELS,
                ),
                where="measures",
                hint=_("Group a number first, or check whether the column is missing everywhere."),
            )
        for k, level in enumerate(named_levels):
            # the number and not the level: a level may hold what no engine takes as a name
            name = f"_level{k}__{column}"
            at_level = valid & (nw.col(column) == level)
            stage = {f"_valid__{name}": flag(valid), f"_score__{name}": flag(at_level)}
            measure = Measure(name, "rate", 1, (stage,))
            of_levels.append(Category(name_of(variable), level, measure))
    return held, of_levels


def by_level(estimates: Estimates, categories: Sequence[Category], statistic: str) -> Estimates:
    """Return estimates of the categories' measures with a column `level` after the domain columns."""
    table = estimates.table
    domains = len(table) // len(categories)
    levels_of_domain = [category.level for category in categories]
    variables = [category.variable for category in categories]
    level = pd.Series(levels_of_domain * domains, dtype=object)
    table = table.assign(measure=variables * domains)
    table.insert(len(estimates.by), LEVEL, level.infer_objects())
    conventions = estimates.conventions | {"statistic": statistic}
    by = (*estimates.by, LEVEL)
    return replace(estimates, table=table, by=by, conventions=conventions)


Statistic: TypeAlias = (
    Literal["mean", "proportion", "total", "median", "shares", "counts"] | tuple[str, Any]
)
OF_LEVELS: dict[str, Kind] = {"shares": "proportion", "counts": "total"}
DEFAULT_INTERVALS = {
    "mean": N_("t; logit for rates"),
    "proportion": "logit",
    "total": "t",
    "ratio": "t",
    "quantile": "Woodruff",
}


@one_blas_thread
def estimate(
    design: SampleDesign,
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
    design : SampleDesign
        Domains never filter it: PSUs without a member of a domain count in n_h.
    measures : str, Measure, or a sequence of them
        Declared measures or numeric columns. Null is not valid and makes the domain smaller.
    statistic : {"mean", "proportion", "total", "median", "shares", "counts"}, ("ratio", denominator) or ("quantile", p)
        shares, counts: of a categorical column (text or codes), the share 0-1 of every level among the valid answers, or
        how many residents have it (R's `svymean(~factor)`, `svytotal(~factor)`); a row each, and a column `level` beside the
        domain columns. Special codes of the questionnaire are not valid. A ratio counts respondents with both values.
        Quantiles are the smallest value whose share at or below is at least p; with a list of p the table has a row each,
        and a column p beside the domain columns.
    by : column or list of columns, optional
    variance : {"default", "linearized", "rake", "jkn", "brr", "fay", "rao-wu", "replicates"}
        default: linearized without a recipe or after a single calibration, else jkn; replicates where the design holds
        replicate weights, and only there. linearized credits the last calibration by regression residuals (R's
        `calibrate`), rake by R's `rake` sweeps; steps before it count as fixed. The others replay the whole recipe in every
        replicate, centred on the replicates' mean.
    level : float
        Confidence level of the intervals.
    interval : {"default", "t", "logit", "beta", "wilson", "xlogit", "mean", "likelihood"}
        default: logit for proportions and the questionnaire's rates, t for the rest. All but t are for shares.
    df : {"domain", "design"}
        The domain's PSUs minus their strata, or the design's.
    domains : sequence, optional
        Values of the one column `by` that get a row also where no respondent has them (estimate nan, n 0).
    counted : Tally, optional
        A tally of the same design and measures whose keys hold `by`; saves the pass over the respondents. Not for shares,
        counts and quantiles.
    replicates, seed : int
        Of the Rao-Wu bootstrap.

    Raises
    ------
    EstimatesError
        E100 an unknown option, E101 unknown name, E102 no number, E103 a proportion of something outside 0-1, E104 a level
        or quantile that is none, E381 replicates or a seed that are none, E383 infinite values, E384 `domains` of
        another kind than the column, E385 a column `by` without a value, E386 one of a reserved name, E387 no measure, E521
        shares of a select-all item, E522 of a variable without levels or with too many, E523 a variance that the design
        does not have, E524 replicate weights that the recipe cannot solve, E150 and E151 replicates that the design does not
        allow, E382 a bootstrap of which more than 5% has no solution.

    Notes
    -----
    Where a share is 0 or 1, or the se is 0, the limits are Korn and Graubard's with n_eff = n / deff of all domains
    together, and `note` says so; the se stays 0 and must not be used for ranks as it is. An estimate of nan has se nan, and 0 in `cov`. Replicates that
    no weights solve are never used: `note` and `replicates_note` say how many there were, where, and what stands instead
    (of the bootstrap they are left out, up to 5 %; a jackknife or half-samples give way to the linearized se).

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> county = sat.estimate(design, "score", by="county")
    >>> county.table[["county", "estimate", "se", "df", "ci_low", "ci_high"]].round(2)
      county  estimate    se  df  ci_low  ci_high
    0      A      70.0  8.66   2   32.74   107.26
    1      B      55.0  2.89   2   42.58    67.42
    """
    kind, argument = _parsed(statistic)
    one_of(variance, Variance, argument="variance", error=EstimatesError, code="E100")
    one_of(interval, Interval, argument="interval", error=EstimatesError, code="E100")
    one_of(df, DegreesOfFreedom, argument="df", error=EstimatesError, code="E100")
    check_level(level)
    _check_whole("replicates", replicates, least=2)
    _check_whole("seed", seed, least=0)
    options = Options(kind, _variance_of(design, variance), level, interval, df, replicates, seed)
    columns = named(by)
    several = kind == "quantile" and isinstance(argument, tuple)
    of_levels = isinstance(statistic, str) and statistic in OF_LEVELS
    taken: tuple[str, ...] = COLUMNS
    if several:
        taken = (*COLUMNS, "p")
    elif of_levels:
        taken = (*COLUMNS, LEVEL)
    refuse_reserved(
        [name for i, name in enumerate(columns) if name in taken or name in columns[:i]]
    )
    if of_levels:
        design, levels = categories(design, _named_measures(measures))
        chosen = [category.measure for category in levels]
        of_levels_counted = tally(design, chosen, by=columns)
        on = cut(design, of_levels_counted, columns=columns, listed=domains)
        return by_level(_estimated(on, chosen, options), levels, str(statistic))
    chosen = resolve_all(design, _named_measures(measures))
    if kind != "quantile":
        tallied = chosen
        if kind == "ratio":
            denominator = resolve(design, argument)
            above = [_where_both(measure, denominator) for measure in chosen]
            below = [_where_both(denominator, measure) for measure in chosen]
            tallied = above + below
        counted = counted or tally(design, tallied, by=columns)
        on = cut(design, counted, columns=columns, listed=domains)
        return _estimated(on, chosen, options)
    parts = []
    for p in argument if several else (argument,):
        for measure in chosen:
            table, held, on = estimate_percentile(
                design, measure, p, columns=columns, listed=domains, options=options
            )
            table["note"] = _noted(table["note"].to_numpy(), on, options, held=held)
            if several:
                table.insert(len(columns), "p", p)
            parts.append((table, held))
    conventions = _conventions(on, options, held) | {"p": argument}
    return interleaved(parts, (*columns, "p") if several else columns, conventions, design=design)


def _variance_of(design: SampleDesign, variance: Variance) -> Variance:
    """Return the method of variance that "default" stands for; refuse one that does not fit the design (E523)."""
    has_replicates = design.replicates is not None
    if variance == "default":
        several_steps = design.weighting is not None and design.weighting.several
        if has_replicates:
            return "replicates"
        return "jkn" if several_steps else "linearized"
    if has_replicates != (variance == "replicates"):
        raise EstimatesError(
            "E523",
            _(
                'variance="{variance}" does not fit the design: replicates is for a design with '
                "replicate weights, and the only one for it.",
                variance=variance,
            ),
            where="variance",
            available=("default", "replicates")
            if has_replicates
            else ("default", "linearized", "jkn"),
            hint=_("Leave `variance` out: the design decides."),
        )
    return variance


def _estimated(on: Domains, chosen: list[Measure], options: Options) -> Estimates:
    """Estimate anything but quantiles."""
    counted = on.counted
    sample = on.sample
    domain = on.domain
    size = len(on.keys)
    full = point(options.kind, counted, domain, weight=sample.weight, domains=size)
    held = on.contributions(counted, full.z, options)
    cov = without_rounding(held.covariance, full.value.ravel())
    se = standard_errors(cov).reshape(full.value.shape)
    valid = counted.valid[:, : len(chosen)]
    n = sum_by_domain(domain, valid, size)
    df = np.full(se.shape, sample.df)
    if options.df == "domain":
        df = held.members.each_df().reshape(se.shape)

    def overall_deff() -> Array:
        """Return the measures' design effects over all domains together, at least 1: (M,)."""
        if not on.columns:
            return np.ones(len(chosen))
        kind: Any = options.kind
        whole = estimate(on.design, chosen, statistic=kind, level=options.level)
        deff = whole.table["deff"].to_numpy(float)
        return np.where(np.isfinite(deff), np.maximum(deff, 1.0), 1.0)

    low, high, note = limits(
        chosen, options, value=full.value, se=se, df=df, n=n, overall_deff=overall_deff
    )
    known_se = np.where(np.isnan(full.value), np.nan, se)
    deff = {name: np.full(se.shape, np.nan) for name in ("deff", "deff_wr")}
    if options.kind != "ratio":
        deff = _design_effects(on, full, se, n=n, options=options)
    noted = _noted(note, on, options, held=held)
    figures = {
        "estimate": full.value,
        "se": known_se,
        "df": df,
        "ci_low": low,
        "ci_high": high,
        **deff,
        "n": n,
        "note": noted,
    }
    rows = on.keys.loc[on.keys.index.repeat(len(chosen))].reset_index(drop=True)
    rows["measure"] = [measure.name for measure in chosen] * size
    rows = rows[[*on.columns, "measure"]]
    table = result_table(rows, {name: figure.ravel() for name, figure in figures.items()})
    return Estimates(table, cov, held, on.columns, _conventions(on, options, held), on.design)


def _design_effects(
    on: Domains, full: Point, se: Array, *, n: Array, options: Options
) -> dict[str, Array]:
    """Return the variances over those of a simple random sample of the same size, (D, M) each; nan where that is 0."""
    of_each = on.sample.weight[:, None]
    size = len(on.keys)
    sums = sum_by_domain(on.domain, of_each * on.counted.sums(), size)
    squares = sum_by_domain(on.domain, of_each * on.counted.sums_of_squares(), size)
    scale = full.size**2 if options.kind == "total" else 1.0
    effects = {}
    drawn_with_replacement = {"deff": on.design.base_weight is None, "deff_wr": True}
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / full.size
        for name, replacement in drawn_with_replacement.items():
            simple = simple_variance(
                mean, full.size, squares, n=n, population=full.size, replacement=replacement
            )
            effects[name] = np.where(simple > 0, se**2 / (simple * scale), np.nan)
    return effects


def _where_both(measure: Measure, other: Measure) -> Measure:
    """Return a measure that is valid only where another is valid too."""
    name = f"{measure.name} | {other.name}"
    valid = nw.col(measure.valid_column)
    both = valid * nw.col(other.valid_column)
    score = nw.col(measure.score_column)
    restricted = {f"_valid__{name}": both, f"_score__{name}": score * both}
    stages: list[Stage] = []
    none: Stage = {}
    for stage, stage_of_other in zip_longest(measure.stages, other.stages, fillvalue=none):
        stages.append(stage | stage_of_other)
    own = (*measure.own, *other.own)
    return replace(measure, name=name, stages=(*stages, restricted), own=own)


def _parsed(statistic: Statistic) -> tuple[Kind, Any]:
    """Return the kind of statistic and its argument."""
    if statistic == "median":
        return "quantile", 0.5
    if isinstance(statistic, str) and statistic in OF_LEVELS:
        return OF_LEVELS[statistic], None
    if isinstance(statistic, tuple) and len(statistic) == 2:
        if statistic[0] == "ratio":
            return "ratio", statistic[1]
        if statistic[0] == "quantile":
            argument = statistic[1]
            several = isinstance(argument, list | tuple | np.ndarray)
            listed = list(argument) if several else [argument]
            wrong = not listed
            for p in listed:
                wrong |= isinstance(p, bool) or not isinstance(p, Real) or not 0 < float(p) < 1
            if wrong:
                raise EstimatesError(
                    "E104",
                    _(
                        "A quantile of {argument!r} is not a number between 0 and 1.",
                        argument=argument,
                    ),
                    where="statistic",
                    hint=_('Write ("quantile", 0.5) or ("quantile", [0.25, 0.75]).'),
                )
            return "quantile", (tuple(map(float, listed)) if several else float(argument))
    allowed = ("mean", "proportion", "total", "median", "shares", "counts")
    one_of(str(statistic), allowed, argument="statistic", error=EstimatesError, code="E100")
    return statistic, None  # type: ignore[return-value]


def _named_measures(measures: Any) -> list[str | Measure]:
    """Return the measures as a list; refuse none at all, and what is neither a name nor a measure."""
    if isinstance(measures, str | Measure):
        return [measures]
    listed = list(measures) if isinstance(measures, Iterable) else []
    if not listed or not all(isinstance(measure, str | Measure) for measure in listed):
        raise EstimatesError(
            "E387",
            _("There is no measure to estimate in {measures!r}.", measures=measures),
            where="measures",
            hint=_("Write the name of a column or measure, or a list of them."),
        )
    return listed


def _check_whole(name: str, number: Any, *, least: int) -> None:
    whole = isinstance(number, int | np.integer)
    if isinstance(number, bool) or not whole or number < least:
        raise EstimatesError(
            "E381",
            _(
                "{name}={number!r} cannot be: a whole number of at least {least} is needed.",
                name=name,
                number=number,
                least=least,
            ),
            where=name,
            hint=_("Write replicates=200, seed=1, for instance."),
        )


def _conventions(on: Domains, options: Options, held: Contributions) -> dict[str, Any]:
    """Say what produced the numbers."""
    design = on.design
    used = _variance_used(options, held)
    interval: str = options.interval
    if interval == "default":
        interval = DEFAULT_INTERVALS[options.kind]
    deff = N_("against simple random sampling without replacement")
    if design.base_weight is None:
        deff = N_("against simple random sampling with replacement")
    df_rule = N_("PSUs - strata")
    if design.replicates is not None:
        df_rule = N_("rank of the replicate weights - 1")
    calibration = design.weighting.name if design.weighting else "none"
    fpc = " + ".join(design.fpc) or "none"
    if fpc_dropped(design, on.sample, used):
        fpc += " (not credited by these replicates)"
    conventions: dict[str, Any] = {
        "statistic": options.kind,
        "variance": used,
        "interval": interval,
        "level": options.level,
        "df": f"{options.df}: {df_rule}",
        "deff": deff,
        "lonely_psu": design.lonely_psu,
        "selection": design.selection,
        "calibration": calibration,
        "fpc": fpc,
        "engine_exact": on.counted.exact,
    }
    if design.subpopulation:
        conventions["subpopulation"] = design.subpopulation
    if on.left_out:
        conventions["without_domain"] = on.left_out
    if design.replicates is not None:
        conventions["centre"] = N_("mean of the replicates")
        if design.replicates.mse:
            conventions["centre"] = N_("full-sample estimate (mse)")
        conventions["replicates"] = design.replicates.weights.shape[1]
    if used == "jkn":
        conventions["centre"] = N_("mean of the replicates")
    elif used == "fay":
        conventions["fay"] = FAY
    elif used == "rao-wu":
        conventions["replicates"] = options.replicates - held.unsolved
        conventions["seed"] = options.seed
    if design.weighting and not options.linearized and design.replicates is None:
        conventions["replicates_unsolved"] = held.unsolved
    if held.remark:
        conventions["replicates_note"] = held.remark
    return conventions


def _variance_used(options: Options, held: Contributions) -> str:
    """Return the method behind the se: linearized where a jackknife's or a half-sample's replicates were not solved."""
    if held.unsolved and options.variance != "rao-wu":
        return "linearized"
    return options.variance


def _noted(note: Array, on: Domains, options: Options, *, held: Contributions) -> Array:
    """Add to every row's note what the replicates could not do."""
    remarks = [held.remark]
    if fpc_dropped(on.design, on.sample, _variance_used(options, held)):
        remarks.append(_("fpc fpc not credited by these replicates").both)
    noted = [[text, *remarks] for text in note.ravel()]
    texts = ["; ".join(filter(None, parts)) for parts in noted]
    return np.array(texts, dtype=object).reshape(note.shape)


FORMAT = 2
KINDS = {"i": "int64", "u": "int64", "b": "bool", "f": "float64"}
CONTENTS = {
    "estimates.csv": _("one row a domain and measure, in order"),
    "units.csv": _("sampling units of the first stage, in order"),
    "contributions.csv": _("unit, quantity (row numbers from 0), value"),
    "members.csv": _(
        "unit, quantity: units with a respondent of the domain (for degrees of freedom)"
    ),
    "conventions.json": _("what produced the numbers"),
}
"""The files of written estimates: totals per sampling unit, no counts and no answers."""


def write_estimates(estimates: Estimates, folder: str | Path) -> Path:
    """Write estimates into a folder that does not exist yet: figures, PSU totals of linearized variables, PSUs of each domain.

    Column `n` (respondents of a domain) is carried, because ranks ask for a minimum; counts of any finer cell are not. PSUs
    keep their codes: two waves are told apart by them.

    Raises
    ------
    EstimatesError
        E181 for a folder that exists, E183 where every respondent is a PSU: the totals would be respondents.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> folder = sat.write_estimates(sat.estimate(design, "score", by="county"), "estimates")
    >>> sat.read_estimates(folder)
    Estimates(2 rows by county: score; mean, linearized, level 0.95)
    """
    target = Path(folder)
    held = estimates.contributions
    if ROW in held.units or estimates.design.replicates is not None:
        raise EstimatesError(
            "E183",
            _("Every respondent is a PSU of this design: the totals would be persons."),
            where="write_estimates",
            hint=_("Declare `psu` in the design."),
        )
    refuse_existing(target, EstimatesError, "E181")
    matrix = sp.coo_array(sp.csr_array(held.matrix))
    inside = held.members.inside.tocoo()
    order = ["unit", "quantity"]
    totals = pd.DataFrame({"unit": matrix.row, "quantity": matrix.col})
    totals["value"] = matrix.data
    members = pd.DataFrame({"unit": inside.row, "quantity": inside.col})
    record: dict[str, Any] = {
        "strata": list(estimates.design.strata),
        "stages": list(estimates.design.stages),
        "stratum_of_unit": held.members.stratum.tolist(),
        "format": FORMAT,
    }
    record["by"] = list(estimates.by)
    record["conventions"] = estimates.conventions
    record["shape"] = list(matrix.shape)
    record["unsolved"] = held.unsolved
    record["remark"] = held.remark
    record["kinds"] = {"estimates": _kinds(estimates.table), "units": _kinds(held.units)}
    with new_folder(target) as scratch:
        write_rfc4180(estimates.table, scratch / "estimates.csv")
        write_rfc4180(held.units, scratch / "units.csv")
        write_rfc4180(totals.sort_values(order), scratch / "contributions.csv")
        write_rfc4180(members.sort_values(order), scratch / "members.csv")
        write_json(record, scratch / "conventions.json")
        about = [f"{name}: {text.zh} {text.en}\n" for name, text in CONTENTS.items()]
        write_text("".join(about), scratch / "README.txt")
        write_checksums(scratch)
    return target


def read_estimates(folder: str | Path) -> Estimates:
    """Read what `write_estimates` wrote: the same numbers to the last bit.

    Returns
    -------
    Estimates
        Its design has the sampling units as rows and no measures: nothing further can be estimated from it.

    Raises
    ------
    EstimatesError
        E182 for a folder that is none, or whose files were changed.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> county = sat.estimate(design, "score", by="county")
    >>> again = sat.read_estimates(sat.write_estimates(county, "estimates"))
    >>> bool((again.cov == county.cov).all())
    True
    """
    source = Path(folder)
    sums = source / "SHA256SUMS"
    changed = {"SHA256SUMS": "missing"}
    if sums.is_file():
        changed = changed_since(source, sums)
    record: dict[str, Any] = {}
    if not changed:
        record = read_json(source / "conventions.json")
    if record.get("format") != FORMAT:
        raise EstimatesError(
            "E182",
            _("Not a folder that write_estimates wrote, or a file was changed."),
            where=str(source),
            got=str(changed or record.get("format")),
            hint=_("Carry it out again."),
        )
    table = _typed(read_table(source / "estimates.csv"), record["kinds"]["estimates"])
    units = _typed(read_table(source / "units.csv"), record["kinds"]["units"])
    totals = read_table(source / "contributions.csv")
    withheld_as_nan = totals["value"].replace("", "nan").astype(float)
    matrix = sp.csr_array((withheld_as_nan, _places(totals)), shape=tuple(record["shape"]))
    places = read_table(source / "members.csv")
    stratum = np.array(record["stratum_of_unit"])
    shape = (len(stratum), len(table))
    inside = sp.csr_array((np.ones(len(places)), _places(places)), shape=shape)
    members = Members(inside, stratum)
    held = Contributions(units, matrix, members, record["unsolved"], record["remark"])
    conventions = record["conventions"]
    # the policy is that of the design as it was, with its fpc and collapsed strata: nothing here is refused by it
    design = SurveyDesign(
        units,
        strata=record["strata"] or None,
        psu=record["stages"][:1] or None,
        lonely_psu="certainty",
        selection=conventions["selection"],
    )
    design = replace(design, lonely_psu=conventions["lonely_psu"])
    cov = without_rounding(held.covariance, table["estimate"].to_numpy(float))
    return Estimates(table, cov, held, tuple(record["by"]), conventions, design)


def _places(listed: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    places = listed.astype({"unit": int, "quantity": int})
    return places["unit"], places["quantity"]


def _kinds(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Name the type of every column."""
    kinds = []
    for name, dtype in table.dtypes.items():
        text = "str" if isinstance(dtype, pd.StringDtype) else "object"
        kind = getattr(dtype, "kind", "O")
        kinds.append((str(name), KINDS.get(kind, text)))
    return kinds


def _typed(table: pd.DataFrame, kinds: list[tuple[str, str]]) -> pd.DataFrame:
    """Give columns of text their types again; an empty cell is a missing number, or an empty text."""
    typed = {}
    for name, kind in kinds:
        column = table[name]
        if kind not in ("str", "object"):
            column = pd.to_numeric(column.replace("", np.nan))
        typed[name] = column.astype(kind)
    return pd.DataFrame(typed)
