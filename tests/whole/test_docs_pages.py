"""Pages that are written from the code are those of the code; guides stand in both languages and point to what is there."""

import contextlib
import functools
import importlib.util
import io
import os
import re
import sys
from pathlib import Path

import pytest

from satisfaction.cli import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
BYTES = 10_000
GUIDES = ("survey-team", "statistician", "ranking-office")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def make_errors():
    spec = importlib.util.spec_from_file_location("make_errors", DOCS / "make_errors.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_errors"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def package(make_errors):
    return make_errors.Package()


def test_the_page_of_identifiers_is_that_of_the_code(make_errors, package):
    assert (DOCS / "errors.md").read_text(encoding="utf-8") == make_errors.page(package)


def test_every_identifier_of_the_code_stands_on_the_page_once(package):
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### ([A-Z]\d{3})\b", text, flags=re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(headings) == package.identifiers()


def test_every_identifier_says_something_in_both_languages(package):
    for identifier, entry in package.entries.items():
        assert entry.sentences, identifier
        for english, chinese in [*entry.sentences.items(), *entry.repairs.items()]:
            assert not CHINESE.search(english.replace("很满", "")), (identifier, english)
            assert CHINESE.search(chinese), (identifier, chinese)


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_a_readme_is_short(name):
    assert len((ROOT / name).read_bytes()) <= BYTES


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_stands_in_both_languages_with_the_same_headings(guide):
    english = (DOCS / "en" / f"{guide}.md").read_text(encoding="utf-8")
    chinese = (DOCS / "zh" / f"{guide}.md").read_text(encoding="utf-8")
    levels = [re.findall(r"^(#+) ", text, flags=re.MULTILINE) for text in (english, chinese)]
    assert levels[0] == levels[1]
    assert commands(english) == commands(chinese)


def test_guides_name_commands_that_are_there():
    for guide in GUIDES:
        text = (DOCS / "en" / f"{guide}.md").read_text(encoding="utf-8")
        assert commands(text) <= set(cli.commands), guide


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_example_of_a_readme_prints_what_stands_below_it(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    code, shown = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", text, flags=re.DOTALL)[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), {})
    assert printed.getvalue() == shown


def commands(text):
    """Commands of the program that a page names."""
    return set(re.findall(r"(?:`|^)satisfaction ([a-z][a-z-]+)", text, flags=re.MULTILINE))


PAGES = [*ROOT.glob("README*.md"), *DOCS.rglob("*.md"), ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page):
    text = page.read_text(encoding="utf-8")
    targets = LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.fixture(scope="module")
def site_pages():
    spec = importlib.util.spec_from_file_location("site_pages", DOCS / "site_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(site_pages):
    """The pages of the site, by their places in it."""
    paths = [
        *site_pages.FROM_ROOT,
        *(f"docs/{page.relative_to(DOCS)}" for page in DOCS.rglob("*.md")),
    ]
    return {
        site_pages.place_in_site(path): site_pages.site_page(
            (ROOT / path).read_text(encoding="utf-8"), path
        )
        for path in paths
    }


@functools.cache
def slugs(text):
    """Anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings]
    return {re.sub(r"[\s-]+", "-", heading.strip()) for heading in words}


def test_every_link_of_the_site_leads_to_a_page_or_a_picture_in_it(site, site_pages):
    checked = 0
    for place, text in site.items():
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for link in site_pages.LINK.finditer(prose):
            if re.match(r"[a-z]+:", link["target"]):
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(place), link["target"]))
            assert target in site or (DOCS / target).is_file(), (place, link[0])
            if link["anchor"]:
                assert link["anchor"][1:] in slugs(site[target]), (place, link[0])
            checked += 1
        for anchor in re.findall(r"\]\(#([^)]+)\)", prose):
            assert anchor in slugs(text), (place, anchor)
    assert checked > 50


def test_the_menu_of_the_site_holds_every_page(site):
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert set(re.findall(r": (\S+\.md)$", menu, flags=re.MULTILINE)) == set(site)


def test_a_link_out_of_the_site_becomes_words(site_pages):
    text = "see [the ranking](../../notebooks/05_ranking.ipynb) and [words](../glossary.md#ranks)"
    page = site_pages.site_page(text, "docs/en/statistician.md")
    assert page == "see the ranking and [words](../glossary.md#ranks)"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pictures_of_a_guide_are_in_its_language(language):
    pages = [ROOT / ("README.md" if language == "en" else "README.zh.md")]
    pages += (DOCS / language).glob("*.md")
    pictures = [
        name
        for page in pages
        for name in re.findall(r"pictures/(\S+)\.png", page.read_text("utf-8"))
    ]
    assert len(pictures) == 6
    assert {name.endswith("-en") for name in pictures} == {language == "en"}
