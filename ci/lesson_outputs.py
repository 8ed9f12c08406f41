"""The outputs of a run inside a reading copy: cleaned, counted from 1 to n, with the record of the run."""

from __future__ import annotations

import re
from pathlib import Path

import bootstrap
from lessons import is_injected

WIDGET = "application/vnd.jupyter.widget-view+json"


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
