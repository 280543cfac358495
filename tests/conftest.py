"""Fixtures: a small survey that every test may change, and the synthetic province whose figures R computed."""

from __future__ import annotations

import functools
import gc
import html
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from golden_values import expected, province_population, province_rows
from remembered_pictures import remember_pictures
from satisfaction import SurveyDesign, read_survey
from satisfaction.composite.scores import scale_slope
from satisfaction.foundation.language import Text, rendered
from satisfaction.foundation.tables import read_table, write_csv
from satisfaction.sampling.design import SampleDesign

# workers and the processes that tests start find everything compiled, whatever the environment says
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["SATISFACTION_LANG"] = (
    "zh"  # whoever reads what the tests write, unless a test says otherwise
)

# jsonschema would compile a grammar of IRIs at its import, which costs more than all else of it; no schema here asks for one
sys.modules.setdefault("rfc3987_syntax", None)

# a process of tests holds hundreds of thousands of objects that stay: looking through them all the time is 5 % of its work
gc.set_threshold(20_000, 20, 20)

# a busy machine is no fault; the same examples every time, but for `make fuzz`
settings.register_profile(
    "steady", deadline=None, derandomize="SATISFACTION_FUZZ" not in os.environ
)
settings.load_profile("steady")
ROOT = Path(__file__).parents[1]
SMALL = Path(__file__).parent / "small"
COUNTIES = ("990101", "990102", "990201", "990202")
PER_COMMUNITY = 5


@dataclass(frozen=True)
class SmallSurvey:
    """The small survey in a folder of its own; every change is written to its files."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "surveys" / "wave"

    @property
    def questionnaire(self) -> Path:
        return self.root / "questionnaires" / "small" / "1.yaml"

    @property
    def csv(self) -> Path:
        return self.folder / "responses" / "all.csv"

    def read(self):
        return read_survey(self.folder)

    def edit(self, path: str | Path, old: str, new: str) -> Path:
        """Replace a text that stands in a file exactly once."""
        path = self.folder / path
        content = path.read_text(encoding="utf-8")
        assert content.count(old) == 1, f"{old!r} stands {content.count(old)} times in {path.name}"
        path.write_text(content.replace(old, new), encoding="utf-8")
        return path

    def rows(self) -> pd.DataFrame:
        """Return the rows of the csv file as text."""
        return pd.read_csv(self.csv, dtype=str, keep_default_na=False)

    def write(self, rows: pd.DataFrame, encoding: str = "utf-8-sig") -> None:
        self.csv.write_text(rows.to_csv(index=False), encoding=encoding)

    def change(self, **cells: str) -> None:
        """Change cells of the first respondent (row 2 of the file)."""
        rows = self.rows()
        for column, value in cells.items():
            rows.loc[0, column] = value
        self.write(rows)


def small_rows() -> pd.DataFrame:
    """120 respondents without a fault; every sex and age group in every community."""
    rng = np.random.default_rng(20260101)
    rows = []
    for c, county in enumerate(COUNTIES):
        for residence in (1, 2):
            for community in range(3):
                for person in range(PER_COMMUNITY):
                    took_part = rng.choice([1, 2, 98])
                    rows.append(
                        {
                            "id": f"P{len(rows):03d}", "day": f"2026-04-{10 + person:02d}", "interviewer": f"I{community}",
                            "community": f"{county}{residence}{community}", "county": county, "residence": residence,
                            "sex": 1 + person % 2, "age": 20 + 10 * person, "age_group": 1 if person in (0, 1) else 2, "lived_here": 1,
                            "heard": rng.choice([1, 2, 98, 99], p=[0.6, 0.2, 0.1, 0.1]),
                            "values": rng.choice(["1;2;3", "1;2", "1;4", "98", "99", ""]), "took_part": took_part,
                            "took_part_in": rng.choice(["1", "1;2"]) if took_part == 1 else "",
                            **{t: rng.choice([1, 2, 3, 4, 5, 97, 98], p=[0.05, 0.1, 0.2 + c / 50, 0.35 - c / 50, 0.2, 0.05, 0.05]) for t in ("streets", "parks", "safety", "overall")},
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows).astype(str)


def small_tables() -> dict[str, pd.DataFrame]:
    """The tables of facts beside survey.yaml, by file name."""
    areas = [("990000", "测试省", "Test Province", "province", "")]
    areas += [(f"{p}00", f"市{p}", f"City {p}", "prefecture", "990000") for p in ("9901", "9902")]
    areas += [(c, f"县{c}", f"County {c}", "county", f"{c[:4]}00") for c in COUNTIES]
    columns = ["code", "name", "name_en", "level", "parent"]
    sample = [
        (f"{county}{residence}{k}", county, residence, 0.05 + 0.01 * k, 0.01 * residence, PER_COMMUNITY)
        for county in COUNTIES for residence in (1, 2) for k in range(3)
    ]  # fmt: skip
    by = pd.MultiIndex.from_product([COUNTIES, (1, 2)], names=["county", "level"])
    margin = by.to_frame(index=False).assign(
        population=[40_000, 41_000, 52_000, 50_000, 30_000, 31_000, 61_000, 60_000]
    )
    turned = margin.assign(
        population=[30_000, 51_000, 48_000, 54_000, 25_000, 36_000, 50_000, 71_000]
    )
    return {
        "areas.csv": pd.DataFrame(areas, columns=columns).assign(
            valid_from="2020-01-01", valid_to=""
        ),
        "frame.csv": margin.rename(columns={"level": "residence"}),
        "sample.csv": pd.DataFrame(
            sample,
            columns=[
                "community",
                "county",
                "residence",
                "psu_probability",
                "person_probability",
                "planned",
            ],
        ),
        "county_sex.csv": margin.rename(columns={"level": "sex"}),
        "county_age.csv": turned.rename(columns={"level": "age_group"}),
    }


def recoded(folder: Path, former: str, today: str) -> None:
    """Give a county another code in every file of a wave, and say so in the table of areas."""
    for path in [*folder.glob("*.*"), *folder.glob("responses/*")]:
        if path.suffix in (".csv", ".yaml"):
            text = path.read_text(encoding="utf-8-sig").replace(former, today)
            path.write_text(text, encoding="utf-8")
    areas = read_table(folder / "areas.csv").assign(valid_from="", valid_to="", successor="")
    before = areas[areas["code"] == today]
    before = before.assign(code=former, valid_to="2026-03-31", successor=today)
    write_csv(pd.concat([areas, before]), folder / "areas.csv")


def joined(lines) -> Text:
    """Lines as they are printed, in each language."""
    return rendered(lambda: "\n".join(map(str, lines)))


def table_rows(page: str) -> list[list[str]]:
    """Return the cells of a notebook's table, row by row, as they are read."""
    rows = []
    for row in re.findall("<tr>(<td.*?)</tr>", page, re.DOTALL):
        held = re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL)
        rows.append([html.unescape(re.sub("<[^>]*>", "", cell)) for cell in held])
    return rows


def run_program(patch: pytest.MonkeyPatch, *arguments, language="en") -> int:
    """Call the program as the shell would, in English unless told; returns the exit code."""
    from satisfaction import cli

    patch.setenv("SATISFACTION_LANG", language)
    patch.setattr(sys, "argv", ["satisfaction", *map(str, arguments)])
    # `python -m pytest` would be taken for `python -m satisfaction`
    patch.setattr(sys.modules["__main__"], "__package__", None, raising=False)
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the program as the shell would; returns exit code, standard output, standard error."""

    def run_cli(*arguments, language="en"):
        code = run_program(monkeypatch, *arguments, language=language)
        return code, *capsys.readouterr()

    return run_cli


@pytest.fixture(scope="session", autouse=True)
def unsynced():
    """No test loses power: what is written need not be on the disk before the next line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _opened: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def pictures():
    """Pages draw a picture once in a process; what is the same twice is not drawn twice."""
    return remember_pictures()


@pytest.fixture
def drawn_anew(pictures):
    """Every picture is drawn, for tests of what is the same at every writing."""
    pictures.anew = True
    yield
    pictures.anew = False


@pytest.fixture
def tables_alone(pictures):
    """Pages are written without pictures, for tests that look at tables and words."""
    with pictures.left_out():
        yield


@pytest.fixture(scope="session")
def small_template(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("template") / "small"
    shutil.copytree(SMALL, root)
    survey = SmallSurvey(root)
    for name, table in small_tables().items():
        table.to_csv(survey.folder / name, index=False, encoding="utf-8")
    survey.csv.parent.mkdir()
    survey.write(small_rows())
    return root


@pytest.fixture
def small(small_template, tmp_path) -> SmallSurvey:
    """A copy of the small survey that the test may change."""
    root = tmp_path / "small"
    shutil.copytree(small_template, root)
    return SmallSurvey(root)


@pytest.fixture(scope="session")
def published_template(small_template, tmp_path_factory) -> Path:
    """The small survey with a set in out/, as `satisfaction run` leaves it; run once in a process."""
    from satisfaction.pipeline import run
    from satisfaction.publication.file_set import export_dated

    root = tmp_path_factory.mktemp("published") / "small"
    shutil.copytree(small_template, root)
    export_dated(run(SmallSurvey(root).read()))
    return root


@pytest.fixture
def afresh_in_this_process(monkeypatch):
    """`publish` computes the declared run anew without a process of its own, for tests that look at what it publishes."""
    from satisfaction.publication import verify

    def run_here(survey: Path, folder: Path) -> None:
        verify.write_declared(str(survey.resolve()), str(folder))

    monkeypatch.setattr(verify, "_run_afresh", run_here)


@pytest.fixture
def published(published_template, tmp_path) -> SmallSurvey:
    """A copy of the small survey and of its set, which the test may change."""
    root = tmp_path / "small"
    shutil.copytree(published_template, root, symlinks=True)
    return SmallSurvey(root)


@pytest.fixture(scope="session")
def unchanged(small_template):
    """The small survey as read, for tests that change nothing."""
    return SmallSurvey(small_template).read()


@functools.cache
def run_of_shipped_wave(name: str):
    """Run a wave of `surveys/`; no test changes what comes of it."""
    from satisfaction.pipeline import run

    return run(read_survey(ROOT / "surveys" / name))


@pytest.fixture(scope="session")
def shipped():
    """The run of a shipped wave by its folder's name; a wave is run once in a process."""
    return run_of_shipped_wave


@pytest.fixture(scope="session")
def province():
    """The synthetic province: respondents, margins, what R makes of them (see golden/README.md)."""
    respondents = province_rows()
    population = province_population()
    return SimpleNamespace(
        respondents=respondents, expected=expected("province"), design=province_design(respondents),
        margins={name: population.groupby(name)["population"].sum().to_dict() for name in ("county", "urban", "sex", "age")},
        cells=population.groupby(["county", "urban", "sex"])["population"].sum().to_dict(),
    )  # fmt: skip


def province_design(respondents, **changes) -> SampleDesign:
    """Strata, PSUs and base weights of the province."""
    return SurveyDesign(
        respondents, **({"strata": "stratum", "psu": "psu", "base_weight": "base_weight"} | changes)
    )


def side_by_side(found):
    """The combined score of a wave ranked by it, by area in rank order: components with their errors, score, rank and sets."""
    scores = found.combined.ranked
    table = found.ranking.table.rename(columns={"unit": "code", "estimate": "score"})
    for k, part in enumerate(scores.parts):
        table[part.name] = scores.scaled[:, k]
        se = part.se * np.abs(scale_slope(part))
        table[f"{part.name}_se"] = np.where(np.isfinite(scores.scaled[:, k]), se, np.nan)
    known = ~scores.incomplete & np.isfinite(np.diag(scores.cov))
    table["se"] = np.where(known, np.sqrt(np.diag(scores.cov)), np.nan)
    table["df"] = np.where(known, scores.df, np.nan)
    barred = scores.barred()
    table["note"] = [barred[code].both if code in barred else "" for code in table["code"]]
    return table.sort_values(["rank", "code"], na_position="last", ignore_index=True)


def method_section(results, language):
    """The section of the report that lists every declared convention, as a reader sees it."""
    from satisfaction.publication.report import render
    from satisfaction.publication.tables import tables_of

    page = render(results, tables_of(results), language)
    section = page[page.index('<section id="method">') :]
    return html.unescape(re.sub("<[^>]+>", " ", section[: section.index("</section>")]))
