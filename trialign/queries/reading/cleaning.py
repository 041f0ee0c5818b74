"""Taking from a reply what is not said to the reader: thinking, special tokens, markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trialign.queries.reading.typography import plain

#: Of a longer reply only the beginning and the end are read; what lies between is seldom the answer, and time is.
LONGEST = 8_000

_NAMES = (
    "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis|inner_monologue|seed:think|ant_thinking"
)
_THINKING = re.compile(
    rf"(?P<open><(?:{_NAMES})>|\[THINK\]|◁think▷|<\|(?:begin_of_thought|START_THINKING|thinking|think)\|>|<unused94>)"
    rf"|(?P<close></(?:{_NAMES})>|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|END_THINKING|/thinking|/think)\|>|"
    rf"<unused95>)",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]{0,40}<\|message\|>")
_PLAIN_CHANNELS = re.compile(r"\A(?:analysis|commentary)(?=\S|\s).*?assistant\s?final(?=\S|\s)", re.DOTALL)
_END = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|endoftext|end|end_of_text|end_of_turn|END_OF_TURN_TOKEN|eos|return)\|>"
    r"|</s>|<eos>|<end_of_turn>|<｜end▁of▁sentence｜>|<\|endofturn\|>|\[/?INST\]"
)
_HEADER = re.compile(
    r"(?:<\|(?:start_header_id|im_start|start|assistant)\|>|<start_of_turn>)\s*(?:assistant|"
    r"model)?\s*(?:<\|end_header_id\|>)?"
    r"|\A\s*assistant\s*\n"
)
_SPECIAL = re.compile(r"<[|｜][^<>|｜\n]{1,40}[|｜]>|</?s>|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|<</?SYS>>")
_NEXT_TURN = re.compile(r"^[#* \t]{0,20}(?:Human|User|Question|Q|Instruction)\s*:", re.MULTILINE)

_ANSWER_KEYS = (
    "answer|final_answer|finalanswer|final answer|correct_answer|correct answer|answer_letter|answerletter|"
    "choice|option|selected|"
    "selected_option|selection|letter|result|response|label|value|output|prediction|antwort|respuesta|réponse|reponse|"
    "resposta|risposta|ответ|答案|回答|答え|정답|답|답변|الإجابة|الجواب|پاسخ|جواب|उत्तर|जवाब|คำตอบ|cevap|yanıt"
)
_PAIR = re.compile(rf"[\"']({_ANSWER_KEYS})[\"']\s*:\s*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s,}}\]\"']+))", re.IGNORECASE)
_TAGGED = re.compile(r"<(answer|final_answer|final|choice|result|output|response)>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$|```(?:[a-z]{2,10}(?=\s))?", re.MULTILINE)

_STRUCK = re.compile(r"~~(?=\S)[^~\n]{1,200}~~|<(s|del|strike)>[^<\n]{1,200}</\1>")
# Between these tags others have their end token: they strike only what more words follow.
_CROSSED = re.compile(r"<s>(?=\S)([^<\n]{1,200})</s>(?=\s*\w)")
_STRUCK_ITEM = re.compile(
    r"^[ \t]*(?:[-*+•]|\d{1,2}[.)]|[A-Za-z][.)])?[ \t]*~~(?=\S)[^~\n]{1,200}~~[ \t]*$", re.MULTILINE
)
# A box that the reply's end leaves open within a number or a command.
_OPEN_BOX = re.compile(r"\\boxed\s*\{\s*(?:[-\d.,]{0,20}|[^{}\n]{0,60}\{[^{}\n]{0,60}|\\[a-z]{0,12})\Z")
_STARS = re.compile(
    r"(?<![\w*])\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?![\w*])|(?<=[^\W\d])\*\*|\*\*(?=[^\W\d])|"
    r"(?<=\d)\*\*(?!\s?\d)|(?<!\d)(?<!\d )\*\*(?=\d)"
)
_UNDERSCORES = re.compile(r"(?<![^\W_])_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?![^\W_])")
_HEADING = re.compile(r"^[ \t]*(?:#{1,6}[ \t]*(?=[^\s#\d]|#*\s|\d)|>[ \t]*)+", re.MULTILINE)
_TICKED = re.compile(r"^([ \t]*(?:[-*+]|\d+[.)])?[ \t]*)\[([ xX✓✔])\](?=\s)", re.MULTILINE)
_SPREAD = re.compile(r"\W{0,9}(?:[^\W\d_] ){2,40}[^\W\d_]\W{0,9}")
_HTML = re.compile(
    r"</?(?:b|strong|i|em|u|p|br|div|span|code|pre|mark|sup|sub|h[1-6]|ul|ol|li|center|font|small|big|kbd|q|"
    r"answer|final_answer|final|choice|result|output|response|explanation)(?:\s[^<>\n]{0,80})?/?>",
    re.IGNORECASE,
)

_LATEX_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|tt|sf|normal)?|math(?:rm|bf|it|sf|tt|bb|cal)|operatorname\*?|"
    r"mbox|emph|underline|displaystyle|boldsymbol|bm)\b\s*"
)
_LATEX_FRACTION = re.compile(r"(\d?)\s*\\[dtc]?frac\s*(?:\{([^{}]{1,60})\}\s*\{([^{}]{1,60})\}|(\d)\s*(\d))")
_LATEX_SIGNS = {
    r"\times": "×",
    r"\cdot": "·",
    r"\div": "÷",
    r"\pm": "±",
    r"\approx": "≈",
    r"\sim": "~",
    r"\%": "%",
    r"\$": "$",
    r"\#": "#",
    r"\&": "&",
    r"\_": "_",
    r"\,": " ",
    r"\;": " ",
    r"\:": " ",
    r"\!": "",
    r"\ ": " ",
    r"\quad": " ",
    r"\qquad": " ",
    r"\left": "",
    r"\right": "",
    r"\le": "≤",
    r"\leq": "≤",
    r"\ge": "≥",
    r"\geq": "≥",
    r"\lt": "<",
    r"\gt": ">",
    r"\neq": "≠",
    r"\ne": "≠",
    r"\therefore": "therefore ",
    r"\implies": "⇒",
    r"\Rightarrow": "⇒",
    r"\rightarrow": "→",
    r"\to": "→",
    r"\circ": "°",
    r"\degree": "°",
    r"\ldots": "...",
    r"\dots": "...",
    r"\pi": "π",
    r"\infty": "∞",
    r"\{": "{",
    r"\}": "}",
    r"\\": "\n",
}
_LATEX_SIGN = re.compile(
    "|".join(
        re.escape(sign) + (r"(?![A-Za-z])" if sign[-1].isalpha() else "")
        for sign in sorted(_LATEX_SIGNS, key=len, reverse=True)
    )
)
_DOLLARS = re.compile(r"\$\$([^$]{1,400})\$\$|\$(?=[^\s$])([^$\n]{1,200}?)(?<=[^\s$])\$(?![\d\w])")


@dataclass(frozen=True)
class Cleaned:
    """What a reply says.

    Attributes:
        said: the words, free of thinking, special tokens and markup, in one typography.
        marked: what stands in a mark for the answer (a box, a tag, a key), in order; usually empty.
        cut_off: the reply stopped within its thinking.
        spoken: the words with their markup.
        struck: what is struck through, and so taken back.
    """

    said: str
    marked: tuple[str, ...]
    cut_off: bool
    spoken: str = ""
    struck: tuple[str, ...] = ()


def cleaned(text: str) -> Cleaned:
    """The part of a reply that is said to the reader, and what in it is marked as the answer."""
    spoken, cut_off = without_thinking(text)
    if _SPREAD.fullmatch(spoken):
        spoken = re.sub(r"(?<=\w) (?=\w)", "", spoken)
    spoken = _ENDLESS.sub(" … ", _own_turn(_CROSSED.sub(r"~~\1~~", _shortened(spoken))))
    marked = tuple(unmarked(one) for one in _marked(spoken))
    struck = tuple(unmarked(re.sub(r"~~|<[^>]*>", "", one[0])) for one in _STRUCK.finditer(spoken))
    left_open = bool(_OPEN_BOX.search(spoken))
    said = "" if left_open else unmarked(_STRUCK_ITEM.sub("", spoken))
    cut_off = cut_off or left_open
    return Cleaned(said, tuple(one for one in marked if one.strip()), cut_off, spoken, struck)


def unmarked(text: str) -> str:
    """Text without emphasis, fences, headings, tags and LaTeX, in one typography."""
    text = _HTML.sub(
        lambda match: "\n" if match[0][1:3].lower() in ("br", "p>", "li", "/p") else "", _STRUCK.sub("", text)
    )
    text = plain(_without_latex(text) if any(sign in text for sign in ("\\", "$", "{,}", "^{", "_{")) else text)
    text = re.sub(r"(?<!\S)[=-]>(?=\s)", "⇒", text)
    text = _HEADING.sub("", _FENCE.sub("", text))
    text = _TICKED.sub(lambda match: f"{match[1]}{'✗' if match[2] == ' ' else '✓'}", text)
    return _UNDERSCORES.sub("", _STARS.sub("", text)).strip()


def without_thinking(text: str) -> tuple[str, bool]:
    """The reply without marked thinking, and whether it stops within it."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        last = channels[-1]
        if last[1] != "final":
            return "", True
        text = text[last.end() :]
    text = _PLAIN_CHANNELS.sub("", text, count=1)
    kept: list[str] = []
    depth, position = 0, 0
    for match in _THINKING.finditer(text):
        if match["open"]:
            if depth == 0:
                kept.append(text[position : match.start()])
            depth += 1
        elif depth:
            depth -= 1
        else:
            kept.clear()  # the template had opened it
        position = match.end()
    if depth:
        return " ".join(kept), True
    return " ".join((*kept, text[position:])), False


def _own_turn(text: str) -> str:
    """The reply up to its end: models that go on write the other side's next turn."""
    text = _HEADER.sub("", text)
    start = 0
    for match in _END.finditer(text):
        if text[start : match.start()].strip():
            text = text[start : match.start()]
            break
        start = match.end()
    text = _SPECIAL.sub("", text)
    for match in _NEXT_TURN.finditer(text):
        if text[: match.start()].strip():
            return text[: match.start()]
    return text


# More digits than any number has that can be written out (see ``digits``).
_ENDLESS = re.compile(r"\d{400,}")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 8]}\n\n{text[-LONGEST * 7 // 8 :]}"


def _marked(text: str) -> Iterator[str]:
    boxes = list(_boxes(text))
    if boxes:
        yield from dict.fromkeys(boxes) if _OFFERS.search(text) else boxes[-1:]
        return
    tags = list(_TAGGED.finditer(text))
    if tags:
        last = tags[-1]
        end = text.find(f"</{last[1]}>", last.end())
        yield text[last.end() : end if end >= 0 else len(text)]
        return
    yield from _from_keys(text)


# Another box is another answer, and not the next step's.
_OFFERS = re.compile(
    r"\b(?:alternatively|or|either|oder|ou|o|или|alternativement|alternativamente)\b|或|または|또는", re.IGNORECASE
)


def _boxes(text: str) -> Iterator[str]:
    """What stands in LaTeX boxes; braces inside are counted."""
    for match in re.finditer(r"\\f?box(?:ed)?\s*\{", text):
        depth = 1
        for place in range(match.end(), min(len(text), match.end() + 400)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if not depth:
                yield text[match.end() : place]
                break


def _from_keys(text: str) -> Iterator[str]:
    """Values of a JSON object's keys that stand for an answer; also of one that is not quite JSON."""
    begin, end = text.find("{"), text.rfind("}")
    if 0 <= begin < end <= begin + 4000:
        try:
            yield from _values(json.loads(text[begin : end + 1]))
            return
        except (ValueError, RecursionError):
            pass
    if begin >= 0 or text.lstrip()[:1] in "\"'[":
        for match in _PAIR.finditer(text):
            yield match[2] or match[3] or match[4] or ""


def _values(record: Any) -> Iterator[str]:
    if not isinstance(record, dict):
        return
    keys = [key for key in record if isinstance(key, str) and re.fullmatch(_ANSWER_KEYS, key.strip().casefold())]
    for key in keys or (list(record) if len(record) == 1 else []):
        value = record[key]
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, dict):
                yield from _values(item)
            elif item is not None:
                yield str(item)


def _without_latex(text: str) -> str:
    text = _LATEX_FRACTION.sub(_fraction, text)
    text = re.sub(r"\\f?box(?:ed)?(?=\s*\{)", "", _LATEX_TEXT.sub("", text)).replace("{,}", ",")
    text = re.sub(r"\\[()\[\]]", " ", text)
    text = _DOLLARS.sub(lambda match: match[1] or match[2], text)
    text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?", "°", text)
    text = _LATEX_SIGN.sub(lambda match: _LATEX_SIGNS[match[0]], text)
    text = re.sub(r"([\^_])\{([^{}]{1,40})\}", r"\1\2", text)
    return re.sub(r"\{([^{}\n]{1,200})\}", r"\1", text)


def _fraction(match: re.Match[str]) -> str:
    upper, lower = (match[2] or match[4]).strip(), (match[3] or match[5]).strip()
    return f"{match[1]}{' ' * bool(match[1])}{upper}/{lower}"
