"""What is said of a server that cannot be used, and the remedy that fits what it says."""

from __future__ import annotations

from urllib.parse import urlsplit

from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.network import Way
from trialign.errors import UnfinishedError, UserError

_MOST_NAMES = 12
_CHAT_REMEDY = (
    "Set model.base_url to the address before /chat/completions, which ends in /v1 for most servers, and serve a model "
    "with a chat template"
)
_NAMES = ("name or service", "name resolution", "nodename nor servname", "no address associated", "getaddrinfo")
_PLAIN = ("wrong_version_number", "wrong version number", "record layer failure", "unknown_protocol")


def at_the_door(
    error: RefusedError | LostError, client: Client, offered: list[str] | None, model: str, key_variable: str | None
) -> UserError | UnfinishedError:
    """What is said before the first question.

    Args:
        error: what the server says.
        client: the server.
        offered: the models that it offers; None: it tells none.
        model: the one that was asked for.
        key_variable: where the key comes from; None: there is none.
    """
    url = client.base_url
    if isinstance(error, LostError):
        if error.wait is not None:
            return UnfinishedError(f"The server at {url} cannot be asked now: {error}", _of_wait("model.endpoint"))
        if error.foreign:
            return UserError(f"There is no chat endpoint at {url}/chat/completions ({error})", _CHAT_REMEDY)
        if error.status is None:
            return UserError(f"No answer comes from {url} ({error})", of_lost(error, client))
        return UserError(f"The server at {url} is there and fails ({error})", of_lost(error, client))
    known = _of_matter(error, url, key_variable, client.way)
    if known:
        return known
    unknown = offered is not None and model not in offered
    named = "model" in error.message.lower() and any(s in error.message.lower() for s in ("not exist", "not found"))
    if error.status in (400, 404, 422) and (unknown or named):
        return UserError(f"The server at {url} does not answer as the model '{model}' ({error})", _of_model(offered))
    if 300 <= error.status < 400:
        return UserError(
            f"There is no chat endpoint at {url}/chat/completions ({error})",
            "Set model.base_url to where it sends on, without /chat/completions; no request is sent on by itself",
        )
    if error.status in (404, 405, 501):
        return UserError(f"There is no chat endpoint at {url}/chat/completions ({error})", _CHAT_REMEDY)
    return UserError(
        f"The server at {url} refuses a question as the audit puts it ({error})",
        "Change what it names: model.name, model.endpoint.temperature=null and model.endpoint.seed=false leave these "
        "keys out, model.endpoint.extra and model.endpoint.query add others",
    )


def on_the_way(
    error: RefusedError | LostError,
    client: Client,
    asked: str,
    kept: str,
    key_variable: str | None,
    given_up: str | None = None,
) -> UserError | UnfinishedError:
    """What is said when an audit ends at a question.

    Args:
        error: what the server says.
        client: the server.
        asked: the question, and whose.
        kept: the answers that are kept, and where.
        key_variable: where the key comes from; None: there is none.
        given_up: why the server is, where it is not this question's matter alone.
    """
    again = f"{kept} are kept: run the same command, which goes on from there"
    if isinstance(error, LostError):
        fault = given_up or f"it gives no answer after {client.attempts} attempts"
        if error.wait is not None:
            return UnfinishedError(
                f"The server at {client.base_url} cannot be asked further: {error}",
                f"{_of_wait('model.endpoint')}; {again}",
            )
        return UnfinishedError(
            f"The server at {client.base_url} is given up: {fault} ({error})", f"{of_lost(error, client)}; {again}"
        )
    if error.matter in ("access", "quota", "proxy"):
        known = _of_matter(error, client.base_url, key_variable, client.way)
        assert known is not None
        return UnfinishedError(known.problem, f"{known.remedy}; {again}")
    remedy = "Shorten" if error.matter == "length" else "Change"
    return UserError(f"The server refuses {asked} ({error})", f"{remedy} or leave out the question; {kept} are kept")


def of_lost(error: LostError, client: Client, keys: str = "model.endpoint") -> str:
    """The remedy where no answer came.

    Args:
        error: what happened.
        client: the server.
        keys: of the configuration that say how the server is asked.
    """
    said, way, url = str(error).lower(), client.way, urlsplit(client.base_url)
    base_url = "model.base_url" if keys == "model.endpoint" else f"{keys}.base_url"
    if error.status is not None:
        return _of_failure(error.status, keys)
    if "certificate" in said:
        named = f"{way.certificates} names certificates that do not" if way.certificates else "SSL_CERT_FILE does not"
        return f"Set SSL_CERT_FILE to a file with the certificate that signs the server's: {named} vouch for it"
    if url.scheme == "https" and any(word in said for word in _PLAIN):
        return f"Write http:// instead of https:// in {base_url}, if the server there encrypts nothing"
    if way.variable:
        return (
            f"Requests go through the proxy that {way.variable} names: look whether it runs, or add {url.hostname} to "
            "NO_PROXY"
        )
    if any(word in said for word in _NAMES):
        return f"Check the name of the host, {url.hostname}, in {base_url}, and that this machine reaches it"
    if "timed out" in said or "timeout" in said:
        return f"Look whether the server is overloaded, or raise {keys}.timeout, which is {client.timeout:g} seconds"
    if error.at_question:
        return f"Look whether a server of HTTP listens there, with https:// in {base_url} if it encrypts"
    return f"Start the server, or set {base_url} to where it runs"


def _of_failure(status: int, keys: str) -> str:
    if status == 429:
        slower = "" if keys == "rollouts" else f"{keys}.requests_per_minute or a smaller "
        return f"It takes fewer requests than come: set {slower}{keys}.concurrent_requests"
    if status in (502, 503, 504, 529):
        return "A server or gateway answers that the model behind it does not: wait until it runs, or see its log"
    return "The server's own log says why; see that it serves a model that chats"


def _of_wait(keys: str) -> str:
    return f"Come back when that time is over, or raise {keys}.longest_wait"


def _of_matter(error: RefusedError, url: str, key_variable: str | None, way: Way) -> UserError | None:
    """What is clear from what a refusal is about; None where it is not."""
    if error.matter == "proxy":
        name = way.variable or "the environment"
        return UserError(
            f"The proxy that {name} names refuses access ({error})", f"Write user and password into {name}"
        )
    if error.matter == "quota":
        return UserError(
            f"No credit is left at {url} ({error})", "Raise the quota or pay for more where the key comes from"
        )
    if error.matter == "access":
        if key_variable is None:
            remedy = "Name the environment variable that holds the key in model.endpoint.api_key_variable"
        else:
            remedy = f"Check the key in the environment variable {key_variable}, and what it is allowed"
        return UserError(f"The server at {url} refuses access ({error})", remedy)
    if error.matter == "system":
        return UserError(
            f"The model at {url} takes no system message, in which every agent is told its profile ({error})",
            "Serve it with a chat template that takes one (vLLM: --chat-template), or audit another model",
        )
    if error.matter == "filter":
        return UserError(
            f"A content filter at {url} withholds even a greeting ({error})", "Change the filter's settings there"
        )
    return None


def _of_model(offered: list[str] | None) -> str:
    if offered is None:
        return "Set model.name to a model that it offers"
    shown = ", ".join(offered[:_MOST_NAMES]) or "none"
    more = f" and {len(offered) - _MOST_NAMES} more" if len(offered) > _MOST_NAMES else ""
    return f"Set model.name to one that it offers: {shown}{more}"
