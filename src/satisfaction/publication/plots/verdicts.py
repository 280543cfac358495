"""Pictures of what a rule decides for each unit: targets and thresholds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from satisfaction.foundation.figures import estimate_text, p_value
from satisfaction.foundation.language import _
from satisfaction.publication.labels import label_of
from satisfaction.publication.plots.canvas import (
    ALERT,
    NAME_COLUMNS,
    POINT,
    SMALL,
    STATUS,
    VERDICT,
    WIDTH,
    breadth,
    columns_in,
    dot,
    draw_intervals,
    draw_points,
    has_intervals,
    label_rows,
    lines,
    mark_of,
    name,
    names_of,
    new_canvas,
    row_height,
    scale_of,
    text_columns,
    themed,
    used,
    wrapped,
    write_right,
)
from satisfaction.publication.plots.ranks import draw_probabilities

BELOW = {
    "established": STATUS["established"]._replace(label="已确认低于 established below"),
    "possible": STATUS["possible"]._replace(label="不能确定 possible"),
    "excluded": STATUS["excluded"]._replace(label="已排除低于 excluded"),
}
LIMIT: dict[str, Any] = {"color": ALERT, "linewidth": 1.1, "linestyle": "--"}
BESIDE = 0.6  # inches between bars and verdicts, for the number of a full bar


@themed
def target_board(targets: pd.DataFrame) -> Figure:
    """Draw one row a target: its probability as a bar with the number, and its verdict with the p-value.

    Parameters
    ----------
    targets : DataFrame
        code, name_zh, name_en, target, target_zh, verdict ("met", "not met", "not decidable", "not ranked"), verdict_zh,
        p_met, p_not_met (one-sided), probability (0-1; missing where there is none), mark; in the order to be drawn. At least
        one row.
    """
    rows = targets.reset_index(drop=True)
    records = rows.to_dict("records")
    names = [name_with_target(row) for row in records]
    said = [verdict_with_p(row) for row in records]
    met = int((rows["verdict"] == "met").sum())
    open_ = int((rows["verdict"] == "not decidable").sum())
    figure, grid = new_canvas(
        _("Targets: {n}; met {met}, not decidable {open}", n=len(rows), met=met, open=open_),
        mark_of(rows), body=row_height([*names, *said], 0.28) * len(rows) + 0.1, left=breadth(names),
        right=breadth(said) + BESIDE + 0.1, legend=[dot(look) for look in used(VERDICT, rows["verdict"])],
    )  # fmt: skip
    axes = grid[0, 0]
    draw_probabilities(axes, rows["probability"], [VERDICT[verdict] for verdict in rows["verdict"]])
    draw_verdicts(axes, rows["verdict"], said)
    label_rows(axes, names)
    axes.set_xlabel(
        "达到的模型概率（经验贝叶斯），不是确认；右侧：判定\nprobability of being met under a model, not a proof; beside: verdict"
    )
    return figure


def name_with_target(row: Any) -> str:
    """Return whose target it is and what it asks; what it asks goes to a line of its own where one line is too short."""
    asked = f"{row['target_zh']} {row['target']}"
    whole = f"{label_of(row, 'name')}：{asked}"
    if text_columns(whole) <= NAME_COLUMNS:
        return whole
    return f"{name(row)}：\n{wrapped(asked, NAME_COLUMNS)}"


def verdict_with_p(row: Any) -> str:
    """Return a verdict in both languages with the smaller of the two one-sided p-values, which decides it."""
    verdict = f"{row['verdict_zh']} {row['verdict']}"
    if pd.isna(row["p_met"]):
        return verdict
    p = p_value(min(row["p_met"], row["p_not_met"]))
    return f"{verdict}, p {p}" if p[0] in "<>" else f"{verdict}, p = {p}"


def draw_verdicts(axes: Axes, verdicts: pd.Series, said: list[str]) -> None:
    """Write one verdict a row to the right of the axes, behind its marker."""
    width = axes.get_position().width * WIDTH
    for row, (verdict, text) in enumerate(zip(verdicts, said, strict=True)):
        look, beside = VERDICT[verdict], axes.get_yaxis_transform()
        style = POINT | {"transform": beside, "clip_on": False}
        axes.scatter(1 + BESIDE / width, row, marker=look.marker, color=look.colour, **style)
        axes.text(
            1 + (BESIDE + 0.12) / width, row, text, transform=beside, va="center", fontsize=SMALL
        )


@themed
def threshold_plot(thresholds: pd.DataFrame) -> Figure:
    """Draw every unit's estimate with its interval beside a threshold, largest first; one panel a threshold.

    Parameters
    ----------
    thresholds : DataFrame
        code, name_zh, name_en, threshold, estimate, ci_low, ci_high, status ("established", "possible", "excluded": being
        below), mark; optionally measure, measure_zh, measure_en, and unit ("points 0-100" or "share 0-1"; without it a
        threshold of at most 1 is a share). At least one row.
    """
    asked = [name for name in ("measure", "threshold") if name in thresholds]
    parts = [
        part.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
        for _unused, part in thresholds.groupby(asked, sort=False)
    ]
    longest = max(map(len, parts))
    names = [names_of(part) for part in parts]
    every = [name for part in names for name in part]
    left = breadth(every)
    heads = [wrapped(threshold_head(part), columns_in(WIDTH - left - 0.1)) for part in parts]
    head = 0.17 * max(map(lines, heads)) + 0.12
    what = _("estimate")
    if has_intervals(thresholds):
        what = _("estimate and interval")
    figure, grid = new_canvas(
        _("Thresholds: every unit's {what} beside the threshold", what=what), mark_of(thresholds),
        body=row_height(every, 0.185) * longest + 0.1, left=left, right=0.6, rows=len(parts), gap=head + 0.55, head=head,
        legend=[*(dot(look) for look in BELOW.values()), Line2D([], [], label="门槛 threshold", **LIMIT)],
    )  # fmt: skip
    for axes, part, title, labels in zip(grid[:, 0], parts, heads, names, strict=True):
        draw_threshold(axes, part)
        label_rows(axes, [*labels, *[""] * (longest - len(labels))])
        axes.set_title(title, loc="left", fontsize=SMALL)
    return figure


def threshold_head(part: pd.DataFrame) -> str:
    """Return what one panel is about, with the number of units in each status."""
    first, scale = part.iloc[0], threshold_scale(part)
    measure = f"{label_of(first, 'measure')}：" if "measure_zh" in part else ""
    limit = f"{first['threshold'] * scale:g}" + ("%" if scale == 100 else " 分 points")
    counted = ", ".join(
        f"{look.label} {(part['status'] == word).sum()}" for word, look in BELOW.items()
    )
    return f"{measure}门槛 threshold {limit}; {counted}"


def draw_threshold(axes: Axes, part: pd.DataFrame) -> None:
    """Draw estimates and intervals of one threshold, and its line."""
    scale = threshold_scale(part)
    draw_intervals(axes, part, scale=scale)
    draw_points(axes, part["estimate"] * scale, part["status"], BELOW)
    axes.axvline(part["threshold"].iloc[0] * scale, zorder=2, **LIMIT)
    numbers = [estimate_text(value * scale, "") for value in part["estimate"]]
    write_right(axes, numbers, size=7.5)
    axes.xaxis.set_major_formatter("{x:g}%" if scale == 100 else "{x:g}")
    label = "估计值 estimate"
    if has_intervals(part):
        label = (
            "估计值与（双侧）置信区间；状态由单侧检验判定\n"
            "estimate with its two-sided interval; the status is decided by a one-sided test"
        )
    axes.set_xlabel(label)


def threshold_scale(part: pd.DataFrame) -> int:
    """Return the factor to percent or points; without a unit a threshold of at most 1 is a share."""
    if "unit" in part:
        return scale_of(part)[0]
    return 100 if part["threshold"].iloc[0] <= 1 else 1
