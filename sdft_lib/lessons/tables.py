"""Model text as safe HTML: escaped, control characters visible, harmful answers withheld (lessons
02 and 04).
"""

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sdft_lib.storage.errors import SdftError

WITHHELD = "[complied; text not shown]"
UNJUDGED = "[not judged; text not shown]"
JOINERS = "\u200c\u200d"  # needed by emoji and several scripts
CELL = 'style="text-align:left;vertical-align:top;min-width:6em;white-space:pre-wrap;overflow-wrap:anywhere"'


def visible(text: Any) -> str:
    """Text in which no character can hide: control characters get a picture, direction marks their
    code point.
    """
    return "".join(_seen(character) for character in str(text).replace("\r\n", "\n"))


def _seen(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or character in JOINERS:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"⟨U+{code:04X}⟩"
    return character


def escape(text: Any, limit: int = 1200) -> str:
    """Model text for HTML: cut at ``limit`` characters (said so), escaped, and never typeset as
    mathematics.
    """
    text = str(text)
    cut = f" … (+{len(text) - limit} characters)" if len(text) > limit else ""
    safe = html.escape(visible(text[:limit] + cut))
    return re.sub(
        r"[$\\]", lambda sign: f"<span>{sign.group()}</span>", safe
    )  # a page with MathJax eats $5 ... $7


def prompt_of(row: Mapping) -> str:
    """The prompt of a row as text: ``prompt`` if there is one, else ``messages``, with roles if
    more than one.
    """
    prompt = row.get("prompt")
    if not _given(prompt):
        prompt = row.get("messages", "")
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in prompt)


def _given(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def table(head: Sequence[str], body: Iterable[Sequence[str]], caption: str = "") -> str:
    """An HTML table; cells are given as ready HTML, the first of each row is its header."""
    top = "".join(f'<th scope="col" style="text-align:left">{cell}</th>' for cell in head)
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;vertical-align:top">{first}</th>'
        + "".join(f"<td {CELL}>{cell}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in body
    )
    title = f'<caption style="text-align:left">{caption}</caption>' if caption else ""
    return f'<table style="line-height:1.4">{title}<thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>'


def template_table(
    rows_by_template: Mapping[str, Sequence[Mapping]] | Sequence[Mapping], item: int = 0
) -> str:
    """What each template made of one row: prompt and reference once, then rewrite and verdict
    (lesson 02).

    Rows are those of a distilled set (``messages, reference, raw, reason``) or have ``prompt,
    rewrite, verdict``. A plain list counts as one template. Returns HTML."""
    named = rows_by_template if isinstance(rows_by_template, Mapping) else {"": rows_by_template}
    chosen = {name: rows[item] for name, rows in named.items() if len(rows) > item}
    if not chosen:
        raise SdftError(f"No template has a row {item}.")
    first = next(iter(chosen.values()))
    body = [
        ("prompt", escape(prompt_of(first)), ""),
        ("reference", escape(first.get("reference", "")), ""),
    ]
    for name, row in chosen.items():
        rewrite = next((row[key] for key in ("rewrite", "raw", "text") if _given(row.get(key))), "")
        verdict = row.get("verdict", row.get("reason", ""))
        body.append(
            (
                escape(f"template {name}".strip()),
                escape(rewrite),
                escape(getattr(verdict, "reason", verdict)),
            )
        )
    return table(("", "text", "verdict"), body, f"Row {item + 1}: {escape(first.get('id', ''))}")


def records(frame: Any) -> list[dict]:
    """A DataFrame or a list of dicts as a list of dicts."""
    return frame.to_dict("records") if hasattr(frame, "to_dict") else [dict(row) for row in frame]


def answers_of(answers: Any, suite: str) -> dict[str, dict[str, dict]]:
    """The answers of one suite as ``{id: {method: row}}``, in file order."""
    items: dict[str, dict[str, dict]] = {}
    for row in records(answers):
        if row["suite"] == suite:
            items.setdefault(str(row["id"]), {})[str(row["method"])] = row
    if not items:
        raise SdftError(f"There are no answers for the suite '{suite}'.")
    return items


def answer_text(row: Mapping) -> str:
    """The answer as HTML; in a safety suite only refusals are ever shown, whatever else the row
    holds.
    """
    score = row.get("score")
    if str(row.get("suite", "")).strip().lower().startswith("safety"):
        if not _given(score):
            return UNJUDGED
        if float(score) < 1:
            return WITHHELD
    return escape(row.get("text", ""))


def answer_table(
    answers: Any, suite: str, item: int = 0, prompts: Mapping[str, Any] | None = None
) -> str:
    """The models side by side on one item of a suite (lesson 04); returns HTML.

    ``answers`` has ``method, suite, id, text, score`` and may have ``prompt``; else ``prompts``
    maps ids to prompts. Answers that comply with a harmful request are withheld."""
    items = answers_of(answers, suite)
    if not 0 <= item < len(items):
        raise SdftError(f"Suite '{suite}' has items 0 to {len(items) - 1}, not {item}.")
    name, by_method = list(items.items())[item]
    first = next(iter(by_method.values()))
    prompt = first.get("prompt") if _given(first.get("prompt")) else (prompts or {}).get(name, "")
    body = [("prompt", escape(prompt_of({"prompt": prompt})), "")]
    for method in sorted(by_method, key=lambda m: (("seed", "sft", "sdft") + (m,)).index(m)):
        row = by_method[method]
        score = f"{float(row['score']):.2f}" if _given(row.get("score")) else "–"
        body.append((escape(method), answer_text(row), score))
    return table(
        ("", "text", "score"),
        body,
        f"{escape(suite)}, item {item + 1} of {len(items)}: {escape(name)}",
    )


def show_html(source: str) -> None:
    """Display a table in a notebook, with a plain-text twin; outside IPython nothing happens."""
    try:
        import IPython
        from IPython import display
    except ImportError:
        return
    if IPython.get_ipython() is None:
        return
    plain = re.sub(r"</(?:tr|caption)>", "\n", re.sub(r"</t[dh]>(?=<t)", " | ", source))
    plain = html.unescape(re.sub(r"<[^>]*>", "", plain)).strip()
    display.display({"text/html": source, "text/plain": plain}, raw=True)
