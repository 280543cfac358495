"""Spark: a session that is there already, or a local one; nothing of ours is installed on the workers."""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np
import pandas as pd

from ..errors import EngineError

LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.execution.arrow.pyspark.enabled": "false",  # would ask for pyarrow
}


def session() -> Any:
    """Return the active Spark session, or start a local one.

    Raises
    ------
    EngineError
        G103 when PySpark or Java is missing.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise missing("pyspark", "pip install 'satisfaction[spark]'") from None
    if (active := SparkSession.getActiveSession()) is not None:
        return active
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise missing("Java 17", "安装 Java 17 install Java 17")
    builder = SparkSession.builder.master("local[*]").appName("satisfaction")
    for name, value in LOCAL.items():
        builder = builder.config(name, value)
    started = builder.getOrCreate()
    started.sparkContext.setLogLevel("ERROR")
    return started


def missing(what: str, how: str) -> EngineError:
    """Say that an engine's software is not there, and how to get it."""
    return EngineError(
        "G103",
        f"没有安装 {what}。",
        f"{what} is not installed.",
        where="engine",
        available=("duckdb", "pandas"),
        hint=(f"运行 {how}，或换用 duckdb。", f"Run {how}, or use duckdb."),
    )


def to_spark(table: pd.DataFrame) -> Any:
    """Hand a pandas table to Spark, value by value: whole numbers as long, text as string; missing values as null."""
    from pyspark.sql import types

    kinds = {"i": types.LongType, "u": types.LongType, "b": types.BooleanType, "f": types.DoubleType}
    shape = types.StructType(
        [
            types.StructField(str(name), kinds.get(getattr(kind, "kind", "O"), types.StringType)())
            for name, kind in table.dtypes.items()
        ]
    )
    columns = [[None if gone else _plain(value) for value, gone in zip(table[c], table[c].isna(), strict=True)] for c in table]
    return session().createDataFrame(list(zip(*columns, strict=True)), shape)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
