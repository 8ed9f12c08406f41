"""The runner and the builder of reading copies, on tiny notebooks and without a model."""

import json

import nbformat
import pytest

from ci import bootstrap, build_notebooks, run_tests, run_tutorial
from ci.lessons import measure, sources
from ci.lessons import outputs as lesson_outputs
from ci.lessons.progress import Progress

LESSON = """# %% [markdown]
# # Title
# %% tags=["parameters"]
fast: bool = False  # few rows
# %%
print(fast)
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "00_tiny.py"
    path.write_text(LESSON, encoding="utf-8")
    return path


def executed(source, outputs, mode="default"):
    """A run of the lesson as papermill leaves it: a cell injected, outputs in place, a record."""
    notebook = sources.to_notebook(source)
    injected = nbformat.v4.new_code_cell("fast = False", metadata={"tags": ["injected-parameters"]})
    notebook.cells[-1].outputs = [nbformat.from_dict(output) for output in outputs]
    notebook.cells.insert(2, injected)
    notebook.metadata["sdft"] = {"code_sha256": sources.code_sha256(notebook), "mode": mode}
    return notebook


@pytest.fixture
def project(source, tmp_path, monkeypatch):
    """The builder pointed at a folder of its own, which holds a run of the lesson."""
    for name, folder in {"NOTEBOOKS": "copies", "EXECUTED": "executed"}.items():
        monkeypatch.setattr(build_notebooks, name, tmp_path / folder)
        (tmp_path / folder).mkdir(exist_ok=True)
    monkeypatch.setattr(build_notebooks.overview, "pages", dict)
    monkeypatch.setattr(build_notebooks, "lesson_sources", lambda folder=None: [source])
    run = executed(source, [{"output_type": "stream", "name": "stdout", "text": "False\n"}])
    nbformat.write(run, tmp_path / "executed" / "00_tiny.ipynb")
    return tmp_path


def test_notebook_is_the_same_each_time(source):
    first, second = (sources.text_of(sources.to_notebook(source)) for _ in range(2))
    assert first == second
    assert json.loads(first)["cells"][2]["metadata"] == {"tags": ["parameters"]}


def test_a_reading_copy_is_fresh_until_the_code_changes(project, source):
    assert build_notebooks.build(project / "executed") == []
    assert build_notebooks.check() == []
    copy = json.loads((project / "copies" / "00_tiny.ipynb").read_text(encoding="utf-8"))
    assert [cell["source"] for cell in copy["cells"]][-1] == ["print(fast)"] and len(
        copy["cells"]
    ) == 4
    assert [cell["execution_count"] for cell in copy["cells"] if cell["cell_type"] == "code"] == [
        1,
        2,
        3,
    ]
    source.write_text(LESSON.replace("Title", "Another"), encoding="utf-8")
    assert "differs from its source" in build_notebooks.check()[0]
    assert (
        build_notebooks.build(None) == [] and build_notebooks.check() == []
    )  # text only: the outputs stay
    source.write_text(LESSON + "\nprint(1)\n", encoding="utf-8")
    assert "ran other code" in build_notebooks.check()[0]


def test_a_left_over_copy_is_found(project):
    build_notebooks.build(project / "executed")
    (project / "copies" / "07_gone.ipynb").write_text("{}", encoding="utf-8")
    assert build_notebooks.check() == ["07_gone.ipynb has no source in notebooks/src: delete it."]


def test_a_fast_run_makes_a_copy_that_says_so_and_replaces_no_full_one(project, source):
    copy, place = project / "copies" / "00_tiny.ipynb", project / "executed" / "00_tiny.ipynb"
    full = place.read_bytes()
    nbformat.write(executed(source, [], mode="other"), place)
    assert "complete run" in build_notebooks.build(project / "executed")[0] and not copy.exists()
    nbformat.write(executed(source, [], mode="fast"), place)
    assert build_notebooks.build(project / "executed") == [] == build_notebooks.check()
    assert "those of fast mode" in nbformat.read(copy, as_version=4).cells[0].source
    assert (
        build_notebooks.build(None) == []
        and copy.read_text(encoding="utf-8").count("those of fast mode") == 1
    )
    place.write_bytes(full)
    assert build_notebooks.build(project / "executed") == []
    assert "those of fast mode" not in copy.read_text(encoding="utf-8")
    nbformat.write(executed(source, [], mode="fast"), place)
    assert "which stays" in build_notebooks.build(project / "executed")[0]


def test_exercises_are_run_alone_and_leave_the_run_of_the_lesson(project, source):
    build_notebooks.build(project / "executed")
    before = nbformat.read(project / "copies" / "00_tiny.ipynb", as_version=4)
    source.write_text(
        LESSON + '\n# %% tags=["exercise"]\ndef twice(x):\n    return 2 * x\n\n'
        '# %% tags=["check"]\nprint(twice(21))\n',
        encoding="utf-8",
    )
    assert "lacks outputs of exercises" in build_notebooks.check()[0]
    assert build_notebooks.build(None) == [] == build_notebooks.check()
    after = nbformat.read(project / "copies" / "00_tiny.ipynb", as_version=4)
    code = [cell for cell in after.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5] and code[4].outputs[
        0
    ].text == "42\n"
    assert (
        code[2].outputs == before.cells[-1].outputs
        and after.metadata["sdft"] == before.metadata["sdft"]
    )


def test_outputs_are_cleaned(monkeypatch, tmp_path):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    image = {
        "output_type": "display_data",
        "data": {"image/png": "AA==", "text/plain": "a dot"},
        "metadata": {"image/png": {"alt": "a dot", "width": 3}, "other": 1},
    }
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": f"kept in {tmp_path}/store\n"},
        {"output_type": "stream", "name": "stderr", "text": "warning"},
        {"output_type": "stream", "name": "stdout", "text": "more\n"},
        {"output_type": "display_data", "data": {lesson_outputs.WIDGET: {}}, "metadata": {}},
        image,
    ]
    stream, picture = lesson_outputs.clean([nbformat.from_dict(output) for output in outputs], 1)
    assert stream.text == "kept in <cache>/store\nmore\n"
    assert picture.metadata == {"image/png": {"alt": "a dot"}}


def test_html_keeps_the_alt_text(source):
    png = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
        "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    output = {
        "output_type": "display_data",
        "data": {"image/png": png, "text/plain": "a"},
        "metadata": {"image/png": {"alt": 'SFT "loses" facts'}},
    }
    page = measure.to_html(executed(source, [output]))
    assert 'alt="SFT &quot;loses&quot; facts"' in page and "No description has been" not in page


def test_a_misspelt_parameter_ends_the_run(source):
    notebook = sources.to_notebook(source)
    run_tutorial.check_parameters(notebook, source, {"fast": True})
    with pytest.raises(
        SystemExit, match="00_tiny.py: the cell tagged `parameters` does not define quick"
    ):
        run_tutorial.check_parameters(notebook, source, {"quick": True})


def test_an_unknown_lesson_is_named_with_those_there_are(source):
    assert run_tutorial.chosen(source.parent, "0") == [source]
    with pytest.raises(SystemExit, match="There is no lesson 7; choose one of 00."):
        run_tutorial.chosen(source.parent, "7")


def test_progress_lines(tmp_path, capsys, source):
    progress = Progress(tmp_path / "times.json", "fast", ["00_tiny", "01_next"])
    notebook = sources.to_notebook(source)
    progress.start("00_tiny", notebook)
    for index, cell in enumerate(notebook.cells):
        progress.cell(cell, index)
    for text in ("one\ntw", "o\n 10%\r 20%\n"):
        progress.write(text)
    progress.done({"name": "00_tiny", "seconds": 61.0, "from_cache": False, "peak_mb": 5})
    assert capsys.readouterr().out.splitlines() == [
        "Lesson 1 of 2: 00_tiny",
        "  cell 2 of 5 (Title) | 0:00 elapsed, lessons after this one: 1",
        "    one",
        "    two",
        "     20%",
        "  done in 1:01, up to 5 MB of memory",
    ]
    again = Progress(tmp_path / "times.json", "fast", ["00_tiny", "01_next"])
    assert again.expected == {"00_tiny": 61.0}


@pytest.mark.parametrize(
    "line, shown",
    [
        (
            "  Downloading https://a/b/torch-2.13.0.whl (191.8 MB)",
            "downloading torch-2.13.0.whl (191.8 MB)",
        ),
        ("Downloading torch-2.13.0.whl (1.2 GB)", "downloading torch-2.13.0.whl (1.2 GB)"),
        ("Downloading six-1.whl (3.1 MB)", ""),
        ("Downloading six-1.whl (11 kB)", ""),
        ("Installing collected packages: a, b, c", "installing 3 packages"),
        ("Collecting six", ""),
    ],
)
def test_pip_output_is_short(line, shown):
    assert bootstrap.summary(line) == shown


ALONE = ["install", "--no-deps"]
CPU = [*ALONE, "--index-url", bootstrap.CPU_INDEX]
LOCK = ["--require-hashes", "-r", str(bootstrap.TORCH_LOCK)]
PINS = ["-c", "constraints.txt", "torch"]


@pytest.mark.parametrize(
    "planned, index, driver, fits, command, said",
    [
        ("torch-2.13.0%2Bcpu-cp311.whl", True, False, True, [*ALONE, *LOCK], ""),
        ("torch-2.13.0-cp311.whl", True, False, True, [*CPU, *LOCK], "CPU build"),
        ("torch-2.13.0-cp311.whl", True, False, False, [*CPU, *PINS], "CPU build"),
        ("torch-2.13.0-cp311.whl", False, False, True, None, "libraries, several GB."),
        ("torch-2.13.0-cp311.whl", True, True, True, None, ""),
        ("", True, False, True, None, ""),
    ],
)
def test_no_cuda_build_without_a_driver(
    planned, index, driver, fits, command, said, monkeypatch, tmp_path, capsys
):
    """The CPU build comes alone, from one index, and by its hash where a lock fits."""
    ran = []
    monkeypatch.setattr(bootstrap.sys, "platform", "linux")
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "run_pip", lambda arguments, python: ran.append(arguments))
    replies = {"planned_torch": planned, "reachable": index, "has_nvidia": driver}
    for name, value in (replies | {"lock_fits": fits}).items():
        monkeypatch.setattr(bootstrap, name, lambda *_, value=value: value)
    bootstrap.install_torch()
    assert ran == ([command] if command else [])
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    "here, version, torch, hashed",
    [
        (("linux", "x86_64", "CPython"), (3, 12), "torch-2.13.0+cpu", True),
        (("linux", "x86_64", "CPython"), (3, 12), "torch-2.13.0", False),
        (("linux", "x86_64", "CPython"), (3, 12), "torch-2.12.0+cpu", False),
        (("linux", "x86_64", "CPython"), (3, 14), "torch-2.13.0+cpu", False),
        (("linux", "aarch64", "CPython"), (3, 12), "torch-2.13.0+cpu", False),
        (("darwin", "arm64", "CPython"), (3, 12), "torch-2.13.0", False),
        (("win32", "AMD64", "CPython"), (3, 12), "torch-2.13.0+cpu", False),
    ],
)
def test_the_lock_is_taken_where_it_fits_and_the_pins_elsewhere(
    here, version, torch, hashed, monkeypatch, tmp_path
):
    ran = []
    (tmp_path / "lib" / "python3" / "site-packages" / f"{torch}.dist-info").mkdir(parents=True)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "run_pip", lambda arguments, python: ran.append(arguments))
    monkeypatch.setattr(bootstrap.sys, "platform", here[0])
    monkeypatch.setattr(bootstrap.sys, "version_info", version)
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: here[1])
    monkeypatch.setattr(bootstrap.platform, "python_implementation", lambda: here[2])
    bootstrap.install_extra("book")
    locked = ["install", "--require-hashes", "--no-build-isolation", "-r", "ci/locks/book.txt"]
    pinned = ["install", "-c", "constraints.txt", "-e", ".[book]"]
    assert ran == [locked if hashed else pinned]


def test_an_old_python_is_told_so(monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match="Python 3.11 or newer is needed"):
        bootstrap.ensure_venv()


def test_summary_contract(tmp_path):
    path = tmp_path / "summary.json"
    score = {"n": 4, "mean": 0.5, "low": 0.1, "high": 0.9}
    scores = [
        {"method": m, "suite": s, **score}
        for m in ("seed", "sft", "sdft")
        for s in run_tests.SUITES
    ]
    good = dict.fromkeys(("lessons", "not_reached", "paired"), [])
    good |= {"mode": "fast", "cpu": "x", "dtype": "fp32", "keep_rate": 1.0, "scores": scores}
    good |= {"nll_gap": {"mean": 1, "low": 0, "high": 2}}
    path.write_text(json.dumps(good), encoding="utf-8")
    assert run_tests.check_summary(path) == []
    broken = good | {"scores": scores[1:], "paired": [{"suite": "task"}]}
    path.write_text(json.dumps(broken), encoding="utf-8")
    wrong = run_tests.check_summary(path)
    assert len(wrong) == 2 and "paired[0] lacks" in wrong[0] and "scores lack seed" in wrong[1]
    assert "cannot be read" in run_tests.check_summary(tmp_path / "none.json")[0]
