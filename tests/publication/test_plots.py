"""Figures of the published tables: Chinese shows, nothing global changes, the same figure gives the same text."""

import functools
import gc
import re
import weakref
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.stats import norm

from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.figures import signed, text_columns
from satisfaction.foundation.language import use
from satisfaction.pipeline import run
from satisfaction.publication import plots
from satisfaction.publication.plots.areas import VERDICTS
from satisfaction.publication.plots.canvas import (
    ACCENT,
    ALERT,
    BAD,
    GOOD,
    LISTED,
    NEUTRAL,
    ON_LIST,
    OPEN,
    STATUS_FIRST,
    wrapped,
)
from satisfaction.publication.plots.ranks import RUNS, difference_table, runs
from satisfaction.publication.plots.verdicts import BELOW
from satisfaction.publication.plots.waves import CHANGED
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.publication.tables import indices_table
from satisfaction.ranking.rank import rank

NAMES = [
    "ladder",
    "probability",
    "rates",
    "topics",
    "pairs",
    "difference",
    "paths",
    "targets",
    "thresholds",
    "change",
]


@pytest.fixture(autouse=True)
def in_chinese():
    with use("zh"):
        yield


@pytest.fixture(scope="module")
def tables(unchanged):
    """Indices and ranking of the small survey, marked as simulated."""
    results = run(unchanged)
    indices = indices_table(results.survey, results.estimates)
    ranking = ranking_table(results.survey, results.estimates, results.ranking)
    said = "模拟数据，不是真实调查结果 simulated data, not a real survey"
    return indices.assign(mark=said), ranking.assign(mark=said)


@pytest.fixture(scope="module")
def many(tables):
    """A ranking of 88 units, ten of them listed, with every status and a unit that is not ranked."""
    indices, ranking = tables
    p, score = 88, np.linspace(80, 60, 88)
    rank = np.arange(1.0, p + 1)
    listed, status = (
        np.where(rank > 78, "yes", "no"),
        np.where(rank > 85, "established", np.where(rank > 40, "possible", "excluded")),
    )
    table = pd.DataFrame(
        {
            "code": [f"{900000 + i}" for i in range(p)], "name_zh": [f"务川仡佬族苗族自治县{i}" for i in range(p)], "name_en": [f"County {i}" for i in range(p)],
            "measure": ranking["measure"].iloc[0], "estimate": score, "se": 1.5, "rank": rank, "marginal_low": np.maximum(rank - 20, 1),
            "marginal_high": np.minimum(rank + 20, p), "simultaneous_low": 1.0, "simultaneous_high": 88.0, "listed": listed, "status": status,
            "probability_bottom": 1 / (1 + np.exp(78.5 - rank)), "mark": ranking["mark"].iloc[0],
        }
    )  # fmt: skip
    gone = [
        "rank",
        "marginal_low",
        "marginal_high",
        "simultaneous_low",
        "simultaneous_high",
        "probability_bottom",
    ]
    last = table.iloc[[-1]].assign(
        code="999999", status="not ranked", listed="no", **dict.fromkeys(gone, np.nan)
    )
    ranked = pd.concat([table, last], ignore_index=True)
    model = indices[
        (indices["level"] == indices["level"].iloc[0])
        & (indices["measure"] == ranking["measure"].iloc[0])
    ].iloc[[0]]
    rows = model.loc[model.index.repeat(p + 1)].reset_index(drop=True)
    rows = rows.assign(
        code=ranked["code"],
        estimate=ranked["estimate"],
        ci_low=ranked["estimate"] - 3,
        ci_high=ranked["estimate"] + 3,
    )
    return rows, ranked


@pytest.fixture(scope="module")
def field():
    """Everything that is drawn of rankings, by number of units; made once."""
    return functools.cache(made_up)


def made_up(p):
    """A field of p ranked units and one that is not, half of them with long names, none of it real."""
    random = np.random.default_rng(p)
    score, said = (
        np.sort(random.normal(70, 4, p))[::-1],
        "模拟数据，不是真实调查结果 simulated data, not a real survey",
    )
    codes, places = [f"{520000 + i}" for i in range(p + 1)], max(1, p // 9)
    found = rank(
        np.append(score, 50),
        random.uniform(0.8, 1.6, p + 1),
        df=23,
        names=codes,
        bottom=places,
        ranked=np.arange(p + 1) < p,
    )
    names = [
        ("白云区", "Baiyun District"),
        ("镇宁布依族苗族自治县", "Zhenning Buyei and Miao Autonomous County"),
    ]
    table = found.table.rename(columns={"unit": "code"}).assign(
        measure="satisfaction_index", name_zh=[f"{names[i % 2][0]}{i}" for i in range(p + 1)], mark=said,
        name_en=[f"{names[i % 2][1]} {i}" for i in range(p + 1)], listed=np.where(found.table["rank"].fillna(0) > p - places, "yes", "no"),
    )  # fmt: skip
    intervals = table.assign(
        ci_low=table["estimate"] - 3, ci_high=table["estimate"] + 3, kind="index", level="county", measure_zh="满意指数",
        measure_en="Satisfaction index",
    )  # fmt: skip
    ranked = intervals[:p]
    words = [
        ("met", "已达到"),
        ("not met", "未达到"),
        ("not decidable", "不能判定"),
        ("not ranked", "不排名"),
    ]
    known = [None if i % 4 == 3 else 0.9999 * (i + 1) / p for i in range(p)]
    targets = ranked[:100].assign(
        target="rise 5 since 2026Q2", target_zh="比2026Q2上升5位", verdict=[words[i % 4][0] for i in range(min(p, 100))],
        verdict_zh=[words[i % 4][1] for i in range(min(p, 100))], p_met=known[:100], p_not_met=known[:100], probability=known[:100],
    ).astype({"p_met": float, "p_not_met": float, "probability": float})  # fmt: skip
    status = np.where(
        intervals["ci_high"] < 68,
        "established",
        np.where(intervals["ci_low"] > 68, "excluded", "possible"),
    )
    share = {name: intervals[name] / 100 for name in ("estimate", "ci_low", "ci_high")}
    rates = intervals.assign(
        **share,
        measure="rate",
        measure_zh="满意率",
        measure_en="Satisfaction rate",
        threshold=0.68,
        unit="share 0-1",
    )
    thresholds = pd.concat([intervals.assign(threshold=68.0, unit="points 0-100"), rates]).assign(
        status=[*status, *status]
    )
    drift = {name: ranked[name] - 70 for name in ("ci_low", "ci_high")}
    changes = ranked.assign(
        change=ranked["estimate"] - 70, **drift, shrunk=(ranked["estimate"] - 70) / 3
    )
    moved = [pd.array([*(random.permutation(p) + 1), None], dtype="Int64") for _ in range(9)]
    waves = [
        intervals.assign(wave=f"202{q // 4}Q{q % 4 + 1}", rank=rank) for q, rank in enumerate(moved)
    ]
    waves[:3] = [wave.assign(marginal_low=np.nan, marginal_high=np.nan) for wave in waves[:3]]
    return {
        "ranking": table, "indices": intervals, "found": found, "order": found.order(), "thresholds": thresholds,
        "differences": difference_table(found, against=codes[min(p - 1, 2)]), "targets": targets,
        "changes": changes.assign(significant=changes["change"].abs() > 4), "paths": pd.concat(waves, ignore_index=True),
        "shares": table.assign(choices_list=table["probability_bottom"], sampling_list=np.nan, both_list=table["probability_bottom"] / 2),
    }  # fmt: skip


DRAWN = {
    "ladder": lambda of: plots.ranking_ladder(of["ranking"], of["indices"]),
    "probability": lambda of: plots.probability_near_cut(of["ranking"]),
    "pairs": lambda of: plots.pair_matrix(of["ranking"], of["order"]),
    "difference": lambda of: plots.difference_plot(of["ranking"], of["differences"]),
    "paths": lambda of: plots.rank_paths(of["paths"]),
    "targets": lambda of: plots.target_board(of["targets"]),
    "thresholds": lambda of: plots.threshold_plot(of["thresholds"]),
    "change": lambda of: plots.change_plot(of["changes"]),
    "shares": lambda of: plots.list_shares(of["shares"], {"bottom": 10, "side": "last"}),
}


def draw(name, tables, made):
    """Draw by name, `tables` of the small survey and `made` of made-up units."""
    indices, ranking = tables
    of_survey = {"rates": plots.rates_by_area, "topics": plots.topics}
    if name in of_survey:
        return of_survey[name](indices)
    return DRAWN[name](
        made | {"ranking": ranking, "indices": indices}
        if name in ("ladder", "probability")
        else made
    )


def texts(figure):
    found = figure.findobj(mpl.text.Text)
    return [text.get_text() for text in found if text.get_text()]


METHODS = {"Tukey", "Kramer", "Dunnett"}
MARK = {"zh": "模拟数据，不是真实调查结果", "en": "simulated data, not a real survey"}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_shows_one_language_and_carries_the_mark(name, language, tables, field):
    with use(language):
        shown = " ".join(texts(draw(name, tables, field(12)))).replace("\n", " ")
    assert not re.search(r"[0-9]\s+%", shown)
    if language == "zh":
        assert re.search("[一-鿿]{4}", shown)
        assert set(re.findall("[A-Za-z]{4,}", shown)) <= METHODS
        assert MARK["zh"] in shown.replace(" ", "")
    else:
        assert re.search("[A-Za-z]{4}", shown)
        assert not re.findall("[\u2e80-\uffef]+", shown)
        assert MARK["en"] in shown


@pytest.mark.parametrize("name", NAMES)
def test_without_a_mark_no_mark_is_written(name, tables, field):
    bare = {
        key: one.assign(mark="") if isinstance(one, pd.DataFrame) else one
        for key, one in field(12).items()
    }
    figure = draw(name, [table.assign(mark="") for table in tables], bare)
    assert not [text for text in texts(figure) if "模拟" in text or "simulated" in text]


@pytest.mark.parametrize("name", NAMES)
def test_chinese_is_drawn_with_a_chinese_font(name, tables, field, recwarn):
    svg = plots.svg(draw(name, tables, field(12)))
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    assert "NotoSansSC" in svg  # glyph outlines are named after their font
    assert "DejaVu" not in svg


@pytest.mark.parametrize("name", NAMES)
def test_the_same_tables_give_the_same_text_whatever_the_settings_of_the_caller(
    name, tables, field
):
    first = plots.svg(draw(name, tables, field(12)))
    with mpl.rc_context(
        {
            "font.size": 31,
            "axes.facecolor": "red",
            "font.family": ["DejaVu Sans"],
            "savefig.bbox": "tight",
        }
    ):
        second = plots.svg(draw(name, tables, field(12)))
    assert first == second
    assert "<dc:date>" not in first


def test_drawing_changes_no_global_setting_and_keeps_no_figure(tables):
    before = dict(mpl.rcParams)
    figure = plots.topics(tables[0])
    assert isinstance(figure, Figure)
    plots.svg(figure)
    assert dict(mpl.rcParams) == before
    left = weakref.ref(figure)
    del figure
    gc.collect()
    assert left() is None


def test_tables_are_not_changed(tables, field):
    given = [*tables, *(one for one in field(12).values() if isinstance(one, pd.DataFrame))]
    before = [table.copy() for table in given]
    for name in NAMES:
        draw(name, tables, field(12))
    for table, copy in zip(given, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("p", [3, 88, 150])
@pytest.mark.parametrize("name", DRAWN)
def test_no_text_touches_another_or_leaves_the_sheet(name, p, language, field):
    with use(language):
        figure = DRAWN[name](field(p))
    figure.draw_without_rendering()
    beyond = [  # ticks that are made but not drawn
        text
        for axes in figure.axes
        for text in axes.get_xticklabels()
        if not axes.viewLim.intervalx[0] <= text.get_position()[0] <= axes.viewLim.intervalx[1]
    ]
    found = [
        text
        for text in figure.findobj(mpl.text.Text)
        if text.get_visible() and text.get_text().strip()
    ]
    shown = [text for text in found if text not in beyond]
    boxes = np.array([text.get_window_extent().extents for text in shown])
    left, bottom, right, top = boxes.T
    across = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    along = np.minimum.outer(top, top) - np.maximum.outer(bottom, bottom)
    touching = np.argwhere(
        np.triu((across > 1) & (along > 2), 1)
    )  # pixels; a line's box has room above its letters
    assert [(shown[i].get_text(), shown[j].get_text()) for i, j in touching] == []
    width, height = figure.get_size_inches() * figure.dpi
    away = (left < 0) | (bottom < 0) | (right > width) | (top > height)
    assert [text.get_text() for text, outside in zip(shown, away, strict=True) if outside] == []


def test_no_rank_in_a_figure_without_its_set(many):
    indices, ranking = many
    sets = [
        f"{row.rank:.0f} [{row.marginal_low:.0f}–{row.marginal_high:.0f}]"
        for row in ranking.dropna(subset="rank").itertuples()
    ]
    assert [text for text in texts(plots.ranking_ladder(ranking, indices)) if "–" in text] == sets
    shown = [text for text in texts(plots.probability_near_cut(ranking)) if "仡佬族" in text]
    assert [text.split("  ")[1] for text in shown] == sets[68:]


def test_ladder_draws_the_cut_above_the_first_listed_unit(many):
    indices, ranking = many
    for axes in plots.ranking_ladder(ranking, indices).axes:
        assert [line.get_ydata()[0] for line in axes.lines] == [77.5]


def test_ladder_draws_a_second_line_where_units_are_tied_at_the_cut(many):
    indices, ranking = many
    tied = ranking.assign(listed=ranking["listed"].mask(ranking["rank"].isin([77, 78]), "tied"))
    axes = plots.ranking_ladder(tied, indices).axes[1]
    assert sorted(line.get_ydata()[0] for line in axes.lines) == [75.5, 77.5]


def test_ladder_rows_do_not_overlap_and_none_is_missing(many):
    indices, ranking = many
    figure = plots.ranking_ladder(ranking, indices)
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    assert len(boxes) == 89
    tops = sorted(box.y0 for box in boxes)
    assert min(np.diff(tops)) > 0.9 * max(box.height for box in boxes)
    assert min(box.x0 for box in boxes) >= 0


def test_a_unit_that_is_not_ranked_keeps_its_row_and_gets_no_rank(many):
    indices, ranking = many
    assert "不排名" in texts(plots.ranking_ladder(ranking, indices))


def test_probability_shows_ten_units_on_both_sides_of_the_cut(many):
    axes = plots.probability_near_cut(many[1]).axes[0]
    shown = [
        int(re.search(r" (\d+) \[", text.get_text())[1])
        for text in axes.texts
        if "[" in text.get_text()
    ]
    assert shown == list(range(69, 89))
    assert sorted(bar.get_width() for bar in axes.patches) == pytest.approx(
        sorted(100 * many[1]["probability_bottom"].iloc[68:88])
    )


def test_rates_show_the_areas_just_below_the_whole(tables):
    figure = plots.rates_by_area(tables[0])
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "市9901",
        "市9902",
    ]
    without = tables[0][tables[0]["level"] != "prefecture"]
    assert len(plots.rates_by_area(without).axes[0].texts) == 4


def test_topics_stand_strongest_first_at_their_estimates(tables):
    whole = tables[0][
        (tables[0]["level"] == "province") & (tables[0]["kind"] == "score")
    ].sort_values("estimate", ascending=False)
    at = plots.topics(tables[0]).axes[0].collections[-1].get_offsets()
    np.testing.assert_allclose(at, np.column_stack([whole["estimate"], range(len(whole))]))


def test_an_unbounded_interval_is_left_out(tables):
    endless = tables[0].assign(ci_low=-np.inf, ci_high=np.inf)
    axes = plots.topics(endless).axes[0]
    assert np.isfinite(axes.get_xlim()).all()
    plots.svg(axes.figure)


@pytest.mark.parametrize(
    "looks",
    [
        plots.STATUS,
        STATUS_FIRST,
        plots.VERDICT,
        plots.COMPARED,
        ON_LIST,
        BELOW,
        CHANGED,
        VERDICTS,
        RUNS,
    ],
)
def test_words_differ_in_lightness_and_shape(looks):
    three = [look for word, look in looks.items() if word != "not ranked"]
    grey = [
        sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), to_rgb(colour), strict=True))
        for _, colour, *_ in three
    ]
    assert all(abs(a - b) > 0.15 for a, b in combinations(grey, 2))
    assert len({look.marker for look in three}) == len(three)


def test_a_colour_means_the_same_in_every_picture():
    meant = [
        (plots.STATUS, "established", "excluded", "possible"),
        (STATUS_FIRST, "excluded", "established", "possible"),
        (BELOW, "established", "excluded", "possible"),
        (plots.VERDICT, "not met", "met", "not decidable"),
        (plots.COMPARED, "worse", "better", "undecided"),
        (VERDICTS, "weak", "strong", "not decidable"),
        (CHANGED, "down", "up", "no"),
    ]
    for looks, bad, good, undecided in meant:
        assert [looks[word].colour for word in (bad, good, undecided)] == [BAD, GOOD, OPEN]
    assert [ON_LIST[word].colour for word in ("yes", "tied", "no")] == [LISTED, OPEN, NEUTRAL]
    assert len({BAD, GOOD, OPEN, LISTED, NEUTRAL, ACCENT, ALERT}) == 7


def test_pages_colour_the_signs_of_a_status_as_the_pictures_do():
    from satisfaction.foundation.pages import fill

    said = fill("palette.css", {})
    assert f"--bad: {BAD}; --good: {GOOD};" in said
    assert re.search(r"^\.established .*, \.first \.excluded .*var\(--bad\)", said, re.MULTILINE)
    assert re.search(r"^\.excluded .*, \.first \.established .*var\(--good\)", said, re.MULTILINE)


@pytest.mark.parametrize(("side", "colour"), [("last", BAD), ("first", GOOD)])
def test_to_belong_to_the_first_is_good_and_to_the_last_bad(side, colour, many):
    indices, ranking = many
    figure = plots.ranking_ladder(ranking.assign(side=side), indices)
    assert figure.legends[0].legend_handles[0].get_color() == colour
    assert figure.legends[0].get_texts()[0].get_text().startswith("已确认属于")


def test_a_change_beyond_error_is_good_upwards_and_bad_downwards(field):
    rows = field(12)["changes"]
    for sign, colour in ((1, GOOD), (-1, BAD)):
        figure = plots.change_plot(
            rows.assign(change=sign * rows["change"].abs(), significant=True)
        )
        dots = max(
            (c for c in figure.axes[0].collections if isinstance(c, PathCollection)),
            key=lambda c: c.get_sizes()[0],
        )
        assert to_rgb(colour) in {tuple(one[:3]) for one in dots.get_facecolor().tolist()}


@pytest.mark.parametrize("looks", [plots.STATUS, plots.VERDICT])
def test_bars_differ_in_hatch(looks):
    assert len({look.hatch for word, look in looks.items() if word != "not ranked"}) == 3


@pytest.mark.parametrize("columns", [8, 20, 60])
def test_wrapping_keeps_the_text_and_the_width(columns):
    text = "非概率样本：基于模型，无设计误差 not a probability sample"
    lines = wrapped(text, columns).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(text_columns(line) for line in lines) <= max(columns, len("probability"))
    assert not [line for line in lines if line[:1] in tuple("，。：；、")]


def test_the_theme_is_seaborns():
    import seaborn as sns

    from satisfaction.publication.plots.canvas import SEABORN

    theirs = sns.plotting_context("paper", font_scale=1.05) | sns.axes_style("whitegrid")
    assert {
        key: pytest.approx(value) if isinstance(value, float) else value
        for key, value in theirs.items()
        if key in SEABORN
    } == SEABORN
    assert len(SEABORN) > 20


@pytest.mark.parametrize(
    ("side", "word", "shown"), [("last", "末", [77.5]), ("first", "前", [9.5])]
)
def test_the_cut_lies_where_the_list_ends(many, side, word, shown):
    indices, ranking = many
    listed = np.where(ranking["rank"] > 78 if side == "last" else ranking["rank"] < 11, "yes", "no")
    turned = ranking.assign(
        side=side,
        listed=listed,
        probability_bottom=ranking["probability_bottom"] * 10 / ranking["probability_bottom"].sum(),
    )
    assert [
        line.get_ydata()[0] for line in plots.ranking_ladder(turned, indices).axes[0].lines
    ] == shown
    figure = plots.probability_near_cut(turned)
    assert [line.get_ydata()[0] for line in figure.axes[0].lines] == [9.5]
    assert f"属于{word} 10 位的概率：分界两侧的 20 个单位" in texts(figure)


def test_probability_of_all_units(field):
    figure = plots.probability_near_cut(field(12)["ranking"], count=40)
    assert "属于末 1 位的概率：全部 12 个单位" in texts(figure)
    assert sum("[" in text.get_text() for text in figure.axes[0].texts) == 12


@given(arrays(bool, st.integers(1, 9).map(lambda p: (p, p))))
def test_runs_cover_exactly_the_true_cells(cells):
    seen = np.zeros(cells.shape, dtype=int)
    for (left, top), (right, _), (_, bottom), _ in runs(cells):
        seen[round(top + 0.5) : round(bottom + 0.5), round(left + 0.5) : round(right + 0.5)] += 1
    np.testing.assert_array_equal(seen, cells.astype(int))


def test_pair_matrix_shades_what_is_decided_in_rank_order(field):
    of = field(12)
    shuffled = of["ranking"].iloc[[*range(11, -1, -1), 12]].sort_values("rank", na_position="last")
    figure = plots.pair_matrix(shuffled, of["order"])
    better, worse, own = figure.axes[0].collections
    decided = of["order"].decided.to_numpy()
    sizes = [
        sum(np.ptp(path.vertices[:, 0]) for path in part.get_paths())
        for part in (better, worse, own)
    ]
    assert sizes == pytest.approx([(decided == 1).sum(), (decided == -1).sum(), 12])
    assert sizes[0] > 0
    assert all(path.vertices[:, 0].min() > path.vertices[:, 1].min() for path in better.get_paths())
    assert f"成对比较：66 对中 {of['order'].share:.1%} 能判定先后" in texts(figure)
    assert [line.get_ydata()[0] for line in figure.axes[0].lines[:1]] == [10.5]


@pytest.mark.parametrize("p", [3, 12, 88])
def test_differences_decide_what_the_simultaneous_sets_decide(p, field):
    found = field(p)["found"]
    table = difference_table(found, against=found.units.names[1])
    better = found.simultaneous.better
    expected = np.where(better[:, 1], "better", np.where(better[1], "worse", "undecided"))
    assert table["verdict"].tolist() == expected.tolist()
    assert table["method"].unique().tolist() == ["Dunnett C"]


def test_differences_for_one_unit_named_beforehand_are_narrower(field):
    found = field(12)["found"]
    wide, narrow = (
        difference_table(found, against="520003", interval=kind)
        for kind in ("simultaneous", "marginal")
    )
    others = wide["code"] != "520003"
    assert (narrow["low"] > wide["low"])[others].all()
    assert (narrow["high"] < wide["high"])[others].all()
    assert (wide.loc[~others, ["difference", "low", "high"]] == 0).all(axis=None)


def test_differences_of_known_errors_are_tukeys_and_dunnetts():
    from scipy.stats import studentized_range

    found = rank([3.0, 1.0, 0.0], [1.0, 1.0, 1.0], names=["a", "b", "c"], bottom=1)
    tukey, dunnett = (
        difference_table(found, against="c", interval=kind) for kind in ("simultaneous", "marginal")
    )
    assert tukey["high"][0] - 3 == pytest.approx(studentized_range.ppf(0.95, 3, 1e6), rel=1e-4)
    assert dunnett["high"][0] - 3 == pytest.approx(
        2.2121 * np.sqrt(2), rel=1e-4
    )  # Dunnett 1964, two treatments, df infinite
    assert set(tukey["method"]) | set(dunnett["method"]) == {"Tukey-Kramer", "Dunnett"}


def test_differences_turn_with_the_chosen_unit_and_with_the_direction(field):
    found = field(12)["found"]
    first, second = (
        difference_table(found, against=code).set_index("code") for code in ("520001", "520009")
    )
    there, back = first.loc["520009"], second.loc["520001"]
    assert (there["low"], there["high"]) == pytest.approx((-back["high"], -back["low"]))
    kept = found.units.ranked
    turned = rank(
        -found.units.estimate[kept],
        found.pairs.se,
        df=23,
        names=list(first.index),
        bottom=1,
        higher_is_better=False,
    )
    mirrored = difference_table(turned, against="520001").set_index("code")
    np.testing.assert_allclose(mirrored["difference"], -first["difference"])
    assert mirrored["verdict"].tolist() == first["verdict"].tolist()


@pytest.mark.parametrize("interval", ["simultaneous", "marginal"])
def test_differences_of_dependent_units_are_bonferronis(interval):
    cov = np.eye(3) + 0.5 * (1 - np.eye(3))
    found = rank([3.0, 1.0, 0.0], cov=cov, names=["a", "b", "c"], bottom=1)
    table = difference_table(found, against="c", interval=interval)
    count = 3 if interval == "simultaneous" else 2
    assert table["high"][0] - 3 == pytest.approx(norm.isf(0.025 / count))
    assert set(table["method"]) == {"Bonferroni"}


def test_without_a_probability_sample_no_difference_is_proven():
    found = rank([90.0, 10.0], [1.0, 1.0], names=["a", "b"], bottom=1, selection="quota")
    assert set(difference_table(found, against="a")["verdict"]) == {"undecided"}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda of: difference_table(of["found"], against="520012"), "K240"),
        (lambda of: difference_table(of["found"], against="520001", interval="joint"), "K241"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, code, field):
    with pytest.raises(RankingError) as caught:
        call(field(12))
    assert caught.value.code == code


def test_difference_plot_draws_each_unit_once_at_its_difference(field):
    of = field(12)
    axes = plots.difference_plot(of["ranking"], of["differences"]).axes[0]
    at = np.vstack([c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)])
    at = at[np.argsort(at[:, 1])]
    np.testing.assert_allclose(at, np.column_stack([of["differences"]["difference"], range(12)]))


def test_paths_show_those_on_the_list_and_a_hollow_mark_where_there_is_no_set(field):
    figure = plots.rank_paths(field(88)["paths"])
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == 9  # the list of 88 // 9 names is the same in all waves
    for axes in panels:
        hollow = [
            c
            for c in axes.collections
            if isinstance(c, PathCollection) and not len(c.get_facecolor())
        ]
        assert sum(len(c.get_offsets()) for c in hollow) == 3
        segments = [
            path
            for c in axes.collections
            if isinstance(c, LineCollection)
            for path in c.get_segments()
        ]
        assert sum(len(path) > 0 for path in segments) == 6
    assert any("无集合" in text for text in texts(figure))
    complete = field(88)["paths"].query("wave >= '2021Q1'")
    assert not any("无集合" in text for text in texts(plots.rank_paths(complete)))


def test_paths_name_what_is_left_out(field):
    said = texts(plots.rank_paths(field(150)["paths"]))
    assert "名次走势：12 个单位（另有 4 个未画）" in said


def test_target_board_shows_every_verdict_with_its_probability(field):
    of = field(12)["targets"]
    figure = plots.target_board(of)
    said = texts(figure)
    assert "目标：12 项，确认达到 3 项，不能判定 3 项" in said
    assert sum(text.startswith("不能判定，p = ") for text in said) == 3
    assert said.count("—") == said.count("不排名") - 1 == 3  # and once in the legend
    assert sorted(bar.get_width() for bar in figure.axes[0].patches) == pytest.approx(
        sorted(100 * of["probability"].dropna())
    )


def test_thresholds_are_sorted_and_in_their_unit(field):
    figure = plots.threshold_plot(field(12)["thresholds"])
    points, shares = figure.axes
    for axes in (points, shares):
        assert [line.get_xdata()[0] for line in axes.lines] == [68]
        at = np.vstack([c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)])
        assert len(at) == 13
        assert (np.diff(at[np.argsort(at[:, 1]), 0]) <= 0).all()
    assert "阈值 68 分" in points.get_title(loc="left")
    assert "阈值 68%" in shares.get_title(loc="left")


def test_change_shows_raw_and_shrunk_and_counts_what_is_beyond_error(field):
    of = field(12)["changes"]
    figure = plots.change_plot(of)
    at = [c.get_offsets() for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    np.testing.assert_allclose(at[-1][:, 0], of.sort_values("change", ascending=False)["shrunk"])
    assert sum(map(len, at)) == 24
    assert f"得分变化：12 个单位中 {of['significant'].sum()} 个的变化超出抽样误差" in texts(figure)


@pytest.mark.parametrize(
    ("value", "said"), [(-0.04, "+0.0"), (1.25, "+1.2"), (-3.0, "-3.0"), (np.nan, "—")]
)
def test_a_change_is_written_with_its_sign(value, said):
    assert signed(value) == said


def topics_of_an_area(low, high):
    rows = pd.DataFrame(
        {
            "difference": np.linspace(low, high, 6),
            "importance": np.arange(6.0),
            "high": np.arange(6) > 2,
        }
    )
    rows = rows.assign(
        ci_low=rows["difference"] - 0.4,
        ci_high=rows["difference"] + 0.4,
        verdict="not decidable",
        code="1",
        mark="",
    )
    named = {
        "name_zh": "县",
        "name_en": "County",
        "whole_zh": "省",
        "whole_en": "Province",
        "topic_zh": "项目",
        "topic_en": "Topic",
    }
    return rows.assign(**named)


@pytest.mark.parametrize(("low", "high"), [(0.5, 6.0), (-6.0, -0.5), (-2.0, 3.0)])
def test_the_advice_stands_over_the_half_it_is_for(low, high):
    """Also where an area is above the whole in every topic: "improve first" never lies over what is to be kept."""
    figure = plots.performance_plot(topics_of_an_area(low, high), code="1")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    zero = axes.transData.transform((0, 0))[0]
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert boxes["优先改进"].x1 < zero < boxes["继续保持"].x0


@pytest.mark.parametrize(
    ("language", "title", "topic"), [("zh", "县：优势", "项目"), ("en", "County: strong", "Topic")]
)
def test_topics_are_named_in_the_language_of_the_page(language, title, topic):
    with use(language):
        figure = plots.performance_plot(topics_of_an_area(-2, 3), code="1")
    assert figure.texts[0].get_text().startswith(title)
    assert {text.get_text() for text in figure.axes[0].texts} >= {topic}
    assert len({"项目", "Topic"} & set(texts(figure))) == 1
