"""What `import satisfaction as sat` offers: in order, with examples that run, quick to import, short to print."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import satisfaction as sat
from satisfaction.declarations.combined import AssessmentItem
from satisfaction.foundation.language import use

ROOT = Path(__file__).parents[2]
SOURCE = Path(sat.__file__).parent
LONGEST_REPR = 1_000
AS_IMPORTED = {"sat": sat, "np": np, "pd": pd}


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def with_examples() -> list[str]:
    """Name the modules in which an example stands."""
    return [
        module_name(path)
        for path in sorted(SOURCE.rglob("*.py"))
        if ">>> " in path.read_text("utf-8")
    ]


def examples_of(module: str) -> list[doctest.DocTest]:
    tests = doctest.DocTestFinder().find(
        importlib.import_module(module), module, extraglobs=AS_IMPORTED
    )
    return [test for test in tests if test.examples]


EXAMPLES = {test.name: test for module in with_examples() for test in examples_of(module)}


@pytest.mark.usefixtures("afresh_in_this_process")
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name, small, monkeypatch):
    """In a folder with the small survey, which an example may write into."""
    monkeypatch.chdir(small.root)
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    with use(None):  # an example may choose a language
        runner.run(EXAMPLES[name], out=failures.append, clear_globs=False)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("name", sat.__all__)
def test_every_public_name_has_an_example_of_itself(name):
    public = getattr(sat, name)
    test = EXAMPLES[f"{public.__module__}.{public.__name__}"]
    sources = "".join(example.source for example in test.examples)
    assert f"sat.{name}" in sources or inspect.isclass(public)


def contents() -> list[str]:
    return re.findall(r"^    sat\.(\w+) {2,}\S", sat.__doc__ or "", flags=re.MULTILINE)


def offered() -> list[str]:
    stub = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8"))
    return [node.names[0].name for node in stub.body if isinstance(node, ast.ImportFrom)]


def test_the_head_of_the_package_is_its_table_of_contents():
    assert contents() == offered()
    assert sorted(contents()) == sorted(sat.__all__)
    shown = subprocess.run(
        [sys.executable, "-c", "import satisfaction; help(satisfaction)"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert shown.index("sat.read_questionnaire") < shown.index("sat.rank ") < shown.index("CLASSES")


def test_the_page_of_the_interface_is_current():
    spec = importlib.util.spec_from_file_location("make_api", ROOT / "docs" / "make_api.py")
    assert spec is not None
    assert spec.loader is not None
    make_api = importlib.util.module_from_spec(spec)
    sys.modules["make_api"] = make_api
    spec.loader.exec_module(make_api)
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == make_api.page(), "docs/api.md is old: run `make api`"


def imported_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a command has imported when it ends."""
    code = (
        "import sys\n"
        "from satisfaction.cli import main\n"
        f"sys.argv = ['satisfaction', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        "print('IMPORTED', *{name.split('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_imports_no_tables():
    assert not imported_by("--help") & {"pandas", "numpy", "duckdb", "statsmodels", "pingouin"}


def test_a_check_needs_no_statistics_package(small):
    assert not imported_by("check", str(small.folder)) & {"statsmodels", "pingouin"}


# how records show themselves

DATA = re.compile(r"DataFrame|Series|Array|Floats|Ints|Bools|Sparse|ndarray|csr_array")


def records() -> list[type]:
    """Every public dataclass of the package."""
    found = []
    for module in pkgutil.walk_packages(sat.__path__, "satisfaction."):
        if module.name.endswith("__main__"):
            continue
        for name, record in vars(importlib.import_module(module.name)).items():
            at_home = getattr(record, "__module__", "") == module.name
            if inspect.isclass(record) and dataclasses.is_dataclass(record) and at_home:
                found += [record] * (not name.startswith("_"))
    return found


def test_no_record_prints_its_data():
    printed = []
    for record in records():
        written_by_hand = not hasattr(record.__repr__, "__wrapped__")
        if written_by_hand:
            continue
        for field in dataclasses.fields(record):
            if field.repr and DATA.search(str(field.type)):
                printed.append(f"{record.__module__}.{record.__name__}.{field.name}")
    assert printed == []


def parts_of(value: object, seen: dict[type, object]) -> None:
    """Collect one record of every class of the package that a value holds."""
    if type(value) in seen:
        return
    if type(value).__module__.startswith("satisfaction"):
        seen[type(value)] = value
    if dataclasses.is_dataclass(value):
        held = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif hasattr(type(value), "model_fields"):
        held = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, dict):
        held = list(value.values())
    elif isinstance(value, tuple | list):
        held = list(value)
    else:
        return
    for part in held:
        parts_of(part, seen)


def test_no_record_of_several_runs_prints_them():
    """A run says of itself what it is in some three hundred letters: two of them and the rest are too long."""
    printed = []
    for record in records():
        written_by_hand = not hasattr(record.__repr__, "__wrapped__")
        if written_by_hand:
            continue
        for field in dataclasses.fields(record):
            if field.repr and re.search(r"\bResults\b", str(field.type)):
                printed.append(f"{record.__module__}.{record.__name__}.{field.name}")
    assert printed == []


def test_a_tree_of_items_shows_its_own_node_alone():
    leaf = AssessmentItem(zh="甲", en="leaf", points=1)
    branch = AssessmentItem(zh="乙", en="branch", items={"leaf": leaf})
    assert "leaf" not in repr(branch)


@pytest.mark.slow
def test_records_of_a_shipped_wave_show_themselves_in_a_few_lines(shipped, published_template):
    results = shipped("guizhou-2026q3")
    questionnaire = results.survey.questionnaire
    measure = questionnaire.ranked
    design = results.design
    ranking = sat.rank(results.ranked)
    values = [
        results,
        sat.t_test(design, measure, "sex"),
        sat.rank_test(design, measure, "age_group"),
        sat.cross_table(design, "sex", "age_group"),
        sat.rao_scott(design, "sex", "age_group"),
        sat.regression(design, measure, ["sex", "age_group"], categorical=["sex", "age_group"]),
        sat.all_pairs(results.ranked),
        sat.wald(results.ranked),
        sat.reliability(design, questionnaire, measure),
        sat.intraclass_correlation(design, measure, by="interviewer"),
        ranking,
        ranking.target("top", 20),
        sat.rank_change(results.ranked, results.ranked, comparable=True),
        sat.read_indices(published_template / "surveys" / "wave" / "out" / "latest"),
    ]
    seen: dict[type, object] = {}
    for value in values:
        parts_of(value, seen)
    offered_records = {
        record for record in map(sat.__dict__.get, sat.__all__) if inspect.isclass(record)
    }
    assert offered_records - {sat.SmallAreas, sat.SatisfactionError} <= set(seen)
    lengths = {record.__name__: len(repr(value)) for record, value in seen.items()}
    assert {name: n for name, n in lengths.items() if n >= LONGEST_REPR} == {}
