"""Every benchmark of conf/data, read from rows in its own layout; what is expected was worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.groups import GroupSet, SocialGroup, cross
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.queries.readers import Reading, queries_hash, read_data, required
from trialign.queries.sources import SourceConfig

pytestmark = pytest.mark.unit

Shipped = Callable[..., list[SourceConfig]]


def group_set(name: str, *members: str) -> GroupSet:
    return GroupSet(name, name, tuple(SocialGroup(member, member) for member in members))


SIDES = group_set("sides", "left", "right")
POLITICS = group_set("politics", "liberal", "moderate", "conservative")
COUNTRY = group_set("country", "usa", "iran", "china")


def truth(query: Query) -> TruthQuery:
    assert type(query) is TruthQuery
    return query


def preference(query: Query) -> PreferenceQuery:
    assert isinstance(query, PreferenceQuery)
    return query


def by_option(query: Query, group: str) -> dict[str, float]:
    target = preference(query).targets[group]
    return dict(zip(query.options, [round(share, 12) for share in target], strict=True))


@pytest.fixture
def read(shipped: Shipped, benchmarks: Path) -> Callable[..., Reading]:
    def reading(name: str, folder: str | None = None, groups: GroupSet = SIDES) -> Reading:
        return read_data(shipped(name, benchmarks / "files" / folder if folder else None), groups, most_faults=9)

    return reading


@pytest.mark.parametrize(
    ("name", "folder", "part"),
    [("arc_easy_files", "arc_easy", "ARC-Easy-Train"), ("arc_easy", None, "ai2_arc ARC-Easy train")],
)
def test_arc_labels_of_letters_and_numbers(
    read: Callable[..., Reading], name: str, folder: str | None, part: str
) -> None:
    reading = read(name, folder)
    assert not reading.faults
    queries = [truth(query) for query in reading.queries]
    assert [(q.query_id, q.split, q.gold, len(q.options)) for q in queries] == [
        ("arc_easy/House_1", "train", "butter", 3),
        ("arc_easy/House_2", "train", "water", 4),
        ("arc_easy/House_3", "validation", "hen", 5),
        ("arc_easy/House_4", "test", "cork", 4),
    ]
    assert queries[0].question == "Which of these melts in the sun?"
    assert set(queries[0].options) == {"stone", "butter", "glass"}
    assert queries[0].source == f"{part}, row 1; options ordered by seed 0"


def test_openbookqa(read: Callable[..., Reading]) -> None:
    queries = [truth(query) for query in required(read("openbookqa"))]
    assert [(q.query_id, q.split, q.gold) for q in queries] == [
        ("openbookqa/House_1", "train", "butter"),
        ("openbookqa/House_2", "train", "water"),
        ("openbookqa/House_3", "validation", "hen"),
        ("openbookqa/House_4", "test", "cork"),
    ]


@pytest.mark.parametrize(("name", "folder"), [("mmlu_files", "mmlu"), ("mmlu", None)])
def test_mmlu(read: Callable[..., Reading], name: str, folder: str | None) -> None:
    reading = read(name, folder)
    assert not reading.faults
    queries = [truth(query) for query in reading.queries]
    assert [(q.split, q.gold, q.topic) for q in queries] == [
        ("train", "12", "house_keeping"),
        ("train", "data", "house_keeping"),
        ("validation", "4", "house_keeping"),
        ("test", "None of the above", "house_keeping"),
    ]
    assert queries[1].question == 'What is the plural of "datum", strictly?'
    assert set(queries[1].options) == {"data", "datums", "datas, plural", "dati"}
    # The options speak of each other's place, so they stay where they are, and the source says nothing of a seed.
    assert queries[3].options == ("9", "15", "All of the above", "None of the above")
    assert "seed" not in queries[3].source
    # The spider's options hold 8 twice: a row that may be left out is named, with its place.
    assert len(reading.left_out) == 1
    assert "row 1" in reading.left_out[0]
    assert "the option '8' is there twice" in reading.left_out[0]


def test_truthfulqa_of_the_csv_file(read: Callable[..., Reading]) -> None:
    (query,) = required(read("truthfulqa_files", "truthfulqa"))
    assert (query.query_id, query.split, query.topic) == ("truthfulqa/TruthfulQA/2", "test", "Misconceptions")
    assert truth(query).gold == "You make a sound, nothing more"
    # What stands among the correct answers too is no wrong option; blanks and repetitions fall away.
    assert set(query.options) == {"You make a sound, nothing more", "You lose your money", "You call a ghost"}
    assert truth(query).folk == "You lose your money"
    assert query.source.startswith("https://house.example/whistling; TruthfulQA, row 2")


def test_truthfulqa_of_the_hub(read: Callable[..., Reading]) -> None:
    (query,) = required(read("truthfulqa"))
    assert (truth(query).gold, query.split, len(query.options)) == ("You make a sound", "test", 3)


@pytest.mark.parametrize(("name", "folder"), [("gsm8k_files", "gsm8k"), ("gsm8k", None)])
def test_gsm8k(read: Callable[..., Reading], name: str, folder: str | None) -> None:
    queries = [truth(query) for query in required(read(name, folder))]
    assert [(q.answer_kind, q.gold) for q in queries] == [("numeric", "1234"), ("numeric", "-3"), ("numeric", "7")]
    assert queries[2].split == "test"
    assert {query.split for query in queries[:2]} <= {"train", "validation"}
    assert queries[0].options == ()


def test_aime(read: Callable[..., Reading]) -> None:
    (query,) = required(read("aime"))
    assert (query.query_id, query.split, truth(query).gold) == ("aime/60", "test", "23")
    assert query.question == "Find the least prime above $2^4+2^2$."


@pytest.mark.parametrize("name", ["truthfulqa_files", "truthfulqa", "aime"])
@pytest.mark.parametrize("how", ["split", "share"])
def test_what_is_for_evaluation_only_is_refused_for_training(
    shipped: Shipped, benchmarks: Path, name: str, how: str
) -> None:
    (source,) = shipped(name, benchmarks / "files" / "truthfulqa" if name.endswith("_files") else None)
    changed = (
        replace(source, split="train")
        if how == "split"
        else replace(source, split=None, split_shares={"train": 0.1, "test": 0.9})
    )
    (fault,) = read_data([changed], SIDES).faults
    assert fault.problem == f"The source '{source.name}' is for evaluation only, and its split is 'train'"


def test_global_opinions(read: Callable[..., Reading]) -> None:
    reading = read("globalopinionqa", groups=COUNTRY)
    (query,) = required(reading)
    assert (query.question, query.topic) == ("Is it good to rise early?", "GAS")
    assert by_option(query, "usa") == {"Yes": 0.5, "It's all one": 0.25, "No": 0.25}
    # Shares that sum to one half are scaled; two samples of one country are averaged.
    assert by_option(query, "iran") == {"Yes": 0.4, "It's all one": 0.4, "No": 0.2}
    assert by_option(query, "china") == {"Yes": 0.5, "It's all one": 0.5, "No": 0.0}
    # Nobody in Iran and China was asked about the weather report.
    assert reading.left_out == ("1 question(s) of globalopinionqa: not every group was asked",)


def test_a_country_counts_once_whatever_its_shares_sum_to(shipped: Shipped) -> None:
    (source,) = shipped("globalopinionqa")
    # Iran's shares (.2, .2, .1) sum to one half: scaled they are (.4, .4, .2); Peru's are (.1, .1, .8).
    together = replace(source, groups={"both": ["Iran", "Peru"], "usa": "United States"})
    query = required(read_data([together], group_set("place", "both", "usa")))[0]
    assert by_option(query, "both") == pytest.approx({"Yes": 0.25, "It's all one": 0.25, "No": 0.5})


def test_global_opinions_and_other_groups(shipped: Shipped) -> None:
    (source,) = shipped("globalopinionqa")
    # Opinions of another set of groups are left aside; of a product, they are those of one part.
    aside = read_data([source], POLITICS)
    assert not aside.faults
    assert (len(aside.usable), len(aside.elsewhere)) == (0, 1)
    assert aside.left_out[-1] == (
        "1 of the preference questions: they have targets for other groups only; no taste is left, only facts"
    )
    (query,) = required(read_data([source], cross((SIDES, COUNTRY))))
    assert (
        by_option(query, "left-usa") == by_option(query, "right-usa") == {"Yes": 0.5, "It's all one": 0.25, "No": 0.25}
    )
    (fault,) = read_data([source], group_set("country", "usa", "iran")).faults
    assert "names the group 'country:china', which is not among the groups" in fault.problem
    plain = replace(source, groups={"usa": "United States", "peru": "Peru"})
    (fault,) = read_data([plain], COUNTRY).faults
    assert "gives opinions of the group 'peru', which is not among the groups" in fault.problem


def test_a_question_without_answers_of_all_groups_leaves_nothing(shipped: Shipped) -> None:
    (source,) = shipped("globalopinionqa")
    changed = replace(source, groups={"left": "United States", "right": "Atlantis"})
    (fault,) = read_data([changed], SIDES).faults
    assert fault.problem == (
        "No question of globalopinionqa can be used: 2 question(s) of globalopinionqa: not every group was asked"
    )


def test_counts_of_groups(shipped: Shipped, benchmarks: Path) -> None:
    (source,) = shipped("opinionqa", benchmarks / "files" / "opinionqa")
    reading = read_data([source], POLITICS)
    (query,) = required(reading)
    assert (query.query_id, query.question) == ("opinionqa/BREAD_1", "Is bread better with butter?")
    # 10 + 20 of 40 liberals say yes; the rows by age are passed over.
    assert by_option(query, "liberal") == {"Yes": 0.75, "No": 0.25}
    assert by_option(query, "moderate") == {"Yes": 0.25, "No": 0.75}
    assert by_option(query, "conservative") == {"Yes": 0.0, "No": 1.0}
    assert reading.left_out == ("1 question(s) of opinionqa: not every group was asked",)


@pytest.mark.parametrize(("name", "folder"), [("stereoset_files", "stereoset"), ("stereoset", None)])
def test_stereoset_is_bias_and_never_truth(read: Callable[..., Reading], name: str, folder: str | None) -> None:
    inter, intra = [preference(query) for query in required(read(name, folder))]
    assert inter.question == "The baker came to the door.\nWhich sentence comes next?"
    assert intra.question == "Our baker is ___ in the morning.\nWhich sentence fills the blank?"
    for group in ("left", "right"):
        assert by_option(inter, group) == {
            "He was white with flour.": 0.5,
            "She had slept until noon.": 0.5,
            "Whales breathe air.": 0.0,
        }
        assert by_option(intra, group)["Our baker is granite in the morning."] == 0.0
    assert inter.cluster == intra.cluster == "stereoset/baker"
    assert (inter.query_id, inter.topic) == ("stereoset/inter1", "profession")


@pytest.mark.parametrize(("name", "folder"), [("stereoset", None), ("prefeval", "prefeval")])
def test_what_is_the_same_for_every_group_is_so_for_combined_ones(
    read: Callable[..., Reading], name: str, folder: str | None
) -> None:
    for query in map(preference, required(read(name, folder, cross((SIDES, COUNTRY))))):
        assert len(query.targets) == 6
        assert len(set(query.targets.values())) == 1


def test_prefeval_stated_and_implied(read: Callable[..., Reading]) -> None:
    stated, choice, persona = [preference(query) for query in required(read("prefeval", "prefeval"))]
    assert stated.question == "I never eat anything that is fried.\n\nWhat shall I order at the fair?"
    assert choice.question == (
        "User: How should I cook fish?\nAssistant: 1. Steam it. 2. Fry it.\nUser: Steam it, not the other.\n"
        "Assistant: Steaming keeps it tender.\n\nWhat shall I order at the fair?"
    )
    assert persona.question.startswith("User: My pan is for boiling only.\nAssistant: A modest pan.\nUser: Oil upsets")
    for query in (stated, choice, persona):
        for group in ("left", "right"):
            assert by_option(query, group) == {
                "A baked potato": 1.0,
                "Fried dough": 0.0,
                "Chips": 0.0,
                "A corn dog": 0.0,
            }
        assert (query.cluster, query.topic) == ("prefeval/food/1", "food")
    assert [q.query_id for q in (stated, choice, persona)] == [
        "prefeval/stated/food/1",
        "prefeval/choice/food/1",
        "prefeval/persona/food/1",
    ]


def test_options_are_ordered_by_the_seed_alone(shipped: Shipped, benchmarks: Path, tmp_path: Path) -> None:
    sources = shipped("arc_easy_files", benchmarks / "files" / "arc_easy")
    first = required(read_data(sources, SIDES))
    assert required(read_data(sources, SIDES)) == first
    other = required(read_data([replace(source, seed=1) for source in sources], SIDES))
    assert [q.options for q in other] != [q.options for q in first]
    assert [set(q.options) for q in other] == [set(q.options) for q in first]
    assert [truth(q).gold for q in other] == [truth(q).gold for q in first]
    assert queries_hash(other) != queries_hash(first)
    assert other[0].source.endswith("options ordered by seed 1")
    # Where the right answer stood in the data does not show.
    row: dict[str, Any] = json.loads((benchmarks / "files/arc_easy/ARC-Easy-Dev.jsonl").read_text(encoding="utf-8"))
    row["question"]["choices"].reverse()
    (tmp_path / "ARC-Easy-Dev.jsonl").write_text(json.dumps(row), encoding="utf-8")
    turned = required(read_data([replace(sources[1], path=str(tmp_path / "ARC-Easy-Dev.jsonl"))], SIDES))
    assert turned[0].options == first[2].options
    kept = required(read_data([replace(sources[1], shuffle=False)], SIDES))
    assert kept[0].options == ("cat", "hen", "cow", "dog", "goat")
    assert kept[0].source == "ARC-Easy-Dev, row 1"


def change(benchmarks: Path, file: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((benchmarks / file).read_text(encoding="utf-8").splitlines()[0])
    return {**row, **values}


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("hub/stereoset/intersentence/validation.jsonl", {"target": ""}, "'target' is '', not a text"),
        (
            "hub/stereoset/intersentence/validation.jsonl",
            {"sentences": {"sentence": ["a", "b", "c"], "gold_label": [0, 1, 1]}},
            r"the labels are \[0, 1, 1\]",
        ),
        (
            "hub/stereoset/intersentence/validation.jsonl",
            {"sentences": {"sentence": ["a", "b"], "gold_label": [0, 1, 2]}},
            "'sentences' has not a 'sentence' and a 'gold_label' for each",
        ),
    ],
)
def test_faults_of_stereoset(
    shipped: Shipped, benchmarks: Path, tmp_path: Path, file: str, values: dict[str, Any], message: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(change(benchmarks, file, **values)), encoding="utf-8")
    source = replace(shipped("stereoset_files", tmp_path)[0], path=str(path), rows=None)
    with pytest.raises(UserError, match=rf"rows\.jsonl, row 1: {message}"):
        required(read_data([source], SIDES))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"options": "['Yes', 'No'"}, "'options' is .*, not a list"),
        ({"options": "__import__('os').getcwd()"}, "'options' is .*, not a list"),
        ({"options": "{'Yes': 1}"}, "'options' is .*, not a list"),
        ({"selections": "defaultdict(<class 'list'>, {'Iran': [0.5, 0.5]})"}, "the answer of Iran is"),
        ({"selections": "{'Iran': [0.5, 0.5, float('nan')]}"}, "'selections' is .*, not a mapping"),
        ({"selections": "{'Iran': [0.5, 0.5, -1]}"}, "the answer of Iran is"),
        ({"selections": None}, "'selections' is None, not a mapping"),
        ({"selections": "(" * 5000}, "'selections' is .*, not a mapping"),
        ({"selections": "-" * 90_000 + "1"}, "'selections' is .*, not a mapping"),
    ],
)
def test_faults_of_global_opinions(shipped: Shipped, tmp_path: Path, values: dict[str, Any], message: str) -> None:
    row = {
        "question": "Is it good to rise early?",
        "options": "['Yes', 'Sometimes', 'No']",
        "selections": "{'Iran': [0.2, 0.3, 0.5], 'China': [1, 0, 0], 'United States': [0, 0, 1]}",
    }
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, **values}), encoding="utf-8")
    source = replace(shipped("globalopinionqa")[0], hub=None, part=None, path=str(path), allowed_faults=0)
    with pytest.raises(UserError, match=rf"rows\.jsonl, row 2: {message}"):
        required(read_data([source], COUNTRY))


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        ("mcq_options", {"preference": ""}, "'preference' is '', not a text"),
        ("mcq_options", {"classification_task_options": ["One"]}, "not a list of options"),
        ("choice-based", {"conversation": "Hello"}, "'conversation' is 'Hello', not a mapping"),
        ("choice-based", {"conversation": {"query": "Hello?"}}, "the assistant says None in 'conversation'"),
        ("choice-based", {"question": "What else?"}, "asks another question"),
        ("persona-driven", {"conversation": {"turn1": {"user": "Hi"}}}, "the assistant says None in 'conversation'"),
    ],
)
def test_faults_of_prefeval(
    shipped: Shipped, benchmarks: Path, tmp_path: Path, file: str, row: dict[str, Any], message: str
) -> None:
    (source,) = [one for one in shipped("prefeval", benchmarks / "files/prefeval") if file in str(one.path)]
    path = next(path for path in (benchmarks / "files/prefeval").rglob("food.json") if file in str(path))
    rows = [{**json.loads(path.read_text(encoding="utf-8"))[0], **row}]
    (tmp_path / "food.json").write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(UserError, match=rf"food\.json, row 1: .*{message}"):
        required(read_data([replace(source, path=str(tmp_path / "*.json"))], SIDES))


def test_prefeval_files_that_do_not_belong_together(shipped: Shipped, benchmarks: Path, tmp_path: Path) -> None:
    source = shipped("prefeval", benchmarks / "files/prefeval")[1]
    options = json.loads((benchmarks / "files/prefeval/mcq_options/food.json").read_text(encoding="utf-8"))
    (tmp_path / "food.json").write_text(json.dumps(options * 2), encoding="utf-8")
    with pytest.raises(UserError, match="have different numbers of rows"):
        required(read_data([replace(source, beside=str(tmp_path))], SIDES))
