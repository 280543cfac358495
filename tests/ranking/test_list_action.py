"""Thresholds that act on the list, recomputed by plain pandas from published figures; verdicts from two readings of each."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from satisfaction import read_survey, run
from satisfaction.declarations.rules import Escalation, Threshold
from satisfaction.declarations.survey import RankedBy
from satisfaction.foundation.errors import SurveyError
from satisfaction.pipeline import Results, ranked_further
from satisfaction.publication.ranking_table import ranking_table, thresholds_table
from satisfaction.publication.reading_sets import read_indices
from satisfaction.publication.tables import tables_of
from satisfaction.publication.verify import verify
from satisfaction.ranking.escalation import ladder as ladder_rows
from satisfaction.ranking.list_action import ListGround, _belonging, areas_by_name


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


def acted_tables(results: Results) -> SimpleNamespace:
    """The two published tables that thresholds and list are in."""
    survey = results.survey
    return SimpleNamespace(
        ranking=ranking_table(survey, results.estimates, results.ranking),
        thresholds=thresholds_table(survey, results.estimates),
    )


def by_pandas(tables, thresholds, *, holm):
    """List, p-values and verdict of every area from the published tables: ways onto it and off it, written out."""
    rank = tables.ranking.set_index("code")
    verdicts = tables.thresholds
    adjusted = "_adjusted" if holm else ""

    def tested(table, name):
        values = table[name + adjusted].reindex(rank.index)
        unproven = table["status"].reindex(rank.index) == "possible"
        return values.mask(unproven & (values <= 0.05), 1.0)

    expected = pd.DataFrame(index=rank.index)
    listing = pd.Series(False, index=rank.index)
    below_sparing = pd.Series(True, index=rank.index)
    ways_in = []
    ways_out = []
    hold_in = [tested(rank, "p_in")]
    hold_out = [tested(rank, "p_out")]
    for measure, below, on_list in thresholds:
        rows = verdicts[(verdicts["measure"] == measure) & (verdicts["threshold"] == below)]
        rows = rows[rows["on_list"] == on_list].drop_duplicates("code").set_index("code")
        under = rows["estimate"].reindex(rank.index) < below
        if on_list == "listed":
            listing |= under
            ways_in.append(tested(rows, "p_below"))
            ways_out.append(tested(rows, "p_not_below"))
        else:
            below_sparing &= under
            hold_in.append(tested(rows, "p_below"))
            hold_out.append(tested(rows, "p_not_below"))
    ways_in.append(pd.concat(hold_in, axis=1).max(axis=1))
    ways_out.append((pd.concat(hold_out, axis=1).min(axis=1) * len(hold_out)).clip(upper=1))
    p_in = (pd.concat(ways_in, axis=1).min(axis=1) * len(ways_in)).clip(upper=1)
    p_out = pd.concat(ways_out, axis=1).max(axis=1)
    by_rank = rank["listed_by_rank"]
    expected["listed"] = by_rank.where(below_sparing, "no").mask(listing, "yes")
    expected["p_listed"] = p_in
    expected["p_not_listed"] = p_out
    expected["list_status"] = "possible"
    expected.loc[p_in <= 0.05, "list_status"] = "established"
    expected.loc[p_out <= 0.05, "list_status"] = "excluded"
    return expected


SATISFACTION = (0.01, 0.2, 0.45, 0.52, 0.58, 0.62, 0.9, 0.999)
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
        tables = acted_tables(acting(other, thresholds))
        expected = by_pandas(tables, thresholds, holm=multiplicity == "holm")
        got = tables.ranking.set_index("code")
        for column in ("p_listed", "p_not_listed"):
            assert got[column].to_numpy(float) == pytest.approx(expected[column].to_numpy(), 1e-9)
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
    filed = tables.statement.en.partition("Areas on the list to be filed: ")[2]
    assert row["name_en"] in filed
    line = float(level[worst]) - 1e-6
    tables = tables_of(acting(results, [("satisfaction", line, "spared")], list_size=1))
    row = tables.ranking.set_index("code").loc[worst]
    assert (row["listed"], row["listed_by_rank"], row["spared_by"]) == ("no", "yes", "satisfaction")
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


@pytest.mark.usefixtures("tables_alone")
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


def test_the_error_is_promised_for_the_list_however_many_grounds_there_are():
    units = 40_000
    rng = np.random.default_rng(5)
    uniform = rng.uniform(size=(6, units))
    grounds = [
        ListGround(name, np.zeros(units, bool), p, q)
        for name, p, q in zip("abc", uniform[:3], uniform[3:], strict=True)
    ]
    nowhere = _belonging(grounds[0], grounds[1:], [])  # no way holds: belonging is wrong
    assert np.mean(nowhere.p_in <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / units)
    assert np.mean(uniform[:3].min(axis=0) <= 0.05) > 0.13  # as it was ground by ground
    spared = _belonging(
        grounds[0], [], grounds[1:]
    )  # on by rank, spared by none: not belonging is wrong
    assert np.mean(spared.p_out <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / units)


def test_the_note_names_areas_and_adds_codes_to_equal_names(results):
    table = acting(results, []).ranking.table.set_index("unit")
    best = table["rank"].astype(int).idxmin()
    note = acting(results, [("satisfaction", 0.9, "listed")], list_size=1).ranking.summary.notes[-1]
    names = results.survey.area_names()
    assert names[best].in_language("en") in note.in_language("en")
    assert names[best].zh in note.zh
    assert "Holm" in note.zh
    assert areas_by_name(results.survey, [best]).in_language("en") == names[best].in_language("en")
    areas = results.survey.areas
    alike = areas.assign(**{name: "same" for name in ("zh", "en") if name in areas})
    twins = replace(results.survey, areas=alike)
    assert best in areas_by_name(twins, [best]).in_language("en")
    assert areas_by_name(twins, []).in_language("en") == "none"
