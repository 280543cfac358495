"""A dataframe engine through narwhals: DuckDB (default), pandas, polars, PySpark. Engines only select, join and count.

The type of the table handed in chooses the engine; a path is read by DuckDB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import pandas as pd

from ..errors import EngineError, one_of

Engine = Literal["duckdb", "pandas", "polars"]
Lazy = nw.LazyFrame[Any]


def scan(table: Any) -> Lazy:
    """Open a table for narwhals expressions.

    Parameters
    ----------
    table : pandas or polars DataFrame, polars LazyFrame, DuckDB relation, PySpark DataFrame, or a Parquet path

    Raises
    ------
    EngineError
        G101 when the table is none of these, G104 when a path cannot be read as Parquet.
    """
    if isinstance(table, str | Path):
        table = _parquet(Path(table))
    try:
        lazy: Lazy = nw.from_native(table).lazy()
    except TypeError:
        raise EngineError(
            "G101",
            f"无法识别的数据表类型 {type(table).__name__}。",
            f"A table of type {type(table).__name__} is not known.",
            where="respondents",
            available=("pandas", "polars", "DuckDB relation", "PySpark", "Parquet path"),
            hint=("传入上列类型之一。", "Hand in one of these."),
        ) from None
    return lazy


def hold(table: pd.DataFrame, engine: Engine) -> Any:
    """Hand a pandas table to an engine; the rows and their order stay the same.

    Raises
    ------
    EngineError
        G102 for an unknown engine, G103 when the engine is not installed.
    """
    one_of(engine, ("duckdb", "pandas", "polars"), argument="engine", error=EngineError, code="G102")
    if engine == "duckdb":
        import duckdb

        connection = duckdb.connect()
        connection.register("respondents", table)
        connection.execute("create table held as select * from respondents")
        return connection.table("held")
    if engine == "polars":
        try:
            import polars
        except ImportError:
            raise EngineError(
                "G103",
                "没有安装 polars。",
                "polars is not installed.",
                where="engine",
                hint=("运行 pip install polars。", "Run pip install polars."),
            ) from None
        kinds = {name: polars.Int64 for name in table if table[name].dtype == "Int64"}
        return polars.DataFrame({name: _listed(table[name]) for name in table}, schema_overrides=kinds)
    return table


def materialize(lazy: Lazy) -> Any:
    """Compute a lazy table once, inside its engine, and hand back the engine's own table."""
    native = lazy.to_native()
    if lazy.implementation.is_duckdb():
        native.create("computed")
        return native.query("lazy", "select * from computed")
    return native.collect() if lazy.implementation.is_polars() else native


def fetch(lazy: Lazy) -> pd.DataFrame:
    """Run the expressions and bring the (small) result here as a pandas table."""
    native = lazy.collect() if lazy.implementation.is_polars() else lazy.collect(backend="pandas")
    if native.implementation.is_polars():  # polars to pandas would ask for pyarrow
        return pd.DataFrame({name: native[name].to_list() for name in native.columns})
    return native.to_pandas()


def _parquet(path: Path) -> Any:
    import duckdb

    try:
        return duckdb.connect().from_query("select * from read_parquet(?)", params=[str(path)])
    except duckdb.Error as fault:
        raise EngineError(
            "G104",
            "无法读取 Parquet 文件。",
            f"The Parquet file cannot be read: {str(fault).splitlines()[0]}",
            where=str(path),
            hint=("检查路径；文件损坏时重新生成。", "Check the path; make the file again if it is damaged."),
        ) from None


def _listed(values: pd.Series[Any]) -> list[Any]:
    return [None if missing else value for value, missing in zip(values.tolist(), values.isna(), strict=True)]
