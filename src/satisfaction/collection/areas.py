"""Names of areas in place of their codes: exchanged where a name means one area only, and logged.

Which of the ranked areas have answers.
"""

from __future__ import annotations

import pandas as pd

from satisfaction.collection.log import log_events
from satisfaction.collection.spelling import exchanged, fold
from satisfaction.declarations.facts import short_names
from satisfaction.declarations.items import AreaItem
from satisfaction.declarations.survey import Survey


def code_area_names(
    text: pd.DataFrame, raw: pd.DataFrame, survey: Survey, events: list[pd.DataFrame]
) -> None:
    """Write the code of an area in place of its name, in `text`, for every item that holds areas; each cell is logged.

    A name may stand with the names of the areas above it ("贵阳市白云区"), and in a short form that only one area has ("白云",
    "贵阳白云"). Names that several areas bear are left as they are; a rule reports them.
    """
    if survey.areas is None:
        return
    for name, item in survey.questionnaire.items.items():
        if isinstance(item, AreaItem):
            known = area_names(survey.areas, name)
            found = {
                value: known[fold(value)] for value in text[name].unique() if fold(value) in known
            }
            if found:
                at = text[name].isin(list(found))
                events.append(log_events(raw, at, name, values=text[name], rule="R220"))
                codes = {value: found.get(value, value) for value in text[name].unique()}
                text[name] = exchanged(text[name], codes.__getitem__)


def area_names(areas: pd.DataFrame, level: str) -> dict[str, str]:
    """Return the code of every area of a level by its folded names; ambiguous ones are left out.

    A name stands alone or after the names above it; a short form counts where no other area of the table, former ones
    included, has it, and never before a name in full.
    """
    current = areas[areas["valid_to"] == ""].set_index("code")
    full: dict[str, set[str]] = {}
    short: dict[str, set[str]] = {}
    for code, row in current[current["level"] == level].iterrows():
        briefly = {row["name"], *short_names(row["name"])}
        above, chain = row["parent"], ""
        names = {row["name"], row.get("name_en") or row["name"]}
        told = set(briefly) | {f"{row['name']}人民政府"}
        while above in current.index:
            over = current.loc[above, "name"]
            chain = over + chain
            names |= {chain + row["name"], chain + (row.get("name_en") or row["name"])}
            told |= {upper + own for upper in (over, *short_names(over)) for own in briefly}
            above = current.loc[above, "parent"]
        for known, spellings in ((full, names), (short, told)):
            for text in filter(None, map(fold, spellings)):
                known.setdefault(text, set()).add(str(code))
    for code, name in zip(areas["code"], areas["name"], strict=True):
        for text in map(fold, {name, *short_names(name)}):
            if text in short:
                short[text].add(str(code))
    codes = set(current.index)
    return {
        text: next(iter(those))
        for text, those in (short | full).items()
        if len(those) == 1 and text not in codes
    }


def unanswered_areas(survey: Survey, by_area: pd.DataFrame) -> pd.DataFrame:
    """Return the ranked areas without an accepted row.

    Parameters
    ----------
    survey : Survey
    by_area : DataFrame
        As in `Responses`.

    Returns
    -------
    DataFrame
        code, name, parent (its name, empty where the table of areas has none), rows (read, all of them rejected).
    """
    names, parents = survey.area_names(), survey.parents()
    account = by_area.set_index("value")
    rows = []
    for code in survey.ranked_areas():
        counts = account.loc[code] if code in account.index else None
        if counts is None or not counts["accepted"]:
            parent = names.get(parents.get(code, ""))
            read = 0 if counts is None else int(counts["rows"])
            rows.append((code, names[code].zh, parent.zh if parent else "", read))
    return pd.DataFrame(rows, columns=["code", "name", "parent", "rows"])


def coverage_lines(survey: Survey, unanswered: pd.DataFrame) -> list[str]:
    """Say how many ranked areas have answers, and name those without, those of one parent in a line."""
    of = len(survey.ranked_areas())
    have = of - len(unanswered)
    lines = [f"{of} 个地区中 {have} 个有答卷 {have} of {of} areas have answers"]
    for parent, group in unanswered.groupby("parent", sort=False):
        named = []
        for one in group.itertuples():
            named.append(
                f"{one.name}（{one.rows} 行全被拒收 all rows rejected）" if one.rows else one.name
            )
        lines.append(
            f"  没有答卷 without answers: {parent} {'、'.join(named)}".replace(":  ", ": ")
        )
    return lines


def unread_lines(not_read: pd.DataFrame) -> list[str]:
    """Name the files that are not read, one a line."""
    return [f"没有读取 not read: {one.file}（{one.zh} {one.en}）" for one in not_read.itertuples()]
