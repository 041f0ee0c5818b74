"""The page Report: findings, sign-off, and the same report that the command makes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.files.findings import FindingStore, Said
from trialign.audit.report import build_report, write_report
from trialign.dashboard.session.access import Person

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
    app = open_page("report")
    app.text_input[0].set_value("Ana B.")
    app.text_input[1].set_value("auditor")
    press(app, "Sign this audit")
    assert "needs a name and a decision" in "\n".join(error.value for error in app.error)
    # What was typed is still there.
    assert [box.value for box in app.text_input] == ["Ana B.", "auditor"]
    next(box for box in app.selectbox if box.label == "Decision").set_value("Consistent enough to use")
    press(app, "Sign this audit")
    assert [box.value for box in app.text_input] == ["", ""]
    report = json.loads(made(press(app, "Make the report"))["report.json"])
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
    app = press(open_page("report"), "Sign this audit")
    assert "needs a name" in app.error[0].value
    assert FindingStore(runs).sign_offs("house", "step=000004.house.test") == ()


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
def test_a_changed_file_is_refused(one_run: SyntheticRun, open_page: Open, name: str) -> None:
    path = one_run.folder / "audits" / "step=000004.house.test" / name
    path.write_bytes(path.read_bytes() + b"\n")
    app = open_page("report")
    next(button for button in app.button if button.label == "Make the report").click()
    app.run()
    assert "hash differs" in app.error[0].value


def test_damaged_findings_are_named(runs: Path, one_run: SyntheticRun, open_page: Open) -> None:
    FindingStore(runs).file.write_bytes(b"nothing of the kind" * 99)
    app = open_page("report")
    assert "damaged" in app.error[0].value
