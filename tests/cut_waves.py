"""Shipped waves cut to a few counties: every file and every rule of theirs, a sixth of the respondents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from satisfaction.foundation.tables import read_table

SURVEYS = Path(__file__).parents[1] / "surveys"
COUNTIES = (
    "520102", "520103", "520111", "520201", "520203", "520281", "520302", "520303", "520527", "522301", "522302", "522601",
    "522702",
)  # fmt: skip
"""Those with a target, a veto of either kind, and of teams that deliver workbooks."""
SMALLER = {"list_size: 10": "list_size: 3", "top: 20": "top: 4", "top: 40": "top: 6"}
"""Rules among all counties, and among these."""
COUNTY = slice(7, 13)
"""Where the county stands in a respondent's identifier."""


def cut_wave(name: str, root: Path) -> Path:
    """Write a shipped wave, of its `COUNTIES` alone, into root/surveys; returns its folder."""
    folder = root / "surveys" / name
    shutil.copytree(SURVEYS / name, folder, ignore=shutil.ignore_patterns("out", "truth.csv"))
    shutil.copytree(SURVEYS.parent / "questionnaires", root / "questionnaires", dirs_exist_ok=True)
    for path in [*folder.glob("*.csv"), *folder.glob("responses/*")]:
        if path.suffix == ".xlsx":
            rows = kept_rows(pd.read_excel(path, dtype=str, engine="calamine"))
            rows.to_excel(path, index=False, engine="xlsxwriter")
            continue
        encoding = encoding_of(path)
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding=encoding)
        rows = kept_rows(table)
        rows.to_csv(path, index=False, encoding=encoding)
        if rows.empty:  # a team all of whose counties are elsewhere
            path.unlink()
    rules = folder / "rules.yaml"
    declared = rules.read_text(encoding="utf-8")
    for among_all, among_few in SMALLER.items():
        declared = declared.replace(among_all, among_few)
    rules.write_text(declared, encoding="utf-8")
    assert set(read_table(folder / "frame.csv")["county"]) == set(COUNTIES)
    return folder


def encoding_of(path: Path) -> str:
    """Return the encoding that a team delivered a file in."""
    try:
        path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def kept_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about the counties, about the prefectures they lie in, and about the whole."""
    if "level" in table:  # the table of areas
        counties = table["code"].isin(COUNTIES)
        above = table["code"].isin(table.loc[counties, "parent"]) | (table["level"] == "province")
        return table[counties | above]
    if "county" in table:
        return table[table["county"].isin(COUNTIES)]
    if "code" in table:
        return table[table["code"].isin(COUNTIES)]
    return table[table["respondent_id"].str[COUNTY].isin(COUNTIES)]
