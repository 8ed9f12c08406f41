"""Checks of rewrites beyond those of ``verify``: a program is run."""

from sdft_lib.answers.code import program_of
from sdft_lib.paper.sandbox import CHECK, PROBE, run_tests
from sdft_lib.verify import Verdict


def runs(row: dict, text: str) -> Verdict:
    """A verifier for ``distill``: the programs of a text run to their end, without any test
    (MagiCoder). Raises SdftError where there is no sandbox."""
    program = program_of(text)
    if program is None:
        return Verdict(False, "answer")
    outcome = run_tests(f"{program}\n{PROBE}", "probe", CHECK)
    return Verdict(True, "accepted") if outcome.passed else Verdict(False, f"run: {outcome.reason}")
