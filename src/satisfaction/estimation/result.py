"""The record of estimates: a table, its full covariance, and what produced them; indices of areas, which are combinations of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.declarations.items import Index
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.intervals import (
    satterthwaite_of_blocks,
    standard_errors,
    t_interval,
    usable,
)
from satisfaction.estimation.sample import Contributions
from satisfaction.foundation.conventions import conventions_table, in_words
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.pages import card
from satisfaction.sampling.design import NO_ERROR, SampleDesign, level_tuples
from satisfaction.sampling.variance import Array

SHOWN = 4  # measures that a repr names
ERROR = ("se", "df", "ci_low", "ci_high", "cv", "deff", "deff_wr", "n_effective")
COLUMNS = (
    "measure", "estimate", "se", "df", "ci_low", "ci_high", "cv", "deff", "deff_wr", "n", "n_effective", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates of Q = domains x measures quantities.

    A sample that is no probability sample has no design error: whatever the columns of error and the covariance are
    made of, here they are missing, so that nothing that is built on these estimates can state one.

    Attributes
    ----------
    table : DataFrame (Q, ...)
        Domain columns, then measure, estimate, se, df, ci_low, ci_high, cv, deff, n, note; domain-major.
    cov : (Q, Q) float
        In the order of the table.
    contributions : Contributions
        What each sampling unit contributes to it: cov = D'D.
    by : tuple of str
        Domain columns.
    conventions : dict
        What produced the numbers: statistic, variance, interval, df, deff, level, selection, calibration, exact; where
        respondents have no value of `by`, how many (without_domain).
    design : SampleDesign
    apart : mapping of str to Estimates
        Measures of the same domains that are no estimates of this sample alone (a combined score), by name; `of` returns
        them.
    drawn : JointDraws or None
        Of scores that no standard error describes: what is certain about them is counted over joint draws.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> county = sat.estimate(design, "score", by="county")
    >>> county
    Estimates(2 rows by county: score; mean, linearized, level 0.95)
    >>> county.cov.round(2)
    array([[75.  ,  0.  ],
           [ 0.  ,  8.33]])
    >>> gap = county.contrast({"A - B": {("A", "score"): 1, ("B", "score"): -1}})
    >>> gap.table[["measure", "estimate", "se"]].round(2)
      measure  estimate    se
    0   A - B      15.0  9.13
    """

    table: pd.DataFrame
    cov: Array
    contributions: Contributions
    by: tuple[str, ...]
    conventions: dict[str, Any]
    design: SampleDesign
    apart: Mapping[str, Estimates] = field(default_factory=dict)
    drawn: Any = None
    _asked: dict[str, Estimates] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # measures that were asked for: a ranking asks for the same ones again and again

    def __post_init__(self) -> None:
        if self.conventions["selection"] == "probability":
            return
        unused = dict.fromkeys(("variance", "interval", "df", "deff"), NO_ERROR)
        without_error = {
            "table": self.table.assign(**dict.fromkeys(ERROR, np.nan)),
            "cov": np.full(np.shape(self.cov), np.nan),
            "contributions": self.contributions.without_values(),
            "conventions": self.conventions | unused,
        }
        for name, value in without_error.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        measures = list(self.table["measure"].unique())
        named = ", ".join(measures[:SHOWN])
        if len(measures) > SHOWN:
            named = f"{named}, ... ({len(measures)} measures)"
        rows = f"{len(self.table):,} rows"
        if self.by:
            rows = f"{rows} by {', '.join(self.by)}"
        how = f"{self.conventions['statistic']}, {self.conventions['variance']}"
        return f"Estimates({rows}: {named}; {how}, level {self.level:g})"

    def _repr_html_(self) -> str:
        shown = self.table.dropna(axis=1, how="all")
        tables: dict[Text | str, pd.DataFrame] = {_("table"): shown}
        tables[_("conventions")] = conventions_table(self.conventions)
        note = str(in_words(self.conventions["selection"]))
        return card(str(_("estimates")), tables=tables, note=note)

    @property
    def domain(self) -> Array:
        """Return the number of each row's domain: (Q,) int."""
        if not self.by:
            return np.zeros(len(self.table), dtype=int)
        domains = self.table.groupby(list(self.by))
        return np.asarray(domains.ngroup())

    @property
    def level(self) -> float:
        """Return the confidence level of the limits."""
        return float(self.conventions["level"])

    @property
    def testable(self) -> Array:
        """Tell which rows can be tested against others: (Q,) bool."""
        value, se, df = self.table[["estimate", "se", "df"]].to_numpy(float).T
        return usable(value, se, df)

    def satterthwaite(self, matrix: sp.csr_array) -> Array:
        """Return the degrees of freedom of linear combinations of the rows, (K, Q) coefficients: (K,) float."""
        df = self.table["df"].to_numpy(float)
        members = self.contributions.members
        return satterthwaite_of_blocks(matrix, self.cov, domain=self.domain, df=df, members=members)

    def holds(self, measure: str) -> bool:
        """Tell whether a measure was estimated."""
        estimated = set(self.table["measure"])
        return measure in estimated or measure in self.apart

    def of(self, measure: str) -> Estimates:
        """Return the estimates of one measure, with their covariance.

        Raises
        ------
        EstimatesError
            E111 when there is no such measure.
        """
        if measure in self.apart:
            return self.apart[measure]
        if measure not in self._asked:
            at = np.flatnonzero(self.table["measure"] == measure)
            if not len(at):
                raise EstimatesError(
                    "E111",
                    _("There is no estimate of '{measure}'.", measure=measure),
                    where="measure",
                    available=[*self.table["measure"].unique(), *self.apart],
                    got=measure,
                    hint=_("Use a measure that was estimated."),
                )
            self._asked[measure] = replace(self, apart={}).of_rows(at)
        return self._asked[measure]

    def of_rows(self, rows: Array) -> Estimates:
        """Return the estimates of some rows of one measure, numbered, with their covariance."""
        drawn = self.drawn
        if drawn is not None:
            drawn = drawn.of(rows)
        table = self.table.iloc[rows].reset_index(drop=True)
        cov = self.cov[np.ix_(rows, rows)]
        contributions = self.contributions.of(rows)
        return replace(self, drawn=drawn, table=table, cov=cov, contributions=contributions)

    def contrast(self, combinations: Mapping[str, Mapping[Any, float]]) -> Estimates:
        """Estimate linear combinations of the rows.

        Parameters
        ----------
        combinations : mapping
            Name of the result -> {row: coefficient}. A row is (domain value, ..., measure), or its number.

        Returns
        -------
        Estimates
            One row a combination (E388 where they are written otherwise, E112 for a row that is not there); df by Satterthwaite from the domains' own df, or from the PSUs minus strata of the union
            of domains that share PSUs.
        """
        right = isinstance(combinations, Mapping) and len(combinations) > 0
        for terms in combinations.values() if right else ():
            right &= isinstance(terms, Mapping)
            right = right and all(isinstance(coefficient, Real) for coefficient in terms.values())
            right = right and bool(np.isfinite([*terms.values()]).all()) and any(terms.values())
        if not right:
            written = type(combinations).__name__
            raise EstimatesError(
                "E388",
                _(
                    "Combinations are {{name: {{row: coefficient}}}}, coefficients finite numbers and "
                    "not all 0; not the {written} {combinations!r}.",
                    written=written,
                    combinations=combinations,
                ),
                where="contrast",
                hint=_('Write {"gap": {("a", "y"): 1, ("b", "y"): -1}}, for instance.'),
            )
        keys = level_tuples(self.table, [*self.by, "measure"])
        rows = {key: i for i, key in enumerate(keys)}
        matrix = np.zeros((len(combinations), len(self.table)))
        for i, terms in enumerate(combinations.values()):
            for key, coefficient in terms.items():
                if key not in rows and key not in range(len(self.table)):
                    raise EstimatesError(
                        "E112",
                        _("There is no row {key!r}.", key=key),
                        where="contrast",
                        available=rows,
                        got=str(key),
                        hint=_("A row is (domain, ..., measure)."),
                    )
                matrix[i, rows.get(key, key)] += coefficient
        names = pd.DataFrame({"measure": list(combinations)})
        return self.combined(sp.csr_array(matrix), names, by=())

    def combined(
        self, matrix: sp.csr_array, keys: pd.DataFrame, *, by: tuple[str, ...]
    ) -> Estimates:
        """Return matrix @ estimates, with covariance; `keys` (K rows) names the results by domain and measure."""
        estimate = matrix @ self.table["estimate"].to_numpy(float)
        cov = np.asarray(matrix @ (matrix @ self.cov).T).T
        se = np.where(np.isnan(estimate), np.nan, standard_errors(cov))
        df = self.satterthwaite(matrix)
        n = self.table["n"].to_numpy()
        bounds = pairwise(matrix.indptr)
        smallest_n = [n[matrix.indices[start:end]].min() for start, end in bounds]
        low, high = t_interval(estimate, se, df, level=self.level)
        figures = {
            "estimate": estimate,
            "se": se,
            "df": df,
            "ci_low": low,
            "ci_high": high,
            "n": np.array(smallest_n),
            "note": np.full(len(estimate), self.contributions.remark, dtype=object),
        }
        table = result_table(keys, figures)
        contributions = self.contributions.combined(matrix)
        conventions = self.conventions | {"interval": "t", "df": "Satterthwaite"}
        return Estimates(table, cov, contributions, by, conventions, self.design)


def result_table(keys: pd.DataFrame, figures: Mapping[str, Any]) -> pd.DataFrame:
    """Put the columns of a table of estimates in order; figures are (Q,) arrays, keys (Q, ...) domains and measure.

    Without design effects among the figures these are missing.
    """
    figures = dict.fromkeys(("deff", "deff_wr"), np.nan) | dict(figures)
    with np.errstate(divide="ignore", invalid="ignore"):
        cv = figures["se"] / np.abs(figures["estimate"])
        deff = np.asarray(figures["deff_wr"])
        effective = np.where(deff > 0, figures["n"] / deff, np.nan)
    table = keys.assign(**figures, cv=cv, n_effective=effective)
    domains = [column for column in keys if column != "measure"]
    return table[[*domains, *COLUMNS]]


POINTS = 100.0  # a rate of 1 is 100 points


def add_area_indices(estimates: Estimates, questionnaire: Questionnaire) -> Estimates:
    """Add the indices of level `area`: in every domain the weighted sum of its estimates.

    Linear, so its covariance with everything else is exact: z_I = sum lambda_k z_k.

    Parameters
    ----------
    estimates : Estimates
        Means of all measures that the indices name; rates as shares 0-1, the rest in points 0-100.

    Returns
    -------
    Estimates
        The rows given and, after each domain's own, one row an index (points 0-100). deff is not defined for them (nan).

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> of_items = sat.estimate(results.design, list(results.design.measures), by="county")
    >>> both = sat.add_area_indices(of_items, results.survey.questionnaire)
    >>> both.of("composite").table[["county", "measure", "estimate", "se"]].round(2)
       county    measure  estimate    se
    0  990101  composite     69.74  5.87
    1  990102  composite     62.07  3.03
    2  990201  composite     57.63  4.03
    3  990202  composite     61.25  4.64
    """
    measures = list(estimates.table["measure"].unique())
    names = []
    coefficients = []
    for name, index in questionnaire.indices.items():
        if index.level == "area":
            names.append(name)
            coefficients.append(area_coefficients(index, measures, questionnaire))
    if not names:
        return estimates
    domains = len(estimates.table) // len(measures)
    block = sp.csr_array(np.stack(coefficients))
    keys = pd.DataFrame(index=[0])
    if estimates.by:
        keys = estimates.table[[*estimates.by]].drop_duplicates()
    repeated = keys.index.repeat(len(names))
    keys = keys.loc[repeated].reset_index(drop=True)
    keys["measure"] = names * domains
    each_domain = sp.eye_array(domains)
    matrix = sp.kron(each_domain, block, format="csr")
    added = estimates.combined(matrix, keys, by=estimates.by)
    with_measures = sp.vstack([sp.eye_array(len(measures)), block])
    whole = sp.kron(each_domain, with_measures, format="csr")
    cov = np.asarray(whole @ (whole @ estimates.cov).T).T
    of_measures = np.arange(len(estimates.table)).reshape(domains, -1)
    of_indices = of_measures.size + np.arange(len(keys)).reshape(domains, -1)
    order = np.hstack([of_measures, of_indices]).ravel()
    rows = pd.concat([estimates.table, added.table], ignore_index=True)
    return replace(
        estimates,
        table=rows.iloc[order].reset_index(drop=True),
        cov=cov,
        contributions=estimates.contributions.combined(whole),
    )


def area_coefficients(index: Index, measures: list[str], questionnaire: Questionnaire) -> Array:
    """Return the weight of every measure in an index, rates as points: (M,)."""
    coefficients = np.zeros(len(measures))
    for k, measure in enumerate(measures):
        if measure in index.weights:
            points = POINTS if measure in questionnaire.rates else 1.0
            weight = Fraction(str(index.weights[measure]))
            coefficients[k] = float(weight) * points
    return coefficients
