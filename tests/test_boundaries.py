"""The layout of the design, enforced: who may import whom, who may open files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "satisfaction"
# a module imports only from modules before it
ORDER = [
    "errors",
    "io",
    "engines",
    "questionnaire",
    "forms",
    "survey",
    "newwave",
    "responses",
    "measures",
    "variance",
    "design",
    "tally",
    "weights",
    "sampled",
    "replicates",
    "estimates",
    "comparisons",
    "smallareas",
    "reliability",
    "indicators",
    "index",
    "fieldwork",
    "ranking",
    "rankings",
    "pipeline",
    "sentences",
    "published",
    "handover",
    "plots",
    "report",
    "fileset",
    "verification",
    "office",
    "fieldbook",
    "waves",
    "planning",
    "combined",
    "stability",
    "simulate",
    "showing",
    "lab",
    "cli",
    "__main__",
]
ALLOWED_HERE = {
    "duckdb": {"engines", "io", "simulate"}, "pyspark": {"engines", "io"}, "polars": {"engines", "io"}, "seaborn": {"plots", "showing"}, "matplotlib": {"plots"}, "itables": {"showing"}, "IPython": {"showing", "lab"},
    "jinja2": {"io"}, "papermill": {"lab"}, "click": {"cli"}, "python_calamine": {"io"}, "pyreadstat": {"io"}, "xlsxwriter": {"io"}, "ruamel": {"io"},
}  # fmt: skip
OPENS = {
    "open", "read_text", "write_text", "read_bytes", "write_bytes", "read_csv", "read_excel", "read_parquet", "read_table", "read_json", "to_excel", "to_parquet",
    "to_pickle", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory", "unlink", "rmtree", "copytree", "copy2", "symlink_to",
}  # fmt: skip
FILES = sorted(SOURCE.rglob("*.py"))


def module(path: Path) -> str:
    """The module of the layout that a file belongs to: a package counts as one."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[int, str]]:
    """Absolute names of everything a file imports, with the line."""
    package = ["satisfaction", *path.relative_to(SOURCE).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
                if node.level
                else str(node.module)
            )
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def test_every_module_has_its_place_in_the_order():
    assert {module(path) for path in FILES} - set(ORDER) == {"__init__"}


@pytest.mark.parametrize("path", [p for p in FILES if module(p) != "__init__"], ids=name)
def test_modules_import_only_from_modules_before_them(path):
    own = module(path)
    before = ORDER[: ORDER.index(own) + 1]
    used = [(line, full.split(".")[1]) for line, full in imports(path) if full.startswith("satisfaction.")]
    assert [f"line {line}: {own} imports {other}" for line, other in used if other not in before] == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_libraries_stay_in_the_modules_that_wrap_them(path):
    used = [(line, full.split(".")[0]) for line, full in imports(path)]
    assert [
        f"line {line}: {library}" for line, library in used if module(path) not in ALLOWED_HERE.get(library, {module(path)})
    ] == []


@pytest.mark.parametrize("own", ["variance", "replicates"])
def test_array_kernels_import_numpy_and_scipy_only(own):
    for path in (p for p in FILES if module(p) == own):
        found = {full for _, full in imports(path) if not full.startswith("satisfaction.variance")}
        outside = {full.split(".")[0] for full in found} - {"__future__", "collections", "dataclasses", "typing"}
        assert outside <= {"numpy", "scipy"}


@pytest.mark.parametrize("path", [p for p in FILES if module(p) != "io"], ids=name)
def test_only_io_opens_paths(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    methods = [(call.lineno, call.func.attr) for call in calls if isinstance(call.func, ast.Attribute)]
    functions = [(call.lineno, call.func.id) for call in calls if isinstance(call.func, ast.Name)]
    opened = [f"line {line}: {called}()" for line, called in methods if called in OPENS]
    opened += [f"line {line}: open()" for line, called in functions if called == "open"]
    opened += [
        f"line {c.lineno}: to_csv(path)"
        for c in calls
        if isinstance(c.func, ast.Attribute) and c.func.attr == "to_csv" and c.args
    ]
    assert opened == []


def test_the_package_is_imported_without_its_heavy_parts():
    import subprocess
    import sys

    code = "import sys, satisfaction; print([m for m in ('seaborn', 'matplotlib', 'papermill', 'polars', 'pyspark') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
