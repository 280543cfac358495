"""Pages of areas: complete in each language, deterministic, no rank without its set, sound structure, nothing from outside."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest
from tests.ranking.test_rankings import RANKINGS, prepare

from satisfaction import run
from satisfaction.foundation import pages as pdf
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.language import LANGUAGES, NOTHING
from satisfaction.publication.report import write_report
from satisfaction.publication.report.areas import (
    APART,
    _move,
    area_pages,
    area_values,
    index_page,
    source_of,
)
from satisfaction.publication.tables import tables_of
from system_packages import NEEDS_BROWSER

CHINESE = re.compile(r"[\u4e00-\u9fff]")
NAMES = re.compile(r"测试省|市9\d+|县\d+|测试")  # proper names, and the sources as declared


class Structure(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.text, self.inside = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self.inside):
            self.text.append(data)


@pytest.fixture(scope="module")
def results(small_template):
    from satisfaction import read_survey

    return run(read_survey(small_template / "surveys" / "wave"))


@pytest.fixture(scope="module")
def pages(results):
    source = source_of(results, tables_of(results))
    made = dict(area_pages(source, levels=source.levels(), languages=LANGUAGES))
    indices = {
        f"{language}/index": index_page(source, language, LANGUAGES) for language in LANGUAGES
    }
    return made | indices


def test_the_index_colours_a_status_as_the_other_pages_do(pages, results):
    status = tables_of(results).ranking["status"].tolist()
    for language in LANGUAGES:
        spans = [
            one.get("class", "")
            for tag, one in Structure(pages[f"{language}/index"]).tags
            if tag == "span"
        ]
        assert sorted(name for name in spans if name.startswith("status")) == sorted(
            f"status {word}" for word in status
        )
        assert '<body class="last">' in pages[f"{language}/index"]


def test_every_area_has_a_page_in_both_languages(pages):
    codes = {"990101", "990102", "990201", "990202", "990100", "990200"}
    assert set(pages) == {f"{language}/{code}.html" for language in LANGUAGES for code in codes} | {
        "zh/index",
        "en/index",
    }


def test_english_pages_are_in_english(pages):
    for name, text in pages.items():
        if name.startswith("en/"):
            said = [NAMES.sub("", part) for part in Structure(text).text]
            # the link to the other language is in that language
            assert [part for part in said if CHINESE.search(part)] in ([], ["中文"]), name


def test_structure(pages):
    for name, text in pages.items():
        page = Structure(text)
        assert page.headings.count(1) == 1
        assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False)), name
        tables = [attributes for tag, attributes in page.tags if tag == "table"]
        assert len([tag for tag, _ in page.tags if tag == "caption"]) == len(tables)
        assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
        assert all(
            attributes.get("scope") in ("col", "row")
            for tag, attributes in page.tags
            if tag == "th"
        )
        assert dict(page.tags)["html"]["lang"] == ("en" if name.startswith("en/") else "zh-CN")
        assert {"main", "header", "nav", "footer"} <= {tag for tag, _ in page.tags}
        assert "http" not in re.sub(r"base64,[^\"]+", "", text)
        assert not re.search(r"\b(nan|NaN|None|NaT)\b", " ".join(page.text))


def test_links_lead_to_pages_that_there_are(pages):
    for name, text in pages.items():
        for tag, attributes in Structure(text).tags:
            href = attributes.get("href") or ""
            if (
                tag == "a"
                and not href.startswith("#")
                and "index" not in href
                and "report" not in href
            ):
                folder = name.split("/")[0]
                target = href.removeprefix("../") if "/" in href else f"{folder}/{href}"
                assert target in pages, (name, href)


def test_no_rank_without_its_set(results, pages):
    ranking = tables_of(results).ranking.set_index("code")
    for code, row in ranking.iterrows():
        said = re.sub(r"\s+", " ", " ".join(Structure(pages[f"zh/{code}.html"]).text))
        assert (
            f"{row['rank']} {row['marginal_low']}–{row['marginal_high']} {row['simultaneous_low']}–{row['simultaneous_high']}"
            in said
        )
        assert f"{row['rank']} [{row['marginal_low']}–{row['marginal_high']}]" in " ".join(
            Structure(pages["zh/index"]).text
        )


def test_figures_are_the_published_ones(results, pages):
    indices = tables_of(results).indices
    row = indices[(indices["code"] == "990101") & (indices["measure"] == "topic_index")].iloc[0]
    assert f"{row['estimate']:.1f}" in pages["zh/990101.html"]
    assert f"{row['ci_low']:.1f}–{row['ci_high']:.1f}" in pages["en/990101.html"]


def test_a_score_that_the_whole_lacks_leaves_its_cell_empty(small):
    rankings = RANKINGS.replace("- score: combined\n", "- score: combined\n    main: true\n")
    prepare(small, rankings=rankings)
    results = run(small.read())
    source = source_of(results, tables_of(results))
    assert "combined" not in set(results.whole.table["measure"])
    figures = area_values(source, "county", "990101")["figures"]
    of_whole = {row[0]["measure"]: row[-1] for row in figures}
    lacking = {name for name, row in of_whole.items() if row is None}
    assert lacking == {"combined", "onsite", "desk"}
    pages = [page for _file, page in area_pages(source, levels=["county"], languages=["en"])]
    (row,) = re.findall(r"<tr><th scope=\"row\">Combined assessment</th>.*</tr>", pages[0])[:1]
    assert row.count('<td class="number">–</td>') == 1


def test_a_mark_stands_on_every_page(small):
    small.edit("survey.yaml", "selection: probability", "selection: open_link")
    results = run(small.read())
    source = source_of(results, tables_of(results))
    for _, text in area_pages(source, levels=["county"], languages=LANGUAGES):
        assert re.search(r'<p class="mark" role="note">(非概率样本|not a probability sample)', text)


def test_what_an_earlier_rank_is_worth(small):
    rows = "wave,code,rank,marginal_low,marginal_high,n,listed\n" + "".join(
        f"2025T1,{code},{k},{low},{high},30,no\n" for k, (code, low, high) in enumerate(
            [("990101", 1, 4), ("990102", 1, 1), ("990201", "", ""), ("990202", 4, 4)], 1)
    )  # fmt: skip
    (small.folder / "history.csv").write_text(rows, encoding="utf-8")
    rules = small.folder / "rules.yaml"
    rules.write_text(
        rules.read_text(encoding="utf-8") + "\nhistory: {file: history.csv, source: test}\n",
        encoding="utf-8",
    )
    results = run(small.read())
    source = source_of(results, tables_of(results))
    said = {
        code: area_values(source, "county", code)["ranks"].move.en
        for code in source.codes("county")
    }
    assert "overlap" in said["990101"]
    assert "Not both ranks have a set" in said["990201"]


def test_the_folder_is_written_in_one_step_and_gives_the_same_bytes(results, tmp_path, drawn_anew):
    one, two = (
        write_report(results, folder=tmp_path / name, levels=["county"]) for name in ("one", "two")
    )
    files = sorted(path.relative_to(one) for path in one.rglob("*.html"))
    assert len(files) == 2 * 4 + 4
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)
    with pytest.raises(ExportError, match="X101"):
        write_report(results, folder=one)


def test_without_a_browser_pdf_says_so_and_nothing_is_written(results, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "NAMES", ("no-such-browser",))
    monkeypatch.setattr(pdf, "PLACES", ())
    with pytest.raises(ExportError, match="X141"):
        write_report(results, folder=tmp_path / "pages", pdf=True)
    assert not (tmp_path / "pages").exists()


@pytest.mark.skipif(not any(map(shutil.which, pdf.NAMES)), reason=NEEDS_BROWSER)
def test_a_page_is_printed_with_chinese_glyphs(pages, tmp_path):
    (tmp_path / "page.html").write_text(pages["zh/990101.html"], encoding="utf-8")
    pdf.print_pages(pdf.find_browser(), [tmp_path / "page.html"])
    content = (tmp_path / "page.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"NotoSansSC" in content or b"Noto" in content


def test_on_the_command_line(small, call, tmp_path):
    small.edit("survey.yaml", "lonely_psu: ", "languages: [en]\nlonely_psu: ")
    code, out, err = call("report", small.folder, "--out", tmp_path / "pages")
    assert (code, err) == (0, "")
    assert "index.html" in out
    assert {path.name for path in (tmp_path / "pages").iterdir()} == {
        "report.html",
        "index.html",
        "en",
    }
    page = (tmp_path / "pages" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert 'class="across"' not in page


def standing(wave, code, rank):
    return {"wave": wave, "code": code, "rank": rank, "marginal_low": rank, "marginal_high": rank}


def test_sets_of_waves_that_ranked_different_areas_are_not_compared():
    rows = [standing("Q1", code, rank) for rank, code in enumerate("abc", start=1)]
    rows += [standing("Q2", code, rank) for rank, code in enumerate("ac", start=1)]
    paths = pd.DataFrame(rows)
    last = [row for row in rows if row["code"] == "c"]
    assert "3 与 2 个" in _move(last, paths).zh  # last in both: its rank has not moved
    same = [row for row in rows if row["code"] != "b"]
    assert _move(last, pd.DataFrame(same)) == APART
    assert _move([*last, standing("Q3", "c", float("nan"))], paths) == NOTHING
