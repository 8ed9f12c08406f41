"""Other writers' answers for the training rows of tickets: complete, in order, fit to train on, and
what their card says.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sdft_lib.data import load_task
from sdft_lib.formats import folders
from sdft_lib.formats.folders import load_rewrites
from sdft_lib.storage.errors import SdftError
from sdft_lib.verify import accept

DATA = Path(__file__).resolve().parents[2] / "data"
FOLDER = DATA / "writers"
REGISTER = json.loads((FOLDER / "writers.json").read_text(encoding="utf-8"))
MODEL, HAND = "tickets-qwen2.5-coder-0.5b", "tickets-hand"
TASK = load_task("tickets")


def kept(name: str) -> list[str]:
    """The texts of a file that are trained on."""
    return [row["text"] for row in load_rewrites(name).values() if row["source"] == "rewritten"]


def test_the_register_lists_every_file_and_the_card_too():
    assert sorted(REGISTER) == sorted([MODEL, HAND])
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(REGISTER)
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name, entry in REGISTER.items():
        nats = entry["nats"]
        assert f"| `{name}` | {nats['kept']} | {nats['with fallbacks']} |" in card


@pytest.mark.parametrize("name", REGISTER)
def test_rows_are_the_training_rows_in_order(name):
    rows = load_rewrites(name)
    assert list(rows) == [row["id"] for row in TASK.train]
    for row in rows.values():
        assert list(row) == ["id", "text", "source", "reason"]
        assert (row["source"] == "rewritten") == (row["reason"] == "accepted") == (row["text"] > "")


@pytest.mark.parametrize("name", REGISTER)
def test_every_text_passes_the_filter(name):
    rows = load_rewrites(name)
    for row in TASK.train:
        if text := rows[row["id"]]["text"]:
            prompt = row["messages"][-1]["content"]
            verdict = accept(TASK.kind, row["reference"], text, TASK.choices, prompt=prompt)
            assert verdict.ok, (row["id"], verdict.reason, text)


@pytest.mark.parametrize("name", REGISTER)
def test_counts_are_those_of_the_register(name):
    texts, entry = kept(name), REGISTER[name]
    assert entry["rows"] == len(load_rewrites(name)) == 480
    assert entry["kept"] == len(texts) and entry["distinct"] == len(set(texts))
    assert entry["words"] == round(sum(len(text.split()) for text in texts) / len(texts), 1)


def test_the_other_model_wrote_on_behind_the_opening():
    rows = load_rewrites(MODEL)
    for row in TASK.train:
        text = rows[row["id"]]["text"]
        assert not text or text.startswith(f"The answer is {row['reference']}, because")


def test_by_hand_the_sentences_vary_and_name_one_team():
    texts = kept(HAND)
    assert len(texts) == 480 and len(set(texts)) >= 240
    openings = [tuple(text.lower().split()[:2]) for text in texts]
    assert max(map(openings.count, openings)) <= 480 / 8
    for row, text in zip(TASK.train, texts, strict=True):
        words = set(text.lower().replace(":", " ").replace(",", " ").replace(".", " ").split())
        assert words & set(TASK.choices) == {row["reference"]}, text
        assert 8 <= len(text.split()) <= 18 and text[-1] == "."


def test_check_passes_and_fails_on_a_changed_file(tmp_path):
    for part in ("generators", "writers"):
        shutil.copytree(DATA / part, tmp_path / part)
    command = [sys.executable, str(tmp_path / "generators" / "writers.py"), "--check"]
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0, good.stdout + good.stderr
    with open(tmp_path / "writers" / f"{MODEL}.jsonl", "a", encoding="utf-8") as file:
        file.write('{"id": "x", "text": "", "source": "original", "reason": "echo"}\n')
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.returncode == 1 and "differs: writers.json" in bad.stdout


def test_a_distilled_set_is_taken(tmp_path):
    """A refused rewrite leaves no text, and messages and references are not copied."""
    for part in ("generators", "writers"):
        shutil.copytree(DATA / part, tmp_path / part)
    rows = [
        {"id": "a", "text": "The answer is x.", "source": "rewritten", "reason": "accepted"},
        {"id": "b", "text": "x", "source": "original", "reason": "echo", "raw": "x y"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = tmp_path / "generators" / "writers.py"
    subprocess.run([sys.executable, script, "--take", tmp_path / "rows.jsonl"], check=True)
    taken = (tmp_path / "writers" / f"{MODEL}.jsonl").read_text(encoding="utf-8")
    refused = {"id": "b", "text": "", "source": "original", "reason": "echo"}
    assert [json.loads(line) for line in taken.splitlines()] == [rows[0], refused]


def test_an_altered_file_is_refused_and_an_unknown_writer_named(tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / "writers")
    monkeypatch.setattr(folders, "data_dir", lambda: tmp_path)
    with pytest.raises(SdftError, match='writer "tickets-hands" is not known .*"tickets-hand"'):
        load_rewrites("tickets-hands")
    with open(tmp_path / "writers" / f"{HAND}.jsonl", "ab") as file:
        file.write(b"\n")
    with pytest.raises(SdftError, match=r"tickets-hand\.jsonl: altered"):
        load_rewrites(HAND)
