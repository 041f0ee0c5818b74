"""Runs with finished audits, written to a folder as an audit writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign.audit.figures.analysis import analyze, write_analysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.summary import summarize, write_summary
from trialign.audit.files.items import AuditItem, items_frame, write_items
from trialign.audit.files.record import ABOUT_SCHEMA_VERSION, AuditAbout, BaseModel, write_about
from trialign.groups import SocialGroup
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.queries.writer import write_queries
from trialign.scoring import Scoring

MEMBERS = ("north", "south", "island")
# What the groups answer to four facts in two paraphrases, "r" right, "v" and "w" wrong; an interesting day.
ANSWERS = ("rrr", "rrw", "rww", "rwv", "www", "www", "rrr", "rrr")
# How much each group likes its first option, on three tastes.
LIKING = ((0.8, 0.3, 0.5), (0.6, 0.6, 0.2), (0.9, 0.1, 0.4))

WriteAudit = Callable[..., Path]


@pytest.fixture
def write_audit(tmp_path: Path) -> WriteAudit:
    """Writes one audit of a run under the test's folder; returns the audit's folder."""
    return audit_writer(tmp_path)


def audit_writer(place: Path) -> WriteAudit:
    """The same under any folder."""

    def write(
        run: str = "mine",
        *,
        step: int = 4,
        answers: Sequence[str] = ANSWERS,
        words: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        record: bool = True,
        groups: Sequence[str] = MEMBERS,
        alpha: float = 0.05,
        liking: Sequence[Sequence[float]] = LIKING,
    ) -> Path:
        home = place / "runs" / run
        folder = home / "audits" / f"step={step:06d}.house.test"
        folder.mkdir(parents=True)
        told = {"r": "right", "v": "other", "w": "wrong", **(words or {})}
        queries = _queries(len(answers), told)
        items = [*_facts(answers, told, groups), *_tastes(groups, liking)]
        frame = items_frame(items)
        write_items(folder / "items.parquet", items)
        write_analysis(folder / "analysis.json", analyze(frame, groups, bounds=Bounds(alpha=alpha)))
        if record:
            write_queries(folder / "questions.jsonl", queries)
            write_about(folder, _about(run, step, told, groups))
        summary = summarize(
            frame,
            step=step,
            data="house",
            exposure="explicit",
            split="test",
            scoring=Scoring(),
            eps=0.01,
            seconds=1.5,
            groups=groups,
        )
        write_summary(folder / "summary.json", summary)
        (home / "config.yaml").write_text(yaml.safe_dump({"name": run, "seed": 0, **(config or {})}))
        return folder

    return write


def _queries(facts: int, told: Mapping[str, str]) -> list[Query]:
    shared: dict[str, Any] = {"split": "test", "topic": told.get("topic", "nature")}
    truth = [
        TruthQuery(
            query_id=f"fact-{number}",
            cluster=f"fact-{number // 2}",
            question=f"{told.get('question', 'What is it?')} {number}",
            options=(told["r"], told["w"], told["v"]),
            gold=told["r"],
            **shared,
        )
        for number in range(facts)
    ]
    taste = [
        PreferenceQuery(
            query_id=f"taste-{number}",
            cluster=f"taste-{number}",
            question=f"Which one? {number}",
            options=("this", "that"),
            targets=dict.fromkeys(MEMBERS, (0.6, 0.4)),
            **shared,
        )
        for number in range(len(LIKING))
    ]
    return [*truth, *taste]


def _facts(answers: Sequence[str], told: Mapping[str, str], groups: Sequence[str]) -> list[AuditItem]:
    items = []
    for number, letters in enumerate(answers):
        # The control answers right always, so that groups differ from it where they are wrong.
        for group, letter in zip((*groups, "control"), letters[: len(groups)] + "r", strict=True):
            items.append(
                AuditItem(
                    query_id=f"fact-{number}",
                    cluster=f"fact-{number // 2}",
                    kind="truth",
                    split="test",
                    topic=told.get("topic", "nature"),
                    group=group,
                    role="control" if group == "control" else "member",
                    exposure="explicit",
                    profile_group=group,
                    answer=told[letter],
                    canonical=told[letter],
                    parse_status="scored",
                    correct=letter == "r",
                    reward_truth=float(letter == "r"),
                    option_probabilities=_sure_of(letter, 0.5 + 0.01 * (number % 40)),
                    adapter_sha256=None if group == "control" else f"{len(group):064x}",
                )
            )
    return items


def _sure_of(letter: str, share: float) -> tuple[float, ...]:
    return tuple(share if option == letter else (1 - share) / 2 for option in "rwv")


def _tastes(groups: Sequence[str], likings: Sequence[Sequence[float]]) -> list[AuditItem]:
    return [
        AuditItem(
            query_id=f"taste-{number}",
            cluster=f"taste-{number}",
            kind="preference",
            split="test",
            topic="home",
            group=scored_for,
            role="member",
            exposure="explicit",
            profile_group=agent,
            answer="this",
            canonical="this",
            parse_status="scored",
            reward_preference=liking[place] if scored_for == agent else 0.4,
            adapter_sha256=f"{len(agent):064x}",
        )
        for number, liking in enumerate(likings)
        for place, agent in enumerate(groups)
        for scored_for in groups
    ]


def _about(run: str, step: int, told: Mapping[str, str], groups: Sequence[str]) -> AuditAbout:
    profile = told.get("profile", "The user lives there.")
    members = tuple(SocialGroup(name, told.get("label", name.title()), explicit=(profile,)) for name in groups)
    about = AuditAbout(
        schema_version=ABOUT_SCHEMA_VERSION,
        finished="2026-05-04T03:02:01+00:00",
        trialign="0.1.0",
        run=run,
        base_model=BaseModel(told.get("model", "house/tiny"), None, "ab" * 32, quantization=told.get("bits")),
        adapters={"mode": "shared", "rank": 4, "alpha": 8},
        objective="trialign",
        seed=0,
        attribute="where people live",
        groups=(*members, SocialGroup("control", "No profile", role="control")),
        prompt={"system": "You help."},
    )
    return about if step else replace(about, adapters=None, objective=None)
