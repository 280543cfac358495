"""Errors: what, where, what is available, what to do, in both languages."""

from __future__ import annotations

import inspect

import pytest

from satisfaction.foundation import errors
from satisfaction.foundation.errors import SatisfactionError, closest, one_of, shortened
from satisfaction.foundation.language import Text


def test_a_message_has_every_part_in_order():
    error = SatisfactionError(
        "Q104",
        Text("错。", "Wrong."),
        where="a.yaml:3",
        available=["county", "sex"],
        got="contry",
        hint=Text("改。", "Write it."),
    )
    assert str(error).splitlines() == [
        "[Q104] a.yaml:3", "  错。", "  Wrong.", "  可用 available: county, sex", "  是否想写 did you mean: 'county'?", "  处理: 改。", "  Next: Write it.",
    ]  # fmt: skip


def test_a_message_leaves_out_what_it_does_not_know():
    assert str(SatisfactionError("Q104", Text("错。", "Wrong."))) == "[Q104]\n  错。\n  Wrong."


def test_every_error_has_the_same_root():
    classes = [
        c
        for _, c in inspect.getmembers(errors, inspect.isclass)
        if c.__module__ == "satisfaction.foundation.errors"
    ]
    assert len(classes) == 12
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
