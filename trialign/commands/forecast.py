"""``trialign test --dry-run``: what an audit would ask and cost, before anything is asked."""

from __future__ import annotations

import math
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from trialign.api.auditing import Audited
from trialign.api.session import Session
from trialign.audit.asking.attacks import attacks_of
from trialign.audit.asking.endpoint import answer_file, spending_of
from trialign.audit.asking.forecast import CHARACTERS_PER_TOKEN, Forecast, forecast, forecast_pressure, rough_tokens
from trialign.audit.asking.run import Auditor, Unasked
from trialign.endpoint.answers import AnswerFile
from trialign.endpoint.door import checked_url
from trialign.endpoint.spending import Prices
from trialign.environment import Conversation, option_actions
from trialign.errors import UserError
from trialign.models import ChatRenderer, tokenizer_of_hub_or_folder
from trialign.queries import Query
from trialign.queries.limits import first_clusters


def dry_run(session: Session, split: Audited, *, trained: bool) -> None:
    """Prints what one audit would take; nothing is asked, and no weights are loaded.

    Raises:
        UserError: groups, questions, prompt, model or prices are at fault.
    """
    if session.config.model.source == "logs":
        raise UserError(
            "The answers are in logs (model.source=logs), and no audit of them asks any", "Leave --dry-run out"
        )
    session.check_questions()
    queries = session.require_split(split)
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    config, behind = session.config, session.config.model.source == "endpoint"
    renderer = _renderer(session)
    prices = spending_of(config.model).prices if behind else None
    parts = _forecasts(session, queries, renderer, trained=trained)
    Console().print(_table(parts, prices))
    if renderer is None:
        say(f"No tokenizer is named: tokens are estimated, {CHARACTERS_PER_TOKEN} characters each.")
    if behind:
        for sentence in _of_server(session, parts, prices):
            say(sentence)


def _renderer(session: Session) -> ChatRenderer | None:
    """What makes prompts into tokens; None where a server's tokenizer is not named."""
    config = session.config
    if config.model.source != "endpoint":
        return session.renderer
    name = config.model.endpoint.tokenizer
    return None if name is None else ChatRenderer(tokenizer_of_hub_or_folder(name), date=config.prompt.date)


def _forecasts(
    session: Session, queries: tuple[Query, ...], renderer: ChatRenderer | None, *, trained: bool
) -> dict[str, Forecast]:
    """Way of answering -> what it takes; of scored options, of replies, and of what is asked once more in words."""
    config, behind = session.config, session.config.model.source == "endpoint"
    scores = renderer is not None and (not behind or config.model.endpoint.choices != "sampled")
    agents = Unasked(config.model.endpoint.repeats if behind else 1)
    strip = trained and not session.has_agents and config.objective.strip_profile
    auditor = Auditor(agents, session.audited_groups, config.prompt, config.audit, strip, config.environment.topology)

    def count(conversation: Conversation) -> int:
        return rough_tokens(conversation) if renderer is None else len(renderer.render(conversation))

    def actions(query: Query) -> list[int]:
        assert renderer is not None
        return [len(action) for action in option_actions(query, config.scoring, renderer)]

    scored, replied = forecast(auditor, queries, count, actions if scores else None)
    found = {"scored options": scored, "replies": replied}
    if not behind and "replies" in config.audit.answers and config.prompt.question:
        spoken = first_clusters(queries, config.audit.replies_limit)
        found["in words"] = forecast(replace(auditor, in_words=True), spoken, count)[1]
    if attacks := attacks_of(config.audit.pressure, len(session.audited_groups.members)):
        found["under pressure"] = forecast_pressure(auditor, queries, attacks, count, actions if scores else None)
    return {name: one for name, one in found.items() if one.requests}


def _table(parts: dict[str, Forecast], prices: Prices | None) -> Table:
    table = Table(title="What this audit would ask")
    for column in ("", "questions to agents", "prompt tokens", "reply tokens, at most"):
        table.add_column(column, justify="right" if column else "left")
    if prices:
        table.add_column(f"{prices.currency}, at most", justify="right")
    total = Forecast(*(sum(getattr(one, name) for one in parts.values()) for name in Forecast.__dataclass_fields__))
    for name, one in {**parts, **({"in all": total} if len(parts) > 1 else {})}.items():
        cells = [f"{number:,}" for number in (one.requests, one.prompt_tokens, one.most_reply_tokens)]
        cost = [f"{prices.cost(one.prompt_tokens, one.most_reply_tokens):.4f}"] if prices else []
        table.add_row(name, *cells, *cost)
    return table


def _of_server(session: Session, parts: dict[str, Forecast], prices: Prices | None) -> list[str]:
    """What is to be said of a model behind an address."""
    endpoint, clarify = session.config.model.endpoint, session.config.audit.clarify
    said = []
    if "scored options" in parts:
        said.append("Options are scored where the server gives log-probabilities of prompts; else they are replied to.")
    elif clarify:
        said.append("A reply to a choice that cannot be read is asked about once more, and costs as much again.")
    if endpoint.requests_per_minute:
        minutes = math.ceil(sum(one.requests for one in parts.values()) / endpoint.requests_per_minute)
        said.append(
            f"At model.endpoint.requests_per_minute={endpoint.requests_per_minute:g}: at least {minutes} minutes."
        )
    if prices is None:
        said.append("No prices are stated: model.endpoint.prices names a file of them.")
    url = checked_url(session.config.model.base_url)
    file = answer_file(session.runs / ".answers", url, session.config.model.name)
    if kept := len(AnswerFile(file)):
        said.append(f"{kept:,} answers of this model are kept in {file}: what is asked as it was costs nothing.")
    said.append("Nothing was asked.")
    return said
