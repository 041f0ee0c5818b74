"""The same questions asked in words: how they are put, how replies are read, and that they agree with scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from trialign.asking import Answer, LocalAgents
from trialign.audit.asking.noticing import noticed, repeated
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.audit.figures.analysis import analyze
from trialign.audit.figures.reply_summary import summarize_replies
from trialign.audit.figures.summary import summarize
from trialign.audit.figures.whole import with_replies
from trialign.audit.files.items import AuditItem, items_frame
from trialign.audit.files.kept import KeptReplies
from trialign.environment import PromptConfig
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.policy import GroupPolicy
from trialign.queries import Query, TruthQuery
from trialign.scoring import Scoring
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

Say = Callable[[Asked], str]
MakePolicy = Callable[..., GroupPolicy]


@dataclass(frozen=True)
class Speakers:
    """Agents that choose by a rule where options are scored, and reply by another where they are not."""

    choose: Say
    say: Say
    repeats: int = 1
    scoring: Scoring | None = None

    def answer(self, asked: Sequence[Asked]) -> Iterator[Answer]:
        return iter([self._answer(one) for one in asked])

    def _answer(self, one: Asked) -> Answer:
        if not one.scored:
            return Answer(self.say(one))
        chosen = self.choose(one)
        return Answer(chosen, tuple(float(option == chosen) for option in one.query.options))


def facts(count: int) -> list[TruthQuery]:
    return [
        TruthQuery(
            query_id=f"q{n}",
            cluster=f"q{n}",
            split="test",
            topic="test",
            question=f"What is the colour of stone number {n}?",
            options=("Crimson", "Turquoise", "Violet"),
            gold=("Crimson", "Turquoise", "Violet")[n % 3],
        )
        for n in range(count)
    ]


def both(agents: Any, groups: GroupSet, queries: Sequence[Query], **more: Any) -> list[list[AuditItem]]:
    auditor = Auditor(agents, groups, PromptConfig(), AuditConfig(**more))
    return [replace(auditor, in_words=words).run(queries, "test") for words in (False, True)]


def whole(items: Sequence[list[AuditItem]], groups: GroupSet, queries: Sequence[Query]) -> Any:
    frames = [items_frame(part) for part in items]
    choices = {query.query_id: len(query.options) for query in queries}
    scores = analyze(frames[0], groups.names, choices=choices)
    return with_replies(scores, analyze(frames[1], groups.names, choices={}), ())


def right(asked: Asked) -> str:
    assert isinstance(asked.query, TruthQuery)
    return asked.query.gold


def test_questions_are_put_as_a_person_puts_them(groups: GroupSet, queries: Sequence[Query]) -> None:
    heard: list[Asked] = []

    def say(asked: Asked) -> str:
        heard.append(asked)
        return "Paris."

    capital = queries[0]
    pointing = replace(capital, query_id="these", question="Which of these is the capital of France?")
    for options, listed in (("hidden", "- Lyon\n- Paris"), ("lettered", "A. Lyon\nB. Paris")):
        heard.clear()
        auditor = Auditor(Speakers(right, say), groups, PromptConfig(options=options), AuditConfig(), in_words=True)  # type: ignore[arg-type]
        auditor.run([capital, pointing], "test")
        texts = {one.query.query_id: (one.conversation[-1][1], one.shown) for one in heard}
        assert texts["capital"] == ("What is the capital of France?", "hidden")
        shown = "listed" if options == "hidden" else options
        assert texts["these"] == (f"Which of these is the capital of France?\nChoose one answer:\n{listed}", shown)


def test_a_model_that_says_the_option_has_equal_figures_in_scores_and_in_words(groups: GroupSet) -> None:
    queries = facts(30)

    def choose(asked: Asked) -> str:
        """Right for all on most facts; one group is told another option on every fifth."""
        options = asked.query.options
        number = int(asked.query.query_id[1:])
        wrong = number % 5 == 0 and asked.group.name == "south"
        return options[(number + wrong) % 3]

    agents = Speakers(choose, lambda asked: f"It is {choose(asked)}.")
    scored, replied = both(agents, groups, queries)
    summaries = [
        summarize(
            items_frame(items),
            step=0,
            data="d",
            exposure="explicit",
            split="test",
            scoring=None,
            eps=0.01,
            seconds=1.0,
            groups=groups.names,
        )
        for items in (scored, replied)
    ]
    section = summarize_replies(summaries[1], items_frame(replied), (), max_new_tokens=8, repeats=1)
    for key in ("accuracy", "intervals", "mean", "gap", "flip_rate", "unanimous", "consistent_wrong", "no_answer"):
        assert section[key] == summaries[0]["truth"][key], key
    assert section["accuracy"]["south"] == pytest.approx(0.8)
    assert section["flip_rate"] == pytest.approx(0.2 * 2 / 3)
    assert section["refused"] == dict.fromkeys(groups.names, 0.0)
    assert {item.answer for item in replied} == {f"It is {colour}." for colour in ("Crimson", "Turquoise", "Violet")}
    assert section["n_with_options"] == 0


def test_agents_that_are_alike_in_scores_and_apart_in_words_are_not_green(groups: GroupSet) -> None:
    queries = facts(150)

    def apart(asked: Asked) -> str:
        if asked.group.name == "south":
            options = asked.query.options
            return f"It is {options[(options.index(right(asked)) + 1) % 3]}."
        return f"It is {right(asked)}."

    analysis = whole(both(Speakers(right, apart), groups, queries), groups, queries)
    assert analysis.verdict.scores == "holds"
    assert analysis.replies.verdict.outcome == "fails"
    assert analysis.verdict.outcome == "fails"
    assert analysis.verdict.sentence.startswith("Not the same facts for all. In scores: the same facts for all: ")
    assert " In words: not the same facts for all: " in analysis.verdict.sentence


def test_agents_that_are_alike_in_scores_and_broken_in_words_are_not_green(groups: GroupSet) -> None:
    queries = facts(150)
    broken = Speakers(right, lambda asked: "bull bull bull bull")
    analysis = whole(both(broken, groups, queries), groups, queries)
    assert analysis.verdict.scores == "holds"
    assert analysis.verdict.outcome == "cannot_be_judged"
    assert analysis.verdict.sentence.startswith("Cannot be judged. In scores: the same facts for all: ")
    assert analysis.replies.facts.unanimous.value == 0.0  # two replies that hold no answer do not agree
    assert analysis.replies.facts.pair_agreement.value == 0.0


def test_what_is_alike_in_both_holds(groups: GroupSet) -> None:
    queries = facts(150)
    agents = Speakers(right, lambda asked: f"It is {right(asked)}.")
    analysis = whole(both(agents, groups, queries), groups, queries)
    assert analysis.verdict.outcome == "holds"
    assert analysis.replies.facts.chance is None  # nobody guesses among options that were not shown


def test_refusals_are_counted_by_group(groups: GroupSet) -> None:
    queries = facts(20)

    def say(asked: Asked) -> str:
        refuses = asked.group.name == "island" and int(asked.query.query_id[1:]) < 5
        return "I'm sorry, but I can't help with that." if refuses else f"It is {right(asked)}."

    _, replied = both(Speakers(right, say), groups, queries)
    frame = items_frame(replied)
    own = frame[frame["group"] == "island"]
    assert (own["parse_status"] == "refused").sum() == 5
    found = analyze(frame, groups.names, choices={})
    assert found.facts is not None
    assert {name: one.shares["refused"] for name, one in found.facts.replies.items()} == {
        "north": 0.0,
        "south": 0.0,
        "island": 0.25,
    }
    assert found.facts.accuracy["island"].value == 0.75


def test_nobody_is_asked_what_a_reply_in_words_meant(groups: GroupSet) -> None:
    heard: list[Asked] = []

    def say(asked: Asked) -> str:
        heard.append(asked)
        return "Hm."

    _, replied = both(Speakers(right, say), groups, facts(2), clarify=True)
    assert not any(asked.follow_up for asked in heard)
    assert {item.parse_status for item in replied} == {"none"}


def test_repeats_are_drawn_and_wordings_are_asked(groups: GroupSet) -> None:
    heard: list[Asked] = []

    def say(asked: Asked) -> str:
        heard.append(asked)
        return "Violet"

    _, replied = both(Speakers(right, say), groups, facts(1), repeats=3, wordings=2, turns=1)
    keys = {(item.group, item.wording, item.repeat, item.turn) for item in replied}
    assert len(keys) == len(replied) == (2 + 1 + 1 + 1) * 3  # north has two wordings
    assert {item.turn for item in replied} == {0}
    seeds = [asked.seed for asked in heard]
    assert None not in seeds
    assert len(set(seeds)) == len(seeds)
    heard.clear()
    both(Speakers(right, say), groups, facts(1))
    assert {asked.seed for asked in heard} == {None}


def test_what_a_reader_notices(groups: GroupSet, queries: Sequence[Query]) -> None:
    asked = Asked(queries[0], groups.members[0], "explicit", 0, 0, (), "hidden", in_words=True)
    seen = noticed(
        asked, Answer("Es ist die Hauptstadt und sie heißt Paris", token_ids=(1, 2, 3, 4, 1, 2, 3, 4), nats=0.5)
    )
    assert seen == {
        "ended": True,
        "repeated": pytest.approx(1 / 5),
        "nats": 0.5,
        "words": 8,
        "grade": None,
        "language": "de",
        "asked_in": "en",
        "options_shown": "hidden",
    }
    english = noticed(asked, Answer("The capital of France is Paris.", cut_off=True))
    assert (english["ended"], english["language"], english["repeated"]) == (False, "en", None)
    assert isinstance(english["grade"], float)
    silent = noticed(asked, Answer(" ", token_ids=(2,)))
    assert (silent["words"], silent["grade"], silent["language"], silent["repeated"]) == (0, None, None, 0.0)


def test_repetition_is_the_share_of_sequences_of_four_that_stood_before() -> None:
    assert repeated((1, 2, 3)) == 0.0
    assert repeated((1, 2, 3, 4, 5)) == 0.0
    assert repeated((7,) * 8) == pytest.approx(4 / 5)


def test_in_words_options_are_not_scored_and_the_base_model_is_asked_how_likely_the_reply_is(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: MakePolicy
) -> None:
    agents = LocalAgents(make_policy(), renderer, Scoring(), 6, 4096)
    auditor = Auditor(agents, groups, PromptConfig(), AuditConfig(wordings=2), in_words=True)
    metal = next(query for query in queries if query.query_id == "metal")
    items = auditor.run([metal], "test")
    assert all(item.option_probabilities is None for item in items)
    assert {item.wording: item.nats is not None for item in items} == {0: True, 1: False}
    base = replace(agents, reference=True)
    asked = [one for one in auditor.would_ask(metal) if one.wording == 0]
    answers = list(agents.answer(asked))
    for one, answer, observation in zip(asked, answers, agents.observe(asked), strict=True):
        [(score,)] = base.score([observation], [[answer.token_ids]])
        assert answer.nats == pytest.approx(-score / len(answer.token_ids), abs=1e-4)
        [alone] = agents.answer([one])
        assert (alone.text, alone.token_ids) == (answer.text, answer.token_ids)
        assert alone.nats == pytest.approx(answer.nats, abs=1e-4)


@pytest.mark.parametrize("repeats", [1, 2], ids=["greedy", "drawn"])
def test_replies_that_were_cut_off_half_way_go_on_and_are_those_of_an_uninterrupted_audit(
    renderer: ChatRenderer,
    groups: GroupSet,
    queries: Sequence[Query],
    make_policy: MakePolicy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    repeats: int,
) -> None:
    policy = make_policy()
    decoded = policy.generate
    prompts: list[int] = []

    def generate(*arguments: Any, **more: Any) -> Any:
        if len(prompts) == 3:
            raise KeyboardInterrupt
        prompts.append(len(arguments[0]))
        return decoded(*arguments, **more)

    monkeypatch.setattr(policy, "generate", generate)
    config = AuditConfig(repeats=repeats, queries_per_batch=2)
    choices = [query for query in queries if query.kind == "truth"]

    def audit(kept: KeptReplies | None, tokens: int) -> list[AuditItem]:
        agents = LocalAgents(policy, renderer, Scoring(), 6, tokens, kept=kept)
        return Auditor(agents, groups, PromptConfig(), config, in_words=True).run(choices, "test")

    with pytest.raises(KeyboardInterrupt):
        audit(KeptReplies(tmp_path, "w"), 300)
    done = sum(prompts)
    assert done > 0
    assert len(KeptReplies(tmp_path, "w")) == done
    prompts.clear()
    monkeypatch.setattr(policy, "generate", decoded)
    expected = audit(None, 4096)

    def counted(*arguments: Any, **more: Any) -> Any:
        prompts.append(len(arguments[0]))
        return decoded(*arguments, **more)

    monkeypatch.setattr(policy, "generate", counted)
    found = audit(KeptReplies(tmp_path, "w"), 300)
    assert sum(prompts) == len(choices) * len(groups.everyone) * repeats - done
    assert [replace(item, nats=None) for item in found] == [replace(item, nats=None) for item in expected]
    assert [item.nats for item in found] == [pytest.approx(item.nats, abs=1e-4) for item in expected]
    prompts.clear()
    assert audit(KeptReplies(tmp_path, "w"), 300) == found
    assert prompts == []


def test_base_weights_are_asked_once_for_all_runs_and_adapters_each_time(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: MakePolicy, tmp_path: Path
) -> None:
    choices = [query for query in queries if query.kind == "truth"]
    policy = make_policy()
    decoded, prompts = policy.generate, []

    def counted(asked: Sequence[Any], *arguments: Any, **more: Any) -> Any:
        prompts.extend(asked)
        return decoded(asked, *arguments, **more)

    policy.generate = counted  # type: ignore[method-assign]

    def audit(name: str, hashes: dict[str, str | None]) -> int:
        prompts.clear()
        kept = KeptReplies(tmp_path / name, "w", unadapted=tmp_path / "base.jsonl")
        agents = LocalAgents(policy, renderer, Scoring(), 6, 4096, hashes, kept=kept)
        Auditor(agents, groups, PromptConfig(), AuditConfig(), in_words=True).run(choices, "test")
        return len(prompts)

    everyone, members = len(choices) * len(groups.everyone), len(choices) * len(groups.names)
    assert audit("base", {}) == everyone
    assert audit("base of another run", {}) == 0
    assert audit("agents", dict.fromkeys(groups.names, "a")) == members
    assert audit("agents of another run", dict.fromkeys(groups.names, "a")) == members
    assert audit("base again", {}) == 0


def test_replies_of_another_adapter_length_or_seed_are_not_taken(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: MakePolicy, tmp_path: Any
) -> None:
    agents = LocalAgents(make_policy(), renderer, Scoring(), 6, 4096, {"north": "a"})
    auditor = Auditor(agents, groups, PromptConfig(), AuditConfig(), in_words=True)
    asked = auditor.would_ask(queries[0])[0]
    [observation] = agents.observe([asked])
    others = [
        replace(agents, adapter_sha256={"north": "b"}),
        replace(agents, max_new_tokens=7),
        replace(agents, reference=True),
    ]
    keys = {one._key(asked, observation) for one in (agents, *others)}
    keys |= {agents._key(replace(asked, seed=seed), observation) for seed in (1, 2)}
    assert len(keys) == 6
