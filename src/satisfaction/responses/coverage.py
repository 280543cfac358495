"""Which of the ranked areas have answers."""

from __future__ import annotations

import pandas as pd

from ..survey import Survey


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
            named.append(f"{one.name}（{one.rows} 行全被拒收 all rows rejected）" if one.rows else one.name)
        lines.append(f"  没有答卷 without answers: {parent} {'、'.join(named)}".replace(":  ", ": "))
    return lines


def unread_lines(not_read: pd.DataFrame) -> list[str]:
    """Name the files that are not read, one a line."""
    return [f"没有读取 not read: {one.file}（{one.zh} {one.en}）" for one in not_read.itertuples()]
