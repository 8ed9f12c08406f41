"""Function calls in free text, read with ``ast``; equal by name and arguments (kind ``call``)."""

import ast
import re
import unicodedata
import warnings
from dataclasses import dataclass, replace

import regex

from sdft_lib.answers.edges import UNSPACED

# Chinese words before a name are no part of it: "请调用get_weather(city='Paris')"
NAME = rf"(?:[[^\W\d]--[{UNSPACED}]]\w*+|[{UNSPACED}][{UNSPACED}\d_]*+)"
CALL_START = regex.compile(
    rf"(?:(?<![\w.])|(?<=[{UNSPACED}])(?=[A-Za-z_]))(?:{NAME}\.)*+{NAME}\(", regex.VERSION1
)
BRACKETS = re.compile(r"\\.|['\"()\[\]{}]", re.DOTALL)
PLURAL = re.compile(r"\w+\((?:s|es)\)")
WORDS_OF_JSON = {"true": True, "false": False, "null": None}
CHAINED = re.compile(r"[(\[]|\.(?:[a-z_]\w*|\w+[(.\[])")
DEFINED = re.compile(r"(?<!\w)(?:def|class)[ \t]{1,4}$")
PLACEHOLDER = re.compile(r"(?<=[=(,\[])\s*(<[\w. -]{1,40}>)")  # bare: in quotes it is a text
LONGEST_CALL, MOST_STARTS, DEEPEST = 4000, 200, 40
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)  # what ast.parse raises


@dataclass(frozen=True)
class Source:
    """An argument that is no literal, such as ``size`` or ``1024*1024``, as normalised source."""

    code: str


@dataclass(frozen=True)
class Call:
    """A call: dotted name, positional and keyword arguments (values: literals or Source)."""

    name: str
    args: tuple
    kwargs: dict


NO_CALL = Call("", (), {})


def parse_call(text: str) -> Call | None:
    """The one call in a text, in prose, backticks or a code fence; None for none or different ones.
    "f(a=1)('x')", "f(a=1).g()" and "f(a=1, a=2)" are no calls. A definition ("def f(a=1):") is
    passed over, and so is the mere name of a call that is there ("f() needs a, so f(a=1)")."""
    text = unicodedata.normalize("NFC", text)
    calls, position = [], 0
    for _ in range(MOST_STARTS):
        start = CALL_START.search(text, position)
        if not start:
            break
        end = call_end(text, start.end() - 1)
        call = None if end is None else read_call(start[0][:-1], text[start.end() - 1 : end])
        position = start.end() if call is None else end
        if call is None or PLURAL.fullmatch(text[start.start() : end]):
            continue
        if text[end : end + 1] == "_" and call.name.startswith("_"):  # "_f(a=1)_" is markup
            call = replace(call, name=call.name.strip("_"))
        if not DEFINED.search(text, max(0, start.start() - 12), start.start()):
            calls.append(NO_CALL if CHAINED.match(text, end) else call)
    filled = {call.name for call in calls if call.args or call.kwargs}
    calls = [call for call in calls if call.args or call.kwargs or call.name not in filled]
    one = calls and calls[0].name and all(calls_equal(calls[0], other) for other in calls[1:])
    return calls[0] if one else None


def call_end(text: str, opening: int) -> int | None:
    """Where the bracket at ``opening`` is closed (strings skipped); None if it is not."""
    depth, quote = 0, ""
    for mark in BRACKETS.finditer(text, opening, opening + LONGEST_CALL):
        if quote or mark[0] in "'\"":
            quote = "" if mark[0] == quote else quote or mark[0]
        elif mark[0] in "([{":
            depth += 1
        elif mark[0] in ")]}":
            depth -= 1
        if depth == 0 or depth > DEEPEST:
            return mark.end() if depth == 0 else None
    return None


def read_call(name: str, arguments: str) -> Call | None:
    """The call ``name`` + ``arguments`` ("(1, b=2)"); None if Python cannot parse it. A repeated
    keyword gives NO_CALL, so that no call inside it is taken for the answer."""
    try:
        node = parsed(arguments)
        if not isinstance(node, ast.Call) or any(word.arg is None for word in node.keywords):
            return None
        if len({word.arg for word in node.keywords}) < len(node.keywords):
            return NO_CALL
        named = {word.arg: value_of(word.value) for word in node.keywords}
        return Call(name, tuple(map(value_of, node.args)), named)
    except NOT_PYTHON:
        return None


def parsed(arguments: str) -> ast.expr:
    """The expression "f(...)". Raises one of NOT_PYTHON."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of odd escapes such as "\\d"
        return ast.parse("f" + arguments, mode="eval").body


def value_of(node: ast.expr):
    """A literal's value (tuples as lists; JSON's true, false, null too), else its Source."""
    if isinstance(node, ast.Name) and node.id in WORDS_OF_JSON:
        return WORDS_OF_JSON[node.id]
    try:
        if isinstance(node, ast.List | ast.Tuple):
            return [value_of(item) for item in node.elts]
        if isinstance(node, ast.Dict) and None not in node.keys:
            return {value_of(key): value_of(value) for key, value in zip(node.keys, node.values)}
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return Source(ast.unparse(node))


def calls_equal(reference: Call | None, got: Call | None) -> bool:
    """Same name, same arguments in any order; positional ones bind to the reference's names."""
    if reference is None or got is None or reference.name != got.name:
        return False
    names = [*range(len(reference.args)), *reference.kwargs]
    wanted = dict(zip(names, [*reference.args, *reference.kwargs.values()]))
    bound = dict(zip(names, got.args))
    if len(got.args) > len(names) or bound.keys() & got.kwargs.keys():
        return False
    bound |= got.kwargs
    return bound.keys() == wanted.keys() and all(same(wanted[name], bound[name]) for name in wanted)


def same(a, b) -> bool:
    """Equal values, where True is not 1; 1 and 1.0 are equal."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def why_no_call(text: str) -> str:
    """What keeps ``parse_call`` from reading a reference."""
    start = CALL_START.search(text)
    if not start:
        return "there is no call"
    opening = start.end() - 1
    end = call_end(text, opening)
    if end is None:
        return "the bracket of the call is never closed"
    if placeholder := PLACEHOLDER.search(text, opening, end):
        return f"the placeholder {placeholder[1]} stands where a value belongs"
    try:
        node = parsed(text[opening:end])
    except NOT_PYTHON as error:
        return f"it is not Python ({getattr(error, 'msg', None) or type(error).__name__})"
    if CHAINED.match(text, end):
        return "it goes on from the result of a call"
    names = [word.arg for word in getattr(node, "keywords", [])]
    repeated = len(set(names)) < len(names)
    return "an argument is given twice" if repeated else "there is more than one call"
