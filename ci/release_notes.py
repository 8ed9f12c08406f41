"""The pinned packages as a Markdown table for the notes of a release: version, licence, known
vulnerabilities.

    python3 ci/release_notes.py             licences from the installed packages, vulnerabilities from pypi.org
    python3 ci/release_notes.py --offline   without asking the index

Standard library only. Run it with the Python of .venv, so that the licences are those of the tested
packages. Exit code 1 if a pinned version has a known vulnerability."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
INDEX = "https://pypi.org/pypi/{name}/{version}/json"
SECONDS = 15  # that one answer of the index may take
LONGEST = 60  # characters of a licence; some packages put the whole text there


def pins(text: str) -> list[tuple[str, str]]:
    """(name, version) of each ``name==version`` line; comments, blank lines and markers are left
    out.
    """
    lines = (line.split("#")[0].split(";")[0].strip() for line in text.splitlines())
    return [tuple(part.strip() for part in line.split("==", 1)) for line in lines if "==" in line]


def licence(name: str) -> str:
    """The licence in an installed package's metadata: its expression, else its classifiers, else
    its first line.
    """
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    classified = [
        line.split(" :: ")[-1]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    free = (about.get("License") or "").strip().split("\n")[0]
    found = about.get("License-Expression") or ", ".join(classified) or free or "not stated"
    return found if len(found) <= LONGEST else found[:LONGEST] + "…"


def vulnerabilities(answer: dict) -> list[str]:
    """Ids of the vulnerabilities in an answer of the index, with the versions that mend them;
    withdrawn ones left out.

    ``answer`` is the index's JSON; its field ``vulnerabilities`` is a list of {id, aliases,
    fixed_in, withdrawn, ...}."""
    found = []
    for entry in answer.get("vulnerabilities") or []:
        if not entry.get("withdrawn"):
            names = dict.fromkeys([entry.get("id") or "no id", *(entry.get("aliases") or [])])
            label = next((name for name in names if name.startswith("CVE-")), next(iter(names)))
            fixed = ", ".join(entry.get("fixed_in") or [])
            found.append(f"{label} (fixed in {fixed})" if fixed else f"{label} (no fix yet)")
    return found


def ask(pin: tuple[str, str]) -> list[str] | None:
    """Known vulnerabilities of a pinned version; None if the index gives no answer."""
    url = INDEX.format(name=pin[0], version=pin[1])
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as response:
            return vulnerabilities(json.load(response))
    except (
        OSError,
        ValueError,
        AttributeError,
        TypeError,
    ):  # no network, no such page, no JSON, another shape
        return None


def ask_all(pinned: list[tuple[str, str]]) -> list[list[str] | None]:
    """Answers in order, eight at a time; without one for the first, the index is not asked
    further.
    """
    if not pinned or ask(pinned[0]) is None:
        return [None] * len(pinned)
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, pinned))


def cell(text: str) -> str:
    """Text of somebody's metadata that cannot end its cell or its row."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def table(pinned: list[tuple[str, str]], answers: list[list[str] | None]) -> str:
    """Markdown: a row for each package, and a closing line that says what was asked."""
    rows = ["| package | version | licence | known vulnerabilities |", "| --- | --- | --- | --- |"]
    for (name, version), answer in zip(pinned, answers, strict=True):
        known = "not asked" if answer is None else "; ".join(answer) or "none"
        rows.append(f"| {cell(name)} | {cell(version)} | {cell(licence(name))} | {cell(known)} |")
    return "\n".join([*rows, "", summary(answers)])


def summary(answers: list[list[str] | None]) -> str:
    """One sentence: how many versions were asked for and how many have a known vulnerability."""
    asked = [answer for answer in answers if answer is not None]
    if not asked:
        return (
            f"{len(answers)} packages; the index gave no answer, so vulnerabilities are not listed."
        )
    bad = sum(bool(answer) for answer in asked)
    return f"{len(answers)} packages, {len(asked)} answers of the index, {bad} with a known vulnerability."


def main(arguments: list[str] | None = None) -> int:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--offline", action="store_true", help="do not ask the index")
    options = parser.parse_args(arguments)
    pinned = pins(CONSTRAINTS.read_text(encoding="utf-8"))
    answers = [None] * len(pinned) if options.offline else ask_all(pinned)
    print(table(pinned, answers))
    return 1 if any(answers) else 0


if __name__ == "__main__":
    sys.exit(main())
