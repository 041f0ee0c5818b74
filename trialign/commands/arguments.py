"""What each verb of the command line takes: words, options and their help. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

from trialign.groups import EXPOSURES


def _init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder, or an empty one")


def _composed_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, help="a config file: conf/quickstart.yaml, or one of your own")
    parser.add_argument("--cfg", action="store_true", help="print the composed config and exit")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="values (trainer.steps=50) or groups (objective=utilitarian)",
    )


def _fit_arguments(parser: argparse.ArgumentParser) -> None:
    _composed_arguments(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    group.add_argument("--overwrite", action="store_true", help="replace a run of this name")
    parser.add_argument(
        "-m",
        "--multirun",
        action="store_true",
        help="a run for every combination of values listed with commas (seed=0,1,2); goes on where it was stopped",
    )


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    _composed_arguments(parser)
    parser.add_argument("--split", choices=["train", "validation", "test"], help="show the questions of one split")


def _plan_arguments(parser: argparse.ArgumentParser) -> None:
    _composed_arguments(parser)
    parser.add_argument(
        "--size", action="append", choices=["7B", "13B", "70B"], default=[], help="also of a model of this size"
    )
    parser.add_argument("--memory", type=float, default=80.0, metavar="GIB", help="of one GPU (default: %(default)g)")


def _audit_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", help="audit the base model of this configuration")
    source.add_argument("--run", type=Path, help="audit the agents of this run, such as runs/quickstart")
    parser.add_argument("--step", type=int, help="which checkpoint of the run (default: the last)")
    parser.add_argument(
        "--dry-run", action="store_true", help="count requests and tokens, and what they cost; nothing is asked"
    )
    parser.add_argument("--cfg", action="store_true", help="print the composed config and exit")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="overrides; with --run of the data (data=...), and of what is asked in words or under pressure",
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="a run's folder, such as runs/quickstart")
    parser.add_argument("--step", type=int, help="which checkpoint (default: the last)")


def _ask_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", help="asked as it is")
    _run_arguments(parser)
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="TEXT",
        help="an answer to choose from; give it twice or more",
    )
    parser.add_argument(
        "--as",
        dest="people",
        action="append",
        default=[],
        metavar="VALUES",
        help="ask as somebody of other values, too: age=30, or age=30,country=iran; give it as often as wanted",
    )
    parser.add_argument("--exposure", choices=EXPOSURES, help="how the profile reaches the agents")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "questions",
        type=Path,
        help="a file of questions (JSONL, JSON, Parquet, CSV, TSV, Excel; .txt: one a line), or - for standard input",
    )
    _run_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="the JSONL file to write, or - for standard output")
    parser.add_argument("--question", metavar="COLUMN", help="where a row holds the question (default: question)")
    parser.add_argument(
        "--options",
        metavar="COLUMN[,COLUMN...]",
        help="where it holds the options: a list, or columns (default: options, or A, B, ..., where there are any)",
    )
    parser.add_argument("--passage", metavar="COLUMN", help="a text that stands before the question")
    parser.add_argument("--id", metavar="COLUMN", help="where it holds its name (default: id, else the row's number)")
    parser.add_argument("--encoding", help="of a text file, such as cp1252 (default: found out)")
    parser.add_argument("--exposure", choices=EXPOSURES, help="how the profile reaches the agents")


def _adapt_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument("--groups", type=Path, required=True, help="a YAML file of the new groups, under 'members'")
    parser.add_argument(
        "--data", type=Path, help="their answered questions of taste (default: none, the unknown group)"
    )
    parser.add_argument("--name", help="of the new run (default: the run's and the groups' names)")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    _run_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="the folder to make")
    parser.add_argument("--merged", action="store_true", help="whole models instead of adapters")
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="how far the adapters are applied, 0 to 1 (default: %(default)s, wholly)",
    )


def _dashboard_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, help="the folder of all runs, such as runs")
    parser.add_argument("--port", type=int, default=8501, help="of the server (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--roles", type=Path, help="file of those who may log in: 'ana@example.org: auditor' or viewer")
    parser.add_argument("--insecure", action="store_true", help="let others read and ask without authentication")
    limit = "after which the words of a live answer end (default: %(default)g)"
    parser.add_argument("--time-limit", type=float, default=120, metavar="SECONDS", help=limit)


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, or one of its audits")
    parser.add_argument("--against", type=Path, metavar="RUN", help="compare with this run or audit (default: step 0)")
    parser.add_argument("--step", type=int, help="which audit of the run (default: the last)")
    parser.add_argument("--output", type=Path, help="the folder to write to (default: reports/ of the run)")
    parser.add_argument(
        "--format",
        choices=["report", "lm-eval", "wandb", "mlflow"],
        default="report",
        help="lm-eval: the answers as sample logs of lm-evaluation-harness; wandb, mlflow: figures and tables for that "
        "tracker, by the run's logger section (default: %(default)s)",
    )
    parser.add_argument("--verify", action="store_true", help="write nothing; say whether the signatures still hold")


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="runs' folders, or single audits")
    parser.add_argument("--output", type=Path, help="a folder for CSV, JSON, Markdown and SVG")


def _calibrate_arguments(parser: argparse.ArgumentParser) -> None:
    _composed_arguments(parser)
    parser.add_argument("--pairs", type=Path, help="labelled pairs, JSON lines (default: those of the package)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="what audit.calibration names (default: its file)")


def _gate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, or one of its audits")
    parser.add_argument("--against", type=Path, metavar="RUN", help="the baseline: another run of the same questions")
    parser.add_argument("--config", type=Path, help="a YAML file of the rules (default: those of the run's config)")
    parser.add_argument(
        "--format",
        choices=["text", "json", "junit", "markdown", "github", "sarif"],
        default="text",
        help="what is printed (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, help="a folder for JSON, JUnit XML, Markdown and SARIF")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="rules, such as worst=0.8 (docs/gate.md)")


ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "init": _init_arguments,
    "data": _data_arguments,
    "plan": _plan_arguments,
    "collect": _composed_arguments,
    "fit": _fit_arguments,
    "validate": _audit_arguments,
    "test": _audit_arguments,
    "predict": _predict_arguments,
    "ask": _ask_arguments,
    "adapt": _adapt_arguments,
    "export": _export_arguments,
    "dashboard": _dashboard_arguments,
    "compare": _compare_arguments,
    "calibrate": _calibrate_arguments,
    "gate": _gate_arguments,
    "report": _report_arguments,
}


def go_on(arguments: argparse.Namespace) -> str:
    """How a command that was stopped goes on, a sentence; empty where it begins anew."""
    if arguments.verb == "fit":
        how = "-m" if arguments.multirun else "--resume"
        words = ["trialign", "fit", "--config", arguments.config, *arguments.overrides, how]
        return f" Go on with: {shlex.join(words)}"
    return " Run the same command again to go on." if arguments.verb in ("collect", "validate", "test") else ""
