"""Names of areas in place of their codes: exchanged where a name means one area only, and logged."""

from __future__ import annotations

import pandas as pd

from ..questionnaire import AreaItem
from ..survey import Survey
from .events import log_events
from .spelling import exchanged, fold


def code_area_names(text: pd.DataFrame, raw: pd.DataFrame, survey: Survey, events: list[pd.DataFrame]) -> None:
    """Write the code of an area in place of its name, in `text`, for every item that holds areas; each cell is logged.

    A name may stand with the names of the areas above it ("贵阳市白云区"). Names that several areas of the level bear are
    left as they are; a rule reports them.
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
    """Return the code of every area of a level by its folded name, alone and after the names above it; ambiguous ones left out."""
    current = areas[areas["valid_to"] == ""].set_index("code")
    found: dict[str, set[str]] = {}
    for code, row in current[current["level"] == level].iterrows():
        for spelling in {row["name"], row.get("name_en") or row["name"]}:
            above, names = row["parent"], [spelling]
            while above in current.index:
                names.append(current.loc[above, "name"] + names[-1])
                above = current.loc[above, "parent"]
            for text in filter(None, map(fold, names)):
                found.setdefault(text, set()).add(str(code))
    codes = set(current.index)
    return {text: next(iter(those)) for text, those in found.items() if len(those) == 1 and text not in codes}
