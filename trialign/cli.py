"""The command line: verbs, one composed configuration, one call each.

Heavy libraries are imported by the verb that needs them, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from trialign import __version__
from trialign.commands.arguments import ARGUMENTS, go_on
from trialign.commands.sessions import composed_session, print_config, run_session
from trialign.errors import UnfinishedError, UserError
from trialign.places import at_home
from trialign.shortage import lacks_room
from trialign.surroundings import quiet_libraries, settle

DONE, FAILED, WRONG_INPUT = 0, 1, 2
QUICKSTART = "conf/quickstart.yaml"


@dataclass(frozen=True)
class Verb:
    """One verb: its help, its example and what it calls."""

    help: str
    example: str
    call: Callable[[argparse.Namespace], int | None]


def entry() -> NoReturn:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Runs one command.

    Returns:
        0 done, 1 failed or stopped, 2 the user's input or configuration is wrong; of ``gate`` also 3, it is not
        passed, and 4, the facts are too few to tell.
    """
    settle()
    try:
        arguments = parse(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    quiet_libraries()
    handlers = {signal.SIGTERM: signal.getsignal(signal.SIGTERM)}
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        for name, value in vars(arguments).items():
            if isinstance(value, Path):
                setattr(arguments, name, at_home(value, name))
        code = VERBS[arguments.verb].call(arguments)
        _leave_ranks()
        return code or DONE
    except UserError as error:
        return _report(arguments, str(error), WRONG_INPUT)
    except UnfinishedError as error:
        return _report(arguments, str(error), FAILED)
    except SystemExit as ranks:
        # This process only launched them; they have said what there was to say.
        return int(ranks.code or 0)
    except KeyboardInterrupt:
        return _report(arguments, f"Stopped. What is done is kept.{go_on(arguments)}", FAILED)
    except Exception as error:
        if lacks_room(error):
            # A copy that does not fit names its source first.
            place = getattr(error, "filename2", None) or getattr(error, "filename", None)
            text = f"No space is left on the device{f' for {place}' if place else ''}."
            return _report(
                arguments,
                f"{text} Free some; nothing that was written is lost.{go_on(arguments)}",
                WRONG_INPUT,
            )
        stopped = type(error).__name__ == "Stopped"
        text = (
            f"Training {error}; its state is saved.{go_on(arguments)}"
            if stopped
            else f"{type(error).__name__}: {error}"
        )
        return _report(arguments, text, FAILED)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses the command line; argparse's own exit code for wrong usage is 2."""
    parser = argparse.ArgumentParser(
        prog="trialign",
        description="Align every social group's agent to the same facts, and keep what is personal.",
        epilog=f"example: trialign fit --config {QUICKSTART}",
    )
    parser.add_argument("--version", action="version", version=f"trialign {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        one = verbs.add_parser(
            name,
            help=verb.help,
            description=verb.help,
            epilog=f"example: {verb.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        ARGUMENTS[name](one)
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments, rest = parser.parse_known_args(argv)
    # argparse takes positional words from one place only; overrides may stand on both sides of an option.
    if rest and ("overrides" not in arguments or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.overrides += rest
    return arguments


def _leave_ranks() -> None:
    if "torch.distributed" in sys.modules:
        from trialign.commands.launch import leave_ranks

        leave_ranks()


def _init(arguments: argparse.Namespace) -> None:
    from trialign.commands.init import init

    init(arguments.folder)


def _fit(arguments: argparse.Namespace) -> None:
    if arguments.multirun:
        _sweep(arguments)
        return
    session = composed_session(arguments)
    if session is None:
        return
    from trialign.api.fitting import check_fit
    from trialign.commands.fit import fit
    from trialign.commands.launch import launch_ranks

    check_fit(session, resume=arguments.resume, overwrite=arguments.overwrite)
    launch_ranks(session.config.trainer.devices, session.config.trainer.nodes)
    fit(session, resume=arguments.resume, overwrite=arguments.overwrite)


def _sweep(arguments: argparse.Namespace) -> None:
    if arguments.cfg:
        raise UserError("--cfg shows one configuration, and -m makes several", "Leave one of them out")
    from trialign.commands.sweep import sweep

    sweep(arguments.config, arguments.overrides, "--overwrite" if arguments.overwrite else "--resume")


def _collect(arguments: argparse.Namespace) -> None:
    session = composed_session(arguments)
    if session is None:
        return
    from trialign.api.fitting import collect
    from trialign.commands.launch import launch_ranks

    session.check()
    launch_ranks(session.config.trainer.devices, session.config.trainer.nodes)
    collect(session)


def _data(arguments: argparse.Namespace) -> None:
    session = composed_session(arguments)
    if session is None:
        return
    from trialign.commands.data import data

    data(session, arguments.split)


def _plan(arguments: argparse.Namespace) -> None:
    session = composed_session(arguments)
    if session is None:
        return
    from trialign.commands.plan import plan

    plan(session, arguments.size, arguments.memory)


def _audit(arguments: argparse.Namespace) -> None:
    if arguments.config is not None and arguments.step is not None:
        raise UserError("--step was given with --config, which audits the base model", "Use --run, or leave it out")
    from trialign.api.elsewhere import open_run_on

    session = open_run_on(arguments.run, arguments.overrides) if arguments.run else composed_session(arguments)
    if session is None:
        return
    if arguments.cfg:
        print_config(session.composed)
        return
    split: Any = "validation" if arguments.verb == "validate" else "test"
    if arguments.dry_run:
        from trialign.commands.forecast import dry_run

        dry_run(session, split, trained=arguments.run is not None)
        return
    from trialign.commands.audit import audit

    elsewhere = bool(arguments.run and arguments.overrides)
    audit(session, split, trained=arguments.run is not None, step=arguments.step, base_first=elsewhere)


def _ask(arguments: argparse.Namespace) -> None:
    session = run_session(arguments)
    from trialign.commands.ask import ask

    ask(
        session,
        arguments.question,
        arguments.option,
        step=arguments.step,
        exposure=arguments.exposure,
        as_json=arguments.json,
        people=arguments.people,
    )


def _predict(arguments: argparse.Namespace) -> None:
    session = run_session(arguments)
    from trialign.commands.ask import QuestionsAt, predict, stated_fields

    fields = stated_fields(arguments.question, arguments.options, arguments.passage, arguments.id)
    questions = QuestionsAt(arguments.questions, fields, arguments.encoding)
    predict(session, questions, arguments.output, step=arguments.step, exposure=arguments.exposure)


def _adapt(arguments: argparse.Namespace) -> None:
    session = run_session(arguments)
    from trialign.commands.adapt import adapt

    adapt(session, arguments.groups, arguments.data, step=arguments.step, name=arguments.name)


def _export(arguments: argparse.Namespace) -> None:
    session = run_session(arguments)
    from trialign.commands.export import export

    export(session, arguments.output, step=arguments.step, merged=arguments.merged, scale=arguments.scale)


def _dashboard(arguments: argparse.Namespace) -> None:
    from trialign.commands.dashboard import dashboard

    dashboard(
        arguments.runs,
        host=arguments.host,
        port=arguments.port,
        roles=arguments.roles,
        insecure=arguments.insecure,
        seconds=arguments.time_limit,
    )


def _report_of(arguments: argparse.Namespace) -> None:
    from trialign.commands.report import report, samples, verify

    if arguments.verify:
        if arguments.against or arguments.output:
            raise UserError("--verify writes nothing and compares with nothing", "Leave --against and --output out")
        verify(arguments.run, step=arguments.step)
        return
    if arguments.format in ("wandb", "mlflow"):
        from trialign.commands.trackers import track

        track(arguments.run, arguments.format, arguments.against, arguments.step, arguments.output)
        return
    write = samples if arguments.format == "lm-eval" else report
    write(arguments.run, against=arguments.against, step=arguments.step, output=arguments.output)


def _compare(arguments: argparse.Namespace) -> None:
    from trialign.commands.compare import compare

    compare(arguments.runs, arguments.output)


def _calibrate(arguments: argparse.Namespace) -> None:
    session = composed_session(arguments)
    if session is None:
        return
    from trialign.commands.calibrate import calibrate

    calibrate(session, arguments.pairs, arguments.write)


def _gate(arguments: argparse.Namespace) -> int:
    from trialign.commands.gate import gate

    rules = (arguments.config, arguments.overrides)
    return gate(arguments.run, arguments.against, *rules, arguments.format, arguments.output)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _report(arguments: argparse.Namespace, text: str, code: int) -> int:
    if arguments.debug:
        traceback.print_exc()
    print(f"trialign {arguments.verb}: {text}", file=sys.stderr)
    return code


VERBS = {
    "init": Verb(
        "Write the files that a run on groups and questions of your own begins from.", "trialign init mine", _init
    ),
    "data": Verb(
        "Show the questions: a summary, a sample, token lengths, and every fault, before anyone trains.",
        f"trialign data --config {QUICKSTART} --split test",
        _data,
    ),
    "plan": Verb(
        "Say how much memory training takes on each GPU and how many GPUs that makes, without loading a weight.",
        f"trialign plan --config {QUICKSTART} --size 7B --size 70B model.dtype=bfloat16",
        _plan,
    ),
    "collect": Verb(
        "Make the offline data; goes on where it was cut off.",
        f"trialign collect --config {QUICKSTART}",
        _collect,
    ),
    "fit": Verb(
        "Collect if the data is missing, audit, train, audit again, and print the two audits side by side.",
        f"trialign fit --config {QUICKSTART} trainer.steps=60 objective=utilitarian name=baseline",
        _fit,
    ),
    "validate": Verb("Audit on the tuning questions.", "trialign validate --run runs/quickstart", _audit),
    "test": Verb("Audit on the held-out questions.", f"trialign test --config {QUICKSTART}", _audit),
    "predict": Verb(
        "Questions in, from a file or standard input, every group's answer out.",
        "trialign predict questions.jsonl --run runs/quickstart --output answers.jsonl",
        _predict,
    ),
    "ask": Verb(
        "One question, every group's answer side by side.",
        'trialign ask "Is the Earth older than ten thousand years?" --run runs/quickstart --option Yes --option No',
        _ask,
    ),
    "adapt": Verb(
        "Add a group to a run of policy=basis, from a few answered questions or none; nothing else is trained.",
        "trialign adapt --run runs/quickstart --groups new.yaml --data few.jsonl",
        _adapt,
    ),
    "export": Verb(
        "Copy the adapters as PEFT folders or merged models, with a model card.",
        "trialign export --run runs/quickstart --output agents",
        _export,
    ),
    "compare": Verb(
        "Several runs on the same questions in one table, with paired intervals.",
        "trialign compare runs/baseline runs/quickstart --output comparison",
        _compare,
    ),
    "calibrate": Verb(
        "Measure on labelled pairs how often what compares replies in words is right.",
        f"trialign calibrate --config {QUICKSTART} --pairs pairs.jsonl audit.comparer=nli audit.nli=FOLDER",
        _calibrate,
    ),
    "gate": Verb(
        "Hold an audit to its rules: exit code 0 passed, 3 not passed, 4 not enough evidence.",
        "trialign gate runs/quickstart --against runs/baseline regression.accuracy=0.02",
        _gate,
    ),
    "report": Verb(
        "The audit report for signing: HTML, JSON, CSV and a model card.",
        "trialign report runs/quickstart --against runs/baseline",
        _report_of,
    ),
    "dashboard": Verb(
        "Show the runs of a folder in the browser, and ask their agents.", "trialign dashboard runs", _dashboard
    ),
}

if __name__ == "__main__":
    entry()
