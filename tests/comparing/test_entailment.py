from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trialign.comparing.entailment import Entailment, Labels
from trialign.comparing.pairs import ReplyPair, Verdict
from trialign.errors import UserError

pytestmark = pytest.mark.unit

Make = Callable[..., Path]


def pair(first: str, second: str, question: str = "Why?") -> ReplyPair:
    return ReplyPair.of_question(question, first, second)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("x entails", "entails", "same"),
        ("entails", "neutral", "cannot tell"),  # one way alone
        ("neutral", "x neutral", "cannot tell"),
        ("opposes", "neutral", "other"),
        ("opposes", "x opposes", "other"),
        ("opposes", "entails", "cannot tell"),  # the two ways contradict each other
    ],
)
def test_of_three_classes(make_classifier: Make, first: str, second: str, verdict: Verdict) -> None:
    told = Entailment.load(str(make_classifier()))
    assert told([pair(first, second), pair(second, first)]) == [verdict, verdict]


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [("entails", "entails", "same"), ("entails", "neutral", "cannot tell"), ("neutral", "other", "other")],
)
def test_of_two_classes(make_classifier: Make, first: str, second: str, verdict: Verdict) -> None:
    told = Entailment.load(str(make_classifier({0: "entailment", 1: "not_entailment"})))
    assert told([pair(first, second)]) == [verdict]


def test_classes_go_by_their_names_whatever_their_places(make_classifier: Make) -> None:
    told = Entailment.load(str(make_classifier({0: "CONTRADICTION", 1: "Neutral", 2: "ENTAILMENT"})))
    assert told([pair("opposes", "opposes"), pair("entails", "entails")]) == ["same", "other"]


@pytest.mark.parametrize(
    "names",
    [
        ("LABEL_0", "LABEL_1", "LABEL_2"),
        ("positive", "negative"),
        ("entailment", "neutral"),
        ("entailment", "entailment", "contradiction"),
        ("entailment", "neutral", "contradiction", "other"),
        ("entailment",),
        (),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused_by_name(names: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="cannot be told apart") as caught:
        Labels.of(dict(enumerate(names)), "some/model")
    assert "some/model" in str(caught.value)
    assert all(repr(name) in str(caught.value) for name in names)


@pytest.mark.parametrize("name", ["not_entailment", "not-entailment", "non entailment", "No_Entailment"])
def test_the_names_of_two_classes(name: str) -> None:
    assert Labels.of({0: name, 1: "entailment"}, "m") == Labels(1, None)


def test_the_question_stands_before_each_reply(make_classifier: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Entailment.load(str(make_classifier()))
    seen: list[str] = []
    given = type(told.tokenizer).__call__

    def noted(self: object, premises: list[str], hypotheses: list[str]) -> object:
        seen.extend(f"{one} | {other}" for one, other in zip(premises, hypotheses, strict=True))
        return given(self, premises, hypotheses)

    monkeypatch.setattr(type(told.tokenizer), "__call__", noted)
    told([pair(" It rains \n", "It pours", "Why so wet?")])
    assert seen == [
        "Why so wet? It rains | Why so wet? It pours",
        "Why so wet? It pours | Why so wet? It rains",
    ]


def test_in_batches_as_alone(make_classifier: Make) -> None:
    """Random weights with attention: neither the neighbours in a batch nor the padding change what is told."""
    folder = str(make_classifier(layers=2))
    words = ["entails", "neutral opposes", "opposes entails x", "x x x x x", "neutral"]
    pairs = [pair(first, second) for first in words for second in words]
    together = Entailment.load(folder)(pairs)
    small = Entailment.load(folder, batch_tokens=16)
    assert small(pairs) == together
    assert [verdict for one in pairs for verdict in small([one])] == together
    assert len(set(together)) > 1  # else there were nothing to confuse


def test_what_is_too_long_is_not_cut(make_classifier: Make, caplog: pytest.LogCaptureFixture) -> None:
    told = Entailment.load(str(make_classifier(longest=6)))  # with the question twice, four words are left
    found = told([pair("x x x entails", "entails"), pair("x entails", "x entails"), pair("entails", "entails")])
    assert found == ["cannot tell", "same", "same"]
    assert "longer than the 6 tokens" in caplog.text


def test_a_model_without_its_head_is_refused(make_classifier: Make) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_classifier()
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: w for name, w in weights.items() if "score" not in name}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(UserError, match=r"not whole: 1 tensors are missing.*score"):
        Entailment.load(str(folder))


def test_weights_that_are_no_numbers_are_refused(make_classifier: Make) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_classifier()
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"][0, 0] = torch.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="score"):
        Entailment.load(str(folder))


def test_a_folder_that_is_none(make_classifier: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder, and was found neither"):
        Entailment.load(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no config\.json"):
        Entailment.load(str(tmp_path / "empty"))
    folder = make_classifier()
    (folder / "model.safetensors").rename(folder / "model.bin")
    with pytest.raises(UserError, match="no safetensors"):
        Entailment.load(str(folder))


def test_damaged_files_are_refused(make_classifier: Make) -> None:
    folder = make_classifier()
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot load the model"):
        Entailment.load(str(folder))


def test_a_damaged_tokenizer_is_refused(make_classifier: Make) -> None:
    folder = make_classifier()
    (folder / "tokenizer.json").write_text('{"model": 3', encoding="utf-8")
    with pytest.raises(UserError, match="has no tokenizer that transformers can load"):
        Entailment.load(str(folder))


def test_a_tokenizer_without_padding_is_refused(make_classifier: Make) -> None:
    with pytest.raises(UserError, match="no padding token"):
        Entailment.load(str(make_classifier(padding=False)))


def test_the_hash_changes_with_weights_and_classes(make_classifier: Make) -> None:
    folder = make_classifier()
    before = Entailment.load(str(folder)).sha256
    assert Entailment.load(str(folder)).sha256 == before
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "contradiction", "1": "neutral", "2": "entailment"}
    (folder / "config.json").write_text(json.dumps(config))
    assert Entailment.load(str(folder)).sha256 != before


def test_nothing_to_tell(make_classifier: Make) -> None:
    assert Entailment.load(str(make_classifier()))([]) == []
