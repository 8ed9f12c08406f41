"""Python in a chat answer: a program in a code block (MagiCoder), a named function (HumanEval).

Nothing is run here; ``paper.sandbox`` runs code."""

import re
import textwrap
import warnings
from itertools import islice

MARK = r"^[ \t]*(?:```|~~~)"
FENCE = re.compile(rf"{MARK}[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:{MARK}|\Z)", re.DOTALL | re.MULTILINE)
PYTHON = ("", "python", "py", "python3")
STARTS = re.compile(r"^(?:async def |def |class |@|import |from )", re.MULTILINE)
BEHIND = re.compile(r"\n(?=\S)")  # a continuation ends where a line is not indented
MOST_STARTS, MOST_LINES = 20, 400


def program_of(text: str) -> str | None:
    """All code blocks of Python in a text as one source; blocks without a language count where no
    other is there. None: there is no block, or Python cannot read them."""
    program = "\n".join(python_blocks(text))
    return program if program.strip() and parses(program) else None


def python_blocks(text: str) -> list[str]:
    """Source of the blocks that are marked as Python, or without a mark if none is."""
    blocks = [block for block in FENCE.findall(text) if block[0].lower() in PYTHON]
    marked = any(language for language, _ in blocks)
    return [textwrap.dedent(body) for language, body in blocks if bool(language) == marked]


def why_no_program(text: str) -> str:
    """What keeps ``program_of`` from reading a text."""
    blocks = python_blocks(text)
    return "Python cannot read its code" if blocks else "there is no code block of Python"


def extract_code(text: str, prompt: str, entry_point: str) -> str | None:
    """The function ``entry_point`` as source, with what stands before it in ``prompt``, or None.
    Looked for in this order: the first code block that defines it; a code block that goes on from
    the prompt; a definition in the open text; the text itself as a continuation of the prompt. Only
    a block that defines the function is taken even if Python cannot read it. A text that has blocks
    is not looked at outside them."""
    defines = re.compile(rf"^[ \t]*(?:async[ ]+)?def[ ]+{re.escape(entry_point)}\b", re.MULTILINE)
    blocks = [body for language, body in FENCE.findall(text) if language.lower() in PYTHON]
    for block in blocks:
        if defines.search(block):
            return before(prompt, entry_point) + textwrap.dedent(block)
    for block in blocks:
        if code := continued(prompt, block):
            return code
    if blocks:
        return None
    if code := in_the_open(text, defines):
        return before(prompt, entry_point) + code
    return continued(prompt, text)


def before(prompt: str, entry_point: str) -> str:
    """Imports and helpers of the prompt, up to the definition of the function."""
    definition = re.search(rf"^def {re.escape(entry_point)}\b", prompt, re.MULTILINE)
    return prompt[: definition.start()] if definition else ""


def continued(prompt: str, body: str) -> str | None:
    """Prompt and body as one source; the body is indented up to its end, or lost its indent."""
    body = body.strip("\n").rstrip()
    if not body.strip():
        return None
    cut = BEHIND.split(body, maxsplit=1)[0]
    if body[0] in " \t":
        tries = [cut]
    else:  # all lines lost their first spaces, or the first line alone, as a stripped answer does
        tries = [textwrap.indent(body, "    "), f"    {body}", f"    {cut}"]
    start = prompt if prompt.endswith("\n") else f"{prompt}\n"
    return next((f"{start}{end}\n" for end in tries if parses(start + end)), None)


def in_the_open(text: str, defines: re.Pattern) -> str | None:
    """From a line that looks like code to the last with which it all parses and defines."""
    for start in islice(STARTS.finditer(text), MOST_STARTS):
        lines = text[start.start() :].split("\n")[:MOST_LINES]
        while lines and not parses("\n".join(lines) + "\n"):
            lines.pop()
        code = "\n".join(lines) + "\n"
        if defines.search(code):
            return code
    return None


def parses(code: str) -> bool:
    """Whether Python can compile it; nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "<answer>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
