from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch, output
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import length_batches, score_rows

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
NAMES = ("men", "women", "others")
END = 2
PROMPTS = ((5, 90, 41, 7), (301, 12, 12, 80, 33, 6, 9, 9, 21), (44, 45), (9, 8, 7, 6, 5))
AGENTS = ("women", "men", "others", "control")
# A token that is never greedily chosen, so that replies of every length are compared.
NO_END = 1


def row(policy: GroupPolicy, agent: str, prompt: tuple[int, ...], *answers: tuple[int, ...]) -> TreeRow:
    segments = (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in answers))
    return TreeRow(policy.adapter_index(agent), segments)


def greedy_reply(policy: GroupPolicy, agent: str, prompt: tuple[int, ...], length: int) -> list[int]:
    """Token by token, the most probable one as `score` sees it: no cache, no generation code."""
    reply: tuple[int, ...] = ()
    every_token = [(token,) for token in range(policy.base.config.vocab_size)]
    for _ in range(length):
        scores = policy.score(build_tree_batch([row(policy, agent, prompt + reply, *every_token)]))
        reply += (int(scores.argmax()),)
    return list(reply)


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_scores_in_chunks_equal_scores_at_once(
    make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    policy = make_policy(NAMES)
    # 2 + 5 + 1 = 8 action tokens: a chunk of 3 cuts through a branch.
    batch = build_tree_batch(
        [row(policy, "men", PROMPTS[0], (17, 2), (3, 4, 5, 6, 2)), row(policy, "women", PROMPTS[1], (8,))]
    )
    at_once = policy.score(batch)
    monkeypatch.setattr(output, "ACTIONS_PER_CHUNK", chunk)
    torch.testing.assert_close(policy.score(batch), at_once, atol=1e-6, rtol=1e-6)


def test_the_output_layer_is_one_product_for_all_rows(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    with torch.profiler.profile(record_shapes=True) as profile:
        policy.generate(PROMPTS, AGENTS, NO_END, Sampling(2))
    products = {
        operation: [e.input_shapes[1] for e in profile.key_averages(group_by_input_shape=True) if e.key == operation]
        for operation in ("aten::mm", "aten::bmm")
    }
    vocabulary = policy.base.config.vocab_size
    assert any(vocabulary in shape for shape in products["aten::mm"])
    # A batched product holds, and with oneDNN copies, the layer's weights once a row.
    assert products["aten::bmm"]
    assert not any(vocabulary in shape for shape in products["aten::bmm"])


def test_scores_are_log_probabilities_per_branch(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    every_token = [(token,) for token in range(policy.base.config.vocab_size)]
    scores = policy.score(build_tree_batch([row(policy, "men", PROMPTS[0], *every_token)]))
    assert scores.dtype == torch.float32
    # The next token is one of the vocabulary.
    assert scores.exp().sum().item() == pytest.approx(1.0, abs=1e-5)
    first, second = 17, 200
    joined = policy.score(build_tree_batch([row(policy, "men", PROMPTS[0], (first, second))]))
    then = policy.score(build_tree_batch([row(policy, "men", (*PROMPTS[0], first), (second,))]))
    torch.testing.assert_close(joined[0], scores[first] + then[0], atol=1e-5, rtol=1e-5)


def test_greedy_replies_in_one_batch_equal_one_at_a_time(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    sampling = Sampling(max_new_tokens=6)
    together = policy.generate(PROMPTS, AGENTS, NO_END, sampling)
    alone = [
        policy.generate([prompt], [agent], NO_END, sampling)[0] for prompt, agent in zip(PROMPTS, AGENTS, strict=True)
    ]
    assert together == alone
    assert len({len(prompt) for prompt in PROMPTS}) == 4, "equal lengths need no padding: nothing was compared"


@pytest.mark.parametrize("sampling", [Sampling(6), Sampling(6, temperature=1.0, seed=3)], ids=["greedy", "sampled"])
@pytest.mark.parametrize("reference", [False, True])
def test_samples_that_share_their_prompts_cache_equal_repeated_prompts(
    make_policy: MakePolicy, sampling: Sampling, reference: bool
) -> None:
    policy = make_policy(NAMES)
    shared = policy.generate(PROMPTS, AGENTS, NO_END, sampling, reference=reference, samples=3)
    prompts, agents = ([item for item in items for _ in range(3)] for items in (PROMPTS, AGENTS))
    assert shared == policy.generate(prompts, agents, NO_END, sampling, reference=reference)
    assert len(set(shared)) == (4 if sampling.temperature == 0 else 12)


@pytest.mark.parametrize(("samples", "kept"), [(1, 0), (2, 1)])
def test_a_prompt_is_computed_apart_where_several_samples_share_it(
    make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch, samples: int, kept: int
) -> None:
    policy, caches = make_policy(NAMES), []
    made = policy._prompt_cache
    monkeypatch.setattr(policy, "_prompt_cache", lambda *given: caches.append(given) or made(*given))
    policy.generate(PROMPTS, AGENTS, NO_END, Sampling(2), samples=samples)
    assert len(caches) == kept


def test_a_prompt_of_one_token_has_nothing_to_share(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    sampling = Sampling(4)
    shared = policy.generate([(7,), (9,)], ["men", "women"], NO_END, sampling, samples=2)
    assert shared == policy.generate([(7,), (7,), (9,), (9,)], ["men", "men", "women", "women"], NO_END, sampling)


def test_each_agent_answers_with_its_own_adapter(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    agents = (*NAMES, "control")
    replies = policy.generate([PROMPTS[0]] * 4, agents, NO_END, Sampling(max_new_tokens=5))
    expected = [tuple(greedy_reply(policy, agent, PROMPTS[0], 5)) for agent in agents]
    assert replies == expected
    assert len(set(replies)) == 4
    reference = policy.generate([PROMPTS[0]] * 4, agents, NO_END, Sampling(max_new_tokens=5), reference=True)
    assert reference == [replies[3]] * 4


def test_replies_do_not_depend_on_the_order_of_the_agents_in_the_batch(make_policy: MakePolicy) -> None:
    """One block of rows an agent is answered with weights gathered once; any other order gathers them anew."""
    policy = make_policy(NAMES)
    sampling = Sampling(max_new_tokens=6)
    agents = ("men", "men", "women", "women", "control", "control")
    blocks = policy.generate([PROMPTS[0], PROMPTS[1]] * 3, agents, NO_END, sampling)
    order = (0, 2, 4, 1, 3, 5)
    mixed = policy.generate(
        [(PROMPTS[0], PROMPTS[1])[place % 2] for place in order], [agents[place] for place in order], NO_END, sampling
    )
    assert [blocks[place] for place in order] == mixed
    uneven = policy.generate([PROMPTS[0], PROMPTS[1], PROMPTS[0]], ["men", "men", "women"], NO_END, sampling)
    assert uneven == blocks[:3]
    assert len(set(blocks)) == 6


def test_a_reply_is_that_of_the_weights_of_the_moment(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    before = policy.generate(PROMPTS, AGENTS, NO_END, Sampling(max_new_tokens=6))
    policy.load_adapter_state("women", policy.adapter_state("men"))
    after = policy.generate(PROMPTS, AGENTS, NO_END, Sampling(max_new_tokens=6))
    assert after[0] == policy.generate([PROMPTS[0]], ["men"], NO_END, Sampling(max_new_tokens=6))[0]
    assert after[0] != before[0]
    assert after[1:] == before[1:]


def test_replies_follow_the_scored_policy_whatever_defaults_the_model_brings(
    make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    plain = make_policy(NAMES)
    model = load_model(base_files, tiny_config)
    model.generation_config.update(
        repetition_penalty=5.0, no_repeat_ngram_size=1, do_sample=True, min_p=0.9, max_length=3
    )
    policy = GroupPolicy(model, NAMES, plain.config)
    for name in NAMES:
        policy.load_adapter_state(name, plain.adapter_state(name))
    for sampling in (Sampling(6), Sampling(6, temperature=1.0, seed=3)):
        expected = plain.generate(PROMPTS, AGENTS, NO_END, sampling)
        assert policy.generate(PROMPTS, AGENTS, NO_END, sampling) == expected


def test_a_reply_ends_with_the_end_token_or_at_the_longest(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    whole = greedy_reply(policy, "women", PROMPTS[0], 5)
    end = whole[2]
    cut = whole.index(end) + 1
    replies = policy.generate([PROMPTS[0], PROMPTS[2]], ["women", "others"], end, Sampling(max_new_tokens=5))
    assert replies[0] == tuple(whole[:cut])
    assert replies[0].count(end) == 1
    assert len(replies[1]) <= 5


def test_a_reply_ends_with_the_first_of_several_end_tokens(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    whole = greedy_reply(policy, "women", PROMPTS[0], 5)
    late, early = whole[3], whole[1]
    assert late not in whole[:3], "the end tokens must differ"
    cut = whole.index(early) + 1
    for ends in ((late, early), (early, late)):
        assert policy.generate([PROMPTS[0]], ["women"], ends, Sampling(max_new_tokens=5)) == [tuple(whole[:cut])]
    assert policy.generate([PROMPTS[0]], ["women"], (late,), Sampling(max_new_tokens=5)) == [tuple(whole[:4])]


def test_equal_seeds_give_equal_samples_and_leave_the_generator_alone(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)

    def draw(seed: int) -> list[tuple[int, ...]]:
        return policy.generate(PROMPTS, AGENTS, NO_END, Sampling(8, temperature=1.0, seed=seed))

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = draw(1)
    assert torch.equal(torch.rand(3), expected)
    assert draw(1) == first
    assert draw(2) != first


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_samples_follow_the_policys_distribution(make_policy: MakePolicy, temperature: float) -> None:
    policy = make_policy(NAMES)
    count = 3000
    sampling = Sampling(1, temperature=temperature, seed=0)
    replies = policy.generate([PROMPTS[0]] * count, ["women"] * count, NO_END, sampling)
    every_token = [(token,) for token in range(policy.base.config.vocab_size)]
    scores = policy.score(build_tree_batch([row(policy, "women", PROMPTS[0], *every_token)])).detach()
    shares, order = (scores.double() / temperature).softmax(0).sort(descending=True)
    drawn = torch.bincount(torch.tensor([reply[0] for reply in replies]), minlength=len(shares))[order]
    # Tokens that are expected five times or more each for itself, then the rest; many are no likely ones.
    single = int((count * shares >= 5).sum())
    assert single > 60
    bins = [*range(single + 1), len(shares)]
    expected = [count * float(shares[begin:end].sum()) for begin, end in pairwise(bins)]
    observed = [int(drawn[begin:end].sum()) for begin, end in pairwise(bins)]
    assert chisquare(observed, expected).pvalue > 0.001


def test_an_adapters_state_can_be_carried_over(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    batch = build_tree_batch([row(policy, agent, PROMPTS[0], (17, 2)) for agent in NAMES])
    before = policy.score(batch).tolist()
    policy.load_adapter_state("women", policy.adapter_state("men"))
    # Agent 1 answers as agent 0 does, and the others as before.
    assert policy.score(batch).tolist() == pytest.approx([before[0], before[0], before[2]], abs=1e-5)
    assert before[1] != pytest.approx(before[0], abs=1e-2)


def test_a_taken_state_does_not_follow_the_policy(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    state = policy.adapter_state("men")
    kept = {name: tensor.clone() for name, tensor in state.items()}
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(state[name], kept[name]) for name in kept)


def changed_shape(state: dict[str, torch.Tensor]) -> None:
    name = next(iter(state))
    state[name] = state[name][:1]


def missing(state: dict[str, torch.Tensor]) -> None:
    state.pop(next(iter(state)))


def unknown(state: dict[str, torch.Tensor]) -> None:
    state["model.layers.9.lora_A.weight"] = torch.zeros(1)


@pytest.mark.parametrize("spoil", [changed_shape, missing, unknown])
def test_a_state_that_does_not_fit_is_refused(make_policy: MakePolicy, spoil: Any) -> None:
    policy = make_policy(NAMES)
    state, before = policy.adapter_state("men"), policy.adapter_state("women")
    spoil(state)
    with pytest.raises(UserError, match=r"adapter 'women' does not fit.* [12] tensors differ"):
        policy.load_adapter_state("women", state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in policy.adapter_state("women").items())


def test_the_context_length_is_the_base_models(make_policy: MakePolicy) -> None:
    assert make_policy(NAMES).context_length == 1024


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 120))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = length_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        positions = len(batch) * max(lengths[index] for index in batch)
        assert positions <= budget or len(batch) == 1


def test_batches_by_hand() -> None:
    # From long to short: 9 alone (2 x 9 > 12), then 4, 4, 3 (3 x 4 = 12), then 1, 1.
    assert length_batches([4, 1, 9, 3, 4, 1], 12) == [[2], [0, 4, 3], [1, 5]]


def test_scores_come_in_the_order_of_the_rows(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    rows = [
        row(policy, agent, prompt, (17, 200, 2), *[(3, 2)] * index)
        for index, (agent, prompt) in enumerate(zip(AGENTS, PROMPTS, strict=True))
    ]
    # 20 positions: the rows of 12, 16, 9 and 14 tokens need several forward passes, longest first.
    scores = score_rows(policy, rows, batch_tokens=20)
    assert [len(values) for values in scores] == [1, 2, 3, 4]
    for one, values in zip(rows, scores, strict=True):
        assert values == pytest.approx(policy.score(build_tree_batch([one])).tolist(), abs=1e-5)
    reference = score_rows(policy, rows, reference=True)
    assert reference[3] == pytest.approx(scores[3], abs=1e-5)
    assert reference[0] != pytest.approx(scores[0], abs=1e-2)


def test_rows_that_begin_alike_score_as_if_apart(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    profile = tuple(range(40, 60))
    rows = [
        row(policy, agent, (*profile, *end), (17, 200, 2), (3, 2)) for agent in AGENTS[:2] for end in ((), (7, 9), (8,))
    ]
    scores = score_rows(policy, rows)
    for one, values in zip(rows, scores, strict=True):
        assert values == pytest.approx(policy.score(build_tree_batch([one])).tolist(), abs=1e-5)
    assert len({round(value, 3) for values in scores for value in values}) == 12


def test_no_rows_have_no_scores(make_policy: MakePolicy) -> None:
    assert score_rows(make_policy(NAMES), []) == []


def test_a_watcher_sees_every_token_of_all_replies_and_may_end_them(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    whole = policy.generate(PROMPTS, AGENTS, NO_END, Sampling(max_new_tokens=6))
    seen: list[list[tuple[int, ...]]] = []

    def watch(replies: Any) -> bool:
        seen.append([tuple(reply) for reply in replies])
        return len(seen) == 4

    ended = policy.generate(PROMPTS, AGENTS, NO_END, Sampling(max_new_tokens=6), watch=watch)
    assert seen == [[reply[:length] for reply in whole] for length in (1, 2, 3, 4)]
    assert ended == seen[-1]
