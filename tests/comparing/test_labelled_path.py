"""From an audit's replies over two people's labels to what is measured of canonical answers, entailment and a judge."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from trialign.audit.figures.compared_replies import SaidReplies
from trialign.audit.figures.labelling import labelling_queue, settled_pairs, standing
from trialign.audit.files.labels import GivenLabel
from trialign.comparing.calibration import Calibration, labelled_line, labelled_pairs
from trialign.queries import TruthQuery

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
FACTS = 60


class _Judge(BaseHTTPRequestHandler):
    """Says that replies are the same where they end with the same word."""

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        said = "Hello!"
        if "reply_1" in told:
            replies = json.loads(told[told.index("{") : told.rindex("}") + 1])
            same = replies["reply_1"].split()[-1] == replies["reply_2"].split()[-1]
            said = "same" if same else "other"
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        body = json.dumps({"model": "judge", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def judge() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Judge)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Open answers of two groups, a third of them another fact, labelled by two who always see it."""
    queries = {
        f"q{n}": TruthQuery(
            query_id=f"q{n}",
            cluster=f"q{n}",
            split="test",
            topic="",
            question=f"Who was number {n}?",
            answer_kind="text",
            gold=f"Name{n}",
        )
        for n in range(FACTS)
    }
    others = [n % 3 == 0 for n in range(FACTS)]
    texts = [
        (f"I read once that it was opposes Name{n}", f"Everybody knows entails {'Nobody' if other else f'Name{n}'}")
        for n, other in enumerate(others)
    ]
    ids = np.array(list(queries), dtype=object)
    replies = SaidReplies(ids, np.arange(FACTS), np.array(texts, dtype=object), [0, 1], [0, 0])
    queue = labelling_queue(queries, replies, 0)
    given = [
        GivenLabel("", "", who, one.key, "other" if others[int(one.pair.query.query_id[1:])] else "same")
        for who in ("Ana", "Bo")
        for one in queue.pairs
    ]
    pairs = settled_pairs(queue, standing(queue, given))
    assert len(pairs) == FACTS
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(f"{labelled_line(one)}\n" for one in pairs), encoding="utf-8")
    read = [(one.pair.first, one.pair.second, one.same, one.stands_for) for one in labelled_pairs(path)[0]]
    assert read == [(one.pair.first, one.pair.second, one.same, one.stands_for) for one in pairs]
    return path


def test_a_judge_is_measured_by_the_command(project: Any, file: Path, judge: str, tmp_path: Path) -> None:
    kept = tmp_path / "calibration.json"
    words = ("audit.comparer=judge", f"audit.judge.base_url={judge}", "audit.judge.name=judge")
    outcome = project.call("calibrate", "--config", "mine.yaml", "--pairs", str(file), "--write", str(kept), *words)
    assert outcome.code == 0, outcome.err
    stated = json.loads(kept.read_text(encoding="utf-8"))
    found = Calibration.read(kept, stated["comparer"])
    assert "judge" in found.comparer
    assert found.sensitivity.value == found.specificity.value == 1
    assert found.usable
    told = ("test", "--config", "mine.yaml", "audit.answers=[scored,replies]", f"audit.calibration={kept}")
    assert project.call(*told, *words).code == 0


def test_canonical_answers_entailment_and_a_judge_are_measured_by_the_benchmark(
    file: Path,
    judge: str,
    tmp_path: Path,
    make_classifier: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    model = make_classifier(longest=4096)
    stated = json.dumps({"base_url": judge, "name": "judge"})
    for words, place in (
        ((), None),
        (("--nli", str(model)), model / "calibration.json"),
        (("--judge", stated, "--judge-answers", str(tmp_path / "j" / "a.jsonl")), tmp_path / "j" / "calibration.json"),
    ):
        monkeypatch.setattr(sys, "argv", ["comparing.py", "--pairs", str(file), *words])
        runpy.run_path(str(ROOT / "benchmarks" / "comparing.py"), run_name="__main__")
        assert f"{FACTS} pairs of {FACTS} questions" in capsys.readouterr().out
        assert place is None or json.loads(place.read_text(encoding="utf-8"))["sensitivity"]["of"] > 0
