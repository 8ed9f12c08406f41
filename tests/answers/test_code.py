"""Code out of a chat answer: blocks, open text, continuations, and texts without any."""

import pytest

from sdft_lib.answers.code import extract_code, parses, program_of, why_no_program
from sdft_lib.score import score
from sdft_lib.verify import accept

PROMPT = 'from typing import List\n\n\ndef double(values: List[int]) -> List[int]:\n    """Each value twice."""\n'
WHOLE = "def double(values: List[int]) -> List[int]:\n    return [2 * value for value in values]\n"
BODY = "    return [2 * value for value in values]"
LOOP = "    found = []\n    for value in values:\n        found.append(2 * value)\n    return found"
ITEM = {
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate([1, 4]) == [2, 8]\n",
}


def holds(code) -> bool:
    """Whether a source passes the tests of ITEM (our own sources, so it runs here)."""
    try:
        exec(f"{code}\n{ITEM['test']}\ncheck({ITEM['entry_point']})\n", {"__name__": "answer"})
    except Exception:
        return False
    return True


RIGHT = {
    "a python block": f"Here it is:\n\n```python\n{WHOLE}```\nIt doubles each value.",
    "a block without a language": f"```\n{WHOLE}```",
    "a block in tildes": f"~~~python\n{WHOLE}~~~",
    "a block that is cut off": f"Sure!\n```python\n{WHOLE}",
    "an indented block of a list": "1. Do this:\n   ```python\n"
    + "".join(f"   {line}\n" for line in WHOLE.splitlines())
    + "   ```",
    "usage in a second block": f"```python\n{WHOLE}```\nUse it so:\n```python\nprint(double([1]))\n```",
    "another block first": f"```bash\npip install x\n```\n```python\nimport os\n```\n```python\n{WHOLE}```",
    "a block with the body alone": f"```python\n{BODY}\n```",
    "a block with the prompt": f"```python\n{PROMPT}{BODY}\n```",
    "a helper beside it": f"```python\ndef twice(x):\n    return 2 * x\n{PROMPT}    return [*map(twice, values)]\n```",
    "the open text": f"{WHOLE}\nThis function doubles each value.",
    "prose around the open text": f"The solution is:\n\n{WHOLE}\nIt runs in linear time, which is best.",
    "import at the start of a line of prose": f"import is not needed here.\n\n{WHOLE}",
    "a continuation": f"{BODY}\n",
    "a continuation of many lines": f"{LOOP}\n\nThat is all.",
    "a continuation whose first spaces were cut": LOOP.strip(),
    "a continuation without its indentation": "found = []\nfor value in values:\n    found.append(2 * value)\n"
    "return found",
    "another function behind the continuation": f"{BODY}\n\ndef wrong(:\n    pass",
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_function_is_found(name):
    code = extract_code(RIGHT[name], PROMPT, "double")
    assert code is not None and holds(code), code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "I am sorry, but I cannot write code.",
        "```python\nprint('hello')\n```",
        "```bash\ndouble 3\n```",
        "The function doubles each of the values: [1] becomes [2].",
        "```\n```",
        "def triple(values):\n    return values",
        "def double(values:\n    return (",
        'Use a comprehension:\n\n```json\n{"a": 1}\n```',
    ],
)
def test_there_is_none(text):
    assert extract_code(text, PROMPT, "double") is None or not holds(
        extract_code(text, PROMPT, "double")
    )


@pytest.mark.parametrize(
    "text", ["", "I am sorry, but I cannot write code.", "```bash\ndouble 3\n```"]
)
def test_prose_is_no_code(text):
    assert extract_code(text, PROMPT, "double") is None


def test_a_broken_block_is_an_answer_and_a_wrong_one():
    code = extract_code("```python\ndef double(values:\n    return 1\n```", PROMPT, "double")
    assert code is not None and not parses(code)


def test_helpers_of_the_prompt_stay():
    prompt = "def half(x):\n    return x / 2\n\n\ndef double(values):\n    '''Uses half.'''\n"
    code = extract_code(
        "```python\ndef double(values):\n    return [v * 2 for v in values if half(v)]\n```",
        prompt,
        "double",
    )
    assert code.startswith("def half") and holds(code)


def test_nothing_is_run_while_looking(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extract_code(f"```python\nopen('ran', 'w')\n{WHOLE}```", PROMPT, "double")
    assert not list(tmp_path.iterdir())


def test_a_long_text_takes_linear_patience():
    import time

    started = time.monotonic()
    extract_code("def f(:\n" * 3000 + "import x y\n" * 3000, PROMPT, "double")
    assert time.monotonic() - started < 20


PROGRAMS = {  # text: its program, or why there is none
    "I wrote this.\n```python\nx = 1\n```\nRun it.": "x = 1\n",
    "```python\nx = 1\n```\nand\n```py\nprint(x)\n```": "x = 1\n\nprint(x)\n",
    "```\nx = 1\n```": "x = 1\n",
    "```python\nx = 1\n```\nIt prints:\n```\nno python here\n```": "x = 1\n",
    "```bash\nls\n```": "there is no code block of Python",
    "x = 1": "there is no code block of Python",
    "```python\nx = = 1\n```": "Python cannot read its code",
    "```python\nx = 1\n```\n```python\ndef f(:\n```": "Python cannot read its code",
    "```python\n\n```": "Python cannot read its code",
}


@pytest.mark.parametrize("text", PROGRAMS)
def test_the_program_of_a_text(text):
    program = program_of(text)
    assert (program or why_no_program(text)) == PROGRAMS[text]
    verdict = accept("program", "```python\ny = 2\n```", text)
    assert verdict.reason == ("accepted" if program else "answer")
    assert score("program", "", text) == float(program is not None)


def test_a_program_may_quote_its_request():
    request = "Write a function that adds two numbers and then prints the sum on one line."
    text = f"Write a function: {request}\n```python\nprint(1 + 1)\n```"
    assert accept("program", "", text, prompt=request).ok
    assert accept("open", "", text, prompt=request).reason == "echo"
