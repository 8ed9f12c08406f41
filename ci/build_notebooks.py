"""Make the reading copies `notebooks/NN_name.ipynb` from `notebooks/src/NN_name.py`.

python ci/build_notebooks.py             text and code anew; outputs stay where the code is unchanged
python ci/build_notebooks.py --execute   take the outputs of the last full run from build/lessons/
python ci/build_notebooks.py --check     change nothing; exit 1 if a copy is missing, stale or left over
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import bootstrap

SOURCES = bootstrap.ROOT / "notebooks" / "src"
COPIES = bootstrap.ROOT / "notebooks"
EXECUTED = bootstrap.ROOT / "build" / "lessons"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
RAW = argparse.RawDescriptionHelpFormatter
WIDGET = "application/vnd.jupyter.widget-view+json"


def lesson_sources(folder: Path = SOURCES) -> list[Path]:
    """The lessons in order: files named NN_name.py."""
    return sorted(path for path in folder.glob("*.py") if re.fullmatch(r"\d\d_\w+", path.stem))


def to_notebook(source: Path):
    """A source file as a notebook without outputs: ids c00, c01, ..., tags kept, kernel python3."""
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = type(notebook.metadata)(kernelspec=dict(KERNEL), language_info={"name": "python"})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id = f"c{index:02d}"
        tags = cell.metadata.get("tags")
        cell.metadata = type(cell.metadata)({"tags": list(tags)} if tags else {})
    return notebook


def code_sha256(notebook) -> str:
    """Hash of the code cells in order, the cell that papermill adds left out."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code" and not is_injected(cell)]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def is_injected(cell) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def with_outputs(notebook, executed):
    """The notebook with the cleaned outputs and the record (`metadata.sdft`) of a run of the same code."""
    ran = [cell for cell in executed.cells if cell.cell_type == "code" and not is_injected(cell)]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, (cell, done) in enumerate(zip(code, ran, strict=True), start=1):
        cell.execution_count = count
        cell.outputs = clean(done.outputs, count)
    notebook.metadata["sdft"] = executed.metadata["sdft"]
    return notebook


def clean(outputs, count: int) -> list:
    """Outputs fit to commit: no stderr, no widgets, no paths of the machine; adjoining prints as one."""
    from nbformat.v4 import new_output

    kept = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stdout":
            text = portable(output.text)
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += text
            else:
                kept.append(new_output("stream", name="stdout", text=text))
        elif output.output_type in ("display_data", "execute_result") and WIDGET not in output.data:
            number = {"execution_count": count} if output.output_type == "execute_result" else {}
            data = {kind: portable(value) for kind, value in output.data.items()}
            metadata = {
                kind: {"alt": value["alt"]}
                for kind, value in output.metadata.items()
                if isinstance(value, dict) and "alt" in value
            }
            kept.append(new_output(output.output_type, data=data, metadata=metadata, **number))
    return kept


def portable(value):
    """Text without this machine's folders; anything else as it is."""
    from sdft_lib.store import cache_dir

    if not isinstance(value, str):
        return value
    places = [(cache_dir(), "<cache>"), (bootstrap.ROOT, "<project>"), (Path.home(), "~")]
    for folder, name in places:
        if len(folder.parts) > 1:
            value = re.sub(re.escape(str(folder)) + r"(?![\w.-])", name, value)
    return value


def reading_copy(source: Path, executed_folder: Path | None):
    """(notebook, complaint): the copy of one lesson, with outputs from a run, else those it already has."""
    import nbformat

    notebook = to_notebook(source)
    place = (executed_folder or COPIES) / f"{source.stem}.ipynb"
    if not place.exists():
        return notebook, f"{place} is missing: run ci/run_tutorial.py"
    executed = nbformat.read(place, as_version=4)
    record = executed.metadata.get("sdft", {})
    if record.get("mode") != "default":
        return notebook, f"{place} does not come from a complete run in default mode: run ci/run_tutorial.py"
    if not record.get("code_sha256") == code_sha256(executed) == code_sha256(notebook):
        return notebook, f"{place} ran other code than {source.name} holds now: run ci/run_tutorial.py"
    return with_outputs(notebook, executed), ""


def text_of(notebook) -> str:
    import nbformat

    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def check() -> list[str]:
    """What is wrong with the committed copies, one sentence each."""
    sources = lesson_sources()
    names = {source.stem for source in sources}
    wrong = [
        f"{copy.name} has no source in notebooks/src: delete it."
        for copy in sorted(COPIES.glob("[0-9][0-9]_*.ipynb"))
        if copy.stem not in names
    ]
    for source in sources:
        notebook, complaint = reading_copy(source, None)
        copy = COPIES / f"{source.stem}.ipynb"
        if complaint:
            wrong.append(f"{complaint} and then ci/build_notebooks.py --execute.")
        elif copy.read_text(encoding="utf-8") != text_of(notebook):
            wrong.append(f"{copy.name} differs from its source: run ci/build_notebooks.py.")
    return wrong


def build(executed_folder: Path | None) -> list[str]:
    """Write every copy; returns the complaints (with --execute a copy with a complaint is left as it was)."""
    complaints = []
    for source in lesson_sources():
        notebook, complaint = reading_copy(source, executed_folder)
        if complaint:
            complaints.append(f"{complaint}.")
        if not complaint or not executed_folder:
            copy = COPIES / f"{source.stem}.ipynb"
            copy.write_text(text_of(notebook), encoding="utf-8", newline="\n")
    return complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="only compare; exit 1 if a copy is not fresh")
    choice.add_argument("--execute", action="store_true", help="take the outputs from build/lessons")
    options = parser.parse_args()
    bootstrap.ensure_venv()
    complaints = check() if options.check else build(EXECUTED if options.execute else None)
    print("\n".join(complaints) or f"{len(lesson_sources())} reading copies are fresh.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
