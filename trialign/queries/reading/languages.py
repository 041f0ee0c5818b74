"""Which language a reply is in, as far as its notation of numbers and its number words depend on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

# Function words that few of the other languages share.
_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the is are was were and of in there has have it its about approximately which that how many what "
        "when to for with from would years days people answer around roughly only on by",
        "es": "el los las es son está y de en hay tiene tienen aproximadamente unos cuántos cuántas qué cuál "
        "del por una con se la cuáles estos estas su al lo respuesta año años más personas cerca kilómetros "
        "millones mil "
        "cuánto",
        "pt": "o os as é são e de em há tem têm cerca aproximadamente quantos quantas qual do da dos das uma com se "
        "a resposta ano anos mais pessoas não quais destas destes fica ficam pela pelo milhões mil "
        "quilômetros quanto um",
        "fr": "le les est sont et de en il y a des du une dans environ combien quel quelle réponse an ans plus "
        "avec sur pour la ce cette sont jours kilomètres millions mille",
        "de": "der die das ist sind und in es gibt hat haben etwa ungefähr wie viele welche antwort jahr jahre "
        "mehr mit von im auf wird werden ein eine zu rund beträgt lautet einwohner tage kilometer den dem nicht",
        "it": "il gli è sono e di in ci ha hanno circa quanti quante quale della risposta anno anni più con una "
        "del nel nella che la lo non giorni chilometri milioni mila quanto i per",
        "nl": "de het is zijn en van in er heeft hebben ongeveer hoeveel welke antwoord jaar meer met een ongeveer",
        "tr": "bir ve ile kaç yaklaşık cevap yıl var vardır olan bu için yüzde gün yanıt adet kişi kilometre "
        "metre değil çok daha doğru tane",
        "pl": "jest są i w z na około ile odpowiedź rok lat ma to nie się dni",
        "sv": "är och i det finns har cirka ungefär hur många svar år den ett med",
        "id": "adalah ada dan di yang sekitar berapa jawaban tahun dengan ini itu orang hari",
        "vi": "là có và của khoảng bao nhiêu trong năm câu trả lời người ngày",
        "sw": "ni si ya wa na kwa la ipi ngapi jibu sahihi hapana ndiyo mji katika ambao yake kuna siku gani nini",
    }.items()
}
#: All of them: words that say little, whatever the language.
SMALL_WORDS = frozenset().union(*_WORDS.values())
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    (
        "fa",
        re.compile(
            "[پچژگکی]|\\b(?:است|هستند|می|را|که|این|در|یک|دو|سه|چهار|پنج|شش|هفت|هشت|نه|ده|صد|هزار|سال|روز|پاسخ|حدود)\\b"
        ),
    ),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("uk", re.compile("[їієґ]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]{2}")),
)
_LATIN = re.compile(r"[^\W\d_]+")
_OWN_LETTERS = {
    "ñ": "es",
    "¿": "es",
    "ã": "pt",
    "õ": "pt",
    "ß": "de",
    "ı": "tr",
    "ğ": "tr",
    "ş": "tr",
    "ł": "pl",
    "œ": "fr",
    "c'est": "fr",
    "qu'": "fr",
    "n'est": "fr",
    "d'un": "fr",
}

#: Languages that write one and a half as 1,5.
COMMA = frozenset({"es", "pt", "fr", "de", "it", "nl", "tr", "pl", "sv", "ru", "uk", "el", "id", "vi"})


def spoken_in(said: str, question: str) -> str | None:
    """The language of a reply: its own, but of few Latin words that of the question, where more words tell it."""
    own, asked = language(said), language(question)
    if asked and own != asked and len(said) <= 80 and not _FOREIGN.search(said) and len(_LATIN.findall(said)) <= 3:
        return asked if not _FOREIGN.search(question) else own
    return own or asked or language(f"{question} {said}")


_FOREIGN = re.compile("[\u0370-\u1dff\u2e80-\ud7ff]")


@lru_cache(maxsize=4096)
def language(text: str) -> str | None:
    """The language of a text by its script or its small words; None where neither tells."""
    letters = text[:2000]
    for name, pattern in _SCRIPTS:
        if pattern.search(letters):
            return name
    words = [word.casefold() for word in _LATIN.findall(letters)]
    scores = {name: float(sum(word in known for word in words)) for name, known in _WORDS.items()}
    for letter, name in _OWN_LETTERS.items():
        scores[name] += 1.5 * (letter in letters)
    best = max(scores, key=scores.__getitem__)
    if scores[best] == 0 or sum(score == scores[best] for score in scores.values()) > 1:
        return None
    return best
