"""What options count by, on a model: against plain rows of their own, and against lm-evaluation-harness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from trialign.asking import LocalAgents
from trialign.environment import PromptConfig, first_turn, option_actions, revision_turn
from trialign.groups import Exposure, GroupSet
from trialign.models import ChatRenderer, load_tokenizer
from trialign.policy import GroupPolicy
from trialign.queries import Query, TruthQuery
from trialign.queries.reading.labels import Shown
from trialign.scoring import Scoring, ScoringKind
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
KINDS: tuple[ScoringKind, ...] = ("sum", "mean", "bytes", "pmi")


def fact(name: str, question: str, *options: str) -> TruthQuery:
    """A fact whose first option is right."""
    texts = {"query_id": name, "cluster": name, "topic": "test", "question": question}
    return TruthQuery(split="test", options=options, gold=options[0], **texts)


# Bytes are not characters, and neither are tokens.
DRINKS = fact("drinks", "Which of them is made of leaves?", "北京茶", "Café au lait", "tea", "crème brûlée")
LETTERS = fact("letters", "Which word is short?", "à", "tea", "日本語")
PLANETS = fact("planets", "Which planet is the largest one?", "Jupiter", "Mars", "the morning star")


def asked_of(
    query: Query, groups: GroupSet, options: Shown = "hidden", exposure: Exposure = "explicit", turn: int = 0
) -> list[Asked]:
    """The question to every group; in turn 1 after an own answer and one that was heard."""
    config = PromptConfig(options=options)
    found = []
    for group in groups.everyone:
        told = first_turn(query, group, exposure, 0, config)
        if turn:
            told = revision_turn(told, query.options[0], query.options[1:2], config)
        found.append(Asked(query, group, exposure, 0, 0, told, options, turn=turn))
    return found


@torch.no_grad()
def plainly(policy: GroupPolicy, renderer: ChatRenderer, asked: Asked, told: Any, text: str, end: bool) -> float:
    """Log-probability of a text after a conversation, by a row of its own, token by token."""
    prompt, said = renderer.render(told), renderer.encode(text)
    ids = torch.tensor([[*prompt, *said, *([renderer.end_id] if end else [])]])
    policy.routing.rows = torch.tensor([policy.adapter_index(asked.group.name)])
    logits = policy.base(input_ids=ids, use_cache=False).logits[0].double().log_softmax(dim=1)
    return sum(float(logits[place - 1, ids[0, place]]) for place in range(len(prompt), ids.shape[1]))


def values_by_hand(policy: GroupPolicy, renderer: ChatRenderer, asked: Asked, kind: ScoringKind) -> list[float]:
    """What the options count by, from the definitions."""
    config = PromptConfig(options=asked.shown or "hidden")
    empty = first_turn(replace(asked.query, question=""), asked.group, asked.exposure, 0, config)
    found = []
    for option in asked.query.options:
        value = plainly(policy, renderer, asked, asked.conversation, option, kind != "bytes")
        if kind == "mean":
            value /= len(renderer.encode(option)) + 1
        if kind == "bytes":
            value /= len(option.encode("utf-8"))
        if kind == "pmi":
            value -= plainly(policy, renderer, asked, empty, option, True)
        found.append(value)
    return found


@pytest.fixture(scope="module")
def policy(make_policy: MakePolicy) -> GroupPolicy:
    return make_policy().eval()


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("options", ["hidden", "listed", "lettered"])
@pytest.mark.parametrize("kind", KINDS)
def test_shares_are_those_of_the_definitions(
    policy: GroupPolicy,
    renderer: ChatRenderer,
    groups: GroupSet,
    kind: ScoringKind,
    options: Shown,
    temperature: float,
) -> None:
    agents = LocalAgents(policy, renderer, Scoring(kind, temperature), 8, 4096)
    asked = [one for query in (DRINKS, PLANETS) for one in asked_of(query, groups, options)]
    for one, answer in zip(asked, agents.answer(asked), strict=True):
        values = torch.tensor(values_by_hand(policy, renderer, one, kind)) / temperature
        assert answer.option_probabilities == pytest.approx(values.softmax(dim=0).tolist(), abs=1e-4)


def test_the_kinds_differ(policy: GroupPolicy, renderer: ChatRenderer, groups: GroupSet) -> None:
    asked = asked_of(DRINKS, groups)
    by_kind = [LocalAgents(policy, renderer, Scoring(kind), 8, 4096).answer(asked) for kind in KINDS]
    for answers in zip(*by_kind, strict=True):
        shares = {tuple(round(share, 5) for share in answer.option_probabilities or ()) for answer in answers}
        assert len(shares) == len(KINDS)


@pytest.mark.parametrize("kind", ["bytes", "pmi"])
@pytest.mark.parametrize("exposure", ["explicit", "implicit"])
@pytest.mark.parametrize("turn", [0, 1])
def test_asked_together_and_alone_options_count_the_same(
    policy: GroupPolicy, renderer: ChatRenderer, groups: GroupSet, kind: ScoringKind, exposure: Exposure, turn: int
) -> None:
    agents = LocalAgents(policy, renderer, Scoring(kind), 8, 4096)
    asked = [one for query in (DRINKS, PLANETS) for one in asked_of(query, groups, "hidden", exposure, turn)]
    together = agents.weigh(asked, agents.observe(asked))
    for one, options in zip(asked, together, strict=True):
        (alone,) = agents.weigh([one], agents.observe([one]))
        assert options.values == pytest.approx(alone.values, abs=1e-4)
        assert options.values == pytest.approx(values_by_hand(policy, renderer, one, kind), abs=1e-3)
        assert (options.actions, options.sizes, options.unasked) == (alone.actions, alone.sizes, alone.unasked)


def test_a_question_that_is_put_otherwise_is_held_against_the_same_without_it(
    policy: GroupPolicy, renderer: ChatRenderer, groups: GroupSet
) -> None:
    def nobody(asked: Sequence[Asked]) -> list[Asked]:
        """As a gate does with what it takes for a fact: no profile, and the base weights."""
        (control,) = (one for one in asked_of(asked[0].query, groups) if one.group.role == "control")
        return [replace(one, group=control.group, conversation=control.conversation) for one in asked]

    asked = asked_of(PLANETS, groups)
    agents = LocalAgents(policy, renderer, Scoring("pmi"), 8, 4096, route=nobody)
    *members, control = agents.weigh(asked, agents.observe(asked))
    for member in members:
        assert member.unasked == control.unasked
        assert member.values == pytest.approx(control.values, abs=1e-4)


def test_free_answers_beside_options_are_not_weighed(
    policy: GroupPolicy, renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query]
) -> None:
    number = next(query for query in queries if query.query_id == "sum")
    asked = [one for query in (DRINKS, number, PLANETS) for one in asked_of(query, groups)]
    agents = LocalAgents(policy, renderer, Scoring("pmi"), 8, 4096)
    found = agents.weigh(asked, agents.observe(asked))
    assert [bool(one.actions) for one in found] == [bool(one.query.options) for one in asked]
    free = [one for one, place in zip(found, asked, strict=True) if not place.query.options]
    assert {(one.scores, one.unasked, one.unasked_scores, one.values) for one in free} == {((), (), (), ())}


# --- lm-evaluation-harness ---


@pytest.fixture(scope="module")
def harness(policy: GroupPolicy, base_files: Any) -> Any:
    """Its own scoring of the base model, by token ids."""
    reason = "lm-evaluation-harness is not installed (pip install 'trialign[bench]')"
    models = pytest.importorskip("lm_eval.models.huggingface", reason=reason)
    from trialign.models import ModelConfig, load_model

    model = load_model(base_files, ModelConfig("folder", "house/tiny-llama", path=str(base_files.folder)))
    return models.HFLM(pretrained=model, tokenizer=load_tokenizer(base_files), batch_size=1)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: Any) -> Any:
    """A task of its own that reads the options and the right one from our questions."""
    from lm_eval.api.task import ConfigurableTask

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "?", "choices": ["a", "b"], "gold": 0}\n', encoding="utf-8")
    metrics = [{"metric": name} for name in ("acc", "acc_norm", "acc_bytes")]
    return ConfigurableTask(
        config={
            "task": "house",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(file)}, "cache_dir": str(tmp_path / "cache")},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "question",
            "doc_to_choice": "choices",
            "doc_to_target": "gold",
            "metric_list": metrics,
        }
    )


def picked(task: Any, query: Query, results: list[tuple[float, bool]], metric: str) -> int:
    """The option that the harness takes for the answer: the one that, were it right, would be counted as right."""
    rows = [{"question": query.question, "choices": list(query.options), "gold": k} for k in range(len(query.options))]
    (place,) = [k for k, row in enumerate(rows) if task.process_results(row, results)[metric] == 1.0]
    return place


def test_bytes_is_the_harness_accuracy_by_bytes(
    policy: GroupPolicy, renderer: ChatRenderer, groups: GroupSet, harness: Any, task: Any
) -> None:
    agents = LocalAgents(policy, renderer, Scoring("bytes"), 8, 4096, reference=True)
    differ = 0
    for query in (DRINKS, LETTERS, PLANETS):
        for one in asked_of(query, groups):
            ((options,), (answer,)) = agents.weigh([one], agents.observe([one])), agents.answer([one])
            prompt = list(renderer.render(one.conversation))
            requests = [(("", ""), prompt, list(action)) for action in options.actions]
            results = harness._loglikelihood_tokens(requests, disable_tqdm=True)
            assert [score for score, _ in results] == pytest.approx(options.scores, abs=1e-3)
            place = picked(task, query, results, "acc_bytes")
            assert query.options[place] == answer.text
            norm = picked(task, query, results, "acc_norm")
            # acc_norm divides by characters: where each is one byte, the two are one.
            assert norm == place or query is not PLANETS
            differ += norm != place
    assert differ, "no option's bytes differ from its characters enough to tell the two apart"


def test_the_harness_does_not_count_the_end_either(renderer: ChatRenderer, harness: Any) -> None:
    _, scored = harness._encode_pair("Which of them is made of leaves?", " tea")
    assert renderer.tokenizer.decode(scored).strip() == "tea"
    assert renderer.end_id not in scored
    assert renderer.end_id not in option_actions(DRINKS, Scoring("bytes"), renderer)[2]
