"""The outputs of a run inside a reading copy: cleaned, counted from 1 to n, with the record of the
run.

Exercises and their checks stand on their own and need no model. Where a run does not hold them they
are run alone."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

from ci import bootstrap
from ci.lessons.sources import KERNEL, is_exercise, is_injected, is_setup

WIDGET = "application/vnd.jupyter.widget-view+json"


def with_outputs(notebook, executed):
    """The notebook with the cleaned outputs and the record (`metadata.sdft`) of a run of the same
    code.

    Raises KeyError for an exercise that the run does not hold; see ``run_exercises``.
    """
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    ran = [cell for cell in cells if not is_injected(cell) and not is_setup(cell)]
    lesson = iter([cell for cell in ran if not is_exercise(cell)])
    exercises = {cell.source: cell for cell in ran if is_exercise(cell)}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        if not is_setup(cell):
            done = exercises[cell.source] if is_exercise(cell) else next(lesson)
            cell.outputs = clean(done.outputs, count)
    notebook.metadata["sdft"] = executed.metadata["sdft"]
    return notebook


def run_exercises(notebook, executed):
    """The run with the exercises of the notebook, which are run now, in place of its own."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_notebook

    # copies, for running leaves times in their metadata
    cells = [deepcopy(cell) for cell in notebook.cells if is_exercise(cell)]
    alone = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    place = {"metadata": {"path": str(bootstrap.ROOT)}}
    NotebookClient(alone, timeout=120, resources=place).execute()
    executed.cells = [cell for cell in executed.cells if not is_exercise(cell)] + alone.cells
    return executed


def clean(outputs, count: int) -> list:
    """Outputs fit to commit: no stderr, no widgets, no machine's paths; adjoining prints as one."""
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
            metadata = {}
            for kind, value in output.metadata.items():
                if isinstance(value, dict) and "alt" in value:
                    metadata[kind] = {"alt": value["alt"]}
            kept.append(new_output(output.output_type, data=data, metadata=metadata, **number))
    return kept


def portable(value):
    """Text without this machine's folders; anything else as it is."""
    from sdft_lib.storage.store import cache_dir

    if not isinstance(value, str):
        return value
    places = [(cache_dir(), "<cache>"), (bootstrap.ROOT, "<project>"), (Path.home(), "~")]
    for folder, name in places:
        if len(folder.parts) > 1:
            value = re.sub(re.escape(str(folder)) + r"(?![\w.-])", name, value)
    return value
