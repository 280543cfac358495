"""The table of sampled persons who did not answer: what is known of them, coded like the respondents' answers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..questionnaire import AreaItem, NumberItem, Questionnaire, SingleItem
from .declared import SurveyFile
from .facts import read_facts, refuse_rows


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
        name: _coded(path, text[name], questionnaire, areas, optional=name in optional, weight=name == weight) for name in wanted
    }
    if questionnaire.roles.psu and sample is not None:
        _check_psus(path, text, sample, questionnaire)
    return pd.DataFrame(coded)


def _coded(
    path: Path, values: pd.Series, questionnaire: Questionnaire, areas: pd.DataFrame | None, *, optional: bool, weight: bool
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


def _check_psus(path: Path, text: pd.DataFrame, sample: pd.DataFrame, questionnaire: Questionnaire) -> None:
    roles = questionnaire.roles
    there = sample[[str(roles.psu), *roles.strata]].drop_duplicates().assign(_there=True)
    lost = text.merge(there, how="left")["_there"].isna().to_numpy()
    zh, en = "初级单元不在样本表的该层中", "The PSU is not in that stratum of the sample table"
    refuse_rows(path, text.index[lost], code="S169", zh=zh, en=en, available=sample[str(roles.psu)])
