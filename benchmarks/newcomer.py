"""A group that nobody trained for: each group of a set in turn is left out of training and joins from a few answers.

For every group and seed a run of ``policy=basis`` is trained on the others; the group joins it by ``trialign adapt``
from K = 0, 5, 10, 20 answered questions of taste, and all are asked the held-out questions. Beside them: the base
model that is told the group's profile in the prompt (nothing trained), an adapter of the group's own trained on the
same K questions alone, and the run that was trained on all groups. In scores. Finished commands are not run again.

    python benchmarks/newcomer.py --seeds 0 1 2
    python benchmarks/newcomer.py trainer.steps=160 --seeds 0 1 2 --in-turn  # a group a seed
    python benchmarks/newcomer.py trainer.steps=120 --leave china --counts 0 20
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml
from parted import Figure, figures, table
from study import call

from trialign.api import compose
from trialign.group_config import configured_sets, section_of
from trialign.queries import PreferenceQuery
from trialign.queries.rows import query_to_row
from trialign.runs import RunFolder

SHARED = ("objective.text.weight=0", "audit.answers=[scored]")  # trained and asked in scores alone
SCRATCH = ("policy=per_group", "objective=preference_only", "data.limit=null", "trainer.visits={}")


class Newcomer:
    """One group, left out of one seed's run, and the folders in which what it is asked lies.

    Args:
        config: the configuration file.
        group: who is left out.
        seed: of the run.
        overrides: of every run.
    """

    def __init__(self, config: str, group: str, seed: int, overrides: Sequence[str]) -> None:
        self.config, self.group, self.overrides = config, group, (f"seed={seed}", *SHARED, *overrides)
        self.stem = f"newcomer-{Path(config).stem}-seed{seed}"
        session = compose(config, [*overrides, "policy=basis"])
        self.data = session.config.data.name
        [(name, values)] = configured_sets(session.composed["groups"])
        self.members, self.section = values["members"], section_of(session.composed["groups"], name)
        self.queries = session.queries

    def fitted(self, name: str, *words: str) -> RunFolder:
        """A run, trained unless it is there."""
        run = RunFolder(Path("runs") / name)
        begun = ["--resume"] if run.config_file.exists() else []
        call(["fit", "--config", self.config, *self.overrides, *words, f"name={name}", *begun])
        return run

    def without(self, group: str) -> str:
        """The word that leaves a group out."""
        return f"{self.section}.members.{group}=null"

    @cached_property
    def everyone(self) -> RunFolder:
        """The run of all groups."""
        return self.fitted(f"{self.stem}-all", "policy=basis")

    @cached_property
    def others(self) -> RunFolder:
        """The run of the other groups."""
        words = ("policy=basis", self.without(self.group), "trainer.audits=false")
        return self.fitted(f"{self.stem}-without-{self.group}", *words)

    def few(self, count: int) -> Path:
        """A file of the group's answers to so many training questions of taste, of different ones."""
        asked = [one for one in self.queries if isinstance(one, PreferenceQuery) and one.split == "train"]
        first = list({one.cluster: one for one in reversed(asked)}.values())
        order = np.random.default_rng(0).permutation(len(first))[:count]
        rows = [query_to_row(first[place]) for place in order]
        file = Path("runs") / f".{self.stem}-{self.group}-{count}.jsonl"
        file.parent.mkdir(exist_ok=True)
        kept = [{**row, "targets": {self.group: row["targets"][self.group]}} for row in rows]
        file.write_text("".join(f"{json.dumps({k: v for k, v in row.items() if v is not None})}\n" for row in kept))
        return file

    def joined(self, count: int) -> Path:
        """The group in the others' run, from so many answers, with the audit of all groups' held-out questions."""
        base = self.others
        run = RunFolder(Path("runs") / f"{base.folder.name}-joined-{count}")
        if not run.config_file.exists():
            groups = Path("runs") / f".{self.group}.yaml"
            groups.write_text(yaml.safe_dump({"members": {self.group: self.members[self.group]}}, allow_unicode=True))
            data = ["--data", str(self.few(count))] if count else []
            call(["adapt", "--run", str(base.folder), "--groups", str(groups), "--name", run.folder.name, *data])
        return self.asked(run)

    def scratch(self, count: int) -> Path:
        """An adapter of the group's own, trained on the same answers alone, as long as they take 40 times over."""
        words = [self.without(name) for name in self.members if name != self.group]
        file = Path("runs") / f".{self.stem}-{self.group}-{count}-alone.jsonl"
        held = [query_to_row(one) for one in self.queries if one.split == "test"]
        rows = [{key: value for key, value in row.items() if value is not None} for row in held]
        file.write_text(self.few(count).read_text() + "".join(f"{json.dumps(row)}\n" for row in rows))
        files = (f"data.files=[{file.resolve()}]", f"data.name={self.data}")
        steps = f"trainer.steps={40 * count // 8}"
        run = self.fitted(f"{self.stem}-{self.group}-alone-{count}", *SCRATCH, *words, *files, steps)
        return self.asked(run)

    def asked(self, run: RunFolder) -> Path:
        """The last audit of a run on the held-out questions, made unless it is there."""
        found = [one for one in run.audits() if one.data == self.data and one.split == "test" and one.step]
        if not found:
            call(["test", "--run", str(run.folder), f"data={self.data}"])
            found = [one for one in run.audits() if one.data == self.data and one.split == "test" and one.step]
        return found[-1].path

    def untrained(self) -> Path:
        """The base model, told every group's profile."""
        run = self.everyone
        first = next(one for one in run.audits() if one.data == self.data and one.split == "test" and not one.step)
        return first.path


def rows_of(one: Newcomer, counts: Sequence[int], alone: Sequence[int]) -> dict[str, dict[str, Figure]]:
    """What the audits say of one newcomer, against the other groups."""
    others = [name for name in one.members if name != one.group]
    found = {"profile in the prompt alone (base model)": figures(one.untrained(), [one.group], others)}
    for count in counts:
        found[f"joined from K = {count}"] = figures(one.joined(count), [one.group], others)
    for count in alone:
        found[f"an adapter of its own from K = {count}"] = figures(one.scratch(count), [one.group], [])
    everyone = one.asked(one.everyone)
    trained = found["trained with the others"] = figures(everyone, [one.group], others)
    for count in counts[-1:]:
        last = found[f"joined from K = {count}"]
        found[f"K = {count} minus trained"] = {key: last[key].minus(trained[key]) for key in last}
    if counts:
        found["the others, without the newcomer in training"] = figures(one.joined(counts[0]), others, others)
    found["the others, with it"] = figures(everyone, others, others)
    return found


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="conf/quickstart.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--leave", nargs="+", help="groups that are left out, each in turn; all, where none is named")
    parser.add_argument("--in-turn", action="store_true", help="the first seed leaves out the first group, and so on")
    parser.add_argument("--counts", type=int, nargs="+", default=[0, 5, 10, 20], help="K, answered questions")
    parser.add_argument("--alone", type=int, nargs="*", default=[20], help="K of the adapter trained alone")
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    rows: dict[str, list[dict[str, Figure]]] = defaultdict(list)
    members = compose(arguments.config, arguments.overrides).groups.names
    for place, seed in enumerate(arguments.seeds):
        left_out = arguments.leave or members
        for group in [left_out[place % len(left_out)]] if arguments.in_turn else left_out:
            one = Newcomer(arguments.config, group, seed, arguments.overrides)
            for label, found in rows_of(one, arguments.counts, arguments.alone).items():
                rows[label].append(found)
    print(f"\n{table('the group left out', rows)}")


if __name__ == "__main__":
    main()
