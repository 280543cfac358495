"""Conventions of a result are read in the reader's language; the codes stay in the data."""

import re

import numpy as np
import pandas as pd
import pytest

import satisfaction as sat
from satisfaction.foundation.conventions import conventions_table, in_words
from satisfaction.foundation.language import use

NAMES = ("Tukey-Kramer", "Rao-Wu", "Kruskal-Wallis", "Rao-Scott", "Pearson", "max-t")
WORDS = re.compile(r"[A-Za-z]{3,}[ ,;:-]+[A-Za-z]{3,}")


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(7)
    n = 960
    county = rng.integers(0, 4, n).astype(str)
    table = pd.DataFrame({"county": county, "sex": rng.integers(1, 3, n)})
    table["psu"] = county + "-" + pd.Series(rng.integers(0, 8, n).astype(str))
    table["score"] = rng.normal(60, 12, n)
    table["other"] = table["score"] + rng.normal(0, 9, n)
    table["served"] = rng.integers(0, 2, n)
    table["w"] = rng.uniform(1, 3, n)
    table["frame"] = 40
    return table


@pytest.fixture(scope="module")
def results(people):
    """Results of every kind that states conventions."""
    design = sat.SurveyDesign(people, strata="county", psu="psu", base_weight="w")
    plain = sat.SurveyDesign(people, strata="county", psu="psu", fpc="frame", selection="quota")
    counties = sat.estimate(design, "score", by="county")
    found = [counties, sat.estimate(plain, "score")]
    found += [sat.estimate(design, "score", variance=name) for name in ("jkn", "rao-wu")]
    found += [sat.estimate(design, "score", statistic=("quantile", 0.5))]
    found += [sat.estimate(design, "score", statistic=("ratio", "other"))]
    found += [sat.estimate(design, "served", statistic="proportion")]
    margins = {"sex": {1: 900.0, 2: 1000.0}}
    for method in ("raking", "linear"):
        found.append(sat.estimate(sat.calibrate(design, margins, method=method), "score"))
    found += [sat.rao_scott(design, "sex", "served"), sat.rank_test(design, "score", "sex")]
    found += [sat.t_test(design, "score", "sex"), sat.wald(counties)]
    found += [sat.regression(design, "score", ["other", "sex"])]
    found += [sat.assess_items(design, ["score", "other"])]
    for together in ("single-step", "step-down"):
        found.append(sat.all_pairs(counties, simultaneous=together))
    found += [sat.against_rest(design, "score", by="county"), sat.change(counties, counties)]
    found += [sat.replicate_weights(design), sat.rank_counts(np.array([15, 20, 30]))]
    return found


def conventions_of(result):
    return getattr(result, "conventions", None) or result.summary


def test_every_convention_is_named_and_said_in_the_readers_language(results):
    read = 0
    for result in results:
        with use("zh"):
            lines = conventions_table(conventions_of(result)).to_numpy()
        for name, value in lines:
            assert re.search("[一-鿿]", name), name
            for known in NAMES:
                value = value.replace(known, "")
            assert not WORDS.search(value), (name, value)
            read += 1
        with use("en"):
            said = " ".join(conventions_table(conventions_of(result)).to_numpy().ravel())
        assert not re.search("[一-鿿]", said), said
    assert read > 150


def test_rankings_say_their_methods_in_the_readers_language(results):
    counties = results[0]
    for options in ({}, {"marginal": "maxt"}, {"simultaneous": "maxt"}, {"ties": "dense"}):
        with use("zh"):
            page = sat.rank(counties, bottom=1, **options)._repr_html_()
        cells = re.findall(">([^<>]+)<", re.sub("<style.*?</style>", "", page, flags=re.DOTALL))
        for known in NAMES:
            cells = [cell.replace(known, "") for cell in cells]
        assert [cell for cell in cells if WORDS.search(cell)] == []


def test_a_sentence_with_parts_is_said_with_its_parts_in_words():
    with use("zh"):
        said = str(in_words("max-t, step-down; normal errors"))
    assert said == "max-t，逐步；正态误差"


def test_what_nobody_knows_stays_as_it_is():
    assert str(in_words("county")) == "county"
    assert str(in_words("made elsewhere by hand")) == "made elsewhere by hand"
