"""What can be wrong with a server, found out before the first question is put."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from trialign.endpoint.client import BUSY, Client, LostError, RefusedError
from trialign.endpoint.faults import at_the_door
from trialign.endpoint.replies import FILTERED
from trialign.errors import UserError

LENGTH_KEYS = ("max_tokens", "max_completion_tokens")
#: Values under which a reply is sampled from the model's own distribution. What a request leaves out, vLLM takes from
#: the model's generation_config.json, and llama.cpp from defaults of its own (top_k 40, top_p 0.95, min_p 0.05).
NEUTRAL: Mapping[str, float] = {
    "top_p": 1.0,
    "top_k": -1,  # vLLM and SGLang have taken 0 for it only since 2025, llama.cpp takes both
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
_OF_THE_PROTOCOL = ("top_p", "presence_penalty", "frequency_penalty", "logprobs")
_ROUTES = ("/chat/completions", "/completions", "/models", "/responses")
_PROBED_TOKENS = 16  # a model that thinks first refuses fewer
_ATTEMPTS = 2  # at the door
_TAKEN_HEADERS = (
    "content-length",
    "content-type",
    "transfer-encoding",
    "host",
    "connection",
    "accept-encoding",
    "expect",
)
T = TypeVar("T")


def checked_url(base_url: str | None, key: str = "model.base_url") -> str:
    """The address without the slash at its end.

    Args:
        base_url: as it stands in the configuration.
        key: where it stands there.

    Raises:
        UserError: it is no http address, carries a password, or names one route of the server.
    """
    example = f"Set {key} to the address before /chat/completions, such as http://127.0.0.1:8000/v1"
    if not base_url:
        raise UserError(f"{key} is not set, and asking a server needs it", example)
    try:
        parts = urlsplit(base_url)
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise UserError(
                f"{key} carries a user, a password or a query, which would be written into files",
                "Leave it out; the configuration names the environment variable that holds the key, and "
                "model.endpoint.query what stands behind the question mark",
            )
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")
        httpx2.URL(base_url)
    except (ValueError, httpx2.InvalidURL):
        sound = False
    if not sound or " " in base_url or not base_url.isprintable():
        raise UserError(f"{key}, {base_url!r}, is no http or https address", example)
    address = base_url.rstrip("/")
    for route in _ROUTES:
        if address.endswith(route):
            raise UserError(
                f"{key}, {base_url!r}, names one route of the server",
                f"Set it to what stands before that: {address.removesuffix(route)}",
            )
    return address


def api_key(variable: str | None, stated: str = "model.endpoint.api_key_variable") -> str | None:
    """The key, from the environment.

    Args:
        variable: that holds it; None: there is none.
        stated: the config key that names the variable.

    Raises:
        UserError: the variable is not set, or holds what no header can carry.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UserError(
            f"The environment variable {variable}, named by {stated}, is not set",
            f"Set it to the key (export {variable}=...), or {stated}=null for a server without",
        )
    if not key.isascii() or not key.isprintable():
        raise UserError(f"The key in {variable} has characters that no key has", "Set the variable to the key alone")
    return key


@dataclass(frozen=True)
class Agreed:
    """How a server is spoken to, as it was found out.

    Attributes:
        length_key: the key that tells it the longest length of a reply.
        sampling: the neutral values (`NEUTRAL`) that it takes.
    """

    length_key: str = LENGTH_KEYS[0]
    sampling: Mapping[str, float] = field(default_factory=dict)


def check_header(name: str | None, stated: str = "model.endpoint.api_key_header") -> None:
    """Refuses a header that cannot carry a key.

    Args:
        name: of the header; None: the usual one.
        stated: the config key that names it.

    Raises:
        UserError: it is no name of a header, or one that says something else of a request.
    """
    if name is None:
        return
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or name.lower() in _TAKEN_HEADERS:
        raise UserError(
            f"{stated}, {name!r}, is no header that carries a key", "Set it to api-key, as Azure has it, or null"
        )


def knock(
    client: Client,
    body: Mapping[str, Any],
    model: str,
    key_variable: str | None,
    sampling: Mapping[str, float],
    *,
    beside: str | None = None,
) -> Agreed:
    """Asks for the models, then for one short answer.

    Args:
        client: the server.
        body: a request as the audit sends it, without the longest length of the reply.
        model: the name that stands in it.
        key_variable: where the key comes from; None: there is none.
        sampling: further keys that are sent where the server takes them.
        beside: the name of the base model, where this one is an agent's served beside it: it has to be among the models
            that the server tells, if it tells any, and its reply must not be the base model's.

    Raises:
        UserError: no server, no such model, no chat there, or the key or the request is refused.
        UnfinishedError: it asks for a longer wait than it may.
    """
    offered: list[str] | None = None
    try:
        offered = client.models()
        reply, agreed = agree(lambda keys, attempts: client.chat({**body, **keys}, attempts), sampling)
        if reply.finish == FILTERED:
            raise RefusedError(200, "content_filter", "filter")
        if beside is not None:
            _refuse_the_base(client, model, offered, beside, reply.model)
        return agreed
    except (LostError, RefusedError) as error:
        raise at_the_door(error, client, offered, model, key_variable) from error


def _refuse_the_base(client: Client, model: str, offered: Sequence[str] | None, base: str, answered: str) -> None:
    """Refuses a server that does not know a name, and answers nevertheless."""
    remedy = "Serve every agent under its name (the export's model card says how), or correct model.endpoint.names"
    if offered and model not in offered:
        several = ", ".join(offered[:10])
        raise UserError(f"The server at {client.base_url} does not offer '{model}' but {several}", remedy)
    if answered == base != model:
        raise UserError(f"The server at {client.base_url} was asked for '{model}' and answered as '{base}'", remedy)


def agree(ask: Callable[[Mapping[str, Any], int | None], T], sampling: Mapping[str, float]) -> tuple[T, Agreed]:
    """Finds out which keys a server takes, by asking it with fewer until it answers.

    Most servers know ``max_tokens``; some hosted models refuse it and name ``max_completion_tokens``. Servers that know
    the protocol's own keys alone refuse others, by name or not.

    Args:
        ask: sends a request with these keys beside its own, so many times at most.
        sampling: keys that may be left out.

    Raises:
        RefusedError: the server does not answer even without them.
        LostError: it does not answer.
    """
    (old, new), agreed = LENGTH_KEYS, Agreed(sampling=dict(sampling))
    while True:
        keys = {**agreed.sampling, agreed.length_key: _PROBED_TOKENS}
        try:
            return patiently(partial(ask, keys)), agreed
        except RefusedError as error:
            if error.status not in (400, 422) or error.matter != "other":
                raise
            if agreed.length_key == old and new in error.message:
                agreed = replace(agreed, length_key=new)
            elif agreed.sampling:
                agreed = replace(agreed, sampling=_fewer(agreed.sampling, error.message))
            else:
                raise


def patiently(ask: Callable[[int | None], T]) -> T:
    """What is wrong with an address stays wrong, and is said soon; a server that is busy is waited for."""
    try:
        return ask(_ATTEMPTS)
    except LostError as error:
        if error.status not in BUSY or error.wait is not None:
            raise
        return ask(None)


def _fewer(sampling: Mapping[str, float], message: str) -> dict[str, float]:
    """The keys that are left when a server refuses some: those it does not name, or the protocol's own, or none."""
    left = {key: value for key, value in sampling.items() if not re.search(rf"\b{key}\b", message)}
    if len(left) < len(sampling):
        return left
    own = {key: value for key, value in sampling.items() if key in _OF_THE_PROTOCOL}
    return own if len(own) < len(sampling) else {}
