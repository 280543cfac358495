"""The tables of facts beside survey.yaml, checked against the questionnaire and against one another."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SurveyError, shortened
from ..io.tables import read_table
from ..questionnaire import Questionnaire, SingleItem
from .declared import Margin, Quota

AREA_COLUMNS = ("code", "name", "level", "parent")
VALIDITY = ("valid_from", "valid_to")


def columns(table: str, questionnaire: Questionnaire) -> tuple[str, ...]:
    """Return the columns a table of facts must have."""
    roles = questionnaire.roles
    return {
        "frame": (*roles.strata, "population"),
        "sample": (str(roles.psu), *roles.strata, "psu_probability", "person_probability", "planned"),
    }[table]


def read_facts(path: Path, wanted: tuple[str, ...]) -> pd.DataFrame:
    """Read a table as text and check its columns."""
    table = read_table(path)
    missing = [column for column in wanted if column not in table]
    if missing:
        listed = ", ".join(f"'{column}'" for column in missing)
        raise SurveyError(
            "S131",
            f"表中没有列 {listed}。",
            f"Column {listed} not found.",
            where=f"{path} row 1",
            available=table.columns,
            got=missing[0] if len(missing) == 1 else "",
            hint=("补上或改正列名。", "Add the column or correct its name."),
        )
    return table.map(str.strip)


def read_areas(path: Path, area: str) -> pd.DataFrame:
    """Read a table of areas; without dates of validity all areas are valid.

    Parameters
    ----------
    path : Path
    area : str
        The item that holds the respondents' area. Where no level of the table is called so, the lowest level is taken for it.

    Raises
    ------
    SurveyError
        S131 columns that are not there, S344 one date of validity without the other.
    """
    table = read_facts(path, AREA_COLUMNS)
    dated = [column for column in VALIDITY if column in table]
    if len(dated) == 1:
        (lacking,) = set(VALIDITY) - set(dated)
        raise SurveyError(
            "S344",
            f"地区表有 {dated[0]} 而没有 {lacking}。",
            f"The table of areas has `{dated[0]}` but no `{lacking}`.",
            where=f"{path} row 1",
            hint=(
                "两列都写（现行地区的 valid_to 留空），或都不写（全部为现行）。",
                "Give both columns (`valid_to` empty while valid), or neither: then all areas are valid.",
            ),
        )
    if not dated:
        table = table.assign(**dict.fromkeys(VALIDITY, ""))
    lowest = lowest_level(table)
    if lowest and area not in set(table["level"]):
        table = table.assign(level=table["level"].where(table["level"] != lowest, area))
    return table


def lowest_level(areas: pd.DataFrame) -> str:
    """Return the level of the areas that no other area lies in; empty where they are of several levels."""
    current = areas[areas["valid_to"] == ""]
    levels = current.loc[~current["code"].isin(current["parent"]), "level"].unique()
    return str(levels[0]) if len(levels) == 1 else ""


def read_margin(path: Path, margin: Margin, questionnaire: Questionnaire) -> pd.DataFrame:
    """Read a margin: levels as text that the items know, each once, with their population."""
    return _read_counts(path, margin.by, "population", questionnaire, areas=None)


def read_quota(path: Path, quota: Quota, questionnaire: Questionnaire, *, areas: pd.DataFrame | None) -> pd.DataFrame:
    """Read a quota: cells as text that the items and the table of areas know, each once, with their planned interviews."""
    return _read_counts(path, quota.by, "planned", questionnaire, areas=areas)


def _read_counts(
    path: Path, by: list[str], column: str, questionnaire: Questionnaire, *, areas: pd.DataFrame | None
) -> pd.DataFrame:
    """Read cells and a count of each; raises SurveyError S133 no count, S134 a cell twice, S135 a level nobody knows."""
    table = read_facts(path, (*by, column))
    counts = pd.to_numeric(table[column], errors="coerce")
    wrong = table.index[~(np.isfinite(counts) & (counts >= 0))]
    refuse_rows(path, wrong, code="S133", zh=f"{column} 不是非负数", en=f"`{column}` is no count")
    twice = table.index[table[by].duplicated()]
    refuse_rows(path, twice, code="S134", zh="同一水平出现两次", en="A level stands twice")
    for name in by:
        if isinstance(questionnaire.items[name], SingleItem):
            known = [str(code) for code in questionnaire.answers(name)]
            zh, en = f"'{name}' 的水平不是该题的答案", f"A level of '{name}' is no answer of it"
        elif areas is not None:
            known = sorted(areas.loc[(areas["level"] == name) & (areas["valid_to"] == ""), "code"])
            zh, en = f"'{name}' 的代码不在地区表中", f"A code of '{name}' is not in the table of areas"
        else:
            continue
        refuse_rows(path, table.index[~table[name].isin(known)], code="S135", zh=zh, en=en, available=known)
    return table[by].assign(**{column: counts.astype(float)})


def refuse_rows(path: Path, rows: pd.Index, *, code: str, zh: str, en: str, available: Iterable[str] = ()) -> None:
    """Refuse the rows of a table of facts that break a rule, by their numbers in the file."""
    if len(rows):
        listed = shortened(rows + 2)
        raise SurveyError(
            code,
            f"{zh}（第 {listed} 行）。",
            f"{en} (rows {listed}).",
            where=str(path),
            available=available,
            hint=("改正这些行。", "Correct these rows."),
        )


def check_areas(areas: pd.DataFrame, ranked: str, path: Path) -> None:
    """Refuse a table of areas that is no tree with one top and the ranked level in it."""
    current = areas[areas["valid_to"] == ""]
    tops, codes = current.loc[current["parent"] == "", "code"], set(current["code"])
    lost = current[(current["parent"] != "") & ~current["parent"].isin(codes)]
    higher = dict(zip(current["code"], current["parent"], strict=True))
    circular = [code for code in codes if code not in lost["code"].to_numpy() and not _reaches_top(code, higher)]
    for wrong, zh, en in (
        (
            len(tops) != 1,
            f"须恰有一个没有上级的地区（现有 {len(tops)} 个）",
            f"exactly one area has no parent (found {len(tops)})",
        ),
        (len(lost), f"上级代码不存在: {shortened(lost['parent'])}", f"parents that do not exist: {shortened(lost['parent'])}"),
        (circular, f"上级成环: {shortened(circular)}", f"parents in a circle: {shortened(circular)}"),
        (ranked not in set(current["level"]), f"没有级别 '{ranked}'", f"there is no level '{ranked}'"),
        (current["code"].duplicated().any(), "现行代码重复", "a current code stands twice"),
    ):
        if wrong:
            raise SurveyError(
                "S146",
                f"地区表有误: {zh}。",
                f"The table of areas is not right: {en}.",
                where=str(path),
                available=sorted(set(current["level"])),
                hint=("改正地区表的 level 与 parent。", "Correct `level` and `parent` in the table of areas."),
            )


def _reaches_top(code: str, higher: dict[str, str]) -> bool:
    seen: set[str] = set()
    while code in higher and code not in seen:
        seen.add(code)
        code = higher[code]
    return code not in seen


def check_frame(frame: pd.DataFrame, sample: pd.DataFrame, *, strata: list[str], frame_path: Path, sample_path: Path) -> None:
    """Refuse a frame and a sample that do not have the same strata."""
    inhabited = frame[pd.to_numeric(frame["population"], errors="coerce") != 0]  # a stratum without people does not exist
    there, drawn = ({*table[strata].itertuples(index=False, name=None)} for table in (inhabited, sample))
    for code, missing, zh, en, path in (
        ("S144", there - drawn, "抽样框中的层没有样本", "Strata of the frame have no sample", sample_path),
        ("S145", drawn - there, "样本中的层不在抽样框中", "Strata of the sample are not in the frame", frame_path),
    ):
        if missing:
            listed = shortened(" / ".join(stratum) for stratum in sorted(missing))
            raise SurveyError(
                code,
                f"{zh}: {listed}。",
                f"{en}: {listed}.",
                where=str(path),
                hint=(
                    f"在 {path.name} 中补全这些层，或改正另一张表。",
                    f"Complete these strata in {path.name}, or correct the other table.",
                ),
            )
