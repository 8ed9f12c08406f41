"""Grade these lessons with nbgrader 0.9: copy this file into the folder of your course, and the copies beside it into
`source/NN_name/`. Then `nbgrader generate_assignment`, collect, and `nbgrader autograde` as for any assignment.

Released copies hold neither solutions nor notes for the class, and their badge opens the students' copy. Grading runs
each submission from its first exercise on: the lesson above takes minutes and a model, and the checks need neither.
Comment out the last assignment to have whole lessons run. `python3 ci/run_tests.py --classroom` tests this file.
"""

import ast

from nbgrader.preprocessors import (
    CheckCellMetadata,
    Execute,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)


class ForStudents(NbGraderPreprocessor):
    """Leave out the notes for the class, and let the badge open the students' copy."""

    def preprocess(self, nb, resources):
        nb.cells = [cell for cell in nb.cells if "instructor" not in cell.metadata.get("tags", [])]
        nb.cells[0].source = nb.cells[0].source.replace("/notebooks/instructor/", "/notebooks/student/")
        return nb, resources


class RunExercises(Execute):
    """Run what stands from the first exercise on, and of the cells above only their imports."""

    def preprocess(self, nb, resources=None, km=None):
        above = lesson(nb)
        for cell, _ in above:
            cell.source = imports(cell.source)
        nb, resources = super().preprocess(nb, resources, km)
        for cell, source in above:
            cell.source = source
        return nb, resources


def lesson(nb):
    """(cell, source) of the code above the first exercise."""
    found = []
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            break
        if cell.cell_type == "code":
            found.append((cell, cell.source))
    return found


def imports(code):
    """The imports of a cell; nothing of one that is not plain Python."""
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return ""
    return "\n".join(ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom))


c = get_config()  # noqa: F821 - nbgrader defines it
c.Execute.timeout = 600  # seconds a cell
c.GenerateAssignment.preprocessors.prepend([ForStudents])
c.Autograde.autograde_preprocessors = [RunExercises, LimitOutput, SaveAutoGrades, CheckCellMetadata]
