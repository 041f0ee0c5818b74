"""A stakeholder's path in a real browser, over a real run: ask, read, open a disagreement, note, sign, take away."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trialign.audit.files.findings import FindingStore
from trialign.checkpoints import AgentCheckpoint, read_agents

from .. import samples
from ..browsing import PATIENCE, drawn, hidden_width, opened, pushed_along_ages, serious_faults, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Download, Page

    from trialign.models import ModelConfig

pytestmark = pytest.mark.integration

QUESTION = "Is the Earth older than ten thousand years?"
HOSTILE = "<script>document.title = 'forged'</script> Is water wet?"
LABELS = {"liberal": "Liberal", "moderate": "Moderate", "conservative": "Conservative"}
CONTROL = "No profile"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, smoke_run: Path) -> Path:
    """A folder with the one run, to which people may add findings."""
    root = tmp_path_factory.mktemp("walked") / "runs"
    shutil.copytree(smoke_run, root / smoke_run.name)
    return root


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    with served(runs) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def answered(page: Page) -> None:
    """Waits for the model; a question that is refused fails here, with what the page says."""
    heading = page.get_by_role("heading", name="The answers, answered now")
    refused = page.get_by_test_id("stAlertContentError")
    heading.or_(refused).first.wait_for()
    assert refused.all_inner_texts() == []
    page.get_by_role("button", name="Save finding").wait_for()
    drawn(page)


def card(page: Page, label: str) -> Any:
    """One agent's answer."""
    return page.locator(".ta-answer").filter(has=page.get_by_role("heading", name=label, exact=True))


def taken(page: Page, label: str, folder: Path) -> Path:
    """What a button gives away."""
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    value: Download = download.value
    value.save_as(folder / value.suggested_filename)
    return folder / value.suggested_filename


def _ask_every_agent(page: Page, agents: AgentCheckpoint) -> None:
    """A typed question, and under every group's answer the adapter that gave it."""
    page.get_by_role("link", name="Compare").click()
    page.get_by_role("textbox", name="Your question").fill(QUESTION)
    page.get_by_role("button", name="Ask all agents").click()
    answered(page)
    for group, label in LABELS.items():
        digest = agents.adapter_sha256(group)
        assert digest is not None
        assert f"Adapter {digest[:12]}" in card(page, label).inner_text()
    assert all(text.strip() for text in page.locator(".ta-said").all_inner_texts())


def _sign(page: Page) -> None:
    """Name, decision, and the signature under the report that was shown."""
    page.get_by_role("textbox", name="Your name").fill("Ana B.")
    page.get_by_role("textbox", name="Your name").press("Enter")
    # A list of choices closes when the page scrolls.
    page.get_by_role("button", name="Go on to the signature").scroll_into_view_if_needed()
    drawn(page)
    page.get_by_role("combobox", name="Decision").click()
    page.get_by_role("option", name="To be used with the noted limits").click()
    page.get_by_role("button", name="Go on to the signature").click()
    page.get_by_role("button", name="Sign this audit").click()
    page.get_by_text(re.compile(r"^Ana B\. \(.*report [0-9a-f]{12}$")).wait_for()


def test_ask_see_every_group_open_a_disagreement_note_sign_and_take_away(
    page: Page, runs: Path, axe: str, tmp_path: Path
) -> None:
    """Numbers that are taken away equal those of ``trialign report``."""
    run = runs / "smoke"

    opened(page, "/")
    page.get_by_role("heading", name="Do all groups get the same facts?").wait_for()

    _ask_every_agent(page, read_agents(run / "agents" / "step=000004"))
    assert page.locator(".ta-heat tbody tr").count() == len(LABELS)
    assert serious_faults(page, axe) == []

    page.get_by_role("link", name="Verdict").click()
    page.get_by_role("link", name="See the questions on which groups disagree").click()
    page.locator(".ta-grid tbody a").first.click()
    page.wait_for_url("**question=**")
    question = page.locator("h2.ta-question").inner_text()
    page.get_by_role("link", name="Ask the agents this question").click()
    page.get_by_role("heading", name="The answers, recorded").wait_for()
    assert question in page.locator("p.ta-question").inner_text()
    page.get_by_text("They disagree.").wait_for()
    page.get_by_text("Ask the base model too").click()
    card(page, CONTROL).wait_for()
    page.get_by_role("button", name="Ask all agents").click()
    answered(page)
    assert page.locator(".ta-answer").count() == len(LABELS) + 1
    assert "Base weights, no adapter" in card(page, CONTROL).inner_text()
    page.get_by_role("textbox", name="What did you see?").fill("Some say otherwise.")
    page.get_by_role("button", name="Save finding").click()
    page.get_by_text("Saved as finding 1").wait_for()

    page.get_by_role("link", name="Report").click()
    page.get_by_text("Some say otherwise.").first.wait_for()
    page.get_by_role("button", name="Make the report").click()
    page.get_by_role("button", name="Download the report (HTML)").wait_for()
    _sign(page)
    page.get_by_role("button", name="Download the report (HTML)").wait_for()
    assert serious_faults(page, axe) == []
    html = taken(page, "Download the report (HTML)", tmp_path).read_text(encoding="utf-8")
    with zipfile.ZipFile(taken(page, "Download everything (ZIP)", tmp_path)) as archive:
        packed = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}

    assert packed["report.html"] == html
    assert "Some say otherwise." in html
    assert "Ana B." in html
    (finding,) = FindingStore(runs).findings("smoke")
    assert (finding.step, finding.question) == (4, question)
    assert [said.group for said in finding.answers] == [*LABELS, "control"]
    assert all(said.profile for said in finding.answers[:-1])
    assert (finding.exposure, finding.source) == ("explicit", "live")
    _equal_to_the_command(run, packed, tmp_path / "command")


def _equal_to_the_command(run: Path, packed: dict[str, str], folder: Path) -> None:
    """Whatever the page gives away has the command's numbers; only findings and signature may be more."""
    command = [sys.executable, "-m", "trialign.cli", "report", str(run), "--output", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    made = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.*")}
    assert packed.keys() == made.keys() | {"tables/findings.csv", "tables/finding_answers.csv"}
    tables = [name for name in made if name.endswith(".csv") and "finding" not in name]
    assert tables
    assert {name: packed[name] for name in tables} == {name: made[name] for name in tables}
    numbers = re.compile(r'<data value="([^"]+)">')
    assert numbers.findall(packed["report.html"]) == numbers.findall(made["report.html"]) != []
    contents = [json.loads(files["report.json"]) for files in (packed, made)]
    assert contents[0]["findings"]
    assert contents[0]["sign_off"]["name"] == "Ana B."
    for content in contents:
        content.pop("findings"), content.pop("sign_off")
    assert contents[0] == contents[1]


def test_compare_is_walked_with_the_keyboard_alone(page: Page) -> None:
    """Tab reaches every control in its order on the page, Space takes a group out, Enter asks."""
    opened(page, "/compare")
    page.get_by_role("textbox", name="Your question").focus()
    page.keyboard.type(HOSTILE)
    for name in ("Answers to choose from", "Liberal", "Ask the base model too", "Other agents", "Ask all agents"):
        _tab_to(page, name)
        if name == "Answers to choose from":
            page.keyboard.type("Yes\nNo")
        if name == "Liberal":  # a set of buttons is one stop, in which arrows lead on
            drawn(page)  # keys that come while the page is drawn anew are lost on a busy machine
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Space")
            drawn(page)
    page.keyboard.press("Enter")
    answered(page)
    assert [one.strip() for one in page.locator(".ta-answer h3").all_inner_texts()] == ["Liberal", "Conservative"]
    assert HOSTILE in page.locator("p.ta-question").inner_text()
    assert page.title() != "forged"


def _tab_to(page: Page, name: str) -> None:
    """Goes on to the next control of this name; a word of help may lie between."""
    for _ in range(3):
        page.keyboard.press("Tab")
        reached = page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText")
        if name in reached and not reached.startswith("Help"):
            return
    raise AssertionError(f"{name} is not reached; the last stop was {reached}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [640, 390])  # 640: what a window of 1280 pixels shows at a zoom of 200 %
def test_recorded_answers_are_read_at_every_width(
    browser: Browser, address: str, axe: str, scheme: Any, width: int
) -> None:
    page = browser.new_page(base_url=address, color_scheme=scheme, viewport={"width": width, "height": 900})
    opened(page, "/compare?question=adult-sleep-hours-a&base=1")
    assert page.locator(".ta-answer").count() == len(LABELS) + 1
    assert hidden_width(page) == 0
    assert serious_faults(page, axe) == []
    page.close()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, tiny_config: ModelConfig) -> Iterator[str]:
    """Agents of the tiny model, of groups that state an age."""
    root = tmp_path_factory.mktemp("asked") / "runs"
    root.mkdir()
    samples.aged(root, asdict(tiny_config))
    with served(root) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_push_along_a_number_is_read_at_every_width(browser: Browser, asked: str, axe: str, scheme: Any) -> None:
    """The slider shown and the push switched on, before and after the answers."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    pushed_along_ages(page, asked)
    assert page.get_by_role("table").filter(has_text="After neutral words").count() == 1
    for width in (1280, 640, 390):
        page.set_viewport_size({"width": width, "height": 900})
        drawn(page)
        assert hidden_width(page) == 0
        assert serious_faults(page, axe) == []
    page.close()
