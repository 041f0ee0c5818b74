"""Bytes as text: what is told by marks and by letters, and what is refused rather than guessed."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from trialign.errors import UserError
from trialign.queries.encodings import decoded, known_encoding

pytestmark = pytest.mark.unit

FILE = Path("quiz.csv")
WRITTEN = {
    "cp1252": (
        "Où est la forêt ?",
        "¿Cuál es la capital de España?",
        "Qual é a função do coração?",
        "Größe",
        "Straße",
        "Café",
        "mañana",
        "Perché la città è così?",
        "smörgås",
        "øl og brød",
        "cœur",
        "“quoted” – with a dash",
        "5 € each",
        "20 °C",
        "don’t",
        "½ cup",
    ),
    "cp1250": (
        "Która rzeka płynie przez Łódź i gdzie jest źródło?",
        "Která řeka teče přes Prahu?",
        "Magyarország fővárosa",
        "Ljubljana je glavno mesto Slovenije čeprav",
    ),
    "cp1251": ("Какой газ нужен растениям?", "Який газ потрібен рослинам?", "Каква е столицата на България?"),
    "koi8-r": ("Столица России Москва",),
    "cp1253": ("Ποια είναι η πρωτεύουσα της Ελλάδας;",),
    "cp1254": ("Türkiye'nin başkenti neresidir?", "ağaç"),
    "cp1255": ("מהי בירת צרפת",),
    "cp1256": ("ما هي عاصمة فرنسا",),
    "gb18030": ("水在多少度沸腾?", "北京", "以上都是", "冰是什么？"),
    "cp932": ("水は何度で沸騰しますか", "東京", "カナ"),
    "euc-jp": ("水は何度で沸騰しますか",),
    "cp949": ("물은 몇 도에서 끓습니까", "서울"),
    "big5": ("水在多少度沸騰", "台北"),
    "cp874": ("น้ำเดือดที่กี่องศา",),
}


def table(text: str) -> str:
    return f"q,A,B,right\r\nWhich is ice? {text},{text},sand,A\r\nWhat is it?,x,y,B\r\n"


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in WRITTEN.items() for text in texts])
def test_letters_tell_the_encoding(encoding: str, text: str) -> None:
    read, name = decoded(FILE, table(text).encode(encoding))
    assert read == table(text)
    assert name != "utf-8"


@pytest.mark.parametrize("text", ["", "x", "Où est la forêt ?", "水在多少度沸腾?", "Ποια;"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (b"", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_unicode_is_told_by_its_mark_or_its_zeros(mark: bytes, encoding: str, text: str) -> None:
    assert decoded(FILE, mark + table(text).encode(encoding)) == (table(text), encoding)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "вода"),
        ("cp1251", "да"),
        ("cp866", "Какой газ нужен растениям?"),
        ("mac_roman", "Où est la forêt"),
        ("cp850", "Café à côté"),
        ("cp850", "Mädchen mögen Käse"),
    ],
)
def test_what_cannot_be_told_safely_is_refused_with_the_remedy(encoding: str, text: str) -> None:
    data = table(text).encode(encoding)
    with pytest.raises(UserError) as caught:
        decoded(FILE, data)
    assert "quiz.csv is not UTF-8" in caught.value.problem
    assert "data.encoding=" in caught.value.remedy
    assert decoded(FILE, data, encoding)[0] == table(text)


def test_a_damaged_byte_leaves_the_rest_of_a_sound_file() -> None:
    data = "été, là, où\n".encode() + b"wat\xffer\n"
    assert decoded(FILE, data) == ("été, là, où\nwat\udcffer\n", "utf-8")
    cut = "ask,A\nété".encode()[:-1]
    assert decoded(FILE, cut) == ("ask,A\nét\udcc3", "utf-8")


def test_half_of_the_last_character_of_utf_16() -> None:
    assert decoded(FILE, codecs.BOM_UTF16_LE + "ab".encode("utf-16-le")[:-1]) == ("a\udc80", "utf-16-le")


def test_an_encoding_is_stated_by_any_of_its_names() -> None:
    assert decoded(FILE, b"caf\xe9", "latin1")[0] == "café"
    assert decoded(FILE, "été".encode("utf-16"), "UTF-16")[0] == "été"
    assert decoded(FILE, "été".encode("utf-8-sig"), "utf8")[0] == "été"
    assert [known_encoding(name) for name in ("cp1252", "utf8", "hex", "base64", "no such", "undefined")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
