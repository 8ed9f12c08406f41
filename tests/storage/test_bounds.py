"""A chat template of strangers that loops or grows without end is refused in a sentence; what it
needs the whole machine for is not there to be had.
"""

import signal
import sys
import time
from pathlib import Path

import pytest

from sdft_lib.chat import frame, prompt_text
from sdft_lib.storage import bounds
from sdft_lib.storage.errors import SdftError

resource = pytest.importorskip("resource")  # not on Windows, where nothing is bounded
ASKED = [{"role": "user", "content": "Hello"}]
LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
SLOW = {
    "loops": LOOP,
    "loops in a macro": "{% macro a() %}" + LOOP + "{% endmacro %}{{ a() }}",
    "macros twice": "{% macro a(n) %}{% if n %}{{ a(n - 1) }}{{ a(n - 1) }}{% endif %}{% endmacro %}"
    "{{ a(90) }}",
    "power": "{{ (messages|length + 6) ** (10**9) % 7 }}",
    "words": "{{ lipsum(n=10**6, max=10**6) }}",
    "in one turn alone": "{% for m in messages %}{% if m.role == 'user' %}" + LOOP + "{% endif %}"
    "{% endfor %}",
}
LARGE = {
    "a text many times": "{{ 'x' * 10**9 }}",
    "known at the end alone": "{{ messages[0].role * 10**9 }}",
    "a list many times": "{{ ([1] * 10**9)|length }}",
    "doubled": "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}"
    "{% endfor %}",
    "wide": "{{ 'x'|center(10**9) }}",
    "format": "{{ '%1000000000d' % 1 }}",
    "format method": "{{ '{:1000000000}'.format(1) }}",
    "indent": "{{ ('a\n' * 10)|indent(10**9) }}",
    "replace": "{{ ('x' * 10**5).replace('', 'y' * 10**5) }}",
    "much, but not too much for memory": "{{ 'x' * 10**8 }}",
}
ODD = {
    "a range": "{% for i in range(10**9) %}{% endfor %}",
    "a macro that calls itself": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "deep": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "a long number": "{{ (10**5000)|string }}",
    "a syntax error": "{% for %}",
    "a way out": "{{ ''.__class__.__mro__ }}{{ messages.__class__.__base__.__subclasses__() }}",
}


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"?": 0}, unk_token="?"))
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="?")


def refused(tokenizer, template: str) -> str:
    """What is said of a template; it takes neither long nor much, and leaves no limit behind."""
    tokenizer.chat_template = template
    limits = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)
    started = time.monotonic()
    with pytest.raises(SdftError) as told:
        prompt_text(ASKED, tokenizer)
    assert time.monotonic() - started < 30
    assert limits == (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM))
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    return str(told.value)


linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")


@pytest.mark.parametrize("name", SLOW)
def test_a_template_that_does_not_end(tokenizer, monkeypatch, name):
    monkeypatch.setattr(bounds, "SECONDS", 0.5)
    assert "more than 0.5 s" in refused(tokenizer, SLOW[name])


@linux
@pytest.mark.parametrize("name", LARGE)
def test_a_template_that_grows(tokenizer, name):
    before = held()
    said = refused(tokenizer, LARGE[name])
    # on a busy machine the time may be over before the memory is
    assert any(words in said for words in ("MemoryError", "100000000 letters", "more than 5 s"))
    assert held() - before < 1500


@pytest.mark.parametrize("name", ODD)
def test_a_template_that_fails(tokenizer, name):
    assert refused(tokenizer, ODD[name]).startswith("the chat template refused these messages (")


def test_a_template_that_fails_on_an_answer_alone(tokenizer):
    tokenizer.chat_template = (
        "{% for m in messages %}{{ 'x' * 10**9 if loop.index > 1 }}{% endfor %}"
    )
    with pytest.raises(SdftError, match="refused these messages"):
        frame(ASKED, tokenizer)


def test_an_alarm_of_others_goes_on(tokenizer):
    tokenizer.chat_template = "{{ messages[0].content }}"
    signal.setitimer(signal.ITIMER_REAL, 500)
    assert prompt_text(ASKED, tokenizer) == "Hello"
    assert signal.setitimer(signal.ITIMER_REAL, 0)[0] > 400


def held() -> int:
    """The most memory of this process so far, in MB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
