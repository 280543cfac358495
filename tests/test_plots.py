"""Figures of the published tables: Chinese shows, nothing global changes, the same figure gives the same text."""

import gc
import re
import weakref
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from satisfaction import plots
from satisfaction.pipeline import run
from satisfaction.plots.canvas import text_columns, wrapped
from satisfaction.published import indices_table, ranking_table

NAMES = ["ladder", "probability", "rates", "topics"]


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
    gone = ["rank", "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high", "probability_bottom"]
    last = table.iloc[[-1]].assign(code="999999", status="not ranked", listed="no", **dict.fromkeys(gone, np.nan))
    ranked = pd.concat([table, last], ignore_index=True)
    model = indices[(indices["level"] == indices["level"].iloc[0]) & (indices["measure"] == ranking["measure"].iloc[0])].iloc[[0]]
    rows = model.loc[model.index.repeat(p + 1)].reset_index(drop=True)
    rows = rows.assign(
        code=ranked["code"], estimate=ranked["estimate"], ci_low=ranked["estimate"] - 3, ci_high=ranked["estimate"] + 3
    )
    return rows, ranked


def draw(name, indices, ranking):
    drawn = {
        "ladder": lambda: plots.ranking_ladder(ranking, indices), "probability": lambda: plots.probability_near_cut(ranking),
        "rates": lambda: plots.rates_by_area(indices), "topics": lambda: plots.topics(indices),
    }  # fmt: skip
    return drawn[name]()


def texts(figure):
    found = figure.findobj(mpl.text.Text)
    return [text.get_text() for text in found if text.get_text()]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_bilingual_and_carries_the_mark(name, tables):
    said = " ".join(texts(draw(name, *tables))).replace("\n", "")
    assert re.search("[一-鿿]", said)
    assert re.search("[A-Za-z]{4}", said)
    assert "模拟数据，不是真实调查结果" in said
    assert "simulated data" in said


@pytest.mark.parametrize("name", NAMES)
def test_without_a_mark_no_mark_is_written(name, tables):
    figure = draw(name, *(table.assign(mark="") for table in tables))
    assert not [text for text in texts(figure) if "模拟" in text or "simulated" in text]


@pytest.mark.parametrize("name", NAMES)
def test_chinese_is_drawn_with_a_chinese_font(name, tables, recwarn):
    svg = plots.svg(draw(name, *tables))
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    assert "NotoSansSC" in svg  # glyph outlines are named after their font
    assert "DejaVu" not in svg


@pytest.mark.parametrize("name", NAMES)
def test_the_same_tables_give_the_same_text_whatever_the_settings_of_the_caller(name, tables):
    first = plots.svg(draw(name, *tables))
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "red", "font.family": ["DejaVu Sans"], "savefig.bbox": "tight"}):
        second = plots.svg(draw(name, *tables))
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


def test_tables_are_not_changed(tables):
    before = [table.copy() for table in tables]
    for name in NAMES:
        draw(name, *tables)
    for table, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_no_rank_in_a_figure_without_its_set(many):
    indices, ranking = many
    sets = [
        f"{row.rank:.0f} [{row.marginal_low:.0f}–{row.marginal_high:.0f}]" for row in ranking.dropna(subset="rank").itertuples()
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
    shown = [int(re.search(r" (\d+) \[", text.get_text())[1]) for text in axes.texts if "[" in text.get_text()]
    assert shown == list(range(69, 89))
    assert sorted(bar.get_width() for bar in axes.patches) == pytest.approx(
        sorted(100 * many[1]["probability_bottom"].iloc[68:88])
    )


def test_rates_show_the_areas_just_below_the_whole(tables):
    figure = plots.rates_by_area(tables[0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["市9901 City 9901", "市9902 City 9902"]
    without = tables[0][tables[0]["level"] != "prefecture"]
    assert len(plots.rates_by_area(without).axes[0].texts) == 4


def test_topics_stand_strongest_first_at_their_estimates(tables):
    whole = tables[0][(tables[0]["level"] == "province") & (tables[0]["kind"] == "score")].sort_values(
        "estimate", ascending=False
    )
    at = plots.topics(tables[0]).axes[0].collections[-1].get_offsets()
    np.testing.assert_allclose(at, np.column_stack([whole["estimate"], range(len(whole))]))


def test_an_unbounded_interval_is_left_out(tables):
    endless = tables[0].assign(ci_low=-np.inf, ci_high=np.inf)
    axes = plots.topics(endless).axes[0]
    assert np.isfinite(axes.get_xlim()).all()
    plots.svg(axes.figure)


def test_statuses_differ_in_lightness_and_shape():
    from satisfaction.plots import STATUS

    three = [STATUS[name] for name in ("established", "possible", "excluded")]
    grey = [sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), to_rgb(colour), strict=True)) for _, colour, *_ in three]
    assert all(abs(a - b) > 0.15 for a, b in combinations(grey, 2))
    assert len({marker for *_, marker, _ in three}) == len({hatch for *_, hatch in three}) == 3


@pytest.mark.parametrize("columns", [8, 20, 60])
def test_wrapping_keeps_the_text_and_the_width(columns):
    text = "非概率样本：基于模型，无设计误差 not a probability sample"
    lines = wrapped(text, columns).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(text_columns(line) for line in lines) <= max(columns, len("probability"))
    assert not [line for line in lines if line[:1] in tuple("，。：；、")]


def test_the_theme_is_seaborns():
    import seaborn as sns

    from satisfaction.plots.canvas import SEABORN

    theirs = sns.plotting_context("paper", font_scale=1.05) | sns.axes_style("whitegrid")
    assert {
        key: pytest.approx(value) if isinstance(value, float) else value for key, value in theirs.items() if key in SEABORN
    } == SEABORN
    assert len(SEABORN) > 20
