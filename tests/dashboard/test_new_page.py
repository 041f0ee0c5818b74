"""The page that CONTRIBUTING.md adds as an example."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from trialign.dashboard import navigation
from trialign.dashboard.components.heading import heading
from trialign.dashboard.components.markup import plain
from trialign.dashboard.reading import records
from trialign.dashboard.session import selection

from .conftest import SyntheticRun

pytestmark = pytest.mark.integration

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_a_page_is_one_function_and_its_entry(
    one_run: SyntheticRun, open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "def show" in block]
    module = ModuleType("asked")
    module.__dict__.update(st=st, records=records, selection=selection, heading=heading, plain=plain)
    exec(code, module.__dict__)
    monkeypatch.setitem(sys.modules, "trialign.dashboard.pages.asked", module)
    entry = navigation.PageEntry("asked", "Asked", ":material/help:", "What was asked?")
    monkeypatch.setattr(navigation, "PAGES", (*navigation.PAGES, entry))
    app = open_page("asked", run=one_run.folder.name)
    [metric] = app.metric
    assert (metric.label, metric.value) == ("questions", str(records_of(one_run)))


def records_of(run: SyntheticRun) -> int:
    import json

    [summary] = {json.loads(f.read_text())["n_queries"] for f in run.folder.glob("audits/step=000004.*/summary.json")}
    return int(summary)
