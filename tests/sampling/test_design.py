"""The sample design: what it accepts, what it refuses, that it never changes."""

from __future__ import annotations

import ast
import re

import duckdb
import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, calibrate, estimate
from satisfaction.collection.responses import load_responses
from satisfaction.foundation.errors import DesignError

ROWS = pd.DataFrame(
    {
        "stratum": ["a", "a", "a", "b", "b", "b"], "psu": [1, 1, 2, 1, 2, 2], "w": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "N": [9, 9, 9, 4, 4, 4],
        "y": [1.0, 4.0, 2.0, 5.0, 3.0, 6.0],
    }
)  # fmt: skip


def design(rows=ROWS, **changes):
    return SurveyDesign(rows, **({"strata": "stratum", "psu": "psu", "base_weight": "w"} | changes))


@pytest.mark.parametrize(
    ("code", "rows", "changes"),
    [
        ("D100", ROWS, {"lonely_psu": "ignore"}),
        ("D100", ROWS, {"selection": "random"}),
        ("D101", ROWS, {"strata": "strat"}),
        ("D101", ROWS, {"base_weight": "weight"}),
        ("D101", ROWS, {"fpc": "M"}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, None]), {}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]), {}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, -1.0]), {}),
        ("D102", ROWS.assign(w=[1.0, 2.0, 3.0, 4.0, 5.0, np.inf]), {}),
        ("D103", ROWS.assign(psu=[1, 1, 2, 1, 2, None]), {}),
        ("D103", ROWS.assign(stratum=["a", "a", "a", "b", "b", None]), {}),
        ("D104", ROWS[ROWS["psu"] + (ROWS["stratum"] == "a") < 3], {}),
        ("D105", ROWS.assign(N=[9, 9, 9, 4, 4, 5]), {"fpc": "N"}),
        ("D105", ROWS.assign(N=1), {"fpc": "N"}),
    ],
)
def test_refused_with_code_and_both_languages(code, rows, changes):
    with pytest.raises(DesignError) as refused:
        design(rows, **changes)
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)
    assert refused.value.en.isascii()


def test_a_missing_fpc_is_refused():
    with pytest.raises(DesignError, match="D105"):
        design(ROWS.assign(N=[9, 9, 9, None, None, None]), fpc="N")


def test_lonely_strata_are_named():
    with pytest.raises(DesignError, match=r"1 stratum \(or units above\) with a single 'psu': b"):
        design(ROWS[(ROWS["stratum"] == "a") | (ROWS["psu"] == 2)])


def test_a_design_cannot_be_changed():
    with pytest.raises(AttributeError):
        design().strata = ("psu",)


def test_weights_stand_in_the_given_row_order():
    np.testing.assert_array_equal(design().weights, ROWS["w"])


def test_an_index_named_after_a_column_changes_nothing():
    rows = pd.DataFrame({"county": list("AABB"), "psu": [1, 2, 3, 4], "score": [1.0, 2, 3, 5]})
    named = rows.set_index(["county", "psu"], drop=False)
    tables = []
    for respondents in (rows, named):
        design = SurveyDesign(respondents, strata="county", psu="psu")
        tables.append(estimate(design, ["score"], by="county").table)
    pd.testing.assert_frame_equal(*tables)


def test_without_base_weight_every_weight_is_one():
    np.testing.assert_array_equal(design(base_weight=None).weights, np.ones(6))


def test_without_psu_every_respondent_is_one():
    table = estimate(SurveyDesign(ROWS, base_weight="w"), "y").table
    assert table["df"][0] == 5


@pytest.mark.parametrize("psu", [None, "psu"])
def test_weights_keep_the_row_order_of_a_duckdb_relation(psu):
    rows = pd.DataFrame({"psu": [3, 1, 2, 3, 1, 2], "w": [5.0, 1.0, 4.0, 2.0, 6.0, 3.0]})
    np.testing.assert_array_equal(
        SurveyDesign(duckdb.from_df(rows), psu=psu, base_weight="w").weights, rows["w"]
    )


def test_accepted_responses_make_a_design_without_psu(unchanged):
    accepted = load_responses(unchanged).accepted
    assert estimate(SurveyDesign(accepted), "age").table["n"][0] == accepted["age"].notna().sum()


def test_certainty_and_remove_count_nothing_for_a_lonely_psu():
    rows = ROWS[(ROWS["stratum"] == "a") | (ROWS["psu"] == 2)]
    for policy in ("certainty", "remove"):
        total = estimate(design(rows, lonely_psu=policy), "y", statistic="total").table
        assert total["se"][0] == pytest.approx(abs((1 * 1 + 2 * 4) - 3 * 2))


WHOLE = pd.DataFrame(
    {
        "h": [1, 1, 2, 2, 2, 3],
        "psu": range(6),
        "N": [9, 9, 12, 12, 12, 1],
        "w": [4.5, 4.5, 4, 4, 4, 1.0],
    }
).assign(y=[3.0, 5, 2, 7, 4, 6])  # stratum 3 is taken whole
LONE = pd.DataFrame({"h": [4], "psu": [6], "N": [5], "w": [5.0], "y": [9.0]})


@pytest.mark.parametrize(
    ("rows", "se"),
    [
        (WHOLE, [0.775396459511, 17.0587221092]),
        (pd.concat([WHOLE, LONE]), [0.729545022355, 19.6977156036]),
    ],
    ids=["nothing lonely", "one lonely"],
)
def test_a_stratum_taken_whole_is_not_lonely(rows, se):
    """R survey 4.1-1 with survey.lonely.psu = "average", svymean and svytotal."""
    found = SurveyDesign(
        rows, strata="h", psu="psu", base_weight="w", fpc="N", lonely_psu="average"
    )
    own = [
        estimate(found, "y", statistic=statistic).table["se"][0] for statistic in ("mean", "total")
    ]
    assert own == pytest.approx(se, rel=1e-11)


def test_there_is_no_average_where_every_stratum_is_lonely():
    rows = ROWS[ROWS["psu"] == 2]
    with pytest.raises(DesignError, match="D380"):
        design(rows, lonely_psu="average")
    with pytest.raises(DesignError, match="D380"):
        design(pd.concat([WHOLE[WHOLE["h"] == 3], LONE]), strata="h", fpc="N", lonely_psu="average")


def test_bad_weights_are_not_answered_with_removing_rows():
    with pytest.raises(DesignError) as refused:
        design(ROWS.assign(w=0.0))
    assert "do not remove" in refused.value.hint[1].lower()
    assert "域" in refused.value.hint[0]


@pytest.mark.parametrize("rows", [[0, 1, 2], [0], [2]])
def test_an_fpc_missing_in_some_rows_is_refused(rows):
    holed = ROWS.assign(N=ROWS["N"].astype(float))
    holed.loc[rows, "N"] = np.nan
    for table in (holed, duckdb.from_df(holed)):
        with pytest.raises(DesignError, match=f"D105.*\n.*\n.*missing in {len(rows)} row"):
            design(table, fpc="N")


def test_several_strata_columns_are_crossed():
    rows = ROWS.assign(county=[1, 1, 1, 1, 1, 1])
    assert estimate(design(rows, strata=["county", "stratum"]), "y").table["df"][0] == 2


# ---- codes, stages, collapsing ----

SAME = 1e-11  # equal in exact arithmetic; additions in another order
HUGE = 1e12  # units in a population: the finite population correction is 1 - 1e-11 at most
NUMBERS = ["estimate", "se", "df"]


def sampled(*, lonely=True):
    """Seven strata of two columns, several PSUs, households and persons each; two lonely PSUs."""
    rng = np.random.default_rng(8)
    sizes = {
        ("a", 1): 3,
        ("a", 2): 1 if lonely else 2,
        ("b", 1): 4,
        ("b", 2): 2,
        ("c", 1): 2,
        ("c", 2): 1 if lonely else 2,
        ("c", 3): 3,
    }
    rows = [
        (r, u, p, h)
        for (r, u), size in sizes.items()
        for p in range(size)
        for h in range(2 + (p + u) % 3)
        for _ in range(2)
    ]
    out = pd.DataFrame(rows, columns=["region", "urban", "psu", "household"])
    out["person"] = out.groupby(["region", "urban", "psu", "household"]).cumcount()
    out["w"], out["sex"] = rng.uniform(50, 150, len(out)).round(1), rng.integers(0, 2, len(out))
    out["y"] = rng.normal(50, 10, len(out)).round(0)
    out["N"] = 5 + 3 * out["urban"] + 2 * (out["region"] == "b")
    out["M"] = 6 + out["psu"] % 2
    return out


def staged(rows, **changes):
    return SurveyDesign(
        rows, **({"strata": ["region", "urban"], "psu": "psu", "base_weight": "w"} | changes)
    )


def assert_alike(found, wanted, columns=NUMBERS):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(
            one.table[columns].to_numpy(float), other.table[columns].to_numpy(float), rtol=SAME
        )
        scale = np.sqrt(np.diag(other.cov))
        np.testing.assert_allclose(
            one.cov / np.outer(scale, scale), other.cov / np.outer(scale, scale), atol=SAME
        )


def several(of, **options):
    """Return estimates of three kinds."""
    return (
        estimate(of, ["y", "w"], by="sex", **options),
        estimate(of, "y", statistic="total", **options),
        estimate(of, "y", statistic=("ratio", "w"), df="design", **options),
    )


def test_a_psu_code_in_two_strata_is_refused_where_codes_are_unique():
    rows = sampled(lonely=False)
    with pytest.raises(DesignError, match=r"D106[\s\S]*'psu'[\s\S]*: 0, 1, 2\."):
        staged(rows, psu_codes="unique")
    unique = rows.assign(psu=rows["region"] + rows["urban"].astype(str) + rows["psu"].astype(str))
    assert_alike(several(staged(unique, psu_codes="unique")), several(staged(rows)))
    with pytest.raises(DesignError, match=r"D106[\s\S]*'household'"):
        staged(unique, psu=["psu", "household"], fpc=["N", "M"], psu_codes="unique")


@pytest.mark.parametrize(
    ("psu", "fpc"),
    [("psu", ["N", "M", "M"]), (["psu", "household"], ["N", "M", "M", "M"]), (None, ["N", "M"])],
)
def test_more_fpc_columns_than_stages_are_refused(psu, fpc):
    with pytest.raises(DesignError, match="D107"):
        staged(sampled(lonely=False), psu=psu, fpc=fpc)


@pytest.mark.parametrize(
    "collapse",
    [
        {("a", 9): ("a", 1)},
        {("a", 2): ("a", 9)},
        {"a": "b"},
        {("a", 2): ("a", 1), ("a", 1): ("b", 1)},
    ],
)
def test_a_collapse_of_strata_that_are_not_there_is_refused(collapse):
    with pytest.raises(DesignError, match="D108"):
        staged(sampled(), collapse=collapse)


COLLAPSE = {("a", 2): ("a", 1), ("c", 2): ("c", 1)}


def recoded(rows):
    """Merge the strata by hand: PSUs get new codes, populations of the merged strata are added."""
    merged = rows.assign(psu=rows["urban"].astype(str) + "-" + rows["psu"].astype(str))
    merged["N"] = rows["N"]
    for (region, old), (_, new) in COLLAPSE.items():
        at = (rows["region"] == region) & rows["urban"].isin([old, new])
        merged.loc[at, "N"] = rows[at].drop_duplicates(["region", "urban"])["N"].sum()
        merged.loc[at, "urban"] = new
    return merged


@pytest.mark.parametrize("fpc", [None, "N"])
@pytest.mark.parametrize("variance", ["linearized", "jkn"])
def test_collapsed_strata_are_strata_recoded_by_hand(fpc, variance):
    rows = sampled()
    found = several(staged(rows, collapse=COLLAPSE, fpc=fpc), variance=variance)
    wanted = several(staged(recoded(rows), fpc=fpc), variance=variance)
    assert_alike(found, wanted)
    assert found[2].table["df"][0] == 16 - 5


def test_collapsed_strata_of_one_column_are_strata_recoded_by_hand():
    rows = sampled().assign(stratum=lambda r: r["region"] + r["urban"].astype(str))
    found = several(
        staged(
            rows,
            strata="stratum",
            collapse={"a2": "a1", "c2": "c1"},
            fpc=["N", "M"],
            psu=["psu", "household"],
        )
    )
    wanted = several(staged(recoded(rows), fpc=["N", "M"], psu=["psu", "household"]))
    assert_alike(found, wanted)


def test_three_strata_may_collapse_into_one():
    rows = sampled()
    found = several(staged(rows, collapse=COLLAPSE | {("c", 3): ("c", 1)}, fpc="N"))
    merged = recoded(rows)
    at = merged["region"] == "c"
    merged.loc[at, "N"] = rows[rows["region"] == "c"].drop_duplicates("urban")["N"].sum()
    assert_alike(found, several(staged(merged.assign(urban=merged["urban"].mask(at, 1)), fpc="N")))


def test_a_collapse_is_not_seen_by_domains_and_weights():
    rows = sampled()
    collapsed, adjusted = staged(rows, collapse=COLLAPSE), staged(rows, lonely_psu="adjust")
    np.testing.assert_array_equal(collapsed.weights, adjusted.weights)
    one, other = (
        estimate(of, "y", by=["region", "urban"]).table["estimate"] for of in (collapsed, adjusted)
    )
    np.testing.assert_allclose(one, other, rtol=SAME)


def test_the_error_of_a_lonely_stratum_proposes_a_collapse_that_works():
    rows, done = sampled(), {}
    for _ in range(2):
        with pytest.raises(DesignError, match="D104") as refused:
            staged(rows, collapse=done)
        proposal = re.search(r"collapse=(\{.*?\})", refused.value.hint[1]).group(1)
        done |= ast.literal_eval(proposal)
    assert {old: new[0] for old, new in done.items()} == {
        ("a", 2): "a",
        ("c", 2): "c",
    }  # within the region
    assert estimate(staged(rows, collapse=done), "y").table["se"][0] > 0


def test_the_error_of_a_lonely_stratum_of_one_column_proposes_a_collapse_that_works():
    rows = sampled().assign(stratum=lambda r: r["region"] + r["urban"].astype(str))
    with pytest.raises(DesignError, match="D104") as refused:
        staged(rows[rows["stratum"] != "c2"], strata="stratum")
    assert (
        "collapse={'a2': 'a1'}" in refused.value.hint[1]
        or "collapse={'a2': 'b1'}" in refused.value.hint[1]
    )
    assert "collapse={'a2': " in refused.value.hint[0]


def test_populations_so_large_that_they_do_not_matter():
    rows = sampled(lonely=False).assign(N=HUGE, M=HUGE)
    wanted = several(staged(rows))
    for psu, fpc in (("psu", "N"), (["psu", "household"], ["N", "M"]), ("psu", ["N", "M"])):
        found = several(staged(rows, psu=psu, fpc=fpc))
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(
                one.table[NUMBERS], other.table[NUMBERS].to_numpy(float), rtol=1e-9
            )


def take_all(rows, column="M"):
    """Every household of a sampled PSU is in the sample."""
    return rows.assign(
        **{column: rows.groupby(["region", "urban", "psu"])["household"].transform("nunique")}
    )


def test_a_second_stage_that_takes_all_is_no_stage():
    rows = take_all(sampled(lonely=False))
    assert_alike(
        several(staged(rows, psu=["psu", "household"], fpc=["N", "M"])),
        several(staged(rows, fpc="N")),
    )


@pytest.mark.parametrize("statistic", ["mean", "total", "median"])
def test_a_calibrated_sample_of_two_stages_that_takes_all_is_one_of_one_stage(statistic):
    rows, sex = take_all(sampled(lonely=False)), {0: 4000.0, 1: 4500.0}
    two, one = (
        calibrate(staged(rows, **d), {"sex": sex})
        for d in ({"psu": ["psu", "household"], "fpc": ["N", "M"]}, {"fpc": "N"})
    )
    found, wanted = (
        estimate(of, ["y", "w"], by="region", statistic=statistic) for of in (two, one)
    )
    assert_alike([found], [wanted])


def test_a_first_stage_that_takes_all_makes_psus_the_strata():
    rows = sampled(lonely=False)
    rows["N"] = rows.groupby(["region", "urban"])["psu"].transform("nunique")
    found = several(staged(rows, psu=["psu", "household"], fpc=["N", "M"]))
    wanted = several(staged(rows, strata=["region", "urban", "psu"], psu="household", fpc="M"))
    assert_alike(found, wanted, ["estimate", "se"])


def test_stages_without_fpc_beyond_the_first_do_not_enter_the_variance():
    rows = sampled(lonely=False)
    assert_alike(several(staged(rows, psu=["psu", "household"])), several(staged(rows)))
    assert_alike(
        several(staged(rows, psu=["psu", "household"], fpc="N")), several(staged(rows, fpc="N"))
    )


def test_two_stages_by_hand():
    rows = sampled(lonely=False)
    z = (
        rows.assign(z=rows["y"] * rows["w"])
        .groupby(["region", "urban", "psu", "household"])
        .agg(z=("z", "sum"), N=("N", "first"), M=("M", "first"))
    )
    expected = 0.0
    for _, stratum in z.groupby(["region", "urban"]):
        psus = stratum.groupby("psu")["z"].sum()
        f = len(psus) / stratum["N"].iloc[0]
        expected += (1 - f) * len(psus) * psus.var()
        for _, psu in stratum.groupby("psu"):
            expected += f * (1 - len(psu) / psu["M"].iloc[0]) * len(psu) * psu["z"].var()
    found = estimate(
        staged(rows, psu=["psu", "household"], fpc=["N", "M"]), "y", statistic="total"
    ).table["se"][0]
    assert found == pytest.approx(np.sqrt(expected), rel=SAME)


def test_one_more_fpc_column_makes_persons_the_last_stage():
    rows = sampled(lonely=False)
    rows["P"] = 20 + rows["psu"]
    named = rows.assign(number=rows.groupby(["region", "urban", "psu"]).cumcount())
    found = several(staged(rows, fpc=["N", "P"]))
    assert_alike(found, several(staged(named, psu=["psu", "number"], fpc=["N", "P"])))
    shuffled = several(staged(rows.sample(frac=1, random_state=2), fpc=["N", "P"]))
    assert_alike(shuffled, found)
    three = several(staged(rows.assign(K=3), psu=["psu", "household"], fpc=["N", "M", "K"]))
    assert_alike(
        three,
        several(staged(rows.assign(K=3), psu=["psu", "household", "person"], fpc=["N", "M", "K"])),
    )


def test_persons_who_are_psus_have_the_textbook_error():
    rows = sampled(lonely=False)
    rows["N"] = 100 * rows["urban"]
    found = estimate(SurveyDesign(rows, strata="urban", fpc="N"), "y").table.iloc[0]
    parts = [
        (len(g) / len(rows), (1 - len(g) / g["N"].iloc[0]) * g["y"].var() / len(g))
        for _, g in rows.groupby("urban")
    ]
    # equal weights: linearization is about the overall mean, the strata's own means drop out
    assert found["se"] == pytest.approx(np.sqrt(sum(share**2 * v for share, v in parts)), rel=SAME)
    assert found["df"] == len(rows) - 3


def test_without_strata_there_is_one():
    rows = sampled(lonely=False)
    named = rows.assign(
        all=1, psu=rows["region"] + rows["urban"].astype(str) + rows["psu"].astype(str), N=40
    )
    for psu, fpc in (("psu", None), ("psu", "N"), (None, None), (["psu", "household"], ["N", "M"])):
        one, other = (
            several(staged(named, strata=strata, psu=psu, fpc=fpc)) for strata in (None, "all")
        )
        assert_alike(one, other)


def test_without_psu_every_person_is_one_whatever_the_order():
    rows = sampled(lonely=False)
    numbered = rows.assign(number=np.arange(len(rows)))
    for strata in (None, ["region", "urban"]):
        found, wanted = (
            several(staged(rows, strata=strata, psu=None)),
            several(staged(numbered, strata=strata, psu="number")),
        )
        assert_alike(found, wanted)
        assert_alike(
            several(staged(rows.sample(frac=1, random_state=4), strata=strata, psu=None)), wanted
        )


def test_an_fpc_smaller_than_the_sample_of_a_unit_above_is_refused():
    with pytest.raises(DesignError, match="D105") as refused:
        staged(sampled(lonely=False).assign(M=1), psu=["psu", "household"], fpc=["N", "M"])
    assert refused.value.where == "M"


def test_a_unit_with_a_single_unit_below_is_lonely_unless_that_is_all():
    rows = sampled(lonely=False)
    at = (rows["region"] == "b") & (rows["urban"] == 1) & (rows["psu"] == 0)
    rows = rows[~at | (rows["household"] == 0)]
    with pytest.raises(DesignError, match=r"D104[\s\S]*single 'household'"):
        staged(rows, psu=["psu", "household"], fpc=["N", "M"])
    staged(rows, psu=["psu", "household"], fpc=["N", "M"], lonely_psu="adjust")
    rows = rows.assign(
        M=rows["M"].mask((rows["region"] == "b") & (rows["urban"] == 1) & (rows["psu"] == 0), 1)
    )
    assert estimate(staged(rows, psu=["psu", "household"], fpc=["N", "M"]), "y").table["se"][0] > 0
