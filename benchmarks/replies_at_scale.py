"""An audit in words of many questions and groups: does it run, go on where it was cut off, and what does a reply cost?

A model of random weights answers (two narrow layers under the embedded model's tokenizer), so that the audit's own
work shows: asking, keeping, reading, counting. The command is stopped in the middle and started again. ``--model
embedded`` asks the embedded model instead, whose decoding is then nearly all of it.

    python benchmarks/replies_at_scale.py --questions 10000 --groups 8 --tokens 8
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from transformers import LlamaConfig, LlamaForCausalLM

from trialign.composition import compose
from trialign.config import load
from trialign.models import load_tokenizer, locate_base_model
from trialign.runs import SUMMARY, RunFolder

CONFIG = """
defaults:
  - base
  - override groups: many
  - override data: files
  - override model: {model}
  - _self_
name: many
model: {{{path}}}
data:
  name: many
  files: [facts.jsonl]
audit:
  max_new_tokens: {tokens}
"""


def write_model(folder: Path) -> None:
    """Random weights under the embedded model's tokenizer."""
    files = locate_base_model(load(compose("conf/quickstart.yaml", [])).model)
    tokenizer = load_tokenizer(files)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_project(folder: Path, questions: int, groups: int, tokens: int, model: str) -> None:
    """Groups, questions and the entry file of a run on them."""
    (folder / "groups").mkdir()
    members = {
        f"group{n}": {"label": f"Group {n}", "explicit": [f"The user lives in district {n}."]} for n in range(groups)
    }
    several = {"name": "many", "attribute": "where people live", "members": members, "control": {"label": "No profile"}}
    (folder / "groups" / "many.yaml").write_text(yaml.safe_dump(several, sort_keys=False), encoding="utf-8")
    rows = []
    for n in range(questions):
        first, second = divmod(n, 100)
        texts = [str(first + second + away) for away in (0, 1, 7, -3)]
        ids = {"id": f"q{n}", "cluster": f"c{n}", "split": "test", "kind": "truth", "topic": f"t{n % 40}"}
        rows.append({**ids, "question": f"What is {first} plus {second}?", "options": texts, "gold": texts[0]})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "facts.jsonl").write_text(text, encoding="utf-8")
    random = model == "random"
    if random:
        write_model(folder / "model")
    source = {"model": "folder" if random else "smollm2", "path": "name: random, path: model" if random else ""}
    (folder / "many.yaml").write_text(CONFIG.format(tokens=tokens, **source), encoding="utf-8")


def kept(folder: Path) -> int:
    """Replies that are on the disk."""
    files = folder.glob("runs/.answers/base.jsonl")
    return sum(len(file.read_bytes().splitlines()) for file in files)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--model", choices=["random", "embedded"], default="random")
    arguments = parser.parse_args()
    replies = arguments.questions * (arguments.groups + 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, arguments.questions, arguments.groups, arguments.tokens, arguments.model)
        command = [sys.executable, "-m", "trialign.cli", "test", "--config", "many.yaml"]
        begin = time.monotonic()
        log = folder / "log"
        first = subprocess.Popen(command, cwd=folder, stderr=log.open("w"), stdout=subprocess.DEVNULL)
        while first.poll() is None and kept(folder) < replies // 2:
            time.sleep(0.2)
        first.send_signal(signal.SIGTERM)
        first.wait()
        cut, cut_at = kept(folder), time.monotonic()
        again = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if again.returncode:
            raise SystemExit(f"{log.read_text()}\n{again.stderr}")
        ended = time.monotonic()
        [audit] = RunFolder(folder / "runs" / "many").audits()
        summary = json.loads((audit.path / SUMMARY).read_text())
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"\n{arguments.questions} questions, {arguments.groups} groups and the control: {replies} replies")
        print(f"stopped (exit code {first.returncode}) with {cut} kept after {cut_at - begin:.0f} s")
        print(f"the same command again: {ended - cut_at:.0f} s; {kept(folder)} kept in all")
        print(f"a reply: {1000 * (ended - begin) / replies:.1f} ms, all of the audit in scores and words included")
        print(f"largest process: {largest:.2f} GiB; facts in words: {summary['replies']['n_queries']}")


if __name__ == "__main__":
    main()
