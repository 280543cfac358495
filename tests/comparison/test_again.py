"""Sets of `trial` and `compare` are verified as any other: identical, or the planted difference is named and the exit is not 0."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
from tests.comparison.test_trial import trial_of

from conftest import SmallSurvey
from satisfaction.comparison.again import verify_any
from satisfaction.comparison.compare import compare, export_comparison
from satisfaction.comparison.trial import run_trial
from satisfaction.comparison.wave_files import export_trial
from satisfaction.declarations.survey import read_survey
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.files import sha256
from satisfaction.pipeline import run
from satisfaction.publication.file_set import export, export_dated
from satisfaction.publication.verify import BY_HAND, IDENTICAL, OTHER_INPUTS, UNEXPLAINED

FIGURE = {"trial": "difference", "beside-set": "difference", "compare": "new"}
TABLE = {"trial": "differences.csv", "beside-set": "differences.csv", "compare": "figures.csv"}


@pytest.fixture(scope="module", autouse=True)
def tables_alone(pictures):
    """Sets are compared by their tables."""
    with pictures.left_out():
        yield


@pytest.fixture(scope="module")
def made(small_template, tmp_path_factory):
    """Two revisions of a wave compared, and a trial beside the wave and beside its set. No test changes them."""
    root = shutil.copytree(small_template, tmp_path_factory.mktemp("again") / "small")
    first = SmallSurvey(root)
    with (first.folder / "survey.yaml").open("a", encoding="utf-8") as file:
        file.write("simulated: {seed: 7, note: {zh: 模拟, en: simulated}}\n")
    before = export(run(first.read()), first.folder / "out" / "before")
    apart = trial_of(first, "apart", coached="990101")
    first.change(streets="1")
    after = export_dated(run(first.read()))
    sets = {
        "trial": export_trial(run_trial(first.folder, apart)),
        "beside-set": export_trial(run_trial(first.folder / "out" / "latest", apart)),
        "compare": export_comparison(compare(before, after.with_name("latest")), root / "compared"),
    }
    return SimpleNamespace(root=root, before=before, after=after, apart=apart, sets=sets)


@pytest.fixture
def moved(made, tmp_path):
    """A copy of everything that the test may change; the way to a file of the first."""
    root = shutil.copytree(made.root, tmp_path / "small", symlinks=True)
    return lambda path: root / path.relative_to(made.root)


@pytest.mark.parametrize("kind", TABLE)
def test_an_untouched_set_is_identical(made, kind):
    found = verify_any(made.sets[kind])
    assert (found.code, found.differing, found.files, found.inputs) == (IDENTICAL, (), {}, {})
    assert found.compared == len(list(made.sets[kind].iterdir())) - 1


@pytest.mark.parametrize("kind", TABLE)
def test_a_planted_difference_is_found_and_printed(moved, made, call, kind):
    folder = moved(made.sets[kind])
    path = folder / TABLE[kind]
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    table.loc[1, FIGURE[kind]] = "0.123"
    path.write_text(table.to_csv(index=False), encoding="utf-8-sig")
    if kind == "compare":  # the others are as slow as they are alike
        assert (verify_any(folder).code, verify_any(folder).files) == (
            BY_HAND,
            {TABLE[kind]: "changed"},
        )
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["outputs"][TABLE[kind]] = sha256(path)  # whoever changed it renewed the hash too
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    code, out, _err = call("verify", folder)
    assert code == UNEXPLAINED
    assert f"{FIGURE[kind]}: file '0.123', recomputed" in out


@pytest.mark.parametrize("name", ["figures.csv", "figures.json"])
def test_a_file_that_is_gone_is_named(moved, made, name):
    folder = moved(made.sets["compare"])
    (folder / name).unlink()
    found = verify_any(folder)
    assert (found.code, found.files) == (BY_HAND, {name: "missing"})


def test_a_changed_set_is_another_input_of_a_comparison_and_stands_beside_no_trial(moved, made):
    published = moved(made.after) / "indices.csv"
    text = published.read_text(encoding="utf-8-sig")
    published.write_text(text.replace("0.", "0.0", 1), encoding="utf-8-sig")
    found = verify_any(moved(made.sets["compare"]))
    assert (found.code, found.inputs) == (OTHER_INPUTS, {"new: indices.csv": "changed"})
    with pytest.raises(InputFileError, match="F124"):
        verify_any(moved(made.sets["beside-set"]))


def test_every_output_of_a_comparison_says_what_the_samples_are(made):
    folder = made.sets["compare"]
    mark = json.loads((folder / "figures.json").read_text(encoding="utf-8"))["mark"]
    assert mark
    for name in ("figures", "causes", "ranks"):
        table = pd.read_csv(folder / f"{name}.csv", encoding="utf-8-sig", dtype=str)
        assert (table["mark"] == mark).all()


def test_a_folder_that_is_there_is_not_written_over(made, call):
    code, _out, err = call("compare", made.before, made.after, "--out", made.sets["compare"])
    assert code == 2
    assert "X420" in err


def test_the_command_writes_a_set_that_can_be_verified(made, tmp_path, call):
    code, out, _err = call("compare", made.before, made.after, "--out", tmp_path / "set")
    assert code == 1
    assert "***" in out
    assert call("verify", tmp_path / "set")[0] == IDENTICAL


def test_a_trial_reads_the_way_to_its_official_survey(made):
    stamp = json.loads((made.sets["beside-set"] / "run.json").read_text(encoding="utf-8"))
    assert stamp["options"] == {"official": f"../wave/out/{made.after.name}"}
    assert read_survey(made.apart).name == "small-apart"
