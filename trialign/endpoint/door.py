"""What can be wrong with a server, found out before the first question is put."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.errors import UserError

LENGTH_KEYS = ("max_tokens", "max_completion_tokens")
_PROBED_TOKENS = 16  # a model that thinks first refuses fewer
_MOST_NAMES = 12


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
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise UserError(f"{key}, {base_url!r}, is no http or https address", example)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            f"{key} carries a user, a password or a query, which would be written into files",
            "Leave it out; the configuration names the environment variable that holds the key",
        )
    address = base_url.rstrip("/")
    if address.endswith(("/chat/completions", "/completions", "/models")):
        raise UserError(f"{key}, {base_url!r}, names one route of the server", example)
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


def knock(client: Client, body: Mapping[str, Any], model: str, key_variable: str | None) -> str:
    """Asks for the models, then for one short answer.

    Args:
        client: the server.
        body: a request as the audit sends it, without the longest length of the reply.
        model: the name that stands in it.
        key_variable: where the key comes from; None: there is none.

    Returns:
        The key by which this server is told the longest length of a reply.

    Raises:
        UserError: no server, no such model, no chat there, or the key or the request is refused.
    """
    offered: list[str] | None = None
    try:
        offered = client.models()
        return _length_key(client, body)
    except LostError as error:
        raise UserError(
            f"No answer comes from {client.base_url} ({error})",
            "Start the server, or set model.base_url to where it runs",
        ) from error
    except RefusedError as error:
        raise _fault(error, client.base_url, offered, model, key_variable) from error


def _length_key(client: Client, body: Mapping[str, Any]) -> str:
    """Most servers know ``max_tokens``; some hosted models refuse it and name ``max_completion_tokens``."""
    old, new = LENGTH_KEYS
    try:
        client.chat({**body, old: _PROBED_TOKENS})
    except RefusedError as error:
        if new not in error.message:
            raise
        client.chat({**body, new: _PROBED_TOKENS})
        return new
    return old


def _fault(
    error: RefusedError, base_url: str, offered: list[str] | None, model: str, key_variable: str | None
) -> UserError:
    if error.status in (401, 403):
        if key_variable is None:
            remedy = "Name the environment variable that holds the key in model.endpoint.api_key_variable"
        else:
            remedy = f"Check the key in the environment variable {key_variable}, and what it is allowed"
        return UserError(f"The server at {base_url} refuses access ({error})", remedy)
    if offered is not None and model not in offered and error.status in (400, 404, 422):
        shown = ", ".join(offered[:_MOST_NAMES]) or "none"
        more = f" and {len(offered) - _MOST_NAMES} more" if len(offered) > _MOST_NAMES else ""
        return UserError(
            f"The server at {base_url} does not answer as the model '{model}' ({error})",
            f"Set model.name to one that it offers: {shown}{more}",
        )
    if error.status in (200, 301, 302, 307, 308, 404, 405, 501):
        return UserError(
            f"There is no chat endpoint at {base_url}/chat/completions ({error})",
            "Set model.base_url to the address before /chat/completions, which ends in /v1 for most servers, and "
            "serve a model with a chat template",
        )
    return UserError(
        f"The server at {base_url} refuses a question as the audit puts it ({error})",
        "Change what it names: model.name, model.endpoint.temperature=null and model.endpoint.seed=false leave these "
        "keys out, model.endpoint.extra adds others",
    )
