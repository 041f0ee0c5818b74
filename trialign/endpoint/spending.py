"""What an audit of a model behind an address uses: tokens, at stated prices, up to a stated limit."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trialign.endpoint.replies import Reply
from trialign.errors import UnfinishedError, UserError

MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """Of a million tokens.

    Attributes:
        prompt: of prompts.
        reply: of replies.
        currency: in which both are, as it is printed.
    """

    prompt: float
    reply: float
    currency: str

    def cost(self, prompt: int, reply: int) -> float:
        """Of so many tokens, in the currency."""
        return (prompt * self.prompt + reply * self.reply) / MILLION


@dataclass(frozen=True)
class Usage:
    """What was asked, as far as the server tells.

    Attributes:
        requests: that brought a reply.
        prompt_tokens: of their prompts.
        reply_tokens: of their replies, thoughts included where the server counts them.
        untold: of these requests, how many came back without a count.
        kept: questions whose reply was kept from before, and cost nothing.
    """

    requests: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    untold: int = 0
    kept: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def record(self, prices: Prices | None) -> dict[str, Any]:
        """For ``summary.json``."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if prices is None:
            return found
        cost = prices.cost(self.prompt_tokens, self.reply_tokens)
        return {**found, "cost": round(cost, 6), "currency": prices.currency}


class Spending:
    """Adds up what is used; for use from several threads.

    Args:
        most_tokens: of prompts and replies, after which no request is sent; None: no limit.
        most_cost: in the prices' currency; None: no limit.
        prices: None: not known.
    """

    def __init__(self, most_tokens: int | None = None, most_cost: float | None = None, prices: Prices | None = None):
        self.prices = prices
        self._most_tokens, self._most_cost = most_tokens, most_cost
        self._lock = threading.Lock()
        self._used = Usage()

    @property
    def used(self) -> Usage:
        """So far."""
        return self._used

    def check(self, where: str) -> None:
        """Refuses a further request where a limit is reached.

        Args:
            where: the file in which answers are kept.

        Raises:
            UnfinishedError: it is reached.
        """
        tokens = self._used.prompt_tokens + self._used.reply_tokens
        if self._most_tokens is not None and tokens >= self._most_tokens:
            raise _reached("model.endpoint.most_tokens", self._most_tokens, f"{tokens} tokens were used", where)
        if self._most_cost is not None and self.prices is not None:
            cost = self.prices.cost(self._used.prompt_tokens, self._used.reply_tokens)
            if cost >= self._most_cost:
                said = f"{cost:.4f} {self.prices.currency} were spent"
                raise _reached("model.endpoint.most_cost", self._most_cost, said, where)

    def asked(self, reply: Reply) -> None:
        """Adds a reply that was asked for.

        Raises:
            UserError: a limit is set, and the server does not tell what a reply took.
        """
        told = reply.prompt_tokens is not None and reply.reply_tokens is not None
        if not told and (self._most_tokens is not None or self._most_cost is not None):
            raise UserError(
                "The server does not tell how many tokens a reply took, and a limit on them is set",
                "Leave model.endpoint.most_tokens and model.endpoint.most_cost out, and limit the questions "
                "(data.limit), after a look at --dry-run",
            )
        self._add(Usage(1, reply.prompt_tokens or 0, reply.reply_tokens or 0, int(not told)))

    def found(self) -> None:
        """Adds a reply that was kept from before."""
        self._add(Usage(kept=1))

    def _add(self, more: Usage) -> None:
        with self._lock:
            self._used += more


def _reached(key: str, limit: float, said: str, where: str) -> UnfinishedError:
    return UnfinishedError(
        f"{key}={limit:g} is reached: {said}",
        f"The answers so far are kept in {where}, and the same command goes on with as much again",
    )


def read_prices(path: Path, model: str) -> Prices:
    """The prices of one model, from a YAML file of a currency and of models.

    Raises:
        UserError: the file cannot be read, or does not name this model's prices.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"The prices of {path} cannot be read ({type(error).__name__})", _FORM) from error
    models = content.get("models") if isinstance(content, Mapping) else None
    stated = models.get(model) if isinstance(models, Mapping) else None
    if not isinstance(stated, Mapping):
        raise UserError(f"The file {path} states no prices of the model '{model}'", _FORM)
    values = [stated.get(name) for name in ("prompt", "reply")]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < MILLION for v in values):
        raise UserError(f"The prices of '{model}' in {path} are not two numbers of at least 0", _FORM)
    currency = content.get("currency", "USD")
    if not isinstance(currency, str) or not currency.strip().isprintable() or not 0 < len(currency.strip()) <= 12:
        raise UserError(f"The currency in {path} is not a short word", _FORM)
    return Prices(float(values[0]), float(values[1]), currency.strip())  # type: ignore[arg-type]


_FORM = "Write, of a million tokens each: currency: USD, and models: {NAME: {prompt: 0.15, reply: 0.6}}"
