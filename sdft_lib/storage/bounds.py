"""What a chat template of strangers may cost: it is a program, and loops or grows as it likes."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from sdft_lib.storage.errors import SdftError

SECONDS = 5
MEMORY = 2**29  # bytes that the process may grow by meanwhile
LETTERS = 2**24  # of a conversation


def render_chat(tokenizer, messages: list[dict], *, prompt: bool) -> str:
    """The model's own string of the messages; ``prompt``: up to where its answer begins. Raises
    SdftError: the template refuses them, or takes more than a template needs."""
    options = {"add_generation_prompt": prompt, "enable_thinking": False, "tokenize": False}
    try:
        with bounded():
            text = tokenizer.apply_chat_template(messages, **options)
        if len(text) < LETTERS:
            return text
        reason = f"it wrote {len(text)} letters"
    except Exception as error:  # jinja2 raises whatever the template's author chose
        reason = str(error) or type(error).__name__
    raise SdftError(f"the chat template refused these messages ({reason}); check their roles.")


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Within the block, more than SECONDS is a TimeoutError, more than MEMORY a MemoryError. Memory
    is limited on Linux, time where Python has alarms, in the main thread (SECURITY.md)."""

    def late(*ignored) -> None:
        raise TimeoutError(f"it took more than {SECONDS} s")

    with contextlib.ExitStack() as after:
        if sys.platform == "linux":
            import resource  # not on Windows

            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + MEMORY
            soft, hard = resource.getrlimit(resource.RLIMIT_AS)
            if not 0 <= soft <= most:  # RLIM_INFINITY is -1
                resource.setrlimit(resource.RLIMIT_AS, (most, hard))
                after.callback(resource.setrlimit, resource.RLIMIT_AS, (soft, hard))
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGALRM, late) or signal.SIG_DFL
            after.callback(signal.signal, signal.SIGALRM, before)
            waiting = signal.setitimer(signal.ITIMER_REAL, SECONDS)
            after.callback(signal.setitimer, signal.ITIMER_REAL, *waiting)
        yield
