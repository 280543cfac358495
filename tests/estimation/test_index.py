"""Area indices: weighted sums of a domain's estimates, with their covariance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from satisfaction import estimate
from satisfaction.collection.responses import load_responses
from satisfaction.estimation.result import add_area_indices
from satisfaction.pipeline import base_design
from satisfaction.weighting.wave_design import weigh

WEIGHTS = {"awareness": 25.0, "satisfaction": 25.0, "topic_index": 0.5}  # rates in percent


@pytest.fixture(scope="module", params=["county", None])
def before_and_after(unchanged, request):
    design = weigh(unchanged, base_design(unchanged, load_responses(unchanged)))
    before = estimate(design, list(design.measures), by=request.param)
    return before, add_area_indices(before, unchanged.questionnaire)


def test_the_index_is_the_weighted_sum_of_its_domain(before_and_after):
    before, after = before_and_after
    values = before.table.groupby(before.table.index // 7).apply(
        lambda d: sum(d.set_index("measure")["estimate"][m] * w for m, w in WEIGHTS.items())
    )
    np.testing.assert_allclose(after.of("composite").table["estimate"], values, rtol=1e-12)


def test_its_covariance_with_everything_is_linear(before_and_after):
    before, after = before_and_after
    domains = len(before.table) // 7
    matrix = np.zeros((domains * 8, domains * 7))
    for d in range(domains):
        matrix[8 * d : 8 * d + 7, 7 * d : 7 * d + 7] = np.eye(7)
        for measure, weight in WEIGHTS.items():
            matrix[8 * d + 7, 7 * d + list(before.table["measure"][:7]).index(measure)] = weight
    np.testing.assert_allclose(after.cov, matrix @ before.cov @ matrix.T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(after.table["se"], np.sqrt(np.diag(after.cov)), rtol=1e-12)


def test_the_rows_given_stay_and_the_index_follows_in_every_domain(before_and_after):
    before, after = before_and_after
    assert after.table["measure"].tolist() == [*before.table["measure"][:7], "composite"] * (
        len(before.table) // 7
    )
    kept = after.table[after.table["measure"] != "composite"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before.table, check_dtype=False, check_exact=True)


def test_without_area_indices_nothing_is_added(province, unchanged):
    found = estimate(province.design, "index", by="sex")
    questionnaire = unchanged.questionnaire.model_copy(update={"indices": {}})
    assert add_area_indices(found, questionnaire) is found
