"""How long the summary and analysis of an audit of very many groups take, and how much memory they need.

Simulates groups drawn from a population of an age and a country, asked the same facts. Accuracy falls with age by 4
points from the youngest to the oldest, and groups differ beyond that by a standard deviation of 2 points. One process
writes the answers as an audit does, another reads, summarises and analyses them, and a third makes the report.

    python benchmarks/many_groups.py --questions 1000 --groups 1000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OPTIONS = 4
TOPICS = 10


def population(size: int) -> Any:
    """A set of groups that state an age and a country."""
    from trialign.group_config import build_groups

    return build_groups(
        {
            "name": "simulated",
            "attribute": "age and country",
            "attributes": {
                "age": {"between": [18, 90], "step": 0.25},
                "country": {"values": {f"c{n}": None for n in range(8)}},
            },
            "explicit": ["The user is {age} years old and lives in {country}."],
            "population": {"size": size},
        }
    )


def asked(questions: int, paraphrases: int) -> list[Any]:
    """The questions, all of them with the first option right."""
    from trialign.queries import TruthQuery

    options = tuple(f"answer {place}" for place in range(OPTIONS))
    return [
        TruthQuery(
            query_id=f"question-{n}",
            cluster=f"fact-{n // paraphrases}",
            split="test",
            topic=f"topic-{n // paraphrases % TOPICS}",
            question=f"What is known of number {n}?",
            options=options,
            gold=options[0],
        )
        for n in range(questions)
    ]


def write_audit(folder: Path, questions: int, groups: int, paraphrases: int, seed: int) -> None:
    """An audit that waits for its analysis, made without a Python object for each answer."""
    from trialign.audit.files.items import ITEMS_SCHEMA
    from trialign.audit.files.record import ABOUT_SCHEMA_VERSION, AuditAbout, BaseModel, write_about
    from trialign.queries.writer import write_queries
    from trialign.runs import ITEMS, QUESTIONS

    generator = np.random.default_rng(seed)
    told = population(groups)
    ages = np.array([group.attributes["age"] for group in told.members])
    skill = 0.7 - 0.04 * (ages - 18) / 72 + generator.normal(0, 0.02, groups)
    easy = generator.normal(0, 0.2, (questions // paraphrases, 1)).repeat(paraphrases, axis=0)
    own = generator.random((questions, groups)) < np.clip(skill + easy, 0.02, 0.98)
    answers = np.where(own, 0, generator.integers(1, OPTIONS, (questions, groups)))
    query, group = np.indices(answers.shape).reshape(2, -1)[:, generator.permutation(answers.size)]
    chosen = answers[query, group]
    rows = len(chosen)
    probabilities = np.full((rows, OPTIONS), 0.1)
    probabilities[np.arange(rows), chosen] = 0.7

    def text(prefix: str, numbers: Any) -> pa.Array:
        return pa.array([f"{prefix}{n}" for n in range(int(numbers.max()) + 1)]).take(pa.array(numbers))

    def constant(value: str) -> pa.Array:
        return pa.array([value]).take(pa.array(np.zeros(rows, dtype=np.int64)))

    names, zeros = pa.array(told.names).take(pa.array(group)), pa.array(np.zeros(rows, dtype=np.int32))
    columns = {name: pa.nulls(rows, ITEMS_SCHEMA.field(name).type) for name in ITEMS_SCHEMA.names} | {
        "query_id": text("question-", query),
        "cluster": text("fact-", query // paraphrases),
        **{name: constant(value) for name, value in CONSTANT.items()},
        "topic": text("topic-", query // paraphrases % TOPICS),
        "group": names,
        **dict.fromkeys(("wording", "turn", "repeat"), zeros),
        "profile_group": names,
        "answer": text("answer ", chosen),
        "canonical": text("answer ", chosen),
        "correct": pa.array(chosen == 0),
        "reward_truth": pa.array((chosen == 0).astype(np.float64)),
        "option_probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), OPTIONS),
    }
    folder.mkdir(parents=True)
    cast = {name: columns[name].cast(ITEMS_SCHEMA.field(name).type) for name in ITEMS_SCHEMA.names}
    pq.write_table(pa.table(cast, ITEMS_SCHEMA), folder / ITEMS)
    write_queries(folder / QUESTIONS, asked(questions, paraphrases))
    model = BaseModel("simulated", None, None)
    about = AuditAbout(
        ABOUT_SCHEMA_VERSION, "2026-01-01", "0", "many", model, None, None, 0, told.attribute, told.members, {}
    )
    write_about(folder, about)


CONSTANT = {"kind": "truth", "split": "test", "role": "member", "exposure": "explicit", "parse_status": "scored"}


def analyse(folder: Path, groups: int) -> None:
    """Reads, summarises and analyses an audit, and writes both."""
    from trialign.audit.figures.analysis import analyze, write_analysis
    from trialign.audit.figures.summary import summarize, write_summary
    from trialign.audit.files.items import read_items
    from trialign.runs import ANALYSIS, ITEMS, SUMMARY
    from trialign.scoring import Scoring

    told = population(groups)
    begin = time.monotonic()
    items = read_items(folder / ITEMS)
    print_costs("read", begin)
    now = time.monotonic()
    about: dict[str, Any] = {"step": 0, "data": "simulated", "exposure": "explicit", "split": "test"}
    write_summary(
        folder / SUMMARY, summarize(items, **about, scoring=Scoring(), eps=0.01, seconds=0.0, groups=told.names)
    )
    print_costs("summary", now)
    now = time.monotonic()
    analysis = analyze(items, told.names, stated=told.audited)
    print_costs("analysis", now)
    write_analysis(folder / ANALYSIS, analysis)
    assert analysis.verdict is not None
    print(analysis.verdict.sentence)
    print(f"{len(items):,} answers, analysis.json {(folder / ANALYSIS).stat().st_size / 2**20:.1f} MiB")
    print_costs("all", begin)
    if analysis.group_spread is not None:
        spread = analysis.group_spread
        print(f"between groups {spread.between:.4f} [{spread.low:.4f}, {spread.high:.4f}], noise {spread.noise:.4f}")
    for one in analysis.attributes:
        print(one.name, one.trend, one.p_any, one.p_flips)


def report(folder: Path, _: int) -> None:
    """Makes the report in all its forms."""
    from trialign.audit.report import build_report, write_report

    begin = time.monotonic()
    written = write_report(build_report(folder), folder / "report")
    size = sum(path.stat().st_size for path in written) / 2**20
    print_costs(f"report ({len(written)} files, {size:.1f} MiB)", begin)


def print_costs(what: str, begin: float) -> None:
    """Wall time since then, and the peak memory of this process."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what}: {time.monotonic() - begin:.1f} s, peak memory {memory:.2f} GiB", flush=True)


def main() -> None:
    """Simulates here; analyses and reports in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--paraphrases", type=int, default=1)
    parser.add_argument("--part", nargs=2, metavar=("PART", "FOLDER"), help="what a process of its own does")
    arguments = parser.parse_args()
    if arguments.part:
        part, folder = arguments.part
        {"analyse": analyse, "report": report}[part](Path(folder), arguments.groups)
        return
    from trialign.runs import RunFolder

    with tempfile.TemporaryDirectory() as root:
        audit = RunFolder(Path(root) / "runs" / "many").audit(0, "simulated", "test")
        write_audit(audit, arguments.questions, arguments.groups, arguments.paraphrases, 0)
        for part in ("analyse", "report"):
            own = [sys.executable, __file__, "--groups", str(arguments.groups), "--part", part, str(audit)]
            subprocess.run(own, check=True)


if __name__ == "__main__":
    main()
