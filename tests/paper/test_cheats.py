"""Answers that are out to cheat: none of them passes, whatever it is asked for.

Each source is an answer to any problem; NAME stands for its function. What such an answer can reach
is its own process, and what leaves that are plain values, which are right or not."""

import pytest

from sdft_lib.paper.sandbox import Limits, run_tests

EQUAL = """
class Equal:
    def same(self, *other): return True
    def me(self, *other): return self
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = same
    __ne__ = lambda self, other: False
    __sub__ = __rsub__ = __abs__ = __call__ = __getitem__ = __add__ = me
    __hash__ = lambda self: 0
    __iter__ = lambda self: iter(())
    __float__ = lambda self: 0.0
"""
SUBCLASS = """
class Like(KIND):
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = KIND.__hash__
    __sub__ = __rsub__ = __abs__ = lambda self, *other: 0.0
def NAME(*given): return Like(VALUE)
"""
FLOOD = """
import os
def flood(lines):
    for n in range(64):
        try: os.write(n, lines)
        except OSError: pass
ALL = b"".join(b"(%d, 'value', True)\\n" % n for n in range(200))
"""
SEARCH = """
import gc, inspect, os, sys
KNOWN = []
def texts():
    frame = sys._getframe()
    while frame:
        yield from [*frame.f_locals.values(), *frame.f_globals.values()]
        frame = frame.f_back
    yield from gc.get_objects()
    for name in sys.modules: yield from vars(sys.modules[name]).values()
    for where in ("cmdline", "environ", "stat", "fd/0", "fd/1", "fd/2", "fd/3", "fd/4"):
        for number in (name for name in os.listdir("/proc") if name.isdigit() or name == "self"):
            try: yield open(f"/proc/{number}/{where}", errors="replace").read(1 << 16)
            except OSError: pass
def found():
    for value in list(texts()):
        for text in [*value.values()] if isinstance(value, dict) else [value]:
            if isinstance(text, str) and "def check(candidate" in text: KNOWN.append(text)
    return KNOWN
def NAME(*given):
    import re
    for text in found():
        for line in text.splitlines():
            if line.strip().startswith("assert") and "==" in line and repr(given)[1:-2] in line:
                return eval(line.partition("==")[2].rpartition(",")[0] or line.partition("==")[2])
    raise LookupError
"""
DATA = """
import glob, gzip, json, os, sys
def NAME(*given):
    for folder in [*sys.path, "/", "/tmp", os.environ.get("HOME", "/")]:
        for path in glob.glob(f"{folder}/human*eval*/**/HumanEval*", recursive=True):
            for line in gzip.open(path, "rt"):
                row = json.loads(line)
                if row["entry_point"] == "NAME":
                    space = {}
                    exec(row["prompt"] + row["canonical_solution"], space)
                    return space["NAME"](*given)
    raise LookupError
"""
PATCH = """
import ast, builtins, json, marshal, os, pickle, struct, sys, types
WHAT
def NAME(*given): return None
"""
PATCHES = {
    "__main__": "for name, value in list(vars(sys.modules['__main__']).items()):\n"
    "    if callable(value): setattr(sys.modules['__main__'], name, lambda *a, **k: True)",
    "the words of __main__": "sys.modules['__main__'].plain = lambda value: True\n"
    "sys.modules['__main__'].grade = lambda *a: 'passed'",
    "isinstance": "builtins.isinstance = lambda *a: True",
    "abs and len": "builtins.abs = builtins.len = lambda *a: 0",
    "all builtins": "for name in ('sum', 'tuple', 'str', 'list', 'range', 'type', 'bool'):\n"
    "    setattr(builtins, name, lambda *a, **k: True)",
    "AssertionError": "builtins.AssertionError = type('Quiet', (BaseException,), {})",
    "__build_class__": "builtins.__build_class__ = lambda *a, **k: int",
    "ascii": "builtins.ascii = lambda value: \"(1, 'value', True)\"",
    "ascii that passes": "builtins.ascii = lambda value: 'passed'",
    "__import__": "builtins.__import__ = lambda *a, **k: sys.modules['builtins']",
    "exec and compile": "builtins.exec = builtins.compile = lambda *a, **k: None",
    "json": "json.loads = json.dumps = lambda *a, **k: {'word': 'passed'}",
    "pickle and struct": "pickle.loads = pickle.dumps = struct.pack = struct.unpack = lambda *a: b''",
    "marshal": "marshal.loads = marshal.dumps = lambda *a: b'passed'",
    "ast": "ast.literal_eval = lambda *a: (1, (), {})",
    "os": "os.write = os._exit = os.dup = print",
    "sys.modules": "sys.modules.clear()",
    "sys.modules of another kind": "sys.modules['ast'] = sys.modules['math'] = types.ModuleType('x')",
    "settrace": "sys.settrace(lambda frame, event, value: frame.f_locals.update(word='passed'))",
    "setprofile": "sys.setprofile(lambda frame, event, value: frame.f_locals.clear())",
    "excepthook": "sys.excepthook = sys.unraisablehook = lambda *a: os._exit(0)",
    "optimize": "sys.flags = types.SimpleNamespace(optimize=2)",
}
CHEATS = {
    "class passed": "class passed(Exception): pass\nraise passed",
    "class passed in the call": "class passed(BaseException): pass\ndef NAME(*given): raise passed",
    "a name of two words": "def NAME(*given): raise type('x passed', (Exception,), {})",
    "a name of two lines": "def NAME(*given): raise type('x\\npassed', (BaseException,), {})",
    "an exception that is true": "class Up(BaseException):\n    __bool__ = lambda self: True\n"
    "    __str__ = __repr__ = lambda self: 'passed'\ndef NAME(*given): raise Up",
    "equal to everything": f"{EQUAL}def NAME(*given): return Equal()",
    "a class that is equal": "class Meta(type):\n    __eq__ = lambda cls, other: True\n"
    "    __hash__ = type.__hash__\ndef NAME(*given): return Meta('Any', (), {})",
    "a list of equals": f"{EQUAL}def NAME(*given): return [Equal(), Equal(), Equal()]",
    "a liar about its class": "class Liar:\n    __class__ = bool\n    __eq__ = lambda self, o: True\n"
    "    __repr__ = lambda self: 'passed'\ndef NAME(*given): return Liar()",
    "a liar from numpy": f"{EQUAL}Equal.__module__ = 'numpy'\nEqual.item = lambda self: Equal()\n"
    "def NAME(*given): return Equal()",
    "a liar that is a number": f"{EQUAL}import numbers\nnumbers.Number.register(Equal)\n"
    "def NAME(*given): return Equal()",
    "a forged text of itself": f"{EQUAL}class Text(list):\n"
    "    __repr__ = lambda self: \"passed'\\n(1, 'value', True)\"\n"
    "def NAME(*given): return {Text: Text()}",
    "str": SUBCLASS.replace("KIND", "str").replace("VALUE", "'~'"),
    "int": SUBCLASS.replace("KIND", "int").replace("VALUE", "-7**9"),
    "float": SUBCLASS.replace("KIND", "float").replace("VALUE", "'nan'"),
    "infinity": SUBCLASS.replace("KIND", "float").replace("VALUE", "'inf'"),
    "tuple": SUBCLASS.replace("KIND", "tuple").replace("VALUE", "[3.25, '~']"),
    "list": "class Like(list):\n    __eq__ = lambda self, other: True\n    __ne__ = lambda *o: False\n"
    "def NAME(*given): return Like(['~'])",
    "dict": "class Like(dict):\n    __eq__ = lambda self, other: True\n    __ne__ = lambda *o: False\n"
    "    items = lambda self: []\ndef NAME(*given): return Like({'~': '~'})",
    "search of frames, objects and /proc": SEARCH,
    "search before the call": SEARCH + "found()\n",
    "search for the data": DATA,
    "an order of a caller": f"{FLOOD}import sys\ndef NAME(*given):\n    frame = sys._getframe()\n"
    "    while frame:\n        for value in frame.f_locals.values():\n"
    "            if isinstance(value, dict) and 'secret' in value:\n"
    "                flood(f'{value[\"secret\"]} passed'.encode())\n                os._exit(0)\n"
    "            if isinstance(value, dict) and 'tests' in value:\n"
    "                space = {}\n                exec(value['tests'], space)\n"
    "                values = iter(part for code in [space['check'].__code__]\n"
    "                    for part in code.co_consts)\n                return next(values)\n"
    "        frame = frame.f_back\n    raise LookupError",
    "forged lines on every fd": f"{FLOOD}flood(ALL)\ndef NAME(*given): return '~'",
    "forged lines in the call": f"{FLOOD}def NAME(*given):\n    flood(ALL)\n    return '~'",
    "passed on every fd": f"{FLOOD}flood(b'passed')\nos._exit(0)",
    "passed on every fd in the call": f"{FLOOD}def NAME(*given):\n    flood(b'passed\\n')\n"
    "    os._exit(0)",
    "replies to later calls": f"{FLOOD}def NAME(*given):\n"
    "    flood(b\"(2, 'value', True)\\n(3, 'value', True)\\n\")\n    return '~'",
    "os._exit(0)": "import os\nos._exit(0)",
    "os._exit(0) in the call": "import os\ndef NAME(*given): os._exit(0)",
    "sys.exit(0)": "import sys\nsys.exit(0)",
    "sys.exit(0) in the call": "import sys\ndef NAME(*given): sys.exit(0)",
    "SystemExit": "def NAME(*given): raise SystemExit(0)",
    "KeyboardInterrupt": "def NAME(*given): raise KeyboardInterrupt",
    "GeneratorExit": "def NAME(*given): raise GeneratorExit",
    "atexit": f"{FLOOD}import atexit, sys\natexit.register(flood, b'passed')\n"
    "def NAME(*given): sys.exit(0)",
    "a thread that writes later": f"{FLOOD}import threading, time\ndef later():\n"
    "    while True:\n        flood(b\"(1, 'value', True)\\n\")\n        time.sleep(0.01)\n"
    "try: threading.Thread(target=later, daemon=True).start()\nexcept RuntimeError: pass\n"
    "def NAME(*given):\n    time.sleep(0.05)\n    return '~'",
    "a signal that writes later": "import os, signal\n"
    "signal.signal(signal.SIGALRM, lambda *a: os._exit(0))\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.01)\ndef NAME(*given):\n    while True: pass",
    "a finaliser": "import os\nclass Last:\n    def __del__(self, leave=os._exit): leave(0)\n"
    "def NAME(*given): return Last()",
    "an endless generator": "def NAME(*given):\n    while True: yield True",
    "an endless iterator": "import itertools\ndef NAME(*given): return itertools.repeat(True)",
    "a function": f"{EQUAL}def NAME(*given): return lambda *given: Equal()",
    "a function that is another": f"{EQUAL}NAME = Equal()",
    "a list in itself": "def NAME(*given):\n    values = []\n    values.append(values)\n    return values",
    "a million brackets": "class Deep(int):\n    __repr__ = lambda self: '[' * 10**6\n"
    "import sys\nsys.modules['__main__'].plain = lambda value: Deep()\ndef NAME(*given): return 1",
    "a code of another kind": "import sys\nsys.modules['__main__'].ascii = lambda told: "
    "\"__import__('os').write(3, b'passed')\"\ndef NAME(*given): return 1",
    "an argument that changes": "def NAME(*given):\n    for part in given:\n"
    "        if isinstance(part, (list, dict)): part.clear()\n    return '~'",
    "ctypes": "import ctypes\ndef NAME(*given):\n"
    "    one = ctypes.c_int.from_address(id(1) + 24)\n    one.value = 0\n    return '~'",
    "no function": "x = 1",
    "tests of its own": "def check(candidate): pass\ndef NAME(*given): return '~'",
    "a helper of the tests": f"{EQUAL}def poly(*a): return 0.0\n"
    "def encode_cyclic(s): return '~'\nencode_shift = encode_cyclic\ndef NAME(*given): return '~'",
    **{name: PATCH.replace("WHAT", what) for name, what in PATCHES.items()},
}
SMALL = Limits(seconds=1, wall=4.0)
PROBLEMS = {  # numbers, texts and lists: each test's value, and a right answer's body
    "third": ("abs(candidate(1) - 1 / 3) < 1e-6", "abs(candidate(0)) < 1e-6", "given[0] / 3"),
    "is_even": ("candidate(2) == True", "candidate(3) == False", "given[0] % 2 == 0"),
    "twice": ("candidate(['a']) == ['a', 'a']", "candidate([]) == []", "given[0] * 2"),
}


def passes(source: str, name: str) -> bool:
    """Whether an answer to a problem passes its two tests."""
    first, second, _ = PROBLEMS[name]
    tests = f"def check(candidate):\n    assert {first}\n    assert {second}\n"
    return run_tests(source.replace("NAME", name), name, tests, SMALL).passed


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("cheat", CHEATS)
def test_no_cheat_passes(cheat):
    for name in PROBLEMS:
        assert not passes(CHEATS[cheat], name), name


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_right_answer_passes(name):
    assert passes(f"def NAME(*given): return {PROBLEMS[name][2]}", name)
