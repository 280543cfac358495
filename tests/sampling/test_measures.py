"""From answers to values: every rule by example, and all of them against plain Python on random answers."""

from __future__ import annotations

import re
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from satisfaction import compile_measures
from satisfaction.collection.forms.codebook import counting
from satisfaction.declarations.items import MultipleItem, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.engines import fetch, hold, scan
from satisfaction.foundation.errors import QuestionnaireError
from satisfaction.sampling.measures import BILLIONTH, add_columns, stored

TEXT = {"zh": "文", "en": "text"}
SPECIAL = {
    97: TEXT | {"reason": "not_applicable", "denominator": "out"}, 98: TEXT | {"reason": "dont_know", "denominator": "in"},
    99: TEXT | {"reason": "refused", "denominator": "out"},
}  # fmt: skip
FIVE = {code: TEXT | {"score": 25 * (code - 1), "counts": code >= 4} for code in range(1, 6)}
OPTIONS = {code: TEXT | {"correct": code <= 3} for code in range(1, 6)}  # 1, 2, 3 are correct
KNOWLEDGE = [
    {"credit": "all"},
    {"credit": "at_least", "least": 2},
    {"credit": "at_least", "least": 1, "wrong_allowed": 1},
    {"credit": "share"},
]


def instrument(*, rate=None, knowledge=None, index=None, weights=None) -> Questionnaire:
    """A questionnaire with one single item, one that is skipped, one knowledge item, three topics."""
    scale = {"answers": FIVE, "special": SPECIAL}
    single = TEXT | {"type": "single", "scale": "five"}
    return Questionnaire.model_validate(
        {
            "questionnaire": "q", "version": "1", "title": TEXT, "source": "tests", "universe": TEXT, "changes": [], "scales": {"five": scale},
            "items": {
                "id": TEXT | {"type": "text"}, "area": single, "a": single, "later": single | {"asked_if": {"a": [4, 5]}}, "t1": single, "t2": single, "t3": single,
                "know": TEXT | {"type": "multiple", "options": OPTIONS, "special": {98: SPECIAL[98], 99: SPECIAL[99]}, "knowledge": KNOWLEDGE[0] if knowledge is None else knowledge or None},
            },
            "topics": ["t1", "t2", "t3"],
            "rates": {"rate": TEXT | (rate or {"items": ["a"]})},
            "indices": {"index": TEXT | {"weights": weights or {"t1": 0.5, "t2": 0.3, "t3": 0.2}, "source": "tests"} | (index or {})},
            "ranked": "index", "roles": {"respondent": "id", "area": "area"},
        }
    )  # fmt: skip


def values(
    questionnaire: Questionnaire, rows: list[dict], engine: str = "pandas"
) -> dict[str, list[Fraction | None]]:
    """Each measure's value per row as compiled; None where not valid."""
    singles = {
        name: pd.array([row.get(name) for row in rows], dtype="Int64")
        for name in ("area", "a", "later", "t1", "t2", "t3")
    }
    table = pd.DataFrame(singles | _options(questionnaire, rows))
    measures = compile_measures(questionnaire)
    found = fetch(
        add_columns(scan(hold(table.assign(place=range(len(rows))), engine)), measures)
    ).sort_values("place")
    return {
        m.name: [Fraction(int(score), m.unit) if valid else None for valid, score in zip(found[m.valid_column], found[m.score_column], strict=True)]
        for m in measures
    }  # fmt: skip


def _options(questionnaire: Questionnaire, rows: list[dict]) -> dict[str, object]:
    """The columns of the knowledge item: a set of options, a special code, or None."""
    answers = [row.get("know") for row in rows]
    columns: dict[str, object] = {
        "know": pd.array([a if isinstance(a, int) else None for a in answers], dtype="Int64")
    }
    for code in questionnaire.items["know"].options:
        columns[option_column("know", code)] = pd.array(
            [int(code in a) if isinstance(a, frozenset) else None for a in answers], dtype="Int64"
        )
    return columns


# ---- rules by example ----


@pytest.mark.parametrize("engine", ["pandas", "duckdb"])
def test_a_rate_over_a_select_all_item_is_the_share_who_chose_an_option(engine):
    answers = [frozenset({3}), frozenset({1, 3}), frozenset({2}), frozenset(), 98, 99, None]
    rows = [{"know": answer} for answer in answers]
    rate = {"items": ["know"], "counts": [3]}
    assert values(instrument(rate=rate, knowledge={}), rows, engine)["rate"] == [
        1,
        1,
        0,
        0,
        0,
        None,
        None,
    ]
    either = instrument(rate={"items": ["know"], "counts": [2, 3]}, knowledge={})
    assert values(either, rows, engine)["rate"][:3] == [1, 1, 1]
    assert "any of" in counting(either, either.rates["rate"], "know")


@pytest.mark.parametrize(
    ("code", "says", "rate"),
    [
        (
            "Q380",
            "'know' is a select-all item; the rate must say which options count",
            {"items": ["know"]},
        ),
        (
            "Q134",
            "counts names .7., not answers of item 'know'",
            {"items": ["know"], "counts": [7]},
        ),
    ],
)
def test_a_rate_over_a_select_all_item_names_its_options(code, says, rate):
    with pytest.raises(ValidationError) as refused:
        instrument(rate=rate, knowledge={})
    (fault,) = refused.value.errors()
    assert fault["ctx"]["code"] == code
    assert re.search(says, fault["ctx"]["text"].en)


@pytest.mark.parametrize(
    ("answer", "value"),
    [(5, 1), (4, 1), (3, 0), (1, 0), (98, 0), (99, None), (97, None), (None, None)],
)
def test_a_rate_counts_and_special_codes_enter_as_declared(answer, value):
    assert values(instrument(), [{"a": answer}])["rate"] == [value]


@pytest.mark.parametrize(
    ("denominator", "answer", "value"),
    [
        ({"dont_know": "out"}, 98, None), ({"refused": "in"}, 99, 0), ({"not_applicable": "in"}, 97, 0),
        ({"no_answer": "in"}, None, 0), ({"no_answer": "in"}, 99, None), ({"no_answer": "in"}, 4, 1), ({"no_answer": "in"}, 98, 0),
    ],
)  # fmt: skip
def test_a_rate_may_replace_the_denominator(denominator, answer, value):
    assert values(instrument(rate={"items": ["a"], "denominator": denominator}), [{"a": answer}])[
        "rate"
    ] == [value]


def test_a_rate_may_replace_what_counts():
    rows = [{"a": code} for code in (5, 4, 1)]
    assert values(instrument(rate={"items": ["a"], "counts": [5, 1]}), rows)["rate"] == [1, 0, 1]


@pytest.mark.parametrize(
    ("skipped", "expected"),
    [("out", [1, 0, None, None, None, None]), ("in", [1, 0, None, 0, 0, 0])],
)
def test_who_is_not_asked_enters_as_declared(skipped, expected):
    rows = [
        {"a": 5, "later": 5},
        {"a": 4, "later": 1},
        {"a": 5, "later": None},
        {"a": 1},
        {"a": 98},
        {},
    ]
    assert (
        values(instrument(rate={"items": ["later"], "denominator": {"skipped": skipped}}), rows)[
            "rate"
        ]
        == expected
    )


def test_no_answer_concerns_only_those_who_were_asked():
    rows = [{"a": 5}, {"a": 1}, {}]
    assert values(instrument(rate={"items": ["later"], "denominator": {"no_answer": "in"}}), rows)[
        "rate"
    ] == [0, None, None]


@pytest.mark.parametrize(
    ("knowledge", "expected"),
    [
        (KNOWLEDGE[0], [1, 0, 0, 0, 0]),
        (KNOWLEDGE[1], [1, 1, 0, 0, 0]),
        (KNOWLEDGE[2], [1, 1, 1, 1, 0]),
        (KNOWLEDGE[3], [1, Fraction(666666667, BILLIONTH), Fraction(333333333, BILLIONTH), 0, 0]),
    ],
)
def test_knowledge_credit(knowledge, expected):
    chosen = [{1, 2, 3}, {1, 2}, {1, 2, 4}, {1, 4}, {4, 5}]
    rows = [{"know": frozenset(c)} for c in chosen]
    assert (
        values(instrument(rate={"items": ["know"]}, knowledge=knowledge), rows)["rate"] == expected
    )


def test_all_right_options_and_a_wrong_one_earn_nothing():
    rows = [{"know": frozenset(chosen)} for chosen in ({1, 2, 3}, {1, 2, 3, 4})]
    measure = instrument(rate={"items": ["know"]}, knowledge=KNOWLEDGE[0])
    assert values(measure, rows)["rate"] == [1, 0]


@pytest.mark.parametrize(("answer", "value"), [(98, 0), (99, None), (None, None)])
def test_special_codes_of_a_knowledge_item(answer, value):
    assert values(instrument(rate={"items": ["know"]}), [{"know": answer}])["rate"] == [value]


@pytest.mark.parametrize(
    ("least", "expected"),
    [(1, [1, Fraction(1, 2), 0, None]), (2, [None, Fraction(1, 2), None, None])],
)
def test_a_rate_of_two_items_is_the_mean_of_the_valid_ones(least, expected):
    rows = [{"a": 5}, {"a": 5, "know": 98}, {"a": 99, "know": 98}, {"a": 99}]
    assert (
        values(instrument(rate={"items": ["a", "know"], "min_valid_items": least}), rows)["rate"]
        == expected
    )


@pytest.mark.parametrize(
    ("answer", "points"),
    [(1, 0), (2, 25), (5, 100), (97, None), (98, None), (99, None), (None, None)],
)
def test_a_topic_scores_its_points_and_special_codes_are_never_valid(answer, points):
    assert values(instrument(), [{"t1": answer}])["t1"] == [points]


def test_index_weights_are_renormalised_over_the_valid_items():
    rows = [{"t1": 5, "t2": 3, "t3": 1}, {"t1": 5, "t2": 3, "t3": 98}, {"t2": 4}, {}]
    assert values(instrument(), rows)["index"] == [
        65,
        Fraction(81_250_000_000, BILLIONTH),
        75,
        None,
    ]


@pytest.mark.parametrize(
    ("least", "expected"), [(1, [100, 100, 100]), (2, [None, 100, 100]), (3, [None, None, 100])]
)
def test_an_index_needs_its_minimum_of_valid_items(least, expected):
    rows = [{"t1": 5}, {"t1": 5, "t2": 5}, {"t1": 5, "t2": 5, "t3": 5}]
    assert values(instrument(index={"min_valid_items": least}), rows)["index"] == expected


def test_an_item_of_weight_zero_does_not_make_an_index_valid():
    found = values(instrument(weights={"t1": 1.0, "t2": 0.0}), [{"t2": 5}, {"t1": 1, "t2": 5}])
    assert found["index"] == [None, 0]


def test_quotients_are_rounded_half_up_to_billionths():
    thirds = instrument(weights={"t1": "1/3", "t2": "1/3", "t3": "1/3"})
    rows = [{"t1": 2, "t2": 1, "t3": 1}, {"t1": 3, "t2": 1, "t3": 1}, {"t1": 5, "t2": 5, "t3": 1}]
    assert values(thirds, rows)["index"] == [
        Fraction(n, BILLIONTH) for n in (8_333_333_333, 16_666_666_667, 66_666_666_667)
    ]


def test_an_exact_half_billionth_is_rounded_up():
    halves = instrument(
        weights={"t1": "1/1024", "t2": "1023/1024"}
    )  # 25/1024 points = 24414062.5 billionths
    assert values(halves, [{"t1": 2, "t2": 1}])["index"] == [Fraction(24_414_063, BILLIONTH)]


def test_weights_with_too_many_digits_are_refused():
    with pytest.raises(QuestionnaireError, match="Q141"):
        compile_measures(instrument(weights={"t1": 0.33333, "t2": 0.33333, "t3": 0.33334}))


def test_area_indices_are_no_measures_of_persons():
    assert [m.name for m in compile_measures(instrument(index={"level": "area"}))] == [
        "rate",
        "t1",
        "t2",
        "t3",
    ]


def test_stored_measures_are_read_from_their_columns(unchanged):
    for measure, kept in zip(
        compile_measures(unchanged.questionnaire),
        stored(compile_measures(unchanged.questionnaire)),
        strict=True,
    ):
        assert kept.stages == ()
        assert (kept.name, kept.kind, kept.unit, kept.label) == (
            measure.name,
            measure.kind,
            measure.unit,
            measure.label,
        )


# ---- all rules against plain Python ----


def half_up(value: Fraction) -> Fraction:
    """Round to billionths, halves up."""
    return Fraction((value * BILLIONTH + Fraction(1, 2)).__floor__(), BILLIONTH)


def credit(q: Questionnaire, rate, item: str, row: dict) -> Fraction | None:
    """What a person earns at one item of a rate; None if outside the denominator."""
    ways = (
        {"no_answer": "out", "skipped": "out"}
        | {s.reason: s.denominator for s in q.special(item).values()}
        | rate.denominator
    )
    answer, declared = row.get(item), q.items[item]
    if any(row.get(other) not in codes for other, codes in declared.asked_if.items()):
        reason = "skipped"
    elif answer is None:
        reason = "no_answer"
    elif answer in q.special(item):
        reason = q.special(item)[answer].reason
    elif isinstance(declared, MultipleItem):
        return knowledge_credit(declared, answer)
    else:
        return Fraction(
            answer in rate.counts if rate.counts else bool(q.answers(item)[answer].counts)
        )
    return Fraction(0) if ways[reason] == "in" else None


def knowledge_credit(item: MultipleItem, chosen: frozenset) -> Fraction:
    correct = {code for code, option in item.options.items() if option.correct}
    right, wrong = len(chosen & correct), len(chosen - correct)
    if item.knowledge.credit == "all":
        return Fraction(chosen == correct)
    if item.knowledge.credit == "at_least":
        return Fraction(right >= item.knowledge.least and wrong <= item.knowledge.wrong_allowed)
    return max(Fraction(right - wrong, len(correct)), Fraction(0))


def rate_of(q: Questionnaire, row: dict) -> Fraction | None:
    rate = q.rates["rate"]
    earned = [c for c in (credit(q, rate, item, row) for item in rate.items) if c is not None]
    return (
        half_up(sum(earned, Fraction(0)) / len(earned))
        if earned and len(earned) >= rate.min_valid_items
        else None
    )


def index_of(q: Questionnaire, row: dict) -> Fraction | None:
    index = q.indices["index"]
    parts = {
        item: Fraction(str(weight))
        for item, weight in index.weights.items()
        if row.get(item) in FIVE and Fraction(str(weight))
    }
    if len(parts) < index.min_valid_items:
        return None
    return half_up(
        sum((w * q.answers(item)[row[item]].score for item, w in parts.items()), Fraction(0))
        / sum(parts.values())
    )


WAYS = st.sampled_from(["in", "out"])
CODES = st.sampled_from([None, 1, 2, 3, 4, 5, 97, 98, 99])
ROWS = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(("a", "later", "t1", "t2", "t3"), CODES)
        | {"know": st.one_of(st.sampled_from([None, 98, 99]), st.frozensets(st.sampled_from(list(OPTIONS)), min_size=1))}
    ),
    min_size=1, max_size=12,
)  # fmt: skip
RATES = st.fixed_dictionaries(
    {"items": st.lists(st.sampled_from(["a", "later", "know", "t1"]), min_size=1, max_size=4, unique=True), "min_valid_items": st.integers(1, 2)},
    optional={
        "denominator": st.dictionaries(st.sampled_from(["not_applicable", "dont_know", "refused", "no_answer", "skipped"]), WAYS),
        "counts": st.lists(st.integers(1, 5), min_size=1, unique=True),
    },
)  # fmt: skip
WEIGHTS = st.sampled_from(
    [
        {"t1": "1/3", "t2": "1/3", "t3": "1/3"},
        {"t1": 0.7, "t2": 0.3, "t3": 0.0},
        {"t1": 0.125, "t2": 0.3333, "t3": 0.5417},
        {"t2": 1.0},
    ]
)


@pytest.mark.parametrize("engine", ["pandas", "duckdb"])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    rows=ROWS,
    rate=RATES,
    knowledge=st.sampled_from(KNOWLEDGE),
    weights=WEIGHTS,
    least=st.integers(1, 3),
)
def test_random_answers_score_as_in_plain_python(engine, rows, rate, knowledge, weights, least):
    rate = rate | {"min_valid_items": min(rate["min_valid_items"], len(rate["items"]))}
    if "know" in rate["items"]:
        rate.pop("counts", None)  # knowledge items do not take it
    q = instrument(
        rate=rate,
        knowledge=knowledge,
        weights=weights,
        index={"min_valid_items": min(least, len(weights))},
    )
    found = values(q, rows, engine)
    assert found["rate"] == [rate_of(q, row) for row in rows]
    assert found["index"] == [index_of(q, row) for row in rows]
    assert found["t1"] == [
        q.answers("t1")[row["t1"]].score if row["t1"] in FIVE else None for row in rows
    ]


def test_a_topic_answered_by_somebody_who_was_not_asked_is_not_valid():
    rows = [{"a": 5, "later": 3, "t1": 3}, {"a": 1, "later": 3, "t1": 3}]
    index = {"weights": {"later": 0.5, "t1": 0.3, "t2": 0.2}, "min_valid_items": 2}
    scored = values(instrument(index=index), rows)["index"]
    assert scored[0] is not None
    assert scored[1] is None
