"""Whatever stands in a configuration: it is read, or refused in one sentence with a remedy."""

from __future__ import annotations

import copy
import functools
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from trialign.composition import compose, hydra_of, resolved
from trialign.config import load
from trialign.errors import UserError
from trialign.group_config import build_groups

ODD = [
    None,
    True,
    -1,
    0,
    1e400,
    float("nan"),
    2**70,
    "",
    " ",
    "é",
    "\x00",
    "~",
    "a/b",
    "${seed}",
    "${x",
    [],
    {},
    [None],
]
ODD_BYTES = [
    b"\xff\xfe",
    b"\x00",
    b"\t",
    b": ",
    b"- ",
    b"[",
    b"}",
    b"'",
    b'"',
    b"&a ",
    b"*a ",
    b"!!set ",
    b"\xe9",
    b"? ",
]
KEYS = ["seed", "trainer.steps", "groups", "data.files", "audit", "objective.welfare", "x.y", "+z"]
NOISE = "[]{}'\",:=$~\\()é\n 0a.-"
# What only a library's own words hold.
LIBRARIES = re.compile(r"Error|Exception|(Dict|List|Adapter|Audit)Config|instance of|unpack|viable|NoneType|object at")
ENTRY = "defaults: [smoke, _self_]\nname: x\nseed: 3\n"


def mutated(values: object, chance: random.Random) -> object:
    """A copy in which one place, drawn at random, holds something else, is gone, or stands under another name."""
    if isinstance(values, dict) and values and chance.random() < 0.85:
        key = chance.choice(list(values))
        changed = dict(values)
        what = chance.random()
        if what < 0.08:
            del changed[key]
        elif what < 0.16:
            changed[chance.choice(["nmae", "null", 7, key * 2 if isinstance(key, str) else 8])] = changed.pop(key)
        else:
            changed[key] = mutated(values[key], chance)
        return changed
    if isinstance(values, list) and values and chance.random() < 0.7:
        place = chance.randrange(len(values))
        return [*values[:place], mutated(values[place], chance), *values[place + 1 :]]
    return chance.choice(ODD)


@functools.cache
def _smoke() -> dict[str, Any]:
    return compose("conf/smoke.yaml", [])


def changed_bytes(chance: random.Random) -> tuple[bytes, list[str]]:
    """A short file in which some bytes are others."""
    content = ENTRY.encode()
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(content))
        content = content[:place] + chance.choice(ODD_BYTES) + content[place + chance.randrange(3) :]
    return content, []


def changed_override(chance: random.Random) -> tuple[bytes, list[str]]:
    """A good file, and a word of the command line that is noise in part."""
    key, noise = chance.choice(KEYS), "".join(chance.choices(NOISE, k=chance.randrange(12)))
    return ENTRY.encode(), [chance.choice([f"{key}={noise}", f"{key}{noise}", noise])]


def composed(file: Path, number: int) -> dict[str, Any]:
    """What becomes of the changed configuration of this number."""
    chance = random.Random(number)
    if number % 3 == 0:
        values = mutated(_smoke(), chance)
        if isinstance(values, dict) and number % 50:
            # To write all of it down and to parse it again takes most of the time.
            with hydra_of(str(file), []):
                return resolved(OmegaConf.create(values))
        file.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
        return compose(str(file), [])
    content, overrides = changed_bytes(chance) if number % 3 == 1 else changed_override(chance)
    file.write_bytes(content)
    return compose(str(file), overrides)


def check(folder: Path, number: int) -> None:
    file = folder / "mine.yaml"
    file.touch()
    try:
        build_groups(load(composed(file, number)).groups)
    except UserError as fault:
        if LIBRARIES.search(fault.problem) or not fault.remedy:
            pytest.fail(f"number {number} is refused with: {fault}")
    except Exception as error:
        pytest.fail(f"number {number} ends in {type(error).__name__}: {error}")


@pytest.fixture(autouse=True)
def parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text is parsed as YAML once: the shipped files, which Hydra opens each time, are the same."""
    parse = yaml.load
    parsed: dict[str, Any] = {}

    def load_once(stream: Any, Loader: Any) -> Any:  # noqa: N803
        text = stream if isinstance(stream, str) else stream.read()
        if text not in parsed:
            parsed[text] = parse(text, Loader)
        return copy.deepcopy(parsed[text])

    monkeypatch.setattr(yaml, "load", load_once)


@pytest.mark.unit
def test_mutated_configurations_are_read_or_refused(tmp_path: Path) -> None:
    for number in range(60):
        check(tmp_path, number)


@pytest.mark.slow
def test_many_mutated_configurations_are_read_or_refused(tmp_path: Path) -> None:
    for number in range(10_000):
        check(tmp_path, number)
