"""Whatever a file holds: one clear error, or every row accounted for and no value changed without a log row.

SATISFACTION_FUZZ sets the number of examples; small by default.
"""

from __future__ import annotations

import dataclasses
import os

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import COUNTIES, small_rows
from satisfaction import SatisfactionError
from satisfaction.collection.responses import load_responses
from satisfaction.collection.wordings import Answers
from satisfaction.declarations.items import DateItem, MultipleItem, NumberItem, TextItem
from satisfaction.foundation.grids import read_grids

EXAMPLES = int(os.environ.get("SATISFACTION_FUZZ", "25"))
ROWS = 10
ITEMS = list(small_rows())
ZH = {
    "id": "编号",
    "sex": "性别",
    "streets": "背街小巷",
    "parks": "公园绿地",
    "age": "年龄",
    "day": "访问日期",
}
CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "1", "5", "6", "98", "1;2", "1┋3", "６", "-1", "1e3", "nan", "2026-04-10", "2026/4/31", *COUNTIES, '"', ",", "\n", "\x00", "😀", "P001",
         "非常满意", "（很不满意）", "A.是", "拒答", "(跳过)", "13912345678", "合计", "富强┋民主", "10.0.0.1", "5.0", "男 "]
    ),
    st.text(max_size=5),
)  # fmt: skip
TITLES = st.one_of(
    st.sampled_from(
        ["", "id", "性别", "Q3", "streets ", "3、年龄", "姓名", "提交答卷时间", "_uuid", "合计"]
    ),
    st.text(max_size=6),
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"])
DAMAGE = st.sampled_from(["drop", "double", "cut", "lengthen", "quote"])


@pytest.fixture
def load_bytes(tmp_path, unchanged):
    """Load a file of the given bytes as the small survey's only one; returns the responses and the cells by row."""
    path = tmp_path / "responses.csv"

    def load(content: bytes):
        path.write_bytes(content)
        responses = unchanged.rules.responses.model_copy(update={"unknown_area": "reject_row"})
        rules = unchanged.rules.model_copy(update={"responses": responses})
        survey = dataclasses.replace(unchanged, files=(path,), rules=rules)
        return load_responses(survey), read_grids(path)[0][0], survey.questionnaire

    return load


def damaged(record: str, damage: str) -> list[str]:
    if damage == "cut":
        return [record if '"' in record else record[: len(record) // 2]]
    return {
        "drop": [""],
        "double": [record, record],
        "lengthen": [record + ",x,y"],
        "quote": ['"' + record],
    }[damage]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=EXAMPLES == 25,
)
@given(
    cells=st.lists(
        st.tuples(st.integers(0, ROWS - 1), st.integers(0, len(ITEMS) - 1), CELLS), max_size=8
    ),
    titles=st.dictionaries(st.integers(0, len(ITEMS) - 1), TITLES, max_size=2),
    damages=st.dictionaries(st.integers(0, ROWS - 1), DAMAGE, max_size=2),
    labelled=st.booleans(),
    encoding=ENCODINGS,
)
def test_random_corruption(load_bytes, cells, titles, damages, labelled, encoding):
    rows = small_rows()[:ROWS]
    for row, column, value in cells:
        rows.iloc[row, column] = value
    names = [
        titles.get(place, ZH.get(name, name) if labelled else name)
        for place, name in enumerate(ITEMS)
    ]
    rows.columns = pd.Index(names)
    header, *records = [
        rows.iloc[a:b].to_csv(index=False, header=not b).rstrip("\n")
        for a, b in [(0, 0), *((i, i + 1) for i in range(ROWS))]
    ]
    written = [
        part
        for place, record in enumerate(records)
        for part in (damaged(record, damages[place]) if place in damages else [record])
    ]
    try:
        found, grid, questionnaire = load_bytes(
            "\n".join([header, *written]).encode(encoding, errors="replace")
        )
    except SatisfactionError:
        return
    assert_accounted(found)
    assert_nothing_changed_silently(found, grid, questionnaire)


def assert_accounted(found):
    summary = found.summary
    assert (summary["rows"] == summary["accepted"] + summary["rejected"]).all()
    assert (len(found.accepted), len(found.rejected)) == (
        summary["accepted"].sum(),
        summary["rejected"].sum(),
    )
    places = [*found.accepted["_row"], *found.rejected["row"]]
    assert len(set(places)) == len(places) == summary["rows"].sum()


def assert_nothing_changed_silently(found, grid, questionnaire):
    """Every value of an accepted row is the cell as it stands, its code or label, or has a log row."""
    logged = set(found.log[["row", "column"]].itertuples(index=False, name=None))
    where = {
        item: column
        for item, column in zip(found.columns["item"], found.columns["column"], strict=True)
        if item
    }
    header = [name.strip() for name in grid.record(0)]
    at = {int(number): place for place, number in enumerate(grid.numbers)}
    for row in found.accepted.to_dict("records"):
        cells = grid.record(at[row["_row"]])
        for name, item in questionnaire.items.items():
            if (
                (row["_row"], name) in logged
                or where[name] not in header
                or header.count(where[name]) > 1
            ):
                continue
            cell = cells[header.index(where[name])].strip(" \t\r\n\u3000\u00a0")
            assert agrees(row, cell, name, item, questionnaire), (name, cell, row[name])


def agrees(row, cell, name, item, questionnaire) -> bool:
    value = row[name]
    if cell in ("", "(跳过)"):
        return pd.isna(value)
    if isinstance(item, NumberItem):
        return float(cell) == value
    if isinstance(item, DateItem):
        return (
            str(value) == cell
            or pd.to_datetime(cell.replace(".", "-")).strftime("%Y-%m-%d") == value
        )
    if isinstance(item, TextItem) or not hasattr(item, "special"):
        return value == cell
    answers = Answers(questionnaire, name)
    if isinstance(item, MultipleItem) and pd.isna(value):
        chosen = {code for code in item.options if row[f"{name}_{code}"] == 1}
        parts = [
            part.strip()
            for part in cell.replace("┋", ";").replace("|", ";").split(";")
            if part.strip()
        ]
        return chosen == {answers.code(part) for part in parts}
    return answers.code(cell) == value


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=EXAMPLES == 25,
)
@given(content=st.binary(max_size=300))
def test_random_bytes(load_bytes, content):
    with pytest.raises(SatisfactionError):
        load_bytes(content)
