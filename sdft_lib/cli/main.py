"""The command ``sdft``: each step of the method by name, on the same store as the lessons.

A command reads and checks its arguments, calls the library once and replies. Its name is that of
the function; heavy modules are imported inside it, so that ``sdft --help`` is quick."""

import os
import signal
import sys

from typer import Typer

from sdft_lib.cli import data, doctor, paper, runs, steps
from sdft_lib.cli.common import OneSentence, command, complain

INTERRUPTED = "Interrupted; steps that were done are kept, so the same command goes on from there."
WHAT = "rewrite the references with the seed model, train on them, compare"
GROUP = {"cls": OneSentence, "no_args_is_help": True, "rich_markup_mode": None}
GROUP |= {"add_completion": False, "pretty_exceptions_enable": False}
app = Typer(name="sdft", help=f"Self-distillation fine-tuning: {WHAT}.", **GROUP)
data_group = Typer(
    name="data", help="Look at a set of rows, or split it, before training.", **GROUP
)
app.add_typer(data_group)

COMMANDS = (  # in the order of `sdft --help`, each with its example
    (doctor.doctor, "sdft doctor"),
    (doctor.fetch, "sdft fetch minilm"),
    (doctor.models, "sdft models --json"),
    (doctor.pack, "sdft pack class.zip"),
    (doctor.unpack, "sdft unpack class.zip"),
    (steps.distill, "sdft distill --task tickets --template opening --limit 32 --out rows.jsonl"),
    (steps.gap, "sdft gap --task tickets --template opening --limit 32"),
    (data.export, "sdft export rows.jsonl --form prompt-completion --out my-set"),
    (steps.train, "sdft train --data rows.jsonl --column text --out my-adapter"),
    (
        steps.evaluate,
        "sdft evaluate --adapter my-adapter --suite task --suite facts --out sdft.jsonl",
    ),
    (data.compare, "sdft compare sdft.jsonl sft.jsonl --json"),
    (data.audit, "sdft audit --original alpaca.json --distilled alpaca_rewritten.json --json"),
    (runs.run, "sdft run --fast --out my-report"),
    (runs.reproduce, "sdft reproduce --table 1 --dry-run"),
    (paper.answer, "sdft answer --suite gsm8k --model llama-2-7b --out answers.jsonl"),
    (paper.score, "sdft score answers.jsonl --suite gsm8k --out gsm8k.jsonl"),
    (paper.judge, "sdft judge answers.jsonl --outputs alpaca_outputs.json"),
    (paper.knowledge, "sdft knowledge --model llama-2-7b --out seed-knowledge"),
    (paper.compare_lm_eval, "sdft compare-lm-eval sdft-knowledge sft-knowledge"),
)
for function, example in COMMANDS:
    command(app, function, example)
command(data_group, data.check, "sdft data check gsm8k --json")
command(data_group, data.split, "sdft data split mine.csv --out my-task")


def main() -> None:
    """Entry point of ``sdft`` and of ``python -m sdft_lib``."""
    prepare()
    try:
        app()
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):  # full, and Python would try again
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def prepare() -> None:
    """Make the streams and signals fit for a program: whatever a screen cannot show is spelt out,
    no file of ours takes the number of a closed stream, what ends the process lets it clean up."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")
        stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, stream)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, end)


def end(number: int, frame) -> None:
    """Answer a signal that ends the process; what swallows it, as some imports do, hears it again
    after 5 s."""
    complain(INTERRUPTED)

    def again(*signals) -> None:
        sys.exit(128 + number)

    for each in (number, signal.SIGINT):
        signal.signal(each, again)
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, 5, 5)
    again()
