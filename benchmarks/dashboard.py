"""How long the dashboard's pages take to open over a large audit, in a real browser.

Writes a synthetic run of 10,000 questions (5,000 facts in two wordings) to 8 groups, twice audited, starts
``trialign dashboard`` over it and opens every page in headless Chromium: once with nothing read yet, then again in new
sessions; the last row is a run of 20 questions. Prints seconds from the request until the page is drawn and the server
is done with it, and beside them the processor time of the server and of the browser, which other work on the machine
does not change.

    python benchmarks/dashboard.py
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Browser, sync_playwright

from trialign.audit.figures.analysis import analyze, write_analysis
from trialign.audit.figures.summary import summarize, write_summary
from trialign.audit.files.items import AuditItem, items_frame, write_items
from trialign.queries import TruthQuery
from trialign.queries.writer import write_queries
from trialign.runs import ANALYSIS, ITEMS, QUESTIONS, SUMMARY, RunFolder
from trialign.scoring import Scoring
from trialign.storage import sha256_of_file

GROUPS = tuple(f"group{number}" for number in range(8))
FILES = (ITEMS, QUESTIONS, ANALYSIS)
OPTIONS = ("first answer", "second answer", "third answer", "fourth answer")
PAGES = {
    "verdict": "?run=large",
    "items": "items?run=large",
    "items, one pair": "items?run=large&first=group0&second=group5",
    "groups": "groups?run=large",
    "training": "training?run=large",
    # What the browser and Streamlit take of it, whatever is shown.
    "verdict, 20 questions": "?run=small",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--port", type=int, default=8597)
    parser.add_argument("--repeats", type=int, default=5, help="times each page is opened after the first")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        for step, accuracy in ((0, 0.55), (100, 0.65)):
            for run, questions in (("large", arguments.questions), ("small", 20)):
                write_audit(RunFolder(root / run).audit(step, "large", "test"), step, accuracy, questions)
        with served(root, arguments.port) as (address, server), sync_playwright() as playwright:
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            print(f"{arguments.questions:,} questions, {len(GROUPS)} groups; seconds")
            print("| page | first, s | again, median | slowest | server CPU s | browser CPU s |")
            print("|---|---|---|---|---|---|")
            for name, path in PAGES.items():
                first, *again = [opened(browser, f"{address}/{path}", server) for _ in range(1 + arguments.repeats)]
                wall, of_server, of_browser = zip(*again, strict=True)
                medians = [f"{np.median(values):.2f}" for values in (wall, of_server, of_browser)]
                print(
                    f"| {name} | {first[0]:.2f} | {medians[0]} | {max(wall):.2f} | {' | '.join(medians[1:])} |",
                    flush=True,
                )
            browser.close()


def opened(browser: Browser, url: str, server: psutil.Process) -> tuple[float, float, float]:
    """Seconds from the request to the whole page, in a session of its own; processor time of server and browser."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    begin, before = time.perf_counter(), (processor([server]), browsers(server))
    page.goto(url)
    page.wait_for_selector("h1.ta-title", timeout=120_000)
    page.wait_for_selector('[data-test-script-state="notRunning"]', state="attached", timeout=120_000)
    taken = time.perf_counter() - begin
    used = processor([server]) - before[0], browsers(server) - before[1]
    context.close()
    return taken, *used


def browsers(server: psutil.Process) -> float:
    """Processor seconds of all processes that this one began, but for the server."""
    return processor([one for one in psutil.Process().children(recursive=True) if one.pid != server.pid])


def processor(processes: Iterable[psutil.Process]) -> float:
    """Processor seconds of some processes so far."""
    seconds = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


@contextmanager
def served(root: Path, port: int) -> Iterator[tuple[str, psutil.Process]]:
    """The app over a folder of runs, and its process."""
    command = [sys.executable, "-m", "trialign.cli", "dashboard", str(root), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            while True:
                try:
                    urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        raise SystemExit("The server has stopped.") from None
                    time.sleep(0.2)
            yield address, psutil.Process(server.pid)
        finally:
            server.terminate()


def write_audit(folder: Path, step: int, accuracy: float, questions: int) -> None:
    """An audit whose groups share most of their answers."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(step)
    common = generator.random((questions, 1)) < 0.8
    drawn = np.where(common, generator.random((questions, 1)), generator.random((questions, len(GROUPS))))
    chosen = np.where(drawn < accuracy, 0, 1 + (4 * drawn).astype(int) % 3)
    queries = [
        TruthQuery(
            query_id=f"question-{number:05d}",
            cluster=f"fact-{number // 2:05d}",
            split="test",
            topic=f"topic {number // 2 % 40}",
            question=f"Which of these is true of subject number {number // 2}, asked in wording {number % 2}?",
            options=OPTIONS,
            gold=OPTIONS[0],
        )
        for number in range(questions)
    ]
    items = [
        item(query, group, int(chosen[row, column]))
        for row, query in enumerate(queries)
        for column, group in enumerate(GROUPS)
    ]
    frame = items_frame(items)
    write_items(folder / ITEMS, items)
    write_queries(folder / QUESTIONS, queries)
    write_analysis(folder / ANALYSIS, analyze(frame, GROUPS))
    summary = summarize(
        frame,
        step=step,
        data="large",
        exposure="explicit",
        split="test",
        scoring=Scoring(),
        eps=0.01,
        seconds=0.0,
        groups=GROUPS,
    )
    summary["files"] = {name: sha256_of_file(folder / name) for name in FILES}
    write_summary(folder / SUMMARY, summary)


def item(query: TruthQuery, group: str, option: int) -> AuditItem:
    """One group's answer."""
    return AuditItem(
        query_id=query.query_id,
        cluster=query.cluster,
        kind="truth",
        split="test",
        topic=query.topic,
        group=group,
        role="member",
        exposure="explicit",
        profile_group=group,
        answer=OPTIONS[option],
        canonical=OPTIONS[option],
        parse_status="scored",
        correct=option == 0,
        reward_truth=float(option == 0),
        option_probabilities=tuple(0.7 if place == option else 0.1 for place in range(len(OPTIONS))),
    )


if __name__ == "__main__":
    main()
