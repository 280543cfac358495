"""Which figures changed between two file sets, and what changed in what they were made from.

What verify and compare print, in Chinese and English.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.files import check_new_file, new_file
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import read_table, unguarded, write_csv, write_xlsx
from satisfaction.publication.columns import typed
from satisfaction.publication.labels import twelve_digits
from satisfaction.publication.verify import (
    Difference,
    Verification,
    damage_said,
    flat,
    read_manifest,
    same,
)

CELL = ["level", "code", "measure"]
FIGURES = ["estimate", "se", "ci_low", "ci_high", "n"]
CORRECTED = "R216"
ROWS = ("rows", "accepted", "rejected", "blanked")
CONVENTIONS = (
    "bottom",
    "side",
    "level",
    "df",
    "ties",
    "marginal",
    "simultaneous",
    "membership",
    "probabilities",
    "selection",
)
CAUSES = ["kind", "what", "old", "new"]
WRITTEN = (".csv", ".xlsx")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two file sets.

    Attributes
    ----------
    old, new : Path
    causes : DataFrame
        kind ("inputs", "rules", "questionnaire", "program", "responses", "corrections", "conventions"), what, old, new.
    figures : DataFrame
        level, code, name_zh, measure, unit, old, new, difference (estimates), points (the difference in points 0-100), se_old,
        se_new, n_old, n_new: one row an estimate of which a figure changed, appeared or went; largest first.
    ranks : DataFrame
        code, name_zh, old, new, moved (positive: to a better rank), status_old, status_new; largest first.
    compared : int
        Estimates that both sets hold.
    """

    old: Path
    new: Path
    causes: pd.DataFrame = field(repr=False)
    figures: pd.DataFrame = field(repr=False)
    ranks: pd.DataFrame = field(repr=False)
    compared: int

    @property
    def nothing(self) -> bool:
        """Return whether nothing that is published changed."""
        return not len(self.figures) and not len(self.ranks)


def compare(old: str | Path, new: str | Path) -> Comparison:
    """Compare two file sets.

    Raises
    ------
    InputFileError
        F121 and F122 for a folder that is no file set of this format, F422 and F423 for a damaged one.
    """
    sides = Path(old), Path(new)
    with damage_said(*sides):
        return _compared(sides)


def _compared(sides: tuple[Path, Path]) -> Comparison:
    made = [read_manifest(side) for side in sides]
    causes = [*_from_manifests(*made), *_corrections(*sides)]
    before, after = (_table(side, "indices") for side in sides)
    figures = _changed_figures(before, after)
    ranks = _changed_ranks(*(_table(side, "ranking") for side in sides))
    both = len(before.merge(after, on=CELL))
    return Comparison(
        *sides, pd.DataFrame(causes, columns=CAUSES, dtype=object), figures, ranks, both
    )


def write_comparison(found: Comparison, path: Path) -> Path:
    """Write the changed estimates as csv, or causes, estimates and ranks as the sheets of a workbook.

    Raises
    ------
    ExportError
        X102 for another ending, X420 where something lies there.
    """
    check_new_file(path, WRITTEN, argument="--out")
    with new_file(path) as scratch:
        if path.suffix == ".csv":
            write_csv(found.figures, scratch)
        else:
            write_xlsx(
                {"causes": found.causes, "figures": found.figures, "ranks": found.ranks}, scratch
            )
    return path


def _table(folder: Path, name: str) -> pd.DataFrame:
    return typed(unguarded(read_table(folder / f"{name}.csv")))


def _from_manifests(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield what differs between what two sets were made from."""
    for name in old["inputs"] | new["inputs"]:
        states = [_short(made["inputs"].get(name)) for made in (old, new)]
        if states[0] != states[1]:
            yield "inputs", name, *states
    yield from _differing(
        "questionnaire",
        {"questionnaire": old["questionnaire"]},
        {"questionnaire": new["questionnaire"]},
    )
    yield from _differing("rules", old["rules"], new["rules"])
    yield from _differing("program", old["versions"], new["versions"])
    yield from _differing("responses", _counts(old), _counts(new))
    yield from _differing("conventions", _conventions(old), _conventions(new))


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "无 not there"


def _differing(
    kind: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    before, after = dict(flat(old)), dict(flat(new))
    for key in before | after:
        pair = before.get(key, ""), after.get(key, "")
        if not same(*pair):
            yield kind, key, *pair


def _counts(made: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the account of the rows, by response file."""
    return {
        f"{one['file']} {one['sheet']}".strip(): {name: one[name] for name in ROWS}
        for one in made["responses"]
    }


def _conventions(made: Mapping[str, Any]) -> dict[str, Any]:
    ranking = {name: made["ranking"].get(name) for name in CONVENTIONS}
    return {
        "estimates": made["estimates"],
        "ranking": ranking,
        "steps": made["steps"]["declared"],
        "selection": made["selection"],
    }


def _corrections(old: Path, new: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield the corrected answers that only one of the sets has."""
    before, after = (_corrected(side) for side in (old, new))
    for place in before | after:
        if before.get(place) != after.get(place):
            yield "corrections", place, before.get(place, ""), after.get(place, "")


def _corrected(folder: Path) -> dict[str, str]:
    log = unguarded(read_table(folder / "log.csv"))
    rows = log[log["rule"] == CORRECTED].to_dict("records")
    return {
        f"{one['file']} {one['sheet']} row {one['row']} {one['column']}".replace("  ", " "): str(
            one["value"]
        )
        for one in rows
    }


def _changed_figures(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    both = old.merge(new, on=CELL, how="outer", suffixes=("_old", "_new"), sort=False)
    changed = np.logical_or.reduce(
        [_unlike(both[f"{name}_old"], both[f"{name}_new"]) for name in FIGURES]
    )
    both = both[changed]
    difference = both["estimate_new"] - both["estimate_old"]
    unit = both["unit_new"].fillna(both["unit_old"])
    table = both[CELL].assign(
        name_zh=both["name_zh_new"].fillna(both["name_zh_old"]),
        unit=unit,
        old=both["estimate_old"],
        new=both["estimate_new"],
        difference=difference,
        points=difference.where(unit != "share 0-1", difference * 100),
        se_old=both["se_old"],
        se_new=both["se_new"],
        n_old=both["n_old"],
        n_new=both["n_new"],
    )
    return twelve_digits(_largest_first(table, "points"))


def _changed_ranks(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    both = old.merge(new, on="code", how="outer", suffixes=("_old", "_new"), sort=False)
    changed = _unlike(both["rank_old"], both["rank_new"]) | (
        both["status_old"] != both["status_new"]
    )
    both = both[changed]
    table = both[["code"]].assign(
        name_zh=both["name_zh_new"].fillna(both["name_zh_old"]),
        old=both["rank_old"],
        new=both["rank_new"],
        moved=both["rank_old"] - both["rank_new"],
        status_old=both["status_old"],
        status_new=both["status_new"],
    )
    return _largest_first(table, "moved")


def _unlike(old: pd.Series, new: pd.Series) -> np.ndarray[Any, Any]:
    """Tell where two columns of published numbers differ; both are written with 12 digits."""
    before, after = (one.astype("Float64").to_numpy(float, na_value=np.nan) for one in (old, new))
    return np.asarray((before != after) & ~(np.isnan(before) & np.isnan(after)))


def _largest_first(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Put the largest change first; what appeared or went, before all."""
    size = table[by].astype("Float64").to_numpy(float, na_value=np.inf)
    return table.iloc[np.argsort(-np.abs(size), kind="stable")].reset_index(drop=True)


MOST = 20
STATES = {
    "changed": _("changed"),
    "missing": _("missing"),
    "unlisted": _("not listed"),
    "added": _("added"),
}
KINDS = {
    "inputs": _("input files"),
    "questionnaire": _("questionnaire"),
    "rules": _("rules"),
    "program": _("program version"),
    "responses": _("rows of responses"),
    "corrections": _("corrected answers"),
    "conventions": _("conventions"),
}
NO_CAUSE = (
    "没有记录到原因：可能有文件被手工改动，请运行 satisfaction verify。 "
    "No cause is recorded: a file may have been changed by hand; run `satisfaction verify`."
)


def verification_lines(found: Verification) -> list[str]:
    """Say whether a file set is what its inputs give; if not, where it differs first and what may explain it."""
    return list(_verified(found))


def _verified(found: Verification) -> Iterator[str]:
    yield f"核对 verify: {found.folder}"
    for name, state in found.files.items():
        yield f"  文件被改动 file changed by hand since it was written: {name} {STATES[state]}"
    for name, state in found.inputs.items():
        yield f"  输入与当时不同 input is not what it was: {name} {STATES[state]}"
    for name, (old, new) in found.versions.items():
        yield f"  程序版本不同 another program version: {name} {old} → {new}"
    if found.trial:
        named = ", ".join(found.trial)
        yield f"  试算，所用声明与调查文件夹不同 a trial, made from other declarations than the survey's folder: {named}"
    if found.fault:
        yield f"无法重新计算 cannot be recomputed:\n{found.fault}"
    elif found.differing:
        yield f"不一致 differs: {len(found.differing)} / {found.compared} 个文件 files; 第一处 the first difference:"
        yield f"  {_difference_line(found.differing[0])}"
        if not (found.files or found.inputs or found.versions or found.trial):
            yield "  输入与程序都未变：文件内容不是由这些输入得出的。 Inputs and program are the same: the file is not what they give."
    else:
        yield f"一致 identical: {found.compared} 个文件重新计算后相同（12 位有效数字） files recomputed, the same to 12 digits"


def _difference_line(one: Difference) -> str:
    """Write a difference in one line."""
    place = " ".join(filter(None, [one.file, one.place, one.unit, one.column]))
    return f"{place}: 文件 file {one.old!r}，重算 recomputed {one.new!r}"


def comparison_lines(found: Comparison, *, most: int = MOST) -> list[str]:
    """Say which figures changed between two file sets, and why."""
    return list(_differences(found, most))


def _differences(found: Comparison, most: int) -> Iterator[str]:
    yield f"比较 compare: {found.old} → {found.new}"
    if found.nothing:
        yield f"没有变化：{found.compared} 个估计值与全部名次相同。 Nothing changed: {found.compared} estimates and all ranks are the same."
    for kind, rows in found.causes.groupby("kind", sort=False):
        yield f"{KINDS[str(kind)]}: {len(rows)}"
        yield from (f"  {row.what}: {row.old} → {row.new}" for row in rows.head(most).itertuples())
        yield from _rest(rows, most)
    if not found.nothing and not len(found.causes):
        yield NO_CAUSE
    if len(found.figures):
        yield f"变化的估计值 changed estimates: {len(found.figures)} (/ {found.compared})"
        yield from (_figure(row) for _unused, row in found.figures.head(most).iterrows())
        yield from _rest(found.figures, most)
    if len(found.ranks):
        yield f"变化的名次或状态 changed ranks or statuses: {len(found.ranks)}"
        yield from (_rank(row) for _unused, row in found.ranks.head(most).iterrows())
        yield from _rest(found.ranks, most)


def _figure(row: pd.Series) -> str:
    change = "" if pd.isna(row["difference"]) else f"  ({row['difference']:+.4g})"
    return f"  {row['level']} {row['code']} {row['name_zh']} {row['measure']}: {_shown(row['old'])} → {_shown(row['new'])}{change}"


def _rank(row: pd.Series) -> str:
    statuses = (
        ""
        if row["status_old"] == row["status_new"]
        else f"  {row['status_old']} → {row['status_new']}"
    )
    return (
        f"  {row['code']} {row['name_zh']}: {_shown(row['old'])} → {_shown(row['new'])}{statuses}"
    )


def _shown(value: float) -> str:
    return "—" if pd.isna(value) else f"{value:.6g}"


def _rest(rows: pd.DataFrame, most: int) -> Iterator[str]:
    if len(rows) > most:
        yield f"  ... (+{len(rows) - most})"
