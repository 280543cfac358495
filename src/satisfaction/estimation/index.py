"""From items to constructs to an index per area, covariance carried through."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.declarations.items import Index
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.result import Estimates
from satisfaction.sampling.variance import Array

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
    half = whole @ estimates.cov
    cov = np.asarray(whole @ half.T).T
    of_measures = np.repeat(np.arange(domains), len(measures))
    of_indices = np.repeat(np.arange(domains), len(names))
    domain_of_row = np.concatenate([of_measures, of_indices])
    order = np.argsort(domain_of_row, kind="stable")
    rows = pd.concat([estimates.table, added.table], ignore_index=True)
    table = rows.iloc[order].reset_index(drop=True)
    contributions = estimates.contributions.combined(whole)
    return Estimates(
        table, cov, contributions, estimates.by, estimates.conventions, estimates.design
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
