"""What an audit would ask, counted without asking: requests, tokens, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trialign.audit.asking.attacks import Attack
from trialign.audit.asking.pressing import Alone, facts_with_options, pushed
from trialign.audit.asking.run import Auditor
from trialign.environment import Conversation, neighbours
from trialign.queries import Query
from trialign.weighing import Asked

CHARACTERS_PER_TOKEN = 4  # of English text, about; where no tokenizer is known


@dataclass(frozen=True)
class Forecast:
    """What one way of answering would take.

    Attributes:
        requests: replies, or questions whose options are scored.
        prompt_tokens: of what is sent; for scored options once for each option where a server scores them.
        most_reply_tokens: where every reply is as long as it may be.
    """

    requests: int
    prompt_tokens: int
    most_reply_tokens: int


def rough_tokens(conversation: Conversation) -> int:
    """About how many tokens a conversation takes, by its characters."""
    return sum(len(content) for _, content in conversation) // CHARACTERS_PER_TOKEN + 4 * len(conversation)


def forecast(
    auditor: Auditor,
    queries: Sequence[Query],
    count: Callable[[Conversation], int],
    actions: Callable[[Query], Sequence[int]] | None = None,
) -> tuple[Forecast, Forecast]:
    """What the questions with scored options take, and what the replies take.

    Args:
        auditor: of `Unasked` agents.
        queries: of the audit.
        count: tokens of a conversation as the model reads it.
        actions: query -> tokens of each option, where options are scored; None: every question is replied to.

    Returns:
        Of scored options, then of replies. A revision turn counts with replies as long as they may be.
    """
    longest = auditor.config.max_new_tokens
    scored, replied = [0, 0, 0], [0, 0, 0]
    for query in queries:
        options = actions(query) if actions is not None and query.options and not auditor.in_words else None
        for asked in auditor.would_ask(query):
            prompt = count(asked.conversation)
            for turn in range(_turns(auditor, asked) + 1):
                heard = turn * (1 + _heard(auditor)) * (max(options) if options else longest)
                if options:
                    _add(scored, sum(prompt + heard + size for size in options), len(options))
                else:
                    _add(replied, prompt + heard, longest)
    return Forecast(*scored), Forecast(*replied)


def forecast_pressure(
    auditor: Auditor,
    queries: Sequence[Query],
    attacks: Sequence[Attack],
    count: Callable[[Conversation], int],
    actions: Callable[[Query], Sequence[int]] | None = None,
) -> Forecast:
    """What the attacks and their twins take, as `forecast` counts; what an agent answered alone is its longest option.

    Args:
        auditor: of `Unasked` agents.
        queries: of which the facts with options are asked.
        attacks: the kinds of pressure.
        count: tokens of a conversation as the model reads it.
        actions: query -> tokens of each option, where options are scored; None: every question is replied to.

    Raises:
        UserError: no fact has options.
    """
    found = [0, 0, 0]
    for query in facts_with_options(queries):
        options = actions(query) if actions is not None else None
        alone = Alone(max(query.options, key=len), right=True)
        for group in auditor.groups.members:
            for one in pushed(auditor, query, group, alone, attacks):
                prompt = count(one.asked.conversation)
                if options:
                    _add(found, sum(prompt + size for size in options), len(options))
                else:
                    _add(found, prompt, auditor.config.max_new_tokens)
    return Forecast(*found)


def _add(found: list[int], prompt: int, reply: int) -> None:
    found[0] += 1
    found[1] += prompt
    found[2] += reply


def _turns(auditor: Auditor, asked: Asked) -> int:
    """Revision turns of one question: members hear each other, with their first wording, once."""
    hears = asked.group.role == "member" and asked.wording == asked.repeat == 0
    return auditor.config.turns if hears and not auditor.in_words else 0


def _heard(auditor: Auditor) -> int:
    topology = neighbours(auditor.topology, len(auditor.groups.members), "")
    return max(map(len, topology.values()), default=0)
