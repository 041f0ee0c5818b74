"""Live questions: what eight groups at once cost beside one, and twenty people before one model.

First the time of greedy replies of a fixed number of tokens, eight groups in one batch beside one group alone, taken in
turns so that other work on the machine falls on both alike; on a busy machine read the processor time. Then twenty
threads that ask one queue, each its own question of one of a run's checkpoints, every other one without options: every
answer must carry the hashes of the checkpoint that was asked, and the process's memory is read after every round.
Prints Markdown tables.

    python benchmarks/live.py --repeats 7
    python benchmarks/live.py --run runs/quickstart --people 20 --rounds 3
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from trialign.checkpoints import read_agents
from trialign.composition import compose
from trialign.config import load
from trialign.dashboard.live.asking import typed_query
from trialign.dashboard.live.engine import Engine, read_setting
from trialign.dashboard.live.queue import LiveQueue
from trialign.dashboard.live.replies import Question, Source
from trialign.models import ChatRenderer, load_model, load_tokenizer, locate_base_model
from trialign.policy import GroupPolicy
from trialign.policy.cpu import use_fast_exact_products
from trialign.policy.group_policy import Sampling
from trialign.runs import RunFolder

TOKENS = 64
GROUPS = 8
NO_END = 3  # a reserved token that is never chosen: every reply has its full length
QUESTION = "Is the Earth older than ten thousand years? Give your reasons."


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--run", type=Path, help="a run with agents: people ask it instead")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.run:
        people(arguments.run, arguments.people, arguments.rounds)
    else:
        batch(arguments.repeats)


def batch(repeats: int) -> None:
    """Times eight groups' replies beside one group's."""
    config = load(compose("conf/quickstart.yaml", ["policy=per_group"]))
    files = locate_base_model(config.model)
    renderer = ChatRenderer(load_tokenizer(files))
    use_fast_exact_products()
    wall: dict[int, list[float]] = {}
    processor: dict[int, list[float]] = {}
    policies = {}
    for count in (1, GROUPS):
        torch.manual_seed(0)
        names = tuple(f"group{number}" for number in range(count))
        policies[count] = GroupPolicy(load_model(files, config.model), names, config.policy).eval()
    messages = [
        [("system", f"You are a helpful assistant. The user is number {number}."), ("user", QUESTION)]
        for number in range(GROUPS)
    ]
    prompts = [renderer.render(message) for message in messages]
    for repeat in range(repeats + 1):
        for count, policy in policies.items():
            begin = time.perf_counter(), time.process_time()
            replies = policy.generate(prompts[:count], policy.groups, NO_END, Sampling(TOKENS))
            if repeat:  # the first one warms up
                wall.setdefault(count, []).append(time.perf_counter() - begin[0])
                processor.setdefault(count, []).append(time.process_time() - begin[1])
            assert all(len(reply) == TOKENS for reply in replies)
    print(f"| {TOKENS}-token replies of | median s | lowest | highest | CPU s, median | lowest | highest |")
    print("|---|---|---|---|---|---|---|")
    for count in policies:
        print(f"| {count} {'groups' if count > 1 else 'group'} | {_row(wall[count])} | {_row(processor[count])} |")
    ratios = [[many / one for one, many in zip(times[1], times[GROUPS], strict=True)] for times in (wall, processor)]
    print(f"| ratio | {_row(ratios[0])} | {_row(ratios[1])} |")


def _row(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f}"


def people(folder: Path, count: int, rounds: int) -> None:
    """Lets many people ask at once, and holds every answer against its checkpoint."""
    run = RunFolder(folder)
    steps = run.steps()
    assert steps, f"{folder} has no agents"
    sources = [Source(folder.name, run.config_file, step, run.agents_at(step)) for step in steps]
    sources.append(replace(sources[0], step=0, checkpoint=None))
    groups = read_setting(run.config_file).groups.names
    hashes = {source: _hashes(source, groups) for source in sources}
    queue = LiveQueue(Engine(), folder.parent, capacity=count, seconds=3600, patience=3600)

    def person(number: int) -> tuple[float, int]:
        source = sources[number % len(sources)]
        # The checkpoint goes with the number, too: of each, some ask with options and some without.
        options = ("Yes", "No") if number // len(sources) % 2 else ()
        query = typed_query(f"{QUESTION} I am person {number}.", options)
        begin = time.perf_counter()
        ticket = queue.ask([source], Question(query, "explicit", groups))
        place = queue.look(ticket).place
        (answers,) = queue.wait(ticket).answers
        assert [reply.adapter_sha256 for reply in answers.replies] == hashes[source]
        assert answers.step == source.step
        return time.perf_counter() - begin, place

    print("| round | answered | longest queue | median s | longest s | memory, MiB |\n|---|---|---|---|---|---|")
    for number in range(1, rounds + 1):
        with ThreadPoolExecutor(count) as pool:
            waits, places = zip(*pool.map(person, range(count)), strict=True)
        memory = psutil.Process().memory_info().rss / 2**20
        print(
            f"| {number} | {len(waits)} of {count} | {max(places)} | {statistics.median(waits):.1f} "
            f"| {max(waits):.1f} | {memory:.0f} |",
            flush=True,
        )


def _hashes(source: Source, groups: tuple[str, ...]) -> list[str | None]:
    if source.checkpoint is None:
        return [None] * len(groups)
    checkpoint = read_agents(source.checkpoint)
    return [checkpoint.adapter_sha256(group) for group in groups]


if __name__ == "__main__":
    main()
