"""Findings are only ever added to, by any number of processes; what is deleted is gone from the disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.files.findings import LIVE, Binding, FindingStore, Said
from trialign.errors import UserError

pytestmark = pytest.mark.integration
SECRET = "zebra-typed-question-47"
BINDING = Binding("ab" * 32, "cd" * 32, "trialign 0.1.0", {"mine/audits/a/summary.json": "ef" * 32})


def add(store: FindingStore, **values: Any) -> int:
    given: dict[str, Any] = {
        "user": "ana",
        "run": "mine",
        "step": 4,
        "query_id": "",
        "checkpoint_sha256": "ab" * 32,
        "question": f"What of {SECRET}?",
        "options": ("yes", "no"),
        "answers": (Said(4, "North", f"It is {SECRET}."), Said(4, "South", "No.")),
        "comment": f"odd: {SECRET}",
        "disposition": "open",
    }
    return store.add(**{**given, **values})


@pytest.fixture
def store(tmp_path: Path) -> FindingStore:
    return FindingStore(tmp_path)


def test_a_finding_comes_back_as_it_was_saved(store: FindingStore) -> None:
    assert store.findings("mine") == ()
    assert not store.file.exists()
    number = add(store)
    add(store, run="other")
    (found,) = store.findings("mine")
    assert (found.id, found.user, found.step, found.checkpoint_sha256) == (number, "ana", 4, "ab" * 32)
    assert (found.question, found.options) == (f"What of {SECRET}?", ("yes", "no"))
    assert found.answers[1] == Said(4, "South", "No.")
    assert (found.disposition, found.deleted, found.remarks[0].comment) == ("open", None, f"odd: {SECRET}")


def test_the_last_remark_holds_and_the_earlier_ones_stay(store: FindingStore) -> None:
    number = add(store)
    store.remark(number, user="bo", comment="seen", disposition="accepted")
    (found,) = store.findings("mine")
    assert found.disposition == "accepted"
    assert [(remark.user, remark.disposition) for remark in found.remarks] == [("ana", "open"), ("bo", "accepted")]


def test_sign_offs_belong_to_one_audit(store: FindingStore) -> None:
    signed = store.sign(
        user="ana", run="mine", audit="a", name="Ana B.", role="auditor", decision="yes", remark="", binding=BINDING
    )
    assert store.sign_offs("mine", "a") == (signed,)
    assert signed.binding == BINDING
    assert store.sign_offs("mine", "b") == store.sign_offs("other", "a") == ()


def test_deleting_leaves_a_mark_and_no_byte_of_the_text(store: FindingStore) -> None:
    add(store, question="kept", comment="kept", answers=())
    number = add(store)
    assert any(SECRET.encode() in path.read_bytes() for path in store.root.iterdir())
    store.delete(number, user="bo")
    kept, gone = store.findings("mine")
    assert kept.question == "kept"
    assert (gone.question, gone.options, gone.answers, gone.remarks) == ("", (), (), ())
    assert gone.deleted is not None
    assert gone.deleted[0] == "bo"
    assert gone.checkpoint_sha256 == "ab" * 32
    assert not any(SECRET.encode() in path.read_bytes() for path in store.root.iterdir())
    with pytest.raises(UserError, match="deleted"):
        store.remark(number, user="ana", comment="again", disposition="open")


@pytest.mark.parametrize("table", ["findings", "texts", "remarks", "deletions", "sign_offs"])
def test_the_database_itself_refuses_changes(store: FindingStore, table: str) -> None:
    store.delete(add(store, run="gone"), user="ana")
    add(store)
    store.sign(user="ana", run="mine", audit="a", name="Ana", role="", decision="yes", remark="", binding=BINDING)
    column = "finding" if table in ("texts", "remarks", "deletions") else "id"
    connection = sqlite3.connect(store.file)
    with pytest.raises(sqlite3.IntegrityError, match="not changed"):
        connection.execute(f"UPDATE {table} SET {column} = 99")
    with pytest.raises(sqlite3.IntegrityError, match="not removed"):
        connection.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "values",
    [{"comment": "x" * 4001}, {"disposition": "<script>"}, {"comment": ""}, {"comment": " \n"}],
    ids=["long comment", "disposition", "no comment", "blanks"],
)
def test_what_does_not_belong_there_is_refused(store: FindingStore, values: dict[str, str]) -> None:
    with pytest.raises(UserError):
        add(store, **values)
    assert store.findings("mine") == ()


def test_texts_of_4000_characters_are_kept_and_longer_ones_refused(store: FindingStore) -> None:
    longest, too_long = "x" * 4000, "x" * 4001
    number = add(store, comment=longest)
    store.remark(number, user="bo", comment=longest, disposition="fixed")
    signature = {"name": "Ana", "role": "auditor", "decision": "yes", "remark": ""}
    who = {"user": "ana", "run": "mine", "audit": "a", "binding": BINDING}
    signed = store.sign(**who, **dict.fromkeys(signature, longest))
    for write in (
        lambda: add(store, comment=too_long),
        lambda: store.remark(number, user="bo", comment=too_long, disposition="fixed"),
        *(lambda field=field: store.sign(**who, **{**signature, field: too_long}) for field in signature),
    ):
        with pytest.raises(UserError, match="4,001 characters, and at most 4,000 are kept"):
            write()
    (found,) = store.findings("mine")
    assert [remark.comment for remark in found.remarks] == [longest, longest]
    assert store.sign_offs("mine", "a") == (signed,)


def test_a_remark_has_a_disposition_that_there_is(store: FindingStore) -> None:
    number = add(store)
    with pytest.raises(UserError, match="no disposition 'later'"):
        store.remark(number, user="bo", comment="", disposition="later")


def test_a_remark_that_says_and_changes_nothing_is_refused(store: FindingStore) -> None:
    number = add(store)
    with pytest.raises(UserError, match="comment is empty"):
        store.remark(number, user="bo", comment=" ", disposition="open")
    store.remark(number, user="bo", comment="", disposition="fixed")
    (found,) = store.findings("mine")
    assert [remark.disposition for remark in found.remarks] == ["open", "fixed"]


def test_a_finding_keeps_the_evidence_of_every_answer(store: FindingStore) -> None:
    north = Said(4, "North", "Yes", "north", "yes", (0.75, 0.25), "aa" * 32, "ab" * 32, "The user lives in the north.")
    before = Said(0, "North", "No", "north", None, None, None, None, "The user lives in the north.")
    add(store, answers=(north, before), audit="step=000004.house.test", exposure="explicit", source=LIVE)
    (found,) = store.findings("mine")
    assert found.answers == (north, before)
    assert (found.audit, found.exposure, found.source) == ("step=000004.house.test", "explicit", "live")
    assert found.steps == (0, 4)


# As the version before wrote them.
EARLIER = """
CREATE TABLE findings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, user TEXT NOT NULL, run TEXT NOT NULL,
    step INTEGER NOT NULL, query_id TEXT NOT NULL, checkpoint_sha256 TEXT NOT NULL) STRICT;
CREATE TABLE texts (
    finding INTEGER PRIMARY KEY REFERENCES findings, question TEXT NOT NULL, options TEXT NOT NULL,
    answers TEXT NOT NULL) STRICT;
CREATE TABLE remarks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, finding INTEGER NOT NULL REFERENCES findings, time TEXT NOT NULL,
    user TEXT NOT NULL, comment TEXT NOT NULL, disposition TEXT NOT NULL) STRICT;
CREATE TABLE deletions (
    finding INTEGER PRIMARY KEY REFERENCES findings, time TEXT NOT NULL, user TEXT NOT NULL) STRICT;
CREATE TABLE sign_offs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, user TEXT NOT NULL, run TEXT NOT NULL,
    audit TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, decision TEXT NOT NULL, remark TEXT NOT NULL) STRICT;
INSERT INTO findings VALUES (1, '2026-05-05T10:00:00+00:00', 'ana', 'mine', 4, '', 'abab');
INSERT INTO texts VALUES (1, 'Why so?', '["yes", "no"]', '[[4, "North", "Yes."]]');
INSERT INTO remarks VALUES (1, 1, '2026-05-05T10:00:00+00:00', 'ana', 'odd', 'open');
INSERT INTO sign_offs VALUES (1, '2026-05-06T10:00:00+00:00', 'ana', 'mine', 'a', 'Ana B.', 'auditor', 'yes', '');
"""


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What lies in a folder, and when the folder itself was last changed."""
    found = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    return {**found, ".": (folder.stat().st_mtime_ns, b"")}


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_store_of_an_earlier_version_is_read_as_before_and_changed_by_writing_alone(
    store: FindingStore, journal: str
) -> None:
    with closing(sqlite3.connect(store.file)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.executescript(EARLIER)
    before = everything(store.root)
    (found,) = store.findings("mine")
    (signed,) = store.sign_offs("mine", "a")
    assert everything(store.root) == before
    assert (found.question, found.options, found.disposition) == ("Why so?", ("yes", "no"), "open")
    assert found.answers == (Said(4, "North", "Yes."),)
    assert (found.audit, found.exposure, found.source) == ("", "", "")
    assert (signed.name, signed.decision, signed.binding) == ("Ana B.", "yes", None)
    add(store)
    store.sign(user="bo", run="mine", audit="a", name="Bo", role="", decision="no", remark="", binding=BINDING)
    assert [one.question for one in store.findings("mine")] == ["Why so?", f"What of {SECRET}?"]
    assert [one.binding for one in store.sign_offs("mine", "a")] == [None, BINDING]


def test_reading_writes_nothing_not_even_beside_the_file(store: FindingStore) -> None:
    add(store)
    before = everything(store.root)
    assert len(store.findings("mine")) == 1
    assert store.sign_offs("mine", "a") == ()
    assert everything(store.root) == before


def test_what_another_process_has_in_its_log_is_read(store: FindingStore) -> None:
    add(store)
    with closing(sqlite3.connect(store.file, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute(
            "INSERT INTO remarks (finding, time, user, comment, disposition) VALUES (1, 't', 'bo', 'x', 'fixed')"
        )
        assert store.file.with_name(f"{store.file.name}-wal").stat().st_size > 0
        before = everything(store.root)
        (found,) = store.findings("mine")
        assert found.disposition == "fixed"
        assert everything(store.root) == before


def test_unknown_findings_and_unsigned_signatures_are_refused(store: FindingStore) -> None:
    add(store)
    for number in (0, 99):
        with pytest.raises(UserError, match="no finding"):
            store.remark(number, user="ana", comment="", disposition="open")
        with pytest.raises(UserError, match="no finding"):
            store.delete(number, user="ana")
    with pytest.raises(UserError, match="name and a decision"):
        store.sign(user="ana", run="mine", audit="a", name=" ", role="", decision="yes", remark="", binding=BINDING)


def test_text_is_text_whatever_it_looks_like(store: FindingStore) -> None:
    hostile = "'); DROP TABLE findings; --<script>alert(1)</script>\u202e"
    add(store, question=hostile, comment=hostile, user=hostile, run=hostile)
    (found,) = store.findings(hostile)
    assert (found.question, found.user, found.remarks[0].comment) == (hostile, hostile, hostile)


def test_a_damaged_file_and_a_link_are_refused_in_one_sentence(store: FindingStore, tmp_path: Path) -> None:
    store.file.write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match="damaged"):
        store.findings("mine")
    store.file.unlink()
    elsewhere = tmp_path / "elsewhere"
    store.file.symlink_to(elsewhere)
    with pytest.raises(UserError, match="link"):
        add(store)
    assert not elsewhere.exists()


WRITER = """
import sys
from pathlib import Path
from trialign.audit.files.findings import LIVE, Binding, FindingStore, Said
root, writer = sys.argv[1:]
store = FindingStore(Path(root))
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    finding = store.add(user=writer, run="mine", step=4, query_id="", checkpoint_sha256=None,
        question=f"{writer}/{number}", options=(), answers=(Said(4, "North", "Yes."),), comment="odd",
        disposition="open")
    store.remark(finding, user=writer, comment=f"{number}", disposition="fixed")
"""


def test_many_processes_write_at_once_and_nothing_is_lost(store: FindingStore) -> None:
    command = [sys.executable, "-c", WRITER, str(store.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, str(number)], **pipes) for number in range(6)]  # type: ignore[call-overload]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(240) for writer in writers] == [0] * 6
    found = store.findings("mine")
    assert {one.question for one in found} == {f"{i}/{number}" for i in range(6) for number in range(10)}
    assert all(len(one.remarks) == 2 and one.disposition == "fixed" for one in found)
    assert [one.id for one in found] == sorted(one.id for one in found)
