"""A dataframe engine through narwhals: DuckDB (default), pandas, polars, PySpark. Engines only select, join and count.

The type of the table handed in chooses the engine; a path is read by DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import narwhals as nw
import numpy as np
import pandas as pd
from threadpoolctl import ThreadpoolController

from ..errors import EngineError, one_of

Engine = Literal["duckdb", "pandas", "polars"]
Lazy = nw.LazyFrame[Any]
P = ParamSpec("P")
R = TypeVar("R")
LARGE = 50_000  # rows, above which pandas groups more slowly than DuckDB starts
FEW = 1_000  # distinct texts among the first rows, below which a text column is counted by code
FIRST = 5_000


def scan(table: Any) -> Lazy:
    """Open a table for narwhals expressions.

    A large pandas table of plain columns is counted by DuckDB where it lies, without a copy: the counts are the same. Its
    text columns of few distinct values are numbered once, because every pass would have to read Python's strings again.

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
    if isinstance(table, pd.DataFrame) and len(table) >= LARGE and all(map(_is_plain, table.dtypes)):
        table = _in_place(table)
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


def never_null(table: Any) -> frozenset[str]:
    """Return the columns of a table that cannot hold a null, as far as their type says: numpy's whole numbers."""
    if not isinstance(table, pd.DataFrame):
        return frozenset()
    return frozenset(str(name) for name, kind in table.dtypes.items() if isinstance(kind, np.dtype) and kind.kind in "biu")


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
    return _spelt(native.to_pandas())


def joined(lazy: Lazy, lookup: pd.DataFrame, *, on: Sequence[str], weight: str) -> np.ndarray[Any, Any]:
    """Return `weight` x the lookup's `factor` for every row, in the rows' order: (n,) float.

    Parameters
    ----------
    lookup : DataFrame
        The columns `on`, each combination once (missing values match each other), and `factor`.
    """
    native = lazy.to_native()
    if lazy.implementation.is_duckdb():
        match = " and ".join(f'r."{name}" is not distinct from lookup."{name}"' for name in on)
        found = native.query(
            "given",
            f'with r as (select *, row_number() over () as _place from given) select _place, r."{weight}" * factor as w '
            f"from r left join lookup on {match}",
        ).fetchnumpy()
        out = np.empty(len(found["w"]))
        out[found["_place"] - 1] = found["w"]
        return out
    rows = fetch(lazy.select(*dict.fromkeys((*on, weight))))
    factor = rows[list(on)].merge(lookup, on=list(on), how="left")["factor"].to_numpy(float)
    return np.asarray(rows[weight].to_numpy(float) * factor)


def counter(lazy: Lazy) -> Any:
    """Return the type in which small whole numbers are summed fastest without overflow: DuckDB widens sums of 32 bits."""
    return nw.Int32 if lazy.implementation.is_duckdb() else nw.Int64


def one_blas_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function's linear algebra run on one thread.

    Its matrices are small: a second thread costs more than it saves as soon as the machine is busy, and the order of
    additions, hence the last bits, would depend on the number of threads.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return call


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def ordered(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Sort a small table by its keys, whole numbers before the others: those alone often tell all rows apart."""
    whole = [name for name in keys if pd.api.types.is_integer_dtype(table[name].dtype) and not table[name].hasnans]
    code, room = np.zeros(len(table), dtype=np.int64), 2**62
    for name in whole if len(table) else ():
        values = table[name].to_numpy(np.int64)
        room //= (span := int(values.max()) - int(values.min()) + 1)
        if not room:
            break
        code = code * span + (values - values.min())
    order = np.argsort(code, kind="stable")
    if room and (np.diff(code[order]) > 0).all():
        return table.iloc[order].reset_index(drop=True)
    return table.sort_values([*whole, *(name for name in keys if name not in whole)], ignore_index=True)


def matched(rows: pd.DataFrame, table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return the row of `table` whose columns equal each of `rows`, -1 where there is none; missing values match: (T,) int."""
    of_rows, of_table = np.zeros(len(rows), dtype=np.int64), np.zeros(len(table), dtype=np.int64)
    unknown = np.zeros(len(rows), dtype=bool)
    for name in columns:
        levels = pd.Index(table[name].unique())
        found, own = levels.get_indexer(rows[name]), levels.get_indexer(table[name])
        unknown |= found < 0
        of_rows, of_table = of_rows * len(levels) + found, of_table * len(levels) + own
    order = np.argsort(of_table, kind="stable")
    place = np.minimum(np.searchsorted(of_table, of_rows, sorter=order), len(table) - 1)
    at = order[place]
    return np.where(unknown | (of_table[at] != of_rows), -1, at)


def _is_plain(kind: Any) -> bool:
    """Numbers, truth values and text, which DuckDB reads in place; a column of mixed objects is left to pandas."""
    return isinstance(kind, pd.StringDtype) or kind.kind in "biuf"


def _in_place(table: pd.DataFrame) -> Any:
    import duckdb

    coded = {name: table[name].astype("category") for name in table if _repeats(table[name])}
    return duckdb.from_df(table.assign(**coded), connection=_connection())


def _repeats(values: pd.Series[Any]) -> bool:
    return isinstance(values.dtype, pd.StringDtype) and values.head(FIRST).nunique() < FEW


def _spelt(table: pd.DataFrame) -> pd.DataFrame:
    """Write numbered texts as texts again."""
    numbered = table.select_dtypes("category")
    texts = [name for name in numbered if isinstance(numbered[name].cat.categories.dtype, pd.StringDtype)]
    return table.astype(dict.fromkeys(texts, "str"))


@cache
def _connection() -> Any:
    """Return the one connection through which tables of this process are read in place: opening one costs 20 ms."""
    import duckdb

    return duckdb.connect()


def _parquet(path: Path) -> Any:
    import duckdb

    try:
        return _connection().from_query("select * from read_parquet(?)", params=[str(path)])
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
