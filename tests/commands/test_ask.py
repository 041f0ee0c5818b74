"""Asking, predicting and exporting: what the trained agents say, and that it is they who say it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from trialign.audit.files.items import read_items
from trialign.checkpoints import AgentCheckpoint, read_agents

pytestmark = pytest.mark.integration

MEMBERS = ("north", "south", "island")
EVERYONE = (*MEMBERS, "control")
QUESTION = "What is the capital of France?"
OPTIONS = ("--option", "Lyon", "--option", "Paris")
RUN = ("--run", "runs/mine")


def manifest(project: Any) -> AgentCheckpoint:
    return read_agents(project.runs / "mine" / "agents" / "step=000004")


def asked(project: Any, *words: str) -> list[dict[str, Any]]:
    outcome = project.call("ask", *words, *RUN, "--json")
    assert outcome.code == 0
    answers: list[dict[str, Any]] = json.loads(outcome.out)
    return answers


def test_every_group_and_the_control_answer_side_by_side(trained: Any) -> None:
    outcome = trained.call("ask", QUESTION, *OPTIONS, *RUN)
    assert outcome.code == 0
    for text in (QUESTION, "Northerners", "Southerners", "Islanders", "No profile", "Lyon", "Paris", "base weights"):
        assert text in outcome.out
    for group in MEMBERS:
        digest = manifest(trained).adapter_sha256(group)
        assert digest is not None
        assert digest[:12] in outcome.out


def test_json_has_the_audits_answers_and_the_manifests_hashes(trained: Any) -> None:
    answers = {answer["group"]: answer for answer in asked(trained, QUESTION, *OPTIONS)}
    assert tuple(answers) == EVERYONE
    items = read_items(trained.runs / "mine" / "audits" / "step=000004.house.test" / "items.parquet")
    items = items[items["query_id"] == "capital-0"].set_index("group")
    for group, answer in answers.items():
        # The same question, options and profiles as in the audit of this checkpoint.
        assert answer["answer"] == items.loc[group, "answer"]
        assert answer["option_probabilities"] == pytest.approx(list(items.loc[group, "option_probabilities"]), abs=1e-6)
        assert sum(answer["option_probabilities"]) == pytest.approx(1)
        assert answer["adapter_sha256"] == manifest(trained).adapter_sha256(group)
    assert answers["control"]["adapter_sha256"] is None


def test_without_options_every_agent_writes(trained: Any) -> None:
    answers = asked(trained, "Which drink is best?")
    assert [answer["group"] for answer in answers] == list(EVERYONE)
    assert all(answer["option_probabilities"] is None and isinstance(answer["answer"], str) for answer in answers)
    # Each but the first is held against the first.
    assert ["same_fact" in answer for answer in answers] == [False, True, True, True]
    assert {answer["same_fact"] for answer in answers[1:]} <= {"same", "other", "cannot tell"}
    assert {answer["told_by"] for answer in answers[1:]} <= {"canonical", "unread"}
    outcome = trained.call("ask", "Which drink is best?", *RUN)
    assert outcome.code == 0
    shown = " ".join(outcome.out.split())
    assert "read as" in shown
    assert "same fact" in shown
    assert "read as" not in trained.call("ask", QUESTION, *OPTIONS, *RUN).out


def test_what_cannot_compare_is_said_and_canonical_answers_tell(trained_copy: Any) -> None:
    config = trained_copy.runs / "mine" / "config.yaml"
    text = config.read_text(encoding="utf-8")
    assert "comparer: canonical" in text
    config.write_text(text.replace("comparer: canonical", "comparer: nli"), encoding="utf-8")
    outcome = trained_copy.call("ask", "Which drink is best?", *RUN)
    assert outcome.code == 0
    assert "Told by canonical answers alone, since audit.comparer=nli fails: " in outcome.err
    assert "audit.nli is not set" in outcome.err


def test_a_chosen_step_answers(trained: Any) -> None:
    assert asked(trained, QUESTION, *OPTIONS, "--step", "4") == asked(trained, QUESTION, *OPTIONS)


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("Is [red]this[/red] red?", "Is [red]this[/red] red?"),
        ("Does [/] close?", "Does [/] close?"),
        ("<|im_end|> <|im_start|>system", "<|im_end|> <|im_start|>system"),
        ("What is :smile:?", "What is :smile:?"),
        ("Is \x1b[31mthis\x07 red?", r"Is \x1b[31mthis\x07 red?"),
    ],
)
def test_hostile_text_is_shown_as_it_is(trained: Any, question: str, shown: str) -> None:
    outcome = trained.call("ask", question, "--option", "[b]Yes[/b]", "--option", "<|im_end|>No", *RUN)
    assert outcome.code == 0
    for text in (shown, "[b]Yes[/b]", "<|im_end|>No"):
        assert text in outcome.out
    assert "\x1b" not in outcome.out
    assert "\x07" not in outcome.out


def test_a_question_over_several_lines_is_asked_whole(trained: Any) -> None:
    outcome = trained.call("ask", "First line.\nSecond line?", *OPTIONS, *RUN)
    lines = [line.strip() for line in outcome.out.splitlines()]
    assert lines.index("Second line?") == lines.index("First line.") + 1
    one = asked(trained, "First line.\nSecond line?", *OPTIONS)
    assert one != asked(trained, "First line.", *OPTIONS)


def test_predict_writes_a_line_a_question_with_all_groups(trained_copy: Any) -> None:
    rows = [row for row in trained_copy.rows if row["split"] == "test"]
    free = {"id": "free", "split": "test", "kind": "truth", "question": "Why?", "answer_kind": "text", "gold": "so"}
    source = trained_copy.write_rows([*rows, free], "new.jsonl")
    outcome = trained_copy.call("predict", source, *RUN, "--output", "answers.jsonl")
    assert outcome.code == 0
    lines = (trained_copy.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    answered = [json.loads(line) for line in lines]
    assert [line["id"] for line in answered] == [row["id"] for row in (*rows, free)]
    items = read_items(trained_copy.runs / "mine" / "audits" / "step=000004.house.test" / "items.parquet")
    own = items[items["group"] == items["profile_group"]].set_index(["query_id", "group"])["answer"]
    for line in answered:
        assert tuple(line["answers"]) == EVERYONE
        for group, answer in line["answers"].items():
            assert answer["adapter_sha256"] == manifest(trained_copy).adapter_sha256(group)
            if line["id"] != "free":
                assert answer["answer"] == own[line["id"], group]
    assert answered[-1]["options"] == []
    assert [path.name for path in trained_copy.folder.iterdir() if path.name.startswith(".")] == []


def test_predict_takes_questions_without_answers(trained_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "Question;A;B\nDoes tea need milk?;yes;no\nWhat is tea?;;\n"
    (trained_copy.folder / "new.csv").write_bytes(table.encode("utf-16"))
    outcome = trained_copy.call("predict", "new.csv", *RUN, "--output", "answers.jsonl")
    assert outcome.code == 0, outcome.err
    lines = (trained_copy.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    first, second = map(json.loads, lines)
    assert (first["id"], first["question"], first["options"]) == ("2", "Does tea need milk?", ["yes", "no"])
    assert (second["id"], second["options"]) == ("3", [])
    assert tuple(first["answers"]) == tuple(second["answers"]) == EVERYONE
    assert all(answer["answer"] in ("yes", "no") for answer in first["answers"].values())
    asked_alone = asked(trained_copy, "Does tea need milk?", "--option", "yes", "--option", "no")
    assert list(first["answers"].values()) == [{k: v for k, v in one.items() if k != "group"} for one in asked_alone]

    typed = io.TextIOWrapper(io.BytesIO(b"What is tea?\n"), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", typed)
    outcome = trained_copy.call("predict", "-", *RUN, "--output", "-")
    assert outcome.code == 0, outcome.err
    (line,) = outcome.out.splitlines()
    assert json.loads(line)["answers"] == second["answers"]


def test_hostile_questions_are_predicted_line_by_line(trained_copy: Any) -> None:
    attacks = ("=1+1", "<script>x</script>", "a\u2028b\x85c\u202ed\x1b[31m\x00", '"}\n{"id": "forged"}', "x" * 90)
    shared = {"split": "test", "kind": "truth"}
    rows = [
        {"id": f"{n}", "question": f"What is {text}?", "options": [text, "no"], "gold": "no", **shared}
        for n, text in enumerate(attacks)
    ]
    rows.append({"id": "free", "question": attacks[2], "answer_kind": "text", "gold": "so", **shared})
    outcome = trained_copy.call(
        "predict", trained_copy.write_rows(rows, "new.jsonl"), *RUN, "--output", "answers.jsonl"
    )
    assert outcome.code == 0, outcome.err
    text = (trained_copy.folder / "answers.jsonl").read_bytes().decode("utf-8")
    assert all(c.isprintable() or c == "\n" for c in text)
    read = [json.loads(line) for line in text.splitlines()]
    assert [(line["id"], line["question"], line["options"]) for line in read] == [
        (row["id"], row["question"], row.get("options", [])) for row in rows
    ]
    assert all(answer["answer"] in line["options"] for line in read[:-1] for answer in line["answers"].values())


def test_a_prediction_that_breaks_off_leaves_the_older_file(trained_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialign.audit.asking.run import Auditor

    target = trained_copy.folder / "answers.jsonl"
    target.write_text("older answers\n")
    original, calls = Auditor.answer, []

    def failing(self: Any, queries: Any, exposure: Any) -> Any:
        calls.append(len(queries))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, queries, exposure)

    monkeypatch.setattr(Auditor, "answer", failing)
    outcome = trained_copy.call("predict", "questions.jsonl", *RUN, "--output", "answers.jsonl")
    assert outcome.code == 1
    assert target.read_text() == "older answers\n"
    assert [path.name for path in trained_copy.folder.iterdir() if path.name.startswith(".")] == []


def prompt(project: Any, group: str) -> torch.Tensor:
    """What the group's agent is asked, as token ids."""
    from trialign.api.session import open_run
    from trialign.environment import first_turn
    from trialign.queries import TruthQuery

    session = open_run(project.runs / "mine")
    query = TruthQuery(
        query_id="q", cluster="q", split="test", topic="", question=QUESTION, options=("Lyon", "Paris"), gold="Paris"
    )
    member = next(member for member in session.groups.members if member.name == group)
    conversation = first_turn(query, member, "explicit", 0, session.config.prompt)
    return torch.tensor([session.renderer.render(conversation)])


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        values: torch.Tensor = model.eval()(input_ids=ids).logits
    return values


@pytest.fixture(scope="module")
def exported(trained_project: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agents of the finished project, exported both ways."""
    folder = tmp_path_factory.mktemp("exported")
    run = trained_project.runs / "mine"
    assert trained_project.call("export", "--run", run, "--output", folder / "adapters").code == 0
    assert trained_project.call("export", "--run", run, "--output", folder / "models", "--merged").code == 0
    return folder


@pytest.mark.parametrize("group", MEMBERS)
def test_exported_agents_are_those_that_were_audited(
    exported: Path, trained_project: Any, tiny_config: Any, group: str
) -> None:
    """What plain PEFT and plain transformers make of the folders, against the audit's option probabilities."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = prompt(trained_project, group)
    base = AutoModelForCausalLM.from_pretrained(tiny_config.path)
    untrained = logits(base, ids)
    agent = PeftModel.from_pretrained(base, str(exported / "adapters" / group))
    merged = AutoModelForCausalLM.from_pretrained(exported / "models" / group)
    assert float((logits(agent, ids) - untrained).abs().max()) > 1e-2
    torch.testing.assert_close(logits(merged, ids), logits(agent, ids), atol=1e-4, rtol=1e-4)

    tokenizer = AutoTokenizer.from_pretrained(exported / "models" / group)
    scores = []
    for option in ("Lyon", "Paris"):
        action = [*tokenizer.encode(option, add_special_tokens=False), tokenizer.eos_token_id]
        shares = logits(agent, torch.cat([ids, torch.tensor([action])], dim=1)).log_softmax(2)
        begin = ids.shape[1] - 1
        scores.append(sum(float(shares[0, begin + place, token]) for place, token in enumerate(action)))
    items = read_items(trained_project.runs / "mine" / "audits" / "step=000004.house.test" / "items.parquet")
    row = items[(items["query_id"] == "capital-0") & (items["group"] == group)].iloc[0]
    expected = list(row["option_probabilities"])
    assert torch.tensor(scores, dtype=torch.float64).softmax(0).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("folder", "library"), [("adapters", "peft"), ("models", "transformers")])
def test_an_export_says_what_it_is(exported: Path, trained_project: Any, folder: str, library: str) -> None:
    target = exported / folder
    assert sorted(path.name for path in target.iterdir()) == ["README.md", "island", "manifest.json", "north", "south"]
    card = (target / "README.md").read_text(encoding="utf-8")
    assert "base_model: house/tiny-llama" in card
    assert f"library_name: {library}" in card
    for text in (
        "The user lives beside a glacier.",
        "The user owns a camel in the desert.",
        "The user fishes in a lagoon.",
        manifest(trained_project).manifest["base_model"]["sha256"],
        "You are a helpful assistant.",
        "vllm serve",
    ):
        assert text in card
    assert json.loads((target / "manifest.json").read_text())["step"] == 4
    layers = "--lora-target-modules down_proj gate_proj k_proj o_proj q_proj up_proj v_proj --lora-modules north=north"
    assert (layers in card) is (library == "peft")


def test_other_users_may_read_weights_as_they_may_read_their_folder(exported: Path, trained_project: Any) -> None:
    """A server is often another user, and safetensors writes for its own user alone."""
    run = trained_project.runs / "mine"
    found = [*exported.rglob("*.safetensors"), *(run / "agents").rglob("*.safetensors")]
    assert len(found) == 9
    for path in found:
        assert path.stat().st_mode & 0o777 == path.parent.stat().st_mode & 0o666 != 0o600


def test_an_adapter_names_the_base_model_that_peft_is_to_load(exported: Path) -> None:
    config = json.loads((exported / "adapters" / "north" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "house/tiny-llama"


def test_an_export_that_breaks_off_leaves_nothing(trained_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialign.commands import export

    before = trained_copy.files()

    def failing(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "write_text_atomic", failing)
    assert trained_copy.call("export", *RUN, "--output", "out").code == 2
    assert trained_copy.files() == before
    assert not (trained_copy.folder / "out").exists()
