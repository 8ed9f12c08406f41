"""A step's key holds its VERSION, not its source: a change of its code must be answered here.

Does the new code give the same results, byte for byte? Then pin its hash anew. Else raise the
step's VERSION as well, and what readers have in their stores is made anew.
"""

import ast
import hashlib
import importlib
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PINNED = {  # step: (VERSION, hash of its code)
    "sdft_lib.distill": (2, "f440f395a9f63485"),
    "sdft_lib.evaluate": (4, "eda12c03ae1be0c5"),
    "sdft_lib.gap": (3, "beb8a5a40e0633c9"),
    "sdft_lib.train": (3, "bb2d403de31ddc2d"),
    "sdft_lib.experiments.on_policy": (1, "d2902d2f7a1b7d42"),
    "sdft_lib.experiments.shift": (2, "7f543827f0ac7181"),
    "sdft_lib.paper.rules": (1, "dd6106567e5a974f"),
    "sdft_lib.paper.reproduce": (2, "ea6b32063dbdb5ec"),
    "sdft_lib.engines.vllm": (1, "81461a7ce697c8bf"),
}
# Where results are kept and how faults are worded decides no result.
NO_RESULT = ("sdft_lib.storage",)


def source_of(module: str) -> Path | None:
    """The file of a module of ours, None for a name that is no module."""
    path = ROOT / Path(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def imports_of(tree: ast.Module) -> set[str]:
    """The modules of ours that a module imports, also inside functions."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sdft_lib"):
            modules.add(node.module)
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in modules if source_of(name) and not name.startswith(NO_RESULT)}


def bare(text: str) -> str:
    """Code without its words: no comments, docstrings, layout, and no sentences of errors.

    Cut out of the text, since other versions of Python dump another tree.
    """
    lines = text.splitlines()
    spans = []
    for node in ast.walk(ast.parse(text)):
        words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if words or isinstance(node, ast.Raise):
            # ast counts bytes, and tokenize counts letters
            start = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
            end = len(lines[node.end_lineno - 1].encode()[: node.end_col_offset].decode())
            spans.append((node.lineno, start, node.end_lineno, end))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            spans.append((*token.start, *token.end))
    for first, start, last, end in sorted(spans, reverse=True):
        lines[first - 1] = lines[first - 1][:start] + lines[last - 1][end:]
        del lines[first:last]
    return "".join("".join(lines).split())


def code_hash(step: str) -> str:
    """Hash of the code of a step and of all modules of ours that it imports, however far down."""
    code, open_names = {}, {step}
    while open_names:
        module = open_names.pop()
        text = source_of(module).read_text(encoding="utf-8")
        code[module] = bare(text)
        open_names |= imports_of(ast.parse(text)) - set(code)
    return hashlib.sha256(repr(sorted(code.items())).encode()).hexdigest()[:16]


@pytest.mark.parametrize("step", PINNED)
def test_a_change_of_code_is_answered(step):
    pinned = PINNED[step]
    present = (importlib.import_module(step).VERSION, code_hash(step))
    assert present == pinned, (
        f"the code of {step} has changed: if its results are the same byte for byte, pin {present} "
        "in tests/test_versions.py; if not, raise its VERSION first"
    )


def test_every_step_with_a_version_is_pinned():
    files = (ROOT / "sdft_lib").rglob("*.py")
    with_version = [path for path in files if "\nVERSION = " in path.read_text(encoding="utf-8")]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in with_version}
    assert modules == set(PINNED)


def test_words_do_not_count_but_code_does():
    first = bare('def f():\n    """One."""\n    raise ValueError("a")\n')
    second = bare('def f():\n    """Two,\n    longer."""\n\n    raise ValueError(\n  "é")  # why\n')
    assert first == second == "deff():" != bare('def f():\n    """One."""\n    return 1\n')
