"""Whether the agents that a server serves are a run's: log-probabilities of a few prompts, there and here.

A server that serves adapters under names may answer as another one: a name that was loaded again keeps prefixes of the
old weights, and an adapter that never arrived leaves the base model. Neither shows in a reply. Kept prefixes are found
out by a second look: a prompt that comes back with log-probabilities is computed anew (vLLM reads no kept prefix for
it), and one that is only continued is not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trialign.api.session import open_run
from trialign.echoing import continuations, echo_body
from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.replies import Completion
from trialign.environment import first_turn
from trialign.errors import UserError
from trialign.policy.next_tokens import text_log_probabilities

if TYPE_CHECKING:
    from trialign.api.session import Session

log = logging.getLogger("trialign")
_Prompt = tuple[int, ...]
_QUESTIONS = 4
_NOTICEABLE = 0.01  # nats a token
_TOKENS = 8  # of each reply whose log-probabilities are held against those that the same tokens have in a prompt


@dataclass(frozen=True)
class _Served:
    """One agent behind an address, beside all that are here.

    Attributes:
        name: under which it is served.
        agent: whose it has to be; None: the base model's.
        apart: agent here (None: the base model) -> how far its log-probabilities are from the server's, mean of the
            absolute differences, in nats a token.
        kept: how far what the server reports of its replies is from what it gives for the same tokens in a prompt,
            the same mean; 0 where it reports nothing.
    """

    name: str
    agent: str | None
    apart: dict[str | None, float]
    kept: float

    @property
    def nearest(self) -> str | None:
        """The agent here that is nearest; the one that it has to be, unless another is less than half as far."""
        found = min(self.apart, key=self.apart.__getitem__)
        return found if 2 * self.apart[found] < self.apart[self.agent] else self.agent

    @property
    def goes_on_from_others(self) -> bool:
        """Whether its replies are further from its prompts than number formats make them, here and there."""
        return self.kept > max(_NOTICEABLE, 4 * self.apart[self.agent])


def check_served(session: Session, client: Client) -> dict[str, Any]:
    """Holds every served name against the agents of the run that ``model.endpoint.canary`` names.

    Args:
        session: of an audit behind an address.
        client: of the server.

    Returns:
        Which agents they were found to be, for the summary: ``run``, ``step``, ``adapters`` (group -> SHA-256).

    Raises:
        UserError: a name is served as another agent than it has to be; or the run, its base model or the server cannot
            tell.
    """
    config = session.config.model.endpoint
    assert config.canary is not None
    run = open_run(Path(config.canary))
    for group in config.names:
        if group not in run.groups.names:
            raise UserError(
                f"The run {config.canary} (model.endpoint.canary) has no group '{group}' of model.endpoint.names",
                "Name the run whose agents are served, or set model.endpoint.canary=null",
            )
    run.check_model()
    checkpoint = run.load_agents(None)
    there = [*_served(session, run, client)]
    for one in there:
        if one.nearest != one.agent or one.apart[one.agent] > config.canary_tolerance:
            raise _another(one, client, f"{run.run.folder}, step {checkpoint.step}")
        if one.goes_on_from_others:
            raise _stale(one, client)
    log.info(
        "The served agents are those of %s, step %d: %.2g nats a token apart at most, and their replies %.2g",
        run.run.folder,
        checkpoint.step,
        max(one.apart[one.agent] for one in there),
        max(one.kept for one in there),
    )
    adapters = {group: checkpoint.adapter_sha256(group) for group in config.names}
    return {"run": run.config.name, "step": checkpoint.step, "adapters": adapters}


def _served(session: Session, run: Session, client: Client) -> Iterator[_Served]:
    """The base model, then every group's agent that is served under a name, on a few questions."""
    config = session.config.model
    policy, groups = run.policy.eval(), {group.name: group for group in run.groups.members}
    # Agents that share an adapter are one.
    agents = {policy.adapter_index(group): group for group in reversed(groups)}
    # Those that earlier audits asked: of them, prefixes may be kept.
    questions = (*session.split("test"), *session.queries)[:_QUESTIONS]
    exposure = run.config.collect.exposures[0]
    for group, name in ((None, config.name), *config.endpoint.names.items()):
        told = groups[group] if group else run.groups.members[0]
        texts = [run.renderer.render(first_turn(one, told, exposure, 0, run.config.prompt)) for one in questions]
        # First: a prompt that is sent back renews what is kept of it.
        replies = _written(client, name, texts)
        found = _echoed(client, name, [(text[:1], text[1:]) for text in texts])
        own = None if group is None else agents[policy.adapter_index(group)]
        apart = {
            one: float((text_log_probabilities(policy, texts, one) - found).abs().mean())
            for one in (None, *agents.values())
        }
        yield _Served(name, own, apart, _kept(client, name, replies))


def _written(client: Client, name: str, prompts: Sequence[tuple[int, ...]]) -> list[tuple[_Prompt, Completion]]:
    """A few tokens behind each prompt; nothing where the server does not report how likely it found them."""
    body = {"model": name, "max_tokens": _TOKENS, "temperature": 0.0, "logprobs": 1, "return_token_ids": True}
    found = []
    for prompt in prompts:
        try:
            reply = client.complete({**body, "prompt": list(prompt)}, attempts=2)
        except (RefusedError, LostError):
            return []
        if not reply.token_ids or len(reply.token_ids) != len(reply.log_probabilities or ()):
            return []
        found.append((prompt, reply))
    return found


def _kept(client: Client, name: str, replies: Sequence[tuple[_Prompt, Completion]]) -> float:
    """How far replies are from what their tokens are worth in a prompt; see `_Served`."""
    if not replies:
        return 0.0
    told = [value for _, reply in replies for value in reply.log_probabilities or ()]
    found = _echoed(client, name, [(prompt, reply.token_ids or ()) for prompt, reply in replies])
    return float((torch.tensor(told, dtype=torch.float64) - found).abs().mean())


def _echoed(client: Client, name: str, sent: Sequence[tuple[Sequence[int], Sequence[int]]]) -> torch.Tensor:
    """[tokens of all continuations] log-probabilities that the server gives under a name, each behind its prompt."""
    try:
        echoes = client.echo(echo_body(name, [(*prompt, *text) for prompt, text in sent]), attempts=2)
        values = [value for of_one in continuations(echoes, sent) for value in of_one]
    except (RefusedError, LostError) as error:
        raise UserError(
            f"The server at {client.base_url} gives no log-probabilities of prompts under the name '{name}' ({error}), "
            "without which nothing tells whose agent it is",
            "Serve with vLLM and --lora-target-modules, or set model.endpoint.canary=null",
        ) from error
    return torch.tensor(values, dtype=torch.float64)


def _another(one: _Served, client: Client, run: str) -> UserError:
    def called(agent: str | None) -> str:
        return "the base model" if agent is None else f"the agent of '{agent}'"

    near = f", and {one.apart[one.nearest]:.2g} from {called(one.nearest)}" if one.nearest != one.agent else ""
    return UserError(
        f"The server at {client.base_url} does not answer as {called(one.agent)} of {run} under the name '{one.name}': "
        f"its log-probabilities are {one.apart[one.agent]:.2g} nats a token from those here{near}",
        "Serve the adapters anew, each under a name that it never had before; where the server's number format alone "
        "makes the difference, raise model.endpoint.canary_tolerance",
    )


def _stale(one: _Served, client: Client) -> UserError:
    return UserError(
        f"The server at {client.base_url} goes on from prefixes of other weights under the name '{one.name}': what it "
        f"reports of its replies is {one.kept:.2g} nats a token from what the same tokens have in a prompt",
        "Serve the adapter under a name that it never had before, or start the server anew",
    )
