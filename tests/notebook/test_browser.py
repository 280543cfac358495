"""In a real browser: every notebook runs in JupyterLab, the form runs a wave, pages fit a phone, sort, show every glyph and are accessible.

Skipped without Chromium; SATISFACTION_REQUIRE_BROWSER=1 makes that a failure. Screenshots go to the folder
named by SATISFACTION_SCREENSHOTS, if any.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from tests.notebook.test_what_if import assert_tells_how_it_was_chosen

from conftest import ROOT, SmallSurvey
from satisfaction import export, read_survey, run
from satisfaction.foundation import pages as pdf
from satisfaction.notebook import server
from satisfaction.notebook.actions import opened
from satisfaction.publication.report import write_report
from system_packages import NEEDS_BROWSER, NEEDS_PDFTOTEXT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = os.environ.get("SATISFACTION_REQUIRE_BROWSER") == "1"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM and not REQUIRED, reason=NEEDS_BROWSER),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
SHELF = ROOT / "notebooks"
IN_CHINESE = sorted(path.name for path in SHELF.glob("0[1-9]_*.ipynb"))
WITH_WHAT_IF = ("02_weighting.ipynb", "04_indices.ipynb", "05_ranking.ipynb")
PATIENCE = 180_000
SERIOUS = ("serious", "critical")
HAN = "Noto Sans SC"
BRIGHTNESS = """table => {
  const grey = colour => colour.match(/[\\d.]+/g).slice(0, 3).reduce((sum, one) => sum + Number(one) / 765, 0);
  const clear = colour => colour === "transparent" || /, 0\\)$/.test(colour);
  let behind = table.tBodies[0].rows[0].cells[0];
  while (clear(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
  const ink = getComputedStyle(table.tBodies[0].rows[0].cells[0]).color;
  return {ink: grey(ink), paper: grey(getComputedStyle(behind).backgroundColor)};
}"""

MARK_TEXTS = """() => {
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (text.nextNode()) if (text.currentNode.data.trim()) text.currentNode.parentElement.dataset.text = "";
}"""
"""Marks the elements that hold text themselves: of the others the browser knows no font."""


@pytest.fixture(scope="module")
def project(small_template, tmp_path_factory):
    root = tmp_path_factory.mktemp("browser") / "project"
    shutil.copytree(small_template, root)
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    return SmallSurvey(root)


@pytest.fixture(scope="module")
def fonts(tmp_path_factory):
    """A data folder of the browser's with the Chinese font, as `satisfaction report --pdf` gives it; the machine may have none."""
    import pylopdf_fonts_zh_cn

    folder = tmp_path_factory.mktemp("fonts")
    (folder / "fonts").mkdir()
    shutil.copy(pylopdf_fonts_zh_cn.sans_path(), folder / "fonts")
    return folder


@pytest.fixture(scope="module")
def browser(fonts):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=FLAGS,
            env=dict(os.environ) | {"XDG_DATA_HOME": str(fonts)},
        )
        yield started
        started.close()


@contextmanager
def tab(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.asked, opened.faults = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("pageerror", lambda fault: note_fault(opened, fault))
    yield opened
    context.close()


def note_fault(page, fault) -> None:
    """Keep a fault of a script with its way, unless JupyterLab alone is on it.

    While cells and notebooks come and go, it now and then takes a part of its own page away twice; no script of ours removes any.
    """
    way = re.findall(r"^\s+at .*", fault.stack or "", re.MULTILINE)
    of_jupyterlab = way and all("/static/lab/" in place for place in way)
    if not (of_jupyterlab and "removeChild" in fault.message):
        page.faults.append(f"{fault.message}\n{fault.stack}")


@pytest.fixture
def page(browser):
    with tab(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def lab(project, tmp_path_factory):
    port = server.free_port()
    command = server.server_command(project.root, port=port, browser=False)
    folders = server.private_folders(tmp_path_factory.mktemp("home"))
    server.add_door(folders, server.start_of("zh"))
    environment = os.environ | folders | {"JUPYTER_TOKEN": "tok"}
    running = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=tok", timeout=5).close()
            break
        except OSError:
            time.sleep(0.5)
    yield f"http://127.0.0.1:{port}"
    running.terminate()
    running.wait(timeout=30)


@pytest.fixture(scope="module")
def kernel(lab):
    """A kernel for notebooks one after the other, emptied between them: libraries are imported once."""
    asked = urllib.request.Request(
        f"{lab}/api/kernels?token=tok", data=b"{}", headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return {"id": json.load(answer)["id"]}


def empty(page) -> None:
    """Forget every name in the kernel of the open notebook."""
    page.evaluate(
        """async () => {
          const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
          await kernel.requestExecute({code: "%reset -f"}).done;
        }"""
    )


@pytest.fixture(scope="module")
def tab_of_lab(browser):
    with tab(browser) as opened:
        yield opened


@pytest.fixture
def desk(tab_of_lab, lab):
    """JupyterLab loaded anew: notebooks closed one after the other in one tab may end in faults of JupyterLab itself.

    Loaded in the same tab, since another one would compile its 20 MB of scripts again.
    """
    opened = tab_of_lab
    opened.asked.clear()
    opened.faults.clear()
    opened.goto(f"{lab}/lab?token=tok&reset")
    wait_until(opened, "window.jupyterapp?.commands.hasCommand('docmanager:open')")
    opened.evaluate("window.jupyterapp.restored")
    yield opened
    close_notebooks(opened)


def outside(page) -> list[str]:
    """Requests to hosts other than this machine."""
    return [
        url
        for url in page.asked
        if urlsplit(url).scheme in ("http", "https", "ws", "wss")
        and urlsplit(url).hostname != "127.0.0.1"
    ]


def keep(page, name: str) -> None:
    if folder := os.environ.get("SATISFACTION_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def wait_until(page, condition: str) -> None:
    """Ask ten times a second: asked at every frame, the page would be drawn sixty times a second meanwhile."""
    page.wait_for_function(condition, polling=100)


def close_notebooks(page) -> None:
    """Close what is open in JupyterLab, saved or not."""
    page.evaluate(
        """() => {
          for (const widget of [...window.jupyterapp.shell.widgets("main")]) {
            if (widget.context) widget.context.model.dirty = false;
            widget.dispose();
          }
        }"""
    )


def open_notebook(page, path: str, kernel: dict | None = None) -> None:
    """Open a notebook in JupyterLab, with a kernel that runs or one of its own, and close all others, saved or not."""
    close_notebooks(page)
    asked = {"path": path} | ({"kernel": kernel} if kernel else {})
    page.evaluate("asked => window.jupyterapp.commands.execute('docmanager:open', asked)", asked)
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    wait_until(
        page,
        "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
    )


def sections(content: str) -> list[str]:
    """Return the headings of a notebook's prose."""
    cells = [cell for cell in json.loads(content)["cells"] if cell["cell_type"] == "markdown"]
    prose = ["".join(cell["source"]).partition("\n")[0] for cell in cells]
    return [line.lstrip("# ") for line in prose if re.match("#+ ", line)]


def outline(page) -> list[str]:
    """Return the headings that JupyterLab's table of contents lists."""
    page.evaluate("window.jupyterapp.commands.execute('toc:show-panel')")
    page.wait_for_selector(".jp-TableOfContents .jp-tocItem-content")
    page.wait_for_timeout(1000)  # it is filled a moment after the notebook
    return page.locator(".jp-TableOfContents .jp-tocItem-content").all_inner_texts()


def run_all(page) -> list[dict]:
    """Run every cell; returns all outputs."""
    assert page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')") in (
        True,
        None,
    )
    return page.evaluate(
        "[...window.jupyterapp.shell.currentWidget.content.model.cells].flatMap(c => c.type === 'code' ? c.outputs.toJSON() : [])"
    )


@pytest.fixture(scope="module", autouse=True)
def _app_in_the_page():
    """The page hands out its application, so that a test can wait for the kernel."""
    server_command = server.server_command
    server.server_command = lambda *a, **k: [
        *server_command(*a, **k),
        "--LabApp.expose_app_in_browser=True",
    ]
    yield
    server.server_command = server_command


def change_theme(page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )


def assert_readable_in_the_dark(table) -> None:
    shades = table.evaluate(BRIGHTNESS)
    assert shades["paper"] < 0.3
    assert abs(shades["ink"] - shades["paper"]) > 0.5


def what_if_of(page):
    """The controls and tables of a notebook's what-if, scrolled into view."""
    tables = page.locator(".satisfaction-what-if")
    moved = page.locator(".jupyter-widgets.widget-vbox", has=tables)
    moved.scroll_into_view_if_needed()
    return moved


def drag_to_the_end(page, moved) -> None:
    """Drag the first slider to its right end, and let it go."""
    bar = moved.locator(".noUi-target").first.bounding_box()
    moved.locator(".noUi-handle").first.hover()
    page.mouse.down()
    page.mouse.move(bar["x"] + bar["width"] + 20, bar["y"] + bar["height"] / 2, steps=8)
    page.mouse.up()


def assert_runs_and_shows(page, headings: list[str]) -> None:
    """Every cell of the open notebook runs, tables and pictures are there, the outline is that of its prose."""
    before = outline(page)
    outputs = run_all(page)
    assert [one for one in outputs if one["output_type"] == "error"] == []
    kinds = {kind for one in outputs for kind in one.get("data", {})}
    assert "text/html" in kinds
    assert kinds & {"image/png", "image/svg+xml"}
    page.wait_for_selector(".jp-OutputArea .satisfaction-table[data-ready] table")
    pictures = page.evaluate(
        "[...document.querySelectorAll('.jp-OutputArea img')].map(i => i.naturalWidth)"
    )
    assert all(width > 0 for width in pictures)
    assert before == headings
    assert outline(page) == before


def assert_a_trial_is_shown(page, moved, mark: str) -> None:
    """A slider at its end shows a marked trial, and the button the code of it."""
    drag_to_the_end(page, moved)
    moved.get_by_text(mark).first.wait_for()
    moved.get_by_role("button").click()
    moved.locator("pre").wait_for()


@pytest.mark.parametrize("name", IN_CHINESE)
def test_a_notebook_runs_in_jupyterlab(desk, kernel, project, name):
    """In Chinese; in English the story below runs three, and test_notebooks.py all of them."""
    survey = project.folder.resolve()
    content = (project.root / "notebooks" / name).read_text(encoding="utf-8")
    shipped = Path(name)
    trial = shipped.with_name(f"try-{shipped.name}")
    copy = project.root / "notebooks" / trial
    copy.write_text(
        content.replace("surveys/guizhou-2026q3", str(survey).replace("\\", "/")),
        encoding="utf-8",
    )
    open_notebook(desk, f"notebooks/{trial.as_posix()}", kernel)
    empty(desk)
    assert_runs_and_shows(desk, sections(content))
    stem = name.removesuffix(".ipynb").replace("/", "-")
    keep(desk, stem)
    change_theme(desk, "JupyterLab Dark")
    if name == "04_indices.ipynb":
        shown = desk.locator(".jp-OutputArea .satisfaction-table")
        assert shown.count() > 3
        for at in range(shown.count()):
            assert_readable_in_the_dark(shown.nth(at).locator("table").first)
    if shipped.name in WITH_WHAT_IF:
        moved = what_if_of(desk)
        assert_a_trial_is_shown(desk, moved, "【试算")
        assert_readable_in_the_dark(moved.locator(".satisfaction-table table").last)
        keep(desk, f"{stem}-what-if-dark")
        change_theme(desk, "JupyterLab Light")
        keep(desk, f"{stem}-what-if-light")
    change_theme(desk, "JupyterLab Light")
    assert outside(desk) == []
    assert desk.faults == []


def test_a_table_of_a_notebook_is_searched_and_sorted_whole(desk, kernel, project):
    source = """import pandas as pd
from satisfaction.notebook.show import show
low = [(7 * at) % 50 / 10 for at in range(50)]
areas = [f"north {at}" for at in range(0, 50, 5)] + [f"south {at}" for at in range(40)]
high = [one + 2 for one in low]
show(pd.DataFrame({"name": areas, "estimate": low, "ci_low": low, "ci_high": high}))"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
    nbformat.write(notebook, project.root / "notebooks" / "table.ipynb")
    open_notebook(desk, "notebooks/table.ipynb", kernel)
    run_all(desk)
    table = desk.locator(".satisfaction-table[data-ready]")
    rows = table.locator("tbody tr:visible")
    assert rows.count() == 50
    table.get_by_role("searchbox").press_sequentially("nor")
    assert rows.count() == 10
    assert table.locator(".count").inner_text() == "10"
    head = table.locator("th").nth(1)
    head.click()
    first = [
        float(text) for text in table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()
    ]
    assert first == sorted(first)
    head.press("Enter")
    last = [
        float(text) for text in table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()
    ]
    assert last == first[::-1]
    assert desk.locator(".jp-Notebook-cell").count() == 1  # no key of the search was a command
    keep(desk, "table")


def test_the_form_runs_a_wave(desk, project):
    open_notebook(desk, "notebooks/00_start.ipynb")
    desk.get_by_role("button", name="检查答卷").click()  # nobody has run a cell
    desk.wait_for_selector("text=读入 120")
    desk.get_by_role("button", name="运行", exact=True).click()
    desk.wait_for_selector(".jp-OutputArea .satisfaction-table[data-ready] >> text=知晓率")
    assert (project.folder / "out" / "latest" / "report.html").is_file()
    answer = desk.locator(".jupyter-widgets.widget-output").first  # the other lists the runs
    with desk.expect_download() as workbook:
        answer.get_by_role("link", name="ranking.xlsx").click()
    assert Path(workbook.value.path()).read_bytes().startswith(b"PK")
    with desk.context.expect_page() as tab:
        answer.get_by_role("link", name="report.html").click()
    tab.value.wait_for_selector("table.sortable thead button")  # its scripts run
    tab.value.close()
    made = desk.locator("details", has_text="第 1 版")
    with desk.expect_download() as workbook:
        made.get_by_role("link", name="indices.xlsx").click()
    assert workbook.value.suggested_filename == "indices.xlsx"
    desk.get_by_role("button", name="打开笔记本").click()
    answer.get_by_role("link", name="02_weighting.ipynb").click()  # opens here, in JupyterLab
    wait_until(
        desk,
        "window.jupyterapp.shell.currentWidget?.context?.path === 'surveys/wave/out/notebooks/02_weighting.ipynb'",
    )
    assert outside(desk) == []
    assert desk.faults == []
    keep(desk, "00_start")


def test_the_form_runs_by_itself_and_leaves_no_work_to_save(desk, project):
    first = project.root / "notebooks" / "00_start.ipynb"
    before = first.read_bytes()
    open_notebook(desk, "notebooks/00_start.ipynb")
    desk.wait_for_selector("button:has-text('检查答卷')")
    wait_until(desk, "!window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert first.read_bytes() == before
    other = project.root / "notebooks" / "en" / "00_start.ipynb"
    open_notebook(desk, f"notebooks/en/{other.name}")
    desk.wait_for_timeout(2000)
    assert desk.locator("button:has-text('check responses')").count() == 0  # no other runs unasked


def test_jupyterlab_itself_is_in_chinese(desk):
    open_notebook(desk, "notebooks/00_start.ipynb")
    menus = desk.locator(".lm-MenuBar-itemLabel").all_inner_texts()
    assert menus[:3] == ["文件", "编辑", "查看"]


@pytest.fixture
def story(project):
    """A wave of its own, with the notebooks that the form writes for it."""
    folder = project.root / "surveys" / "story"
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns("out"))
    opened(folder, "en")
    yield folder
    shutil.rmtree(folder)


def set_cell(page, start: str, source: str) -> None:
    """Write a cell anew: the one that begins so."""
    page.evaluate(
        """([start, source]) => {
          const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells];
          cells.find(c => c.sharedModel.getSource().startsWith(start)).sharedModel.setSource(source);
        }""",
        [start, source],
    )


def run_new_cell(page, source: str) -> None:
    """Write a cell below all others, and run it."""
    page.evaluate(
        """async source => {
          const notebook = window.jupyterapp.shell.currentWidget.content;
          notebook.activeCellIndex = notebook.widgets.length - 1;
          await window.jupyterapp.commands.execute("notebook:insert-cell-below");
          notebook.activeCell.model.sharedModel.setSource(source);
          await window.jupyterapp.commands.execute("notebook:run-cell");
        }""",
        source,
    )


def errors(page) -> list[str]:
    return page.evaluate(
        """[...window.jupyterapp.shell.currentWidget.content.model.cells]
        .flatMap(c => c.type === "code" ? c.outputs.toJSON() : [])
        .filter(o => o.output_type === "error").map(o => o.evalue)"""
    )


def run_in_english(page, kernel: dict, story: Path, name: str, parameters: str = "") -> None:
    """Open a notebook that the form has written for the wave, and run it."""
    written = story / "out" / "notebooks" / "en" / name
    open_notebook(page, written.relative_to(story.parents[1]).as_posix(), kernel)
    empty(page)
    if parameters:
        set_cell(page, "# Parameters", parameters)
    assert_runs_and_shows(page, sections(written.read_text(encoding="utf-8")))


def test_a_statistician_moves_a_slider_adopts_and_publishes(desk, kernel, story, call):
    """From the slider to the official set, and the set says how its weighting was chosen."""
    declared = read_survey(story).declared.weighting
    run_in_english(desk, kernel, story, "02_weighting.ipynb")
    moved = what_if_of(desk)
    drag_to_the_end(desk, moved)
    moved.get_by_text("Trial: weights cut at 1.5 times the mean").wait_for()
    assert "[trial" in moved.inner_text()
    moved.get_by_role("button", name="code of this trial").click()
    code = moved.locator("pre").inner_text()
    assert 'name="trim 1.5 x mean"' in code
    keep(desk, "what-if-en")
    run_new_cell(desk, code)
    source = (
        'adopted, reason, source, by = "trim 1.5 x mean", "few hold much", "note 3", "A. Lin"\n'
    )
    run_new_cell(desk, source + "bench.adopt(adopted, reason=reason, source=source, by=by)")
    assert errors(desk) == []
    desk.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    publishing = f'survey = "{story.as_posix()}"\nout = "publish"'
    for name, parameters in {"04_indices.ipynb": "", "05_ranking.ipynb": publishing}.items():
        run_in_english(desk, kernel, story, name, parameters)
        assert_a_trial_is_shown(desk, what_if_of(desk), "[trial")
    folder = story / "out" / "latest"
    assert_tells_how_it_was_chosen(folder, declared)
    code, output, _errors = call("verify", folder)
    assert code == 0
    assert "identical" in output
    assert outside(desk) == []
    assert desk.faults == []


# ---- pages ----


@pytest.fixture(scope="module")
def pages(small_template, tmp_path_factory):
    """The pages of a file set and of a report folder; one wave that declares much, and one without a probability sample."""
    results = run(read_survey(small_template / "surveys" / "wave"))
    root = tmp_path_factory.mktemp("pages")
    export(results, root / "set")
    write_report(results, folder=root / "report")
    return sorted(root.rglob("*.html"))


def in_view(pages, names):
    """The pages of each kind: one is as good as the others of its kind."""
    kinds = {}
    for path in pages:
        kind = (
            path.parent.name,
            path.name if not path.stem.isdigit() else path.stem.endswith("00"),
        )
        kinds.setdefault(kind, path)
    return [path for path in kinds.values() if not names or path.name in names]


def test_pages_fit_a_phone_and_a_desk(page, pages):
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for path in pages:
            page.goto(path.as_uri())
            overflow = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, (path.name, width, overflow)
            if path.stem in ("report", "index", "990101"):
                keep(page, f"{path.parent.name}-{path.stem}-{width}")
    assert outside(page) == []
    assert page.faults == []


def test_the_language_chosen_is_remembered_and_nobody_is_held_in_it(page, pages):
    report = next(path for path in pages if path.name == "report.html")
    page.goto(report.as_uri())
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**/report-en.html")
    later = page.context.new_page()
    later.goto(report.as_uri(), wait_until="commit")
    later.wait_for_url("**/report-en.html")
    later.goto(report.as_uri(), wait_until="load")  # once followed, whoever comes back stays
    assert later.url.endswith("/report.html")
    later.goto(report.with_name("report-en.html").as_uri())
    later.get_by_role("link", name="中文").click()
    later.wait_for_url("**/report.html")
    later.close()


def test_every_chinese_glyph_is_there(page, pages):
    client = page.context.new_cdp_session(page)
    client.send("DOM.enable")
    client.send("CSS.enable")
    for path in in_view(pages, ()):
        page.goto(path.as_uri())
        page.evaluate(MARK_TEXTS)
        document = client.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        body = client.send("DOM.querySelector", {"nodeId": document, "selector": "body"})["nodeId"]
        used = {}
        for node in client.send(
            "DOM.querySelectorAll", {"nodeId": body, "selector": "[data-text]"}
        )["nodeIds"]:
            for font in client.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]:
                used[font["familyName"]] = used.get(font["familyName"], 0) + font["glyphCount"]
        assert used.get(HAN, 0) > 0, (path.name, used)
        assert not {name for name in used if "Last Resort" in name or "Tofu" in name}
    missing = page.evaluate(
        """() => { const box = document.createElement('canvas').getContext('2d'); box.font = '20px sans-serif';
        const size = box.measureText('\\u{10FFFD}').width, text = [...new Set(document.body.innerText)].filter(c => c > '\\u2000');
        const draw = c => { const one = document.createElement('canvas'); one.width = one.height = 24; const x = one.getContext('2d');
          x.font = '20px "Noto Sans SC", sans-serif'; x.fillText(c, 0, 20); return one.toDataURL(); };
        const hollow = draw('\\u{10FFFD}'); return size >= 0 ? text.filter(c => c.trim() && draw(c) === hollow) : []; }"""
    )
    assert missing == []


def test_tables_sort_by_their_headings(page, pages):
    for path in in_view(pages, ("index.html", "report.html", "report-en.html")):
        page.goto(path.as_uri())
        table = page.locator("table.sortable").first
        head = table.locator("thead th.number").first
        place = head.evaluate("cell => cell.cellIndex")
        read = f"rows => rows.map(row => parseFloat(row.cells[{place}].textContent.replace(/[^0-9.\\-]/g, ' ').trim()))"
        head.locator("button").click()
        up = table.locator("tbody tr").evaluate_all(read)
        assert head.get_attribute("aria-sort") == "ascending"
        head.locator("button").press("Enter")
        down = table.locator("tbody tr").evaluate_all(read)
        assert head.get_attribute("aria-sort") == "descending"
        known = [value for value in up if value == value]
        assert known == sorted(known)
        assert [value for value in down if value == value] == sorted(known, reverse=True)


def test_pages_have_no_serious_accessibility_fault(page, pages):
    from axe_playwright_python.sync_playwright import Axe

    for path in in_view(pages, ()):
        page.goto(path.as_uri())
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in SERIOUS
        ]
        assert serious == [], path.name


@pytest.mark.skipif(not shutil.which("pdftotext") and not REQUIRED, reason=NEEDS_PDFTOTEXT)
def test_a_long_table_keeps_its_headings_on_every_printed_page(pages, tmp_path):
    report = next(path for path in pages if path.name == "report-en.html").read_text(
        encoding="utf-8"
    )
    start = report.index("<tbody>", report.index('id="ranking"'))
    rows = report[start + len("<tbody>") : report.index("</tbody>", start)]
    long = tmp_path / "long.html"
    long.write_text(report.replace(rows, rows * 40), encoding="utf-8")
    pdf.print_pages(pdf.find_browser(), [long])
    size = subprocess.run(
        ["pdfinfo", long.with_suffix(".pdf")], capture_output=True, text=True, check=True
    ).stdout
    text = subprocess.run(
        ["pdftotext", "-layout", long.with_suffix(".pdf"), "-"], capture_output=True, check=True
    ).stdout
    printed = text.decode("utf-8").split("\f")[:-1]
    full = [sheet for sheet in printed if sheet.count("9901") > 12]
    assert "(A4)" in size
    assert len(full) > 3
    assert all("simultaneous" in sheet and "reliability" in sheet for sheet in full)
    assert all(
        f"{number} / {len(printed)}" in sheet for number, sheet in enumerate(printed, start=1)
    )
