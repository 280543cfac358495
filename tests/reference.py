"""Every figure of R survey 4.1-1 in tests/golden, the public call that answers it, and how far the two are apart.

`compared` gives one `Comparison` a quantity of a key; `test_reference.py` asserts them and writes the table to `tests/out`.
A call is made once and remembered under its own words, so the table shows exactly what was called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from statsmodels.api import GLM, families

from conftest import province_design
from golden_values import (
    API_NAMES,
    ITEMS,
    api_design,
    api_rows,
    expected,
    province_population,
    province_rows,
)
from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.estimation.contingency import rao_scott
from satisfaction.estimation.group_tests import rank_test, t_test
from satisfaction.estimation.regression import regression
from satisfaction.estimation.reliability import assess_items
from satisfaction.foundation.errors import DesignError, SatisfactionError
from satisfaction.weighting.trimming import trim


@dataclass(frozen=True)
class Tolerance:
    """Largest relative difference allowed, and why it is not smaller."""

    value: float
    reason: str


CLOSED_FORM = Tolerance(1e-9, "same formula, other order of additions")
P_VALUE = Tolerance(1e-6, "tail probabilities of another library")
R_FITS_SHARE = Tolerance(1e-6, "R fits a logistic model to the share and stops at 1e-8")
R_FITS_MODEL = Tolerance(1e-6, "R iterates the logistic fit and stops at 1e-8 of the deviance")
R_RAKES = Tolerance(1e-6, "R iterates raking to epsilon 1e-9 (api), 1e-10 (province)")
R_CALIBRATES = Tolerance(1e-6, "R iterates calibrate to epsilon 1e-7")
R_RAKES_REPLICATES = Tolerance(1e-6, "R iterates raking in every replicate, to epsilon 1e-9")
R_PROFILES = Tolerance(
    1e-3, "R interpolates the profile of the scaled deviance, here the equation is solved"
)
CONVERGED = Tolerance(
    1e-9, "default tolerance 1e-10 against our own value at 1e-13, as R's is loose"
)
SOLVED = Tolerance(1e-9, "against another solution of the same equation, as R's is loose")
EXACT = Tolerance(0.0, "a whole number, a value of the data, or a refusal")
OWN_TOLERANCE = 1e-13

API_WEIGHTED = ("apiclus1", "apistrat")
QUARTILES = (0.25, 0.5, 0.75)
LONELY = ("adjust", "average", "certainty", "remove")


@dataclass(frozen=True)
class Said:
    """A value and the words of the call that made it."""

    words: str
    value: Any


@dataclass(frozen=True)
class Comparison:
    """One quantity of one key of R's figures."""

    sample: str
    key: str
    quantity: str
    call: str
    difference: float
    tolerance: float
    reason: str
    covered: bool = True

    @property
    def holds(self) -> bool:
        """Return whether the difference is within the tolerance."""
        return not self.covered or self.difference <= self.tolerance


Quantities = Iterator[
    tuple[str, Said, Any, Any, Tolerance]
]  # quantity, call, found, R's, tolerance
MADE: dict[str, Any] = {}


def said(function: Callable[..., Any], *arguments: Any, **options: Any) -> Said:
    """Call a function of the package and remember the result under the words of the call."""
    words = [_words(one) for one in arguments] + [
        f"{name}={_words(one)}" for name, one in options.items()
    ]
    call = f"{function.__name__}({', '.join(words)})"
    if call not in MADE:
        MADE[call] = function(
            *map(_value, arguments), **{name: _value(one) for name, one in options.items()}
        )
    return Said(call, MADE[call])


def _words(argument: Any) -> str:
    return argument.words if isinstance(argument, Said) else repr(argument)


def _value(argument: Any) -> Any:
    return argument.value if isinstance(argument, Said) else argument


# ---- differences ----


def relative(found: Any, wanted: Any) -> float:
    """Return the largest relative difference; of square matrices, relative to the standard errors of row and column."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    if found.shape != wanted.shape:
        return np.inf
    scale = np.abs(wanted)
    if wanted.ndim == 2 and wanted.shape[0] == wanted.shape[1] > 1:
        se = np.sqrt(np.diag(wanted))
        scale = np.outer(se, se)
    difference = np.abs(found - wanted)
    out = np.divide(difference, scale, out=np.where(difference == 0, 0.0, np.inf), where=scale > 0)
    return float(out.max()) if np.isfinite(out).all() else np.inf


def compared(sample: str, key: str) -> list[Comparison]:
    """Compare every quantity of one key."""
    wanted = expected(sample)[key]
    try:
        rows = [
            Comparison(
                sample,
                key,
                quantity,
                call.words,
                relative(found, theirs),
                tolerance.value,
                tolerance.reason,
            )
            for quantity, call, found, theirs, tolerance in CASES[sample, key](wanted)
        ]
    except SatisfactionError as refused:
        rows = [
            Comparison(
                sample,
                key,
                "refused",
                str(refused).replace("\n", " "),
                np.inf,
                0.0,
                "nothing was to be refused",
            )
        ]
    return rows + [
        Comparison(sample, key, quantity, "-", np.nan, np.inf, why, covered=False)
        for (where, name, quantity), why in EXCUSED.items()
        if (where, name) == (sample, key)
    ]


# ---- the API samples ----


@functools.cache
def api(name: str) -> Said:
    """Return a design of the API samples; "_nofpc" leaves the finite population out."""
    return Said(name, api_design(name))


def table(of: Said) -> pd.DataFrame:
    """Return the table of estimates, or of a test."""
    return of.value.table


ESTIMATED = {
    "mean/api00": ("api00", {}),
    "total/enroll": ("enroll", {"statistic": "total"}),
    "ratio/api00:api99": ("api00", {"statistic": ("ratio", "api99")}),
    "mean/api00|stype": ("api00", {"by": "stype"}),
    "total/api00|stype": ("api00", {"statistic": "total", "by": "stype"}),
}
SCHOOL_TYPES = {"E": 4421.0, "H": 755.0, "M": 1018.0}
RAKED = Said("stype + sch.wide", {"stype": SCHOOL_TYPES, "sch.wide": {"No": 1072.0, "Yes": 5122.0}})
TYPES = Said("stype", {"stype": SCHOOL_TYPES})
TYPES_AND_API99 = Said("stype + api99", {"stype": SCHOOL_TYPES, "api99": 3914069.0})
CALIBRATIONS: dict[str, tuple[Said, dict[str, Any], Tolerance]] = {
    "rake": (RAKED, {"method": "raking"}, R_RAKES),
    "ps": (TYPES, {"method": "poststratify"}, CLOSED_FORM),
    "cal_linear": (TYPES_AND_API99, {"method": "linear"}, CLOSED_FORM),
    "cal_raking": (TYPES_AND_API99, {"method": "raking"}, R_CALIBRATES),
    "cal_logit": (TYPES_AND_API99, {"method": "logit", "bounds": (0.4, 2.5)}, R_CALIBRATES),
    "cal_boundlin": (TYPES_AND_API99, {"method": "linear", "bounds": (0.5, 2)}, R_CALIBRATES),
}
WEIGHTS = {"rake": "rakew", "ps": "psw"} | {
    name: f"{name}_w" for name in CALIBRATIONS if name.startswith("cal")
}
WITH_ESTIMATES = {
    "rake": ("mean/api00", "total/enroll", "mean/api00|stype"),
    "ps": ("mean/api00", "total/enroll"),
    "cal_linear": ("mean/api00", "total/enroll", "mean/api00|stype"),
    "cal_raking": ("mean/api00", "total/enroll", "mean/api00|stype"),
    "cal_logit": ("mean/api00", "total/enroll", "mean/api00|stype"),
}


def est_and_se(
    of: Said, wanted: Mapping[str, Any], tolerance: Tolerance = CLOSED_FORM
) -> Quantities:
    yield "estimate", of, table(of)["estimate"], wanted["est"], tolerance
    yield "se", of, table(of)["se"], wanted["se"], tolerance


def api_estimate(design: str, key: str, wanted: Mapping[str, Any]) -> Quantities:
    measure, options = ESTIMATED[key]
    yield from est_and_se(said(estimate, api(design), measure, **options), wanted)


def api_domain(design: str, wanted: Mapping[str, Any]) -> Quantities:
    of = said(estimate, api(design), "api00", by=["awards", "sch.wide"])
    row = table(of).set_index(["awards", "sch.wide"]).loc[[("No", "Yes")]]
    yield "estimate", of, row["estimate"], wanted["est"], CLOSED_FORM
    yield "se", of, row["se"], wanted["se"], CLOSED_FORM


def api_shares(design: str, wanted: Mapping[str, Any]) -> Quantities:
    yield from est_and_se(
        said(estimate, api(design), ["no", "yes"], statistic="proportion"), wanted
    )


def api_quantiles(design: str, wanted: Mapping[str, Any]) -> Quantities:
    of = [
        said(estimate, api(design), "api00", statistic=("quantile", p), df="design")
        for p in QUARTILES
    ]
    for p, one, quantile, se in zip(QUARTILES, of, wanted["est"], wanted["se"], strict=True):
        yield f"estimate {p}", one, table(one)["estimate"], [quantile], EXACT
        yield f"se {p}", one, table(one)["se"], [se], CLOSED_FORM


def api_limits(design: str, method: str, wanted: Mapping[str, Any]) -> Quantities:
    of = said(estimate, api(design), "no", statistic="proportion", interval=method)
    tolerance = {"logit": R_FITS_SHARE, "likelihood": R_PROFILES}.get(method, CLOSED_FORM)
    row = table(of).iloc[0]
    own_estimate = R_FITS_SHARE if method in ("logit", "likelihood") else CLOSED_FORM
    yield "estimate", of, [row["estimate"]], wanted["est"], own_estimate
    yield "limits", of, row[["ci_low", "ci_high"]], wanted["ci"], tolerance
    if method == "logit":
        yield (
            "limits on the logit scale by hand",
            of,
            row[["ci_low", "ci_high"]],
            logit_limits(row),
            SOLVED,
        )


def logit_limits(row: pd.Series) -> list[float]:
    """Return expit(logit(share) -/+ t se / (share (1 - share))), the limits to which R's fit converges."""
    share = row["estimate"]
    half = special.stdtrit(row["df"], 0.975) * row["se"] / (share * (1 - share))
    return [special.expit(special.logit(share) + sign * half) for sign in (-1, 1)]


def api_chisq(design: str, statistic: str, wanted: Mapping[str, Any]) -> Quantities:
    of = said(rao_scott, api(design), "stype", "sch.wide", statistic=statistic)
    row = table(of).iloc[0]
    yield (
        "statistic",
        of,
        [row["statistic" if statistic == "F" else "pearson"]],
        wanted["est"],
        CLOSED_FORM,
    )
    yield "p", of, [row["p"]], wanted["p"], P_VALUE
    if "df" in wanted:
        yield "df", of, row[["df", "ddf"]], wanted["df"], CLOSED_FORM


def api_ttest(design: str, wanted: Mapping[str, Any]) -> Quantities:
    of = said(t_test, api(design), "api00", "sch.wide")
    row = table(of).iloc[0]
    yield "difference", of, [row["difference"]], wanted["est"], CLOSED_FORM
    yield "t", of, [row["t"]], wanted["t"], CLOSED_FORM
    yield "df", of, [row["df"]], wanted["df"], EXACT
    yield "p", of, [row["p"]], wanted["p"], P_VALUE


def api_ranktest(design: str, wanted: Mapping[str, Any]) -> Quantities:
    of = said(rank_test, api(design), "api00", "sch.wide", ties="row_order")
    yield "t", of, table(of)["t"], wanted["t"], CLOSED_FORM
    yield "p", of, table(of)["p"], wanted["p"], P_VALUE


def api_glm(design: str, wanted: Mapping[str, Any]) -> Quantities:
    yield from est_and_se(
        said(regression, api(design), "api00", ["ell", "meals", "mobility"]), wanted
    )


def api_deff(design: str, wanted: Mapping[str, Any]) -> Quantities:
    of = said(estimate, api(design), "api00")
    yield "deff", of, table(of)["deff"], wanted["est"], CLOSED_FORM


def calibrated(
    design: Said, margins: Said, options: Mapping[str, Any], *, own: bool = False
) -> Said:
    """Calibrate with the default tolerance, or with our tightest."""
    return said(
        calibrate, design, margins, **options, **({"tolerance": OWN_TOLERANCE} if own else {})
    )


def api_weights(design: str, name: str, wanted: Mapping[str, Any]) -> Quantities:
    margins, options, tolerance = CALIBRATIONS[name]
    of = calibrated(api(design), margins, options)
    yield "weights", of, of.value.weights, wanted["w"], tolerance
    if tolerance is not CLOSED_FORM:
        own = calibrated(api(design), margins, options, own=True)
        yield "weights, own converged", of, of.value.weights, own.value.weights, CONVERGED


def api_calibrated(design: str, name: str, key: str, wanted: Mapping[str, Any]) -> Quantities:
    margins, options, tolerance = CALIBRATIONS[name]
    (measure, how), variance = ESTIMATED[key], "rake" if name == "rake" else "linearized"
    of, own = (
        said(
            estimate,
            calibrated(api(design), margins, options, own=o),
            measure,
            **how,
            variance=variance,
        )
        for o in (False, True)
    )
    yield from est_and_se(of, wanted, tolerance)
    if tolerance is not CLOSED_FORM:
        yield from converged(of, own)


def converged(of: Said, own: Said) -> Quantities:
    """Compare estimates under the default tolerance with those under our tightest."""
    for column in ("estimate", "se"):
        yield f"{column}, own converged", of, table(of)[column], table(own)[column], CONVERGED


def api_jackknife(design: str, wanted: Mapping[str, Any]) -> Quantities:
    yield from est_and_se(said(estimate, api(design), "api00", variance="jkn"), wanted)


def api_raked_jackknife(design: str, wanted: Mapping[str, Any]) -> Quantities:
    margins, options, _ = CALIBRATIONS["rake"]
    of, own = (
        said(estimate, calibrated(api(design), margins, options, own=o), "api00", variance="jkn")
        for o in (False, True)
    )
    yield from est_and_se(of, wanted, R_RAKES_REPLICATES)
    yield from converged(of, own)


def api_lonely(policy: str, wanted: Mapping[str, Any]) -> Quantities:
    design = said(
        SurveyDesign, Said("lonely", api_rows("lonely")), **LONELY_DESIGN, lonely_psu=policy
    )
    yield from est_and_se(said(estimate, design, "api00"), wanted)


def api_lonely_refused(wanted: Mapping[str, Any]) -> Quantities:
    assert "Stratum (H) has only one PSU" in wanted["msg"][0]
    try:
        SurveyDesign(api_rows("lonely"), **LONELY_DESIGN)
    except DesignError as refused:
        told = refused.code == "D104" and "single" in refused.en and ": H." in refused.en
    else:
        told = False
    yield (
        "refused with D104, naming H",
        Said('SurveyDesign(lonely, lonely_psu="fail")', None),
        [told],
        [True],
        EXACT,
    )


LONELY_DESIGN = {
    "strata": "stype",
    "base_weight": "pw",
}  # R had no fpc here: with it every se is 1.2 % smaller


# ---- the province ----


@functools.cache
def province(**options: Any) -> Said:
    """Return the design of the province."""
    return Said(
        f"province({', '.join(f'{k}={v!r}' for k, v in options.items())})",
        province_design(province_rows(), **options),
    )


@functools.cache
def province_margins() -> Mapping[str, Said]:
    """Return the margins by name: "four" of them, "crossed" for post-stratification."""
    people = province_population()
    names = ["county", "urban", "sex", "age"]
    four = {name: people.groupby(name)["population"].sum().to_dict() for name in names}
    crossed = people.groupby(names[:3])["population"].sum().to_dict()
    return {
        "four": Said("county + urban + sex + age", four),
        "crossed": Said("county x urban x sex", {tuple(names[:3]): crossed}),
    }


PROVINCE_CALIBRATIONS: dict[str, tuple[str, dict[str, Any], Tolerance]] = {
    "rake": ("four", {"method": "raking"}, R_RAKES),
    "poststratify": ("crossed", {"method": "poststratify"}, CLOSED_FORM),
    "calibrate_linear": ("four", {"method": "linear"}, CLOSED_FORM),
    "calibrate_raking": ("four", {"method": "raking"}, R_CALIBRATES),
    "calibrate_logit": ("four", {"method": "logit", "bounds": (0.1, 6)}, R_CALIBRATES),
}
COLUMNS = {"mean": {"estimate": "estimate", "se": "se", "deff": "deff", "deff_replace": "deff_wr"}, "total": {"total": "estimate", "total_se": "se"}}  # fmt: skip


def by_measure(
    design: Said, wanted: Mapping[str, Any], tolerance: Tolerance = CLOSED_FORM, **options: Any
) -> Quantities:
    """Compare means, totals and design effects of the whole province, measure by measure."""
    theirs = pd.DataFrame(wanted).T
    for statistic, columns in COLUMNS.items():
        of = said(estimate, design, list(theirs.index), statistic=statistic, **options)
        for column, own in columns.items():
            yield column, of, table(of)[own], theirs[column], tolerance


def domains(
    of: Said, wanted: Mapping[str, Any], measure: str, tolerance: Tolerance = CLOSED_FORM
) -> Quantities:
    """Compare domain means with their covariance."""
    by = of.value.by[0]
    yield f"{measure}: domains", of, table(of)[by], wanted["domain"], EXACT
    yield f"{measure}: n", of, table(of)["n"], wanted["n"], EXACT
    yield f"{measure}: estimate", of, table(of)["estimate"], wanted["estimate"], tolerance
    yield f"{measure}: se", of, table(of)["se"], wanted["se"], tolerance
    yield f"{measure}: cov", of, of.value.cov, wanted["vcov"], tolerance


def p_degf(wanted: int) -> Quantities:
    of = said(estimate, province(), "index")
    yield "df", of, table(of)["df"], [wanted], EXACT


def p_whole(fpc: str | None, wanted: Mapping[str, Any]) -> Quantities:
    yield from by_measure(province(fpc=fpc) if fpc else province(), wanted)


def p_domains(by: str, fpc: str | None, wanted: Mapping[str, Any]) -> Quantities:
    for measure, theirs in wanted.items():
        yield from domains(
            said(estimate, province(fpc=fpc) if fpc else province(), measure, by=by),
            theirs,
            measure,
        )


def p_svyby(wanted: Mapping[str, Any]) -> Quantities:
    of = said(estimate, province(), "index", by="county")
    yield "estimate", of, table(of)["estimate"], wanted["estimate"], CLOSED_FORM
    yield "se", of, table(of)["se"], wanted["se"], CLOSED_FORM


def p_limits(wanted: Mapping[str, Any]) -> Quantities:
    for method, theirs in wanted.items():
        of = said(
            estimate, province(), "aware", statistic="proportion", by="county", interval=method
        )
        found = table(of)[["estimate", "ci_low", "ci_high"]].to_numpy()
        tolerance, cut = R_FITS_SHARE if method == "logit" else CLOSED_FORM, np.clip(theirs, 0, 1)
        for i, name in enumerate(
            ("estimate", "low", "high")
        ):  # R leaves Wald limits above 1, here they end there
            yield f"{method}: {name}", of, found[:, i], cut[:, i], tolerance
        if method == "logit":
            by_hand = np.array([logit_limits(row) for _, row in table(of).iterrows()])
            yield "logit: limits by hand", of, found[:, 1], by_hand[:, 0], SOLVED


def p_calibrated(name: str, wanted: Mapping[str, Any]) -> Quantities:
    margins, options, tolerance = PROVINCE_CALIBRATIONS[name]
    variance = {"variance": "rake" if name == "rake" else "linearized"}
    of, own = (
        calibrated(province(), province_margins()[margins], options, own=o) for o in (False, True)
    )
    yield "weights", of, of.value.weights, wanted["weights"], tolerance
    if "province" in wanted:
        yield from by_measure(of, wanted["province"], tolerance, **variance)
    for measure, theirs in wanted["county"].items():
        yield from domains(
            said(estimate, of, measure, by="county", **variance), theirs, measure, tolerance
        )
    if tolerance is not CLOSED_FORM:
        yield "weights, own converged", of, of.value.weights, own.value.weights, CONVERGED
        yield from converged(
            *(said(estimate, one, "index", by="county", **variance) for one in (of, own))
        )


def p_trimmed(wanted: Mapping[str, Any]) -> Quantities:
    of = said(trim, province(), lower=wanted["lower"], upper=wanted["upper"], spread="equal")
    yield "weights", of, of.value.weights, wanted["weights"], CLOSED_FORM


def p_jackknife(wanted: Mapping[str, Any]) -> Quantities:
    for theirs, options in ((wanted["index"], {}), (wanted["county"], {"by": "county"})):
        of = said(estimate, province(), "index", **options, variance="jkn")
        for column in ("estimate", "se"):
            yield (
                " ".join((*options.values(), column)),
                of,
                table(of)[column],
                np.atleast_1d(theirs[column]),
                CLOSED_FORM,
            )


CHISQ = {
    "F": "F",
    "Chisq": "chisq",
    "Wald": "wald",
    "adjWald": "adjusted_wald",
    "saddlepoint": "saddlepoint",
}


def p_chisq(wanted: Mapping[str, Any]) -> Quantities:
    for name, statistic in CHISQ.items():
        of = said(rao_scott, province(), "aware", "part", statistic=statistic)
        row, theirs = table(of).iloc[0], wanted[name]
        own = "pearson" if name in ("Chisq", "saddlepoint") else "statistic"
        yield f"{name}: statistic", of, row[own], theirs["statistic"], CLOSED_FORM
        yield f"{name}: p", of, row["p"], theirs["p_value"], P_VALUE
        if theirs["parameter"]:
            df = np.atleast_1d(theirs["parameter"])
            yield f"{name}: df", of, row[["df", "ddf"][: len(df)]], df, CLOSED_FORM


def p_chisq_age(wanted: Mapping[str, Any]) -> Quantities:
    of = said(rao_scott, province(), "age", "aware")
    row = table(of).iloc[0]
    yield "F", of, row["statistic"], wanted["statistic"], CLOSED_FORM
    yield "df", of, row[["df", "ddf"]], wanted["parameter"], CLOSED_FORM
    yield "p", of, row["p"], wanted["p_value"], P_VALUE


def p_t(
    function: Callable[..., Any], by: str, options: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Quantities:
    of = said(function, province(), "index", by, **options)
    row = table(of).iloc[0]
    yield "t", of, row["t"], wanted["statistic"], CLOSED_FORM
    yield "df", of, row["df"], wanted["parameter"], EXACT
    yield "p", of, row["p"], wanted["p_value"], P_VALUE


def p_kruskal(wanted: Mapping[str, Any]) -> Quantities:
    of = said(rank_test, province(), "index", "age", ties="row_order")
    row = table(of).iloc[0]
    yield "Wald statistic", of, row["wald"], wanted["parameter"], CLOSED_FORM
    yield (
        "df",
        of,
        row["df"],
        wanted["statistic"],
        EXACT,
    )  # so named in the entry: statistic holds the df
    yield "p", of, row["p"], wanted["p_value"], P_VALUE


def p_regression(outcome: str, family: str, wanted: Mapping[str, Any]) -> Quantities:
    of = said(
        regression, province(), outcome, ["age", "urban", "sex"], categorical=["age"], family=family
    )
    names = [
        name.replace("(Intercept)", "intercept").replace("f_age", "age=")
        for name in wanted["names"]
    ]
    yield "terms", of, [list(table(of)["term"]) == names], [True], EXACT
    tolerance = R_FITS_MODEL if family == "logistic" else CLOSED_FORM
    yield "coefficients", of, table(of)["estimate"], wanted["coef"], tolerance
    yield "se", of, table(of)["se"], wanted["se"], tolerance
    if family == "logistic":
        yield (
            "coefficients of statsmodels, converged",
            of,
            table(of)["estimate"],
            statsmodels_logit(outcome),
            SOLVED,
        )


def statsmodels_logit(outcome: str) -> np.ndarray:
    """Return weighted maximum likelihood coefficients by iterated least squares, run until they no longer change."""
    rows = province_rows().dropna(subset=[outcome])
    ages = [(rows["age"] == level).to_numpy(float) for level in sorted(rows["age"].unique())[1:]]
    x = np.column_stack([np.ones(len(rows)), *ages, rows["urban"], rows["sex"]])
    fit = GLM(
        rows[outcome].to_numpy(),
        x,
        family=families.Binomial(),
        freq_weights=rows["base_weight"].to_numpy(),
    )
    return np.asarray(fit.fit(tol=1e-15, tol_criterion="params", maxiter=50).params)


def p_quantiles(wanted: Mapping[str, Any]) -> Quantities:
    for p, quantile, se in zip(QUARTILES, wanted["estimate"], wanted["se"], strict=True):
        of = said(estimate, province(), "index", statistic=("quantile", p), df="design")
        yield f"estimate {p}", of, table(of)["estimate"], [quantile], EXACT
        yield f"se {p}", of, table(of)["se"], [se], CLOSED_FORM


def p_alpha(wanted: float) -> Quantities:
    of = said(assess_items, province(), ITEMS)
    yield "weighted alpha", of, of.value.weighted_alpha, wanted, CLOSED_FORM


def p_contrast(wanted: Mapping[str, Any]) -> Quantities:
    margins, options, tolerance = PROVINCE_CALIBRATIONS["rake"]
    ours = []
    for own in (False, True):
        raked = calibrated(province(), province_margins()[margins], options, own=own)
        county = said(estimate, raked, "index", by="county", variance="rake")
        difference = county.value.contrast({"0 - 1": {(0, "index"): 1, (1, "index"): -1}})
        ours.append(Said(f"{county.words}.contrast(0 - 1)", difference))
    for column in ("estimate", "se"):
        yield column, ours[0], table(ours[0])[column], [wanted[column]], tolerance
    yield from converged(*ours)


def p_lonely(wanted: Mapping[str, Any]) -> Quantities:
    rows = province_rows()
    first = rows["psu"] == rows.groupby("stratum")["psu"].transform("min")
    kept = Said(
        "province with one PSU in every stratum % 10 == 3",
        rows[(rows["stratum"] % 10 != 3) | first],
    )
    for policy in LONELY:
        of = said(estimate, said(province_design, kept, lonely_psu=policy), "index")
        for column in ("estimate", "se"):
            yield (
                f"{policy}: {column}",
                of,
                table(of)[column],
                [wanted[policy][column]],
                CLOSED_FORM,
            )


# ---- all of them ----


def _api_cases() -> Iterator[tuple[str, Callable[..., Quantities]]]:
    bind = functools.partial
    for design in API_NAMES:
        for key in ESTIMATED:
            yield f"{design}/{key}", bind(api_estimate, design, key)
        yield f"{design}/mean/api00|awards=No&sch.wide=Yes", bind(api_domain, design)
        yield f"{design}/prop/sch.wide", bind(api_shares, design)
        yield f"{design}/quant/api00", bind(api_quantiles, design)
        for method in ("logit", "beta", "likelihood", "mean"):
            yield f"{design}/ci_{method}/sch.wide", bind(api_limits, design, method)
        yield f"{design}/chisqF/stype+sch.wide", bind(api_chisq, design, "F")
        yield f"{design}/chisqRS1/stype+sch.wide", bind(api_chisq, design, "chisq")
        yield f"{design}/ttest/api00~sch.wide", bind(api_ttest, design)
        yield f"{design}/ranktest/api00~sch.wide", bind(api_ranktest, design)
        yield f"{design}/glm/api00~ell+meals+mobility", bind(api_glm, design)
        yield f"{design}/deff/api00", bind(api_deff, design)
    for design in API_WEIGHTED:
        for name, key in WEIGHTS.items():
            yield f"{design}/{key}", bind(api_weights, design, name)
        for name, keys in WITH_ESTIMATES.items():
            for key in keys:
                yield f"{design}/{name}/{key}", bind(api_calibrated, design, name, key)
        yield f"{design}/jk/mean/api00", bind(api_jackknife, design)
        yield f"{design}/jkrake/mean/api00", bind(api_raked_jackknife, design)
    for policy in LONELY:
        yield f"lonely/{policy}/mean/api00", bind(api_lonely, policy)
    yield "lonely/fail", api_lonely_refused


def _province_cases() -> Iterator[tuple[str, Callable[..., Quantities]]]:
    bind = functools.partial
    yield "degf", p_degf
    yield "province", bind(p_whole, None)
    yield "province_fpc", bind(p_whole, "M")
    yield "county", bind(p_domains, "county", None)
    yield "county_fpc", bind(p_domains, "county", "M")
    yield "prefecture", bind(p_domains, "prefecture", None)
    yield "ciprop", p_limits
    for name in PROVINCE_CALIBRATIONS:
        yield name, bind(p_calibrated, name)
    yield "trim", p_trimmed
    yield "jkn", p_jackknife
    yield "chisq", p_chisq
    yield "chisq_age_aware", p_chisq_age
    yield "ttest_urban", bind(p_t, t_test, "urban", {})
    yield "ttest_sex", bind(p_t, t_test, "sex", {})
    yield "ranktest_wilcoxon", bind(p_t, rank_test, "urban", {"ties": "row_order"})
    yield "ranktest_kruskal", p_kruskal
    yield "glm", bind(p_regression, "index", "linear")
    yield "logistic", bind(p_regression, "aware", "logistic")
    yield "quantile", p_quantiles
    yield "alpha", p_alpha
    yield "contrast_rake", p_contrast
    yield "svyby_check", p_svyby
    yield "lonely", p_lonely


CASES = {("api", key): case for key, case in _api_cases()} | {
    ("province", key): case for key, case in _province_cases()
}
EXCUSED: dict[tuple[str, str, str], str] = {
    (
        "province",
        "chisq",
        "lincom: p",
    ): "R lacked CompQuadForm and gave the saddlepoint's value, which is compared",
}
