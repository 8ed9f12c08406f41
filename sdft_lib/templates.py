"""Distillation templates: how instruction and reference are shown to the seed model (lesson 02;
paper, section 3.3).

Four are built in, in our own words. Any of them, or one of yours from Python or a TOML file, is a
``DistillTemplate``.
"""

import os
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from sdft_lib.storage.errors import SdftError


@dataclass(frozen=True)
class DistillTemplate:
    """``user`` and ``prefill`` may hold ``{instruction}`` and ``{reference}``; one of them must
    hold ``{reference}``.

    ``prefill`` opens the assistant's turn. The model goes on from it, and it stays in the target:
    what is trained on is what the model would have had to say."""

    name: str
    user: str
    system: str = ""
    prefill: str = ""

    def __post_init__(self):
        if "{reference}" not in self.user + self.prefill:
            raise SdftError(
                f"template {self.name!r}: no {{reference}} in user or prefill; the model would not see it."
            )
        if "{instruction}" not in self.user:
            raise SdftError(
                f"template {self.name!r}: no {{instruction}} in user; the model would not see the task."
            )

    @property
    def names_answer(self) -> bool:
        """True if the prefill contains the reference, so that the answer check passes by
        construction.
        """
        return "{reference}" in self.prefill

    @property
    def parts(self) -> dict:
        """The template's fields, for an artefact's key."""
        return asdict(self)

    def build(self, messages: list[dict], reference: str) -> tuple[list[dict], str]:
        """Messages for the seed model and the opening of its answer ("": none); earlier turns stay
        as they are.
        """
        values = {"instruction": messages[-1]["content"], "reference": reference}
        history = [
            message for message in messages[:-1] if message["role"] != "system" or not self.system
        ]
        system = [{"role": "system", "content": self.system}] if self.system else []
        user = {"role": "user", "content": fill(self.user, values)}
        return [*system, *history, user], fill(self.prefill, values).rstrip()


def fill(pattern: str, values: dict[str, str]) -> str:
    """Put the values in, in one pass: braces inside an instruction or reference are left alone."""
    return re.sub(r"\{(instruction|reference)\}", lambda match: values[match[1]], pattern)


GUIDE = DistillTemplate(
    name="guide",
    system="You will see a task and a solution that is known to be right. Let the solution guide you and answer "
    "the task in your own words.",
    user="Task:\n{instruction}\n\nKnown solution:\n{reference}\n\nYour answer:",
)
EXPLAIN = DistillTemplate(
    name="explain",
    user="{instruction}\n\n"
    "The right answer is {reference}. Write one short sentence that gives this answer and says why.",
)
OPENING = DistillTemplate(
    name="opening",
    user="{instruction}",
    prefill="The answer is {reference}, because",
)
FREE_OPENING = DistillTemplate(
    name="free-opening",
    user="{instruction}\n\n"
    "The right answer is {reference}. Write one short sentence that gives this answer and says why.",
    prefill="The answer is",
)
TEMPLATES = {template.name: template for template in (GUIDE, EXPLAIN, OPENING, FREE_OPENING)}


def load_template(source: str) -> DistillTemplate:
    """A built-in template by name, or one from a TOML file with ``name``, ``user`` and, if wanted,
    ``system``, ``prefill``."""
    if source in TEMPLATES:
        return TEMPLATES[source]
    path = Path(source)
    if not os.path.isfile(path):
        raise SdftError(f"template {source!r} is neither a file nor one of {', '.join(TEMPLATES)}.")
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, RecursionError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SdftError(
            f"{path}: not valid TOML ({error}); see data/templates/ for an example."
        ) from None
    known = {"name", "user", "system", "prefill"}
    if unknown := sorted(set(fields) - known):
        raise SdftError(
            f"{path}: unknown field {unknown[0]!r}; a template has {', '.join(sorted(known))}."
        )
    if not all(isinstance(value, str) for value in fields.values()) or "user" not in fields:
        raise SdftError(
            f"{path}: field 'user' is missing or a field is not text; each field is a string."
        )
    if odd := [name for name, value in fields.items() if "\0" in value]:
        raise SdftError(f"{path}: field {odd[0]!r} holds a NUL character; remove it.")
    return DistillTemplate(**{"name": path.stem, **fields})
