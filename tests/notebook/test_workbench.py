"""The workbench of a wave: trials beside the declared recipe, one adopted with its reason, and undone."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pytest

import rscript
import satisfaction as sat
from satisfaction.declarations.weighting_record import read_weighting_record
from satisfaction.foundation.errors import DesignError, SurveyError, WeightsError
from satisfaction.publication.assessment import assessment_tables
from satisfaction.publication.file_set import export, export_dated, revision_of

WHY = {
    "reason": "weights above 1.5 rest on few",
    "source": "method note 3",
    "by": "A. Statistician",
}
RAKING = {"step": "calibration", "method": "raking", "margins": ["county_sex", "county_age"]}
TRIMMING = {"step": "trimming", "upper": 1.5, "relative_to": "mean", "within": ["county"]}
TRIMMED = [{"step": "base"}, RAKING, TRIMMING]


def replayed(small) -> np.ndarray:
    """Base weights, raking and trimming written out again with numpy: nothing of the program."""
    rows = small.rows()
    sample = pd.read_csv(small.folder / "sample.csv", dtype=str).set_index("community")
    chance = sample["psu_probability"].astype(float) * sample["person_probability"].astype(float)
    weight = np.array((1 / chance).loc[rows["community"]], dtype=float)
    margins = []
    for name, column in (("county_sex", "sex"), ("county_age", "age_group")):
        table = pd.read_csv(small.folder / f"{name}.csv", dtype=str)
        keys = rows["county"] + "-" + rows[column]
        level = table["level"] if "level" in table else table[column]
        targets = dict(
            zip(table["county"] + "-" + level, table["population"].astype(float), strict=True)
        )
        margins.append((keys.to_numpy(), targets))
    for _sweep in range(2000):
        for keys, targets in margins:
            for key, target in targets.items():
                inside = keys == key
                weight[inside] *= target / weight[inside].sum()
    # what is above 1.5 x the county's mean goes to the county's others, in proportion, until nobody is above
    for county in rows["county"].unique():
        inside = (rows["county"] == county).to_numpy()
        part = weight[inside]
        bound = 1.5 * part.mean()
        assert (part > bound).any()
        while (part > bound * (1 + 1e-13)).any():
            excess = (part - bound).clip(min=0).sum()
            part = part.clip(max=bound)
            part[part < bound] *= 1 + excess / part[part < bound].sum()
        weight[inside] = part
    return weight


@pytest.fixture
def wave(small):
    return sat.open_wave(small.folder)


def test_a_trial_changes_no_file_but_the_record_of_what_was_looked_at(small, wave):
    before = {path: path.read_bytes() for path in small.root.rglob("*") if path.is_file()}
    trial = wave.try_weighting(TRIMMED, name="upper 1.5")
    after = {path: path.read_bytes() for path in small.root.rglob("*") if path.is_file()}
    added = set(after) - set(before)
    assert {path.name for path in added} == {"weighting_trials.yaml"}
    assert all(after[path] == content for path, content in before.items())
    assert trial.results.survey.departures() == ("survey.yaml: weighting",)


def test_trials_stand_beside_the_declared_recipe(wave):
    wave.try_weighting(TRIMMED, name="upper 1.5")
    wave.try_weighting([{"step": "base"}], name="base alone")
    table = wave.trials.set_index("recipe")
    assert list(table.index) == ["declared", "upper 1.5", "base alone"]
    assert table.loc["declared", ["shift", "largest_shift", "areas_moved"]].tolist() == [0, 0, 0]
    assert table.loc["upper 1.5", "high"] < table.loc["declared", "high"]
    assert table.loc["upper 1.5", "effective_n"] > table.loc["declared", "effective_n"]
    assert (
        table.loc["declared", "margins_missed"] < 1e-9 < table.loc["base alone", "margins_missed"]
    )
    areas = wave.trials_by_area
    assert len(areas) == 3 * 4
    for recipe, of_recipe in areas.groupby("recipe"):
        entered = " ".join(of_recipe.loc[of_recipe["moved"] == "enters", "code"])
        assert entered == table.loc[recipe, "entered"]
    assert wave.picture().axes
    assert wave.rank_picture().axes


def test_adopted_weights_equal_an_independent_replay(small, wave):
    trial = wave.try_weighting(TRIMMED, name="upper 1.5")
    wave.adopt(trial, **WHY)
    results = sat.run(small.read())
    ours = pd.Series(results.design.weights, index=results.responses.accepted["id"])
    expected = pd.Series(replayed(small), index=small.rows()["id"])
    assert ours.to_numpy() == pytest.approx(expected.loc[ours.index].to_numpy(), rel=1e-9)


def test_adopting_and_undoing_gives_the_first_bytes(small, wave):
    path = small.folder / "survey.yaml"
    commented = path.read_text(encoding="utf-8").replace(
        "  - {step: base}", "  # by the sample table\n  - {step: base} # 1 / probability"
    )
    path.write_bytes(commented.replace("\n", "\r\n").encode("utf-8-sig"))
    first = path.read_bytes()
    official = export(sat.run(small.read()), small.root / "first")
    wave = sat.open_wave(small.folder)
    wave.adopt(wave.try_weighting(TRIMMED, name="upper 1.5"), **WHY)
    adopted = path.read_bytes()
    text = adopted.decode("utf-8-sig")
    assert "  # by the sample table\r\n  - {step: base} # 1 / probability\r\n" in text
    assert text.replace("\r\n", "").count("\n") == 0
    outside = first.split(b"weighting:")[0], first.split(b"lonely_psu")[1]
    assert (adopted.split(b"weighting:")[0], adopted.split(b"lonely_psu")[1]) == outside
    wave.undo()
    assert path.read_bytes() == first
    again = export(sat.run(small.read()), small.root / "again")
    for name in ("indices.csv", "ranking.csv", "report.html"):
        assert (again / name).read_bytes() == (official / name).read_bytes(), name


@pytest.mark.parametrize("declared", ["weighting: [{step: base}]\n", ""])
def test_steps_of_any_form_are_replaced_and_put_back(small, declared):
    path = small.folder / "survey.yaml"
    text = path.read_text(encoding="utf-8")
    start = text.index("weighting:")
    path.write_text(text[:start] + declared + text[text.index("lonely_psu") :], encoding="utf-8")
    first = path.read_bytes()
    wave = sat.open_wave(small.folder)
    wave.adopt(wave.try_weighting(TRIMMED, name="upper 1.5"), **WHY)
    assert [step.step for step in small.read().declared.weighting] == [
        "base",
        "calibration",
        "trimming",
    ]
    wave.undo()
    assert path.read_bytes() == first


def test_the_record_keeps_every_trial_of_every_session(small, wave):
    wave.try_weighting([{"step": "base"}], name="base alone")
    wave.try_weighting([{"step": "base"}], name="base alone")
    another = sat.open_wave(small.folder)
    another.adopt(another.try_weighting(TRIMMED, name="upper 1.5"), **WHY)
    record = read_weighting_record(small.folder / "weighting_record.yaml")
    assert [trial.name for trial in record.trials] == ["base alone", "upper 1.5"]
    another.undo()
    record = read_weighting_record(small.folder / "weighting_record.yaml")
    assert [recipe.withdrawn for recipe in record.adopted] == [True]
    assert len(record.trials) == 2
    table = sat.open_wave(small.folder)
    assert len(table.record.trials) == 2


@pytest.mark.usefixtures("tables_alone")
def test_an_adopted_recipe_is_marked_beside_the_one_declared_before(small, wave, call):
    before = export_dated(wave.results)
    estimate = wave.results.whole.of("topic_index").table["estimate"].iloc[0]
    wave.adopt(wave.try_weighting(TRIMMED, name="upper 1.5"), **WHY)
    code, output, _errors = call("run", small.folder)
    assert code == 0
    assert "“upper 1.5” was adopted after results were seen, by A. Statistician" in output
    written = (small.folder / "out" / "latest").resolve()
    assert revision_of(before) == 1
    assert revision_of(written) == 2
    record = json.loads((written / "manifest.json").read_text())["weighting_record"]
    assert record["in_force"]["reason"] == WHY["reason"]
    assert record["in_force"]["after_results_were_seen"] is True
    assert record["declared_before"]["estimate"] == pytest.approx(estimate, rel=1e-11)
    assert [trial["name"] for trial in record["trials_looked_at"]] == ["upper 1.5"]
    for page in ("report-en.html", "confirm-en.html", "README-en.txt"):
        text = (written / page).read_text(encoding="utf-8")
        assert "was adopted after results were seen" in text, page
        assert "with the weighting declared before" in text, page
    assert sat.verify(written).code == 0
    assert not sat.open_wave(small.folder).results.survey.departures()


def test_steps_edited_past_the_record_are_refused(small, wave):
    wave.adopt(wave.try_weighting(TRIMMED, name="upper 1.5"), **WHY)
    small.edit("survey.yaml", "upper: 1.5", "upper: 1.4")
    with pytest.raises(SurveyError, match="S525"):
        small.read()
    with pytest.raises(WeightsError, match="W525"):
        wave.undo()


def test_what_cannot_be_adopted(small, wave):
    trial = wave.try_weighting(TRIMMED, name="upper 1.5")
    for name in ("upper 1.5", "declared", " "):
        with pytest.raises(WeightsError, match="W521"):
            wave.try_weighting([{"step": "base"}], name=name)
    with pytest.raises(SurveyError, match="S122"):
        wave.try_weighting([{"step": "calibration", "margins": ["sex"]}], name="other margin")
    with pytest.raises(WeightsError, match="W522"):
        wave.adopt("upper 9", **WHY)
    with pytest.raises(WeightsError, match="W523"):
        wave.adopt(trial, **WHY | {"reason": " "})
    with pytest.raises(WeightsError, match="W525"):
        wave.undo()
    small.edit("survey.yaml", "level: 0.95", "level: 0.9")
    with pytest.raises(WeightsError, match="W524"):
        wave.adopt(trial, **WHY)
    assert not (small.folder / "weighting_record.yaml").exists()


def weights_of(small) -> pd.DataFrame:
    """Final weights as another office would send them: in an order of its own, one respondent too many."""
    rows = small.rows()
    weights = pd.DataFrame({"id": rows["id"], "weight": 100 + np.arange(len(rows)) ** 1.5})
    stranger = pd.DataFrame({"id": ["P999"], "weight": [7.0]})
    return pd.concat([weights, stranger]).sample(frac=1, random_state=3)


MADE = {"name": "office-b", "source": "office B, R script 4", "date": datetime.date(2026, 5, 2)}


@pytest.mark.usefixtures("tables_alone")
def test_final_weights_made_elsewhere_are_tried_and_adopted(small, wave):
    first = (small.folder / "survey.yaml").read_bytes()
    table = weights_of(small)
    trial = wave.try_weights(table, **MADE)
    assert not (small.folder / "weights-office-b.csv").exists()
    wave.adopt(trial, **WHY)
    results = sat.run(small.read())
    expected = table.set_index("id")["weight"].loc[results.responses.accepted["id"]]
    assert results.design.weights == pytest.approx(expected.to_numpy(), rel=1e-12)
    folder = export_dated(results)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "weights-office-b.csv" in manifest["inputs"]
    record = manifest["steps"]["weighting"][0]
    assert (record["file"], record["unused"]) == ("weights-office-b.csv", 1)
    assert "taken as fixed for the errors" in (folder / "report-en.html").read_text("utf-8")
    for path in folder.rglob("*.csv"):
        assert "P001" not in path.read_text("utf-8-sig"), path.name
    wave.undo()
    assert (small.folder / "survey.yaml").read_bytes() == first


def test_weights_that_do_not_fit_are_refused(small, wave):
    table = weights_of(small)
    with pytest.raises(WeightsError, match="W527") as fault:
        wave.try_weights(table[table["id"] != "P005"], **MADE)
    assert f"responses/{small.csv.name} 第 7 行" in fault.value.zh
    with pytest.raises(SurveyError, match="S524"):
        wave.try_weights(pd.concat([table, table.head(1)]), **MADE)
    with pytest.raises(SurveyError, match="S523"):
        wave.try_weights(table.assign(weight=0.0), **MADE)
    with pytest.raises(SurveyError, match="S131"):
        wave.try_weights(table.rename(columns={"weight": "w"}), **MADE)
    with pytest.raises(WeightsError, match="W528"):
        wave.try_weights(table, **MADE | {"name": "../out"})


@pytest.mark.usefixtures("tables_alone")
def test_tests_of_an_adopted_recipe_are_its_own(small, wave):
    trial = wave.try_weighting(TRIMMED, name="upper 1.5")
    declared = assessment_tables(wave.results)["tests"]
    wave.adopt(trial, **WHY)
    results = sat.run(small.read())
    folder = export_dated(results)
    tests = pd.read_csv(folder / "tests.csv", encoding="utf-8-sig")
    rest = sat.against_rest(results.design, "topic_index", by="county").table
    for column, name in {"difference": "difference", "se": "se", "p_holm": "p_adjusted"}.items():
        assert tests[name].to_numpy() == pytest.approx(rest[column].to_numpy(), rel=1e-10)
    assert (tests["se"].to_numpy() != declared["se"].to_numpy()).any()
    assert sat.verify(folder).code == 0


TOPICS = ("streets", "parks", "safety")
BY_R = """
rows <- read.csv("rows.csv", colClasses = c(id = "character", county = "character"))
columns <- grep("^b[0-9]", names(rows))
for (kind in c("mean", "mse")) {
  design <- svrepdesign(data = rows, weights = ~weight, repweights = as.matrix(rows[columns]),
    type = "other", scale = 0.04, rscales = read.csv("rscales.csv")$rscale,
    combined.weights = TRUE, mse = kind == "mse")
  for (topic in c("streets", "parks", "safety")) {
    by <- svyby(as.formula(paste0("~", topic)), ~county, design, svymean, na.rm = TRUE)
    keep(paste(kind, topic), c(coef(by), SE(by)))
    whole <- svymean(as.formula(paste0("~", topic)), design, na.rm = TRUE)
    keep(paste(kind, topic, "all"), c(coef(whole), SE(whole)))
  }
  keep(paste(kind, "degf"), degf(design))
}
"""


def replicates_of(small) -> pd.DataFrame:
    """Bootstrap weights as another office would send them, one respondent too many."""
    rng = np.random.default_rng(8)
    weights = weights_of(small)
    communities = small.rows().set_index("id")["community"]
    drawn = communities.reindex(weights["id"]).fillna("elsewhere").to_numpy()
    names = pd.unique(drawn)
    columns = {"id": weights["id"].to_numpy()}
    for replicate in range(30):
        times = rng.multinomial(len(names) - 1, np.full(len(names), 1 / len(names)))
        factor = dict(zip(names, times * len(names) / (len(names) - 1), strict=True))
        columns[f"b{replicate:02d}"] = weights["weight"].to_numpy() * [factor[one] for one in drawn]
    return pd.DataFrame(columns).sample(frac=1, random_state=4)


def points(small) -> pd.DataFrame:
    """The topics in points, from the answers alone."""
    rows = small.rows()
    questionnaire = small.read().questionnaire
    columns = {}
    for topic in TOPICS:
        scores = {str(code): one.score for code, one in questionnaire.answers(topic).items()}
        columns[topic] = rows[topic].map(scores).astype(float)
    return rows[["id", "county"]].assign(**columns)


@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize("mse", [False, True])
def test_replicate_weights_made_elsewhere_give_the_errors_of_svrepdesign(
    small, wave, tmp_path, mse, call
):
    first = (small.folder / "survey.yaml").read_bytes()
    table = weights_of(small)
    replicates = replicates_of(small)
    rscales = np.linspace(0.5, 1.5, 30)
    trial = wave.try_weights(
        table, **MADE, replicates=replicates, scale=0.04, rscales=rscales, mse=mse
    )
    wave.adopt(trial, **WHY)
    results = sat.run(small.read())
    rows = points(small).merge(table, on="id").merge(replicates, on="id")
    (tmp_path / "r").mkdir()
    by_r = rscript.run_r(
        tmp_path / "r", BY_R, {"rows": rows, "rscales": pd.DataFrame({"rscale": rscales})}
    )
    kind = "mse" if mse else "mean"
    for level, suffix in (("county", ""), ("province", " all")):
        for topic in TOPICS:
            found = results.estimates[level].of(topic).table[["estimate", "se"]]
            np.testing.assert_allclose(
                found.to_numpy(float).T.ravel(), by_r[f"{kind} {topic}{suffix}"], rtol=1e-9
            )
    assert results.design.replicates.df == by_r[f"{kind} degf"]
    # the files are inputs of the wave, the set says what they are and is computed again from them
    folder = export_dated(results)
    manifest = json.loads((folder / "manifest.json").read_text())
    names = {f"weights-office-b{part}.csv" for part in ("", "-replicates", "-rscales")}
    assert names <= set(manifest["inputs"])
    record = manifest["steps"]["weighting"][0]["replicates"]
    assert (record["scale"], record["mse"]) == (0.04, mse)
    assert manifest["weighting_record"]["in_force"]["reason"] == WHY["reason"]
    page = (folder / "report-en.html").read_text("utf-8")
    assert "the errors come from the replicate weights" in page
    assert "taken as fixed for the errors" not in page
    tests = pd.read_csv(folder / "tests.csv", encoding="utf-8-sig")
    assert tests.loc[tests["test"] == "rest", "p"].notna().all()
    assert sat.verify(folder).code == 0
    for path in folder.rglob("*.csv"):
        assert "P001" not in path.read_text("utf-8-sig"), path.name
    assert call("check", small.folder)[0] == 0
    wave.undo()
    assert (small.folder / "survey.yaml").read_bytes() == first


def test_replicate_weights_that_do_not_fit_are_refused(small, wave):
    table = weights_of(small)
    replicates = replicates_of(small)
    given = MADE | {"scale": 0.04}
    with pytest.raises(SurveyError, match="scale"):
        wave.try_weights(table, **MADE, replicates=replicates)
    with pytest.raises(WeightsError, match="W527"):
        wave.try_weights(table, **given, replicates=replicates[replicates["id"] != "P005"])
    with pytest.raises(SurveyError, match="S524"):
        wave.try_weights(table, **given, replicates=pd.concat([replicates, replicates.head(1)]))
    with pytest.raises(SurveyError, match="S534"):
        wave.try_weights(table, **given, replicates=replicates.assign(b03="many"))
    with pytest.raises(DesignError, match="D527"):
        wave.try_weights(table, **given, replicates=replicates, rscales=[1.0, 2.0])
    with pytest.raises(DesignError, match="D527"):
        wave.try_weights(table, **given, replicates=replicates[["id", "b01"]])
    small.edit("survey.yaml", "step: base", "step: base, replicates: {file: a, scale: 1}")
    with pytest.raises(SurveyError):
        small.read()


@pytest.mark.usefixtures("tables_alone")
def test_weights_adopted_over_a_declared_table_of_weights(small, wave):
    """What the recipe declared before gives comes from the first table, not from the second under its name."""
    table = weights_of(small)
    wave.adopt(wave.try_weights(table, **MADE), **WHY)
    (small.folder / "weighting_record.yaml").unlink()  # as if declared by hand
    declared = sat.open_wave(small.folder)
    first = declared.results.whole.of("topic_index").table["estimate"].iloc[0]
    other = table.assign(weight=1 + np.arange(len(table)) % 3)
    declared.adopt(declared.try_weights(other, **MADE | {"name": "office-c"}), **WHY)
    results = sat.run(small.read())
    adopted = results.whole.of("topic_index").table["estimate"].iloc[0]
    folder = export_dated(results)
    manifest = json.loads((folder / "manifest.json").read_text())
    before = manifest["weighting_record"]["declared_before"]
    assert before["estimate"] == pytest.approx(first, rel=1e-11)
    assert abs(adopted - first) > 0.01
    assert {"weights-office-b.csv", "weights-office-c.csv"} <= set(manifest["inputs"])
    assert sat.verify(folder).code == 0


def test_weights_are_written_beside_the_set_and_read_back(small, wave):
    folder = wave.write_weights(replicates="jkn")
    assert folder.parent == small.folder / "out"
    table = pd.read_csv(folder / "weights.csv", encoding="utf-8-sig", dtype={"id": str})
    trial = wave.try_weights(table, **MADE)
    before = wave.results.ranked.table["estimate"].to_numpy()
    assert trial.results.ranked.table["estimate"].to_numpy() == pytest.approx(before, rel=1e-9)
    repeated = pd.read_csv(folder / "replicates" / "replicate_weights.csv", dtype={"id": str})
    assert list(repeated["id"]) == list(table["id"])
    assert repeated.filter(like="rep_").shape[1] == 24
    official = export_dated(wave.results)
    assert not list(official.rglob("weights.csv"))
