"""Has the tools themselves write logs of replies to a few questions: PYTHON write_logs.py TOOL FOLDER.

The replies are told here, so that what an audit has to say of them is known by hand; no model is asked.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

# Question id -> (question, options, reply of red, reply of blue). Red is right on both, blue on the first alone.
QUESTIONS = {
    "f1": ("What do people breathe?", ["air", "sand", "iron"], "air", "It is air."),
    "f2": ("What is ice made of?", ["salt", "water", "glass"], "water", "glass"),
}
GROUPS = ("red", "blue")


def said(group, question):
    return QUESTIONS[question][2 + GROUPS.index(group)]


def write_tasks(tasks):
    rows = [
        {"id": key, "ask": f"{group}: {ask}", "choices": options, "gold": 0 if key == "f1" else 1, "group": group}
        for key, (ask, options, *_) in QUESTIONS.items()
        for group in GROUPS
    ]
    tasks.mkdir(parents=True)
    (tasks / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tasks / "rows.jsonl")}},
        "test_split": "test",
        "doc_to_text": "{{ask}}",
    }
    words = {
        "task": "words",
        "output_type": "generate_until",
        "doc_to_target": "{{choices[gold]}}",
        "generation_kwargs": {"until": ["\n"]},
        "metric_list": [{"metric": "exact_match"}],
    }
    choices = {
        "task": "choices",
        "output_type": "multiple_choice",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "gold",
        "metric_list": [{"metric": "acc"}],
    }
    for task in (words, choices):
        (tasks / f"{task['task']}.yaml").write_text(json.dumps({**common, **task}))


def write_lm_eval(folder):
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    write_tasks(folder / "tasks")

    class Told(LM):
        def loglikelihood(self, requests):
            return [(-1.0 if self.reply(*one.args) else -3.0, False) for one in requests]

        def reply(self, context, continuation):
            return continuation.strip() in self.of(context)

        def of(self, context):
            group, _, ask = context.partition(": ")
            return said(group, next(key for key, one in QUESTIONS.items() if one[0] == ask))

        def loglikelihood_rolling(self, requests):
            raise AssertionError("no task here asks how likely a whole text is")

        def generate_until(self, requests):
            return [self.of(one.args[0]) for one in requests]

    manager = TaskManager(include_path=str(folder / "tasks"), include_defaults=False)
    tracker = EvaluationTracker(output_path=str(folder))
    found = simple_evaluate(model=Told(), tasks=["words", "choices"], task_manager=manager, log_samples=True)
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    for task in samples:
        tracker.save_results_samples(task_name=task, samples=samples[task])


def write_inspect(folder):
    from inspect_ai import Task
    from inspect_ai import eval as run
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes

    asked = [(group, key) for group in GROUPS for key in QUESTIONS]
    samples = [
        Sample(
            id=f"{group}-{key}",
            input=QUESTIONS[key][0],
            target=QUESTIONS[key][1][0 if key == "f1" else 1],
            metadata={"group": group, "question": key},
        )
        for group, key in asked
    ]
    for form in ("json", "eval"):
        outputs = [ModelOutput.from_content("mockllm/model", said(*one)) for one in asked]
        for output in outputs:
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else it asks for a tokenizer
        model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
        run(
            Task(dataset=samples, scorer=includes(), name="facts"),
            model=model,
            log_dir=str(folder),
            log_format=form,
            max_connections=1,
            max_samples=1,
            display="none",
        )


PROVIDER = """
const said = %s;
class Told {
  id() { return 'told'; }
  async callApi(prompt, {vars}) { return {output: said[vars.group][vars.id], finishReason: 'stop'}; }
}
module.exports = Told;
"""


def write_promptfoo(folder):
    folder.mkdir(parents=True)
    told = {group: {key: said(group, key) for key in QUESTIONS} for group in GROUPS}
    (folder / "told.cjs").write_text(PROVIDER % json.dumps(told))
    tests = [
        {
            "vars": {"id": key, "group": group, "ask": QUESTIONS[key][0]},
            "assert": [{"type": "contains", "value": QUESTIONS[key][1][0 if key == "f1" else 1]}],
        }
        for group in GROUPS
        for key in QUESTIONS
    ]
    config = {"description": "facts", "prompts": ["{{ask}}"], "providers": ["file://told.cjs"], "tests": tests}
    (folder / "config.json").write_text(json.dumps(config))
    quiet = {f"PROMPTFOO_DISABLE_{what}": "1" for what in ("TELEMETRY", "UPDATE", "REMOTE_GENERATION")}
    command = os.environ.get("TRIALIGN_PROMPTFOO", "promptfoo")
    done = subprocess.run(
        [command, "eval", "-c", "config.json", "--no-cache", "--no-write", "--output", "results.json"],
        cwd=folder,
        env={**os.environ, **quiet, "PROMPTFOO_CONFIG_DIR": str(folder / "home")},
        check=False,
    )
    assert done.returncode in (0, 100), done.returncode  # 100: an assertion failed, as blue's second answer does


if __name__ == "__main__":
    {"lm_eval": write_lm_eval, "inspect": write_inspect, "promptfoo": write_promptfoo}[sys.argv[1]](Path(sys.argv[2]))
