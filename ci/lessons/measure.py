"""What a lesson cost, and its executed notebook on disk: memory, artefacts made, record, HTML."""

from __future__ import annotations

import os
import platform
import re
import threading
from pathlib import Path

import psutil


class PeakMemory:
    """Highest memory of this process's children (the kernel) inside a `with` block, in MB."""

    megabytes = 0

    def __enter__(self):
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self.megabytes = max(self.megabytes, round(children_bytes() / 2**20))


def children_bytes() -> int:
    """Resident bytes of all descendants of this process; one that ends meanwhile counts 0."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.Error:
            continue
    return total


def artefacts() -> set[Path]:
    """The finished artefacts in the store."""
    from sdft_lib.storage.store import cache_dir

    return set((cache_dir() / "store").glob("*/*/run.json"))


def write_executed(notebook, target: Path, record: dict, *, fast: bool) -> None:
    """Save an executed lesson with its record in `metadata.sdft`, and the HTML beside it."""
    import nbformat

    from ci.lessons.sources import code_sha256, results_sha256

    notebook.metadata["sdft"] = {
        "code_sha256": code_sha256(notebook),
        "results_sha256": results_sha256(notebook),
        "mode": "fast" if fast else "default",
        "seconds": record["seconds"],
        "from_cache": record["from_cache"],
        "device": device(),
        "versions": versions(),
    }
    spell_out_marks(notebook)
    nbformat.write(notebook, target)
    target.with_suffix(".html").write_text(to_html(notebook), encoding="utf-8")


def spell_out_marks(notebook) -> None:
    """Make control and direction marks visible in all outputs: a model may have written them."""
    from sdft_lib.storage.safe import visible

    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = visible(output.text)
            for kind, value in output.get("data", {}).items():
                if kind.startswith("text/") and isinstance(value, str):
                    output.data[kind] = visible(value)
            for about in output.get("metadata", {}).values():
                if isinstance(about, dict) and "alt" in about:
                    about["alt"] = visible(about["alt"])


def device() -> str:
    """The hardware in a few words, without the machine's name."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    kind = "mps" if torch.backends.mps.is_available() else "cpu"
    return f"{kind}, {platform.machine()}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = {name: version(name) for name in ("torch", "transformers", "peft", "datasets")}
    return {"python": platform.python_version(), **packages}


def to_html(notebook) -> str:
    """One self-contained HTML page; each image keeps the alt text that its output's metadata
    carries.

    nbconvert's `lab` template writes "No description has been provided" over it, so it is put back
    here."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="lab", embed_images=True)
    exporter.log.setLevel("ERROR")
    page, _ = exporter.from_notebook_node(notebook)
    alts = {"".join(data.split()): alt for data, alt in images(notebook)}
    page = re.sub(r'<script src="[^"]*require[^"]*"></script>', "", page)  # only widgets need it
    return re.sub(r"<img\b[^>]*>", lambda tag: with_alt(tag.group(), alts), page)


def images(notebook):
    """(base64 text, alt text) of each image among the outputs that has an alt text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in ("image/png", "image/jpeg"):
                alt = output.get("metadata", {}).get(kind, {}).get("alt")
                if alt and kind in output.get("data", {}):
                    yield output.data[kind], alt


def with_alt(tag: str, alts: dict[str, str]) -> str:
    """The <img> tag with the alt text of its image, unchanged if there is none."""
    from html import escape

    source = re.search(r'src="data:image/\w+;base64,([^"]*)"', tag)
    alt = alts.get("".join(source.group(1).split())) if source else None
    if alt is None:
        return tag
    bare = re.sub(r'\salt="[^"]*"', "", tag)
    return f'<img alt="{escape(alt)}"{bare[4:]}'
