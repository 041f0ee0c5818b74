"""Whether the agents that a server serves are a run's: log-probabilities of a few prompts, there and here.

A server that serves adapters under names may answer as another one: a name that was loaded again keeps prefixes of the
old weights, and an adapter that never arrived leaves the base model. Neither shows in a reply.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trialign.api.session import open_run
from trialign.audit.asking.endpoint_options import echo_body, values_of
from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.environment import first_turn
from trialign.errors import UserError
from trialign.policy.next_tokens import text_log_probabilities

if TYPE_CHECKING:
    from trialign.api.session import Session

log = logging.getLogger("trialign")
_QUESTIONS = 4


@dataclass(frozen=True)
class _Served:
    """One agent behind an address, beside all that are here.

    Attributes:
        name: under which it is served.
        agent: whose it has to be; None: the base model's.
        apart: agent here (None: the base model) -> how far its log-probabilities are from the server's, mean of the
            absolute differences, in nats a token.
    """

    name: str
    agent: str | None
    apart: dict[str | None, float]

    @property
    def nearest(self) -> str | None:
        """The agent here that is nearest; the one that it has to be, unless another is less than half as far."""
        found = min(self.apart, key=self.apart.__getitem__)
        return found if 2 * self.apart[found] < self.apart[self.agent] else self.agent


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
    log.info(
        "The served agents are those of %s, step %d: %.2g nats a token apart at most",
        run.run.folder,
        checkpoint.step,
        max(one.apart[one.agent] for one in there),
    )
    adapters = {group: checkpoint.adapter_sha256(group) for group in config.names}
    return {"run": run.config.name, "step": checkpoint.step, "adapters": adapters}


def _served(session: Session, run: Session, client: Client) -> Iterator[_Served]:
    """The base model, then every group's agent that is served under a name, on a few questions of the audit."""
    config = session.config.model
    policy, groups = run.policy.eval(), {group.name: group for group in run.groups.members}
    # Agents that share an adapter are one.
    agents = {policy.adapter_index(group): group for group in reversed(groups)}
    exposure, questions = run.config.collect.exposures[0], session.queries[:_QUESTIONS]
    for group, name in ((None, config.name), *config.endpoint.names.items()):
        told = groups[group] if group else run.groups.members[0]
        texts = [run.renderer.render(first_turn(one, told, exposure, 0, run.config.prompt)) for one in questions]
        found = _echoed(client, name, texts)
        own = None if group is None else agents[policy.adapter_index(group)]
        apart = {
            one: float((text_log_probabilities(policy, texts, one) - found).abs().mean())
            for one in (None, *agents.values())
        }
        yield _Served(name, own, apart)


def _echoed(client: Client, name: str, texts: list[tuple[int, ...]]) -> torch.Tensor:
    """[tokens of all texts but their first] log-probabilities that the server gives under a name."""
    try:
        echoes = client.echo(echo_body(name, texts), attempts=2)
        if len(echoes) != len(texts):
            raise RefusedError(200, f"{len(echoes)} prompts came back of {len(texts)}")
        values = [value for echo, text in zip(echoes, texts, strict=True) for value in values_of(echo, 1, len(text))]
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
