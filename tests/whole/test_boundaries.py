"""The floors of the package, enforced: who may import whom, who may open files."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import satisfaction

SOURCE = Path(satisfaction.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
# The order stands once, at the head of the package, a floor a line.
FLOORS = re.findall(r"^    (\w+) {2,}\S", satisfaction.__doc__ or "", flags=re.MULTILINE)
KERNELS = ("sampling/variance.py", "sampling/residuals.py", "sampling/replicates.py")
ENGINES = {"duckdb", "pyspark", "polars"}
KNOWS_ENGINES = "foundation/engines.py"
STANDARD_LIBRARY_OF_KERNELS = {"__future__", "collections", "dataclasses", "typing"}
OPENS = {
    "open",
    "read_text",
    "write_text",
    "read_bytes",
    "write_bytes",
    "read_csv",
    "read_excel",
    "read_parquet",
    "read_table",
    "read_json",
    "to_excel",
    "to_parquet",
    "to_json",
    "to_pickle",
    "mkdtemp",
    "NamedTemporaryFile",
    "TemporaryDirectory",
    "unlink",
    "rmtree",
    "copytree",
    "copy2",
    "symlink_to",
}


def place(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def floor(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> list[tuple[int, str]]:
    """Every module that a file imports, with the line."""
    modules = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            modules += [(node.lineno, alias.name) for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path)}, line {node.lineno}: imports are absolute"
            modules += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return modules


def test_the_listing_shows_the_floors_and_nothing_else():
    shown = {entry.name.removesuffix(".py") for entry in SOURCE.iterdir()}
    beside = {
        "__init__",
        "__init__.pyi",
        "__main__",
        "__pycache__",
        "py.typed",
        "locale",
    }
    assert shown - beside == set(FLOORS)
    assert len(shown - {"__pycache__"}) <= 20


def test_imports_go_down():
    upward = []
    for path in FILES:
        if path.parent == SOURCE and path.stem in ("__init__", "__main__"):
            continue
        height = FLOORS.index(floor(path))
        for line, module in imported(path):
            parts = module.split(".")
            if module == "satisfaction.__version__":
                continue
            if parts[0] == "satisfaction" and FLOORS.index(parts[1]) > height:
                upward.append(f"{place(path)}, line {line}: {module}")
    assert upward == []


def test_one_module_imports_engines():
    outside = [
        f"{place(path)}, line {line}: {module}"
        for path in FILES
        for line, module in imported(path)
        if module.split(".")[0] in ENGINES and place(path) != KNOWS_ENGINES
    ]
    assert outside == []


def test_array_kernels_import_numpy_and_scipy_only():
    for kernel in KERNELS:
        modules = {module for _, module in imported(SOURCE / kernel)}
        other = {
            module for module in modules if not module.startswith("satisfaction.sampling.variance")
        }
        libraries = {module.split(".")[0] for module in other}
        assert libraries - STANDARD_LIBRARY_OF_KERNELS <= {"numpy", "scipy"}


def test_only_the_foundation_opens_paths():
    opened = []
    for path in FILES:
        if floor(path) == "foundation":
            continue
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id == "open":
                opened.append(f"{place(path)}, line {node.lineno}: open()")
            method = getattr(node.func, "attr", "")
            if method in OPENS or (method == "to_csv" and node.args):
                opened.append(f"{place(path)}, line {node.lineno}: {method}()")
    assert opened == []


def test_no_name_stands_on_two_floors():
    """A function or class is called what it is; commands (cli) may carry the name of what they run."""
    floors_of: dict[str, set[str]] = {}
    for path in FILES:
        if floor(path) == "cli":
            continue
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                floors_of.setdefault(node.name, set()).add(floor(path))
    shared = {name: sorted(floors) for name, floors in floors_of.items() if len(floors) > 1}
    assert shared == {}


def test_the_package_is_imported_without_its_heavy_parts():
    heavy = ("pandas", "seaborn", "matplotlib", "papermill", "polars", "pyspark")
    code = f"import sys, satisfaction; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_answers_to_the_questions_of_strangers_are_modules_that_exist():
    text = (Path(__file__).parents[1] / "strangers.md").read_text(encoding="utf-8")
    answers = re.findall(r"\b(\d+) (\w+(?:/\w+)+)", text)
    assert [int(number) for number, _module in answers] == list(range(1, 11))
    assert [module for _number, module in answers if not (SOURCE / f"{module}.py").exists()] == []
