"""The stability of a wave's ranks as a file set."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..errors import shortened
from ..pipeline import Results
from ..published import mark, twelve_digits
from ..rankings.floor import OWN_ERROR_STAYS
from ..waves.folder import write_set
from . import Stability
from .variants import Components

FACTOR_ZH = {
    "normalisation": "归一化", "aggregation": "合成方式", "weights": "权重", "dropped": "去掉一项", "variant": "分母规则", "sampling": "抽样误差",
}  # fmt: skip

ABOVE_ONE = (
    "总指数的真值不超过 1，高出的部分是模拟误差（± 为一个标准误），按 1 读。 "
    "A total index is at most 1; what lies above is simulation error (± is one standard error): read it as 1."
)


def export_stability(results: Results, found: Stability, parts: Components) -> Path:
    """Write stability.csv, sources.csv, .xlsx, .json and run.json; the folder is <survey>/out/<time>-stability/."""
    names = results.survey.area_names()
    table = found.table.assign(name_zh=found.table["area"].map(lambda code: names[code].zh), mark=mark(results.survey))
    sources = found.sources.assign(factor_zh=found.sources["factor"].map(FACTOR_ZH), mark=mark(results.survey))
    record = {"stability": dict(found.summary), "parts": list(parts.names), "variants": list(parts.variants)}
    tables = {"stability": twelve_digits(table), "sources": twelve_digits(sources)}
    return write_set([results], "stability", tables=tables, lines=stability_lines(results, found), record=record)


def stability_lines(results: Results, found: Stability) -> list[str]:
    """Say how far ranks move, what moves them, and who is in the list whatever is chosen."""
    summary, names = found.summary, results.survey.area_names()
    lines = [str(results.survey.declared.title), *filter(None, [mark(results.survey)])]
    for kind, zh in (("choices", "只换做法 choices only"), ("sampling", "只有抽样误差 sampling only"), ("both", "二者 both")):
        if kind not in summary["mean_shift"]:
            continue
        shift, changed = summary["mean_shift"][kind], summary["list_changed"][kind]
        lines.append(
            f"{zh}: 名次平均变动 mean shift of ranks {shift:.1f}；名单换掉 of the list change {changed:.1f} / {summary['bottom']}"
        )
    if under := shortened(results.ranking.summary.get("se_from_larger", ())):
        lines.append(f"{under}: {OWN_ERROR_STAYS}")
    if summary["left_out"]:
        unknown = "、".join(names[code].zh for code in summary["left_out"])
        lines.append(f"缺少部分得分，未参加 left out, a component is missing: {unknown}")
    for row in found.sources.sort_values("total_list", ascending=False).to_dict("records"):
        if row["values"] > 1 and pd.notna(row["total_list"]):
            lines.append(
                f"  {FACTOR_ZH[row['factor']]} {row['factor']}: 名单变动的总指数 total index of the list {row['total_list']:.2f} "
                f"(± {row['total_list_se']:.2f})，名次 of ranks {row['total_shift']:.2f} (± {row['total_shift_se']:.2f})"
            )
    if (found.sources[["total_list", "total_shift"]] > 1).any(axis=None):
        lines.append(ABOVE_ONE)
    inside = found.table["both_list" if "both" in summary["mean_shift"] else "choices_list"]
    always = found.table[inside >= 0.95]
    sometimes = found.table[(inside > 0.05) & (inside < 0.95)]
    named = "、".join(names[code].zh for code in always["area"]) or "无 none"
    lines.append(
        f"95% 以上的做法都在名单中 in the list in 95 % of the runs or more: {named}；时在时不在 now in, now out: {len(sometimes)}"
    )
    return [*lines, str(summary["said"])]
