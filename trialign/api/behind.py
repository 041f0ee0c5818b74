"""Agents that are not here: behind an address, or in what another tool logged of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trialign.audit.asking.endpoint import EndpointAgents, check_names
from trialign.audit.asking.logged import LoggedAgents
from trialign.errors import UserError

if TYPE_CHECKING:
    from trialign.api.session import Session


def endpoint_agents(session: Session) -> EndpointAgents:
    """The agents behind an address; the server has answered once.

    Raises:
        UserError: address, names or prompt are at fault, the server does not answer, or answers as other agents.
    """
    config, length = session.config, session.config.audit.max_new_tokens
    check_names(config.model.endpoint.names, session.groups.names)
    choices = any(query.options for query in session.queries)
    agents = EndpointAgents.at_the_door(
        config.model,
        session.runs / ".answers",
        length,
        config.seed,
        config.scoring,
        date=config.prompt.date,
        choices=choices,
    )
    hidden = config.prompt.options == "hidden" and choices
    if hidden and agents.scoring is None:
        raise UserError(
            "This model behind an address answers in words, and prompt.options=hidden does not tell it the options",
            "Set prompt.options to lettered or listed",
        )
    if config.model.endpoint.canary is not None:
        from trialign.api.canary import check_served  # the engine is for those who need it

        return replace(agents, found=check_served(session, agents.client))
    return agents


def logged_agents(session: Session) -> LoggedAgents:
    """The agents whose replies are in logs; every reply is to a question of the data.

    Raises:
        UserError: a log is at fault, or the audit is to ask what no log can answer.
    """
    config, audit = session.config, session.config.audit
    logs = config.model.logs
    if logs is None:
        raise UserError("model.source is logs, and model.logs.files names none", "Set model.logs.files=...")
    if not config.prompt.question:
        raise UserError("prompt.question is false, and what was logged are replies to questions", "Leave it out")
    for key, plain, now in (
        ("audit.exposures", 1, len(audit.exposures)),
        ("audit.wordings", 1, audit.wordings),
        ("audit.turns", 0, audit.turns),
        ("audit.pressure", 0, len(audit.pressure)),
        ("audit.clarify", 0, audit.clarify),
    ):
        if now > plain:
            raise UserError(
                f"The answers are in logs (model.source=logs), and {key} asks for others",
                "Begin with --config conf/audit/logs.yaml, which asks for none, or set this as it does",
            )
    known = {query.query_id: query for query in session.queries}
    everyone = [group.name for group in session.groups.everyone]
    return LoggedAgents.of(config.model.name, logs, everyone, known, config.scoring, config.data.name)
