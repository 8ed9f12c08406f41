"""How right is a test answer, from 0 to 1? The metric of every task and probe (lessons 00, 03, 05).

``verify.accept``, which filters training data, is another function. Both ask ``kinds``."""

from collections.abc import Sequence

from sdft_lib.kinds import judged


def score(kind: str, reference, text: str, choices: Sequence[str] | None = None) -> float:
    """The score of ``text``, from 0 to 1; today every kind gives 0 or 1.

    ``reference`` is a string; for ``fact`` and ``open`` also a list of accepted answers or of
    must-mention terms, for ``constraint`` a dict; lists and dicts may be JSON strings. ``refusal``,
    ``comply``: unused. Raises SdftError on an unknown kind, on ``code`` (it would have to run) and
    on a broken constraint, never on a text."""
    return float(judged(kind, text).right(reference, text, choices))
