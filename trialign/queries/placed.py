"""Options that speak of others by letter or place: they mean nothing in another order, in whatever language."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence

# Labels of options, by alphabet, in their order.
_ALPHABETS = (
    "abcdefghij",
    "абвгдежзик",
    "αβγδεζηθικ",
    "أبجدهوزحطي",
    "אבגדהוזחטי",
    "กขคงจฉชซ",
    "कखगघङच",
    "甲乙丙丁戊",
    "ㄱㄴㄷㄹㅁ",
    "가나다라마",
)
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_AND = (
    r"[,;、，/&+–—-]|\b(?:and also|and|as well as|plus|but not|to|through|or|nor|y|e|o|u|ou|et|und|oder|en|of|och|og|"
    r"eller|oraz|i|lub|ve|veya|и|или|й|та|або|dan|atau|"
    r"và|hoặc|ja|tai|és|vagy|și|și|sau|a|nebo|και|ή|ו|או|و|أو|และ|หรือ|और|या)\b|[和与與及跟或과와と및]|또는|および|または"
)
# One word beside a label says that the label is one: "only (b)", "option C", "A alone".
_BEFORE = (
    r"only|just|both|either|neither|not|except|same as|options?|choices?|answers?|alternatives?|statements?|items?|"
    r"letters?|"
    r"numbers?|nos?\.|"
    r"solo|sólo|solamente|únicamente|opci[oó]n(?:es)?|respuestas?|apenas|somente|op[cç][aã]o|op[cç][oõ]es|"
    r"alternativas?|"
    r"seulement|uniquement|réponses?|propositions?|nur|antwort(?:en)?|optionen|alleen|antwoord(?:en)?|opzion[ei]|"
    r"rispost[ae]|"
    r"только|вариант[ы]?|ответ[ы]?|тільки|лише|відповідь|tylko|odpowied[zź]i?|yalnız|yalnızca|seçenek|只有|仅|僅|選項|选项|"
    r"選択肢|보기|chỉ|đáp án|hanya|jawaban|केवल|विकल्प|فقط|الخيار|الإجابة|רק|תשובה"
)
_AFTER = (
    r"only|alone|is|are|sólo|solo|solamente|apenas|somente|seulement|allein|alleen|soltanto|только|лише|tylko|のみ|だけ|만|"
    r"nur|فقط|בלבד|เท่านั้น|केवल"
)
# Words for what stands above, for the other options, or for their number; each is enough wherever it stands.
_REFERRING = re.compile(
    r"\b(?:above|below|aforementioned|foregoing|preceding)\b"
    r"|^(?:all|none|both|neither|either|everything|nothing|any|each|neither one|no one|both of)\W*$|^everything\b"
    r"|^(?:both|neither|either)\b"
    r"|\b(?:all|none|both|any|either|neither|some|most|two|three|four|one|each|every|more than one) (?:of |the |"
    r"of the )?"
    r"(?:these|those|them|this|that|two|three|four|five|answers?|choices?|options?|alternatives?|statements?|"
    r"responses?|others?|"
    r"previous|following|listed|mentioned|given)\b"
    r"|^(?:all|none|both|neither|any|no|each|every|two|three)\b.*\b(?:correct|incorrect|right|wrong|true|false|apply|"
    r"applies|"
    r"listed|mentioned|given|answers?|options?|choices?|alternatives?)\b"
    r"|\b(?:first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|other|previous|former|latter|following) (?:one|ones|"
    r"two|three|"
    r"four|options?|answers?|choices?|alternatives?|statements?|responses?)\b"
    r"|\b(?:first|second|third|fourth|last|1st|2nd|3rd|4th)\b.*\b(?:and|or|&)\b.*\b(?:second|third|fourth|last|2nd|"
    r"3rd|4th|5th)\b"
    r"|\bthe (?:former|latter|others?|rest|remaining)\b|^(?:the )?(?:other|others|former|latter|rest)\W*$"
    r"|\b(?:options?|answers?|choices?|statements?) (?:one|two|three|four)\b"
    r"|\b(?:not|isn't|is not) (?:listed|given|mentioned|among)\b"
    # Spanish, Portuguese, Italian, French
    r"|\banterior(?:es|mente)?\b|\bprecedent[ei]\b|\bprécédent|\bacima\b|\babaixo\b|\barriba\b|\bci-dess(?:us|ous)\b|"
    r"\bsopra\b"
    r"|^(?:todas?|todos|ningun[ao]s?|ningún|ambas|ambos|cualquiera|las dos|los dos|nenhuma?|qualquer|as duas|os dois|"
    r"tutt[eio]|nessun[ao]?|entramb[ei]|qualsiasi|tou(?:t|s|te|tes)|aucune?|les deux|l'une? et l'autre|ni l'une?|"
    r"l'une? ou)\b"
    # German, Dutch, the Scandinavian languages, Finnish, Hungarian
    r"|\b(?:obig|oben|vorherig|vorig|vorstehend|genannt|obengenannt)\w*|\bbovenstaand|\bhierboven\b|\bgenoemd|\bovan|"
    r"\boven(?:for|stående)"
    r"|^(?:alles?|allen|keine[rsn]?|beides?|beiden|weder|sämtliche|nichts davon|geen|geen van|inge[nt]|inga|båda|"
    r"ingen|begge|"
    r"alla|kaikki|ei mikään|molemmat|mindegyik|egyik sem|mindkettő)\b|\bedellä|\bfenti"
    # Slavic and Turkic languages, Romanian, Greek
    r"|перечислен|нет (?:правильн|верн)|вышеуказан|вышеназван|упомянут|\bвыше\b|\bиз них\b|перелічен|зазначен|\bвище\b"
    r"|^(?:все|всё|ни один|ни одна|ни одно|никакой|оба|обе|любо[йе]|усі|всі|жоден|жодна|жодне|обидва|обидві)\b"
    r"|powyższ|wymienion|^(?:wszystkie|wszystko|żad(?:en|na|ne)|obie|oba|obydwa|obydwie)\b"
    r"|\bvýše\b|uveden|^(?:všechn[oy]|žádn[áéý]|ob[aě]|všetky|žiadn[aey])\b"
    r"|yukarıda|^(?:hepsi|hiçbiri|her ikisi|her iki)\b|de mai sus|^(?:toate|niciun[ua]?|ambele)\b"
    r"|παραπάνω|ανωτέρω|^(?:όλα|όλες|κανένα|καμία|και τα δύο)\b"
    # Chinese, Japanese, Korean
    r"|以上|上述|上面|以下|下列|前者|后者|後者|前[两兩二三]|后[两二]|後[兩二]|[都皆均](?:是|不是|对|對|不对|不對|错|錯|正确|正確|不正确|非|可|有|选|選)"
    r"|^(?:全部|全都|都|皆|均|[两兩二三四]者|其他|其它|其余|其餘|没有正确|無正確|皆非)"
    r"|上記|前記|いずれ|すべて|全て|どれも|どちら|両方|双方|該当な|のどちら|[上下]の[二三2-4]つ|最初の[二2]つ"
    r"|위의|위에|이상|상기|아래|모두|전부|둘 다|둘다|셋 다|해당 ?없음|정답 ?없음|^없음|전자|후자|어느 것도|아무것도"
    # Vietnamese, Indonesian
    r"|ở trên|bên trên|nêu trên|^(?:tất cả|cả hai|cả ba|cả bốn|không (?:có )?(?:đáp án|phương án|câu) nào)|"
    r"đều (?:đúng|sai)"
    r"|di atas|tersebut|^(?:semua(?:nya)?|keduanya|tidak ada)\b"
    # Arabic, Persian, Hebrew, Hindi, Thai, Bengali
    r"|ما سبق|أعلاه|ما ذكر|المذكور|السابق|^(?:كل|جميع|كلاهما|كلتاهما|لا شيء|ليس أي|كلا)\b|موارد|بالا|^(?:همه|هیچ|هر دو)"
    r"|לעיל|הנ\"ל|^(?:כל ה|אף |שתי ה|שני ה|כולם|שניהם)|उपरोक्त|उपर्युक्त|ऊपर|इनमें|^(?:सभी|दोनों|कोई (?:भी )?नहीं)"
    r"|ทุกข้อ|ทั้งหมด|ไม่มีข้อ|ข้างต้น|ทั้งสอง|ถูกทั้ง|উপরের|সবগুলো|কোনটিই"
)

_QUOTES = re.compile(r"[\"'“”‘’«»「」]")
# Where a script without blanks meets a label.
_WIDE = "\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af"
_BESIDE_LABELS = re.compile(rf"(?<=[a-j1-9甲乙丙丁])(?=[{_WIDE}])|(?<=[{_WIDE}])(?=[a-j1-9甲乙丙丁])")


def speaks_of_others(options: Sequence[str]) -> str | None:
    """The first option that names another one, or all of them, by letter or place; None where none does.

    In doubt an option counts as one that does ("vitamins A and D"): its question then keeps the order of the data,
    and nothing worse comes of it.
    """
    labels = _labels(len(options))
    return next((option for option in options if _refers(option, labels)), None)


def _labels(count: int) -> str:
    """An expression for one label of so many options, in brackets or without them."""
    letters = [letter for alphabet in _ALPHABETS for letter in alphabet[:count]]
    names = "|".join([*letters, *reversed(_ROMAN[:count]), *(str(number) for number in range(count, 0, -1))])
    return rf"[(\[]?(?<!\w)(?:{names})(?!\w)(?:[)\]]|[.](?=\s|$))?"


def _refers(option: str, labels: str) -> bool:
    text = _QUOTES.sub("", unicodedata.normalize("NFKC", option).casefold())
    text = " ".join(_BESIDE_LABELS.sub(" ", text).split())
    if _REFERRING.search(text) or _letters_alone(option, labels):
        return True
    pair = rf"{labels}\s*(?:(?:{_AND})\s*)+(?:(?:{_BEFORE})\s+)?{labels}"
    named = rf"(?:^|(?<!\w))(?:{_BEFORE})\s*{labels}|{labels}\s*(?:{_AFTER})(?!\w)"
    return re.search(pair, text) is not None or re.search(named, text) is not None


def _letters_alone(option: str, labels: str) -> bool:
    """Several labels and nothing else, such as "ACD" or "A B"."""
    word = option.strip()
    bare = word.replace(" ", "").casefold()
    letters = [alphabet for alphabet in _ALPHABETS if set(bare) <= set(alphabet)]
    rising = len(bare) > 1 and all(one < other for one, other in itertools.pairwise(bare))
    return bool(letters) and rising and word.upper() == word and all(re.fullmatch(labels, one) for one in bare)
