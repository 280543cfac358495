"""Thresholds that act on the list, recomputed by plain pandas from published figures; verdicts from two readings of each."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from satisfaction import read_survey, run
from satisfaction.declarations.rules import Escalation, Threshold
from satisfaction.declarations.survey import RankedBy
from satisfaction.foundation.errors import SurveyError
from satisfaction.pipeline import Results, ranked_further
from satisfaction.publication.reading_sets import read_indices
from satisfaction.publication.tables import tables_of
from satisfaction.publication.verify import verify
from satisfaction.ranking.escalation import ladder as ladder_rows

ORDER = {"excluded": 0.0, "possible": 0.5, "established": 1.0}
NAMES = {number: name for name, number in ORDER.items()}


@pytest.fixture(scope="module")
def results(unchanged) -> Results:
    return run(unchanged)


def acting(results: Results, thresholds, *, list_size: int = 2, **rules) -> Results:
    """Rank the wave again with thresholds (measure, below, on_list)."""
    declared = []
    for measure, below, on_list in thresholds:
        declared.append(
            Threshold(measure=measure, below=below, zh="线", en="line", source="x", on_list=on_list)
        )
    survey = results.survey
    ranking = survey.rules.ranking.model_copy(update={"list_size": list_size})
    changed = survey.rules.model_copy(
        update={"ranking": ranking, "thresholds": declared, "targets": {}, **rules}
    )
    return ranked_further(results, survey.ranked_by(RankedBy("", "", changed)))


def by_pandas(tables, thresholds):
    """List, grounds and verdict of every area from the published tables, three-valued logic written out."""
    rank = tables.ranking.set_index("code")
    verdicts = tables.thresholds
    expected = pd.DataFrame(index=rank.index)
    listing = pd.Series(False, index=rank.index)
    below_sparing = pd.Series(True, index=rank.index)
    proven = rank["status"].map(ORDER)
    surely_listed = pd.Series(-1.0, index=rank.index)
    for measure, below, on_list in thresholds:
        rows = verdicts[(verdicts["measure"] == measure) & (verdicts["threshold"] == below)]
        rows = rows[rows["on_list"] == on_list].drop_duplicates("code").set_index("code")
        under = rows["estimate"].reindex(rank.index) < below
        certain = rows["status"].reindex(rank.index).map(ORDER)
        if on_list == "listed":
            listing |= under
            surely_listed = np.maximum(surely_listed, certain)
        else:
            below_sparing &= under
            proven = np.minimum(proven, certain)
    by_rank = rank["listed_by_rank"]
    expected["listed"] = by_rank.where(below_sparing, "no").mask(listing, "yes")
    expected["list_status"] = np.maximum(proven, surely_listed).map(NAMES)
    return expected


SATISFACTION = (0.2, 0.45, 0.52, 0.58, 0.62, 0.9)
AWARENESS = (0.6, 0.68, 0.75)
CASES = [
    [("satisfaction", value, action)] for value in SATISFACTION for action in ("listed", "spared")
]
CASES += [
    [("satisfaction", low, "listed"), ("awareness", high, "spared")]
    for low, high in itertools.product(SATISFACTION, AWARENESS)
]
CASES += [
    [
        ("satisfaction", 0.5, "listed"),
        ("satisfaction", 0.56, "spared"),
        ("awareness", 0.7, "listed"),
    ]
]


@pytest.mark.parametrize("multiplicity", ["one", "holm"])
def test_list_and_verdicts_are_those_of_plain_pandas(results, multiplicity):
    survey = results.survey
    ranking = survey.rules.ranking.model_copy(update={"multiplicity": multiplicity})
    rules = survey.rules.model_copy(update={"ranking": ranking})
    other = replace(results, survey=replace(survey, rules=rules))
    seen = set()
    for thresholds in CASES:
        tables = tables_of(acting(other, thresholds))
        expected = by_pandas(tables, thresholds)
        got = tables.ranking.set_index("code")
        for column in ("listed", "list_status"):
            assert got[column].tolist() == expected[column].tolist(), (thresholds, column)
        seen |= {(row.listed, row.listed_by_rank, row.list_status) for row in got.itertuples()}
    moved = {(listed, by_rank) for listed, by_rank, _status in seen if listed != by_rank}
    assert moved == {("yes", "no"), ("no", "yes")}
    assert len({status for _listed, _by_rank, status in seen}) >= 2


def test_without_an_action_nothing_changes(results):
    alone = tables_of(acting(results, [("satisfaction", 0.5, None)]))
    before = tables_of(acting(results, []))
    pd.testing.assert_frame_equal(alone.ranking, before.ranking)
    assert alone.statement == before.statement
    assert "on_list" not in alone.thresholds
    assert "listed_by_rank" not in alone.ranking


def test_an_area_below_is_listed_whatever_its_rank_and_one_above_is_spared(results):
    table = acting(results, []).ranking.table.set_index("unit")
    best = table["rank"].astype(int).idxmin()
    worst = table["rank"].astype(int).idxmax()
    level = results.estimates["county"].of("satisfaction").table.set_index("county")["estimate"]
    line = float(level[best]) + 1e-6
    tables = tables_of(acting(results, [("satisfaction", line, "listed")], list_size=1))
    row = tables.ranking.set_index("code").loc[best]
    assert (row["listed"], row["listed_by_rank"], row["listed_by"]) == ("yes", "no", "satisfaction")
    assert best in tables.statement.listed
    line = float(level[worst]) - 1e-6
    tables = tables_of(acting(results, [("satisfaction", line, "spared")], list_size=1))
    row = tables.ranking.set_index("code").loc[worst]
    assert (row["listed"], row["listed_by_rank"], row["spared_by"]) == ("no", "yes", "satisfaction")
    assert tables.statement.listed == ()
    sentence = tables.sentences.set_index("code").loc[worst]
    assert "spared the list: Satisfaction" in sentence["en"]
    assert "不列入名单" in sentence["zh"]
    assert "The list to be filed has no area" in tables.statement.en


def test_the_ladder_counts_the_list_that_thresholds_make(results):
    ladder = Escalation.model_validate(
        {
            "steps": [
                {"listed_in_a_row": 1, "zh": "挂牌", "en": "listed"},
                {"rank_from": 2, "zh": "x", "en": "y"},
            ],
            "source": "x",
        }
    )
    other = acting(results, [("satisfaction", 0.58, "listed")], list_size=1, escalation=ladder)
    tables = tables_of(other)
    final = tables.ranking.set_index("code")
    rows = tables.ladder[tables.ladder["trigger"] == "listed_in_a_row"].set_index("code")
    assert set(rows.index) == set(final.index[final["listed"] == "yes"])
    assert rows["status"].to_dict() == final.loc[rows.index, "list_status"].to_dict()
    assert tables.escalation.set_index("code")["status"].to_dict() == rows["status"].to_dict()


def test_the_set_holds_the_list_and_is_verified(small, tmp_path, call):
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "thresholds: [{measure: satisfaction, below: 0.58, on_list: listed, zh: 低于 58%, en: below 58, source: 文件}]\n"
        )
    code, out, _ = call("run", small.folder)
    assert code == 0
    assert "Declared thresholds act on the list" in out
    folder = (small.folder / "out" / "latest").resolve()
    assert verify(folder).code == 0
    tables = read_indices(folder)
    listed = tables.ranking.loc[tables.ranking["listed"] == "yes", "code"]
    assert set(tables.provenance["ranking"]["on_list"]) == set(listed)
    assert tables.provenance["rules"]["thresholds"][0]["on_list"] == "listed"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "不论名次" in page
    copy = small.root / "surveys" / "next"
    assert call("new", copy, "--like", small.folder)[0] == 0
    assert "on_list: listed" in (copy / "rules.yaml").read_text(encoding="utf-8")


def test_thresholds_act_on_a_list_of_the_last_alone(small):
    text = (small.folder / "rules.yaml").read_text(encoding="utf-8")
    text = (
        text.replace("side: last", "side: first")
        if "side: last" in text
        else text.replace("ranking:\n", "ranking:\n  side: first\n", 1)
    )
    text += "thresholds: [{measure: satisfaction, below: 0.6, on_list: spared, zh: 线, en: line, source: x}]\n"
    (small.folder / "rules.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SurveyError, match="S378"):
        read_survey(small.folder)


def test_nothing_is_established_without_a_probability_sample(small):
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    with (small.folder / "rules.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "thresholds: [{measure: satisfaction, below: 0.9, on_list: listed, zh: 线, en: line, source: x}]\n"
        )
    table = tables_of(run(small.read())).ranking
    assert set(table["listed"]) == {"yes"}
    assert set(table["list_status"]) == {"possible"}


def test_what_counts_as_exact_establishes_nothing_on_the_ladder(results):
    """A score with a part that counts as exact has small p-values and proves nothing, in this wave and in later ones."""
    ladder = Escalation.model_validate(
        {
            "steps": [
                {"rank_from": 2, "zh": "x", "en": "low"},
                {"listed_in_a_row": 1, "zh": "x", "en": "on"},
            ],
            "source": "x",
        }
    )
    other = acting(results, [], list_size=1, escalation=ladder)
    options = replace(other.ranking.options, taken_as_exact=("desk",))
    exact = replace(other.ranking, options=options)
    rows = ladder_rows(other.survey, other.estimates, exact)
    assert {row.trigger for row in rows} == {"rank_from", "listed_in_a_row"}
    assert {row.status for row in rows} == {"possible"}


def test_a_threshold_establishes_what_an_exact_score_cannot(results):
    """The rank proves nothing then; that an area is below a value does, on the list and on the ladder."""
    ladder = Escalation.model_validate(
        {
            "steps": [
                {"listed_in_a_row": 1, "zh": "x", "en": "on"},
                {"rank_from": 4, "zh": "y", "en": "z"},
            ],
            "source": "x",
        }
    )
    other = acting(results, [("satisfaction", 0.95, "listed")], list_size=1, escalation=ladder)
    verdicts = tables_of(other).thresholds.set_index("code")["status"]
    assert "established" in set(verdicts)
    options = replace(other.ranking.options, taken_as_exact=("desk",))
    exact = replace(other.ranking, options=options)
    rows = [
        row
        for row in ladder_rows(other.survey, other.estimates, exact)
        if row.trigger == "listed_in_a_row"
    ]
    assert {row.code: row.status for row in rows} == verdicts.to_dict()
