"""How long the analysis of a large audit takes, and how much memory it needs.

Simulates the answers of 16 groups (four values of two attributes) to many facts, writes them as ``items.parquet``,
then reads and analyses that file in a process of its own, and prints its times and peak memory.

    python benchmarks/audit_statistics.py --questions 100000
"""

from __future__ import annotations

import argparse
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


def write(path: Path, questions: int, paraphrases: int) -> None:
    """An audit's ``items.parquet``, in shuffled order, made without a Python object for each answer."""
    from trialign.audit.items import ITEMS_SCHEMA

    generator = np.random.default_rng(0)
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


def analyse(path: Path) -> None:
    """Reads and analyses, and prints times and peak memory of this process."""
    import resource

    begin = time.monotonic()
    from trialign.audit.analysis import analyze, write_analysis
    from trialign.audit.items import read_items

    imported = time.monotonic()
    items = read_items(path)
    read = time.monotonic()
    analysis = analyze(items, GROUPS, parts=PARTS)
    write_analysis(path.with_name("analysis.json"), analysis)
    done = time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    assert analysis.facts is not None
    assert analysis.facts.verdict is not None
    print(analysis.facts.verdict.sentence)
    print(f"{len(items):,} answers, {len(analysis.slices)} slices")
    print(f"import {imported - begin:.1f} s, read {read - imported:.1f} s, analyse and write {done - read:.1f} s")
    print(f"together {done - begin:.1f} s, peak memory {memory:.2f} GiB")


def main() -> None:
    """Simulates here, analyses in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=100_000)
    parser.add_argument("--paraphrases", type=int, default=2)
    parser.add_argument("--items", type=Path, help="analyse this file, do not simulate")
    arguments = parser.parse_args()
    if arguments.items:
        analyse(arguments.items)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.parquet"
        write(path, arguments.questions, arguments.paraphrases)
        subprocess.run([sys.executable, __file__, "--items", path], check=True)


if __name__ == "__main__":
    main()
