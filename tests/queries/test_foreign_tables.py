"""Tables as spreadsheets and their neighbours save them: what they say is read, or refused by row with a remedy."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trialign.queries import TruthQuery
from trialign.queries.readers import Reading, read_data
from trialign.queries.sources import FieldMap, SourceConfig

pytestmark = pytest.mark.unit

MAP = FieldMap(question="q", options=("A", "B"), gold="right", gold_as="label")
SOURCE = SourceConfig(name="s", split="test", map=MAP)
ROW = {"q": "Which is ice?", "A": "water", "B": "sand", "right": "A"}
# question, options in whatever order, right answer
SAID = ("Which is ice?", {"water", "sand"}, "water")


def read(folder: Path, name: str, content: bytes | str, config: SourceConfig = SOURCE, **fields: Any) -> Reading:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert config.map is not None
    return read_data([replace(config, path=str(file), map=replace(config.map, **fields))], None, 9)


def said(reading: Reading) -> list[tuple[str, set[str], str]]:
    assert [fault.problem for fault in reading.faults] == []
    return [
        (query.question, set(query.options), query.gold) for query in reading.queries if isinstance(query, TruthQuery)
    ]


def problem(reading: Reading) -> str:
    (found,) = reading.faults
    assert found.remedy
    return f"{found.problem} / {found.remedy}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.csv", "q,A,B,right\nWhich is ice?,water,sand,A\n"),
        ("UPPER.CSV", "q,A,B,right\nWhich is ice?,water,sand,A\n"),
        ("semicolons.csv", "q;A;B;right\nWhich is ice?;water;sand;A\n"),
        ("tabs.tsv", "q\tA\tB\tright\nWhich is ice?\twater\tsand\tA\n"),
        ("TABS.TSV", "q\tA\tB\tright\nWhich is ice?\twater\tsand\tA\n"),
        ("tabs.csv", "q\tA\tB\tright\nWhich is ice?\twater\tsand\tA\n"),
        ("tabs.txt", "q\tA\tB\tright\nWhich is ice?\twater\tsand\tA\n"),
        ("bars.csv", "q|A|B|right\nWhich is ice?|water|sand|A\n"),
        ("commas.tsv", "q,A,B,right\nWhich is ice?,water,sand,A\n"),
        ("sep.csv", "sep=,\nq,A,B,right\nWhich is ice?,water,sand,A\n"),
        ("sep2.csv", "sep=;\r\nq;A;B;right\r\nWhich is ice?;water;sand;A\r\n"),
        ("sep3.csv", '"sep=;"\nq;A;B;right\nWhich is ice?;water;sand;A\n'),
        ("sep4.csv", "\ufeffSEP=\t\nq\tA\tB\tright\nWhich is ice?\twater\tsand\tA\n"),
        ("trailing.csv", "q,A,B,right,,\nWhich is ice?,water,sand,A,,\n"),
        ("trailing_rows.csv", "q,A,B,right\nWhich is ice?,water,sand,A,,\n"),
        ("trailing_header.csv", "q,A,B,right,,\nWhich is ice?,water,sand,A\n"),
        ("between.csv", "q,A,,B,right\nWhich is ice?,water,,sand,A\n"),
        ("pandas.csv", ",q,A,B,right\n0,Which is ice?,water,sand,A\n"),
        ("blanks.csv", "q, A, B, right\nWhich is ice?, water, sand, A\n"),
        ("blanks_quotes.csv", 'q, A, B, right\n"Which is ice?", "water", "sand", A\n'),
        ("blanks_behind.csv", "q ,A\u00a0,B ,right \nWhich is ice? ,water ,sand ,A \n"),
        ("empty_rows.csv", "\n\nq,A,B,right\n,,,\nWhich is ice?,water,sand,A\n,,,\n\n"),
        ("returns.csv", "q,A,B,right\rWhich is ice?,water,sand,A\r"),
        ("both.csv", "q,A,B,right\r\nWhich is ice?,water,sand,A\r\n"),
        ("quoted.csv", '"q","A","B","right"\n"Which is ice?","water","sand","A"\n'),
        ("other_order.csv", "right,B,A,q,more\nA,sand,water,Which is ice?,x\n"),
        ("mark.csv", "\ufeffq,A,B,right\nWhich is ice?,water,sand,A\n"),
        ("list.json", json.dumps([ROW])),
        ("lines.json", json.dumps(ROW) + "\n"),
        ("keyed.json", json.dumps({"first": ROW})),
        ("columns.json", json.dumps({key: {"0": value} for key, value in ROW.items()})),
        ("split.json", json.dumps({"columns": list(ROW), "index": [0], "data": [list(ROW.values())]})),
        ("lists.json", json.dumps({key: [value] for key, value in ROW.items()})),
        ("array.jsonl", json.dumps([ROW])),
        ("long_array.jsonl", json.dumps([ROW], indent=1)),
        ("UPPER.JSONL", json.dumps(ROW)),
        ("lines.ndjson", json.dumps(ROW) + "\r\n\r\n"),
        ("mark.jsonl", "\ufeff" + json.dumps(ROW)),
        ("returns.jsonl", "\r" + json.dumps(ROW) + "\r"),
    ],
)
def test_a_table_is_read_whatever_saved_it(tmp_path: Path, name: str, text: str) -> None:
    assert said(read(tmp_path, name, text)) == [SAID]
    wide = text.replace("\ufeff", "")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        assert said(read(tmp_path, f"{encoding}.{name}", wide.encode(encoding))) == [SAID]
    assert said(read(tmp_path, f"{name}.gz", gzip.compress(text.encode()))) == [SAID]


def test_long_passages_and_line_ends_inside_quotes(tmp_path: Path) -> None:
    passage = "word " * 60_000 + "\nend"
    (query,) = read(tmp_path, "long.csv", f'q,A,B,right\n"{passage}",water,sand,A\n').queries
    assert query.question == passage


def test_commas_in_the_only_column_are_no_separators(tmp_path: Path) -> None:
    source = replace(SOURCE, answer_kind="text", map=FieldMap(question="q", gold="q"))
    reading = read(tmp_path, "one.csv", "q\nIs it ice, or sand?\nIs it air, or water?\n", source)
    assert [query.question for query in reading.queries] == ["Is it ice, or sand?", "Is it air, or water?"]


def test_semicolons_inside_a_table_with_commas(tmp_path: Path) -> None:
    text = "q,A,B,right\nWhich; is it?,a;b,c;d,A\nWhich; is; that?,a;b;e,c,B\n"
    assert said(read(tmp_path, "x.csv", text)) == [
        ("Which; is it?", {"a;b", "c;d"}, "a;b"),
        ("Which; is; that?", {"a;b;e", "c"}, "c"),
    ]


def test_quotes_that_a_table_with_tabs_does_not_mean(tmp_path: Path) -> None:
    text = 'q\tA\tB\tright\n"Ice" is what?\t"water\tsand\tA\n'
    assert said(read(tmp_path, "x.tsv", text)) == [('"Ice" is what?', {'"water', "sand"}, '"water')]
    text = 'q\tA\tB\tright\n"Ice\tis what?"\t"water"\tsand\tA\n'
    assert said(read(tmp_path, "y.tsv", text)) == [("Ice\tis what?", {"water", "sand"}, "water")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "q,A,B,right\nIs it ice, or sand?,water,sand,A\n", "row 2: 5 fields, and there are 4 columns"),
        ("a.csv", "q,A,B,right\nWhich?,water,sand\n", "row 2: 3 fields, and there are 4 columns"),
        ("a.csv", "q,A,B,right,,\nIs it, now?,water,sand,A\n", "row 2: 5 fields, and there are 4 columns"),
        ("a.csv", "q,A,,B,right\nWhich?,water,x,sand,A\n", "row 2: field 3 holds text, and its column has no name"),
        ("a.csv", "q,A,A,right\nWhich?,water,sand,A\n", "two columns have the same name, 'A'"),
        ("a.csv", "q,A, A,right\nWhich?,water,sand,A\n", "two columns have the same name, 'A'"),
        ("a.csv", "q,A,B,right\n", "is empty"),
        ("a.csv", "\n\n", "is empty"),
        ("a.csv", "sep=;\n", "is empty"),
        ("a.csv", 'q,A,B,right\nWhich?,water,sand,"A\n', "row 2: no valid CSV"),
        ("a.xls.zip", "x", "Unpack it first"),
        ("a.doc", "x", "Use a file that ends in"),
        ("a.csv.gz", "x", "cannot be read"),
        ("a.xlsx", "x", "Save the sheet as CSV"),
        ("a.jsonl", '{"q": "a", "q": "b"}\n', "row 1: no valid JSON (the key 'q' is there twice)"),
        ("a.json", '{"data": [], "version": "1"}', "Say under 'rows' where in the file the list is; it has: data"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    found = problem(read(tmp_path, name, text))
    assert str(tmp_path / name) in found
    assert message in found


def test_a_torn_gzip_is_a_fault(tmp_path: Path) -> None:
    packed = gzip.compress(b"q,A,B,right\n" + b"Which is ice?,water,sand,A\n" * 9)
    assert "cannot be read" in problem(read(tmp_path, "a.csv.gz", packed[:-12]))
    assert "cannot be read" in problem(read(tmp_path, "b.csv.gz", packed[:20] + b"xxxx" + packed[24:]))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_column_that_is_not_there_is_named_once_with_those_that_are(tmp_path: Path, name: str) -> None:
    rows = [{"Question": f"Which is ice, {n}?", "A": "water", "B": "sand", "right": "A"} for n in range(20)]
    text = "Question,A,B,right\n" + "".join(f'"{row["Question"]}",water,sand,A\n' for row in rows)
    if name == "a.jsonl":
        text = json.dumps(rows[0])
    found = problem(read(tmp_path, name, text, question="question"))
    assert "has no 'question' (map.question); there are: Question, A, B, right / Did you mean 'Question'?" in found


@pytest.mark.parametrize("key", ["topic", "source", "passage"])
def test_a_misspelt_column_that_may_be_absent_is_a_fault_too(tmp_path: Path, key: str) -> None:
    text = "".join(json.dumps({**ROW, "field": "x", "q": f"{n}?"}) + "\n" for n in range(3))
    fields: dict[str, Any] = {key: "feild"}
    found = problem(read(tmp_path, "a.jsonl", text, **fields))
    assert f"has no 'feild' (map.{key})" in found
    assert "Did you mean 'field'?" in found


def test_a_sheet_is_read_and_others_are_named(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", {"Quiz": [list(ROW), ["Which is 2?", 2, 2.5, "A"]], "Other": [["x"], ["y"]]})
    source = replace(SOURCE, path=str(tmp_path / "a.xlsx"))
    reading = read_data([source], None, 9)
    assert said(reading) == [("Which is 2?", {"2", "2.5"}, "2")]
    assert reading.queries[0].query_id == "s/a/2"
    assert any("the sheet 'Quiz' is read" in note for note in reading.notes)
    (absent,) = read_data([replace(source, rows="Third")], None, 9).faults
    assert "has no sheet 'Third'" in absent.problem
    assert "Quiz, Other" in absent.remedy
    assert said(read_data([replace(source, rows="Quiz")], None, 9)) == said(reading)
    write_workbook(tmp_path / "a.xlsx", {"Notes": [["x"]], "Quiz": [list(ROW), list(ROW.values())]}, hidden="Notes")
    assert said(read_data([source], None, 9)) == [SAID]


def write_workbook(path: Path, sheets: dict[str, list[list[Any]]], hidden: str = "") -> None:
    """The smallest workbook that Excel opens: cells as inline texts and numbers."""
    import zipfile
    from xml.sax.saxutils import escape

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"

    def cell(at: str, value: Any) -> str:
        if isinstance(value, str):
            return f'<c r="{at}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return f'<c r="{at}"><v>{value}</v></c>'

    state = ' state="hidden"'
    with zipfile.ZipFile(path, "w") as book:
        names = "".join(
            f'<sheet name="{name}"{state if name == hidden else ""} sheetId="{n}" r:id="rId{n}"/>'
            for n, name in enumerate(sheets, 1)
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="rId1" Type="{relations}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{names}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="rId{n}" Type="{relations}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{links}</Relationships>')
        for n, rows in enumerate(sheets.values(), 1):
            body = "".join(
                f'<row r="{r}">{"".join(cell(f"{chr(64 + c)}{r}", value) for c, value in enumerate(row, 1))}</row>'
                for r, row in enumerate(rows, 1)
            )
            book.writestr(
                f"xl/worksheets/sheet{n}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            )


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("q;a\nHow much?;3,14\n", "3.14"),
        ("q;a\nHow much?;1.234,5\n", "1234.5"),
        ("q;a\nHow much?;1,234\nAnd?;2,5\n", "1.234"),
        ("q;a\nHow much?;1.234\nAnd?;2,5\n", "1234"),
        ("q;a\nHow much?;1.234\nAnd?;2.5\n", "1.234"),
        ('q,a\nHow much?,"3,14"\n', "3.14"),
        ('q,a\nHow much?,"1,234"\n', "1234"),
        ("q,a\nHow much?,1.234\n", "1.234"),
        ("q;a\nHow much?;42\n", "42"),
    ],
)
def test_decimals_as_the_table_writes_them(tmp_path: Path, text: str, gold: str) -> None:
    source = replace(SOURCE, answer_kind="numeric", map=FieldMap(question="q", gold="a"))
    reading = read(tmp_path, "a.csv", text, source)
    query = reading.queries[0]
    assert isinstance(query, TruthQuery)
    assert query.gold == gold


@pytest.mark.parametrize("number", ["1.234", "1,234"])
def test_a_number_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, number: str) -> None:
    source = replace(SOURCE, answer_kind="numeric", map=FieldMap(question="q", gold="a"))
    found = problem(read(tmp_path, "a.csv", f"q;a\nHow much?;{number}\n", source))
    assert f"row 2: the number '{number}' may be written with a decimal comma or without" in found


def test_the_encoding_and_separator_that_were_taken_are_said(tmp_path: Path) -> None:
    reading = read(tmp_path, "a.csv", "q;A;B;right\nWas heißt Käse?;cheese;glass;A\n".encode("cp1252"))
    assert reading.queries[0].question == "Was heißt Käse?"
    assert any("is read as cp1252" in note for note in reading.notes)
    assert any("has ';' between its columns" in note for note in reading.notes)
    stated = replace(SOURCE, encoding="cp1251")
    assert (
        read(tmp_path, "b.csv", "q,A,B,right\nвода?,да,нет,A\n".encode("cp1251"), stated).queries[0].question == "вода?"
    )
    doubtful = problem(read(tmp_path, "c.csv", "q,A,B,right\nвода?,да,нет,A\n".encode("cp1251")))
    assert "data.encoding=" in doubtful
    unknown = problem(read(tmp_path, "b.csv", "x", replace(SOURCE, encoding="no such")))
    assert "names the encoding 'no such', which is not known" in unknown


def test_the_columns_of_a_table_without_a_header_are_those_that_the_source_names(tmp_path: Path) -> None:
    table = replace(SOURCE, columns=("q", "A", "B", "right"))
    assert said(read(tmp_path, "plain.csv", "Which is ice?,water,sand,A\n", table)) == [SAID]


@pytest.mark.parametrize(("index", "hinted"), [(2, True), (9, False)])
def test_counting_from_one_is_thought_of_only_where_it_would_fit(tmp_path: Path, index: int, hinted: bool) -> None:
    reading = read(tmp_path, "plain.csv", f"q,A,B,right\nWhich is ice?,water,sand,{index}\n", gold_as="index")
    assert ("index_from_1" in problem(reading)) is hinted


def test_rows_by_their_ids_may_have_numbers_for_keys(tmp_path: Path) -> None:
    rows = {"first": {"0": "Which is ice?", "1": "water", "2": "sand", "3": "A"}, "second": {"0": "Which is ice?"}}
    fields = {"question": "0", "options": ("1", "2"), "gold": "3"}
    reading = read(tmp_path, "rows.json", json.dumps(rows), **fields)
    assert [query.question for query in reading.queries] == ["Which is ice?"]
    assert "row 2" in problem(reading)
