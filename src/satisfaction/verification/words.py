"""What verify and compare print, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ..io.yaml import Label
from .compare import Comparison
from .differences import Difference
from .verify import Verification

MOST = 20
STATES = {
    "changed": Label(zh="已改动", en="changed"),
    "missing": Label(zh="缺失", en="missing"),
    "unlisted": Label(zh="不在清单中", en="not listed"),
    "added": Label(zh="新增", en="added"),
}
KINDS = {
    "inputs": Label(zh="输入文件", en="input files"),
    "questionnaire": Label(zh="问卷", en="questionnaire"),
    "rules": Label(zh="规则", en="rules"),
    "program": Label(zh="程序版本", en="program version"),
    "responses": Label(zh="答卷行数", en="rows of responses"),
    "corrections": Label(zh="更正的答案", en="corrected answers"),
    "conventions": Label(zh="计算约定", en="conventions"),
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
        yield f"  {said(found.differing[0])}"
        if not (found.files or found.inputs or found.versions or found.trial):
            yield "  输入与程序都未变：文件内容不是由这些输入得出的。 Inputs and program are the same: the file is not what they give."
    else:
        yield f"一致 identical: {found.compared} 个文件重新计算后相同（12 位有效数字） files recomputed, the same to 12 digits"


def said(one: Difference) -> str:
    """Write a difference in one line."""
    place = " ".join(filter(None, [one.file, one.place, one.unit, one.column]))
    return f"{place}: 文件 file {one.old!r}，重算 recomputed {one.new!r}"


def comparison_lines(found: Comparison, *, most: int = MOST) -> list[str]:
    """Say which figures changed between two file sets, and why."""
    return list(_compared(found, most))


def _compared(found: Comparison, most: int) -> Iterator[str]:
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
        yield from (_figure(row) for _, row in found.figures.head(most).iterrows())
        yield from _rest(found.figures, most)
    if len(found.ranks):
        yield f"变化的名次或状态 changed ranks or statuses: {len(found.ranks)}"
        yield from (_rank(row) for _, row in found.ranks.head(most).iterrows())
        yield from _rest(found.ranks, most)


def _figure(row: pd.Series) -> str:
    change = "" if pd.isna(row["difference"]) else f"  ({row['difference']:+.4g})"
    return (
        f"  {row['level']} {row['code']} {row['name_zh']} {row['measure']}: {_shown(row['old'])} → {_shown(row['new'])}{change}"
    )


def _rank(row: pd.Series) -> str:
    statuses = "" if row["status_old"] == row["status_new"] else f"  {row['status_old']} → {row['status_new']}"
    return f"  {row['code']} {row['name_zh']}: {_shown(row['old'])} → {_shown(row['new'])}{statuses}"


def _shown(value: float) -> str:
    return "—" if pd.isna(value) else f"{value:.6g}"


def _rest(rows: pd.DataFrame, most: int) -> Iterator[str]:
    if len(rows) > most:
        yield f"  ... (+{len(rows) - most})"
