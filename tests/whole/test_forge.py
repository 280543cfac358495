"""The workflow of the forge: every key is one that a forge knows, and every part it runs stands in `.ci/run`."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from conftest import ROOT

OF_A_WORKFLOW = {"name", "on", "permissions", "concurrency", "jobs"}
OF_A_JOB = {"name", "runs-on", "timeout-minutes", "strategy", "steps"}
OF_A_STEP = {"uses", "with", "run", "shell", "env", "if"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPT = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def jobs() -> dict[str, dict]:
    """Every job of every workflow, by name."""
    found = {}
    for path in WORKFLOWS:
        workflow = YAML(typ="safe").load(path)
        assert set(workflow) <= OF_A_WORKFLOW, path.name
        found |= workflow["jobs"]
    return found


JOBS = jobs()


@pytest.fixture(params=JOBS)
def job(request):
    return JOBS[request.param]


def test_jobs_and_steps_have_keys_that_a_forge_knows(job):
    assert set(job) <= OF_A_JOB
    assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
    for step in job["steps"]:
        assert set(step) <= OF_A_STEP
        assert len({"uses", "run"} & set(step)) == 1
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_every_word_of_the_matrix_is_declared(job):
    strategy = job.get("strategy", {}).get("matrix", {})
    declared = set(strategy) - {"include"}
    for one in strategy.get("include", []):
        assert set(one) == declared
    assert set(re.findall(r"matrix\.(\w+)", str(job))) == declared


def test_a_job_runs_one_part_of_the_script(job):
    parts = re.findall(r"^(\w+)\(\) \{$", SCRIPT, re.MULTILINE)
    commands = [step["run"] for step in job["steps"] if "run" in step]
    (command,) = commands
    part = re.fullmatch(r"bash \.ci/run ?(\w*)", command)[1] or "whole"
    assert part in parts
    assert f" {part}" in re.search(r"^  whole[\w |]+\)", SCRIPT, re.MULTILINE)[0]


def test_all_pythons_that_the_package_allows_are_named():
    oldest = re.search(
        r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    named = re.findall(r"'3\.(\d+)'", str(JOBS))
    assert min(map(int, named)) == int(oldest[1])
    assert set(map(int, named)) == set(range(int(oldest[1]), max(map(int, named)) + 1))


def test_every_page_that_reads_its_size_is_fuzzed():
    rule = re.search(r"^fuzz:.*\n\t(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)[1]
    reading = set()
    for page in (ROOT / "tests").rglob("test_*.py"):
        if 'environ.get("SATISFACTION_' + 'FUZZ"' in page.read_text("utf-8"):
            reading.add(page.relative_to(ROOT).as_posix())
    assert reading == set(re.findall(r"tests/\S+\.py", rule))


def test_files_are_checked_out_as_they_lie_here():
    """With carriage returns of Windows, bash would not read the script, and hashes would be others."""
    assert "* -text" in (ROOT / ".gitattributes").read_text("utf-8").splitlines()
