"""Options that speak of the others: "all of the above", "both", "none of these"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trialign.queries.reading.clauses import Mention
from trialign.queries.reading.lexicon import Found, cues
from trialign.queries.reading.questions import overlap
from trialign.queries.reading.tokens import Token, tokens
from trialign.queries.reading.words import Cue, word_set

_PAIRED = word_set("both ambos ambas beide beides оба обе 两者 両方 둘 كلاهما دونوں दोनों entrambi")
_ENDS = frozenset(".!?\n;。！？")
_PARTS = _ENDS | frozenset(",:()-—、，")


class Groups:
    """The options of a question that stand for several or none of the others; empty where there are none.

    Args:
        options: all options.
        question: its words tell whether "both" speaks of them.
    """

    def __init__(self, options: Sequence[str], question: frozenset[str]) -> None:
        self._question = question
        self._count = len(options)
        self._options = _named(options)

    def mark(
        self, row: Sequence[Token], texts: list[Mention], labels: list[Mention], spoken: str | None
    ) -> tuple[list[Mention], list[Mention]]:
        """Adds mentions of these options; where one is asserted the others in its sentence are what it is about."""
        if not self._options:
            return texts, labels
        found = cues(spoken).find(row)
        breaks = [i for i, token in enumerate(row) if token.kind == "mark" and token.text in _ENDS]
        breaks += [one.first for one in found if one.value in (Cue.BUT, Cue.THEREFORE)]
        whole: list[Mention] = []
        for one in found:
            value = self._options.get(one.value)
            if value is None or (self._count > 4 and row[one.first].text.casefold() in _PAIRED):
                continue
            following = row[one.last].text if one.last < len(row) else ""
            if row[one.first].text.casefold() == "both" and following.istitle() and not self._is_named(one.last, texts):
                continue  # "both Newton and Huygens"
            start = max((i for i in breaks if i < one.first), default=0)
            end = min((i for i in breaks if i >= one.last), default=len(row))
            own = next((text for text in texts if text.first <= one.first < text.last and text.value == value), None)
            mine = own or Mention(one.first, one.last, value)
            about = [text for text in (*texts, *labels) if start <= text.first < end and text.value != value]
            texts = [text for text in texts if text != mine]
            if any(other.value == Cue.NOT for other in found if one.first - 2 <= other.first < one.first):
                texts.append(mine)
            elif about or self._speaks(row, found, one):
                texts = [text for text in texts if text not in about]
                labels = [label for label in labels if label not in about or label.last <= mine.first]
                reach = max((text.last for text in about), default=0)
                none = one.value == Cue.NEITHER
                whole.append(replace(mine, last=max(mine.last, reach), particle=none))  # "aucun n'est", "никто не"
        return [*texts, *dict.fromkeys(whole)], labels

    def _is_named(self, place: int, texts: Sequence[Mention]) -> bool:
        """Whether an option is named at a place, or as good as there."""
        return any(text.first in (place, place + 1) for text in texts)

    def _speaks(self, row: Sequence[Token], found: Sequence[Found[Cue]], one: Found[Cue]) -> bool:
        """Whether such a word opens its clause, and nothing follows it or what the question asks: "Both are birds"."""
        known = {place for cue in found for place in range(cue.first, cue.last)}
        place = one.first - 1
        end = next((i for i in range(one.last, len(row)) if row[i].text in _PARTS), len(row))
        others = end == one.last  # "He wrote both"; of the speaker "both" says nothing
        while place >= 0 and row[place].text not in _PARTS:
            if row[place].text.casefold() in _SPEAKERS and one.value != Cue.NEITHER and others:
                return False
            small = place in known or row[place].kind == "mark" or row[place].text.casefold() in _SMALL
            if not others and not small:
                return False
            place -= 1
        rest = [
            row[i]
            for i in range(one.last, end)
            if i not in known and row[i].kind != "mark" and row[i].text.casefold() not in _SMALL
        ]
        return not rest or not self._question or overlap(rest, self._question) > 0


_SPEAKERS = word_set(
    "i ive im we weve me my ich wir je nous yo nosotros eu nós io noi я мы 我 我们 私 저는 나는 أنا من मैं"
)
_SMALL = word_set(
    "they theyre these those we actually did have has had can could do does sie ils elles ellos ellas eles elas "
    "loro они onlar"
)


def _named(options: Sequence[str]) -> dict[Cue, int]:
    """The option of each kind; none where two options are of one kind."""
    found: dict[Cue, int] = {}
    for index, option in enumerate(options):
        row = tokens(option)
        first = next((one for one in cues().find(row) if one.value in (Cue.BOTH, Cue.NEITHER)), None)
        if first and first.first <= 1:
            found[first.value] = -1 if first.value in found else index
    return {cue: index for cue, index in found.items() if index >= 0}
