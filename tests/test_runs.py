from __future__ import annotations

import ast
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign import runs
from trialign.errors import UserError
from trialign.runs import RunFolder, held_runs

pytestmark = pytest.mark.unit

CONFIG: dict[str, Any] = {"name": "mine", "runs": "runs", "trainer": {"steps": 4, "devices": 1}, "list": (1, 2)}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "mine")


def test_a_run_is_new_then_unfinished_then_finished(run: RunFolder) -> None:
    assert run.status(CONFIG) == "new"
    run.claim(CONFIG, "abc123")
    assert run.status(CONFIG) == "unfinished"
    run.finish({"steps": 4})
    assert run.status(CONFIG) == "finished"


def test_the_claim_is_resolved_yaml_that_names_the_trajectories(run: RunFolder) -> None:
    run.claim(CONFIG, "abc123")
    assert yaml.safe_load(run.config_file.read_text(encoding="utf-8")) == {**CONFIG, "list": [1, 2]}
    assert run.trajectories == "abc123"
    assert run.stored_config()["trainer"] == {"steps": 4, "devices": 1}


def test_a_run_finds_its_model_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project / "models" / "mine", project / "questions", elsewhere):
        folder.mkdir(parents=True)
    (project / "questions" / "q.jsonl").touch()
    config = {
        **CONFIG,
        "model": {"path": "models/mine"},
        "data": {"folder": "questions", "files": ["q.jsonl"]},
    }
    monkeypatch.chdir(project)
    away = RunFolder(elsewhere / "runs" / "mine")
    away.claim(config, "abc123")
    beside = RunFolder(project / "runs" / "mine")
    beside.claim(config, "abc123")
    # A run of an earlier version has the paths as they were written.
    beside.config_file.write_text(
        yaml.safe_dump(config, sort_keys=False).replace("!!python/tuple", ""), encoding="utf-8"
    )
    for run in (away, beside):
        assert run.status(config) == "unfinished"
    monkeypatch.chdir(elsewhere)
    for run in (away, beside):
        stored = run.stored_config()
        assert stored["model"] == {"path": str((project / "models" / "mine").resolve())}
        assert stored["data"]["folder"] == str((project / "questions").resolve())
        with pytest.raises(UserError, match=r"model\.path"):
            run.status(config)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"trainer": {"steps": 5, "devices": 1}}, "(it differs in trainer.steps)"),
        ({"trainer": {"steps": 5, "clip": 1, "devices": 2}}, "(it differs in trainer.clip, trainer.steps)"),
        ({"trainer": {"devices": 1}}, "(it differs in trainer.steps)"),
        ({"extra": None}, "(it differs in extra)"),
        ({"list": [1, 3]}, "(it differs in list)"),
    ],
)
def test_another_configuration_is_refused_and_the_difference_named(
    run: RunFolder, changed: dict[str, Any], named: str
) -> None:
    run.claim(CONFIG, "abc123")
    with pytest.raises(UserError) as raised:
        run.status({**CONFIG, **changed})
    assert str(run.folder) in raised.value.problem
    assert raised.value.problem.endswith(named)
    assert "--overwrite" in raised.value.remedy


def test_a_run_may_go_on_with_another_number_of_processes(run: RunFolder) -> None:
    run.claim(CONFIG, "abc123")
    place = {"devices": 8, "nodes": 2, "strategy": "zero3", "sharding": {"whole_below": 0}, "compile": True}
    assert run.status({**CONFIG, "trainer": {"steps": 4, **place}}) == "unfinished"


def test_a_key_that_the_run_did_not_know_had_its_default(run: RunFolder) -> None:
    run.claim(CONFIG, "abc123")
    asked = {**CONFIG, "trainer": {"steps": 4, "devices": 1, "clip": 1.0}}
    assert run.status(asked, {"trainer.clip": 1.0, "elsewhere": 3}) == "unfinished"
    with pytest.raises(UserError, match=r"it differs in trainer\.clip\)"):
        run.status(asked, {"trainer.clip": 2.0})
    # A default stands for no key that was stated.
    with pytest.raises(UserError, match=r"it differs in trainer\.steps\)"):
        run.status({**CONFIG, "trainer": {"steps": 5, "devices": 1}}, {"trainer.steps": 5})


def test_a_set_of_groups_is_the_same_alone_and_under_its_name(run: RunFolder) -> None:
    alone = {"name": "age", "attribute": "age", "members": {"old": {"explicit": ["Old."]}}}
    run.claim({**CONFIG, "groups": alone}, "abc123")
    assert run.status({**CONFIG, "groups": {"age": alone}}) == "unfinished"
    other = {**alone, "attribute": "years"}
    with pytest.raises(UserError, match=r"it differs in groups\.age\.attribute\)"):
        run.status({**CONFIG, "groups": {"age": other}})


def test_where_a_run_lies_does_not_matter(run: RunFolder) -> None:
    run.claim(CONFIG, "abc123")
    assert run.status({**CONFIG, "runs": "/elsewhere/runs"}) == "unfinished"


@pytest.mark.parametrize("text", ["name: [unclosed", "- a list", "", "just words"])
def test_a_torn_config_is_named(run: RunFolder, text: str) -> None:
    run.folder.mkdir(parents=True)
    run.config_file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"config\.yaml is torn\. Train again with --overwrite"):
        run.stored_config()


def test_a_folder_without_a_run_is_named(run: RunFolder) -> None:
    with pytest.raises(UserError, match=r"There is no run in .*mine\. Run 'trialign fit' first"):
        run.stored_config()


def test_removing_takes_the_whole_run_and_nothing_else(run: RunFolder) -> None:
    other = RunFolder(run.folder.with_name("other"))
    shared = run.folder.parent / ".trajectories" / "abc123"
    shared.mkdir(parents=True)
    for one in (run, other):
        one.claim(CONFIG, "abc123")
    run.remove()
    assert sorted(path.name for path in run.folder.parent.iterdir()) == [".trajectories", "other"]
    run.remove()
    assert run.status(CONFIG) == "new"


def test_paths_are_those_of_the_design(run: RunFolder) -> None:
    assert run.audit(200, "embedded", "test") == run.folder / "audits" / "step=000200.embedded.test"
    assert run.resume_file == run.folder / "checkpoints" / "last.ckpt"
    assert (run.agents, run.logs) == (run.folder / "agents", run.folder / "logs")


def test_two_processes_never_train_in_one_folder(run: RunFolder) -> None:
    # The lock is the open file's, so a second one of this process finds what another process would.
    with run.held(), pytest.raises(UserError, match=rf"is being trained by process {os.getpid()} on ") as caught:
        RunFolder(run.folder).held().__enter__()
    assert "name=" in caught.value.remedy
    with RunFolder(run.folder).held():
        pass
    assert list(run.folder.parent.iterdir()) == []


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_lock_whose_name_was_taken_away_meanwhile_is_taken_again(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, made_anew: bool
) -> None:
    place = run.folder.parent / ".mine.lock"
    lock, locked = RunFolder._lock, []

    def lock_late(self: RunFolder, file: Any) -> None:
        lock(self, file)
        locked.append(place.stat().st_ino)
        if len(locked) == 1:
            place.unlink()  # the holder before, which had it when the file was opened, is done now
            if made_anew:
                os.rename(_another_file(place), place)

    monkeypatch.setattr(RunFolder, "_lock", lock_late)
    with run.held():
        assert len(locked) == 2
        assert place.read_text().startswith("process ")
        with pytest.raises(UserError, match="is being trained by"):
            RunFolder(run.folder).held().__enter__()
    assert not place.exists()


def _another_file(place: Path) -> Path:
    """What somebody else makes under the same name; of another inode than the one that is still open."""
    other = place.with_name("other")
    other.touch()
    return other


def test_the_lock_of_a_dead_process_blocks_nobody(run: RunFolder) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from trialign.runs import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).held(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run.folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (run.folder.parent / ".mine.lock").read_text().startswith("process ")
    assert not run.in_training
    with run.held():
        assert run.in_training
    assert not run.in_training


@pytest.mark.parametrize(("text", "training"), [("process 1 on elsewhere", True), ("", False), ("torn", False)])
def test_who_trains_is_read_from_the_lock(run: RunFolder, text: str, training: bool) -> None:
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    (run.folder.parent / ".mine.lock").write_text(text, encoding="utf-8")
    assert run.in_training is training


# What the first versions left behind, file by file: no analysis, no record, no hashes, no questions of the collection.
EARLIER = (
    "earlier/config.yaml",
    "earlier/finished.json",
    "earlier/agents/step=000020/manifest.json",
    "earlier/agents/step=000100/manifest.json",
    "earlier/agents/step=1000000/manifest.json",
    "earlier/audits/step=000000.embedded.test/summary.json",
    "earlier/audits/step=000100.embedded.test/summary.json",
    "earlier/audits/step=000100.my.own.data.validation/summary.json",
    "earlier/audits/step=1000000.embedded.test/summary.json",
    "earlier/checkpoints/last.ckpt",
    "earlier/logs/metrics.csv",
    ".trajectories/0123456789abcdef/manifest.json",
    "findings.sqlite",
)
# What else may lie there: drafts, what is not whole, and names that only look like a step's.
BESIDE = (
    "earlier/agents/.step=2000000.x.tmp/manifest.json",
    "earlier/agents/step=9/manifest.json",
    "earlier/agents/step=0000020/manifest.json",
    "earlier/agents/step=٠٠٠٠٣٠/manifest.json",
    "earlier/agents/step=000200",
    "earlier/agents/other/manifest.json",
    "earlier/audits/step=000200.embedded.test/items.parquet",
    "earlier/audits/step=000200.embedded/summary.json",
    "earlier/audits/step=000200.embedded.held-out/summary.json",
    "earlier/audits/step=0000200.embedded.test/summary.json",
    "earlier/audits/summary.json",
)


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The folder of runs, as an earlier version left it, with other things beside."""
    for name in (*EARLIER, *BESIDE):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}", encoding="utf-8")
    return tmp_path


def test_what_earlier_versions_wrote_is_found_where_it_is(earlier: Path) -> None:
    run = RunFolder(earlier / "earlier")
    assert run.steps() == (20, 100, 1_000_000)
    assert [(audit.step, audit.data, audit.split) for audit in run.audits()] == [
        (0, "embedded", "test"),
        (100, "embedded", "test"),
        (100, "my.own.data", "validation"),
        (1_000_000, "embedded", "test"),
    ]
    found = [
        run.config_file,
        run.finished_file,
        *(run.agents_at(step) / runs.MANIFEST for step in run.steps()),
        *(run.audit(audit.step, audit.data, audit.split) / runs.SUMMARY for audit in run.audits()),
        run.resume_file,
        run.metrics_file,
        runs.trajectories_folder(earlier, "0123456789abcdef") / runs.MANIFEST,
        earlier / runs.FINDINGS,
    ]
    assert [path.relative_to(earlier).as_posix() for path in found] == list(EARLIER)
    assert all(audit.run == run.folder and audit.whole for audit in run.audits())


def test_everything_that_looks_for_audits_and_agents_finds_the_same(earlier: Path) -> None:
    from trialign.audit.files.folders import find_audit
    from trialign.dashboard.reading.catalog import scan

    run = RunFolder(earlier / "earlier")
    (entry,) = scan(earlier).runs
    assert entry.steps == run.steps()
    assert {audit.folder for audit in entry.audits} == {audit.path for audit in run.audits()}
    assert find_audit(run.folder).step == 1_000_000
    assert entry.config_file == run.config_file
    assert entry.metrics_file == run.metrics_file


def test_a_run_that_is_not_there_has_no_agents_and_no_audits(run: RunFolder) -> None:
    assert run.steps() == ()
    assert run.audits() == ()


@pytest.mark.parametrize("step", [0, 7, 999_999, 1_000_000, 123_456_789])
def test_a_step_is_read_as_it_is_written(run: RunFolder, step: int) -> None:
    assert runs.step_of(run.agents_at(step)) == step
    audit = runs.audit_of(run.audit(step, "a.test", "train"))
    assert audit is not None
    assert (audit.step, audit.data, audit.split) == (step, "a.test", "train")


def test_nobody_else_knows_the_names() -> None:
    """No text of the program is one of the names, or makes a step's: whoever needs one asks trialign.runs."""
    root = Path(__file__).parent.parent
    names = {part for name in EARLIER for part in name.split("/")[1:] if "=" not in part}
    names |= {runs.ITEMS, runs.QUESTIONS, runs.ANALYSIS, runs.ABOUT, ".trajectories", runs.SWEEPS, runs.FINDINGS}
    names -= {"agents", "audits", "checkpoints", "logs"}  # words, too
    elsewhere = [
        f"{path.relative_to(root)}:{text.lineno}: {text.value!r}"
        for top in ("trialign", "dashboard", "benchmarks", "examples")
        for path in sorted((root / top).rglob("*.py"))
        if path != root / "trialign" / "runs.py"
        for text in _texts(path)
        if _is_a_name(str(text.value), names)
    ]
    assert elsewhere == []


def _texts(path: Path) -> list[ast.Constant]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _is_a_name(text: str, names: set[str]) -> bool:
    """A path or a pattern, and no sentence that names one."""
    parts = text.split("/")
    begun = any(part.startswith("step=") for part in parts)  # not the key trainer.groups_per_step
    return " " not in text and (parts[-1] in names or any(part in names for part in parts[:-1]) or begun)


def test_who_is_trained_is_read_before_its_folder_is_there(run: RunFolder) -> None:
    root = run.folder.parent
    root.mkdir(parents=True, exist_ok=True)
    assert held_runs(root) == ()
    (root / ".lock").touch()
    (root / ".left.lock").write_text(f"process {2**22 + 1} on {socket.gethostname()}", encoding="utf-8")
    with run.held():
        assert held_runs(root) == (run.folder,)
