"""Small cells: withheld in everything that is published, and not to be calculated from what is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from satisfaction import export, read_indices
from satisfaction.collection.responses import load_responses
from satisfaction.pipeline import base_design, estimate_areas, run
from satisfaction.ranking.suppression import shielded, suppressed_cells
from satisfaction.sampling.tally import tally
from satisfaction.weighting.wave_design import weigh

RULE = '\nsuppression: {{minimum_n: {n}, minimum_psus: {psus}, complementary: "{how}", source: test}}\n'
SMALL = "990101"


def declare(small, *, n=20, psus=1, how="smallest", keep=(0, 2, 3)):
    """Leave a few persons a community in one county, and declare the rule."""
    rows = small.rows()
    small.write(rows[(rows["county"] != SMALL) | (rows.index % 5).isin(keep)])
    path = small.folder / "rules.yaml"
    path.write_text(
        path.read_text(encoding="utf-8") + RULE.format(n=n, psus=psus, how=how), encoding="utf-8"
    )
    return small.read()


def raw(survey):
    design = weigh(survey, base_design(survey, load_responses(survey)))
    counted = tally(design, list(design.measures), by=survey.area_levels())
    return estimate_areas(survey, design, counted), counted


def recovered(table: pd.DataFrame, truth: pd.DataFrame) -> int:
    """Try to calculate every withheld county from its prefecture and the others; count what succeeds."""
    found = 0
    for measure, parent in product(truth["measure"].unique(), ("9901", "9902")):
        own = truth[
            (truth["measure"] == measure)
            & (truth["level"] == "county")
            & truth["code"].str.startswith(parent)
        ]
        shown = table.set_index(["code", "measure"])["estimate"]
        hidden = [code for code in own["code"] if np.isnan(shown[code, measure])]
        if len(hidden) == 1 and not np.isnan(shown[f"{parent}00", measure]):
            found += 1
    return found


@pytest.fixture
def withheld(small):
    survey = declare(small)
    return survey, run(survey)


def test_without_a_rule_nothing_is_withheld(unchanged):
    found = suppressed_cells(unchanged, *raw(unchanged))
    assert not found.small
    assert not found.shields


def test_one_withheld_county_takes_another_with_it(withheld):
    survey, _ = withheld
    found = suppressed_cells(survey, *raw(survey))
    index = survey.questionnaire.ranked
    assert ("county", SMALL, index) in found.small
    assert ("county", "990102", index) in found.shields
    assert ("county", "990201", index) not in found.small | found.shields


@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize(("how", "expected"), [("off", True), ("smallest", False)])
def test_a_withheld_county_is_recovered_only_without_complementary_suppression(
    small, tmp_path, how, expected
):
    survey = declare(small, how=how)
    shown = read_indices(export(run(survey), tmp_path / "set")).indices
    truth = pd.concat(
        [
            one.table.assign(level=level, code=one.table[one.by[0]].astype(str))
            for level, one in raw(survey)[0].items()
            if one.by
        ]
    )
    assert (recovered(shown, truth) > 0) == expected


@pytest.mark.usefixtures("tables_alone")
def test_the_linear_relation_itself_gives_the_withheld_value_away_and_then_no_more(small, tmp_path):
    """Attack with the exact weights: prefecture = weighted mean of its counties."""
    survey = declare(small, how="off")
    estimates = raw(survey)[0]
    measure = "streets"
    weights = {(c, m): v for c, m, v in _weights(survey)}
    counties = ["990101", "990102"]
    shown = read_indices(export(run(survey), tmp_path / "off")).indices.set_index(
        ["code", "measure"]
    )["estimate"]
    total = sum(weights[c, measure] for c in counties)
    attack = (
        shown["990100", measure] * total - shown["990102", measure] * weights["990102", measure]
    ) / weights[SMALL, measure]
    truth = estimates["county"].of(measure).table.set_index("county")["estimate"]
    assert np.isnan(shown[SMALL, measure])
    assert attack == pytest.approx(truth[SMALL], rel=1e-9)
    small.edit("rules.yaml", 'complementary: "off"', 'complementary: "smallest"')
    after = read_indices(export(run(small.read()), tmp_path / "on")).indices.set_index(
        ["code", "measure"]
    )["estimate"]
    assert np.isnan([after[SMALL, measure], after["990102", measure]]).all()
    assert not np.isnan(after["990100", measure])


def _weights(survey):
    """Sum of final weights over valid answers, by county and measure, as `total / mean`."""
    from satisfaction.estimation.estimates import estimate

    design = weigh(survey, base_design(survey, load_responses(survey)))
    mean, total = (
        estimate(design, ["streets"], by="county", statistic=kind).table
        for kind in ("mean", "total")
    )
    yield from zip(
        mean["county"].astype(str),
        mean["measure"],
        total["estimate"] / mean["estimate"],
        strict=True,
    )


def test_what_is_withheld_appears_in_no_file(withheld, tmp_path):
    survey, results = withheld
    found = read_indices(export(results, tmp_path / "set"))
    gone = [SMALL, "990102"]
    hidden = found.indices[
        found.indices["code"].isin(gone) & (found.indices["measure"] == survey.questionnaire.ranked)
    ]
    assert hidden[["estimate", "se", "ci_low", "ci_high", "cv", "deff"]].isna().all(axis=None)
    assert hidden["note"].str.contains("不公布").all()
    ranking = found.ranking.set_index("code").loc[gone]
    assert (
        ranking[["estimate", "se", "rank", "marginal_low", "expected_rank"]].isna().all(axis=None)
    )
    assert set(ranking["status"]) == {"not ranked"}
    assert set(ranking["status_zh"]) == {"按保密规则不公布，不排名"}
    within = found.tables["ranking_within"].set_index("code").loc[gone]
    assert within[["estimate", "se", "rank"]].isna().all(axis=None)
    assert not set(found.tables["covariance"]["code"]) & set(gone)
    assert set(found.tables["ranking_targets"]["verdict"]) == {"not ranked"}
    truth = (
        raw(survey)[0]["county"]
        .of(survey.questionnaire.ranked)
        .table.set_index("county")
        .loc[gone, "estimate"]
    )
    for value in truth:
        for path in found.folder.glob("*.csv"):
            assert f"{value:.12g}" not in path.read_text(encoding="utf-8-sig"), path.name
        for name in (
            "report.html",
            "report-en.html",
            "reading.html",
            "reading-en.html",
            "ranking_sentences.csv",
        ):
            assert f"{value:.2f}" not in (found.folder / name).read_text(encoding="utf-8"), name
    assert found.provenance["suppressed"]["small"] > 0
    assert found.provenance["suppressed"]["complementary"] > 0
    assert "fewer answers than 20" in (found.folder / "README-en.txt").read_text(encoding="utf-8")


def test_too_few_communities_are_too_few(small):
    survey = declare(small, n=1, psus=7, keep=(0, 1, 2, 3, 4))
    found = suppressed_cells(survey, *raw(survey))
    assert {cell[1] for cell in found.small if cell[0] == "county"} == {
        "990101",
        "990102",
        "990201",
        "990202",
    }
    assert not {cell for cell in found.small if cell[0] == "prefecture" and cell[2] == "streets"}


def test_no_equation_is_left_with_one_unknown():
    sizes = {("c", f"{p}{k}", "m"): 10 * p + k for p in (1, 2) for k in range(3)} | {
        ("p", str(p), "m"): 90 for p in (1, 2)
    }
    sizes |= {("w", "", "m"): 180}
    equations = [(("p", str(p), "m"), *(("c", f"{p}{k}", "m") for k in range(3))) for p in (1, 2)]
    equations.append((("w", "", "m"), ("p", "1", "m"), ("p", "2", "m")))
    for start in sizes:
        gone = shielded({start}, equations, sizes)
        matrix = np.array(
            [
                [
                    1.0 + 0.1 * equation.index(cell) if cell in equation else 0
                    for cell in sorted(gone)
                ]
                for equation in equations
            ]
        )
        rank = np.linalg.matrix_rank(matrix)
        for place in range(len(gone)):
            assert (
                np.linalg.matrix_rank(np.vstack([matrix, np.eye(len(gone))[place]])) == rank + 1
            ), (start, sorted(gone)[place])
