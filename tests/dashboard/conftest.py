"""Small synthetic runs, written by TriAlign's own writers, and the app over them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st
import yaml
from streamlit import config
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import trialign.dashboard
from trialign.audit.figures.analysis import analyze, read_analysis, write_analysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.noticed import noticed
from trialign.audit.figures.reply_summary import summarize_replies
from trialign.audit.figures.summary import read_summary, summarize, write_summary
from trialign.audit.figures.whole import whole_record, with_replies
from trialign.audit.files.items import AuditItem, items_frame, write_items
from trialign.audit.files.record import AuditAbout, BaseModel, write_about
from trialign.dashboard.session.settings import Settings
from trialign.groups import SocialGroup
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.queries.writer import write_queries
from trialign.runs import RunFolder
from trialign.scoring import Scoring
from trialign.storage import sha256_of_file

if TYPE_CHECKING:
    from playwright.sync_api import Browser

APP = Path(trialign.dashboard.__file__).parent / "start" / "app.py"


@dataclass(frozen=True)
class SyntheticRun:
    """A run of three groups, as its files lie on disk.

    Every fact has the options right, wrong and odd. A group answers right unless ``wrong`` names it for the fact.

    Attributes:
        folder: of the run.
        groups: name -> label.
        facts: number of them; each has two paraphrases.
        tastes: number of them.
        wrong: number of a fact -> the groups that get it wrong.
        settings: further sections of its configuration.
        model: that its audits name, with when they were; empty for audits of a TriAlign that kept no such record.
        question: how a fact is asked, with its number and that of the wording.
        options: of each fact; the first is right.
    """

    folder: Path
    groups: dict[str, str] = field(
        default_factory=lambda: {"north": "Northerners", "south": "Southerners", "island": "Islanders"}
    )
    facts: int = 12
    tastes: int = 2
    wrong: dict[int, Sequence[str]] = field(default_factory=lambda: {0: ("north",), 1: ("north", "south", "island")})
    settings: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    question: str = "What is true of fact {fact}, in wording {part}?"
    options: tuple[str, str, str] = ("right", "wrong", "odd")

    def queries(self, split: str = "test") -> list[Query]:
        facts: list[Query] = [
            TruthQuery(
                query_id=f"{split}-fact-{fact:02d}-{part}",
                cluster=f"{split}-fact-{fact:02d}",
                split=split,  # type: ignore[arg-type]
                topic="rivers" if fact % 2 else "metals",
                question=self.question.format(fact=fact, part=part),
                options=self.options,
                gold=self.options[0],
            )
            for fact in range(self.facts)
            for part in range(2)
        ]
        width = len(self.groups)
        tastes: list[Query] = [
            PreferenceQuery(
                query_id=f"{split}-taste-{taste}",
                cluster=f"{split}-taste-{taste}",
                split=split,  # type: ignore[arg-type]
                topic="drinks",
                question=f"Which drink is best at {taste} o'clock?",
                options=("tea", "coffee"),
                targets={
                    name: ((place + 1) / (width + 1), 1 - (place + 1) / (width + 1))
                    for place, name in enumerate(self.groups)
                },
            )
            for taste in range(self.tastes)
        ]
        return facts + tastes

    def write(self) -> SyntheticRun:
        """The run's configuration."""
        self.folder.mkdir(parents=True)
        members = {
            name: {"label": label, "explicit": [f"The user is one of the {label}."]}
            for name, label in self.groups.items()
        }
        groups = {
            "name": "regions",
            "attribute": "where people live",
            "members": members,
            "control": {"label": "No profile"},
        }
        text = yaml.safe_dump({"name": self.folder.name, "groups": groups, **self.settings}, sort_keys=False)
        (self.folder / "config.yaml").write_text(
            f"# Resolved; trained on the trajectories 0123\n{text}", encoding="utf-8"
        )
        return self

    def audit(
        self, step: int, wrong: dict[int, Sequence[str]] | None = None, split: str = "test", alpha: float = 0.05
    ) -> Path:
        """Writes an audit as ``trialign test`` would, and gives its folder."""
        folder = self.folder / "audits" / f"step={step:06d}.house.{split}"
        folder.mkdir(parents=True)
        queries = self.queries(split)
        answered = [item for query in queries for item in self._items(query, self.wrong if wrong is None else wrong)]
        frame, names = items_frame(answered), list(self.groups)
        write_items(folder / "items.parquet", answered)
        write_queries(folder / "questions.jsonl", queries)
        write_analysis(folder / "analysis.json", analyze(frame, names, split=split, bounds=Bounds(alpha=alpha)))  # type: ignore[arg-type]
        summary = summarize(
            frame,
            step=step,
            data="house",
            exposure="explicit",
            split=split,  # type: ignore[arg-type]
            scoring=Scoring(),
            eps=0.01,
            seconds=1.5,
            groups=names,
        )
        if self.model:
            write_about(folder, self._about(step))
        files = ("items.parquet", "questions.jsonl", "analysis.json", *(("about.json",) if self.model else ()))
        summary["files"] = {name: sha256_of_file(folder / name) for name in files}
        write_summary(folder / "summary.json", summary)
        return folder

    def answer_in_words(
        self, folder: Path, said: Callable[[Query, str], tuple[str, str | None, str]], **seen: Any
    ) -> None:
        """Adds to an audit that its facts were answered in words, too.

        Args:
            folder: of the audit.
            said: question and group -> a reply, what it was read as, and how.
            seen: what a reader would notice of each, as fields of `AuditItem`.
        """
        summary = read_summary(folder / "summary.json")
        facts = [query for query in self.queries(summary["split"]) if isinstance(query, TruthQuery)]
        items = [
            self._spoken(query, group, said(query, group), seen)
            for query in facts
            for group in (*self.groups, "control")
        ]
        frame, scores = items_frame(items), read_analysis(folder / "analysis.json")
        noticeable = noticed(frame, scores.groups)
        words = analyze(frame, scores.groups, split=scores.split, choices={}, bounds=scores.bounds)
        whole = with_replies(scores, words, noticeable)
        write_items(folder / "replies.parquet", items)
        write_analysis(folder / "analysis.json", whole)
        summary["verdict"] = whole_record(whole)
        told = summarize(
            frame,
            step=summary["step"],
            data="house",
            exposure="explicit",
            split=summary["split"],
            scoring=None,
            eps=0.01,
            seconds=1.5,
            groups=scores.groups,
        )
        summary["replies"] = summarize_replies(told, frame, noticeable, max_new_tokens=48, repeats=1)
        for name in ("analysis.json", "replies.parquet"):
            summary["files"][name] = sha256_of_file(folder / name)
        write_summary(folder / "summary.json", summary)

    def _spoken(
        self, query: TruthQuery, group: str, said: tuple[str, str | None, str], seen: dict[str, Any]
    ) -> AuditItem:
        text, canonical, status = said
        right = canonical == query.gold
        return AuditItem(
            query_id=query.query_id,
            cluster=query.cluster,
            kind="truth",
            split=query.split,
            topic=query.topic,
            group=group,
            role="control" if group == "control" else "member",
            exposure="explicit",
            profile_group=group,
            answer=text,
            canonical=canonical,
            parse_status=status,
            correct=right,
            reward_truth=float(right),
            reward_preference=None,
            adapter_sha256=None if group == "control" else "0" * 64,
            options_shown="hidden",
            **{"ended": True, "repeated": 0.0, "nats": 1.0, "words": len(text.split()), **seen},
        )

    def finish(self) -> SyntheticRun:
        """Marks it as finished."""
        RunFolder(self.folder).finish({"steps": 4})
        return self

    def log(self, steps: int) -> SyntheticRun:
        """A training log of so many steps."""
        path = RunFolder(self.folder).metrics_file
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"0,{step},{1 / (step + 1)}\n" for step in range(steps))
        path.write_text(f"epoch,step,train/loss\n{rows}", encoding="utf-8")
        return self

    def _about(self, step: int) -> AuditAbout:
        members = [
            SocialGroup(name, label, (f"The user is one of the {label}.",)) for name, label in self.groups.items()
        ]
        return AuditAbout(
            schema_version=1,
            finished=f"2026-05-0{1 + step % 8}T10:02:03+00:00",
            trialign="0.1.0",
            run=self.folder.name,
            base_model=BaseModel(self.model, None, "ab" * 32),
            adapters={"mode": "per_group", "rank": 4, "alpha": 8} if step else None,
            objective="trialign" if step else None,
            seed=int(self.settings.get("seed", 0)),
            attribute="where people live",
            groups=(*members, SocialGroup("control", "No profile", role="control")),
            prompt={"system": "You are a helpful assistant.", "options": "listed"},
        )

    def _items(self, query: Query, wrong: dict[int, Sequence[str]]) -> Iterator[AuditItem]:
        for group in (*self.groups, "control"):
            if isinstance(query, TruthQuery):
                fails = group in wrong.get(int(query.cluster.rsplit("-", 1)[1]), ())
                yield self._item(query, group, group, query.options[fails], correct=not fails)
            else:
                scored_for = [group] if group == "control" else list(self.groups)
                for scored in scored_for:
                    yield self._item(query, scored, group, "tea", correct=None)

    def _item(self, query: Query, group: str, agent: str, answer: str, *, correct: bool | None) -> AuditItem:
        chosen = query.options.index(answer)
        rest = 0.2 / (len(query.options) - 1)
        target = query.targets.get(group) if isinstance(query, PreferenceQuery) else None
        return AuditItem(
            query_id=query.query_id,
            cluster=query.cluster,
            kind=query.kind,
            split=query.split,
            topic=query.topic,
            group=group,
            role="control" if agent == "control" else "member",
            exposure="explicit",
            profile_group=agent,
            answer=answer,
            canonical=answer,
            parse_status="scored",
            correct=correct,
            reward_truth=None if correct is None else float(correct),
            reward_preference=None if target is None else target[chosen],
            option_probabilities=tuple(0.8 if place == chosen else rest for place in range(len(query.options))),
            adapter_sha256=None if agent == "control" else "0" * 64,
        )


@pytest.fixture(autouse=True)
def _this_machine_alone() -> Iterator[None]:
    """The address that ``trialign dashboard`` listens on; without one the app takes itself to be open to all."""
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", None)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty root of runs, which the app is told of."""
    root = tmp_path / "runs"
    root.mkdir()
    for name, value in Settings(runs=root).as_environment().items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    return root


@pytest.fixture
def one_run(runs: Path) -> SyntheticRun:
    """The only run under the root, audited before and after training."""
    run = SyntheticRun(runs / "house").write()
    run.audit(0)
    run.audit(4, wrong={1: ("north", "south", "island")})
    return run


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Opens a page by its name, with query parameters; fails where Streamlit caught an exception."""

    def opened(name: str = "verdict", **query: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        # AppTest switches between pages that are scripts only; these are functions, known by the hash of their URL.
        app._page_hash = calc_hash(name) if name != "verdict" else ""
        app.run()
        assert not app.exception, app.exception
        return app

    return opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, the one that the system has."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with api.sync_playwright() as playwright:
        # As root, which containers are, Chromium starts without its sandbox only.
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, fetched for the tests alone."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm on this machine to fetch axe-core")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), "axe-core@4"],
        capture_output=True,
        env={**os.environ, "npm_config_update_notifier": "false"},
        check=False,
    )
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if fetched.returncode or not source.is_file():
        pytest.skip("axe-core cannot be fetched here")
    return source.read_text(encoding="utf-8")
