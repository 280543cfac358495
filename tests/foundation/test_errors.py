"""Errors: what, where, what is available, what to do, in both languages."""

from __future__ import annotations

import inspect

import pytest

from satisfaction.foundation import errors
from satisfaction.foundation.errors import SatisfactionError, closest, one_of, shortened
from satisfaction.foundation.language import Text, use


def test_a_message_has_every_part_in_order():
    error = SatisfactionError(
        "Q104",
        Text("错。", "Wrong."),
        where="a.yaml:3",
        available=["county", "sex"],
        got="contry",
        hint=Text("改。", "Write it."),
    )
    with use("zh"):
        chinese = str(error).splitlines()
    with use("en"):
        english = str(error).splitlines()
    assert chinese == [
        "[Q104] a.yaml:3",
        "  错。",
        "  可用：county, sex",
        "  是否想写 'county'？",
        "  处理：改。",
    ]
    assert english == [
        "[Q104] a.yaml:3",
        "  Wrong.",
        "  Available: county, sex",
        "  Did you mean 'county'?",
        "  Next: Write it.",
    ]


def test_a_message_leaves_out_what_it_does_not_know():
    assert str(SatisfactionError("Q104", Text("错。", "Wrong."))) == "[Q104]\n  错。\n  Wrong."


def test_every_error_has_the_same_root():
    classes = [
        c
        for _, c in inspect.getmembers(errors, inspect.isclass)
        if c.__module__ == "satisfaction.foundation.errors"
    ]
    assert len(classes) == 13
    assert all(issubclass(c, SatisfactionError) for c in classes)
    assert issubclass(SatisfactionError, ValueError)


def test_a_long_list_is_cut_and_counted():
    assert shortened(range(5), 3) == "0, 1, 2, ... (+2)"
    assert shortened(range(3), 3) == "0, 1, 2"


@pytest.mark.parametrize(("got", "near"), [("contry", "county"), ("zzz", None), ("", None)])
def test_the_closest_name(got, near):
    assert closest(got, ["county", "sex"]) == near


def test_an_option_outside_the_allowed_is_refused():
    one_of("a", ("a", "b"), argument="method", error=SatisfactionError, code="W100")
    with pytest.raises(SatisfactionError, match=r"\[W100\] method[\s\S]*a, b"):
        one_of("c", ("a", "b"), argument="method", error=SatisfactionError, code="W100")


def test_rows_of_a_place_are_written_in_the_readers_language():
    one = SatisfactionError("R101", Text("错。", "Wrong."), where="answers.csv row 1")
    several = SatisfactionError("F110", Text("错。", "Wrong."), where="a.csv row 3, 5, ... (+7)")
    with use("zh"):
        assert str(one).startswith("[R101] answers.csv 第 1 行\n")
        assert str(several).startswith("[F110] a.csv 第 3, 5, ... (+7) 行\n")
    with use("en"):
        assert str(one).startswith("[R101] answers.csv row 1\n")
    assert str(one).startswith("[R101] answers.csv row 1\n")
