"""One behaviour over every engine: equal tallies, bit for bit, and equal estimates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from satisfaction import (
    SatisfactionError,
    SurveyDesign,
    calibrate,
    compile_measures,
    estimate,
    export,
)
from satisfaction.collection.responses import Responses, load_responses
from satisfaction.foundation.engines import LARGE, fetch, hold, scan
from satisfaction.foundation.errors import EngineError, WeightsError
from satisfaction.pipeline import base_design, estimate_areas, run
from satisfaction.sampling.tally import tally
from satisfaction.weighting.recipe import FINAL, finished_weights, write_weights
from satisfaction.weighting.wave_design import weigh
from system_packages import NEEDS_JAVA

ENGINES = ("pandas", "polars", "duckdb", "pyspark")
SPARK = bool(shutil.which("java"))
pytestmark = pytest.mark.filterwarnings(
    "ignore:PySpark does not yet fully support pandas:FutureWarning",  # of its own functions for pandas, which are not used
    "ignore:unclosed:ResourceWarning",  # the sockets to its Java process, closed when the process ends
)


@pytest.fixture(scope="module", autouse=True)
def short_lived_java():
    """Ask Java for the compiler that starts soonest: its tables have 120 rows, and it lives for seconds."""
    options = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", f'--driver-java-options "{options}" pyspark-shell')
        yield


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "pyspark" and not SPARK:
        assert os.environ.get("SATISFACTION_REQUIRE_SPARK") != "1", NEEDS_JAVA
        pytest.skip(NEEDS_JAVA)
    return request.param


@pytest.fixture(scope="module")
def responses(unchanged):
    return load_responses(unchanged)


@pytest.fixture(scope="module")
def reference(unchanged, responses):
    """The tally and the estimates on pandas, rows in file order."""
    design = weigh(unchanged, base_design(unchanged, responses, engine="pandas"))
    return tally(design, list(design.measures), by=["county", "prefecture"]), estimate_areas(
        unchanged, design
    )


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_tally_and_the_estimates_are_the_same_to_the_last_bit(
    unchanged, responses, reference, engine, seed
):
    rows = (
        responses.accepted
        if seed is None
        else responses.accepted.sample(frac=1, random_state=seed, ignore_index=True)
    )
    design = weigh(
        unchanged,
        base_design(
            unchanged,
            Responses(rows, responses.rejected, responses.log, responses.summary),
            engine=engine,
        ),
    )
    counted, estimates = (
        tally(design, list(design.measures), by=["county", "prefecture"]),
        estimate_areas(unchanged, design),
    )
    assert counted.exact
    assert counted.digest() == reference[0].digest()
    for level, expected in reference[1].items():
        pd.testing.assert_frame_equal(estimates[level].table, expected.table, check_exact=True)
        np.testing.assert_array_equal(estimates[level].cov, expected.cov)


def test_weights_of_rows_in_any_order(unchanged, responses, engine):
    rows = responses.accepted.sample(frac=1, random_state=3, ignore_index=True)
    design = weigh(
        unchanged,
        base_design(
            unchanged,
            Responses(rows, responses.rejected, responses.log, responses.summary),
            engine=engine,
        ),
    )
    if engine == "pyspark":
        with pytest.raises(EngineError, match="G105"):
            _ = design.weights
        return
    plain = weigh(unchanged, base_design(unchanged, responses, engine="pandas"))
    by_id = dict(zip(responses.accepted["id"], plain.weights, strict=True))
    np.testing.assert_array_equal(design.weights, rows["id"].map(by_id))


def test_a_column_of_numbers_is_counted_alike(engine):
    rows = pd.DataFrame(
        {
            "psu": np.arange(40) % 8,
            "g": ["a", "b"] * 20,
            "y": np.random.default_rng(1).integers(-9, 9, 40),
        }
    )
    found, expected = (SurveyDesign(hold(rows, name), psu="psu") for name in (engine, "pandas"))
    assert tally(found, ["y"], by=["g"]).digest() == tally(expected, ["y"], by=["g"]).digest()


def test_without_psu_the_tally_is_the_same(engine):
    rows = pd.DataFrame({"g": ["a", None, "b", "a"], "y": [3, 1, 2, 5], "w": [1.0, 2.0, 1.5, 1.0]})
    found, expected = (
        SurveyDesign(hold(rows, name), base_weight="w") for name in (engine, "pandas")
    )
    assert tally(found, ["y"]).digest() == tally(expected, ["y"]).digest()
    pd.testing.assert_frame_equal(estimate(found, "y").table, estimate(expected, "y").table)


def test_calibration_gives_the_same_weights(province, engine):
    columns = ["stratum", "psu", "base_weight", *province.margins]
    rows = province.respondents[columns]
    designs = (
        SurveyDesign(hold(rows, name), strata="stratum", psu="psu", base_weight="base_weight")
        for name in (engine, "pandas")
    )
    found, expected = (calibrate(design, province.margins) for design in designs)
    tables = [estimate(one, "base_weight", by="county").table for one in (found, expected)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    if engine != "pyspark":
        np.testing.assert_array_equal(found.weights, expected.weights)


def test_rows_keep_their_order_in_every_engine(engine):
    rows = pd.DataFrame({"a": ["x", None, "z"], "b": pd.array([3, None, 1], dtype="Int64")})
    held = hold(rows, engine)
    assert [None if pd.isna(value) else value for value in fetch(scan(held))["a"]] == [
        "x",
        None,
        "z",
    ]
    assert [None if pd.isna(value) else value for value in fetch(scan(held))["b"]] == [3, None, 1]


def test_a_column_without_any_value_is_held(engine):
    rows = pd.DataFrame({"psu": [1, 2], "b": pd.array([None, None], dtype="Int64"), "y": [1, 2]})
    assert estimate(SurveyDesign(hold(rows, engine), psu="psu"), ["y", "b"]).table[
        "n"
    ].tolist() == [2, 0]


def test_measures_of_the_questionnaire_agree_before_they_are_stored(unchanged, responses, engine):
    measures = compile_measures(unchanged.questionnaire)
    designs = [
        SurveyDesign(
            hold(responses.accepted, name),
            strata=["county", "residence"],
            psu="community",
            measures=measures,
        )
        for name in (engine, "pandas")
    ]
    found, expected = (tally(design, list(design.measures), by=["county"]) for design in designs)
    assert found.digest() == expected.digest()


@pytest.mark.parametrize(
    ("code", "call"),
    [("G101", lambda: scan([1, 2, 3])), ("G102", lambda: hold(pd.DataFrame({"a": [1]}), "spark"))],
)
def test_refused_with_code_and_both_languages(code, call):
    with pytest.raises(EngineError) as refused:
        call()
    assert refused.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)


def test_a_parquet_path_that_is_not_there_is_refused():
    from satisfaction import SatisfactionError

    with pytest.raises(SatisfactionError):
        scan(Path("nowhere.parquet"))


# ---- the whole pipeline, weights written where the rows are ----


def files_of(folder: Path) -> dict[str, bytes]:
    """What a set holds, but for the files with a clock."""
    clocked = {"run.json", "SHA256SUMS"}
    paths = [path for path in folder.iterdir() if path.is_file() and path.name not in clocked]
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def by_default(unchanged, tmp_path_factory):
    return files_of(export(run(unchanged), tmp_path_factory.mktemp("set") / "by-default"))


def test_a_run_gives_the_same_files_on_every_engine(unchanged, by_default, engine, tmp_path):
    written = export(run(unchanged, engine=engine), tmp_path / "set")
    assert files_of(written) == by_default


@pytest.mark.parametrize(("rows", "kind"), [(120, pd.DataFrame), (LARGE, duckdb.DuckDBPyRelation)])
def test_few_rows_are_counted_by_pandas_and_many_by_duckdb(rows, kind):
    assert isinstance(hold(pd.DataFrame({"n": np.arange(rows)}), "auto"), kind)


def test_final_weights_are_written_by_the_engine(province, engine, tmp_path):
    rows = province.respondents[["stratum", "psu", "base_weight", "s1", *province.margins]].assign(
        id=np.arange(len(province.respondents))
    )
    design = SurveyDesign(
        hold(rows, engine), strata="stratum", psu="psu", base_weight="base_weight"
    )
    design = calibrate(design, province.margins)
    folder = write_weights(design, tmp_path / "weighted")
    assert finished_weights(folder) == folder
    expected = calibrate(
        SurveyDesign(rows, strata="stratum", psu="psu", base_weight="base_weight"), province.margins
    ).weights
    found = fetch(scan(Path(folder)).select("id", FINAL)).sort_values("id")[FINAL].to_numpy()
    np.testing.assert_array_equal(found, expected)
    if engine != "pyspark":
        with pytest.raises(WeightsError, match="W191"):
            write_weights(design, tmp_path / "weighted")


def test_weights_without_the_mark_of_success_are_refused(tmp_path):
    (tmp_path / "half").mkdir()
    with pytest.raises(WeightsError, match="W192"):
        finished_weights(tmp_path / "half")


# ---- files ----


def made(folder, rows, *, parts=3, groups=700):
    """Parquet files of the rows in a folder, in row groups of a few hundred."""
    import duckdb

    folder.mkdir()
    for k, part in enumerate(np.array_split(np.arange(len(rows)), parts)):
        opened = duckdb.connect()
        opened.register("part", rows.iloc[part])
        opened.execute(
            f"copy part to '{folder / f'part-{k}.parquet'}' (format parquet, row_group_size {groups})"
        )
        opened.close()
    return folder


@pytest.fixture(scope="module")
def large():
    rng = np.random.default_rng(2)
    n = 6000
    psu = rng.integers(0, 60, n)
    return pd.DataFrame(
        {"stratum": psu // 6, "psu": psu, "county": [f"52{p // 12:04d}" for p in psu], "w": (10.0 + psu % 7), "q0": rng.integers(1, 6, n), "q1": rng.integers(0, 101, n)}
    )  # fmt: skip


def digest(path):
    design = SurveyDesign(path, strata="stratum", psu="psu", base_weight="w")
    return tally(design, ["q0", "q1"], by=["county"]).digest()


@pytest.mark.parametrize("threads", [1, 2])
def test_files_shuffled_and_on_any_number_of_threads_give_the_same_tally(large, tmp_path, threads):
    from satisfaction.foundation.engines import connection

    connection().execute(f"set threads = {threads}")
    try:
        one = digest(made(tmp_path / "one", large))
        two = digest(
            made(tmp_path / "two", large.sample(frac=1, random_state=threads), parts=5, groups=300)
        )
        assert one == two == digest(large)
    finally:
        connection().execute("reset threads")


def test_csv_files_are_read_too(large, tmp_path):
    (tmp_path / "csv").mkdir()
    large.iloc[:3000].to_csv(tmp_path / "csv" / "a.csv", index=False)
    large.iloc[3000:].to_csv(tmp_path / "csv" / "b.csv", index=False)
    design = SurveyDesign(tmp_path / "csv", strata="stratum", psu="psu", base_weight="w")
    assert tally(design, ["q0"]).n.sum() == 6000


def test_a_damaged_file_is_named(large, tmp_path):
    folder = made(tmp_path / "set", large)
    content = (folder / "part-1.parquet").read_bytes()
    (folder / "part-1.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(EngineError, match="G104") as fault:
        scan(folder)
    assert "part-1.parquet" in str(fault.value)


def test_data_damaged_in_the_middle_are_told_when_they_are_read(large, tmp_path):
    folder = made(tmp_path / "set", large, parts=1)
    content = bytearray((folder / "part-0.parquet").read_bytes())
    content[40:4000] = bytes(3960)
    (folder / "part-0.parquet").write_bytes(bytes(content))
    with pytest.raises(EngineError, match="G104"):
        digest(folder)


def test_files_whose_columns_differ_are_named(large, tmp_path):
    folder = made(tmp_path / "set", large)
    shutil.copy(
        made(tmp_path / "other", large.assign(q1=large["q1"].astype(str)), parts=1)
        / "part-0.parquet",
        folder / "part-9.parquet",
    )
    with pytest.raises(EngineError, match="G108") as fault:
        scan(folder)
    assert "part-9.parquet" in str(fault.value)
    assert "q1" in fault.value.zh


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("w", -1.0, "D102"),
        ("w", None, "D102"),
        ("w", float("nan"), "D102"),
        ("psu", None, "D103"),
        ("county", None, "D103"),
    ],
)
def test_faulty_keys_and_weights_are_named_with_file_and_row_group(
    large, tmp_path, column, value, code
):
    rows = large.astype({column: object}) if value is None else large.copy()
    rows.loc[4500, column] = value
    rows = rows.convert_dtypes() if value is None else rows
    folder = made(tmp_path / "set", rows)
    strata = ["stratum", "county"] if column == "county" else "stratum"
    with pytest.raises(SatisfactionError, match=code) as fault:
        SurveyDesign(folder, strata=strata, psu="psu", base_weight="w")
    assert "part-2.parquet row 501 (row group 0)" in str(fault.value)


def test_folders_that_hold_nothing_or_are_not_finished_are_refused(large, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="G104"):
        scan(tmp_path / "empty")
    (made(tmp_path / "set", large) / "_temporary").mkdir()
    with pytest.raises(EngineError, match="G107"):
        scan(tmp_path / "set")


def test_a_run_that_is_killed_leaves_nothing_and_the_next_one_succeeds(large, tmp_path):
    """The process is killed while it writes; what it had begun is no result, and a second run is none the worse."""
    folder = made(
        tmp_path / "set", pd.concat([large] * 300, ignore_index=True), parts=2, groups=100_000
    )
    program = (
        "import sys; from satisfaction import SurveyDesign; from satisfaction.weighting.recipe import write_weights; "
        "design = SurveyDesign(sys.argv[1], strata='stratum', psu='psu', base_weight='w'); print('ready', flush=True); "
        "write_weights(design, sys.argv[2])"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(tmp_path / "out" / "weighted")],
        stdout=subprocess.PIPE,
    )
    assert running.stdout.readline().strip() == b"ready"
    for _ in range(2000):
        if list((tmp_path / "out").glob(".unfinished-*")):
            break
        time.sleep(0.002)
    running.kill()
    running.wait()
    assert (
        not (tmp_path / "out" / "weighted").exists()
        or (tmp_path / "out" / "weighted" / "_SUCCESS").is_file()
    )
    again = tmp_path / "out" / "again"
    subprocess.run(
        [sys.executable, "-c", program, str(folder), str(again)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert finished_weights(again)
    assert len(fetch(scan(again).select(FINAL))) == len(large) * 300


def test_a_memory_limit_and_a_folder_to_spill_to_are_used(large, tmp_path):
    folder = made(tmp_path / "set", large)
    program = (
        "import sys; from satisfaction import SurveyDesign; from satisfaction.sampling.tally import tally; "
        "from satisfaction.foundation.engines import connection; "
        "print(connection().execute(\"select current_setting('memory_limit'), current_setting('temp_directory')\").fetchone()); "
        "print(tally(SurveyDesign(sys.argv[1], strata='stratum', psu='psu', base_weight='w'), ['q0', 'q1'], by=['county']).digest())"
    )
    environment = os.environ | {
        "SATISFACTION_MEMORY": "256MB",
        "SATISFACTION_SPILL": str(tmp_path / "spill"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    limit, found = done.stdout.strip().splitlines()
    assert "244.1 MiB" in limit
    assert "spill" in limit
    assert found == digest(large)
