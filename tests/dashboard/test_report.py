"""The page Report: findings, sign-off, and the same report that the command makes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.files.findings import FindingStore, Said, SavedSignOff
from trialign.audit.report import build_report, write_report
from trialign.dashboard.session.access import Person
from trialign.runs import RunFolder

from .conftest import SyntheticRun

pytestmark = pytest.mark.integration
Open = Callable[..., AppTest]
SCRIPT = "<script>alert(1)</script>"


def html_of(app: AppTest) -> str:
    return "\n".join(part.proto.body for part in app.get("html"))


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception, app.exception
    return app


def note(runs: Path, question: str = "Why so?", query_id: str = "", step: int = 4, comment: str = "odd") -> int:
    return FindingStore(runs).add(
        user="ana",
        run="house",
        step=step,
        query_id=query_id,
        checkpoint_sha256="ab" * 32,
        question=question,
        options=(),
        answers=(Said(step, "Northerners", "Because."),),
        comment=comment,
        disposition="open",
    )


def sign(app: AppTest, decision: str = "Consistent enough to use", name: str = "Ana B.") -> AppTest:
    """As an auditor does once the report is made: the form, then the confirmation."""
    next(box for box in app.text_input if box.label == "Your name").set_value(name)
    next(box for box in app.text_input if box.label == "In which capacity").set_value("auditor")
    next(box for box in app.selectbox if box.label == "Decision").set_value(decision)
    press(app, "Go on to the signature")
    return press(app, "Sign this audit")


def signatures(runs: Path) -> tuple[SavedSignOff, ...]:
    return FindingStore(runs).sign_offs("house", "step=000004.house.test")


def sidebar(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.sidebar.caption).replace("\\", "")


def made(app: AppTest) -> dict[str, bytes]:
    """What the page gives away, by file name."""
    with zipfile.ZipFile(io.BytesIO(app.session_state["report"].packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_without_findings_the_page_says_how_to_make_one(one_run: SyntheticRun, open_page: Open) -> None:
    app = open_page("report")
    assert "Nothing was noted on this run yet" in app.info[0].value
    assert "Nobody has signed" in "\n".join(caption.value for caption in app.caption)


def test_the_download_is_what_the_command_makes(one_run: SyntheticRun, open_page: Open, tmp_path: Path) -> None:
    app = press(open_page("report"), "Make the report")
    folder = tmp_path / "command"
    write_report(build_report(one_run.folder / "audits" / "step=000004.house.test"), folder)
    expected = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert made(app) == expected
    assert app.session_state["report"].page == expected["report.html"]
    labels = [part.proto.label for part in app.get("download_button")]
    assert labels == ["Download the report (HTML)", "Download everything (ZIP)"]


def test_findings_and_the_sign_off_stand_in_the_report_and_change_no_number(
    runs: Path, one_run: SyntheticRun, open_page: Open
) -> None:
    before = json.loads(made(press(open_page("report"), "Make the report"))["report.json"])
    note(runs, query_id="test-fact-00-0", comment="north is wrong")
    note(runs, step=0, comment="of the base model")
    app = press(open_page("report"), "Make the report")
    app.text_input[0].set_value("Ana B.")
    app.text_input[1].set_value("auditor")
    press(app, "Go on to the signature")
    assert "needs a name and a decision" in "\n".join(error.value for error in app.error)
    # What was typed is still there.
    assert [box.value for box in app.text_input] == ["Ana B.", "auditor"]
    sign(app)
    assert [box.value for box in app.text_input] == ["", ""]
    report = json.loads(made(app)["report.json"])
    assert [finding["comment"] for finding in report["findings"]] == ["north is wrong"]
    assert (report["sign_off"]["name"], report["sign_off"]["role"]) == ("Ana B.", "auditor")
    assert report["sign_off"]["decision"] == "Consistent enough to use"
    for key in ("findings", "sign_off"):
        before.pop(key), report.pop(key)
    assert report == before


def test_a_comment_and_a_deletion(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    note(runs, question="a private question")
    app = open_page("report")
    assert "a private question" in html_of(app)
    next(area for area in app.text_area if area.label == "Comment").set_value("seen")
    next(box for box in app.selectbox if box.label == "What is to become of it?").set_value("accepted")
    press(app, "Add comment")
    assert next(area for area in app.text_area if area.label == "Comment").value == ""
    (found,) = FindingStore(runs).findings("house")
    assert (found.remarks[-1].comment, found.disposition) == ("seen", "accepted")
    assert next(button for button in app.button if button.label == "Delete").disabled
    app.checkbox[0].check().run()
    press(app, "Delete")
    assert "a private question" not in html_of(app)
    assert "texts were deleted by" in html_of(app)


def test_a_comment_that_is_refused_is_not_lost(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    note(runs)
    app = open_page("report")
    long = "x" * 4001
    next(area for area in app.text_area if area.label == "Comment").set_value(long)
    press(app, "Add comment")
    assert "4,001 characters" in app.error[0].value
    assert next(area for area in app.text_area if area.label == "Comment").value == long


def test_a_report_says_that_it_is_older_than_a_finding(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    app = press(open_page("report"), "Make the report")
    note(runs)
    app.run()
    assert any("make it again" in caption.value for caption in app.caption)


def test_a_sign_off_without_a_name_is_refused(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    app = press(press(open_page("report"), "Make the report"), "Go on to the signature")
    assert "needs a name" in app.error[0].value
    assert signatures(runs) == ()


def test_the_form_comes_after_the_report_and_the_verdict_stands_there(one_run: SyntheticRun, open_page: Open) -> None:
    app = open_page("report")
    assert 'class="ta-banner' in html_of(app)
    assert "Go on to the signature" not in [button.label for button in app.button]
    press(app, "Make the report")
    assert "Go on to the signature" in [button.label for button in app.button]
    assert app.get("iframe")


def test_nothing_is_signed_before_it_is_confirmed(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    app = press(open_page("report"), "Make the report")
    assert all(not form.proto.form.enter_to_submit for form in app.get("form"))
    app.text_input[0].set_value("Ana B.")
    next(box for box in app.selectbox if box.label == "Decision").set_value("Not to be used")
    press(app, "Go on to the signature")
    assert signatures(runs) == ()
    assert app.session_state["report"].binding.report_sha256 in html_of(app)
    assert "<dt>Verdict</dt>" in html_of(app)
    press(app, "Back")
    assert signatures(runs) == ()
    assert app.text_input[0].value == "Ana B."
    press(press(app, "Go on to the signature"), "Sign this audit")
    (signed,) = signatures(runs)
    assert (signed.name, signed.decision) == ("Ana B.", "Not to be used")
    assert signed.binding is not None
    assert f"audits/{one_run.folder.name}" not in signed.binding.files
    assert "✓" not in html_of(app).partition("ta-tag ta-bad")[2].partition("</p>")[0]
    assert "✗ Not to be used (Ana B." in sidebar(app)


def test_the_signed_hash_is_that_of_the_report_that_was_read(
    runs: Path, one_run: SyntheticRun, open_page: Open
) -> None:
    app = press(open_page("report"), "Make the report")
    read = made(app)["report.json"]
    sign(app)
    (signed,) = signatures(runs)
    assert signed.binding is not None
    assert signed.binding.report_sha256 == hashlib.sha256(read).hexdigest()
    content = json.loads(made(app)["report.json"])
    assert content["sign_off"]["standing"] == "holds"
    assert content["sign_off"]["report_sha256"] == signed.binding.report_sha256


@pytest.mark.parametrize("change", ["finding", "file"])
def test_what_changed_since_the_report_was_read_is_not_signed(
    runs: Path, one_run: SyntheticRun, open_page: Open, change: str
) -> None:
    app = press(open_page("report"), "Make the report")
    app.text_input[0].set_value("Ana B.")
    next(box for box in app.selectbox if box.label == "Decision").set_value("Consistent enough to use")
    press(app, "Go on to the signature")
    if change == "finding":
        note(runs)
    else:
        (one_run.folder / "config.yaml").write_text("name: other\n", encoding="utf-8")
    press(app, "Sign this audit")
    assert signatures(runs) == ()


def test_a_signature_whose_audit_changed_is_stale_everywhere(
    runs: Path, one_run: SyntheticRun, open_page: Open
) -> None:
    sign(press(open_page("report"), "Make the report"))
    for name in ("verdict", "items", "report"):
        assert "✓ Consistent enough to use (Ana B.): signed" in sidebar(open_page(name))
    config = one_run.folder / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    for name in ("verdict", "items", "report"):
        assert "! Consistent enough to use (Ana B.): the signature is stale" in sidebar(open_page(name))
    app = open_page("report")
    assert "✓ Consistent enough" not in html_of(app)
    assert "house/config.yaml" in html_of(app)
    press(app, "Make the report")
    assert json.loads(made(app)["report.json"])["sign_off"]["standing"] == "stale"


def test_a_finding_after_the_signature_is_told(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    sign(press(open_page("report"), "Make the report"))
    note(runs)
    assert "signed before what was noted since" in sidebar(open_page("verdict"))
    assert "✓ Consistent enough" not in html_of(open_page("report"))


def test_a_signature_without_hashes_bears_no_tick(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    sign(press(open_page("report"), "Make the report"))
    with closing(sqlite3.connect(FindingStore(runs).file, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER sign_offs_are_not_changed")
        connection.execute("UPDATE sign_offs SET binding = ''")
    assert "signed without hashes" in sidebar(open_page("verdict"))
    assert "✓ Consistent enough" not in html_of(open_page("report"))


def test_an_audit_without_hashes_says_that_it_cannot_be_verified(one_run: SyntheticRun, open_page: Open) -> None:
    for path in one_run.folder.glob("audits/*/summary.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        del content["files"]
        path.write_text(json.dumps(content), encoding="utf-8")
    for name in ("verdict", "items", "groups", "training", "report"):
        warnings = [warning.value.replace("\\", "") for warning in open_page(name).warning]
        assert any("Cannot be verified" in text for text in warnings), name
    app = press(open_page("report"), "Make the report")
    assert b"Cannot be verified" in made(app)["report.html"]


@pytest.mark.parametrize("file", ["items.parquet", "questions.jsonl"])
@pytest.mark.parametrize("page", ["verdict", "items", "groups", "report"])
def test_a_page_that_judges_refuses_an_audit_of_which_any_file_is_damaged_or_missing(
    one_run: SyntheticRun, open_page: Open, page: str, file: str
) -> None:
    path = one_run.folder / "audits" / "step=000004.house.test" / file
    stat, content = path.stat(), path.read_bytes()
    open_page(page)  # what was verified once is not taken for what is there now
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    app = open_page(page)
    assert file in app.error[0].value.replace("\\", "")
    assert 'class="ta-banner' not in html_of(app)
    path.unlink()
    assert file in open_page(page).error[0].value.replace("\\", "")


def test_opening_pages_writes_nothing(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    note(runs)
    before = {path: path.stat().st_mtime_ns for path in (runs, *runs.rglob("*"))}
    for name in ("verdict", "compare", "items", "groups", "training", "report", "runs"):
        open_page(name)
    press(open_page("report"), "Make the report")
    assert {path: path.stat().st_mtime_ns for path in (runs, *runs.rglob("*"))} == before


def test_a_run_in_training_is_not_signed(one_run: SyntheticRun, open_page: Open) -> None:
    def offered(app: AppTest) -> bool:
        return "Go on to the signature" in [button.label for button in press(app, "Make the report").button]

    with RunFolder(one_run.folder).held():
        app = open_page("report")
        assert not offered(app)
        assert any("being trained now" in caption.value for caption in app.caption)
    assert offered(open_page("report"))
    lock = one_run.folder.with_name(".house.lock")
    lock.write_text(f"process {2**22 + 1} on {socket.gethostname()}", encoding="utf-8")  # of one that was killed
    assert offered(open_page("report"))


def test_a_viewer_reads_and_neither_notes_nor_signs(
    runs: Path, one_run: SyntheticRun, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(runs)
    monkeypatch.setattr("trialign.dashboard.session.access.enter", lambda: Person("bo@example.org", "viewer"))
    app = open_page("report")
    assert "Why so?" in html_of(app)
    assert [button.label for button in app.button] == ["Make the report"]


def test_script_in_a_finding_is_text(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    note(runs, question=SCRIPT, comment=SCRIPT)
    app = press(open_page("report"), "Make the report")
    assert SCRIPT not in html_of(app)
    assert html_of(app).count("&lt;script&gt;") == 2
    assert SCRIPT.encode() not in app.session_state["report"].page
    (frame,) = app.get("iframe")
    assert frame.proto.src.startswith("data:text/html;base64,")


@pytest.mark.parametrize("name", ["items.parquet", "analysis.json", "questions.jsonl"])
@pytest.mark.parametrize("step", [0, 4])
def test_a_changed_file_is_refused(one_run: SyntheticRun, open_page: Open, name: str, step: int) -> None:
    path = one_run.folder / "audits" / f"step={step:06d}.house.test" / name
    path.write_bytes(path.read_bytes() + b"\n")
    app = open_page("report")
    if step == 0:  # the report compares with it, and is not made
        press(app, "Make the report")
    assert "hash differs" in app.error[0].value
    assert "Go on to the signature" not in [button.label for button in app.button]


def test_damaged_findings_are_named(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    FindingStore(runs).file.write_bytes(b"nothing of the kind" * 99)
    app = open_page("report")
    assert "damaged" in app.error[0].value
