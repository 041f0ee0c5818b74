"""The notebooks under examples/ run from the first cell to the last, in a folder of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.figures.summary import read_summary

pytestmark = pytest.mark.integration

pytest.importorskip("nbclient", reason="nbclient is not installed (pip install 'trialign[dev]')")

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(file.name for file in EXAMPLES.glob("*.ipynb"))


def executed(name: str, folder: Path) -> dict[str, str]:
    """Runs a notebook; gives the last output of each cell of code by the cell's last line."""
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(EXAMPLES / name, as_version=4)
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "IPYTHONDIR": str(folder / ".ipython")})
    return {
        cell.source.splitlines()[-1]: "".join(
            output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_output_is_kept(name: str) -> None:
    cells = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


def test_there_are_two() -> None:
    assert NAMES == ["own_groups.ipynb", "served_model.ipynb"]


def test_own_groups_are_trained_audited_and_asked(tmp_path: Path) -> None:
    shown = executed("own_groups.ipynb", tmp_path)
    assert "('town', 'village')" in shown['trialign.open_run("runs/brief").groups.names']
    verdict = read_summary(tmp_path / "runs/brief/audits/step=000002.mine.test/summary.json")["verdict"]["sentence"]
    assert verdict in shown["fitted.after.verdict"]
    assert "flip_rate" in shown['pd.DataFrame(fitted.changes, index=["change", "low", "high"]).T.round(3)']
    assert shown["    print()"].count("Townspeople") == 2
    assert (tmp_path / "runs/brief/agents/step=000002/village/adapter_model.safetensors").is_file()


def test_the_known_fault_of_a_served_model_is_found(tmp_path: Path) -> None:
    shown = executed("served_model.ipynb", tmp_path)
    truth = read_summary(tmp_path / "runs/stand-in/audits/step=000000.embedded.test/summary.json")["truth"]
    assert truth["accuracy"]["native"] == truth["accuracy"]["fluent"] == 1.0
    assert 0.5 < truth["accuracy"]["beginner"] < 0.8
    assert "Not the same facts for all" in shown["audit.verdict"]
    assert "beginner" in shown["pd.DataFrame(audit.analysis.facts.pairs)[columns].round(3)"]
    assert "Beginner" in shown["server.shutdown()"]
