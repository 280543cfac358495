"""Several limits at once: each is kept by the sizes found, and none could be smaller at the same cost."""

from __future__ import annotations

import numpy as np
import pytest

from satisfaction.foundation.errors import DesignError
from satisfaction.pipeline import run
from satisfaction.planning.allocation import Limit, psus_for_limits, read_limit
from satisfaction.planning.size import psus_for_interval, variance_model

PLANNED = {"strata": 2, "kish": 1.0, "per_psu": 5}


@pytest.fixture(scope="module")
def results(unchanged):
    return run(unchanged, engine="pandas")


def of(results, measure):
    return variance_model(results.estimates["county"].of(measure), strata=2, kish=1.0)


def test_limits_of_single_areas_are_each_area_s_own_size(results):
    found = psus_for_limits(
        results,
        [Limit("topic_index", "county", 12), Limit("satisfaction", "county", 0.2)],
        **PLANNED,
    )
    own = [
        psus_for_interval(of(results, m), width, per_psu=5)
        for m, width in (("topic_index", 12), ("satisfaction", 0.2))
    ]
    np.testing.assert_array_equal(found.psus, np.maximum(np.maximum(*own), 3))
    assert found.binding


def test_a_limit_of_the_whole_is_kept_and_just_kept(results):
    whole = results.estimates[results.survey.whole()].of("topic_index").table.iloc[0]
    wanted = Limit(
        "topic_index", results.survey.whole(), float(whole["ci_high"] - whole["estimate"]) / 2
    )
    found = psus_for_limits(results, [wanted], **PLANNED)
    rows = results.responses.accepted["county"].to_numpy()
    size = np.array(
        [results.design.weights[rows == area].sum() for area in of(results, "topic_index").areas]
    )
    variance = ((size / size.sum()) ** 2 * of(results, "topic_index").variance(found.psus, 5)).sum()
    used = float(
        variance / (wanted.half_width / (whole["ci_high"] - whole["estimate"]) * whole["se"]) ** 2
    )
    assert 0.9 < used <= 1  # whole PSUs round up
    assert [one.startswith(str(wanted)) for one in found.binding] == [True]
    stricter = psus_for_limits(
        results, [Limit(wanted.measure, wanted.level, wanted.half_width / 2)], **PLANNED
    )
    assert stricter.psus.sum() / found.psus.sum() == pytest.approx(4, rel=0.1)


def test_all_limits_together_need_at_least_what_each_needs(results):
    limits = [
        Limit("topic_index", "county", 15),
        Limit("satisfaction", "prefecture", 0.08),
        Limit("awareness", results.survey.whole(), 0.05),
    ]
    together = psus_for_limits(results, limits, **PLANNED).psus.sum()
    alone = [psus_for_limits(results, [one], **PLANNED).psus.sum() for one in limits]
    assert max(alone) <= together <= sum(alone)


@pytest.mark.parametrize(
    "text",
    [
        "topic_index",
        "topic_index@county=",
        "topic_index@county=-1",
        "nothing@county=3",
        "topic_index@street=3",
        "composite@county=3",
    ],
)
def test_a_limit_that_cannot_be_read_is_refused(results, text):
    with pytest.raises(DesignError, match="D133"):
        read_limit(text, results)


def test_a_limit_is_read(results):
    assert read_limit("topic_index=3", results) == Limit("topic_index", "county", 3.0)
    assert str(read_limit("awareness@prefecture=0.05", results)) == "awareness@prefecture=0.05"
