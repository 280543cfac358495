"""Pictures of the working notebooks: the house's sheet, its mark and its names; the caller's settings stay."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
import pytest

from satisfaction.foundation.language import Text, use
from satisfaction.publication import plots

MARK = Text("试算", "trial, not official")
TABLE = pd.DataFrame({"difference": [-1.0, 2.0], "ci_low": [-3.0, 1.0], "ci_high": [1.0, 3.0]})
PAIRS = pd.DataFrame(
    {"area": ["1", "1", "2"], "other": ["2", "3", "3"], "p": [0.001, 0.02, 0.9], "p_bh": [0.003, 0.03, 0.9], "p_maxt": [0.003, 0.06, 0.9]}
)  # fmt: skip
EFFECTS = pd.DataFrame({"measure": ["a", "a"], "step": ["base", "1 calibration"], "difference / se": [0.0, 1.4]})  # fmt: skip


def drawn():
    yield plots.points_plot({"one": [1, 2], "two": [3]}, title="t", unit="u", line=1, mark=MARK)
    weights = pd.DataFrame({"base": [1.0, 2.0], "1 calibration": [1.5, 1.5]})
    yield plots.weights_plot(weights, ["one", "two"], mark=MARK)
    names = {"base": "one", "1 calibration": "two"}
    yield plots.steps_plot(EFFECTS, measures={"a": "A"}, steps=names, mark=MARK)
    yield plots.intervals_plot(
        TABLE, ["one", "two"], center="difference", shows=[False, True], title="t", unit="u", mark=MARK
    )  # fmt: skip
    yield plots.pairs_plot(PAIRS, ["1", "2", "3"], level=0.95, title="t", mark=MARK)
    yield plots.bars_plot([1, 2], ["one", "two"], title="t", unit="u", raised=[True, False], mark=MARK)  # fmt: skip
    yield plots.scatter_plot([1, 2], [3, 4], title="t", units=("u", "v"), mark=MARK)


def test_every_picture_bears_the_mark_and_leaves_the_settings_alone():
    before = dict(mpl.rcParams)
    with use("en"):
        figures = list(drawn())
    assert len(figures) == 7
    for figure in figures:
        assert "trial, not official" in [text.get_text() for text in figure.texts]
        assert plots.svg(figure) == plots.svg(figure)
    assert dict(mpl.rcParams) == before


def test_rows_are_called_by_their_names_and_those_that_differ_look_otherwise():
    with use("en"):
        figure = plots.intervals_plot(
            TABLE, ["one", "two"], center="difference", shows=[False, True], title="t", unit="u"
        )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["one", "two"]
    points = [marks for marks in axes.collections if len(marks.get_facecolor()) == 1]
    places = {float(marks.get_offsets()[0][0]): tuple(marks.get_facecolor()[0]) for marks in points}
    assert set(places) == {-1.0, 2.0}
    assert places[-1.0] != places[2.0]


def test_pairs_are_shown_on_both_sides_of_the_diagonal():
    with use("en"):
        figure = plots.pairs_plot(PAIRS, ["1", "2", "3"], level=0.95, title="t")
    (image,) = figure.axes[1].images
    assert image.get_array().tolist() == [[0, 2, 1], [2, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("values", [[0.5, 1.5, 2.0], [1.0]])
def test_points_of_a_row_lie_at_their_values_the_same_at_every_drawing(values):
    places = []
    for _again in range(2):
        figure = plots.points_plot({"one": values}, title="t", unit="u", line=1)
        places.append(figure.axes[0].collections[0].get_offsets().tolist())
    assert places[0] == places[1]
    assert [place[0] for place in places[0]] == values
