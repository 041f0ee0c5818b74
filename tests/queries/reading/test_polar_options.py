"""Replies to questions whose options are yes and no, true and false, in many languages."""

from __future__ import annotations

import pytest

from trialign.queries import TruthQuery
from trialign.queries.reading.labels import Shown
from trialign.queries.reading.polar import Polar

from .asked import Cases, each, said

pytestmark = pytest.mark.unit

CASES: Cases = (
    (
        ("Yes", "No"),
        "Is the Earth flat?",
        None,
        (
            ("No, it isn't.", "No"),
            ("No. The Earth is round.", "No"),
            ("no it is not", "No"),
            ("Yes!", "Yes"),
            ("Yes, absolutely.", "Yes"),
            ("Yes - it is.", "Yes"),
            ("The answer is yes", "Yes"),
            ('The answer is "No".', "No"),
            ("**No**", "No"),
            ("No, not at all.", "No"),
            ("No; it is round.", "No"),
            ("Nope, round.", "No"),
            ("Not really.", "No"),
            ("It is not.", "No"),
            ("I don't think so.", "No"),
            ("No one has shown it.", None),
            ("No evidence supports it.", None),
            ("There's no way to know.", None),
            ("No idea.", None),
            ("I have no idea.", None),
            ("No comment.", None),
            ("Yes or no?", None),
            ("Yes and no", None),
            ("It's a yes.", "Yes"),
            ("That's a no.", "No"),
            ("I'd say yes.", "Yes"),
            ("I know that yes is tempting, but no.", None),
            ("Some say yes, but the answer is no.", None),
            ("Well, no.", "No"),
            ("Hmm, yes.", "Yes"),
            ("Unfortunately, no.", "No"),
            ("In short, no.", "No"),
            ("Short answer: No.", "No"),
            ("Answer: Yes", "Yes"),
            ("Final answer: No", "No"),
            ("\\boxed{No}", "No"),
            ('{"answer": "no"}', "No"),
            ('{"answer": false}', "No"),
            ("NO", "No"),
            ("No\n\nThe Earth is an oblate spheroid.", "No"),
            ("No, because it is round.", "No"),
            ("No because it is round.", "No"),
            ("I would not say yes.", None),
            ("Yesterday", None),
            ("Nobody", None),
            ("It is now known to be round.", None),
            ("B", "No"),
            ("(A)", "Yes"),
            ("A. Yes", "Yes"),
            ("A. No", None),
            ("No doubt.", None),
            ("Without a doubt, yes.", "Yes"),
            ("No problem! The answer is yes.", "Yes"),
        ),
    ),
    (
        ("True", "False"),
        "True or false: the Sun is a star.",
        None,
        (
            ("True.", "True"),
            ("That is true.", "True"),
            ("It's false.", "False"),
            ("It is not false.", "True"),
            ("This is not true.", "False"),
            ("Not true.", "False"),
            ("The statement is correct.", "True"),
            ("The statement is incorrect.", "False"),
            ("That's not correct.", "False"),
            ("That's right.", "True"),
            ("This claim is wrong.", "False"),
            ("It isn't wrong.", "True"),
            ("Partly true.", None),
            ("It depends.", None),
            ("True, because it burns hydrogen.", "True"),
            ("False. The Sun is a planet.", "False"),
            ("TRUE", "True"),
            ("true", "True"),
            ("The answer is True, not False.", None),
            ("I don't know if it's true.", None),
            ("Is it true?", None),
            ("Many believe it's false, but it's true.", None),
            ("Untrue.", "False"),
            ("It is a myth.", "False"),
            ("True or false", None),
            ('{"answer": true}', "True"),
            ("\\boxed{\\text{True}}", "True"),
            ("A", "True"),
            ("B) False", "False"),
            ("It's true that the Sun is a star.", "True"),
            ("It's absolutely true.", "True"),
            ("Neither true nor false.", None),
        ),
    ),
    (
        ("Ja", "Nein"),
        "Ist die Erde flach?",
        None,
        (
            ("Nein.", "Nein"),
            ("Nein, sie ist rund.", "Nein"),
            ("Ja", "Ja"),
            ("Das ist ja klar.", None),
            ("Die Antwort ist nein.", "Nein"),
        ),
    ),
    (
        ("Sí", "No"),
        "¿Es plana?",
        None,
        (
            ("No.", "No"),
            ("Sí, lo es.", "Sí"),
            ("No, no lo es.", "No"),
            ("No es plana.", "No"),
            ("La respuesta es no.", "No"),
            ("Claro que sí.", "Sí"),
        ),
    ),
    (
        ("Oui", "Non"),
        "Est-elle plate ?",
        None,
        (
            ("Non.", "Non"),
            ("Oui, bien sûr.", "Oui"),
            ("La réponse est non.", "Non"),
            ("Non, elle est ronde", "Non"),
        ),
    ),
    (
        ("是", "否"),
        "是星星吗？",
        None,
        (
            ("是。", "是"),
            ("是的。", "是"),
            ("否", "否"),
            ("答案是否。", "否"),
            ("不是。", "否"),
            ("答案：是", "是"),
            ("它是恒星。", None),
        ),
    ),
    (
        ("对", "错"),
        "对还是错？",
        None,
        (
            ("对。", "对"),
            ("错", "错"),
            ("这是错的。", "错"),
            ("答案是对。", "对"),
            ("不对", "错"),
        ),
    ),
    (
        ("正确", "错误"),
        "判断：",
        None,
        (
            ("正确", "正确"),
            ("这个说法是正确的。", "正确"),
            ("不正确", "错误"),
            ("错误。", "错误"),
            ("该说法错误。", "错误"),
        ),
    ),
    (
        ("はい", "いいえ"),
        "？",
        None,
        (
            ("はい。", "はい"),
            ("いいえ、違います。", "いいえ"),
            ("はい、そうです", "はい"),
        ),
    ),
    (
        ("예", "아니요"),
        "?",
        None,
        (
            ("예.", "예"),
            ("아니요.", "아니요"),
            ("네, 맞습니다.", "예"),
            ("아니요, 그렇지 않습니다.", "아니요"),
        ),
    ),
    (
        ("نعم", "لا"),
        "؟",
        None,
        (
            ("نعم", "نعم"),
            ("لا.", "لا"),
            ("لا أعرف", None),
            ("الإجابة: لا", "لا"),
        ),
    ),
    (
        ("हाँ", "नहीं"),
        "?",
        None,
        (
            ("हाँ", "हाँ"),
            ("नहीं।", "नहीं"),
            ("हां, बिल्कुल।", "हाँ"),
            ("यह सही नहीं है।", "नहीं"),
        ),
    ),
    (
        ("ใช่", "ไม่ใช่"),
        "?",
        None,
        (
            ("ใช่", "ใช่"),
            ("ไม่ใช่", "ไม่ใช่"),
            ("ไม่ใช่ครับ", "ไม่ใช่"),
            ("ใช่ครับ", "ใช่"),
        ),
    ),
    (
        ("Да", "Нет"),
        "?",
        None,
        (
            ("Да.", "Да"),
            ("Нет, неверно.", "Нет"),
            ("Нет доказательств.", None),
            ("Ответ: да", "Да"),
        ),
    ),
    (
        ("Evet", "Hayır"),
        "?",
        None,
        (
            ("Evet", "Evet"),
            ("Hayır.", "Hayır"),
            ("Cevap hayır.", "Hayır"),
        ),
    ),
    (
        ("Doğru", "Yanlış"),
        "?",
        None,
        (
            ("Doğru", "Doğru"),
            ("Bu yanlış.", "Yanlış"),
            ("Doğru değil.", "Yanlış"),
        ),
    ),
    (
        ("Vrai", "Faux"),
        "?",
        None,
        (
            ("Vrai", "Vrai"),
            ("C'est faux.", "Faux"),
            ("Ce n'est pas vrai.", None),
        ),
    ),
    (
        ("Wahr", "Falsch"),
        "?",
        None,
        (
            ("Wahr.", "Wahr"),
            ("Das ist falsch.", "Falsch"),
            ("Das ist nicht wahr.", "Falsch"),
        ),
    ),
    (
        ("Верно", "Неверно"),
        "?",
        None,
        (
            ("Верно", "Верно"),
            ("Неверно.", "Неверно"),
            ("Это неверно.", "Неверно"),
            ("Утверждение верно.", "Верно"),
        ),
    ),
)


@each(CASES)
def test_what_a_reply_says(query: TruthQuery, shown: Shown | None, reply: str, reading: str | None) -> None:
    assert said(query, reply, shown) == reading


@pytest.mark.parametrize(
    "pair",
    [
        ("verdadera", "falsa"),
        ("richtig", "falsch"),
        ("истина", "ложь"),
        ("对", "错"),
        ("正しい", "誤り"),
        ("صح", "خطأ"),
        ("درست", "نادرست"),
        ("درست", "غلط"),
        ("صحیح", "غلط"),
        ("נכון", "לא נכון"),
        ("सत्य", "असत्य"),
        ("จริง", "เท็จ"),
    ],
)
def test_the_words_that_judge_are_a_pair_of_which_the_second_denies(pair: tuple[str, str]) -> None:
    for options in (pair, pair[::-1]):
        polar = Polar(options)
        assert polar.judging
        assert polar.pairs
        assert polar.negative == options.index(pair[1])
