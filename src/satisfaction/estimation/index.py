"""From items to constructs to an index per area, covariance carried through."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.declarations.items import Index
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.result import Estimates

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
    """
    indices = {
        name: index for name, index in questionnaire.indices.items() if index.level == "area"
    }
    if not indices:
        return estimates
    measures = list(estimates.table["measure"].unique())
    domains = len(estimates.table) // len(measures)
    block = sp.csr_array(
        np.stack([_coefficients(index, measures, questionnaire) for index in indices.values()])
    )
    added = estimates.combined(
        sp.kron(sp.eye_array(domains), block, format="csr"),
        _keys(estimates, list(indices)),
        by=estimates.by,
    )
    whole = sp.kron(
        sp.eye_array(domains), sp.vstack([sp.eye_array(len(measures)), block]), format="csr"
    )
    cov = np.asarray(whole @ (whole @ estimates.cov).T).T
    held = estimates.contributions.combined(whole)
    width = len(measures) + len(indices)
    rank = np.concatenate(
        [np.repeat(np.arange(domains), len(measures)), np.repeat(np.arange(domains), len(indices))]
    )
    order = np.argsort(rank, kind="stable")
    table = (
        pd.concat([estimates.table, added.table], ignore_index=True)
        .iloc[order]
        .reset_index(drop=True)
    )
    assert len(table) == domains * width
    return Estimates(table, cov, held, estimates.by, estimates.conventions, estimates.design)


def _coefficients(index: Index, measures: list[str], questionnaire: Questionnaire) -> np.ndarray:
    weights = {name: float(Fraction(str(weight))) for name, weight in index.weights.items()}
    return np.array(
        [weights.get(m, 0.0) * (POINTS if m in questionnaire.rates else 1.0) for m in measures]
    )


def _keys(estimates: Estimates, names: list[str]) -> pd.DataFrame:
    domains = (
        estimates.table[[*estimates.by]].drop_duplicates()
        if estimates.by
        else pd.DataFrame(index=[0])
    )
    keys = domains.loc[domains.index.repeat(len(names))].reset_index(drop=True)
    return keys.assign(measure=names * len(domains))
