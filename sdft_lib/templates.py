"""How instruction and reference are shown to the seed model (lesson 02; paper, section 3.3).

Four templates are built in, in our own words. One of yours comes from Python or a TOML file."""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from sdft_lib.formats.toml import from_table, nearest, read_toml
from sdft_lib.storage.errors import SdftError


@dataclass(frozen=True)
class DistillTemplate:
    """``user`` and ``prefill`` may hold ``{instruction}`` and ``{reference}``; one of them must
    hold ``{reference}``, and ``user`` ``{instruction}`` (else SdftError).

    ``prefill`` opens the assistant's turn. The model goes on from it, and it stays in the target:
    what is trained on is what the model would have had to say."""

    name: str
    user: str
    system: str = ""
    prefill: str = ""

    def __post_init__(self) -> None:
        for field, value in self.parts.items():
            if "\0" in value:
                raise SdftError(f"template field {field!r} holds a NUL character; remove it.")
        unseen = ""
        if "{reference}" not in self.user + self.prefill:
            unseen = "no {reference} in user or prefill; the model would not see it"
        elif "{instruction}" not in self.user:
            unseen = "no {instruction} in user; the model would not see the task"
        if unseen:
            raise SdftError(f"template {self.name!r}: {unseen}.")

    @property
    def names_answer(self) -> bool:
        """True if the prefill holds the reference: then the answer check passes by construction."""
        return "{reference}" in self.prefill

    @property
    def parts(self) -> dict:
        """The template's fields, for an artefact's key."""
        return asdict(self)

    def build(self, messages: list[dict], reference: str) -> tuple[list[dict], str]:
        """Messages for the seed model and the opening of its answer; earlier turns stay."""
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


ASK = (
    "{instruction}\n\nThe right answer is {reference}. Write one short sentence that gives this "
    "answer and says why."
)
GUIDE = DistillTemplate(
    name="guide",
    system="You will see a task and a solution that is known to be right. Let the solution guide "
    "you and answer the task in your own words.",
    user="Task:\n{instruction}\n\nKnown solution:\n{reference}\n\nYour answer:",
)
EXPLAIN = DistillTemplate("explain", ASK)
OPENING = DistillTemplate("opening", "{instruction}", prefill="The answer is {reference}, because")
FREE_OPENING = DistillTemplate("free-opening", ASK, prefill="The answer is")
TEMPLATES = {template.name: template for template in (GUIDE, EXPLAIN, OPENING, FREE_OPENING)}


def load_template(source: str) -> DistillTemplate:
    """A built-in template by name, or one from a TOML file with the fields of the class. Raises
    SdftError: neither of them, a file with other entries, or one that hides task or answer."""
    if source in TEMPLATES:
        return TEMPLATES[source]
    if not os.path.isfile(source):
        wanted = f"neither a file nor one of {', '.join(TEMPLATES)}"
        raise SdftError(f"template {source!r} is {wanted}{nearest(source, TEMPLATES)}.")
    path = Path(source)
    return from_table({"name": path.stem, **read_toml(path)}, DistillTemplate, path)
