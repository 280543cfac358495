"""The engines, DuckDB, pandas, polars, PySpark, through narwhals; they only select, join and count.

The type of the table handed in chooses the engine; a path is read by DuckDB.

Parquet and csv files and folders through DuckDB: read in a stream within a memory limit; what is damaged is named.

Spark: a session that is there already, or a local one; nothing of ours is installed on the workers.

No other module imports an engine.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
from threadpoolctl import ThreadpoolController

from satisfaction.foundation.errors import EngineError, InputFileError, one_of, shortened
from satisfaction.foundation.language import Text, _, comma_list
from satisfaction.foundation.readers_words import what_is_wrong

MEMORY = "SATISFACTION_MEMORY"  # how much memory DuckDB may use, as "512MB"
SPILL = "SATISFACTION_SPILL"  # the folder it spills to
DONE = "_SUCCESS"
UNFINISHED = "_temporary"
SUFFIXES = (".parquet", ".csv")


@cache
def connection() -> Any:
    """Return the one connection through which tables of this process are read in place: opening one costs 20 ms."""
    opened = duckdb.connect()
    if limit := os.environ.get(MEMORY):
        opened.execute(f"set memory_limit = '{limit}'")
        opened.execute("set preserve_insertion_order = false")
    if folder := os.environ.get(SPILL):
        opened.execute(f"set temp_directory = '{folder}'")
    return opened


def open_files(path: Path) -> Any:
    """Open a Parquet or csv file, or a folder of them, as a DuckDB relation.

    Raises
    ------
    EngineError
        G104 no such file, or one that cannot be read; G107 a folder that is not finished; G108 files whose columns differ.
    """
    files = _files(path)
    names = list(map(str, files))
    query = "select * from read_csv(?, all_varchar = false)"
    if files[0].suffix.lower() != ".csv":
        query = "select * from read_parquet(?)"
        _check_schemas(names)
    try:
        return connection().from_query(query, params=[names])
    except duckdb.Error as fault:
        raise unreadable(fault, where=path) from None


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        if (path / UNFINISHED).exists():
            raise EngineError(
                "G107",
                _("The folder has not been written to its end."),
                where=path,
                hint=_("Wait until it is finished, or make it again."),
            )
        below = [file for file in path.rglob("*") if not file.name.startswith(("_", "."))]
        files = sorted(file for file in below if file.suffix.lower() in SUFFIXES)
    elif path.is_file():
        files = [path]
    else:
        files = []
    kinds = {file.suffix.lower() for file in files}
    if len(kinds) == 1 and kinds <= set(SUFFIXES):
        return files
    problem = _("There is no Parquet or csv file to read.")
    if files:
        problem = _("The folder holds files of different kinds.")
    raise EngineError(
        "G104",
        problem,
        where=path,
        available=sorted(kinds) or SUFFIXES,
        hint=_("Check the path."),
    )


def _check_schemas(names: list[str]) -> None:
    """Refuse files that are damaged at their end, where the schema stands, and files whose columns differ from the first."""
    query = "select name, type from parquet_schema(?) where type is not null"
    first: dict[str, str] = {}
    for name in names:
        try:
            schema = dict(connection().execute(query, [name]).fetchall())
        except duckdb.Error as fault:
            raise unreadable(fault, where=name) from None
        first = first or schema
        if schema != first:
            differ = sorted({column for column, _unused in schema.items() ^ first.items()})
            raise EngineError(
                "G108",
                _(
                    "Columns differ from those of the first file: {differ}.",
                    differ=shortened(differ),
                ),
                where=name,
                available=[f"{column} {kind}" for column, kind in first.items()],
                hint=_("Make this file again with the same columns."),
            )


def unreadable(fault: Exception, *, where: object) -> EngineError:
    """Say that a file cannot be read."""
    return EngineError(
        "G104",
        _("A Parquet or csv file cannot be read: {fault}.", fault=what_is_wrong(fault)),
        where=where,
        hint=_("Check the path; make the file again if it is damaged."),
    )


def offenders(respondents: Any, condition: str) -> str:
    """Name the files, rows and row groups of Parquet rows that fulfil a condition; empty where respondents are no files."""
    if not isinstance(respondents, str | Path):
        return ""
    files = [str(file) for file in _files(Path(respondents)) if file.suffix.lower() == ".parquet"]
    if not files:
        return ""
    query = (
        f"select filename, file_row_number from read_parquet(?, filename = true, file_row_number = true) where {condition} "
        "order by 1, 2 limit 3"
    )
    sizes = "select max(row_group_num_rows) from parquet_metadata(?) group by row_group_id order by row_group_id"
    places = []
    for name, row in connection().execute(query, [files]).fetchall():
        of_groups = connection().execute(sizes, [name]).fetchnumpy()
        group = np.searchsorted(np.cumsum(next(iter(of_groups.values()))), row, side="right")
        places.append(f"{name} row {row + 1} (row group {group})")
    return "; ".join(places)


BLOCK = 2_000  # records read at a time


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """A Parquet file that is open for reading: DuckDB's type of every column, and the number of rows."""

    types: dict[str, str] = field(repr=False)
    n_rows: int
    _connection: Any = field(repr=False)

    def records(self, expressions: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of SQL expressions of the columns."""
        rows = self._connection.execute(f"select {', '.join(expressions)} from cells")
        while block := rows.fetchmany(BLOCK):
            yield from block


@contextmanager
def parquet_file(path: Path) -> Iterator[ParquetFile]:
    """Open a Parquet file, on one thread so that its rows keep their order.

    Raises
    ------
    InputFileError
        F114 for what is no Parquet file, also where it turns out while the file is read.
    """
    try:
        with duckdb.connect(config={"threads": 1}) as reader:
            file = _quoted(glob.escape(str(path)))
            reader.execute(f"create view cells as from read_parquet({file})")
            columns = reader.execute("describe cells").fetchall()
            types = {name: kind for name, kind, *_unused in columns}
            n_rows = reader.execute("select count(*) from cells").fetchall()[0][0]
            yield ParquetFile(types, n_rows, reader)
    except duckdb.Error as fault:
        raise InputFileError(
            "F114",
            _("Not a valid Parquet file: {fault}.", fault=what_is_wrong(fault)),
            where=path,
            hint=_("Export it again, or save it as csv."),
        ) from None


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet, by DuckDB on one thread so that the bytes are always the same."""
    with _on_one_thread().cursor() as writer:
        writer.register("table_to_write", table)
        target = _quoted(str(path))
        try:
            writer.execute(f"copy (select * from table_to_write) to {target} (format parquet)")
        except duckdb.IOException as fault:
            message = str(fault).splitlines()[0]
            number = errno.ENOSPC if "No space" in str(fault) else errno.EIO
            raise OSError(number, message, str(path)) from None


@cache
def _on_one_thread() -> Any:
    """Return the one database that writes: opening one for each file costs more than the file."""
    return duckdb.connect(config={"threads": 1})


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


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
        raise missing("Java 17", _("install Java 17"))
    builder = SparkSession.builder.master("local[*]").appName("satisfaction")
    for name, value in LOCAL.items():
        builder = builder.config(name, value)
    # its workers run the Python that runs us, not the first one of the path
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    started = builder.getOrCreate()
    started.sparkContext.setLogLevel("ERROR")
    return started


def missing(what: str, how: str | Text) -> EngineError:
    """Say that an engine's software is not there, and how to get it."""
    return EngineError(
        "G103",
        _("{what} is not installed.", what=what),
        where="engine",
        available=("duckdb", "pandas"),
        hint=_("Run {how}, or use duckdb.", how=how),
    )


def to_spark(table: pd.DataFrame) -> Any:
    """Hand a pandas table to Spark, value by value: whole numbers as long, text as string; missing values as null."""
    started = session()
    from pyspark.sql import types

    kinds = {
        "i": types.LongType,
        "u": types.LongType,
        "b": types.BooleanType,
        "f": types.DoubleType,
    }
    fields = []
    for name, dtype in table.dtypes.items():
        kind = kinds.get(getattr(dtype, "kind", "O"), types.StringType)
        fields.append(types.StructField(str(name), kind()))
    columns = [_values(table[name]) for name in table]
    rows = list(zip(*columns, strict=True))
    return started.createDataFrame(rows, types.StructType(fields))


def _values(column: pd.Series) -> list[Any]:
    """Return a column as plain Python values, None for the missing ones."""
    values: list[Any] = []
    for value, missing in zip(column.tolist(), column.isna(), strict=True):
        if missing:
            values.append(None)
        elif isinstance(value, np.generic):
            values.append(value.item())
        else:
            values.append(value)
    return values


Engine = Literal["auto", "duckdb", "pandas", "polars", "pyspark"]
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
    table : pandas or polars DataFrame, polars LazyFrame, DuckDB relation, PySpark DataFrame, or a path
        Of a Parquet or csv file, or a folder of them.

    Raises
    ------
    EngineError
        G101 when the table is none of these; G380 for columns of the same name; G104, G107, G108 for paths, see `files.open_files`.
    """
    if isinstance(table, str | Path):
        table = open_files(Path(table))
    if isinstance(table, pd.DataFrame) and table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()].unique()
        raise EngineError(
            "G380",
            _("Columns stand twice: {twice}.", twice=shortened(twice)),
            where="respondents",
            hint=_("Rename or drop one of them."),
        )
    if isinstance(table, pd.DataFrame):
        # pandas refuses to sort by a column that its index is named after too
        table = table.rename_axis(index=[None] * table.index.nlevels)
    is_large = isinstance(table, pd.DataFrame) and len(table) >= LARGE
    # a column of mixed objects is left to pandas: DuckDB reads numbers, truth values and text in place
    if is_large and not {kind.kind for kind in table.dtypes if not _is_text(kind)} - set("biuf"):
        texts = [name for name in table if _is_text(table[name].dtype)]
        repeated = [name for name in texts if table[name].head(FIRST).nunique() < FEW]
        coded = table.astype(dict.fromkeys(repeated, "category"))
        table = duckdb.from_df(coded, connection=connection())
    try:
        lazy: Lazy = nw.from_native(table).lazy()
    except TypeError:
        raise EngineError(
            "G101",
            _("A table of type {name} is not known.", name=type(table).__name__),
            where="respondents",
            available=(
                "pandas",
                "polars",
                "DuckDB relation",
                "PySpark",
                "path of Parquet or csv files",
            ),
            hint=_("Hand in one of these."),
        ) from None
    return lazy


def never_null(table: Any) -> frozenset[str]:
    """Return the columns of a table that cannot hold a null, as far as their type says: numpy's whole numbers."""
    if not isinstance(table, pd.DataFrame):
        return frozenset()
    names = []
    for name, kind in table.dtypes.items():
        if isinstance(kind, np.dtype) and kind.kind in "biu":
            names.append(str(name))
    return frozenset(names)


def hold(table: pd.DataFrame, engine: Engine) -> Any:
    """Hand a pandas table to an engine; the rows and their order stay the same.

    "auto" is pandas for fewer than 50,000 respondents, DuckDB for more.

    Raises
    ------
    EngineError
        G102 for an unknown engine, G103 when the engine is not installed.
    """
    one_of(engine, Engine, argument="engine", error=EngineError, code="G102")
    if engine == "auto" and len(table) < LARGE:
        return table
    if engine in ("auto", "duckdb"):
        connection = duckdb.connect()
        connection.register("respondents", table)
        connection.execute("create table held as select * from respondents")
        return connection.table("held")
    if engine == "polars":
        try:
            import polars
        except ImportError:
            raise missing("polars", "pip install polars") from None
        kinds = {name: polars.Int64 for name in table if table[name].dtype == "Int64"}
        columns = {name: _values(table[name]) for name in table}
        return polars.DataFrame(columns, schema_overrides=kinds)
    return to_spark(table) if engine == "pyspark" else table


def materialize(lazy: Lazy) -> Any:
    """Compute a lazy table once, inside its engine, and hand back the engine's own table."""
    native = lazy.to_native()
    if lazy.implementation.is_duckdb():
        native.create("computed")
        return native.query("lazy", "select * from computed")
    if lazy.implementation.is_pyspark():
        return native.cache()
    return native.collect() if lazy.implementation.is_polars() else native


def fetch(lazy: Lazy) -> pd.DataFrame:
    """Run the expressions and bring the (small) result here as a pandas table.

    Raises
    ------
    EngineError
        G104 for a file that turns out to be damaged while it is read.
    """
    if lazy.implementation.is_pyspark():
        return _collected(lazy)
    try:
        if lazy.implementation.is_polars():  # polars to pandas would ask for pyarrow
            native = lazy.collect()
            columns = {name: native[name].to_list() for name in native.columns}
            return pd.DataFrame(columns)
        return _spelt(lazy.collect(backend="pandas").to_pandas())
    except duckdb.Error as fault:
        raise unreadable(fault, where="respondents") from None


def _collected(lazy: Lazy) -> pd.DataFrame:
    """Bring Spark's result here row by row: its own way to pandas would ask for pyarrow and warn of pandas 3."""
    native = lazy.to_native()
    rows = native.collect()
    columns = {}
    for place, name in enumerate(lazy.columns):
        kind = native.schema[place].dataType.typeName()
        column = pd.Series([row[place] for row in rows], dtype=OF_SPARK.get(kind, "object"))
        if column.dtype == "Int64" and not column.hasnans:
            column = column.astype("int64")
        columns[name] = column
    return pd.DataFrame(columns)


OF_SPARK = {
    "long": "Int64",
    "integer": "Int64",
    "short": "Int64",
    "byte": "Int64",
    "double": "float64",
    "string": "str",
}


def joined(
    lazy: Lazy, lookup: pd.DataFrame, *, on: Sequence[str], weight: str
) -> np.ndarray[Any, Any]:
    """Return `weight` x the lookup's `factor` for every row, in the rows' order: (n,) float.

    Parameters
    ----------
    lookup : DataFrame
        The columns `on`, each combination once (missing values match each other), and `factor`.

    Raises
    ------
    EngineError
        G105 for Spark, whose rows have no order and stay where they are.
    """
    native = lazy.to_native()
    if lazy.implementation.is_pyspark():
        raise EngineError(
            "G105",
            _("Rows of a Spark table have no order; weights are not brought here."),
            where="weights",
            hint=_("Use satisfaction.write_weights(design, folder): it writes there."),
        )
    if lazy.implementation.is_duckdb():
        query = (
            "with r as (select *, row_number() over () as _place from given) "
            f'select _place, r."{weight}" * factor as weighted '
            f"from r left join lookup on {_same(on)}"
        )
        columns = native.query("given", query).fetchnumpy()
        weights = np.empty(len(columns["weighted"]))
        weights[columns["_place"] - 1] = columns["weighted"]
        return weights
    needed = dict.fromkeys((*on, weight))
    rows = fetch(lazy.select(*needed))
    keys = list(on)
    factors = rows[keys].merge(lookup, on=keys, how="left")["factor"]
    return np.asarray(rows[weight].to_numpy(float) * factors.to_numpy(float))


def _same(names: Sequence[str]) -> str:
    """Return the SQL condition that a row and the lookup agree in some columns."""
    conditions = [f'r."{name}" is not distinct from lookup."{name}"' for name in names]
    return " and ".join(conditions) or "true"


def write_joined(
    lazy: Lazy,
    lookup: pd.DataFrame,
    *,
    on: Sequence[str],
    weight: str,
    into: str,
    folder: Path | str,
) -> None:
    """Write every row with `into` = `weight` x the lookup's `factor` as Parquet, inside the engine and without collecting.

    Parameters
    ----------
    folder : Path, or an address that Spark knows
        Must exist and be empty for engines on this machine; Spark makes it. Spark ends it with its own mark of success.
    """
    native = lazy.to_native()
    if lazy.implementation.is_pyspark():
        from pyspark.sql import functions

        names = {name: f"_on_{place}" for place, name in enumerate(on)}
        renamed = lookup[[*on, "factor"]].rename(columns=names)
        small = functions.broadcast(to_spark(renamed))
        same = functions.lit(True)
        for name, other in names.items():
            same = same & native[name].eqNullSafe(small[other])
        joined = native.join(small, on=same, how="left")
        weighted = functions.col(weight) * functions.col("factor")
        joined.select(*native.columns, weighted.alias(into)).write.parquet(str(folder))
        return
    if not lazy.implementation.is_duckdb():
        native = connection().from_df(fetch(lazy))
    columns = ", ".join(f'r."{name}"' for name in lazy.collect_schema().names())
    query = (
        f'select {columns}, r."{weight}" * factor as "{into}" '
        f"from given r left join lookup on {_same(on)}"
    )
    native.query("given", query).write_parquet(str(Path(folder) / "part-0.parquet"))


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
    refuse_mixed(table, keys)
    if table.empty:
        return table.reset_index(drop=True)
    whole = []
    for name in keys:
        values = table[name]
        if pd.api.types.is_integer_dtype(values.dtype) and not values.hasnans:
            whole.append(name)
    code = np.zeros(len(table), dtype=np.int64)
    room = 2**62  # left in the code's 64 bits
    for name in whole:
        values = table[name].to_numpy(np.int64)
        least = int(values.min())
        span = int(values.max()) - least + 1
        room //= span
        if not room:
            break
        code = code * span + (values - least)
    order = np.argsort(code, kind="stable")
    if room and (np.diff(code[order]) > 0).all():
        return table.iloc[order].reset_index(drop=True)
    others = [name for name in keys if name not in whole]
    return table.sort_values([*whole, *others], ignore_index=True)


def refuse_mixed(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse columns of codes that are partly text and partly numbers: 1 and "1" would be two codes, in no order.

    Raises
    ------
    EngineError
        G381.
    """
    for name in columns:
        if table[name].dtype != object:
            continue
        values = table[name].dropna().unique().tolist()
        try:
            sorted(values)
        except TypeError:
            kinds = sorted({type(value).__name__ for value in values})
            raise EngineError(
                "G381",
                _(
                    "Column '{name}' mixes kinds of values: {kinds}.",
                    name=name,
                    kinds=comma_list(kinds),
                ),
                where=name,
                available=[repr(value) for value in values[:6]],
                hint=_('Make all text or all numbers, as df["{name}"].astype(str).', name=name),
            ) from None


def matched(
    rows: pd.DataFrame, table: pd.DataFrame, columns: Sequence[str]
) -> np.ndarray[Any, Any]:
    """Return the row of `table` whose columns equal each of `rows`, -1 where there is none; missing values match: (T,) int."""
    of_rows = np.zeros(len(rows), dtype=np.int64)
    of_table = np.zeros(len(table), dtype=np.int64)
    unknown = np.zeros(len(rows), dtype=bool)
    for name in columns:
        levels = pd.Index(table[name].unique())
        level = levels.get_indexer(rows[name])
        unknown |= level < 0
        of_rows = of_rows * len(levels) + level
        of_table = of_table * len(levels) + levels.get_indexer(table[name])
    order = np.argsort(of_table, kind="stable")
    place = np.searchsorted(of_table, of_rows, sorter=order)
    nearest = order[np.minimum(place, len(table) - 1)]
    return np.where(unknown | (of_table[nearest] != of_rows), -1, nearest)


def _is_text(kind: object) -> bool:
    return isinstance(kind, pd.StringDtype)


def _spelt(table: pd.DataFrame) -> pd.DataFrame:
    """Write numbered texts as texts again."""
    texts = []
    for name, column in table.select_dtypes("category").items():
        if _is_text(column.cat.categories.dtype):
            texts.append(name)
    return table.astype(dict.fromkeys(texts, "str"))
