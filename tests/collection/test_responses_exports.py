"""From any platform's export to coded rows: matching, labels, earlier versions, teams, the same file twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from happiness_survey import write_answers
from satisfaction import read_survey
from satisfaction.collection.responses import load_responses
from satisfaction.collection.rules import ALLOWED, compile_rules
from satisfaction.collection.wordings import Answers
from satisfaction.declarations.area_names import fold
from satisfaction.foundation.errors import ResponsesError, SatisfactionError
from satisfaction.foundation.tables import write_xlsx

LABELS = {
    "residence": {"1": "城镇", "2": "Rural"}, "sex": {"1": "男", "2": "女"}, "age_group": {"1": "20-39 岁", "2": "40岁及以上"},
    "lived_here": {"1": "是"}, "heard": {"1": "A.是", "2": "B、否", "98": "说不清", "99": "拒 答"}, "took_part": {"1": "Yes", "2": "no", "98": "Don't know"},
    "streets": {"5": "非常满意", "4": "比较满意", "3": "一般", "2": "不太满意", "1": "很不满意", "97": "不适用", "98": "说不清"},
}  # fmt: skip


def coded(small) -> pd.DataFrame:
    found = load_responses(small.read())
    return found.accepted.drop(columns=[name for name in found.accepted if name.startswith("_")])


def as_labels(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: rows[name].replace(texts) for name, texts in LABELS.items()})


def labels_of(small) -> dict[str, str]:
    return {name: item.zh for name, item in small.read().questionnaire.items.items()}


# ---- columns ----


@pytest.mark.parametrize("how", ["zh", "en", "numbered", "spaced"])
def test_columns_are_found_by_label(small, how):
    expected, items = coded(small), small.read().questionnaire.items
    names = {
        "zh": {name: item.zh for name, item in items.items()},
        "en": {name: item.en.upper() for name, item in items.items()},
        "numbered": {
            name: f"{place}、{item.zh}" for place, (name, item) in enumerate(items.items(), 1)
        },
        "spaced": {name: f" （{item.zh}） " for name, item in items.items()},
    }[how]
    small.write(small.rows().rename(columns=names))
    pd.testing.assert_frame_equal(coded(small), expected)
    assert set(load_responses(small.read()).columns["how"]) <= {"label", "name"}


def test_columns_are_found_by_number_and_alias(small):
    expected = coded(small)
    small.edit(
        small.questionnaire,
        "  age: {type: number,",
        "  age: {number: '8', aliases: [岁数], type: number,",
    )
    small.write(small.rows().rename(columns={"age": "Q8"}))
    pd.testing.assert_frame_equal(coded(small), expected)
    small.write(small.rows().rename(columns={"Q8": "岁 数"}))
    found = load_responses(small.read()).columns.set_index("item")["how"]
    assert (found["age"], found["sex"]) == ("alias", "name")


def test_a_column_that_fits_two_items_is_refused_with_both(small):
    small.edit(small.questionnaire, "zh: 公园绿地", "zh: 背街小巷")
    small.write(small.rows().rename(columns={"streets": "背街小巷"}).drop(columns="parks"))
    with pytest.raises(ResponsesError, match=r"R106[\s\S]*streets and parks"):
        load_responses(small.read())


def test_two_columns_for_one_item_are_refused_with_both(small):
    rows = small.rows().rename(columns={"streets": "背街小巷"})
    small.write(rows.assign(**{"背街 小巷": rows["背街小巷"]}))
    with pytest.raises(
        ResponsesError, match=r"R106[\s\S]*'streets' fits two columns: 背街小巷 and 背街 小巷"
    ):
        load_responses(small.read())


def test_what_was_matched_and_what_not_is_a_table(small):
    small.write(
        as_labels(small.rows()).rename(columns={"sex": "性别"}).assign(姓名="张三", remark="x")
    )
    table = load_responses(small.read()).columns.set_index("column")
    assert table.loc["性别", ["item", "how", "note"]].tolist() == [
        "sex",
        "label",
        "文字作答 labels × 120",
    ]
    assert table.loc["streets", "note"].startswith("文字作答")
    assert table.loc["remark", ["item", "note"]].tolist() == ["", "未读取 not kept"]
    assert table.loc["姓名", "note"].startswith("个人信息")


def test_a_missing_column_proposes_the_near_label(small):
    small.write(small.rows().rename(columns={"streets": "背街小巷里"}))
    with pytest.raises(
        ResponsesError,
        match=r"找不到“背街小巷”[\s\S]*把列名 '背街小巷里' 改为 '背街小巷' 或 'streets'",
    ):
        load_responses(small.read())


def test_a_missing_column_that_is_required_is_not_to_be_left_empty(small):
    small.write(small.rows().drop(columns=["county", "streets"]))
    with pytest.raises(ResponsesError) as refused:
        load_responses(small.read())
    text = str(refused.value)
    assert text.count("leave it empty where there is no answer") == 1
    assert text.count("fill it in every row") == 1


# ---- answers ----


def test_labels_give_the_codes_and_no_log(small):
    expected = coded(small)
    small.write(as_labels(small.rows()))
    found = load_responses(small.read())
    pd.testing.assert_frame_equal(found.accepted[list(expected)], expected)
    assert found.log.empty


@pytest.mark.parametrize("answer", ["满意", "非常", "5 非常满意的", "-5", "5.5", "++"])
def test_what_is_no_label_is_not_taken_for_one(small, answer):
    small.change(streets=answer)
    found = load_responses(small.read())
    assert found.log["rule"].tolist() == ["R202"]
    assert pd.isna(found.accepted["streets"][0])


def test_a_near_answer_is_suggested(small):
    small.change(streets="非常满意的", county="990102")
    log = load_responses(small.read()).log
    assert log.set_index("rule")["suggestion"].to_dict() == {"R202": "非常满意", "R207": ""}


def test_an_alias_of_an_answer_is_the_answer(small):
    small.edit(
        small.questionnaire, "{zh: 一般, en: Neutral,", "{zh: 一般, en: Neutral, aliases: [还行],"
    )
    small.change(streets="还行")
    assert load_responses(small.read()).accepted["streets"][0] == 3


def test_labels_with_two_meanings_are_no_labels(small):
    small.edit(small.questionnaire, "zh: 比较满意", "zh: 非常满意")
    answers = Answers(small.read().questionnaire, "streets")
    assert (answers.code("非常满意"), answers.code("5"), answers.code("Fairly satisfied")) == (
        None,
        5,
        4,
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("（其他）", "(其他)", True), ("3、满意", "满意", True), ("A. Yes", "yes", True), ("7.5", "75", False), ("20-39", "2039", False), ("-1", "1", False)],
)  # fmt: skip
def test_spellings_of_one_text(one, other, same):
    assert (fold(one) == fold(other)) == same


OPTION_SHAPES = {
    "kobo": ("values/{}", "1", "0", {"_submission_time": "2026-04-10", "_id": "1"}),
    "limesurvey": ("values[{}]", "Y", "N", {"submitdate": "2026-04-10", "lastpage": "3", "startlanguage": "zh"}),
    "tencent": ("Q12|{}", "是", "", {"答题序号": "1", "来源": "x", "开始时间": "2026-04-10 09:00:00", "提交时间": "2026-04-10 09:10:00"}),
}  # fmt: skip


@pytest.mark.parametrize("platform", OPTION_SHAPES)
def test_options_in_columns_of_their_own(small, platform):
    title, yes, no, recorded = OPTION_SHAPES[platform]
    small.edit(
        small.questionnaire,
        "  values:\n    type: multiple\n",
        "  values:\n    number: '12'\n    type: multiple\n",
    )
    small.write(small.rows()[lambda rows: rows["values"].str.contains(";")])
    expected, rows = coded(small), small.rows()
    for code in ("1", "2", "3", "4"):
        rows[title.format(code)] = (
            rows["values"]
            .str.split(";")
            .map(lambda picked, code=code: yes if code in picked else no)
        )
    small.write(rows.drop(columns="values").assign(**recorded))
    found = load_responses(small.read())
    pd.testing.assert_frame_equal(found.accepted[list(expected)], expected)
    assert found.summary["platform"].tolist() == [platform]
    assert (found.columns["how"] == "option").sum() == 4


def test_what_nobody_submitted_in_limesurvey_is_named_and_may_be_rejected(small):
    """Its export holds all that was begun, unless it is told otherwise."""
    rows = small.rows().assign(lastpage="3", startlanguage="zh", submitdate="2026-04-10 09:00:00")
    rows.loc[:2, "submitdate"] = ""
    small.write(rows)
    found = load_responses(small.read())
    assert found.log[["rule", "action"]].to_numpy().tolist() == [["R226", "warn"]] * 3
    assert len(found.accepted) == len(rows)
    small.edit("rules.yaml", "responses:\n", "responses:\n  actions: {R226: reject_row}\n")
    assert len(load_responses(small.read()).accepted) == len(rows) - 3


@pytest.mark.parametrize(
    ("cells", "options", "rule"),
    [("0000", [0, 0, 0, 0], []), ("", [None] * 4, []), ("1x00", [None] * 4, ["R202"])],
)
def test_nothing_chosen_is_not_the_same_as_not_asked(small, cells, options, rule):
    rows = small.rows().drop(columns="values")
    for place in range(4):
        rows[f"values/{place + 1}"] = ["".join(cells[place : place + 1]), *["1"] * 119]
    small.write(rows.assign(_submission_time="2026-04-10", _id="1"))
    found = load_responses(small.read())
    row = found.accepted.iloc[0]
    assert [
        None if pd.isna(row[f"values_{code}"]) else row[f"values_{code}"] for code in (1, 2, 3, 4)
    ] == options
    assert found.log["rule"].tolist() == rule


def test_skipped_is_not_asked_and_not_logged(small):
    small.change(took_part="2", took_part_in="(跳过)", streets="(跳过)")
    found = load_responses(small.read())
    assert found.log.empty
    assert found.accepted.loc[0, ["took_part_in", "took_part_in_1", "streets"]].isna().all()


# ---- earlier versions of an item ----


def test_columns_of_an_earlier_version_are_crosswalked_with_a_log(small):
    rows = small.rows()
    old = rows["streets"].map(
        {"5": "1", "4": "1", "3": "2", "2": "3", "1": "4", "97": "9", "98": "9"}
    )
    crosswalk = "replaces: {streets_2025: {crosswalk: {1: 5, 2: 3, 3: 2, 4: 1}}}, "
    small.edit(small.questionnaire, "  streets: {", "  streets: {" + crosswalk)
    small.write(rows.drop(columns="streets").assign(streets_2025=old))
    with pytest.raises(ResponsesError, match="streets_2025=9"):  # a code that the crosswalk lacks
        load_responses(small.read())
    found = load_responses(small.read(), purpose="check")
    events = found.log.groupby("rule").size()
    assert events["R217"] == len(
        rows
    )  # every code is another one; what has none becomes "streets_2025=9"
    assert events["R202"] == (old == "9").sum()
    assert found.accepted["streets"].isna().sum() == (old == "9").sum()
    assert (found.accepted["streets"][old == "2"] == 3).all()
    assert found.columns.set_index("column").loc["streets_2025", ["item", "how"]].tolist() == [
        "streets",
        "replaces",
    ]
    assert set(found.log.loc[found.log["rule"] == "R217", "column"]) == {"streets_2025 → streets"}


def test_the_own_column_goes_before_the_earlier_one_and_other_answers_are_logged(small):
    rows = small.rows()
    small.edit(small.questionnaire, "  streets: {", "  streets: {replaces: {before: {}}, ")
    label = small.read().questionnaire.choices("streets")[1].zh
    small.write(rows.assign(before=label, streets=rows["streets"].where(rows.index > 0, "")))
    found = load_responses(small.read())
    assert found.accepted["streets"][0] == 1
    assert found.accepted["streets"][1:].astype(str).tolist() == rows["streets"][1:].tolist()
    contrary = found.log[found.log["rule"] == "R225"]
    assert set(contrary["column"]) == {"before"}
    assert set(contrary["action"]) == {"warn"}
    others = rows["streets"].ne("1") & (rows.index > 0)
    assert sorted(contrary["id"]) == sorted(rows.loc[others, "id"])


# ---- files ----


def test_the_same_file_twice_is_noticed(small):
    shutil.copy(small.csv, small.csv.with_name("b.csv"))
    found = load_responses(small.read())
    assert found.summary[["file", "accepted", "rejected"]].to_numpy().tolist() == [
        ["responses/all.csv", 120, 0],
        ["responses/b.csv", 0, 120],
    ]
    assert found.summary["note"].tolist() == [
        "",
        "与 responses/all.csv 完全相同 identical to responses/all.csv",
    ]
    assert found.log["rule"].unique().tolist() == ["R215"]


def test_files_may_name_platform_and_team(small):
    small.edit(
        "survey.yaml",
        "files: [responses/*.csv]",
        "files: [{pattern: responses/*.csv, platform: plain, team: 甲队}]",
    )
    found = load_responses(small.read())
    assert found.accepted["_team"].unique().tolist() == ["甲队"] == found.summary["team"].tolist()


@pytest.mark.parametrize(
    "entry",
    [
        "{pattern: responses/*.csv, platfrom: plain}",
        "{platform: plain}",
        "[1]",
        "{pattern: /x.csv}",
    ],
)
def test_an_entry_of_files_that_is_not_right_is_refused(small, entry):
    path = small.edit("survey.yaml", "files: [responses/*.csv]", f"files: [{entry}]")
    with pytest.raises(SatisfactionError, match=r"Y20[123][\s\S]*survey.yaml:\d+|survey.yaml"):
        read_survey(path.parent)


def test_a_row_of_totals_is_counted_as_rejected(small):
    rows = small.rows()
    total = pd.DataFrame([{"id": "合计", "age": "5000"}]).reindex(columns=list(rows), fill_value="")
    small.write(pd.concat([rows, total]))
    found = load_responses(small.read())
    assert found.rejected[["row", "rules"]].to_numpy().tolist() == [[122, "R219"]]
    assert found.summary[["rows", "accepted", "rejected"]].to_numpy().tolist() == [[121, 120, 1]]


def test_totals_and_repeated_files_are_not_handed_back(small):
    small.change(sex="7")
    rows = small.rows()
    total = pd.DataFrame([{"id": "合计"}]).reindex(columns=list(rows), fill_value="")
    folder = small.folder / "responses"
    later = rows.iloc[60:]
    small.write(pd.concat([rows.iloc[:60], total]))
    later.assign(sex=["9", *later["sex"][1:]]).to_csv(folder / "b.csv", index=False)
    (folder / "c.csv").write_bytes((folder / "b.csv").read_bytes())
    found = load_responses(small.read())
    assert set(found.rejected["rules"]) >= {"R219", "R215"}
    assert not found.to_correct["rules"].str.contains("R219|R215").any()
    assert found.as_read["id"].tolist() == [*rows["id"].iloc[[0, 60]]]
    assert found.to_correct["id"].tolist() == found.as_read["id"].tolist()


def test_paradata_of_a_platform_stay_beside_the_answers(small):
    rows = small.rows()
    names = {
        name: f"{place}、{label}" for place, (name, label) in enumerate(labels_of(small).items(), 1)
    }
    wjx = rows.rename(columns=names).assign(
        **{
            "序号": range(1, 121),
            "提交答卷时间": "2026/4/18 9:05:01",
            "所用时间": "1分4秒",
            "来源": "微信",
            "来源详情": "",
            "来自IP": "10.1.2.3(贵州-贵阳)",
        }
    )
    small.write(wjx)
    found = load_responses(small.read())
    row = found.accepted.iloc[0]
    assert found.summary[["platform", "accepted", "submitted_first"]].to_numpy().tolist() == [
        ["wjx-code", 120, "2026-04-18"]
    ]
    assert (row["_submitted"], row["_seconds"], row["_ip"], row["_platform"]) == (
        "2026-04-18T09:05:01",
        64,
        "ip 1",
        "wjx-code",
    )
    assert "10.1.2.3" not in "".join(
        t.to_csv() for t in (found.accepted, found.log, found.summary, found.columns)
    )


def test_times_of_a_platform_that_are_not_understood_are_counted_in_the_log(small):
    small.write(
        small.rows().assign(
            **{
                "序号": range(1, 121),
                "提交答卷时间": "4月18日 下午",
                "1、其他": "",
                "所用时间": "64秒",
            }
        )
    )
    loaded = load_responses(small.read())
    noted = loaded.log[loaded.log["rule"] == "F208"]
    assert noted[["row", "column", "value", "action"]].to_numpy().tolist() == [
        [0, "提交答卷时间", "× 120", "note"]
    ]


def test_counts_by_area_and_interviewer_add_up(small):
    small.change(sex="", interviewer="I9")
    found = load_responses(small.read())
    for table in (found.by_area, found.by_interviewer):
        assert (table["rows"] == table["accepted"] + table["rejected"]).all()
        assert table[["rows", "rejected"]].sum().tolist() == [120, 1]
    assert found.by_interviewer.set_index("value").loc["I9", "rejected"] == 1


def test_the_same_file_again_is_no_fault_of_its_interviewers_and_areas(small):
    small.change(sex="", interviewer="I9")
    (small.csv.parent / "again.csv").write_bytes(small.csv.read_bytes())
    found = load_responses(small.read())
    assert found.summary["rejected"].sum() == 121
    faulty = found.by_interviewer[found.by_interviewer["rejected"] > 0]
    assert faulty[["value", "rows", "rejected"]].to_numpy().tolist() == [["I9", 1, 1]]
    assert found.by_area["rejected"].sum() == 1


def test_a_moment_in_universal_time_is_of_the_day_it_is_in_china(small):
    small.change(day="2026-04-09T17:30:00Z")
    assert load_responses(small.read()).accepted["day"].iloc[0] == "2026-04-10"


def test_a_row_without_an_interviewer_counts_for_none(small):
    last = load_responses(small.read()).by_interviewer.set_index("value")["rows"]
    small.change(interviewer="")
    found = load_responses(small.read()).by_interviewer.set_index("value")["rows"]
    assert found[""] == 1
    assert (last - found).dropna().isin([0, 1]).all()


# ---- actions of rules ----


def test_an_action_may_be_set_for_a_rule(small):
    small.edit("rules.yaml", "unknown_area: stop", "actions: {R205: warn, R212: reject_row}")
    small.change(day="2026-05-01", age="17")
    rows = small.rows()
    rows.loc[1, "day"] = "2026-05-01"
    small.write(rows)
    found = load_responses(small.read())
    assert found.rejected[["row", "rules"]].to_numpy().tolist() == [[2, "R212"]]
    assert found.log.loc[found.log["rule"] == "R205", "action"].tolist() == ["warn", "warn"]
    assert found.accepted["day"][0] == "2026-05-01"
    assert "已作空白" not in found.rejected["zh"][0]
    assert "blanked" not in found.rejected["en"][0]


@pytest.mark.parametrize("setting", ["R203: blank_item", "R201: warn", "R299: warn", "R202: warn"])
def test_an_action_a_rule_cannot_have_is_refused(small, setting):
    small.edit("rules.yaml", "unknown_area: stop", f"actions: {{{setting}}}")
    with pytest.raises(ResponsesError, match=r"R105\] .*rules\.yaml") as refused:
        load_responses(small.read())
    assert refused.value.available


def test_rules_are_expressions_in_the_order_they_run(small):
    rules = compile_rules(small.read())
    assert {rule.id for rule in rules} == set(ALLOWED) - {"R214", "R221"}
    assert rules[-1].among_usable
    assert all(rule.text.zh and rule.text.en and rule.action in ALLOWED[rule.id] for rule in rules)


# ---- a real survey's counts (happiness_survey.py) ----

INSTRUMENT = """
questionnaire: somerville
version: "2015"
title: {zh: 幸福感调查, en: Happiness survey}
source: City of Somerville, Massachusetts
universe: {zh: 居民, en: Residents}
changes: [first]
items:
  id: {type: text, zh: 编号, en: Number, aliases: [Combined_ID], required: true, unique: true}
  year: {type: single, zh: 年份, en: Year, required: true, answers: {2011: {zh: 二〇一一, en: MMXI}, 2013: {zh: 二〇一三, en: MMXIII}, 2015: {zh: 二〇一五, en: MMXV}}}
  happy: {type: number, low: 1, high: 10, step: 0.5, zh: 幸福, en: How happy do you feel right now?}
  place: {type: number, low: 1, high: 10, step: 0.5, zh: 宜居, en: How satisfied are you with Somerville as a place to live?}
  plan: {type: single, zh: 打算搬走, en: Do you plan to move away from Somerville in the next two years?, answers: {1: {zh: 是, en: "Yes", counts: true}, 2: {zh: 否, en: "No", counts: false}}}
rates:
  moving: {zh: 打算搬走, en: Plan to move, items: [plan], source: own}
indices: {}
ranked: moving
roles: {respondent: id, area: year}
"""


def test_somerville_gives_the_published_means(tmp_path):
    folder = tmp_path / "surveys" / "somerville"
    folder.mkdir(parents=True)
    (tmp_path / "questionnaires" / "somerville").mkdir(parents=True)
    (tmp_path / "questionnaires" / "somerville" / "2015.yaml").write_text(
        INSTRUMENT, encoding="utf-8"
    )
    write_answers(folder / "all.csv")
    (folder / "rules.yaml").write_text("ranking: {list_size: 1, source: test}\n", encoding="utf-8")
    (folder / "survey.yaml").write_text(
        "survey: somerville\nwave: 2015Q4\ntitle: {zh: 幸福, en: Happiness}\nquestionnaire: somerville@2015\nselection: open_link\nfiles: [all.csv]\n",
        encoding="utf-8",
    )
    found = load_responses(read_survey(folder))
    means = found.accepted.groupby("year")[["happy", "place"]].mean()
    assert len(found.accepted) + len(found.rejected) == 6545
    assert means["happy"].astype(float).tolist() == pytest.approx([7.462, 7.661, 7.842], abs=0.0005)
    assert float(means.loc[2015, "place"]) == pytest.approx(8.232, abs=0.0005)
    happy = found.log[found.log["column"] == "happy"]
    above = pd.to_numeric(happy["value"], errors="coerce") > 10
    assert above.sum() == 5
    assert set(happy["action"]) == {"blank_item"}
    assert (found.accepted["happy"] % 1 == 0.5).sum() == 55


def test_a_workbook_of_the_platform_is_read_as_its_csv(small):
    expected, rows, names = coded(small), small.rows(), labels_of(small)
    small.csv.unlink()
    write_xlsx({"数据": as_labels(rows).rename(columns=names)}, small.csv.with_suffix(".xlsx"))
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    pd.testing.assert_frame_equal(coded(small), expected)


# ---- answers that contradict one another ----


def with_comparison(small, check, **more):
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(
        f"{text}\nconstraints:\n  pair: {{check: {check}, zh: 说明, en: meaning}}\n",
        encoding="utf-8",
    )
    if more:
        small.edit(
            "rules.yaml", "  outside_scale", f"  actions: {more}\n  outside_scale".replace("'", "")
        )


@pytest.mark.parametrize(
    ("action", "rejected", "blank"),
    [("warn", 0, False), ("blank_item", 0, True), ("reject_row", 1, False)],
)
def test_answers_that_contradict_one_another(small, action, rejected, blank):
    with_comparison(small, "parks <= streets", **({} if action == "warn" else {"R221": action}))
    rows = small.rows().assign(parks="3", streets="3")
    rows.loc[4, ["parks", "streets"]] = ["5", "2"]
    rows.loc[5, ["parks", "streets"]] = ["5", ""]  # unanswered: no contradiction
    small.write(rows)
    found = load_responses(small.read())
    event = found.log[found.log["rule"] == "R221"]
    assert event[["row", "column", "value", "action"]].to_numpy().tolist() == [
        [6, "parks", "5", action]
    ]
    assert "说明（parks <= streets）" in event["zh"].iloc[0]
    assert len(found.rejected) == rejected
    assert pd.isna(found.accepted.set_index("_row").get("parks").get(6)) == (blank or rejected == 1)


@pytest.mark.parametrize(
    "check", ["parks", "parks = 3", "parks <= 2.5", "interviewer <= parks", "unheard <= parks"]
)
def test_a_comparison_that_cannot_be_made_is_refused(small, check):
    with_comparison(small, check)
    with pytest.raises(SatisfactionError, match=r"Q161|Q131") as fault:
        small.read()
    assert "1.yaml:" in fault.value.where


# ---- the built exports of every platform, end to end ----

SCALE = """  five:
    answers:
      1: {zh: 不满意, en: low, score: 0, counts: false}
      3: {zh: 一般, en: middle, score: 50, counts: false}
      4: {zh: 较满意, en: fair, score: 75, counts: true}
      5: {zh: 满意, en: high, score: 100, counts: true}
    special: {99: {zh: 拒答, en: Refused, reason: refused, denominator: out}}
"""
HEAD = """questionnaire: {name}
version: "1"
title: {{zh: 例, en: Example}}
source: test
universe: {{zh: 居民, en: Residents}}
changes: [first]
scales:
{scale}items:
{items}
rates:
  rate: {{zh: 率, en: Rate, items: [{rated}]}}
ranked: rate
roles: {{respondent: id, area: sex}}
"""
SEX = "  sex: {type: single, zh: %s, en: Sex, %s answers: {1: {zh: 男, en: Male}, 2: {zh: 女, en: Female}}}"
ACTS = "  acts: {type: multiple, zh: %s, en: Acts, %s options: {1: {zh: 打扫, en: cleaning}, 2: {zh: 植树, en: trees}}}"
# file: items, rated item, rows rejected by rule, (row, column, value) of what is blanked
PLATFORMS = {
    "wjx_text.csv": (
        ["  id: {type: text, zh: 编号, en: Id, required: true, unique: true}", SEX % ("您的性别", ""), "  clean: {type: single, scale: five, zh: 您对环境卫生满意吗, en: Clean}",
         "  age: {type: number, low: 18, high: 99, zh: 您的年龄, en: Age}", ACTS % ("您参加过哪些活动", "")],
        "clean", {"R209": [5], "R219": [6]}, [(3, "acts", "打扫┋其他"), (5, "clean", "2023/8/20")],
    ),
    "wjx_code.xlsx": (
        ["  id: {type: text, zh: 序号, en: Id, required: true}", SEX % ("您的性别", ""), "  acts: {type: multiple, number: '2', zh: 活动, en: Acts, options: {1: {zh: 打扫, en: cleaning}, 2: {zh: 植树, en: trees}}}",
         "  road: {type: single, scale: five, number: 3(道路), aliases: [第3题(道路)], zh: 道路, en: Road}"],
        "road", {}, [],
    ),
    "cati.xlsx": (
        ["  id: {type: text, zh: 样本编号, en: Id, required: true}", SEX % ("性别", "required: true,"), "  road: {type: single, scale: five, zh: 道路, en: Road}"],
        "road", {"R201": [5, 6], "R219": [7]}, [],
    ),
    "tencent.csv": (
        ["  id: {type: text, zh: 答题序号, en: Id, required: true}", SEX % ("性别", ""), "  acts: {type: multiple, number: '2', zh: 活动, en: Acts, options: {1: {zh: A1, en: cleaning}, 2: {zh: A2, en: trees}}}"],
        "sex", {}, [],
    ),
    "limesurvey.csv": (
        ["  id: {type: text, zh: id, en: Id, required: true}", "  sex: {type: single, zh: G1, en: Group, answers: {1: {zh: A1, en: one, counts: true}, 2: {zh: A2, en: two, counts: false}}}"],
        "sex", {}, [],
    ),
    "labelled.sav": (
        ["  id: {type: text, zh: 编号, en: Id, required: true}", "  sex: {type: single, scale: five, zh: 您对环境卫生满意吗, en: Clean, aliases: [sat]}"],
        "sex", {}, [],
    ),
}  # fmt: skip


@pytest.fixture
def platform(tmp_path, request):
    file, (items, rated, rejected, blanked) = request.param, PLATFORMS[request.param]
    folder = tmp_path / "surveys" / "wave"
    folder.mkdir(parents=True)
    (tmp_path / "questionnaires" / "built").mkdir(parents=True)
    items = list(items)
    if rated == "sex" and "scale: five" not in items[1] and "counts" not in items[1]:
        items[1] = (
            items[1]
            .replace("zh: 男, en: Male}", "zh: 男, en: Male, counts: true}")
            .replace("en: Female}", "en: Female, counts: false}")
        )
    text = HEAD.format(name="built", scale=SCALE, items="\n".join(items), rated=rated)
    (tmp_path / "questionnaires" / "built" / "1.yaml").write_text(text, encoding="utf-8")
    shutil.copy(Path(__file__).parents[1] / "platforms" / file, folder / file)
    (folder / "rules.yaml").write_text("ranking: {list_size: 1, source: test}\n", encoding="utf-8")
    (folder / "survey.yaml").write_text(
        f"survey: wave\nwave: 2026Q3\ntitle: {{zh: 例, en: Example}}\nquestionnaire: built@1\nselection: quota\nfiles: [{file}]\n",
        encoding="utf-8",
    )
    return load_responses(read_survey(folder)), rejected, blanked


@pytest.mark.parametrize("platform", PLATFORMS, indirect=True, ids=str)
def test_exports_of_every_platform_end_to_end(platform):
    found, rejected, blanked = platform
    summary = found.summary[["rows", "accepted", "rejected"]].sum()
    assert (
        summary["rows"]
        == summary["accepted"] + summary["rejected"]
        == len(found.accepted) + len(found.rejected)
    )
    refused = found.log[found.log["action"] == "reject_row"]
    assert {rule: sorted(rows["row"]) for rule, rows in refused.groupby("rule")} == rejected
    blank = found.log[
        (found.log["action"] == "blank_item") & ~found.log["row"].isin(refused["row"])
    ]
    kept = [
        one for one in blanked if one[0] not in {row for rows in rejected.values() for row in rows}
    ]
    assert blank[["row", "column", "value"]].to_numpy().tolist() == [list(one) for one in kept]
    assert (
        not found.accepted.astype(str)
        .apply(lambda column: column.str.contains("127.0.0.1"))
        .any(axis=None)
    )
