"""Names of areas in place of their codes: exchanged where a name means one area only, and logged."""

from __future__ import annotations

import pandas as pd

from ..questionnaire import AreaItem
from ..survey import Survey
from ..survey.short_names import short_names
from .events import log_events
from .spelling import exchanged, fold


def code_area_names(text: pd.DataFrame, raw: pd.DataFrame, survey: Survey, events: list[pd.DataFrame]) -> None:
    """Write the code of an area in place of its name, in `text`, for every item that holds areas; each cell is logged.

    A name may stand with the names of the areas above it ("贵阳市白云区"), and in a short form that only one area has ("白云",
    "贵阳白云"). Names that several areas bear are left as they are; a rule reports them.
    """
    if survey.areas is None:
        return
    for name, item in survey.questionnaire.items.items():
        if isinstance(item, AreaItem):
            known = area_names(survey.areas, name)
            found = {value: known[fold(value)] for value in text[name].unique() if fold(value) in known}
            if found:
                at = text[name].isin(list(found))
                events.append(log_events(raw, at, name, values=text[name], rule="R220"))
                text[name] = exchanged(text[name], lambda value, found=found: found.get(value, value))  # type: ignore[misc]


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
    return {text: next(iter(those)) for text, those in (short | full).items() if len(those) == 1 and text not in codes}
