"""How the answers to choices came about: what is measured depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Words of ``scoring`` in a summary where no options were scored: replies were read, or held to the options.
SAMPLED, STRUCTURED = "sampled", "structured"
_WORDS = {
    "sum": "the option whose text, end included, the model finds most probable",
    "mean": "the option whose text the model finds most probable per token",
    "bytes": "the option whose text the model finds most probable per byte of the text, without its end",
    "pmi": "the option whose text, end included, the question makes most probable, more than without the question",
    "letter": "the option whose letter the model finds most probable",
    SAMPLED: "the option that the model's reply in words names",
    STRUCTURED: "the option in the model's reply, which the server holds to the options",
}


def way_of_answering(summary: Mapping[str, Any]) -> str:
    """How an answer to a choice was found, in words.

    Args:
        summary: of an audit, as `trialign.audit.figures.summary.read_summary` gives it.
    """
    scoring, temperature = summary["scoring"], summary.get("scoring_temperature")
    words = [_WORDS.get(scoring, scoring)]
    if not summary.get("question", True):
        words.insert(0, "no question was put, only its options, so that what is right is what these give away")
    if temperature not in (None, 1.0):
        words.append(f"for its share, scores are divided by a temperature of {temperature:g}, which changes no answer")
    logged = (summary.get("model") or {}).get("source") == "logs"
    if logged:
        without_end = "" if scoring == SAMPLED else ", the scores being those of the options' texts without their ends"
        words.append(f"another tool asked, and these are its logs{without_end}")
    if structured := _structured(summary):
        words.append(f"it does so by {structured}")
    counts = summary.get("statuses") or {}
    clarified = sum(of_group.get("clarified", 0) for of_group in counts.values())
    if clarified:
        replies = sum(sum(of_group.values()) for of_group in counts.values())
        words.append(f"{clarified} of {replies} replies named none, and the model was asked which option it meant")
    elif _clarifies(summary):
        words.append("a model whose reply names none is asked which option it meant")
    elif (unclear := _unclear(summary)) and not logged:
        words.append(f"{unclear} of the replies could not be read: audit.clarify=true asks again what they meant")
    if used := _used(summary):
        words.append(used)
    return "; ".join(words)


def _used(summary: Mapping[str, Any]) -> str | None:
    """What a model behind an address was asked for this audit, and what that cost."""
    usage = summary.get("usage")
    if not usage:
        return None
    requests, prompt, reply = (f"{usage[name]:,}" for name in ("requests", "prompt_tokens", "reply_tokens"))
    said = f"{requests} requests took {prompt} prompt and {reply} reply tokens"
    if 0 < usage["untold"] == usage["requests"]:
        said = f"{requests} requests, of which the server told no tokens"
    elif usage["untold"]:
        said += f", beside {usage['untold']:,} of which the server told no tokens"
    if "cost" in usage:
        said += f", {usage['cost']:.4f} {usage['currency']}"
    return f"{said}; {usage['kept']:,} answers were kept from before" if usage["kept"] else said


def differing_ways(summaries: Mapping[str, Mapping[str, Any]]) -> str | None:
    """A sentence where audits that are held against each other got their answers in different ways; else None.

    Args:
        summaries: name -> summary.
    """
    kinds = {
        (
            one["scoring"],
            one.get("scoring_temperature"),
            one.get("question", True),
            _structured(one),
            _clarifies(one),
        )
        for one in summaries.values()
    }
    if len(kinds) < 2:
        return None
    ways = " ".join(f"{name}: {way_of_answering(one)}." for name, one in summaries.items())
    return (
        "The answers came about in different ways, so a difference between these audits may be one between the ways. "
        f"{ways}"
    )


def _structured(summary: Mapping[str, Any]) -> str | None:
    found = (summary.get("model") or {}).get("structured")
    return found if isinstance(found, str) else None


def _unclear(summary: Mapping[str, Any]) -> int:
    """How many replies said something that could not be read, and were not asked about because that was off."""
    if summary["scoring"] != SAMPLED or summary.get("clarify") is not False:
        return 0
    counts = (summary.get("statuses") or {}).values()
    return sum(of_group.get(status, 0) for of_group in counts for status in ("none", "ambiguous", "cut_off"))


def _clarifies(summary: Mapping[str, Any]) -> bool:
    return summary["scoring"] in (SAMPLED, STRUCTURED) and summary.get("clarify") is True
