"""One poll on a Spark cluster and on DuckDB: the same tally, estimates, weights and ranks.

usage: python tests/cluster/job.py MASTER ROWS FOLDER     (run.sh starts the cluster and calls this)

Simulated answers. Ends with an error when a figure differs.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import satisfaction as sat
from satisfaction.sampling.tally import tally

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from poll import simulate_rows

MEASURES = ["q0", "q1", "q2", "q3"]


def session(master: str) -> Any:
    """Return a session on the cluster whose executors fit beside the driver."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("satisfaction")
    builder = builder.config("spark.executor.memory", "1g")
    builder = builder.config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "8")
    started = builder.getOrCreate()
    started.sparkContext.setLogLevel("ERROR")
    return started


def executors(spark: Any) -> int:
    """Count the executors, the driver not among them."""
    memory = spark.sparkContext._jsc.sc().getExecutorMemoryStatus()
    return memory.size() - 1


def design_of(rows: Any) -> sat.SampleDesign:
    """Return the design of the simulated poll."""
    return sat.SurveyDesign(rows, strata="stratum", psu="psu", base_weight="base_weight")


def counted(rows: Any, label: str) -> str:
    """Print the seconds of the tally of one engine; return its digest."""
    design = design_of(rows)
    started = time.perf_counter()
    digest = tally(design, MEASURES, by=["county"]).digest()
    print(f"{label}: tally {time.perf_counter() - started:.1f} s, {digest[:16]}")
    return digest


def main() -> None:
    """Compare the two engines step by step."""
    warnings.simplefilter("ignore")
    master = sys.argv[1]
    rows = int(sys.argv[2])
    work = Path(sys.argv[3])
    poll = simulate_rows(rows, work / "poll", items=len(MEASURES), seed=1)

    spark = session(master)
    on_cluster = spark.read.parquet(str(poll))
    same_digest = counted(on_cluster, "Spark") == counted(poll, "DuckDB")

    cluster_index = sat.estimate(design_of(on_cluster), MEASURES, by="county")
    local_index = sat.estimate(design_of(poll), MEASURES, by="county")
    same_table = cluster_index.table.equals(local_index.table)
    same_covariance = bool(np.array_equal(cluster_index.cov, local_index.cov))

    first_item = sat.estimate(design_of(on_cluster), MEASURES[0], by="county")
    sat.write_estimates(first_item, work / "estimates")
    carried = sat.read_estimates(work / "estimates")
    ranks_inside = sat.rank(sat.estimate(design_of(poll), MEASURES[0], by="county")).table
    same_ranks = sat.rank(carried).table.equals(ranks_inside)

    sat.write_weights(design_of(on_cluster), str(work / "weights"))
    weighted = spark.read.parquet(str(work / "weights"))
    same_rows = weighted.count() == rows

    same = {
        "digest": same_digest,
        "estimates": same_table,
        "covariances": same_covariance,
        "ranks": same_ranks,
        "rows with weights": same_rows,
    }
    print(f"{rows:,} rows, {executors(spark)} executors, the same as DuckDB: {same}")
    spark.stop()
    if not all(same.values()):
        sys.exit("The cluster and DuckDB differ.")


if __name__ == "__main__":
    main()
