"""Whether a number of a reply is calculated with, or what a calculation comes to."""

from __future__ import annotations

import re

from trialign.queries.reading.numbers import Number

_OPERATION = (
    r"times|plus|minus|multiplied by|divided by|más|por|mais|fois|geteilt durch|mal|умножить на|плюс|"
    r"минус|乘以|加上?|减去?|除以|かける|たす|ひく"
)
_OPERAND_BEFORE = re.compile(
    rf"^\s?(?:[+*/÷×·]|x(?=\s?\d)|-(?=\s?\d)|{_OPERATION})\s?[$€£(]?\d|^\s?="
    r"|^\s?[가-힣]{0,2}[을를]?\s?(?:더하|빼|곱하|나누)|^[^\W\d]{0,3}[をに]\s?(?:引|足|掛|割)"
)
_OPERAND_AFTER = re.compile(
    rf"(?:[\d)]\s?[+*/÷×·x-]|[.;:\n]\s(?i:{_OPERATION})|\d\s?[^\W\d]{{0,4}}\s?(?:{_OPERATION})|"
    r"\b(?:half|quarter|third|fifth|tenth)s?\sof|"
    r"\b(?:divide|multiply|add|subtract)(?:ing)?(?:\s\S{1,12}\s(?:and|by|to|from|with))?)\s?$"
)
_RESULT = re.compile(
    r"(?:[=≈⇒→]|\b(?:in total|altogether|in all|ao todo|no total|en total|en tout|in tutto|in totale|insgesamt|"
    r"всего|итого)"
    r"(?:,? (?:is|are|that is|são|son|sono|sind|ce sont|это))?|(?:合わせて|合計|总共|一共)(?:で|是|为)?|"
    r"\b(?:equals|equal to|gives|makes|yields|totals?|ergibt|igual a|égale|font|"
    r"равно|будет|uguale a|eşittir|donne|donnent|resulta|quedan|restano|rimangono|bleiben|получаем|получится|"
    r"остаётся|yapar|eder|leaves)|等于|得|يساوي|تساوي|برابر|बराबर|เท่ากับ)\s?[$€£]?$",
    re.IGNORECASE,
)


# An equation that is still to be solved: "12d = 300".
_UNSOLVED = re.compile(r"(?:\d\s?[a-zA-Z]|[a-zA-Z]\s?[-+*/·×]\s?\d+)\s?=\s?$")
_TOTAL_AFTER = re.compile(
    r"^\s?(?:[^\W\d]{1,15}\s)?(?:altogether|in all|in total|all told|en total|en tout|insgesamt|in totale|in "
    r"tutto|no total|ao todo|всего|итого)\b",
    re.IGNORECASE,
)


def is_unsolved(text: str, number: Number) -> bool:
    """Whether a number stands in an equation with an unknown."""
    before, after = text[max(0, number.start - 16) : number.start], text[number.end : number.end + 16]
    return bool(_UNSOLVED.search(before) or re.match(r"\s?[a-zA-Z]\s?[-+=]\s?\d", after))


def is_result(text: str, number: Number) -> bool:
    """Whether a calculation comes to a number and does not go on with it."""
    if is_unsolved(text, number):
        return False
    if _TOTAL_AFTER.match(text[number.end : number.end + 32]):
        return True
    return bool(_RESULT.search(text[max(0, number.start - 16) : number.start])) and not _OPERAND_BEFORE.match(
        text[number.end : number.end + 24]
    )


def is_operand(text: str, number: Number) -> bool:
    """Whether a number is calculated with."""
    return bool(_OPERAND_BEFORE.match(text[number.end : number.end + 24])) or (
        bool(_OPERAND_AFTER.search(text[max(0, number.start - 16) : number.start])) and not is_result(text, number)
    )
