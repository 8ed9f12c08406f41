"""One question to a server that speaks OpenAI's chat protocol, over the standard library."""

import ipaddress
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.parse import urlsplit

from sdft_lib.storage.errors import SdftError

KEY = "SDFT_JUDGE_KEY"  # the environment variable that holds the key, if the server asks for one
TRIES, LONGEST_WAIT, LONGEST_REPLY = 5, 60.0, 1 << 20
AGAIN = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Judge:
    """Where to ask (``http://localhost:8000/v1``), which model, with which key, seconds to wait for
    a reply.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    seconds: float = 120.0
    tokens: int = 512

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise SdftError(
                f"the judge's address {self.url[:80]!r} is not of the form http://localhost:8000/v1."
            )
        if self.key and parts.scheme == "http" and not is_near(parts.hostname):
            raise SdftError(
                f"{self.url}: a key is sent over https only, or to this machine; use https or unset {KEY}."
            )


def key_from_environment() -> str:
    """The key that the user put into ``SDFT_JUDGE_KEY``; it is sent to the judge and written
    nowhere.
    """
    return os.environ.get(KEY, "").strip()


def is_near(host: str) -> bool:
    """Whether a host name means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key along to wherever it points."""

    def redirect_request(self, *args, **kwargs):
        """None: the reply counts as an error."""


def ask(judge: Judge, text: str) -> str:
    """The reply to one user turn, greedy; a busy server is asked again, later and later. SdftError
    otherwise.
    """
    body = {
        "model": judge.model,
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": judge.tokens,
    }
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": f"Bearer {judge.key}"} if judge.key else {}
    )
    request = urllib.request.Request(
        f"{judge.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
    )
    opener = urllib.request.build_opener(NoRedirect)
    for trial in range(TRIES):
        try:
            with opener.open(request, timeout=judge.seconds) as reply:
                return content(judge, reply.read(LONGEST_REPLY))
        except urllib.error.HTTPError as error:
            if error.code not in AGAIN or trial == TRIES - 1:
                said = f"the judge answered {error.code} ({error.reason})"
                raise SdftError(f"{judge.url}: {said}; {advice(error.code)}.") from None
            time.sleep(pause(error.headers.get("Retry-After"), trial))
        except (OSError, HTTPException) as error:  # no connection, or no reply in time
            if trial == TRIES - 1:
                reason = getattr(error, "reason", None) or error
                raise SdftError(
                    f"{judge.url}: the judge cannot be reached ({reason}); is it running?"
                ) from None
            time.sleep(pause(None, trial))
    raise AssertionError("unreachable")


def pause(wanted: str | None, trial: int) -> float:
    """Seconds to wait: what the server asks for, else 1, 2, 4, ..."""
    try:
        return min(max(float(wanted), 0.0), LONGEST_WAIT)
    except (TypeError, ValueError):
        return min(2.0**trial, LONGEST_WAIT)


def advice(code: int) -> str:
    """What to do about an HTTP error."""
    return {
        401: f"put its key into {KEY}",
        403: f"put its key into {KEY}",
        404: "check address and model",
        429: "it has had enough for now, try later",
    }.get(code, "look at its log")


def content(judge: Judge, reply: bytes) -> str:
    """The text of the first choice."""
    try:
        text = json.loads(reply)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise SdftError(
            f"{judge.url}: the reply is not one of OpenAI's chat protocol; check the address."
        ) from None
    return text if isinstance(text, str) else ""
