"""The data card of an exported set: where each text comes from, how it was made, how to train on it
(lesson 08).
"""

import json
import re

from sdft_lib.storage.errors import SdftError

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,40}")
TRL = """from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

rows = load_dataset("json", data_files="train.jsonl", split="train")
trainer = SFTTrainer(MODEL, args=SFTConfig({option}=True, max_length=None), train_dataset=rows)
trainer.train()"""
FACTORY = """dataset_dir: FOLDER
dataset: {name}
template: TEMPLATE_OF_THE_MODEL
mask_history: true"""
AXOLOTL = """datasets:
  - path: FOLDER/train.jsonl
    ds_type: json
    type: {kind}"""
LAST_ONLY = """
    roles_to_train:
    train_on_eos:"""
SHAREGPT = """
    field_messages: conversations
    message_property_mappings:
      role: from
      content: value"""
# Per form: tool, what to know, and its settings (language of the block, text).
USES = {
    "prompt-completion": (
        (
            "TRL and Unsloth",
            "Only the completion is trained.",
            "python",
            TRL.format(option="completion_only_loss"),
        ),
    ),
    "messages": (
        (
            "axolotl",
            "The two empty settings train the last answer alone.",
            "yaml",
            AXOLOTL.format(kind="chat_template") + LAST_ONLY,
        ),
        ("LLaMA-Factory", "`mask_history` trains the last answer alone.", "yaml", FACTORY),
        (
            "TRL and Unsloth",
            "Every answer of a row is trained, and the chat template must mark answers; the form "
            "prompt-completion has neither limit.",
            "python",
            TRL.format(option="assistant_only_loss"),
        ),
    ),
    "alpaca": (
        ("LLaMA-Factory", "`mask_history` trains the last answer alone.", "yaml", FACTORY),
        (
            "axolotl",
            "It puts its own instruction text around a row, in place of the chat template, and reads neither "
            "`system` nor `history`; the form messages avoids both.",
            "yaml",
            AXOLOTL.format(kind="alpaca"),
        ),
    ),
    "sharegpt": (
        (
            "axolotl",
            "The two empty settings train the last answer alone.",
            "yaml",
            AXOLOTL.format(kind="chat_template") + SHAREGPT + LAST_ONLY,
        ),
        ("LLaMA-Factory", "`mask_history` trains the last answer alone.", "yaml", FACTORY),
        (
            "Unsloth",
            "Bring the rows to role and content first.",
            "python",
            "from unsloth.chat_templates import standardize_sharegpt\n\nrows = standardize_sharegpt(rows)",
        ),
    ),
}


def check_licence(licence: str) -> None:
    """Raise SdftError unless the licence can stand in the card's head."""
    if licence and not LICENCE.fullmatch(licence):
        raise SdftError(
            f"--licence {licence[:40]!r} is not an identifier such as mit or cc-by-4.0; give one."
        )


def card(name: str, facts: dict, made: dict | None, licence: str = "") -> str:
    """The card as Markdown with a YAML head; ``facts`` from ``export.facts_of``, ``made`` from
    ``export.made_from``.
    """
    parts = (
        head(name, facts, licence),
        origin(name, facts),
        recipe(made),
        use(name, facts),
        terms(licence),
    )
    return "\n\n".join(parts) + "\n"


def head(name: str, facts: dict, licence: str) -> str:
    """The YAML that hubs read; strings are quoted as JSON, which YAML includes."""
    size = next((label for limit, label in SIZES if facts["rows"] < limit), "n>1M")
    lines = (
        "---",
        f"license: {licence or 'other'}",
        f"pretty_name: {json.dumps(name)}",
        "task_categories:",
        "- text-generation",
        "tags:",
        "- self-distillation",
        "- sdft",
        "size_categories:",
        f"- {json.dumps(size)}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path: train.jsonl",
        "---",
    )
    return "\n".join(lines)


def origin(name: str, facts: dict) -> str:
    """What the rows are, and a table of where their texts come from."""
    what = (
        "the seed model's own rewrite of a reference answer where it passed every check, else the reference"
        if facts["column"] == "text"
        else "the reference answer as it was"
    )
    table = "\n".join(
        f"| {row['source']} | {row['reason']} | {row['rows']} |" for row in facts["reasons"]
    )
    return (
        f"# {name}\n\n{facts['rows']} rows for fine-tuning, form `{facts['form']}`, column `{facts['column']}`. The "
        f"text to train on is {what} (self-distillation fine-tuning of 2024, arXiv 2402.13669). "
        f"{facts['several_turns']} rows have several questions, {facts['system_turns']} a system turn; only the last "
        "answer of a row is meant to be trained.\n\n"
        f"| text | why | rows |\n| --- | --- | --- |\n{table}\n\n`provenance.jsonl` says it for each row, by id."
    )


def recipe(made: dict | None) -> str:
    """Model, template and decoding, or that they are not known."""
    title = "## How the rewrites were made\n\n"
    if not made:
        return (
            title
            + "Not recorded: no set with these bytes is in the store of the machine that exported it."
        )
    seed, decoding = made.get("seed", {}), made.get("decoding", {})
    template = {key: made.get("template", {}).get(key) for key in ("system", "user", "prefill")}
    blocks = "\n\n".join(f"`{key}`:\n\n{fenced(text)}" for key, text in template.items() if text)
    settings = ", ".join(f"{key} {value}" for key, value in sorted(decoding.items()))
    lines = (
        f"- seed model: {seed.get('model')}, revision {seed.get('revision')}, {seed.get('dtype')}"
        + (f", adapter {seed['adapter']}" if seed.get("adapter") else ""),
        f"- kind of task: {made.get('kind')}",
        f"- decoding: {settings}; up to {made.get('candidates')} candidates a row",
        f"- template: {made.get('template', {}).get('name')}",
    )
    return f"{title}{chr(10).join(lines)}\n\n{blocks}"


def fenced(text: str, language: str = "text") -> str:
    """A block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def use(name: str, facts: dict) -> str:
    """Settings for each trainer that reads this form."""
    parts = [
        f"**{tool}.** {advice}\n\n{fenced(text.replace('{name}', name), language)}"
        for tool, advice, language, text in USES[facts["form"]]
    ]
    note = "Capital words are yours to fill in. Our tests run TRL alone; the rest follows the tools' own documentation."
    return f"## How to train on it\n\n{note}\n\n" + "\n\n".join(parts)


def terms(licence: str) -> str:
    """Whose terms hold."""
    given = (
        f"The exporter gave `{licence}`."
        if licence
        else ("None was given, so the head says `other`: put in the licence of your source.")
    )
    return (
        "## Licence\n\nPrompts and references keep the licence of the data that they come from. The rewrites are made "
        f"from them, so it covers them too, together with the terms of the model that wrote them. {given}"
    )
