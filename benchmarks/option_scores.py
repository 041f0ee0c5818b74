"""What a base model shows of its knowledge by each way of counting options, before any training.

For each question set, each form of the prompt (`prompt.options`) and each `scoring.kind`: accuracy beside what guessing
gives, how often a shortest option is taken and, of the groups, how often two of them answer differently. Validation
questions alone. A set beside the embedded one is a configuration of `conf/data` and the folder with its files. One pass
of the model scores all kinds at once; on the first questions of each set they are held against what an audit would say.

    python benchmarks/option_scores.py --who control --set embedded --set arc_easy_files=FOLDER --set mmlu_files=FOLDER
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from side_by_side import setting

from trialign.api.session import Session
from trialign.asking import LocalAgents
from trialign.audit.figures.estimates import mean_estimates, share_estimates
from trialign.audit.figures.lengths import option_lengths
from trialign.composition import compose
from trialign.config import load
from trialign.environment import (
    Conversation,
    PromptConfig,
    first_turn,
    letters,
    option_sizes,
    stable_seed,
    without_question,
)
from trialign.groups import SocialGroup
from trialign.policy import ROOT, Segment, TreeRow
from trialign.policy.scoring import score_rows
from trialign.queries import TruthQuery
from trialign.queries.reading.labels import Shown
from trialign.scoring import Scoring, ScoringKind, likeliest, option_values
from trialign.weighing import Asked

PROMPTS: tuple[Shown, ...] = ("hidden", "listed", "lettered")
CONTROL = SocialGroup("control", "No profile", role="control")
CHECKED = 3  # questions of each set and prompt that are asked as an audit asks them, too


def kinds_of(prompt: Shown) -> tuple[ScoringKind, ...]:
    """The ways of counting that a prompt allows."""
    usual: tuple[ScoringKind, ...] = ("sum", "mean", "bytes", "pmi")
    return (*usual, "letter") if prompt == "lettered" else usual


def session_of(config: str, data: str, folder: str, overrides: Sequence[str]) -> Session:
    """A configuration with a question set; of a set with several files, those of the validation split alone."""
    chosen = [] if data == "embedded" else [f"data={data}", f"data.folder={folder}"]
    composed = compose(config, [*chosen, *overrides])
    files = composed["data"]["files"]
    composed["data"]["files"] = [one for one in files if isinstance(one, str) or one.get("split") == "validation"]
    return Session(load(composed), composed)


def facts_of(session: Session, most: int) -> list[TruthQuery]:
    """At most so many validation facts with options, drawn by the hash of their names."""
    facts = [query for query in session.split("validation") if isinstance(query, TruthQuery) and query.options]
    return sorted(facts, key=lambda query: stable_seed(query.query_id))[:most]


def row_of(session: Session, asked: Asked, told: Conversation, prompt: Shown) -> TreeRow:
    """A prompt, and behind it every option's text, what ends it, and its letter where the prompt has letters."""
    segments = [Segment(session.renderer.render(told), ROOT)]
    for option in asked.query.options:
        text, whole = session.renderer.encode(option), session.renderer.reply(option)
        assert whole[: len(text)] == text
        segments.append(Segment(text, 0, action=True))
        segments.append(Segment(whole[len(text) :], len(segments) - 1, action=True))
    if prompt == "lettered":
        segments += [Segment(session.renderer.encode(letter), 0, action=True) for letter in letters(asked.query)]
    return TreeRow(session.policy.adapter_index(asked.group.name), tuple(segments))


def values_of(session: Session, asked: Sequence[Asked], prompt: Shown) -> dict[ScoringKind, list[tuple[float, ...]]]:
    """Kind -> what the options of each question count by."""
    rows = [row_of(session, one, one.conversation, prompt) for one in asked]
    bare = [row_of(session, one, without_question(one.conversation, one.query), prompt) for one in asked]
    found = score_rows(session.policy, [*rows, *bare], reference=True, batch_tokens=session.config.audit.batch_tokens)
    values: dict[ScoringKind, list[tuple[float, ...]]] = {kind: [] for kind in kinds_of(prompt)}
    for one, with_it, without in zip(asked, found, found[len(asked) :], strict=False):
        options = one.query.options
        (texts, wholes), (_, unasked) = (split(scores, len(options)) for scores in (with_it, without))
        replies = [session.renderer.reply(option) for option in options]
        sizes = {kind: option_sizes(one.query, Scoring(kind), replies) for kind in values}
        values["sum"].append(option_values(wholes, sizes["sum"]))
        values["mean"].append(option_values(wholes, sizes["mean"]))
        values["bytes"].append(option_values(texts, sizes["bytes"]))
        values["pmi"].append(option_values(wholes, sizes["pmi"], unasked))
        if prompt == "lettered":
            values["letter"].append(with_it[2 * len(options) :])
    return values


def split(scores: Sequence[float], options: int) -> tuple[list[float], list[float]]:
    """Sums over each option's text, and over the text with what ends it."""
    texts, ends = scores[0 : 2 * options : 2], scores[1 : 2 * options : 2]
    return list(texts), [text + end for text, end in zip(texts, ends, strict=True)]


def check(session: Session, asked: Sequence[Asked], prompt: Shown) -> None:
    """Holds the values against those that an audit is made of."""
    found = values_of(session, asked, prompt)
    for kind in kinds_of(prompt):
        agents = LocalAgents(session.policy, session.renderer, Scoring(kind), 8, 4096, reference=True)
        audited = agents.weigh(asked, agents.observe(asked))
        for mine, theirs in zip(found[kind], audited, strict=True):
            assert all(math.isclose(a, b, abs_tol=5e-3) for a, b in zip(mine, theirs.values, strict=True)), (
                kind,
                prompt,
            )


def measured(
    session: Session, facts: Sequence[TruthQuery], prompt: Shown, who: Sequence[SocialGroup]
) -> Iterator[list[str]]:
    """A row for each kind."""
    config: PromptConfig = replace(session.config.prompt, options=prompt)
    asked = [
        Asked(query, group, "explicit", 0, 0, first_turn(query, group, "explicit", 0, config), prompt)
        for query in facts
        for group in who
    ]
    check(session, asked[: CHECKED * len(who)], prompt)
    lengths = option_lengths(facts)
    chance = np.array([1 / len(query.options) for query in facts])
    clusters = np.unique([query.cluster for query in facts], return_inverse=True)[1]
    pairs = [(a, b) for a in range(len(who)) for b in range(a)]
    for kind, values in values_of(session, asked, prompt).items():
        picked = np.array([likeliest(one) for one in values]).reshape(len(facts), len(who))
        right = np.array([own == fact.gold_index for fact, own in zip(facts, picked, strict=True)]).mean(axis=1)
        short = [
            np.mean([fact.options[place] in lengths[fact.query_id].shortest for place in own])
            for fact, own in zip(facts, picked, strict=True)
        ]
        flips = f"{np.mean([[own[a] != own[b] for a, b in pairs] for own in picked]):.3f}" if pairs else "-"
        (above,) = mean_estimates((right - chance)[:, None], clusters, 0.95, 0)
        (shortest,) = share_estimates(np.array(short)[:, None], clusters, 0.95, 0)
        yield [
            prompt,
            kind,
            f"{right.mean():.3f}",
            f"{above.value:+.3f} [{above.low:+.3f}, {above.high:+.3f}]",
            f"{shortest.value:.3f} [{shortest.low:.3f}, {shortest.high:.3f}]",
            flips,
        ]


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="DATA=FOLDER", dest="sets")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--who", choices=["members", "control"], default="members", help="control: nobody's profile")
    parser.add_argument("--prompts", nargs="+", default=PROMPTS, choices=PROMPTS)
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    print(setting(), flush=True)
    model: Any = None
    for data, _, folder in (one.partition("=") for one in arguments.sets or ["embedded"]):
        session = session_of(arguments.config, data, folder, arguments.overrides)
        model = model or session.policy.eval()
        session.__dict__["policy"] = model  # one model for all sets
        facts = facts_of(session, arguments.questions)
        who = session.groups.members if arguments.who == "members" else [CONTROL]
        lengths = option_lengths(facts).values()
        beside = {
            "guessing": np.mean([1 / one.options for one in lengths]),
            "always a shortest option": np.mean([one.always_shortest for one in lengths]),
            "always a longest": np.mean([one.always_longest for one in lengths]),
            "a shortest option is taken by guessing": np.mean([len(one.shortest) / one.options for one in lengths]),
        }
        print(
            f"\n## {session.config.data.name}, validation: {len(facts)} questions of "
            f"{len({fact.cluster for fact in facts})} facts, {arguments.who}\n",
            flush=True,
        )
        print("; ".join(f"{name} {value:.3f}" for name, value in beside.items()) + "\n", flush=True)
        begin = time.monotonic()
        print("| prompt | scoring | accuracy | above guessing | shortest taken | flips |\n|---|---|---|---|---|---|")
        for prompt in arguments.prompts:
            for row in measured(session, facts, prompt, who):
                print(f"| {' | '.join(row)} |", flush=True)
        print(f"\n{time.monotonic() - begin:.0f} seconds", flush=True)


if __name__ == "__main__":
    main()
