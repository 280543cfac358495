"""The tables of facts beside survey.yaml, checked against the questionnaire and against one another.

The table of sampled persons who did not answer: what is known of them, coded like the respondents' answers.

Outcome codes and the cases that carry them: what the team calls an outcome, and AAPOR's category of it.

Short forms under which people know a Chinese administrative area: 丹寨 for 丹寨县, 关岭县 for 关岭布依族苗族自治县.

The files of responses that a survey reads, and all others beside them, each with the reason why it is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from satisfaction.declarations.items import AreaItem, NumberItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.wave import Margin, Quota, SurveyFile
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.files import files_below, matching, path_below
from satisfaction.foundation.grids import READ
from satisfaction.foundation.tables import read_table

AREA_COLUMNS = ("code", "name", "level", "parent")
VALIDITY = ("valid_from", "valid_to")


def columns(table: str, questionnaire: Questionnaire) -> tuple[str, ...]:
    """Return the columns a table of facts must have."""
    roles = questionnaire.roles
    return {
        "frame": (*roles.strata, "population"),
        "sample": (
            str(roles.psu),
            *roles.strata,
            "psu_probability",
            "person_probability",
            "planned",
        ),
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


def read_quota(
    path: Path, quota: Quota, questionnaire: Questionnaire, *, areas: pd.DataFrame | None
) -> pd.DataFrame:
    """Read a quota: cells as text that the items and the table of areas know, each once, with their planned interviews."""
    return _read_counts(path, quota.by, "planned", questionnaire, areas=areas)


def _read_counts(
    path: Path,
    by: list[str],
    column: str,
    questionnaire: Questionnaire,
    *,
    areas: pd.DataFrame | None,
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
            zh, en = (
                f"'{name}' 的代码不在地区表中",
                f"A code of '{name}' is not in the table of areas",
            )
        else:
            continue
        refuse_rows(
            path, table.index[~table[name].isin(known)], code="S135", zh=zh, en=en, available=known
        )
    return table[by].assign(**{column: counts.astype(float)})


def refuse_rows(
    path: Path, rows: pd.Index, *, code: str, zh: str, en: str, available: Iterable[str] = ()
) -> None:
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
    circular = [
        code
        for code in codes
        if code not in lost["code"].to_numpy() and not _reaches_top(code, higher)
    ]
    for wrong, zh, en in (
        (
            len(tops) != 1,
            f"须恰有一个没有上级的地区（现有 {len(tops)} 个）",
            f"exactly one area has no parent (found {len(tops)})",
        ),
        (
            len(lost),
            f"上级代码不存在: {shortened(lost['parent'])}",
            f"parents that do not exist: {shortened(lost['parent'])}",
        ),
        (
            circular,
            f"上级成环: {shortened(circular)}",
            f"parents in a circle: {shortened(circular)}",
        ),
        (
            ranked not in set(current["level"]),
            f"没有级别 '{ranked}'",
            f"there is no level '{ranked}'",
        ),
        (current["code"].duplicated().any(), "现行代码重复", "a current code stands twice"),
    ):
        if wrong:
            raise SurveyError(
                "S146",
                f"地区表有误: {zh}。",
                f"The table of areas is not right: {en}.",
                where=str(path),
                available=sorted(set(current["level"])),
                hint=(
                    "改正地区表的 level 与 parent。",
                    "Correct `level` and `parent` in the table of areas.",
                ),
            )


def _reaches_top(code: str, higher: dict[str, str]) -> bool:
    seen: set[str] = set()
    while code in higher and code not in seen:
        seen.add(code)
        code = higher[code]
    return code not in seen


def check_frame(
    frame: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    strata: list[str],
    frame_path: Path,
    sample_path: Path,
) -> None:
    """Refuse a frame and a sample that do not have the same strata."""
    inhabited = frame[
        pd.to_numeric(frame["population"], errors="coerce") != 0
    ]  # a stratum without people does not exist
    there, drawn = (
        {*table[strata].itertuples(index=False, name=None)} for table in (inhabited, sample)
    )
    for code, missing, zh, en, path in (
        (
            "S144",
            there - drawn,
            "抽样框中的层没有样本",
            "Strata of the frame have no sample",
            sample_path,
        ),
        (
            "S145",
            drawn - there,
            "样本中的层不在抽样框中",
            "Strata of the sample are not in the frame",
            frame_path,
        ),
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


def nonrespondent_columns(declared: SurveyFile, questionnaire: Questionnaire) -> tuple[str, ...]:
    """Return the columns the table must have: strata, PSU, the nonresponse step's items and the base step's."""
    roles, base, adjusted = questionnaire.roles, declared.base, declared.nonresponse
    psu = [roles.psu] if roles.psu else []
    by = adjusted.by if adjusted else []
    return tuple(dict.fromkeys([*roles.strata, *psu, *by, *(base.items if base else ())]))


def read_nonrespondents(
    path: Path,
    declared: SurveyFile,
    questionnaire: Questionnaire,
    *,
    areas: pd.DataFrame | None,
    sample: pd.DataFrame | None,
) -> pd.DataFrame:
    """Read the sampled persons who did not answer; other columns of the file are not kept anywhere.

    Parameters
    ----------
    path : Path
    declared : SurveyFile
    questionnaire : Questionnaire
    areas, sample : DataFrame or None
        Tables of the survey that codes of areas and PSUs must be found in.

    Returns
    -------
    DataFrame
        One row a person: single and number items as the respondents', others as text; a value that is not known is missing, which
        only `multiply` and `divide` of the base step allow.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S167 values that the item does not know, S169 a PSU that is not in the sample or
        not in that stratum of it.
    """
    wanted = nonrespondent_columns(declared, questionnaire)
    text = read_facts(path, wanted)[list(wanted)]
    weight = declared.base.column if declared.base else None
    optional = {*declared.base.multiply, *declared.base.divide} if declared.base else set()
    coded = {
        name: _coded(
            path, text[name], questionnaire, areas, optional=name in optional, weight=name == weight
        )
        for name in wanted
    }
    if questionnaire.roles.psu and sample is not None:
        _check_psus(path, text, sample, questionnaire)
    return pd.DataFrame(coded)


def _coded(
    path: Path,
    values: pd.Series,
    questionnaire: Questionnaire,
    areas: pd.DataFrame | None,
    *,
    optional: bool,
    weight: bool,
) -> pd.Series:
    """Return one column as the respondents' table holds it."""
    name, wrong = str(values.name), pd.Series(False, index=values.index)
    item, known = questionnaire.items[name], []
    if isinstance(item, SingleItem):
        known = [str(code) for code in questionnaire.answers(name)]
    elif isinstance(item, AreaItem) and areas is not None:
        known = sorted(areas.loc[(areas["level"] == name) & (areas["valid_to"] == ""), "code"])
    if known:
        wrong = ~values.isin(known)
    coded = values.astype(object)
    if isinstance(item, NumberItem):
        coded = pd.to_numeric(values, errors="coerce")
        wrong = (values != "") & ~item.allows(coded, weight=weight)
        known = [f"{item.low}-{item.high}"]
    wrong |= (values == "") & (not optional)
    zh, en = f"'{name}' 的值缺失或无效", f"Values of '{name}' are missing or invalid"
    refuse_rows(path, values.index[wrong], code="S167", zh=zh, en=en, available=known)
    if isinstance(item, NumberItem) and (weight or item.step != 1):
        return coded.astype("Float64")
    return coded.astype("Int64") if isinstance(item, SingleItem | NumberItem) else coded


def _check_psus(
    path: Path, text: pd.DataFrame, sample: pd.DataFrame, questionnaire: Questionnaire
) -> None:
    roles = questionnaire.roles
    there = sample[[str(roles.psu), *roles.strata]].drop_duplicates().assign(_there=True)
    lost = text.merge(there, how="left")["_there"].isna().to_numpy()
    zh, en = "初级单元不在样本表的该层中", "The PSU is not in that stratum of the sample table"
    refuse_rows(path, text.index[lost], code="S169", zh=zh, en=en, available=sample[str(roles.psu)])


DISPOSITIONS = {
    "I": ("完成", "complete interview"),
    "P": ("部分完成", "partial interview"),
    "R": ("拒访与中止", "refusal and break-off"),
    "NC": ("未接触", "non-contact"),
    "O": ("其他合格未完成", "other, eligible"),
    "UH": ("是否有合格住户不明", "unknown whether an eligible household"),
    "UO": ("是否合格不明（其他）", "unknown eligibility, other"),
    "NE": ("不合格", "not eligible"),
}


def read_outcomes(path: Path) -> dict[str, str]:
    """Read the map of outcome codes of a survey folder: columns code and disposition, others are for readers.

    Raises
    ------
    InputFileError, SurveyError
        For a file or column that is not there; S191 a code stands twice, S192 an unknown disposition.
    """
    table = read_facts(path, ("code", "disposition"))
    twice = table.index[table["code"].duplicated()]
    refuse_rows(path, twice, code="S191", zh="结果代码重复", en="An outcome code stands twice")
    unknown = table.index[~table["disposition"].isin(list(DISPOSITIONS))]
    zh, en = "不是 AAPOR 处置类别", "`disposition` is none of AAPOR's"
    refuse_rows(path, unknown, code="S192", zh=zh, en=en, available=DISPOSITIONS)
    return dict(zip(table["code"], table["disposition"], strict=True))


def read_cases(
    path: Path, *, area: str, areas: list[str], outcomes: dict[str, str]
) -> pd.DataFrame:
    """Read the sampled cases, one row each: the area and its outcome; other columns of the file are not kept anywhere.

    Parameters
    ----------
    path : Path
    area : str
        Column of the area.
    areas : list of str
        Its codes.
    outcomes : dict of str to str
        As `read_outcomes` returns them.

    Returns
    -------
    DataFrame
        The area's column and `outcome`, as text.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S193 an area or S194 an outcome code that is not known.
    """
    table = read_facts(path, (area, "outcome"))[[area, "outcome"]]
    for column, known, code, zh, en in (
        (area, areas, "S193", "地区代码不在地区表中", "The area is not in the table of areas"),
        (
            "outcome",
            list(outcomes),
            "S194",
            "结果代码不在代码对照表中",
            "The outcome code is not in the map",
        ),
    ):
        refuse_rows(
            path, table.index[~table[column].isin(known)], code=code, zh=zh, en=en, available=known
        )
    return table


PEOPLES = (
    "布依|土家|仡佬|苗|侗|水|彝|回|瑶|壮|满|蒙古|藏|维吾尔|哈萨克|傣|白|哈尼|黎|傈僳|佤|拉祜|纳西|羌|土|东乡|景颇|"
    "柯尔克孜|撒拉|布朗|毛南|仫佬|锡伯|达斡尔|朝鲜|畲|普米|裕固|保安|独龙|怒|塔吉克|鄂温克|阿昌|各"
)
AUTONOMOUS = re.compile(rf"(?P<stem>.{{2,}}?)(?:(?:{PEOPLES})族)*自治(?P<kind>[县州旗])")
ORDINARY = re.compile(r"(?P<stem>.{2,}?)(?:特区|新区|地区|[县市区省州])")


def short_names(name: str) -> set[str]:
    """Return the short forms of an area's name; none of them need be unique."""
    if found := AUTONOMOUS.fullmatch(name):
        stem, kind = found["stem"], found["kind"]
        return {stem, f"{stem}{kind}", f"{stem}自治{kind}"} - {name}
    if found := ORDINARY.fullmatch(name):
        return {found["stem"]}
    return set()


READABLE = frozenset({*READ, ".sav", ".zsav"})
TEXTS = (".pdf", ".doc", ".docx", ".wps", ".ppt", ".pptx", ".dps", ".md")
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".heic")
RECORDINGS = (".mp3", ".m4a", ".amr", ".wav", ".mp4", ".mov")
DOCUMENTS = frozenset({*TEXTS, *PICTURES, *RECORDINGS})  # no table of answers stands in these
FOLDER = "responses"
WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Unread:
    """A file beside the responses that is not read.

    Attributes
    ----------
    file : str
        Path below the survey folder.
    zh, en : str
        Why it is not read.
    stops : bool
        Whether a run stops, because answers may stand in it.
    """

    file: str
    zh: str
    en: str
    stops: bool


@dataclass(frozen=True, slots=True)
class Delivered:
    """What lies in the folders of responses.

    Attributes
    ----------
    files : tuple of Path
        To be read, in reading order.
    unread : tuple of Unread
    unmatched : tuple of str
        Patterns of `files` without a file.
    """

    files: tuple[Path, ...]
    unread: tuple[Unread, ...]
    unmatched: tuple[str, ...]


def find_delivered(folder: Path, declared: SurveyFile) -> Delivered:
    """Look for the files of responses: every pattern's in name order, without those that `ignore` names.

    A pattern with a wildcard takes only files of a kind that is read; a file named in full is taken whatever it is.
    """
    ignored = {path for pattern in declared.ignore for path in matching(folder, pattern)}
    files: list[Path] = []
    unmatched: list[str] = []
    for entry in declared.files:
        matches = [path for path in matching(folder, entry.pattern) if path not in ignored]
        if WILD & set(entry.pattern):
            matches = [path for path in matches if path.suffix.lower() in READABLE]
        if not matches:
            unmatched.append(entry.pattern)
        files += [path for path in matches if path not in files]
    beside = [path for name in _folders(declared) for path in files_below(folder / name)]
    unread = [
        _unread(path, folder, ignored=path in ignored) for path in beside if path not in files
    ]
    return Delivered(tuple(files), tuple(unread), tuple(unmatched))


def _folders(declared: SurveyFile) -> list[str]:
    """Return the folders that hold responses, by their names below the survey folder."""
    first = [PurePosixPath(entry.pattern).parts[:-1][:1] for entry in declared.files]
    named = [
        parts[0]
        for parts in first
        if parts and parts[0] not in (".", "..") and not WILD & set(parts[0])
    ]
    return list(dict.fromkeys([FOLDER, *named]))


def _unread(path: Path, folder: Path, *, ignored: bool) -> Unread:
    file, kind = path_below(folder, path), path.suffix.lower()
    if ignored:
        return Unread(
            file,
            "survey.yaml 的 ignore 已列出",
            "listed under `ignore` in survey.yaml",
            stops=False,
        )
    if kind in DOCUMENTS:
        return Unread(
            file,
            "文档、图片或录音，不是数据表",
            "a document, picture or recording, no table",
            stops=False,
        )
    if kind in READABLE:
        return Unread(
            file, "survey.yaml 的 files 未列入", "not among `files` in survey.yaml", stops=True
        )
    return Unread(
        file,
        f"不能读取 {kind or '无扩展名'} 文件",
        f"files of type '{kind}' are not read",
        stops=True,
    )
