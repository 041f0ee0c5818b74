"""How long the analysis and the report of a large audit take, and how much memory they need.

Simulates two audits of 16 groups (four values of two attributes) on the same many facts and writes them as an audit
does. Then one process reads and analyses the second, and another makes its report against the first, as ``trialign
report`` does; each prints its times and its peak memory.

    python benchmarks/audit_statistics.py --questions 100000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

ATTRIBUTES = {"education": ("none", "school", "college", "university"), "region": ("a", "b", "c", "d")}
PARTS = {"-".join(values): tuple(zip(ATTRIBUTES, values, strict=True)) for values in product(*ATTRIBUTES.values())}
GROUPS = tuple(PARTS)
OPTIONS = 4
TOPICS = 40


def simulated_answers(questions: int, paraphrases: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """[questions, groups], positions; 0 is right. Groups share four answers of five, paraphrases two of three."""
    clusters = questions // paraphrases
    own = generator.choice(OPTIONS, p=[0.7, 0.1, 0.1, 0.1], size=(questions, len(GROUPS)))
    fact = generator.choice(OPTIONS, p=[0.7, 0.1, 0.1, 0.1], size=(clusters, 1)).repeat(paraphrases, axis=0)
    shared = generator.random((questions, len(GROUPS))) < 0.8
    alike = (generator.random(clusters) < 2 / 3).repeat(paraphrases)
    answers = np.where(shared, fact, own)
    first = answers[::paraphrases].repeat(paraphrases, axis=0)
    return np.where(alike[:, None], first, answers)


def write_items(path: Path, questions: int, paraphrases: int, seed: int) -> None:
    """An audit's ``items.parquet``, in shuffled order, made without a Python object for each answer."""
    from trialign.audit.files.items import ITEMS_SCHEMA

    generator = np.random.default_rng(seed)
    answers = simulated_answers(questions, paraphrases, generator)
    query, group = np.indices(answers.shape).reshape(2, -1)[:, generator.permutation(answers.size)]
    chosen = answers[query, group]
    right = chosen == 0
    rows = len(chosen)
    probabilities = np.full((rows, OPTIONS), 0.1)
    probabilities[np.arange(rows), chosen] = 0.7

    def text(prefix: str, numbers: NDArray[np.int64]) -> pa.Array:
        names = pa.array([f"{prefix}{number}" for number in range(int(numbers.max()) + 1)])
        return names.take(pa.array(numbers))

    def constant(value: str) -> pa.Array:
        return pa.array([value]).take(pa.array(np.zeros(rows, dtype=np.int64)))

    names = pa.array(GROUPS).take(pa.array(group))
    zeros = pa.array(np.zeros(rows, dtype=np.int32))
    columns = {
        "query_id": text("question-", query),
        "cluster": text("fact-", query // paraphrases),
        "kind": constant("truth"),
        "split": constant("test"),
        "topic": text("topic-", query // paraphrases % TOPICS),
        "group": names,
        "role": constant("member"),
        "exposure": constant("explicit"),
        "wording": zeros,
        "turn": zeros,
        "repeat": zeros,
        "profile_group": names,
        "answer": text("answer ", chosen),
        "canonical": text("answer ", chosen),
        "parse_status": constant("scored"),
        "correct": pa.array(right),
        "reward_truth": pa.array(right.astype(np.float64)),
        "reward_preference": pa.nulls(rows, pa.float64()),
        "option_probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), OPTIONS),
        "adapter_sha256": pa.nulls(rows, pa.string()),
    }
    schema = ITEMS_SCHEMA
    pq.write_table(pa.table({name: columns[name].cast(schema.field(name).type) for name in schema.names}, schema), path)


def write_audit(folder: Path, questions: int, paraphrases: int, seed: int) -> None:
    """An audit that waits for its analysis, with the questions that were asked."""
    from trialign.queries import TruthQuery
    from trialign.queries.writer import write_queries
    from trialign.runs import ITEMS, QUESTIONS

    folder.mkdir(parents=True)
    write_items(folder / ITEMS, questions, paraphrases, seed)
    options = tuple(f"answer {place}" for place in range(OPTIONS))
    asked = [
        TruthQuery(
            query_id=f"question-{number}",
            cluster=f"fact-{number // paraphrases}",
            split="test",
            topic=f"topic-{number // paraphrases % TOPICS}",
            question=f"What is known of number {number}, in so many words as a question of this kind has?",
            options=options,
            gold=options[0],
        )
        for number in range(questions)
    ]
    write_queries(folder / QUESTIONS, asked)


def analyse(folder: Path) -> None:
    """Reads and analyses an audit, and writes its analysis and summary."""
    begin = time.monotonic()
    from trialign.audit.figures.analysis import analyze, write_analysis
    from trialign.audit.figures.summary import summarize, write_summary
    from trialign.audit.files.items import read_items
    from trialign.runs import ANALYSIS, ITEMS, SUMMARY
    from trialign.scoring import Scoring

    imported = time.monotonic()
    items = read_items(folder / ITEMS)
    read = time.monotonic()
    analysis = analyze(items, GROUPS, parts=PARTS)
    write_analysis(folder / ANALYSIS, analysis)
    done = time.monotonic()
    assert analysis.verdict is not None
    print(analysis.verdict.sentence)
    print(f"{len(items):,} answers, {len(analysis.slices)} slices")
    print(f"import {imported - begin:.1f} s, read {read - imported:.1f} s, analyse and write {done - read:.1f} s")
    print_costs("analysis", done - begin)
    about = {"step": int(folder.name[5:11]), "data": "simulated", "exposure": "explicit", "split": "test"}
    summary = summarize(items, **about, scoring=Scoring(), eps=0.01, seconds=0.0, groups=GROUPS)  # type: ignore[arg-type]
    write_summary(folder / SUMMARY, summary)
    print_costs("with the summary", time.monotonic() - begin)


def report(folder: Path) -> None:
    """Makes the report of an audit against the run's step 0, in all its forms."""
    begin = time.monotonic()
    from trialign.audit.report import build_report, write_report

    written = write_report(build_report(folder), folder / "report")
    size = sum(path.stat().st_size for path in written) / 2**20
    print_costs(f"report ({len(written)} files, {size:.1f} MiB)", time.monotonic() - begin)


def print_costs(what: str, seconds: float) -> None:
    """Wall and processor time, and the peak memory of this process."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what}: {seconds:.1f} s (processor {time.process_time():.1f} s), peak memory {memory:.2f} GiB", flush=True)


def main() -> None:
    """Simulates here; analyses and reports in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=100_000)
    parser.add_argument("--paraphrases", type=int, default=2)
    parser.add_argument("--part", nargs=2, metavar=("PART", "FOLDER"), help="what a process of its own does")
    arguments = parser.parse_args()
    if arguments.part:
        part, folder = arguments.part
        {"analyse": analyse, "report": report}[part](Path(folder))
        return
    from trialign.runs import RunFolder

    with tempfile.TemporaryDirectory() as root:
        audits = [RunFolder(Path(root) / "runs" / "large").audit(step, "simulated", "test") for step in (0, 100)]
        for seed, audit in enumerate(audits):
            write_audit(audit, arguments.questions, arguments.paraphrases, seed)
        for part, audit in (("analyse", audits[0]), ("analyse", audits[1]), ("report", audits[1])):
            subprocess.run([sys.executable, __file__, "--part", part, str(audit)], check=True)


if __name__ == "__main__":
    main()
