"""Folders of runs as hostile to a page's width and script as real ones: nine groups, forty runs, another script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialign.audit.files.findings import FindingStore, Said
from trialign.queries import Query

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
