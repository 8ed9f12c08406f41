"""What each audience gets: exercises open for students; for readers solutions that a book folds,
and nbgrader's marks.

The marks are nbgrader's: `### BEGIN SOLUTION` and `### END SOLUTION` around the lines that a
student is to write. A cell tagged `exercise` holds them; the cell tagged `check` after it calls
`check.exercise_N_M`."""

from __future__ import annotations

import re

from ci.lessons.sources import tags_of

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
SOLUTION = re.compile(rf"^(?P<indent> *){BEGIN}\n(?:(?!.*{BEGIN}).*\n)*? *{END}$", re.M)
STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
CHECK = re.compile(r"\bcheck\.exercise_(\d+_\d+)\(")
SCHEMA = 3  # of nbgrader's cell metadata


def open_exercise(code: str) -> str:
    """The code with nbgrader's stub for each solution; ValueError if marks are not in pairs."""

    def stub(solution: re.Match) -> str:
        return "\n".join(solution["indent"] + line for line in STUB)

    code = SOLUTION.sub(stub, code)
    if BEGIN in code or END in code:
        raise ValueError("a solution begins or ends alone")
    return code


def for_students(notebook):
    """The notebook with every exercise open; nbgrader grades it like a release of its own."""
    for cell in graded(notebook).cells:
        if cell.cell_type == "code":
            cell.source = open_exercise(cell.source)
    return notebook


def for_readers(notebook):
    """The notebook with solutions tagged `hide-input`, which a book folds, and nbgrader's marks."""
    for cell in graded(notebook).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.metadata["tags"] = [*tags_of(cell), "hide-input"]
    return notebook


def graded(notebook):
    """The notebook with nbgrader's metadata: exercises to solve, checks worth a point each."""
    exercise = None
    for cell in notebook.cells:
        if "exercise" in tags_of(cell):
            exercise = cell
        elif "check" in tags_of(cell) and (call := CHECK.search(cell.source)):
            if exercise is not None:
                exercise.metadata["nbgrader"] = marks(f"exercise_{call[1]}", solution=True)
            cell.metadata["nbgrader"] = marks(f"check_{call[1]}", solution=False)
            exercise = None
    return notebook


def marks(name: str, *, solution: bool) -> dict:
    """nbgrader's description of a cell: to be written by the student, or locked, for one point."""
    described = {
        "grade": not solution,
        "grade_id": name,
        "locked": not solution,
        "schema_version": SCHEMA,
        "solution": solution,
        "task": False,
    }
    return described if solution else {**described, "points": 1}
