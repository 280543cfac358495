"""Words a questionnaire does not have: read where they have one meaning, refused where they could move a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from satisfaction.collection.responses import load_responses
from satisfaction.collection.wordings import usual_wordings
from satisfaction.declarations.area_names import fold
from satisfaction.foundation.errors import ResponsesError, SatisfactionError

OWN = {"5": "非常满意", "4": "比较满意", "3": "一般", "2": "不太满意", "1": "很不满意"}
ORDINARY = {"5": "很满意", "4": "满意", "3": "一般", "2": "不满意", "1": "很不满意"}
TOPICS = ["streets", "parks", "safety", "overall"]


def reworded(small, words: dict[str, str], columns=TOPICS) -> pd.DataFrame:
    """Write answers by other words; returns what the small survey gives without them."""
    expected = load_responses(small.read()).accepted
    rows = small.rows()
    for column in columns:
        rows[column] = rows[column].replace(words)
    small.write(rows)
    return expected


def same_answers(found, expected) -> bool:
    items = [name for name in expected if not name.startswith("_")]
    return expected[items].equals(found.accepted[items])


def check(small):
    return load_responses(small.read(), purpose="check")


def notes(found, rule: str) -> list[str]:
    return found.log.loc[found.log["rule"] == rule, "value"].tolist()


# ---- what stops ----


def test_an_unknown_word_three_times_stops_with_file_title_counts_and_near_answers(small):
    rows = small.rows()
    rows.loc[:2, "parks"] = "满意"
    small.write(rows)
    with pytest.raises(ResponsesError) as stop:
        load_responses(small.read())
    assert stop.value.code == "R300"
    for said in (
        "responses/all.csv",
        "公园绿地",
        "“满意” × 3",
        "4 比较满意",
        "wordings.csv",
        "satisfied5,满意",
    ):
        assert said in str(stop.value)


def test_a_few_different_unknown_words_do_not_stop_but_are_listed(small):
    rows = small.rows()
    rows.loc[[0, 1, 2], "parks"] = ["甲", "乙", "满意"]
    small.write(rows)
    found = load_responses(small.read())
    assert set(found.unknown["word"]) == {"甲", "乙", "满意"}
    assert not found.unknown["stops"].any()


@pytest.mark.parametrize(("unknown", "stops"), [(3, False), (4, True)])
def test_more_than_three_and_three_per_cent_stop(small, unknown, stops):
    rows = small.rows()
    rows["parks"] = "5"
    rows.loc[: unknown - 1, "parks"] = list("甲乙丙丁")[:unknown]
    small.write(rows)
    assert check(small).unknown["stops"].any() == stops


def test_four_in_a_large_file_are_too_few_to_stop(small):
    small.edit(
        "rules.yaml",
        "outside_scale: blank_item",
        "outside_scale: blank_item\n  unknown_answers: {share: 0.05}",
    )
    rows = small.rows()
    rows["parks"] = "5"
    rows.loc[:3, "parks"] = list("甲乙丙丁")
    small.write(rows)
    assert not check(small).unknown["stops"].any()


def test_the_limits_are_those_of_the_rules(small):
    small.edit(
        "rules.yaml",
        "outside_scale: blank_item",
        "outside_scale: blank_item\n  unknown_answers: {repeated: 4}",
    )
    rows = small.rows()
    rows.loc[:2, "parks"] = "满意"
    small.write(rows)
    assert load_responses(small.read()).summary["blanked"].sum() == 3


def test_a_word_among_the_options_of_a_select_all_item_is_counted_by_itself(small):
    rows = small.rows()
    rows.loc[:2, "values"] = ["富强;爱国", "民主;爱国", "爱国"]
    small.write(rows)
    (word,) = check(small).unknown.to_dict("records")
    assert (word["word"], word["count"], word["stops"]) == ("爱国", 3, True)


def test_a_number_written_as_text_stops_and_a_number_out_of_range_does_not(small):
    rows = small.rows()
    rows.loc[:2, "age"] = "200"
    small.write(rows)
    assert check(small).unknown.empty
    rows.loc[:2, "age"] = ["35岁", "36岁", "35岁"]
    rows.loc[3, "age"] = "35岁"
    small.write(rows)
    assert check(small).unknown["stops"].all()


def test_check_lists_every_unknown_word_and_exits_as_run_would(small, call):
    rows = small.rows()
    rows.loc[:2, "parks"] = "满意"
    rows.loc[3, "safety"] = "还可以"
    small.write(rows)
    code, out, err = call("check", small.folder)
    assert code == 2
    assert "还可以" in out
    assert "满意" in out
    assert "R300" in err
    assert call("run", small.folder)[0] == 2
    assert not (small.folder / "out").exists()


@pytest.mark.usefixtures("tables_alone")
def test_run_says_the_words_below_the_limit(small, call):
    small.change(parks="还可以")
    code, out, _ = call("run", small.folder)
    assert code == 0
    assert "Parks “还可以” × 1" in out


# ---- usual wordings ----


def test_a_county_that_says_very_otherwise_keeps_its_best_answers(small):
    expected = reworded(small, {"5": "很满意"})
    found = load_responses(small.read())
    assert same_answers(found, expected)
    assert any(value.startswith("很满意 → 5 非常满意 × ") for value in notes(found, "R301"))


def test_the_ordinary_vocabulary_as_a_whole_is_read_in_order(small):
    expected = reworded(small, ORDINARY)
    assert same_answers(load_responses(small.read()), expected)


@pytest.mark.parametrize("kept", ["4", "2"])
def test_the_ordinary_vocabulary_beside_a_word_of_the_scale_is_not_read(small, kept):
    reworded(small, ORDINARY)
    small.change(parks=OWN[kept])
    assert set(check(small).unknown["word"]) == {"满意", "不满意"}


@pytest.mark.parametrize("lacking", list(ORDINARY))
def test_the_ordinary_vocabulary_without_one_of_its_words_is_not_read(small, lacking):
    rows = small.rows()
    for column in TOPICS:
        rows[column] = rows[column].replace({lacking: "98"} | ORDINARY)
    rows[TOPICS] = rows[TOPICS].replace(ORDINARY[lacking], "98")
    small.write(rows)
    assert set(check(small).unknown["word"]) == {"满意", "不满意"} - {ORDINARY[lacking]}


def test_a_single_satisfied_is_never_guessed(small):
    reworded(small, {"4": "满意"})
    assert set(check(small).unknown["word"]) == {"满意"}


@pytest.mark.parametrize(
    ("item", "word", "code"),
    [
        ("overall", "不知道", 98), ("overall", "不清楚", 98), ("overall", "不了解", 98), ("overall", "拒绝回答", 99), ("heard", "拒绝回答", 99),
        ("overall", "非常不满意", 1), ("sex", "男性", 1), ("sex", "女性", 2), ("residence", "城市", 1), ("values", "说不清楚", 98),
    ],
)  # fmt: skip
def test_a_usual_wording_is_the_answer(small, item, word, code):
    small.change(**{item: word})
    assert load_responses(small.read()).accepted[item][0] == code


def test_not_knowing_is_no_answer_to_have_you_heard_of_it(small):
    small.change(heard="不知道")
    assert check(small).unknown["word"].tolist() == ["不知道"]


def test_a_usual_wording_that_is_a_label_of_the_scale_keeps_its_meaning(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(text.replace("zh: 比较满意", "zh: 很满意"), encoding="utf-8")
    small.change(overall="很满意")
    assert load_responses(small.read()).accepted["overall"][0] == 4


def test_no_usual_wording_stands_for_two_answers_of_a_vocabulary():
    usual = usual_wordings()
    for group in usual["vocabularies"]:
        for words in group["lists"]:
            assert len(words) == 5
            meant = {
                word: one["answer"]
                for one in usual["answers"]
                for word in one["words"]
                if one["answer"] in words and word not in words
            }
            count = sum(
                word not in words
                for one in usual["answers"]
                if one["answer"] in words
                for word in one["words"]
            )
            assert len(meant) == count


# ---- the wave's own wordings ----


def wordings(small, *lines: str) -> None:
    (small.folder / "wordings.csv").write_text(
        "\n".join(["item,wording,answer,source", *lines, ""]), encoding="utf-8"
    )


def test_what_the_wave_writes_down_is_read(small):
    expected = reworded(small, {"4": "满意"})
    wordings(small, "satisfied5,满意,比较满意,问过调查队")
    found = load_responses(small.read())
    assert same_answers(found, expected)
    assert any(value.startswith("满意 → 4 比较满意 × ") for value in notes(found, "R302"))


def test_a_wording_of_the_wave_is_read_among_options(small):
    small.change(values="繁荣、民主")
    wordings(small, "values,繁荣,1,x")
    row = load_responses(small.read()).accepted.iloc[0]
    assert row[["values_1", "values_2", "values_3"]].tolist() == [1, 1, 0]


def test_a_wording_of_the_wave_may_mean_no_answer(small):
    rows = small.rows()
    rows.loc[:2, "parks"] = "看不清"
    small.write(rows)
    wordings(small, "parks,看不清,NA,x")
    found = load_responses(small.read())
    assert found.accepted["parks"][:3].isna().all()
    assert found.unknown.empty


def test_wordings_are_an_input_of_the_wave(small):
    wordings(small, "parks,好,5,x")
    assert small.folder / "wordings.csv" in small.read().sources
    assert any(path.endswith("wordings.csv") for path in load_responses(small.read()).read)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("park,好,5,x", "Did you mean 'parks'"),
        ("parks,好,6,x", "5 非常满意"),
        ("parks,一般,4,x", "3 一般"),
        ("parks,,4,x", "wording"),
        ("parks,好,4,x\nparks,好,5,x", "row 3"),
    ],
)
def test_a_wrong_line_of_wordings_is_refused_with_its_place(small, line, said):
    wordings(small, line)
    with pytest.raises(ResponsesError, match="R307") as stop:
        load_responses(small.read())
    assert said in str(stop.value)


def test_wordings_without_a_column_are_refused(small):
    (small.folder / "wordings.csv").write_text("item,word\nparks,好\n", encoding="utf-8")
    with pytest.raises(ResponsesError, match="R306"):
        load_responses(small.read())


# ---- forms with one meaning, and none ----


@pytest.mark.parametrize(
    "form",
    [
        "5.0",
        "5.00",
        "5分",
        "５分",
        "5 非常满意",
        "5-非常满意",
        "5非常满意",
        "非常满意（5分）",
        "非常满意5",
        "非 常 满意",
        "５",
        "5. 非常满意",
    ],
)
def test_an_answer_written_with_its_code_is_the_answer(small, form):
    small.change(overall=form)
    assert load_responses(small.read()).accepted["overall"][0] == 5


@pytest.mark.parametrize("form", ["4 非常满意", "非常满意（4分）", "6分", "5.5", "5.01"])
def test_an_answer_that_contradicts_its_code_is_unknown(small, form):
    small.change(overall=form)
    assert check(small).unknown["word"].tolist() == [form.replace("（", "(").replace("）", ")")]


def test_points_are_no_codes_where_the_scale_counts_down(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    for code, score in ((5, 0), (4, 25), (2, 75), (1, 100)):
        text = (
            text.replace(f"score: {100 - score}, counts", f"score: _{score}, counts", 1)
            if code != 3
            else text
        )
    small.questionnaire.write_text(text.replace("score: _", "score: "), encoding="utf-8")
    small.change(overall="5分")
    assert check(small).unknown["word"].tolist() == ["5分"]


@pytest.mark.parametrize(
    "text", ["35-49 岁", "35—49岁", "35–49 岁", "35～49岁", "35至49岁", "35 - 49 岁"]
)
def test_a_range_is_the_same_with_every_dash(text):
    assert fold(text) == fold("35-49岁")


def test_codes_with_zeros_are_codes_in_every_coded_item(small):
    expected = load_responses(small.read()).accepted
    rows = small.rows()
    for column in ("county", "residence", "sex", "heard", "took_part", "age", *TOPICS):
        rows[column] = rows[column].where(rows[column] == "", rows[column] + ".0")
    rows["values"] = rows["values"].str.replace(r"(\d+)", r"\1.0", regex=True)
    small.write(rows)
    found = load_responses(small.read())
    assert same_answers(found, expected)
    assert "labels" not in " ".join(found.columns["note"])


def test_an_identifier_keeps_its_zeros(small):
    small.change(id="7.0")
    assert load_responses(small.read()).accepted["id"][0] == "7.0"


def test_a_respondent_whose_number_a_program_wrote_with_a_zero_behind_is_the_same_one(small):
    rows = small.rows()
    rows["id"] = [str(1001 + place) for place in range(len(rows))]
    small.write(rows)
    again = rows.head(3).assign(id=rows["id"].head(3) + ".0")
    again.to_csv(small.csv.with_name("b.csv"), index=False)
    loaded = load_responses(small.read(), purpose="check")
    assert loaded.summary[["rows", "accepted", "rejected"]].sum().tolist() == [123, 120, 3]
    noted = loaded.log[loaded.log["rule"] == "F317"].iloc[0]
    assert (noted["file"], noted["column"], noted["value"]) == ("responses/b.csv", "id", "× 3")


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u202c", "\u2060"])
def test_signs_without_width_make_no_other_answer_or_respondent(small, unseen):
    expected = load_responses(small.read()).accepted
    rows = small.rows()
    small.write(rows.rename(columns={"sex": f"性别{unseen}"}).map(lambda cell: cell + unseen))
    assert same_answers(load_responses(small.read()), expected)


def test_a_community_with_full_width_signs_is_the_one_of_the_sample(small):
    before = load_responses(small.read()).accepted
    rows = small.rows()
    sample = pd.read_csv(small.folder / "sample.csv", dtype=str)
    for table in (rows, sample):
        table["community"] = "坝子村（" + table["community"] + "组）"
    small.write(rows)
    sample.to_csv(small.folder / "sample.csv", index=False)
    after = load_responses(small.read()).accepted
    assert len(after) == len(before)
    assert set(after["community"]) <= set(small.read().sample["community"])


@pytest.mark.parametrize("mark", ["NA", "nan", "NaN", "-", "—", "－", "/", "N/A"])
def test_a_mark_of_no_answer_is_empty_and_said(small, mark):
    small.change(overall=mark, age=mark, values=mark)
    found = load_responses(small.read())
    assert found.accepted.loc[0, ["overall", "age", "values", "values_1"]].isna().all()
    assert found.unknown.empty
    assert len(notes(found, "R303")) == 3


def test_none_is_no_option_and_never_zero(small):
    small.change(overall="无", age="无", values="无")
    found = load_responses(small.read())
    row = found.accepted.iloc[0]
    assert row[["overall", "age"]].isna().all()
    assert row[["values_1", "values_2", "values_3", "values_4"]].tolist() == [0, 0, 0, 0]
    assert found.unknown[["item", "word"]].to_numpy().tolist() == [["age", "无"]]


def test_none_is_an_answer_where_the_scale_has_it(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(
        text.replace("97: {zh: 不适用,", "97: {zh: 无,"), encoding="utf-8"
    )
    small.change(overall="无")
    assert load_responses(small.read()).accepted["overall"][0] == 97


def test_the_marks_of_no_answer_are_those_of_the_rules(small):
    small.edit(
        "rules.yaml", "outside_scale: blank_item", "outside_scale: blank_item\n  empty: [空]"
    )
    small.change(overall="空", parks="NA")
    found = load_responses(small.read())
    assert found.accepted.loc[0, ["overall", "parks"]].isna().all()
    assert found.unknown["word"].tolist() == ["NA"]


# ---- numbers with decimals ----


def decimals(small, step: str, high: int) -> None:
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(
        text.replace("low: 18, high: 110,", f"low: 0, high: {high}, {step}"), encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("step", "digits", "high"),
    [
        (0.01, 2, 1_000_000),
        (0.001, 3, 10_000),
        (0.0001, 4, 10_000),
        (0.1, 1, 10**9),
        (0.05, 2, 10**6),
    ],
)
def test_no_multiple_of_a_step_is_lost(small, step, digits, high):
    decimals(small, f"step: {step},", high)
    small.edit("rules.yaml", "unknown_area: stop", "unknown_area: stop\n  reversed_scale: note")
    rng = np.random.default_rng(7)
    rows = pd.concat([small.rows()] * 60, ignore_index=True)
    rows["id"] = [f"P{k}" for k in range(len(rows))]
    multiples = rng.integers(0, round(high / step) + 1, len(rows))
    rows["age"] = [f"{round(k * step, digits):.{digits}f}" for k in multiples]
    small.write(rows)
    found = load_responses(small.read())
    assert found.accepted["age"].tolist() == rows["age"].astype(float).tolist()


@pytest.mark.parametrize("value", ["12.345", "12.3401", "0.0000001", "999999.999"])
def test_what_is_no_multiple_of_the_step_is_refused(small, value):
    decimals(small, "step: 0.01,", 1_000_000)
    small.change(age=value)
    assert check(small).accepted["age"].isna()[0]


def test_what_a_workbook_calculates_is_a_multiple_but_for_its_rounding(small):
    decimals(small, "step: 0.1,", 100)
    small.change(age=repr(0.1 + 0.2))
    assert load_responses(small.read()).accepted["age"][0] == pytest.approx(0.3)


def weighted(small) -> None:
    decimals(small, "", 100)
    small.edit("survey.yaml", "- {step: base}", "- {step: base, source: column, column: age}")


def test_any_positive_decimal_is_a_weight_and_needs_no_step(small):
    weighted(small)
    rows = small.rows()
    rows["age"] = [repr(w) for w in np.random.default_rng(3).uniform(0.01, 3, len(rows)).tolist()]
    small.write(rows)
    found = load_responses(small.read())
    assert found.accepted["age"].tolist() == rows["age"].astype(float).tolist()


def test_a_weight_of_nothing_is_no_weight(small):
    weighted(small)
    small.change(age="0")
    assert check(small).accepted["age"].isna()[0]


# ---- options in columns of their own ----

OPTIONS = {1: "富强", 2: "民主", 3: "和谐", 4: "享乐"}
TITLES = [
    "核心价值观/{zh}",
    "核心价值观-{zh}",
    "核心价值观——{zh}",
    "核心价值观_{code}",
    "核心价值观：{zh}",
    "核心价值观（{zh}）",
    "values/{code}",
    "values_{code}",
    "Core values/{zh}",
    "3、核心价值观-{zh}",
    "核心价值观/{code}. {zh}",
]
CELLS = [
    ("1", "0"),
    ("1", ""),
    ("√", ""),
    ("{zh}", ""),
    ("{code}", ""),
    ("是", "否"),
    ("选中", "未选中"),
    ("1.0", "0.0"),
]


def split_rows(small, title: str, cells: tuple[str, str], *, without: int = 0) -> pd.DataFrame:
    rows = small.rows()
    rows["values"] = np.resize(["1;2;3", "2", "1;4", "3"], len(rows))
    small.write(rows)
    chosen = rows.pop("values").str.split(";")
    for code, zh in OPTIONS.items():
        if code != without:
            yes, no = (cell.format(code=code, zh=zh) for cell in cells)
            rows[title.format(code=code, zh=zh)] = [
                yes if str(code) in one else no for one in chosen
            ]
    return rows


@pytest.mark.parametrize("title", TITLES)
def test_options_in_columns_are_read_by_their_titles(small, title):
    rows = split_rows(small, title, ("1", "0"))
    expected = load_responses(small.read()).accepted
    small.write(rows)
    found = load_responses(small.read())
    assert same_answers(found, expected)
    assert len(notes(found, "R304")) == 1


@pytest.mark.parametrize("cells", CELLS)
def test_options_in_columns_are_read_by_their_cells(small, cells):
    rows = split_rows(small, "核心价值观-{zh}", cells)
    expected = load_responses(small.read()).accepted
    small.write(rows)
    assert same_answers(load_responses(small.read()), expected)


@pytest.mark.parametrize(
    "above",
    [
        [],
        [["汇总表"]],
        [["汇总表"], ["单位：甲县", "", "日期：4月"]],
        [["单位：甲县", "日期：4月"]],
    ],
)
def test_options_below_a_merged_heading_are_read(small, above):
    import xlsxwriter

    rows = split_rows(small, "{zh}", ("√", ""))
    expected = load_responses(small.read()).accepted
    small.csv.unlink()
    with xlsxwriter.Workbook(str(small.csv.with_suffix(".xlsx"))) as book:
        sheet = book.add_worksheet()
        last = len(rows.columns) - 1
        top = len(above)
        for place, line in enumerate(above):
            sheet.write_row(place, 0, line)
        for place, name in enumerate(rows.columns[:-4]):
            sheet.write_string(top, place, name)
        sheet.merge_range(top, last - 3, top, last, "核心价值观")
        for place in range(last - 3, last + 1):
            sheet.write_string(top + 1, place, rows.columns[place])
        for place, record in enumerate(rows.itertuples(index=False), start=top + 2):
            sheet.write_row(place, 0, record)
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    found = load_responses(small.read())
    items = [name for name in expected if not name.startswith("_")]
    assert expected[items].equals(found.accepted[items])


def test_choices_side_by_side_below_one_title_are_refused_not_read_as_the_first(small):
    rows = small.rows()
    parts = rows["values"].str.split(";", expand=True).fillna("")
    place = rows.columns.get_loc("values")
    header = [*rows.columns[: place + 1], *[""] * (parts.shape[1] - 1), *rows.columns[place + 1 :]]
    wide = pd.concat([rows.iloc[:, :place], parts, rows.iloc[:, place + 1 :]], axis=1)
    small.csv.write_text(wide.to_csv(index=False, header=header), encoding="utf-8")
    with pytest.raises(ResponsesError, match="R106") as stop:
        load_responses(small.read())
    assert "values/1" in str(stop.value)


def test_a_respondent_below_a_title_that_is_merged_over_two_columns_is_no_title(small):
    import xlsxwriter

    rows = small.rows()
    small.csv.unlink()
    with xlsxwriter.Workbook(str(small.csv.with_suffix(".xlsx"))) as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 1, "备注")
        sheet.write_row(0, 2, list(rows))
        sheet.write_row(1, 0, ["补访", "一次"])
        for place, record in enumerate(rows.itertuples(index=False), start=1):
            sheet.write_row(place, 2, record)
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    assert len(load_responses(small.read()).accepted) == len(rows)


def test_text_below_a_title_merged_to_the_right_edge_rejects_no_row(small):
    import xlsxwriter

    rows = small.rows()
    small.csv.unlink()
    with xlsxwriter.Workbook(str(small.csv.with_suffix(".xlsx"))) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(rows))
        width = len(rows.columns)
        sheet.merge_range(0, width, 0, width + 2, "备注")
        for place, record in enumerate(rows.itertuples(index=False), start=1):
            sheet.write_row(place, 0, record)
        sheet.write_row(4, width, ["补访", "", "两次"])
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    found = load_responses(small.read())
    assert len(found.accepted) == len(rows)
    assert notes(found, "F201") == []
    unnamed = found.columns[found.columns["how"] == ""]["column"]
    assert f"#{width + 3}" in unnamed.to_list()


def test_a_missing_option_column_is_refused_with_its_name(small):
    rows = split_rows(small, "核心价值观-{zh}", ("1", "0"), without=3)
    small.write(rows)
    with pytest.raises(ResponsesError, match="R305") as stop:
        load_responses(small.read())
    assert "3 和谐" in str(stop.value)


def test_one_option_renamed_to_the_question_is_refused(small):
    rows = split_rows(small, "核心价值观-{zh}", ("1", "")).rename(
        columns={"核心价值观-和谐": "values"}
    )
    small.write(rows)
    with pytest.raises(ResponsesError, match="R305"):
        load_responses(small.read())


def test_columns_that_cannot_be_read_as_options_are_never_proposed_as_the_question(small):
    small.write(split_rows(small, "核心价值-{zh}", ("1", "0")))
    with pytest.raises(ResponsesError, match="R101") as stop:
        load_responses(small.read())
    assert "核心价值观/富强" in str(stop.value)
    assert "把列名" not in str(stop.value)
    assert "Did you mean" not in str(stop.value)


def test_option_columns_that_all_bear_the_question_s_title_are_told_how_to_be_named(small):
    rows = split_rows(small, "{code}", ("1", "0"))
    small.write(rows.set_axis([*rows.columns[:-4], *["核心价值观"] * 4], axis="columns"))
    with pytest.raises(ResponsesError, match="R106") as stop:
        load_responses(small.read())
    assert "核心价值观/富强" in str(stop.value)


def test_two_in_an_option_column_is_neither_yes_nor_the_second_option(small):
    small.write(split_rows(small, "核心价值观-{zh}", ("1", "2")))
    with pytest.raises(ResponsesError, match="R300") as stop:
        load_responses(small.read())
    assert "富强=2" in str(stop.value)


def test_an_item_below_the_title_of_a_select_all_question_is_not_guessed(small):
    small.write(small.rows().rename(columns={"overall": "核心价值观/总体"}))
    with pytest.raises(ResponsesError, match="R101"):
        load_responses(small.read())


def test_the_title_of_an_item_of_its_own_is_no_option(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(
        text.replace("zh: 总体, en", "zh: 核心价值观-富强, en"), encoding="utf-8"
    )
    small.write(small.rows().rename(columns={"overall": "核心价值观-富强"}))
    assert (
        load_responses(small.read()).columns.set_index("column").loc["核心价值观-富强", "item"]
        == "overall"
    )


# ---- headings, dates and workbooks as teams deliver them ----


@pytest.mark.parametrize(
    "heading",
    [
        "总体（必填）",
        "*总体",
        "* 12. 总体（单选题）",
        "Q12 总体",
        "12.总体[单选题]",
        "【单选】总体",
        "总体（单选题）【必填】",
        "1、总体(选填)",
    ],
)
def test_a_heading_is_read_without_the_marks_of_form_builders(small, heading):
    expected = load_responses(small.read()).accepted
    small.write(small.rows().rename(columns={"overall": heading}))
    assert same_answers(load_responses(small.read()), expected)


def test_a_mark_that_belongs_to_the_title_of_an_item_stays(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(
        text.replace("zh: 总体, en", "zh: 总体（单选）, en"), encoding="utf-8"
    )
    expected = load_responses(small.read()).accepted
    small.write(small.rows().rename(columns={"overall": "总体（单选）"}))
    assert same_answers(load_responses(small.read()), expected)


def test_a_collection_form_of_tencent_docs_is_read(small):
    rows = small.rows()
    titles = {name: f"{item.zh}（必填）" for name, item in small.read().questionnaire.items.items()}
    small.write(
        rows.rename(columns=titles).assign(
            **{"提交者（自动）": "某某", "提交时间（自动）": "2026年4月10日 09:30"}
        )
    )
    found = load_responses(small.read())
    assert found.summary["platform"].tolist() == ["tencent"]
    assert found.accepted["_submitted"].unique().tolist() == ["2026-04-10T09:30:00"]
    assert "某某" not in found.accepted.to_string()


@pytest.mark.parametrize(
    "day",
    [
        "2026 年 4 月 7 日",
        "2026年4月7号",
        "2026、4、7",
        "2026年4月7日 星期二",
        "2026-04-07（周二）",
        "2026/4/7 上午9:30",
        "2026年4月7日9点",
        "46119",
        "46119.0",
        "46119.39",
    ],
)
def test_a_date_is_read_as_people_write_it(small, day):
    small.change(day=day)
    assert load_responses(small.read()).accepted["day"][0] == "2026-04-07"


@pytest.mark.parametrize("day", ["2026-4-123:00", "2026年4月71日", "39999", "60001", "4月7日"])
def test_a_date_that_may_be_another_is_not_guessed(small, day):
    small.change(day=day)
    assert check(small).unknown["item"].tolist() == ["day"]


def workbook(
    small, rows: pd.DataFrame, merged: list[tuple[int, int, str]], *, left: int = 0
) -> None:
    """Write the rows as a workbook, cells of a column merged from one row to another."""
    import xlsxwriter

    small.csv.unlink()
    for first, last, column in merged:
        rows.loc[first + 1 : last, column] = ""
    with xlsxwriter.Workbook(str(small.csv.with_suffix(".xlsx"))) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, left, list(rows))
        for place, record in enumerate(rows.itertuples(index=False), start=1):
            sheet.write_row(place, left, record)
        for first, last, column in merged:
            place = rows.columns.get_loc(column) + left
            sheet.merge_range(first + 1, place, last + 1, place, rows.loc[first, column])
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")


@pytest.mark.parametrize("left", [0, 2])
def test_a_county_in_merged_cells_is_filled_down_and_noted(small, left):
    rows = small.rows()
    expected = load_responses(small.read()).accepted
    workbook(small, rows, [(0, 29, "county"), (30, 59, "county")], left=left)
    found = load_responses(small.read())
    assert same_answers(found, expected)
    assert notes(found, "F315") == ["× 58"]


def test_a_cell_that_is_empty_but_not_merged_stays_empty(small):
    rows = small.rows()
    rows.loc[1:29, "county"] = ""
    workbook(small, rows, [])
    assert check(small).summary["rejected"].tolist() == [29]


def test_a_workbook_with_a_password_is_named_as_one(small):
    content = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(1000)
        + "EncryptedPackage".encode("utf-16-le")
        + bytes(1000)
    )
    small.csv.with_suffix(".xlsx").write_bytes(content)
    small.edit("survey.yaml", "responses/*.csv", "responses/*.xlsx")
    with pytest.raises(SatisfactionError, match="F308") as refused:
        load_responses(small.read())
    assert "密码" in str(refused.value)
