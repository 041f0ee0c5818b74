"""Values of a configuration: faults name their key, and what may be left out has a default."""

from __future__ import annotations

import math
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from trialign.composition import compose
from trialign.config import RunConfig, load
from trialign.config_keys import default_leaves, number_limits
from trialign.errors import UserError
from trialign.queries.sources import SourceConfig
from trialign.runs import _leaves

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("trainer.steps", 0, "Set it between 1 and"),
        ("trainer.steps", "many", "Correct this value"),
        ("trainer.micro_batches", -1, "Set it between 1 and"),
        ("trainer.validate_every", -1, "Set it between 0 and"),
        ("trainer.precision", "8-bit", "Correct this value"),
        ("environment.revision_share", 1.5, "Set it between 0 and 1"),
        ("environment.topology", "mesh", "Correct this value"),
        ("objective.inconsistency.anchor", 1.0, "Set it between 1e-06 and"),
        ("objective.welfare.largest", 0.05, "Set it to 0.1 or more"),
        ("objective.update", "awrr", "Did you mean awr?"),
        ("objective.welfare.kind", "nsah", "Did you mean nash?"),
        ("objective.welfare.kind", "rawls", "Name one of nash, utilitarian, egalitarian, generalized_gini, p_mean"),
        ("objective.kinds", [], "Name one or several of truth"),
        ("objective.settings", {"margin": 1}, "Leave it out"),
        ("objective.settings", 3, "Correct this value"),
        ("objective.turns", 0, "Set it between 1 and"),
        ("optimizer.learning_rate", float("nan"), "Set it between 0 and"),
        ("audit.queries_per_batch", 0, "Set it between 1 and"),
        ("audit.exposures", [], "explicit, implicit"),
        ("collect.exposures", ["explicit", "explicit"], "explicit, implicit"),
        ("collect.exposures", ["loud"], "Correct this value"),
        ("seed", -1, "Set it between 0 and"),
        ("scoring.kind", "median", "Correct this value"),
        ("name", "../elsewhere", "Set name=... to a plain word"),
        ("name", "", "Set name=... to a plain word"),
        ("data.name", "a/b", "Set data.name=... to a plain word"),
        ("groups", "politics", "Correct this value"),
        ("model.endpoint", {"attempts": 0}, "Set it between 1 and"),
        ("model.endpoint", {"temperature": 3.0}, "Set it between 0 and 2"),
        ("model.endpoint", {"requests_per_minute": -1}, "Set it between 0 and"),
        ("model.adapters", 3, "Correct this value"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(key: str, value: Any, remedy: str) -> None:
    composed = compose("conf/quickstart.yaml", [])
    place: dict[str, Any] = composed
    *path, last = key.split(".")
    for part in path:
        place = place[part]
    place[last] = value
    with pytest.raises(UserError) as raised:
        load(composed)
    assert key in raised.value.problem
    assert remedy in raised.value.remedy
    assert len(str(raised.value)) < 300


def test_a_step_that_cannot_be_shared_evenly_is_refused() -> None:
    words = ["trainer.devices=2", "trainer.micro_batches=3", "trainer.queries_per_step=8"]
    with pytest.raises(UserError, match=r"Set it to a multiple of 6"):
        load(compose("conf/quickstart.yaml", words))
    assert load(compose("conf/quickstart.yaml", [*words[:2], "trainer.queries_per_step=12"])).trainer.devices == 2


def test_steps_of_some_groups_need_adapters_that_the_groups_share() -> None:
    words = ["trainer.groups_per_step=2"]
    with pytest.raises(UserError, match=r"groups_per_step is 2, .*policy\.adapters=per_group") as raised:
        load(compose("conf/quickstart.yaml", [*words, "policy=per_group"]))
    assert "policy=basis or policy=shared" in raised.value.remedy
    for policy in ("basis", "shared"):
        assert load(compose("conf/quickstart.yaml", [*words, f"policy={policy}"])).trainer.groups_per_step == 2
    assert load(compose("conf/quickstart.yaml", ["policy=per_group"])).trainer.groups_per_step is None


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["policy=basis"], r"policy\.adapters=basis trains numbers outside of the layers"),
        (["trainer.precision=16-mixed"], r"trainer\.precision=16-mixed scales the loss"),
        (["policy.activation=profile", "prompt.profile=last"], "policy.activation is profile"),
        (["model.quantization=nf4"], "model.quantization is nf4"),
    ],
)
def test_what_fsdp2_was_not_seen_to_train_is_refused(words: list[str], named: str) -> None:
    with pytest.raises(UserError, match=rf"{named}.*trainer\.strategy=fsdp2 has not been shown") as raised:
        load(compose("conf/quickstart.yaml", [*words, "trainer=fsdp2"]))
    assert "trainer.strategy=ddp" in raised.value.remedy
    shared = ["policy=shared", "trainer=fsdp2", "trainer.gradient_clip=0"]
    assert load(compose("conf/quickstart.yaml", shared)).trainer.shares


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["trainer=ddp", "trainer.strategy=zero2"], "trainer.strategy=zero2"),
        (["trainer.activation_checkpointing=true"], "trainer.activation_checkpointing=true"),
        (["model.quantization=int8"], "model.quantization=int8"),
        (["policy.activation=profile", "prompt.profile=last"], "policy.activation=profile"),
        (["policy.train_layers=upper"], "policy.train_layers=upper"),
    ],
)
def test_what_compiled_kernels_were_not_seen_to_train_is_refused(words: list[str], named: str) -> None:
    with pytest.raises(UserError, match=rf"trainer\.compile is true.*{named}\.") as raised:
        load(compose("conf/quickstart.yaml", [*words, "trainer.compile=true"]))
    assert "trainer.compile=false" in raised.value.remedy


def data_files(*entries: object) -> dict[str, Any]:
    return {**compose("conf/quickstart.yaml", []), "data": {"name": "mine", "files": list(entries)}}


def test_files_and_sources_stand_side_by_side() -> None:
    source = {"name": "mine", "path": "rows/*.csv", "beside": "more", "split": "test", "layout": "stereoset"}
    composed = data_files("embedded:facts.jsonl", "own.jsonl", source)
    composed["data"]["folder"] = "/data"
    embedded, own, foreign = load(composed).data.located
    assert isinstance(embedded, Path)
    assert embedded.is_file()
    assert own == Path("/data/own.jsonl")
    assert isinstance(foreign, SourceConfig)
    assert (foreign.path, foreign.beside, foreign.split) == ("/data/rows/*.csv", "/data/more", "test")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "mine", "pth": "x"}, "Unknown config key data.files.1.pth"),
        ({"name": "mine", "map": {"quest": "x"}}, "Unknown config key data.files.1.map.quest"),
        ({"path": "x"}, "The config key data.files.1.name is missing"),
        ({"name": "mine", "map": {"gold": "x"}}, "The config key data.files.1.map.question is missing"),
        ({"name": "mine", "split": "dev"}, "The config key data.files.1.split is wrong"),
        ({"name": "mine", "layout": "mmlu"}, "The config key data.files.1.layout is wrong"),
        ({"name": "mine", "map": {"question": "x", "gold_as": "word"}}, "data.files.1.map.gold_as is wrong"),
        ({"name": "mine", "split_shares": {"dev": 1.0}}, "data.files.1.split_shares.dev"),
        (3, "The config key data.files.1 is wrong"),
    ],
)
def test_a_fault_in_a_source_is_named_by_its_key(entry: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(data_files("own.jsonl", entry))


def test_a_default_stands_for_every_key_that_may_be_left_out() -> None:
    leaves = default_leaves(RunConfig)
    assert leaves["objective.pairs.group_step"] == 0.0
    # A run begun before there were settings has none, and goes on.
    assert leaves["objective.settings"] == {}
    assert leaves["objective.kinds"] == ["truth", "preference", "mixed"]
    assert leaves["trainer.sharding.bucket"] == load(compose("conf/base.yaml", [])).trainer.sharding.bucket
    # Also below what has no default itself: a run begun before `data.encoding` was known goes on.
    assert leaves["data.encoding"] is None
    assert not {"name", "groups", "data.name", "data.files", "model.name"} & set(leaves)


# What the base configuration states nowhere, since most runs need none of it.
UNSTATED = {"model.base_url", "model.adapters", "model.logs", "data.folder"}


def test_what_is_not_stated_is_what_the_base_configuration_states() -> None:
    """The base, with a model of the hub: the embedded one alone lies in a package."""
    stated = _leaves(compose("conf/base.yaml", ["model=hub"]))
    served = _leaves(compose("conf/base.yaml", ["model=endpoint", "model.name=m", "model.base_url=http://x/v1"]))
    stated |= {key: value for key, value in served.items() if key.startswith("model.endpoint.")}
    defaults = default_leaves(RunConfig)
    assert set(defaults) - set(stated) == UNSTATED
    assert {key: value for key, value in defaults.items() if stated.get(key, value) != value} == {}


def test_what_no_entry_file_states_is_read_as_the_class_has_it() -> None:
    base = compose("conf/base.yaml", ["model=hub"])
    least = {key: base[key] for key in ("name", "runs", "seed", "model", "groups", "data")}
    assert load(least) == load(base)


LIMITS = number_limits(RunConfig)


@cache
def base() -> dict[str, Any]:
    return compose("conf/base.yaml", [])


def holding(key: str, value: float) -> tuple[dict[str, Any], str]:
    """A configuration in which a number is this one, and the key by which a user knows it."""
    composed = deepcopy(base())
    place: Any = composed
    *path, last = key.replace("files.*", "files.0").split(".")
    if "files" in path:
        place["data"]["files"] = [{"name": "mine", "map": {"question": "q"}}]
    if last == "*":
        last = {"visits": "truth", "split_shares": "test"}[path[-1]]
    for part in path:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    place[last] = value
    return composed, ".".join([*path, last])


def below(number: float) -> float:
    return number - 1 if isinstance(number, int) else math.nextafter(number, -math.inf)


def test_every_number_has_limits() -> None:
    assert len(LIMITS) > 60
    assert {key for key, limits in LIMITS.items() if limits is None} == set()


@pytest.mark.parametrize("key", [key for key, limits in LIMITS.items() if limits])
def test_a_number_beyond_its_limits_is_refused_with_them(key: str) -> None:
    limits = LIMITS[key]
    assert limits is not None
    for value in (below(limits.smallest), -below(-limits.largest), math.nan, math.inf, -math.inf):
        composed, name = holding(key, value)
        with pytest.raises(UserError) as raised:
            load(composed)
        assert raised.value.problem == f"The config key {name} is {value}"
        assert raised.value.remedy == f"Set it between {limits}"
    for value in (limits.smallest, limits.largest):
        try:
            load(holding(key, value)[0])
        except UserError as error:  # an end may be too much beside the other values, never by itself
            assert "Set it between" not in error.remedy  # noqa: PT017


@pytest.mark.parametrize("key", ["seed", "trainer.steps", "data.limit", "audit.alpha", "model.endpoint.temperature"])
def test_yes_and_no_are_no_numbers(key: str) -> None:
    with pytest.raises(UserError, match=rf"The config key {key} is true, which is no number\. .*YAML reads yes"):
        load(holding(key, True)[0])


def test_the_limits_are_those_that_the_documentation_tells() -> None:
    page = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([a-z_.*]+)` \| (\S+ \| \S+) \|$", page, re.MULTILINE))
    assert told == {key: str(limits).replace(" and ", " | ") for key, limits in LIMITS.items() if limits}
