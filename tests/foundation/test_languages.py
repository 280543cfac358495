"""One language a page: nothing of the other on it, a link across, and sets that do not depend on who makes them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from conftest import SmallSurvey
from satisfaction import export, read_indices, read_survey, run
from satisfaction.cli import SECTIONS
from satisfaction.cli.options import USER_FAULT
from satisfaction.collection.forms import write_forms
from satisfaction.collection.responses import load_responses
from satisfaction.comparison.compare import compare
from satisfaction.fieldwork.daily import write_fieldwork
from satisfaction.fieldwork.findings import CHECKS
from satisfaction.fieldwork.standing import stand
from satisfaction.foundation.errors import InputFileError, SurveyError
from satisfaction.foundation.files import sha256
from satisfaction.foundation.grids import read_grids
from satisfaction.foundation.language import use
from satisfaction.foundation.pages import across, page_name
from satisfaction.foundation.tables import write_checksums
from satisfaction.publication.report import write_report
from satisfaction.publication.verify import IDENTICAL, OTHER_VERSION, verify

CLOCKED = ("run.json", "SHA256SUMS")
CHINESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:['’-][A-Za-z]+)*(?:[ ,;:]+[A-Za-z]{2,}(?:['’-][A-Za-z]+)*)+")
SPACED = re.compile(r"[0-9}]\s+%")
"""A percentage of another writer: there is one, and it writes "62.8%" in both languages."""
VOID = {"meta", "img", "br", "hr", "link", "input"}
SPOKEN = ("alt", "aria-label", "title", "placeholder")
DECLARED = ("NA, N/A, NaN, NULL, -, —, ——, /, 无",)
"""What the small wave takes for an empty answer, as it stands in files of either language."""
PAIRS = {
    "测试 test": "{zh: 测试, en: test}",
    "为测试自拟 made up for the tests": "{zh: 为测试自拟, en: made up for the tests}",
    "首版 first version": "{zh: 首版, en: first version}",
}
"""Sources and changes, as they stand in the small wave and as a survey declares them for two languages."""
KEYS = ("fieldwork: backcheck", "fieldwork: modes", "fieldwork: earlier", "tests: none")
"""As survey.yaml has them."""
SIMULATED = "simulated: {seed: 1, note: {zh: 模拟, en: simulated}}\n"


class Spoken(HTMLParser):
    """What a page says, piece by piece, to those who see it and to those who do not; code is no speech."""

    def __init__(self, html):
        super().__init__()
        self.inside, self.pieces, self.links = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in VOID:
            self.inside.append((tag, attributes.get("class", "")))
        self.pieces += [attributes[name] for name in SPOKEN if attributes.get(name)]
        if tag == "html":
            self.language = attributes["lang"]
        if tag == "a" and attributes.get("hreflang"):
            self.links.append(attributes["href"])

    def handle_endtag(self, tag):
        assert self.inside.pop()[0] == tag

    def handle_data(self, data):
        silent = {"style", "script", "code"} & {tag for tag, _ in self.inside}
        if not silent and "code" not in [name for _, name in self.inside]:
            self.pieces.append(re.sub(r"\s+", " ", data).strip())


def strangers(html):
    """Pieces of a page that are in the other language, but for declared words and the link across."""
    page = Spoken(html)
    other = CHINESE if page.language == "en" else ENGLISH
    found = []
    for piece in page.pieces:
        rest = piece
        for declared in (*DECLARED, *KEYS):
            rest = rest.replace(declared, "")
        if piece not in ("中文", "English") and other.search(rest):
            found.append(piece)
    return found


@pytest.fixture(scope="module")
def wave(small_template, tmp_path_factory):
    """The small wave, simulated, in a folder of its own."""
    import shutil

    root = shutil.copytree(small_template, tmp_path_factory.mktemp("languages") / "small")
    small = SmallSurvey(root)
    small.edit("survey.yaml", "selection:", f"{SIMULATED}selection:")
    for path in root.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for once, pair in PAIRS.items():
            text = text.replace(once, pair)
        path.write_text(text, encoding="utf-8")
    return small


@pytest.fixture(scope="module")
def results(wave):
    return run(wave.read())


@pytest.fixture(scope="module")
def shelves(wave, results, tmp_path_factory, pictures):
    """A file set, the pages of the areas, and those of the fieldwork; they are read for their words."""
    folder = tmp_path_factory.mktemp("shelves")
    survey = wave.read()
    with pictures.left_out():
        return [
            export(results, folder / "set"),
            write_report(results, folder=folder / "report"),
            write_fieldwork(stand(survey, load_responses(survey))),
        ]


def test_no_page_says_anything_in_the_other_language(shelves):
    pages = [path for shelf in shelves for path in sorted(shelf.rglob("*.html"))]
    assert len(pages) > 30
    found = [(path, strangers(path.read_text(encoding="utf-8"))) for path in pages]
    assert [(str(path), words) for path, words in found if words] == []


def test_every_percentage_of_pages_and_sentences_is_written_by_one_rule(shelves):
    said = []
    for shelf in shelves:
        for path in sorted([*shelf.rglob("*.html"), *shelf.rglob("*sentences*.csv")]):
            text = path.read_text(encoding="utf-8")
            said += Spoken(text).pieces if path.suffix == ".html" else text.splitlines()
    assert len([piece for piece in said if re.search("[0-9]%", piece)]) > 500
    assert [piece for piece in said if SPACED.search(piece)] == []


def foreign(text, language):
    """Lines of a text that are in the other language, but for declared words and identifiers."""
    other = CHINESE if language == "en" else ENGLISH
    lines = []
    for line in text.splitlines():
        rest = re.sub(r"`[^`]*`|\S*[/\\]\S*", " ", line)
        for declared in (*DECLARED, *KEYS):
            rest = rest.replace(declared, " ")
        if other.search(rest):
            lines.append(line.strip())
    return lines


def test_no_workbook_says_anything_in_the_other_language(shelves, wave, tmp_path):
    shelves = [*shelves, write_forms(wave.read().questionnaire, tmp_path / "forms")]
    books = [path for shelf in shelves for path in sorted(shelf.rglob("*.xlsx"))]
    books = [path for path in books if path.name != "xlsform.xlsx"]  # a form asks in both
    assert len(books) >= 8
    found = []
    for path in books:
        language = "en" if path.stem.endswith("-en") else "zh"
        for grid in read_grids(path)[0]:
            if grid.sheet == "data":  # for programs: the columns of the csv file
                continue
            found += [(path.name, words) for words in foreign(grid.sheet, language)]
            for column in grid.columns:
                for cell in column:
                    found += [
                        (path.name, grid.sheet, words) for words in foreign(str(cell), language)
                    ]
    assert found == []


# rejected.xlsx is read again by `satisfaction corrections`, under the columns of the files it was read from
CODES = {"yes", "no", "true", "false", "county", "prefecture", "province", "all", *CHECKS}
"""What files for programs hold; a workbook for people says it in words."""
FOR_PROGRAMS = ("data", "列说明", "columns")


def cells_for_people(path):
    """Yield sheet and text of every cell of a workbook that is for people."""
    for grid in read_grids(path)[0]:
        if grid.sheet not in FOR_PROGRAMS:
            for column in grid.columns:
                for cell in column:
                    yield grid.sheet, str(cell)


@pytest.mark.usefixtures("tables_alone")
def test_a_workbook_for_people_says_codes_in_words(wave, call):
    items = set(wave.read().questionnaire.items)
    for command in ("run", "fieldwork", "stability", "plan"):
        assert call(command, wave.folder)[0] == 0
    books = sorted((wave.folder / "out").rglob("*.xlsx"))
    books = [path for path in books if not path.stem.endswith("-en") and path.stem != "rejected"]
    assert {path.stem for path in books} >= {"tests", "reliability", "stability", "plan"}
    found = []
    for path in books:
        for sheet, cell in cells_for_people(path):
            assert not SPACED.search(cell), (path.name, sheet, cell)
            if cell in CODES | items or re.fullmatch("interviewer .*|plan_.*|psus_now", cell):
                found.append((path.name, sheet, cell))
    assert found == []
    english = (wave.folder / "out").rglob("*-en.xlsx")
    named = [path for path in english if path.stem in ("stability-en", "plan-en")]
    assert len(named) >= 2
    for path in named:
        assert [cell for _, cell in cells_for_people(path) if foreign(cell, "en")] == []


COMMANDS = ("check", "run", "report", "fieldwork", "stability", "plan")


@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_console_says_nothing_in_the_other_language(wave, call, language, command):
    _code, out, err = call(command, wave.folder, language=language)
    assert out.strip()
    assert foreign(out + err, language) == []
    assert not SPACED.search(out + err)


HELD = re.compile(r"--?[a-z-]+|[A-Z_@=]{2,}|\[[^]]*\]|satisfaction [a-z-]+(?: surveys.*)?")
"""What a command takes, as it is typed, and an example."""
MISUSES = [
    ("drw",),
    ("run",),
    ("run", "--nope", "wave"),
    ("run", "--engine"),
    ("run", "one", "two"),
    ("draw", "frame.csv", "--persons", "many"),
    ("draw", "frame.csv", "--persons", "0"),
    ("draw", "frame.csv", "--method", "guess"),
    ("draw", "frame.csv"),
    ("fieldwork", "wave", "--day", "3"),
]


def test_the_help_of_every_command_is_in_one_language(call):
    commands = [str(one.name) for section in SECTIONS.values() for one in section]
    for arguments in (["--help"], ["--version"], *([name, "--help"] for name in commands)):
        _code, chinese, _err = call(*arguments, language="zh")
        assert CHINESE.search(chinese)
        assert not re.search("TEXT|INTEGER|FLOAT|RANGE|OPTIONS|COMMAND|ARGS", chinese), chinese
        assert not re.search("[\u4e00-\u9fff]:", chinese), chinese
        for line in chinese.splitlines():
            assert not ENGLISH.search(HELD.sub("", line)), line
        _code, english, _err = call(*arguments, language="en")
        assert not CHINESE.search(english), english


@pytest.mark.parametrize("arguments", MISUSES, ids=" ".join)
def test_what_is_said_of_a_command_that_is_not_right_is_in_one_language(call, arguments):
    code, _out, chinese = call(*arguments, language="zh")
    assert code == USER_FAULT
    assert not ENGLISH.search(re.sub("'[^']*'", "", HELD.sub("", chinese)))
    assert not re.search("[\u4e00-\u9fff' ][:.](?:$|\\s)", chinese, re.MULTILINE), chinese
    _code, _out, english = call(*arguments, language="en")
    assert not CHINESE.search(english)


@pytest.mark.parametrize(
    ("lang", "text"), [("en", "<p>A 县 here</p>"), ("zh-CN", '<img alt="名次 of the county">')]
)
def test_a_planted_word_of_the_other_language_is_found(lang, text):
    assert len(strangers(f'<html lang="{lang}">{text}</html>')) == 1


def test_every_page_leads_to_the_same_page_in_the_other_language(shelves):
    for shelf in shelves:
        for path in shelf.rglob("*.html"):
            page = Spoken(path.read_text(encoding="utf-8"))
            (link,) = page.links
            other = (path.parent / link).resolve()
            there = Spoken(other.read_text(encoding="utf-8"))
            assert {page.language, there.language} == {"zh-CN", "en"}
            assert (other.parent / there.links[0]).resolve() == path.resolve()


def test_names_of_pages_and_where_they_lead():
    languages = ("en", "zh")
    assert page_name("report.html", "en", languages) == "report.html"
    assert page_name("report.html", "zh", languages) == "report-zh.html"
    assert across("report.html", "en", languages) == ("report-zh.html", "zh", True)
    assert across("report.html", "zh", languages) == ("report.html", "en", False)
    assert across("report.html", "zh", ("zh",)) is None


@pytest.mark.usefixtures("tables_alone")
def test_a_survey_declares_the_languages_of_its_sets(small, tmp_path):
    small.edit("survey.yaml", "level: 0.95", "level: 0.95\nlanguages: [en]")
    alone = export(run(small.read()), tmp_path / "alone")
    pages = {path.name: path.read_text(encoding="utf-8") for path in alone.glob("*.html")}
    assert set(pages) == {"report.html", "reading.html", "confirm.html"}
    for text in pages.values():
        assert '<html lang="en">' in text
        assert "localStorage" not in text
    small.edit("survey.yaml", "languages: [en]", "languages: [en, zh]")
    both = export(run(small.read()), tmp_path / "both")
    assert '<html lang="en">' in (both / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in (both / "report-zh.html").read_text(encoding="utf-8")
    small.edit("survey.yaml", "languages: [en, zh]", "languages: [en, en]")
    with pytest.raises(SurveyError, match="S184"):
        small.read()


def test_the_language_of_the_one_who_runs_changes_no_byte(wave, tmp_path):
    def written(language):
        with use(language):
            folder = export(run(wave.read()), tmp_path / language, handover=True)
        files = [path for path in folder.rglob("*") if path.is_file() and path.name not in CLOCKED]
        return {path.relative_to(folder).as_posix(): sha256(path) for path in files}

    chinese = written("zh")
    english = written("en")
    assert [name for name in chinese | english if chinese.get(name) != english.get(name)] == []


def test_the_locale_of_a_machine_changes_no_byte(small, published_template):
    """A process that knows no language but that of a bare machine, beside this one, which speaks Chinese."""
    environment = {**os.environ, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "1"}
    environment.pop("SATISFACTION_LANG", None)
    command = [sys.executable, "-m", "satisfaction", "run", str(small.folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    sets = []
    for folder in (small.folder, published_template / "surveys" / "wave"):
        latest = (folder / "out" / "latest").resolve()
        sums = {path.name: sha256(path) for path in latest.iterdir()}
        for name in CLOCKED:
            assert sums.pop(name)
        sets.append(sums)
    assert sets[0] == sets[1]


@pytest.mark.usefixtures("tables_alone")
def test_a_new_set_says_its_format_and_is_verified(shelves, wave):
    made = json.loads((shelves[0] / "manifest.json").read_text(encoding="utf-8"))
    assert made["format"] == {"name": "satisfaction-file-set", "version": "2.0"}
    assert read_indices(shelves[0]).format == "2.0"
    assert verify(shelves[0], survey=wave.folder).code == IDENTICAL


@pytest.fixture
def old_set(shelves, tmp_path):
    """The set as a program of 1.x named its files: one page of each kind."""
    import shutil

    folder = shutil.copytree(shelves[0], tmp_path / "old")
    for path in folder.glob("*-en.html"):
        path.unlink()
    for name in ("manifest.json", "datapackage.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert text.count('"version": "2.0"') == 1
        (folder / name).write_text(text.replace('"version": "2.0"', '"version": "1.0"'), "utf-8")
    (folder / "SHA256SUMS").unlink()
    write_checksums(folder)
    return folder


@pytest.mark.usefixtures("tables_alone")
def test_sets_of_1_x_stay_readable(old_set, shelves, wave):
    old = read_indices(old_set)
    new = read_indices(shelves[0])
    assert old.format == "1.0"
    assert old.indices.equals(new.indices)
    assert old.ranking.equals(new.ranking)
    found = compare(old_set, shelves[0])
    assert found.figures.empty
    checked = verify(old_set, survey=wave.folder)
    assert checked.code == OTHER_VERSION
    assert checked.versions["format"] == ("1.0", "2.0")


def test_a_set_of_another_format_is_refused(old_set):
    text = (old_set / "manifest.json").read_text(encoding="utf-8")
    (old_set / "manifest.json").write_text(
        text.replace('"version": "1.0"', '"version": "3.0"'), "utf-8"
    )
    with pytest.raises(InputFileError, match="F122"):
        read_indices(old_set)


def test_the_published_history_of_old_sets_is_read(small, old_set):
    """rules.yaml names a table of earlier ranks, as 1.x wrote it."""
    ranks = read_indices(old_set).tables["ranking_waves"]
    columns = ["code", "rank", "marginal_low", "marginal_high", "n", "listed"]
    earlier = ranks[columns].assign(wave="2025T4")
    earlier.to_csv(small.folder / "history.csv", index=False)
    rules = small.folder / "rules.yaml"
    rules.write_text(
        rules.read_text(encoding="utf-8") + "\nhistory: {file: history.csv, source: test}\n",
        encoding="utf-8",
    )
    assert read_survey(small.folder).earlier_waves() == ["2025T4"]
