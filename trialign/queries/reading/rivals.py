"""Whether a reply names another number beside one as just as good: "5 or 6"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from trialign.queries.reading.numbers import Number

_EITHER = re.compile(
    r"\s?(?P<unit>[^\W\d]{1,12}\.?|[$€£%°])?,?\s?\b(?:or|o|ou|oder|или|либо|то ли|або|lub|albo|veya|ya da|yahut|atau|"
    r"hoặc|أو|یا|או|या|หรือ|或|或者|还是|または|또는|혹은|ή)\s?(?:maybe |perhaps |[$€£])?",
    re.IGNORECASE,
)


def _converts(unit: str | None, after: str) -> bool:
    """Whether the same amount is given in two units: "30 metres, or 98 feet"."""
    following = re.match(r"\s?([^\W\d]{1,12}|[$€£%°])", after)
    return bool(unit and following and unit.casefold() != following[1].casefold())


def is_either(said: str, found: Sequence[Number], chosen: Number) -> bool:
    """Whether "or" joins the number, or it and its unit, with another one."""
    return any(
        left.readings != right.readings
        and chosen.readings in (left.readings, right.readings)
        and right.start - left.end < 24
        and (joined := _EITHER.fullmatch(said[left.end : right.start])) is not None
        and not _converts(joined["unit"], said[right.end : right.end + 16])
        for left, right in pairwise(found)
    )
