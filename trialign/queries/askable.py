"""Whether a question can be asked without its options, as a person asks it."""

from __future__ import annotations

import re

from trialign.queries.reading.languages import language
from trialign.queries.types import Query

# A question that points at its options: "which of the following", "choose", and their like in other languages.
_POINTS = re.compile(
    r"\b(?:(?:which|what|who|any|one|each|because|out|among|amongst|from|between)(?: of| from)? (?:these|those)\b"
    r"(?! (?:days|times|parts))|(?:these|those|the) (?:two |three |four |five |six )?"
    r"(?:options|choices|alternatives|statements|answers|sentences)"
    r"|following(?! (?:day|week|month|year|decade|century|season|morning|night))|(?:listed|given|shown) (?:below|above)"
    r"|(?:best|correctly) (?:completes?|fills?|answers?) (?:the|this)|fill in|true or false"
    r"|folgende[nrms]?|suivant(?:e|s|es)?|siguientes?|seguent[ei]|seguintes?|volgende)\b"
    r"|^\W*(?:choose|select|pick) (?:the|one|an?)\b|^\W*(?:out )?of (?:these|those)\b"
    r"|следующ\w+|下列|以下|次の(?:うち|中)|다음 중|التالية|مما يلي|निम्न|ข้อใด",
    re.IGNORECASE,
)
# An option that points at the others.
_AMONG = re.compile(
    r"^\W*(?:(?:all|none|both|neither|either|any|two|three)(?: of)? (?:these|those|them|the above|the others?|"
    r"the options|the answers)|(?:both|neither|either) \(?[a-h]\)? (?:and|nor|or) \(?[a-h]\)?|[a-h] (?:and|or|&) [a-h]"
    r"|(?:all|none|both|neither)(?: of the)? above|the above|both|neither)\W*$|\bnone of the above\b",
    re.IGNORECASE,
)
# A sentence with a gap, or one that is left open.
_GAP = re.compile(r"_{2,}|\.{3,}\s*$|…\s*$|[:,\-–—]\s*$|\bBLANK\b|\[(?:MASK|BLANK)\]")
_ENDS = re.compile(r"[?？؟;；.!。！।՞]\W*$")
_ASKS = re.compile(
    r"\b(?:who|whom|whose|what|which|when|where|why|how|tell me|name)\b"
    r"|^\W*(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|may|might|must|has|have|had|name|tell|give|"
    r"say|explain|describe|list|find|compute|calculate|recommend|suggest|help)\b",
    re.IGNORECASE,
)


def needs_options(query: Query) -> bool:
    """Whether a question makes sense only with its options beside it.

    So it is where its words point at them ("which of the following"), where an option points at the others ("all of
    these"), and where it is a sentence to be completed. In doubt it can be asked without.
    """
    if not query.options:
        return False
    question = query.question.strip()
    if _POINTS.search(question) or _GAP.search(question):
        return True
    if any(_AMONG.search(option) for option in query.options):
        return True
    return not _ENDS.search(question) and language(question) in ("en", None) and not _ASKS.search(question)
