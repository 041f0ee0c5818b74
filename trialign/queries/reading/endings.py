"""How a reply ends: it only denies, or breaks off before it concludes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trialign.queries.reading.tokens import Token

_PARTS = re.compile(r"[.!;\n,:…。！，、；：।؟،؛—–]|\s-\s|(?<=[?？])")
# Words of hesitation: before a "no" they announce that what was said is taken back.
_HESITATION = (
    "h+m+|wait|hold on|hang on|actually|oops|on second thought|come to think of it|scratch that|"
    "warte|moment|moment mal|halt|ach|stopp|doch|"
    "espera|espere|perdón|un momento|attends|attendez|pardon|euh|aspetta|aspetti|un momento|scusa|"
    "стоп|подожди|подождите|погоди|погодите|хотя|постой|хм|ой|bekle|dur|bir dakika|hayır bekle|"
    "等等|等一下|慢着|嗯|待って|いや|あれ|잠깐|잠깐만|아|انتظر|لحظة|صبر کن|רגע|रुको|रुकिए|เดี๋ยว|เดี๋ยวก่อน"
)
_FILLING = (
    "but|and|oh|ah|well|aber|und|oh je|nun|mais|en fait|pero|ay|mas|ma|però|но|а|да|ama|可是|但是|但|でも|"
    "하지만|لكن|اما|אבל|लेकिन|แต่|yes"
)
_SORRY = (
    "sorry|samahani|my bad|my apologies|entschuldigung|verzeihung|sorry nein|perdona|disculpa|desculpa|désolée?|oups|"
    "pardon|scusami|"
    "извините|извини|простите|özür dilerim|affedersin|对不起|不好意思|抱歉|すみません|すいません|ごめん|"
    "ごめんなさい|失礼しました|죄송합니다|미안|죄송해요|"
    "آسف|معذرة|عذرا|ببخشید|סליחה|माफ़ कीजिए|क्षमा करें|ขอโทษ|συγγνώμη|maaf|xin lỗi|вибачте|przepraszam|nee wacht"
)
_THINKING_ALOUD = "h+m+|er+m?|uh+|um+|actually|eigentlich|tatsächlich|en fait|de hecho|na verdade|in realtà"
_SIGHS = "ah|oh|ach|och|ay|ai|ops|uups|ой|ох|ах|あ|あっ|あれ|え|아|어|哦|噢|啊|呃|آه|אה|אוי|अरे|อ้าว|well|but|eh"
_NO = (
    "no|nope|nein|non|não|нет|hayır|hapana|不|不是|不对|不對|不不|いいえ|違う|아니|아니요|아니야|아니다|아닙니다|아니지|"
    "لا|نه|לא|नहीं|ไม่|ไม่ใช่|όχι|nej|nee"
)
# A clause that is nothing but one of these denies the clause before it.
_DENIAL = (
    r"(?:that|this|it)(?:\s?'?s| is| was)? (?:is )?(?:all |quite |completely |clearly |also |just |simply )?"
    r"(?:wrong|incorrect|mistaken|false|not right|not correct|not true|a mistake|an error|not it)"
    r"|(?:that|this|it) (?:isn'?t|wasn'?t|can'?t be|cannot be) (?:right|correct|true|it)"
    r"|i(?: was|'?m| am) (?:wrong|mistaken)|i got (?:that|it) wrong|i take (?:that|it) back"
    r"|(?:das|es|dies) (?:ist|war) (?:so |leider |ja |doch )?(?:falsch|verkehrt|nicht richtig|nicht korrekt|ein fehler)"
    r"|(?:das|es) stimmt (?:so |ja |doch )?(?:gar |leider )?nicht|stimmt nicht|das kann nicht (?:sein|stimmen)"
    r"|(?:c'est|c' est|cela est|ça c'est) (?:faux|une erreur|inexact|incorrect)"
    r"|ce n'est pas (?:ça|juste|exact|correct|vrai|cela)|je me (?:suis trompée?|trompe)"
    r"|(?:eso|esto)?\s?(?:no es (?:correcto|cierto|así|verdad)|está (?:mal|equivocado)|"
    r"es (?:incorrecto|falso|un error))"
    r"|me (?:he equivocado|equivoqué)"
    r"|(?:isso|isto)?\s?(?:está (?:errado|incorreto|incorrecto)|não (?:é|está) (?:certo|correto|verdade|isso)|é falso)"
    r"|(?:enganei-me|me enganei|errei)"
    r"|(?:questo |ciò )?(?:è sbagliato|è errato|è falso|non è (?:giusto|corretto|vero|così))"
    r"|mi sono sbagliat[oa]|ho sbagliato"
    r"|(?:это )?(?:неверно|неправильно|не так|не верно|ошибка|неправда|не то)|я ошиб(?:ся|лась)"
    r"|(?:bu|o)?\s?(?:yanlış|yanlıştır|doğru değil|doğru değildir)|yanıldım|yanlış oldu"
    r"|(?:这|那|這)?(?:是)?(?:不对|不對|错了|错的|錯了|不正确|不是这样的?)|我(?:说|弄|搞)?错了"
    r"|(?:それ|これ)?(?:は|では)?(?:間違い|間違いです|違います|違う|正しくない|正しくありません|間違えました|間違っています)"
    r"|(?:그건|그것은|이건)?\s?(?:틀렸습니다|틀렸어요|틀렸다|아닙니다|아니에요|잘못됐습니다)"
    r"|(?:هذا|ذلك)?\s?(?:خطأ|غير صحيح|ليس صحيحا)|أخطأت"
    r"|(?:این)?\s?(?:اشتباه|غلط|نادرست|درست) (?:است|نیست)|اشتباه کردم"
    r"|(?:यह|वह)?\s?(?:गलत है|सही नहीं है|ग़लत है)|(?:זה)?\s?(?:לא נכון|שגוי|טעות)|(?:นั่น|นี่)?\s?(?:ผิด|ไม่ถูกต้อง|ไม่ใช่)"
)
_LEADING = re.compile(rf"(?:(?:{_HESITATION}|{_FILLING}|{_NO}|{_SORRY})(?=\s|$)\s*)+", re.IGNORECASE)
_DENIES = re.compile(rf"(?:{_DENIAL})", re.IGNORECASE)

_SPACED = re.compile("^(あっ|あ|え|아|어|哦|噢|啊|呃|อ้าว)(?=.)")

# What calls for more words: at the end of a reply without a full stop it is broken off.
_UNFINISHED = re.compile(
    r"(?:(?<![\w/])(?:is|are|was|equals|and|or|so|the|a|an|of|gives|get|have|has|that|then|therefore|thus|which|makes|by|to|"
    r"with|because|but|from|for|before|after|than|into|onto|between|through|without|we|i|they|we can|we need|"
    r"let|ist|sind|und|oder|ergibt|also|der|die|das|beträgt|erhalten|bekommen|mit|von|zu|weil|durch|nach|vor|wir|dann|"
    r"est|sont|et|ou|donc|soit|obtient|obtenons|le|la|les|de|du|égale|avec|pour|car|"
    r"es|son|y|entonces|obtenemos|queda|el|los|con|por|porque|igual a|"
    r"é|são|e|então|logo|obtemos|obtém-se|o|os|com|para|"
    r"è|sono|quindi|otteniamo|ottiene|sottrarre|sommare|il|lo|gli|di|per|dunque|"
    r"и|или|это|получаем|получим|получается|равно|равен|значит|итого|следовательно|поэтому|на|из|с|"
    r"ve|eder|yani|için|هو|هي|إذن|و|يساوي|یعنی|پس|और|इसलिए|यानी)|"
    r"等于|是|得到|所以|因此|和|就是|为|可得|我们|可以|需要|接下来看|再看|那么|然后|接着|つまり|したがって|"
    r"よって|だから|と|は|그래서|따라서|그러므로|ดังนั้น|คือ|และ|ดังนั้นเรา|(?<=[가-힣\d])(?:을|를|에서)|を|次に|まず|"
    r"その|हम|इसलिए हम|में|को)"
    r"\s*[:,：，、]?$|[=+×÷]\s*$|(?<!\d)\w{3,}\s?[:：]$|[,、]$",
    re.IGNORECASE,
)


_RETHINKS = re.compile(rf"(?:(?:{_SORRY}|{_THINKING_ALOUD}|{_NO}|{_SIGHS}|{_FILLING}|{_HESITATION})(?=\s|$)\s*)+")
_SIGHS_ONLY = re.compile(rf"(?:(?:{_SIGHS}|{_FILLING})(?=\s|$)\s*)+")


def rethinks(words: Sequence[Token]) -> bool:
    """Whether words that stand between two marks only hesitate, apologise or say no: "ah no", "sorry", "哦不"."""
    said = " ".join(token.text for token in words).casefold()
    joined = "".join(token.text for token in words).casefold()
    return any(
        _RETHINKS.fullmatch(one) and not _SIGHS_ONLY.fullmatch(one)
        for one in (said, joined, _SPACED.sub(r"\1 ", joined))
    )


def denies_only(row: Sequence[Token]) -> bool:
    """Whether a reply is no more than a denial: "Nein, das stimmt nicht."."""
    clauses = [clause.strip(" \"'()") for clause in _PARTS.split(_text(row, 0))]
    rests = [_LEADING.sub("", clause, count=1).strip() if _LEADING.match(clause) else clause for clause in clauses]
    said = [rest for rest in rests if rest]
    whole = [clause for clause in clauses if clause]
    return bool(whole) and len(said) <= 1 and bool(_DENIES.fullmatch(said[0] if said else whole[-1]))


def stops_short(row: Sequence[Token]) -> int:
    """Where a last sentence begins that has no end, while those before it on its line have one; else 0."""
    last = next((place for place in range(len(row) - 1, -1, -1) if row[place].text in _STOPS), -1)
    rest = row[last + 1 :]
    words = [token for token in rest if token.kind != "mark"]
    whole = (
        sum(token.kind != "mark" for token in row[: max(last, 0)]) < 4
        or row[last].text == "\n"
        or any(token.text == "\n" for token in rest)
    )
    return 0 if whole or not words or rest[-1].kind == "mark" or not rest[-1].text.isalnum() else last + 1


_STOPS = frozenset(".!?。！？।\n")


def breaks_off(row: Sequence[Token]) -> bool:
    """Whether the last clause of a reply waits for more words: "and so we get"."""
    words = [token for token in row if token.kind != "mark"]
    said = _text(row[-8:], 0).removesuffix(" or so")
    return len(words) > 2 and bool(_UNFINISHED.search(said))


def _text(row: Sequence[Token], first: int) -> str:
    """The text from a token on, with the blanks of the reply."""
    parts: list[str] = []
    for place in range(first, len(row)):
        token = row[place]
        blank = place > first and token.start > row[place - 1].end
        parts.append((" " if blank else "") + token.text)
    return "".join(parts).lower()
