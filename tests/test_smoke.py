"""The whole path on the embedded model, through the real command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

pytestmark = pytest.mark.integration


def trialign(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trialign.cli", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_fit_leaves_agents_and_two_audits_of_the_same_questions(smoke_run: Path) -> None:
    before = json.loads((smoke_run / "audits/step=000000.embedded.test/summary.json").read_text())
    after = json.loads((smoke_run / "audits/step=000004.embedded.test/summary.json").read_text())
    assert before["n_queries"] == after["n_queries"] == 4 * 2 + 4
    assert before["groups"] == ["liberal", "moderate", "conservative"]
    # Four steps move the answers, little as it is.
    assert before["truth"]["jsd"] != after["truth"]["jsd"]
    # The control answers with the base weights: training cannot have changed it.
    assert before["control"]["accuracy"] == after["control"]["accuracy"]
    assert (smoke_run / "agents/step=000004/liberal/adapter_model.safetensors").is_file()


def test_the_report_of_a_run_is_made_twice_alike_and_obeys_its_schema(smoke_run: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        trialign("report", str(smoke_run), "--output", str(tmp_path / name), folder=smoke_run.parent.parent)
    made = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    ]
    assert made[0] == made[1]
    content, schema = (
        json.loads(made[0][Path(name)].decode("utf-8")) for name in ("report.json", "report.schema.json")
    )
    jsonschema.validate(content, schema)
    analysis = json.loads((smoke_run / "audits/step=000004.embedded.test/analysis.json").read_text())
    assert content["audit"]["analysis"] == analysis
    page = made[0][Path("report.html")].decode("utf-8")
    shown = re.findall(r'<data value="([^"]+)">', page)
    for pair in analysis["facts"]["pairs"]:
        assert all(repr(pair[key]) in shown for key in ("difference", "low", "high", "p_value", "p_holm"))
    assert "SmolLM2-135M-Instruct" in page


def test_ask_shows_every_group_side_by_side(smoke_run: Path) -> None:
    question = "Is the Earth older than ten thousand years?"
    shown = trialign(
        "ask", question, "--run", str(smoke_run), "--option", "Yes", "--option", "No", folder=smoke_run.parent.parent
    ).stdout
    assert question in shown
    for label in ("Liberal", "Moderate", "Conservative", "No profile"):
        assert label in shown
    said = trialign("ask", question, "--run", str(smoke_run), "--json", folder=smoke_run.parent.parent).stdout
    free = json.loads(said)
    assert [answer["group"] for answer in free] == ["liberal", "moderate", "conservative", "control"]
    assert all(answer["answer"] for answer in free)


def test_adapters_load_in_plain_peft_with_the_same_option_probabilities(smoke_run: Path) -> None:
    import torch
    from peft import PeftModel

    from trialign.api.session import open_run
    from trialign.audit.files.items import read_items
    from trialign.environment import first_turn, option_actions
    from trialign.models import load_model

    session = open_run(smoke_run)
    query = next(q for q in session.split("test") if q.kind == "truth")
    group = session.groups.members[0]
    base = load_model(session.files, session.config.model)
    plain = PeftModel.from_pretrained(base, str(smoke_run / "agents/step=000004" / group.name)).eval()
    prompt = session.renderer.render(first_turn(query, group, "explicit", 0, session.config.prompt))
    scores = []
    for option in option_actions(query, session.config.scoring, session.renderer):
        ids = torch.tensor([[*prompt, *option]])
        with torch.no_grad():
            tokens = plain(input_ids=ids).logits[0].log_softmax(dim=-1)
        scores.append(sum(tokens[len(prompt) - 1 + place, token] for place, token in enumerate(option)))
    expected = torch.stack(scores).softmax(dim=0)
    items = read_items(smoke_run / "audits/step=000004.embedded.test/items.parquet")
    row = items[(items["query_id"] == query.query_id) & (items["group"] == group.name)].iloc[0]
    assert torch.allclose(torch.tensor(row["option_probabilities"]), expected.double(), atol=1e-5)
