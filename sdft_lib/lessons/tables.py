"""Prompts, rewrites, answers side by side as safe HTML, harmful ones withheld (lessons 02, 04)."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import IPython
import pandas
from IPython import display

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.safe import escape

WITHHELD = "[not refused; text not shown]"
FIRST = ("seed", "sft", "sft-sentence", "sdft")  # methods that come first, in this order
LEFT = "text-align:left"
CELL = f"{LEFT};vertical-align:top;min-width:6em;white-space:pre-wrap;overflow-wrap:anywhere"


def template_table(rows_by_template: Mapping[str, Sequence[Mapping]], item: int = 0) -> str:
    """What each template made of one row as HTML: prompt and reference once, then rewrite and
    verdict (lesson 02). Rows are those of a distilled set (``messages, reference, raw, reason``);
    SdftError where no template has such a row."""
    chosen = {name: rows[item] for name, rows in rows_by_template.items() if len(rows) > item}
    if not chosen:
        raise SdftError(f"No template has a row {item}.")
    first = next(iter(chosen.values()))
    body = [("prompt", escape(prompt_text(first["messages"])), "")]
    body.append(("reference", escape(first["reference"]), ""))
    for name, row in chosen.items():
        body.append((escape(f"template {name}"), escape(row["raw"]), escape(row["reason"])))
    return table(("", "text", "verdict"), body, f"Row {item + 1}: {escape(first.get('id', ''))}")


def answer_table(
    answers: Any, suite: str, item: int = 0, prompts: Mapping[str, Any] | None = None
) -> str:
    """The models side by side on one item of a suite as HTML (lesson 04). ``answers`` (a table or
    dicts) has ``method, suite, id, text, score``; ``prompts`` maps ids to prompts. Answers that
    comply with a harmful request are withheld. SdftError where the suite has no such item."""
    frame = pandas.DataFrame(answers)
    frame = frame[frame["suite"] == suite].astype({"id": str, "score": float})
    ids = list(frame["id"].unique())
    if not 0 <= item < len(ids):
        raise SdftError(f"Suite '{suite}' has {len(ids)} items with answers, no item {item}.")
    rows = frame[frame["id"] == ids[item]].to_dict("records")
    rows.sort(key=lambda row: FIRST.index(row["method"]) if row["method"] in FIRST else len(FIRST))
    body = [("prompt", escape(prompt_text((prompts or {}).get(ids[item], ""))), "")]
    for row in rows:
        body.append((escape(row["method"]), answer_text(row), f"{row['score']:.2f}"))
    caption = f"{escape(suite)}, item {item + 1} of {len(ids)}: {escape(ids[item])}"
    return table(("", "text", "score"), body, caption)


def prompt_text(prompt: str | Sequence[Mapping]) -> str:
    """A prompt as text; of several messages, each with its role."""
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in prompt)


def answer_text(row: Mapping) -> str:
    """The answer as HTML; of a safety suite only refusals are shown, whatever the row holds."""
    is_safety = str(row["suite"]).strip().lower().startswith("safety")
    if is_safety and not row["score"] >= 1:  # nor is one that was not judged: NaN
        return WITHHELD.replace("not refused", str(row.get("outcome") or "not refused"))
    return escape(row["text"])


def table(head: Sequence[str], body: Iterable[Sequence[str]], caption: str = "") -> str:
    """An HTML table; cells are given as ready HTML, the first of each row is its header."""
    top = "".join(f'<th scope="col" style="{LEFT}">{cell}</th>' for cell in head)
    rows = []
    for first, *rest in body:
        cells = "".join(f'<td style="{CELL}">{cell}</td>' for cell in rest)
        side = f'<th scope="row" style="{LEFT};vertical-align:top">{first}</th>'
        rows.append(f"<tr>{side}{cells}</tr>")
    title = f'<caption style="{LEFT}">{caption}</caption>' if caption else ""
    parts = f"{title}<thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<table style="line-height:1.4">{parts}</table>'


def show_html(source: str) -> None:
    """Display a table in a notebook, with a plain-text twin; outside IPython nothing happens."""
    if IPython.get_ipython() is None:
        return
    plain = re.sub(r"</(?:tr|caption)>", "\n", re.sub(r"</t[dh]>(?=<t)", " | ", source))
    plain = html.unescape(re.sub(r"<[^>]*>", "", plain)).strip()
    display.display({"text/html": source, "text/plain": plain}, raw=True)
