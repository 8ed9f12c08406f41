"""The audit counts what a distilled set changed, and refuses two files that do not belong
together.
"""

import json

import pytest

from sdft_lib.own_data.audit import audit, audit_text, findings, looks_cut
from sdft_lib.storage.errors import SdftError

LONG = "word " * 40


def save(path, rows):
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def pair(tmp_path, original, distilled):
    return save(tmp_path / "original.json", original), save(tmp_path / "distilled.json", distilled)


def row(prompt, answer, **more):
    return {**more, "question": prompt, "answer": answer}


def test_counts_with_duplicates_kept(tmp_path):
    before = [
        row("Two and two?", "4"),
        row("Two and two?", "4"),
        row("One and two?", "3"),
        row("Six less one?", "5"),
    ]
    after = [
        row("Two  and two?", "4"),
        row("Two and two?\n", "Sure, that makes 4."),
        row("One and two?", "As the reference answer says, it is 7."),
        row("Six less one?", "5"),
    ]
    result = audit(*pair(tmp_path, before, after), kind="math")
    assert (result["rows"], result["unchanged"], result["changed"]) == (4, 2, 2)
    assert (result["unchanged_share"], result["answer_kept"]) == (0.5, 0.5)
    assert (result["words_original"], result["words_distilled"]) == (1, 3.5)
    assert (result["median_words_original"], result["median_words_distilled"]) == (1, 2.5)
    assert (result["leadins"], result["suspected_cuts"]) == ({"sure": 1}, 0)
    assert result["leaks"] == {"reference answer": 1}
    second, third = (f"original-{number:04d}" for number in (2, 3))
    assert result["examples"] == {"leadins": [second], "leaks": [third], "answer_lost": [third]}
    assert json.loads(json.dumps(result)) == result
    text = audit_text(result)
    assert "2 (50.0%)" in text and '"reference answer" 1' in text and '"sure" 1' in text
    assert f"e.g. {second}" in text and "median 1.0 -> 2.5" in text


def test_rows_meet_by_id_whatever_their_order(tmp_path):
    before = [row("Q", "red thing", id="a"), row("Q", "blue thing", id="b")]
    after = [row("Q", "blue thing", id="b"), row("Q", "green thing", id="a")]
    assert audit(*pair(tmp_path, before, after))["unchanged"] == 1


def test_rows_that_meet_by_id_may_differ_in_their_prompts(tmp_path):
    before = [row("Q", "red thing", id="a"), row("R", "blue thing", id="b")]
    after = [row("Guided: R", "blue thing", id="b"), row("Guided: Q", "red thing", id="a")]
    assert audit(*pair(tmp_path, before, after))["unchanged"] == 2


def test_each_finding_shows_five_ids_at_most(tmp_path):
    before = [row(f"Question {number}?", f"Thing {number}", id=str(number)) for number in range(9)]
    after = [asked | {"answer": "Here’s a reworded " + LONG} for asked in before]
    result = audit(*pair(tmp_path, before, after), kind="open")
    assert result["leadins"] == {"here's": 9} and result["suspected_cuts"] == 9
    assert result["examples"] == dict.fromkeys(
        ("suspected_cuts", "leadins", "leaks"), list("01234")
    )


def test_ids_in_one_file_alone_leave_the_position(tmp_path):
    before = [row("Q", "red thing", id="a"), row("R", "blue thing", id="b")]
    assert (
        audit(*pair(tmp_path, before, [row("Q", "red thing"), row("R", "blue thing")]))["unchanged"]
        == 2
    )


@pytest.mark.parametrize(
    "after, message",
    [
        ([row("Q", "A")], "original.json has 2 rows and distilled.json has 1"),
        (
            [row("R", "B"), row("Q", "A")],
            "original.json, row 1: its prompt is not that of distilled.json",
        ),
        ([row("Q", "A", id="a"), row("R", "B", id="c")], 'no row with the id "b"'),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, after, message):
    before = [row("Q", "A", id="a"), row("R", "B", id="b")]
    with pytest.raises(SdftError, match=message):
        audit(*pair(tmp_path, before, after))


def test_a_file_is_held_against_the_rows_that_distill_made_of_it(tmp_path):
    """Own column names, an empty answer left out, the first two rows alone: 0 of them unchanged."""
    own = tmp_path / "mine.csv"
    own.write_text("frage,antwort\nQ,rot\nP,\nR,blau\nS,gelb\n", encoding="utf-8")
    made = []
    for number, prompt, answer in ((1, "Q", "rot"), (3, "R", "blau")):
        asked = {"id": f"mine-000{number}", "messages": [{"role": "user", "content": prompt}]}
        made.append(asked | {"reference": answer, "text": f"It is {answer}.", "raw": "x"})
    rows = save(tmp_path / "rows.json", made)
    reading = {"columns": {"prompt": "frage", "reference": "antwort"}, "drop_empty": True}
    result = audit(own, rows, kind="label", limit=2, **reading)
    assert (result["rows"], result["unchanged"], result["words_original"]) == (2, 0, 1)
    assert (result["words_distilled"], result["answer_kept"]) == (3, 1)
    with pytest.raises(SdftError, match="mine.csv has 3 rows and rows.json has 2; .*--limit"):
        audit(own, rows, kind="label", **reading)


def test_a_rewritten_file_has_the_columns_of_the_original(tmp_path):
    """One of two answers was changed, by another program that kept the file's columns."""
    for name, answer in (("mine", "rot"), ("new", "Das wäre rot.")):
        text = f"frage,antwort\nQ,{answer}\nR,blau\n"
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    files = (tmp_path / "mine.csv", tmp_path / "new.csv")
    columns = {"prompt": ["frage"], "reference": "antwort"}
    result = audit(*files, kind="label", columns=columns)
    assert (result["changed"], result["words_distilled"]) == (1, 2)
    with pytest.raises(SdftError, match="--columns prompt=YOURS,reference=YOURS"):
        audit(*files, kind="label")


def test_one_of_our_sets_is_read_from_its_folder(tmp_path):
    asked = {"id": "a", "messages": [{"role": "user", "content": "Q"}], "reference": "short"}
    (tmp_path / "rows.jsonl").write_text(
        json.dumps(asked | {"text": "Longer text.", "raw": "x"}) + "\n"
    )
    result = audit(save(tmp_path / "original.json", [asked]), tmp_path)
    assert (result["changed"], result["words_distilled"]) == (1, 2)


def test_a_bundled_task_against_itself_is_unchanged():
    result = audit("tickets", "tickets")
    assert result["unchanged"] == result["rows"] >= 400
    assert result["answer_kept"] is None and result["kind"] == "label"


def test_an_empty_rewrite_is_counted_not_refused(tmp_path):
    assert audit(*pair(tmp_path, [row("Q", "A b c")], [row("Q", "")]))["changed"] == 1


@pytest.mark.parametrize(
    "text, cut",
    [
        (LONG, True),
        (LONG + "end.", False),
        (LONG + '"end."', False),
        ("Only a few words", False),
        ("```python\nx", True),
    ],
)
def test_a_suspected_cut(text, cut):
    assert looks_cut(text) is cut


def test_a_phrase_of_the_prompt_is_no_leak():
    turn = {"role": "user", "content": "What is a Model Answer?"}
    asked = {"id": "a", "messages": [turn], "reference": "A pattern."}
    text = "A model answer is a pattern, reworded."
    assert findings(asked, text) == [("leaks", "reworded")]


def test_a_public_file_against_itself(paper_data):
    path = paper_data / "openfunction/openfunction_train.json"
    result = audit(path, path)
    assert (result["rows"], result["unchanged"], result["kind"]) == (2211, 2211, "call")
