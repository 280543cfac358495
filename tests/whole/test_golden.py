"""The reference values can be made again, every one has its script, and nothing is read from beside the repository."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT
from golden_values import GOLDEN
from rscript import r_is_here
from system_packages import NEEDS_R_TO_WRITE

sys.path.insert(0, str(GOLDEN))
from compare import differences, worst

SAME = 1e-9
SKIPPING = ("skip", "skipif", "importorskip")
FOLDERS = (".ci", "notebooks", "questionnaires", "src", "surveys", "tests")
MADE = {"out", "__pycache__"}
TEXT = {".py", ".R", ".md", ".csv", ".json", ".yaml", ".ipynb", ".toml", ".txt", ".sh", ""}
# written so that this file does not hold what it looks for
OUTSIDE = re.compile(
    r"\.\./share[d]|parents\[[23]\] / \"|ROOT\.parent|/(?:hom[e]|roo[t]|Users)/|/wor[k]/"
)


@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("api/api.R", ["expected.json", "apistrat.csv", "apiclus1.csv", "apiclus2.csv", "lonely.csv"]),
        ("ranks/kww.R", ["kww_traveltime2011.json"]),
    ],
)  # fmt: skip
def test_r_makes_the_same_values_again(tmp_path, script, files):
    if not r_is_here():
        assert os.environ.get("SATISFACTION_REQUIRE_R") != "1", NEEDS_R_TO_WRITE
        pytest.skip(NEEDS_R_TO_WRITE)
    path = GOLDEN / script
    subprocess.run(["Rscript", path.name, str(tmp_path)], cwd=path.parent, check=True)
    for name in files:
        found = worst(path.parent / name, tmp_path / name)
        assert found.size <= SAME, (name, found)


def test_python_makes_the_same_province_again(tmp_path):
    command = [sys.executable, str(GOLDEN / "province" / "province.py"), str(tmp_path), "20261122"]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("sample.csv", "margins.csv"):
        assert worst(GOLDEN / "province" / name, tmp_path / name).size <= SAME


@pytest.mark.parametrize("seed", [101, 202])
def test_python_makes_the_same_open_link_errors_again(tmp_path, seed):
    folder = GOLDEN / "nonprob"
    files = [folder / f"seed{seed}", folder / f"seed{seed}.json", tmp_path / "anew.json"]
    command = [sys.executable, str(folder / "check_nonprob.py"), *map(str, files)]
    subprocess.run(command, check=True, capture_output=True)
    assert worst(folder / f"seed{seed}_linearised.json", tmp_path / "anew.json").size <= SAME


def test_a_changed_value_a_lost_name_and_another_length_are_seen():
    committed = {"a": [1.0, 2.0], "b": {"c": 3.0}, "d": "text"}
    size = {
        "same": {"a": [1.0, 2.0], "b": {"c": [3.0]}, "d": "text", "more": 1},
        "moved": {"a": [1.0, 2.0 + 4e-9], "b": {"c": 3.0}, "d": "text"},
        "lost": {"a": [1.0, 2.0], "b": {}, "d": "text"},
        "shorter": {"a": [1.0], "b": {"c": 3.0}, "d": "text"},
        "reworded": {"a": [1.0, 2.0], "b": {"c": 3.0}, "d": "other"},
    }
    found = {name: max(d.size for d in differences(committed, anew)) for name, anew in size.items()}
    assert found["same"] == 0
    assert found["moved"] == pytest.approx(2e-9, rel=1e-6)
    assert {name for name, one in found.items() if one == float("inf")} == {"lost", "shorter", "reworded"}  # fmt: skip


def test_every_folder_has_a_script_and_every_file_a_line_in_the_readme():
    readme = (GOLDEN / "README.md").read_text(encoding="utf-8")
    for folder in (path for path in GOLDEN.iterdir() if path.is_dir() and path.name[0] != "_"):
        scripts = [path.name for path in folder.iterdir() if path.suffix in (".R", ".py")]
        assert scripts, folder.name
        assert f"| {folder.name} |" in readme
        for path in folder.iterdir():
            stem = re.sub(
                r"^(units_|csranks_pisa2018_math_|data_traveltime2011_).*", r"\1", path.stem
            )
            assert path.name[0] == "_" or stem in readme or path.stem == "load_csranks", path.name


def test_nothing_is_read_from_beside_the_repository():
    paths = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in TEXT and path.is_file() and not MADE & set(path.relative_to(ROOT).parts)
    ]
    assert len(paths) > 300
    found = {}
    for path in paths:
        match = OUTSIDE.search(path.read_text(encoding="utf-8", errors="replace"))
        if match:
            found[str(path.relative_to(ROOT))] = match.group()
    assert found == {}


def test_a_skipped_test_names_the_command_that_installs_what_it_needs():
    found = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in SKIPPING:
                call = ast.unparse(node)
                if not re.search(r"NEEDS_|os, 'fork'", call):
                    found[f"{path.name}:{node.lineno}"] = call
    assert found == {}
