"""The log: what each rule says and does, and its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from satisfaction.foundation.errors import closest
from satisfaction.foundation.personal import masked

RULES: dict[str, tuple[str, str, str]] = {
    "R201": ("reject_row", "必填项为空", "required item is empty"),
    "R202": ("blank_item", "答案不在量表内，已作空白处理", "answer outside the scale; blanked"),
    "R203": (
        "reject_row",
        "编号重复，保留最先出现的一条",
        "respondent stands twice; the first is kept",
    ),
    "R204": ("reject_row", "不属于调查对象", "not eligible"),
    "R205": ("reject_row", "访问日期不在调查期内", "interview outside the fielding period"),
    "R206": ("reject_row", "社区（村）不在样本中", "PSU is not in the sample"),
    "R207": (
        "reject_row",
        "与样本表中该社区的县或城乡不一致",
        "contradicts the stratum of its PSU in the sample",
    ),
    "R208": ("reject_row", "地区代码不在地区表中", "area code is not in the table of areas"),
    "R209": ("reject_row", "单元格多于表头", "more cells than column names"),
    "R210": (
        "blank_item",
        "按跳转规则不应回答，已作空白处理",
        "answered although the skip rule leaves it out; blanked",
    ),
    "R211": ("normalised", "全角字符已转为半角", "full-width characters written as plain ones"),
    "R212": (
        "blank_item",
        "不是有效的日期或数值，已作空白处理",
        "no valid date or number; blanked",
    ),
    "R213": (
        "note",
        "工作表没有问卷的列，未读取",
        "the sheet does not have the questionnaire's columns; not read",
    ),
    "R214": (
        "blank_item",
        "选项多于允许的数目，已作空白处理",
        "more options than allowed; blanked",
    ),
    "R215": ("reject_row", "文件与前面的文件完全相同", "the file is identical to an earlier one"),
    "R216": ("corrected", "已按更正记录改正", "corrected as the corrections log says"),
    "R217": (
        "recoded",
        "旧版本的编码已按对照表转换",
        "code of an earlier version changed by its crosswalk",
    ),
    "R218": ("masked", "疑似个人信息，已隐去", "looks like personal data; masked"),
    "R219": ("reject_row", "合计行，不是答卷", "a row of totals, not a respondent"),
    "R220": ("recoded", "地区名称已换成代码", "name of an area written as its code"),
    "R324": ("note", "文件没有读取", "the file is not read"),
    "R221": ("warn", "与另一题的答案矛盾", "contradicts the answer to another item"),
    "R301": (
        "note",
        "问卷没有的通用说法，已按该答案读取",
        "a usual wording of an answer; read as it",
    ),
    "R302": ("note", "按本期 wordings.csv 的说法读取", "read as wordings.csv of the wave says"),
    "R303": (
        "note",
        "作空白读取；多选题的“无”作一项未选读取",
        'read as empty; "无" of a select-all item as none chosen',
    ),
    "R304": (
        "note",
        "多选题各选项分列，已合为一题",
        "options of a question in columns of their own; read as one question",
    ),
}
NEGATION = frozenset("不没未")
LONGEST = 40
MOST_SUGGESTIONS = 20  # different values a rule for which a near answer is looked for
LOG = ("file", "sheet", "row", "id", "column", "value", "rule", "action", "zh", "en", "suggestion")


def said(rule: str, action: str) -> tuple[str, str]:
    """Return what a rule says; without what it usually does where its action is another one."""
    usual, zh, en = RULES[rule]
    return (zh, en) if action == usual else (zh.partition("，")[0], en.partition(";")[0])


def log_events(
    raw: pd.DataFrame,
    wrong: pd.Series,
    column: str,
    *,
    values: pd.Series,
    rule: str,
    action: str | None = None,
    text: tuple[str, str] | None = None,
    near: Iterable[str] = (),
) -> pd.DataFrame:
    """Build log entries for the rows marked; the index keeps their place in the raw table.

    Parameters
    ----------
    raw : DataFrame
        With _file, _sheet, _row and _id.
    wrong : Series of bool
    column : str
    values : Series
        What stood there; masked and cut before it is kept.
    rule : str
        One of `RULES`, whose action and words hold unless `action` and `text` (Chinese, English) are given.
    near : iterable of str
        What could have been meant; the nearest is proposed.
    """
    action = action or RULES[rule][0]
    zh, en = text or said(rule, action)
    at, found = (
        {name: raw.loc[wrong, name] for name in ("_file", "_sheet", "_row", "_id")},
        values[wrong].astype(object),
    )
    texts = {value: shown(value) for value in found.unique()}
    proposed = (
        {value: _proposed(texts[value], near) for value in list(texts)[:MOST_SUGGESTIONS]}
        if near
        else {}
    )
    return pd.DataFrame(
        {
            "file": at["_file"],
            "sheet": at["_sheet"],
            "row": at["_row"],
            "id": at["_id"].map(shown),
            "column": column,
            "value": found.map(texts),
            "rule": rule,
            "action": action,
            "zh": zh,
            "en": en,
            "suggestion": found.map(lambda value: proposed.get(value, "")),
        },
        columns=list(LOG),
    )


def _proposed(value: str, near: Iterable[str]) -> str:
    """Return the nearest text, never one that says the opposite: 很满 is not 很不满意."""
    found = closest(value, near) or ""
    return "" if is_opposite(value, found) else found


def is_opposite(value: str, answer: str) -> bool:
    """Tell whether of two texts one denies and the other does not."""
    return NEGATION.isdisjoint(value) != NEGATION.isdisjoint(answer)


Note = tuple[str, str, int, str, str, str, str, str]


def log_notes(notes: Iterable[Note]) -> pd.DataFrame:
    """Build the entries of what no rule decided: file, sheet, row (0: the table), column, value, rule, zh, en each.

    A note about a row is a warning. The index is no row of the raw table.
    """
    table = pd.DataFrame(
        list(notes), columns=["file", "sheet", "row", "column", "value", "rule", "zh", "en"]
    )
    table["action"] = ["warn" if row else "note" for row in table["row"]]
    table["column"], table["value"] = table["column"].map(masked), table["value"].map(shown)
    return table.set_index(pd.Index([-1] * len(table))).reindex(columns=list(LOG), fill_value="")


class Tables:
    """The tables that rows were read from, for what is said of a table and not of its rows.

    Attributes
    ----------
    number : ndarray of int
        The table of each row.
    places : list of (str, str)
        File and sheet of each table.
    """

    def __init__(self, raw: pd.DataFrame) -> None:
        grouped = raw.groupby(["_file", "_sheet"], sort=False)
        self.number = grouped.ngroup().to_numpy()
        self.places = [(str(file), str(sheet)) for file, sheet in grouped.groups]
        self.looked_at = (raw["_aside"] == "").to_numpy()

    def log_words(
        self, column: str, words: pd.Series, meanings: Mapping[str, str], *, rule: str
    ) -> pd.DataFrame:
        """Build one entry a table and word: what it was read as and how often it stands there."""
        concerned = words.isin(list(meanings)).to_numpy() & self.looked_at
        counts = (
            words[concerned]
            .groupby([self.number[concerned], words[concerned].astype(object)], sort=False)
            .size()
        )
        notes: list[Note] = []
        for (table, word), count in counts.items():
            meant = f" → {meanings[word]}" if meanings[word] else ""
            notes.append(
                (
                    *self.places[table],
                    0,
                    column,
                    f"{masked(word)}{meant} × {count}",
                    rule,
                    *RULES[rule][1:],
                )
            )
        return log_notes(notes)


def shown(value: object) -> str:
    """Return a value as a log or message may show it: what may be personal data is masked, what is long is cut."""
    text = masked(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
