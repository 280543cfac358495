"""Estimates carried out without counts: everything after them goes on to the last bit, and nothing finer leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.estimation.test_comparisons_waves import design, wave

from satisfaction import (
    SatisfactionError,
    SurveyDesign,
    calibrate,
    estimate,
    rank,
    read_estimates,
    write_estimates,
)
from satisfaction.estimation.change import change

MARGINS = {("county", "sex"): {("a", 0): 500.0, ("a", 1): 480.0, ("b", 0): 510.0, ("b", 1): 490.0}}


@pytest.fixture
def carried(tmp_path):
    """Two calibrated waves that share PSUs, estimated and carried out: [(inside, outside), ...]."""
    found = []
    for k, rows in enumerate((wave(1), wave(2, first_psu=5, county_effect=0.2))):
        inside = estimate(calibrate(design(rows), MARGINS), "y", by="county")
        found.append((inside, read_estimates(write_estimates(inside, tmp_path / str(k)))))
    return found


def test_the_figures_are_the_same_to_the_last_bit(carried):
    for inside, outside in carried:
        pd.testing.assert_frame_equal(outside.table, inside.table, check_exact=True)
        np.testing.assert_array_equal(outside.cov, inside.contributions.covariance)
        assert outside.conventions == inside.conventions
        assert outside.by == inside.by


def test_ranks_contrasts_and_changes_go_on_outside(carried):
    (first, first_out), (second, second_out) = carried
    pd.testing.assert_frame_equal(
        rank(second_out, bottom=1).table, rank(second, bottom=1).table, check_exact=True
    )
    pd.testing.assert_frame_equal(
        change(second_out, first_out).table, change(second, first).table, rtol=1e-12
    )
    assert (
        change(second_out, first_out).table["correlation"].abs() > 0
    ).all()  # the shared PSUs are known outside
    terms = {"a - b": {("a", "y"): 1, ("b", "y"): -1}}
    pd.testing.assert_frame_equal(
        second_out.contrast(terms).table, second.contrast(terms).table, rtol=1e-12
    )


@pytest.mark.parametrize("single", ["taken whole", "collapsed", "average"])
def test_strata_with_one_psu_are_read_back(tmp_path, single):
    rows = pd.DataFrame(
        {"h": [1, 1, 1, 2, 3, 3], "psu": [1, 2, 2, 1, 1, 2], "N": [5, 5, 5, 1, 4, 4]}
    )
    rows["y"] = [1.0, 2, 4, 3, 7, 5]
    options = {
        "taken whole": {"fpc": "N"},
        "collapsed": {"collapse": {2: 1}},
        "average": {"lonely_psu": "average"},
    }[single]
    inside = estimate(SurveyDesign(rows, strata="h", psu="psu", **options), "y")
    outside = read_estimates(write_estimates(inside, tmp_path / "out"))
    pd.testing.assert_frame_equal(outside.table, inside.table, check_exact=True)
    np.testing.assert_array_equal(outside.cov, inside.cov)
    assert outside.design.lonely_psu == inside.design.lonely_psu


def test_an_error_of_rounding_is_0_outside_too(tmp_path):
    rows = wave(1).assign(same=0.7)
    inside = estimate(calibrate(design(rows), MARGINS), "same", by="county")
    outside = read_estimates(write_estimates(inside, tmp_path / "out"))
    assert (inside.cov == 0).all()
    assert (outside.cov == 0).all()


def test_nothing_finer_than_a_unit_s_totals_leaves(carried, tmp_path):
    names = {path.name for path in (tmp_path / "0").iterdir()}
    tables = {"estimates.csv", "units.csv", "contributions.csv", "members.csv"}
    assert names == tables | {"conventions.json", "README.txt", "SHA256SUMS"}
    assert list(pd.read_csv(tmp_path / "0" / "units.csv")) == ["county", "stratum", "psu"]
    assert list(pd.read_csv(tmp_path / "0" / "contributions.csv")) == ["unit", "quantity", "value"]
    assert list(pd.read_csv(tmp_path / "0" / "members.csv")) == ["unit", "quantity"]
    with pytest.raises(SatisfactionError, match="E101"):
        estimate(carried[0][1].design, "y")


def test_refusals(carried, tmp_path):
    inside = carried[0][0]
    with pytest.raises(SatisfactionError, match="E181"):
        write_estimates(inside, tmp_path / "0")
    (tmp_path / "0" / "units.csv").write_text("county\n")
    for folder in (tmp_path / "0", tmp_path / "nowhere"):
        with pytest.raises(SatisfactionError, match="E182"):
            read_estimates(folder)
    persons = estimate(SurveyDesign(wave(1), base_weight="w"), "y", by="county")
    with pytest.raises(SatisfactionError, match="E183"):
        write_estimates(persons, tmp_path / "persons")
