"""The frame: which run is shown, and what stands there where nothing can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from trialign.dashboard.navigation import PAGES

from .conftest import SyntheticRun

pytestmark = pytest.mark.integration

Open = Callable[..., AppTest]
NAMES = [page.name for page in PAGES]


def text_of(app: AppTest) -> str:
    """Everything that a page says."""
    parts = [*app.get("html"), *app.markdown, *app.info, *app.error, *app.warning, *app.caption, *app.subheader]
    return "\n".join(str(getattr(part, "value", None) or part.proto.body) for part in parts)


@pytest.mark.parametrize("name", NAMES)
def test_without_runs_every_page_names_the_command_that_makes_one(runs: Path, open_page: Open, name: str) -> None:
    app = open_page(name)
    assert app.code[0].value == "trialign fit --config conf/quickstart.yaml"
    assert not app.selectbox


@pytest.mark.parametrize("name", NAMES)
def test_every_page_opens_on_the_last_audit_and_says_which(one_run: SyntheticRun, open_page: Open, name: str) -> None:
    app = open_page(name)
    assert app.selectbox(key="run").value == "house"
    assert app.selectbox(key="audit").value == "test, step 4 (house)"
    assert app.query_params["run"] == "house"
    assert not app.error


def test_the_run_and_the_audit_come_from_the_url(runs: Path, open_page: Open) -> None:
    for name in ("one", "two"):
        run = SyntheticRun(runs / name).write()
        run.audit(0)
        run.audit(8)
    app = open_page(run="one", audit="test, before training (house)")
    assert app.selectbox(key="run").value == "one"
    assert app.selectbox(key="audit").value == "test, before training (house)"
    assert "one · test questions of house, agents before training" in text_of(app)


@pytest.mark.parametrize("run", ["../secret", "/etc", "..", ".trajectories", "house/../house", "missing", "<b>x</b>"])
def test_a_run_that_the_scan_did_not_find_is_not_opened(
    one_run: SyntheticRun, open_page: Open, run: str, tmp_path: Path
) -> None:
    outside = SyntheticRun(tmp_path / "secret").write()
    outside.audit(0)
    app = open_page(run=run)
    assert app.selectbox(key="run").value in (None, "house")
    assert "secret" not in text_of(app)
    assert run not in text_of(app)


def test_a_link_out_of_the_root_is_named_and_refused(one_run: SyntheticRun, open_page: Open, tmp_path: Path) -> None:
    outside = SyntheticRun(tmp_path / "elsewhere").write()
    outside.audit(0)
    (one_run.folder.parent / "linked").symlink_to(outside.folder)
    app = open_page(run="linked")
    assert "linked" not in app.selectbox(key="run").options
    assert "link that leads out of the folder of runs" in text_of(app)


@pytest.mark.parametrize("file", ["analysis.json", "summary.json"])
def test_a_damaged_file_is_named_without_the_servers_paths(one_run: SyntheticRun, open_page: Open, file: str) -> None:
    path = one_run.folder / "audits" / "step=000004.house.test" / file
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    app = open_page()
    assert len(app.error) == 1
    shown = app.error[0].value.replace("\\", "")
    assert file in shown
    assert str(one_run.folder) not in shown
