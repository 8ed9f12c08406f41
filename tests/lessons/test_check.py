"""The exercises: every check accepts the lesson's solution and refuses the stub and typical wrong
answers.
"""

import math
import re
import time

import pytest

from ci.lessons import audiences, sources
from sdft_lib.formats.toml import read_toml
from sdft_lib.lessons import exercises as checking
from sdft_lib.lessons.exercises import lesson_01 as check
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import data_dir

Z = 1.96
CUT = {"length": "cut"}


def said(text, word):
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None


def nearest(shares, curve, target):
    return min(shares, key=lambda share: abs(curve[share] - target))


def weighted(rows, is_found, weight):
    """Weighted share of the rows that are found, None without rows."""
    total = sum(map(weight, rows))
    return sum(weight(row) for row in rows if is_found(row)) / total if total else None


WRONG = {  # two or more typical wrong answers to each exercise
    "0_1": [
        lambda q, s="": [
            {"role": "system", "content": s},
            {"role": "user", "content": q},
        ],  # always a system message
        lambda q, s="": (
            [{"role": "user", "content": q}] + ([{"role": "system", "content": s}] if s else [])
        ),
        lambda q, s="": {"role": "user", "content": q},  # no list
    ],
    "0_2": [
        lambda r, a: (
            sum(x.lower() in y.lower() for x, y in zip(r, a)) / max(len(a), 1)
        ),  # parts of words
        lambda r, a: (
            sum(x in y.split() for x, y in zip(r, a)) / max(len(a), 1)
        ),  # capitals, full stops
        lambda r, a: (
            sum(any(said(y, x) for x in r) for y in a) / max(len(a), 1)
        ),  # any reference will do
        lambda r, a: sum(said(y, x) for x, y in zip(r, a)) / len(a),  # fails on no answers
    ],
    "1_1": [
        lambda p: -sum(math.log2(x) for x in p) / len(p),  # bits
        lambda p: -math.log(sum(p) / len(p)),  # the logarithm of the mean
        lambda p: -sum(math.log(x) for x in p),  # a sum
    ],
    "1_2": [
        lambda n, t: (sum(n) / sum(t), sum(n) / sum(t)),  # one formula twice
        lambda n, t: (sum(n) / sum(t), sum(x / y for x, y in zip(n, t)) / len(n)),  # swapped
    ],
    "1_3": [
        lambda r, o: [i for i, x in enumerate(r) if x <= max(o)],  # not sorted
        lambda r, o: sorted(
            (i for i, x in enumerate(r) if x < max(o)), key=lambda i: r[i]
        ),  # below, not at most
        lambda r, o: sorted(x for x in r if x <= max(o)),  # values, not places
        lambda r, o: sorted(
            (i for i, x in enumerate(r) if x <= sum(o) / len(o)), key=lambda i: r[i]
        ),  # the mean
    ],
    "2_1": [
        lambda p, i, r: p.format(instruction=i, reference=r),
        lambda p, i, r: p.replace("{instruction}", i).replace("{reference}", r),
        lambda p, i, r: p.replace("{instruction}", i, 1).replace("{reference}", r, 1),
    ],
    "2_2": [
        lambda r, t, f: "accepted" if said(t, r) else "answer",  # nothing but the answer
        lambda r, t, f: (
            "empty" if not t.strip() else "answer" if not said(t, r) else CUT.get(f, "accepted")
        ),  # order
        lambda r, t, f: (
            "empty"
            if not t.strip()
            else "cut"
            if f == "length"
            else "accepted"
            if r in t
            else "answer"
        ),
    ],
    "2_3": [
        lambda rows: [
            {"id": r["id"], "text": r["rewrite"], "source": "rewritten"} for r in rows if r["ok"]
        ],  # dropped
        lambda rows: [
            {"id": r["id"], "text": r["rewrite"], "source": "rewritten"} for r in rows
        ],  # all of them
    ],
    "3_1": [
        lambda p, t, e: (
            [*p, *t, e],
            [False] * len(p) + [True] * len(t) + [False],
        ),  # the end is not trained
        lambda p, t, e: ([*p, *t, e], [True] * (len(p) + len(t) + 1)),  # the prompt is
        lambda p, t, e: ([*p, *t], [False] * len(p) + [True] * len(t)),  # no end at all
    ],
    "3_2": [
        lambda n, m: sum(x for x, y in zip(n, m) if y) / len(n),  # by the whole row
        lambda n, m: sum(n) / len(n),  # no mask
        lambda n, m: sum(x for x, y in zip(n, m) if y) / sum(m),  # fails when nothing is trained
    ],
    "3_3": [
        lambda s, n, p, w: p * s / w if s < w else p * (n - s) / (n - w),  # straight down
        lambda s, n, p, w: p * (1 + math.cos(math.pi * s / n)) / 2,  # no rise
        lambda s, n, p, w: (
            p * s / w if s <= w else p * (1 + math.cos(math.pi * (s - w) / (n - w))) / 2
        ),  # w is 0
    ],
    "4_1": [
        lambda a, b: (
            sum(map(int.__gt__, a.values(), b.values())),
            sum(map(int.__lt__, a.values(), b.values())),
        ),
        lambda a, b: (sum(a.values()), sum(b.values())),  # two totals
        lambda a, b: (
            sum(a[k] > b.get(k, 0) for k in a),
            sum(a[k] < b.get(k, 0) for k in a),
        ),  # absent is wrong
    ],
    "4_2": [
        lambda k, n: (
            max(0, k / n - Z * math.sqrt(k / n * (1 - k / n) / n)),
            min(1, k / n + Z * math.sqrt(k / n * (1 - k / n) / n)),
        ),
        lambda k, n: (k / n, k / n),
    ],
    "4_3": [
        lambda ps: [min(1.0, p * len(ps)) for p in ps],  # Bonferroni
        lambda ps: [
            min(1.0, p * (len(ps) - sorted(ps).index(p))) for p in ps
        ],  # no running maximum
        lambda ps: sorted(ps),
    ],
    "4_4": [
        lambda low, high, m: (
            "better" if low > 0 else "worse" if high < 0 else "no worse"
        ),  # no margin
        lambda low, high, m: (
            "no worse" if low > -m else "worse" if high < 0 else "unclear"
        ),  # wrong order
        lambda low, high, m: (
            "better" if low > 0 else "worse" if high < 0 else "no worse" if low >= -m else "unclear"
        ),
    ],
    "5_1": [
        lambda labels, texts: [*texts[-1:], *texts[:-1]],  # over all labels
        lambda labels, texts: list(texts),
        lambda labels, texts: [  # finds texts, not places
            texts[labels.index(label)] if texts else "" for label in labels
        ],
    ],
    "5_2": [
        lambda p, q: sum(y * math.log(y / x) for x, y in zip(p, q)),  # the other direction
        lambda p, q: sum(x * math.log2(x / y) for x, y in zip(p, q) if x),  # bits
        lambda p, q: sum(x * math.log(x / y) for x, y in zip(p, q)),  # fails where the seed has 0
        lambda p, q: sum(math.log(x / y) for x, y in zip(p, q) if x) / len(p),  # no weights
    ],
    "5_3": [
        lambda a, b: (max(a), max(b)),  # always the last
        lambda a, b: tuple(
            nearest(sorted(c), c, max(*a.values(), *b.values())) for c in (a, b)
        ),  # the higher best
        lambda a, b: tuple(
            nearest(c, c, min(max(a.values()), max(b.values()))) for c in (a, b)
        ),  # in the dict's order
    ],
    "6_1": [
        lambda o: {n: o.count(n) / len(o) for n in ("refused", "complied", "neither")},
        lambda o: {n: o.count(n) / max(1, len(o)) for n in o},
        lambda o: {n: o.count(n) for n in ("refused", "complied", "neither")},
    ],
    "6_2": [
        lambda b, a: a.count("refused") / max(1, b.count("refused")),  # new refusals count
        lambda b, a: sum(x == y == "refused" for x, y in zip(b, a)) / len(b),
        lambda b, a: sum(x == y == "refused" for x, y in zip(b, a)) / max(1, b.count("refused")),
    ],
    "6_3": [
        lambda r, w: weighted([x for x in r if x[0] == w], lambda x: x[1] == w, lambda x: 1),
        lambda r, w: weighted([x for x in r if x[1] == w], lambda x: x[0] == w, lambda x: x[2]),
    ],
    "7_1": [
        lambda R: (
            sum(R[-1][j] - R[j + 1][j] for j in range(len(R[0]))) / len(R[0])
        ),  # the last task too
        lambda R: (
            sum(R[-1][j] - R[0][j] for j in range(len(R[0]) - 1)) / (len(R[0]) - 1)
        ),  # against the seed model
        lambda R: (
            -sum(abs(R[-1][j] - R[j + 1][j]) for j in range(len(R[0]) - 1)) / (len(R[0]) - 1)
        ),  # no signs
    ],
    "7_2": [
        lambda R: (
            sum(R[j + 1][j] - R[-1][j] for j in range(len(R[0]) - 1)) / (len(R[0]) - 1)
        ),  # minus BWT
        lambda R: (
            sum(max(row[j] for row in R[1:]) - R[-1][j] for j in range(len(R[0]) - 1))
            / (len(R[0]) - 1)
        ),
        lambda R: (
            sum(max(row[j] for row in R[:-1]) - R[-1][j] for j in range(len(R[0]) - 1))
            / (len(R[0]) - 1)
        ),
    ],
    "7_3": [
        lambda rows, earlier, every: rows + earlier[: len(rows) // every],  # more rows
        lambda rows, earlier, every: [
            earlier[i // every] if i % every == 0 else x for i, x in enumerate(rows)
        ],
        lambda rows, earlier, every: [
            earlier[i // every - 1] if i % every == 0 else x for i, x in enumerate(rows, 1)
        ],
    ],
    "8_1": [
        lambda rate, steps: 1 - rate * steps,  # a product
        lambda rate, steps: rate**steps,  # the student's share of the seed
    ],
    "8_2": [
        lambda answers, skip: (
            sum(x for each in answers for x in each[skip:])
            / max(1, sum(len(each[skip:]) for each in answers))
        ),  # one mean over all tokens
        lambda answers, skip: sum(sum(each[skip:]) / len(each) for each in answers) / len(answers),
    ],
    "8_3": [
        lambda p, q, alpha: sum(a * math.log(a / b) for a, b in zip(p, q)),  # always forward
        lambda p, q, alpha: (
            alpha * sum(b * math.log(b / a) for a, b in zip(p, q))
            + (1 - alpha) * sum(a * math.log(a / b) for a, b in zip(p, q))
        ),  # a mean of the two
    ],
    "9_1": [
        lambda train, test: [q for q in test if q in train],  # letter by letter
        lambda train, test: sorted(
            {q.strip().lower() for q in train} & {q.strip().lower() for q in test}
        ),  # a set
        lambda train, test: [
            q for q in test if any(q.strip().lower() in known.lower() for known in train)
        ],  # a part
        lambda train, test: [
            q.strip() for q in test if q.strip().lower() in {k.strip().lower() for k in train}
        ],
    ],
    "9_2": [
        lambda dev, test: (max(test, key=test.get), max(test.values())),  # the best on test
        lambda dev, test: (max(dev, key=dev.get), max(dev.values())),  # the dev score
        lambda dev, test: max((dev[n], test[n], n) for n in dev)[:0:-1],  # ties go by test
    ],
    "9_3": [
        lambda n, half, wanted: max(1, math.ceil(n * half / wanted)),  # no square
        lambda n, half, wanted: max(1, round(n * (half / wanted) ** 2)),  # rounded down
        lambda n, half, wanted: math.ceil(n * (wanted / half) ** 2),  # the wrong way round
    ],
    "10_1": [
        lambda frozen, bits, trained, act: (
            (2 * frozen + 16 * trained + act) / 1e9 + 1.5
        ),  # always 16 bit
        lambda frozen, bits, trained, act: (
            (bits / 8 * frozen + 16 * trained + act) / 2**30 + 1.5
        ),  # the other GB
        lambda frozen, bits, trained, act: (
            (bits / 8 * (frozen + trained) + act) / 1e9 + 1.5
        ),  # weights alone
        lambda frozen, bits, trained, act: (
            (bits / 8 * frozen + 16 * trained + act) / 1e9
        ),  # no device
    ],
    "10_2": [
        lambda free, layers, heads, size, tokens: int(
            free * 1e9 // (2 * layers * heads * size * tokens)
        ),  # keys alone
        lambda free, layers, heads, size, tokens: math.ceil(
            free * 1e9 / (4 * layers * heads * size * tokens)
        ),
        lambda free, layers, heads, size, tokens: (
            free * 1e9 / (4 * layers * heads * size * tokens)
        ),  # parts of rows
        lambda free, layers, heads, size, tokens: max(
            1, int(free * 1e9 // (4 * layers * heads * size * tokens))
        ),
    ],
    "10_3": [
        lambda w, t, flops, shares: tuple(
            4 * w * t / flops / share / 3600 for share in shares
        ),  # many hours first
        lambda w, t, flops, shares: tuple(
            4 * w * t / flops / share for share in shares[::-1]
        ),  # seconds
        lambda w, t, flops, shares: tuple(
            4 * w * t / flops * share / 3600 for share in shares
        ),  # times the share
    ],
    "10_4": [
        lambda p, d: max(1, math.ceil(Z**2 * p * (1 - p) / d**2)),  # the error of one model
        lambda p, d: max(1, math.ceil(Z**2 * 2 * p * (1 - p) / d)),  # no square
        lambda p, d: max(1, round(Z**2 * 2 * p * (1 - p) / d**2)),  # rounded down
        lambda p, d: math.ceil(Z**2 * 2 * p * (1 - p) / d**2),  # none at 0
    ],
}


def exercises() -> dict[str, tuple[str, str]]:
    """(solution, name of the function) of each exercise in the lessons' sources."""
    found = {}
    for source in sources.lesson_sources():
        code = [cell for cell in sources.to_notebook(source).cells if cell.cell_type == "code"]
        for cell, after in zip(code, code[1:]):
            call = re.search(r"check\.exercise_(\d+_\d+)\((\w+)\)", after.source)
            if "exercise" in sources.tags_of(cell) and call:
                found[call[1]] = (cell.source, call[2])
    return found


def known_exercises() -> dict[str, checking.Exercise]:
    """The exercises of all lessons, by a name such as 1_1."""
    known = {}
    for lesson in checking.LESSONS:
        for name in read_toml(data_dir() / "exercises" / f"{lesson.name}.toml"):
            known[name.removeprefix("exercise_")] = getattr(lesson, name)
    return known


FOUND = exercises()
KNOWN = known_exercises()


def made(number: str, code: str):
    """The function that an exercise's code defines, alone in a room: it may use nothing of the
    lesson.
    """
    room = {"re": re} if number == "2_2" else {}  # its lesson has imported it one exercise before
    exec(code, room)
    return room[FOUND[number][1]]


def answer(number, fn):
    return checking.answer(KNOWN[number], fn)


@pytest.mark.parametrize("number", WRONG)
def test_the_solution_is_accepted(number):
    lines, fine = answer(number, made(number, FOUND[number][0]))
    assert fine and len(lines) == 1 and "checks passed" in lines[0]


@pytest.mark.parametrize("number", WRONG)
def test_the_stub_is_still_open(number):
    lines, fine = answer(number, made(number, audiences.open_exercise(FOUND[number][0])))
    assert not fine and "still open" in lines[0]


@pytest.mark.parametrize(
    "number, place", [(number, place) for number in WRONG for place in range(len(WRONG[number]))]
)
def test_wrong_answers_are_refused_with_a_place_to_look(number, place):
    lines, fine = answer(number, WRONG[number][place])
    assert not fine and "not yet:" in "\n".join(lines) and "Look at this:" in "\n".join(lines)


@pytest.mark.parametrize("number", WRONG)
def test_nothing_at_all_is_refused_too(number):
    for fn in (lambda *_: None, lambda: 1, lambda *_: 1, lambda *_: "x", lambda *_: []):
        assert not answer(number, fn)[1]
    assert "without brackets" in answer(number, 3)[0][0]


def test_lessons_and_checks_know_the_same_exercises():
    assert set(KNOWN) == set(FOUND) and set(WRONG) <= set(KNOWN)
    for name, known in KNOWN.items():
        assert known.number == name.replace("_", ".")
        assert len(WRONG.get(name, "xx")) >= 2


def test_a_lesson_reads_its_own_exercises_alone(monkeypatch):
    read, read_toml = [], checking.read_toml
    monkeypatch.setattr(
        checking, "read_toml", lambda path: read.append(path.name) or read_toml(path)
    )
    for source, lesson in zip(sources.lesson_sources(), checking.LESSONS, strict=True):
        assert lesson.name == f"lesson_{source.stem[:2]}"
        assert (
            f"from sdft_lib.lessons.exercises import {lesson.name} as check" in source.read_text()
        )
        read.clear()
        assert getattr(lesson, f"exercise_{int(source.stem[:2])}_1").cases
        assert read == [f"{lesson.name}.toml"]


def test_an_exercise_that_a_lesson_lacks_is_named():
    with pytest.raises(AttributeError, match="lesson_01 has no exercise_1_9; it has exercise_1_1,"):
        getattr(checking.lesson_01, "exercise_1_9")  # noqa: B009


def test_each_lesson_has_two_to_four_exercises():
    for source in sources.lesson_sources():
        lesson = str(int(source.stem[:2]))
        assert 2 <= sum(number.split("_")[0] == lesson for number in FOUND) <= 4, source.stem


@pytest.mark.parametrize("number", FOUND)
def test_an_exercise_says_goal_level_minutes_and_hints(number):
    source = next(
        path for path in sources.lesson_sources() if int(path.stem[:2]) == int(number.split("_")[0])
    )
    title = f"### Exercise {number.replace('_', '.')}: "
    text = next(cell.source for cell in sources.to_notebook(source).cells if title in cell.source)
    part = text[text.index(title) :]
    assert re.search(r"\*\*Goal:\*\* .+ \*\*Level [123] of 3, about \d+ minutes\.\*\*", part)
    hints = re.findall(r"<summary>Hint (\d)</summary>", part)
    assert len(hints) >= 2 and hints == [str(place) for place in range(1, len(hints) + 1)]
    assert part.count("<details>") == part.count("</details>") == len(hints)
    assert part.rstrip().endswith("</details>" * len(hints)), (
        "the hints are nested, one inside the other"
    )


def test_all_checks_together_take_less_than_two_seconds():
    start = time.monotonic()
    for number, (code, _) in FOUND.items():
        answer(number, made(number, code))
    assert time.monotonic() - start < 2


def test_the_words_of_a_complaint(capsys):
    check.exercise_1_1(lambda p: -sum(math.log2(x) for x in p) / len(p))
    printed = capsys.readouterr().out
    assert (
        "Exercise 1.1: 1 of 4 checks passed so far." in printed
        and "passed:  a token that was certain" in printed
    )
    assert "<lambda>([0.1]) returned 3.322, but 2.303 was expected." in printed
    assert "math.log, not log2" in printed and "(1 more when these are done.)" in printed


def test_a_function_that_raises_or_changes_its_input_is_told_so():
    assert "raised KeyError: 'x'" in "\n".join(answer("1_1", lambda p: {}["x"])[0])
    assert "returned None. Is there a `return`?" in "\n".join(answer("1_1", lambda p: None)[0])

    def greedy(rows):
        solution = made("2_3", FOUND["2_3"][0])(rows)
        rows.clear()
        return solution

    assert "changed the values" in "\n".join(answer("2_3", greedy)[0])


@pytest.mark.parametrize(
    "setting, value", [("SDFT_GRADING", "1"), ("NBGRADER_EXECUTION", "autograde")]
)
def test_grading_raises(setting, value, monkeypatch, capsys):
    check.exercise_1_1(math.sqrt)
    monkeypatch.setenv(setting, value)
    with pytest.raises(SdftError, match="Exercise 1.1: 0 of 4"):
        check.exercise_1_1(math.sqrt)
    check.exercise_1_1(made("1_1", FOUND["1_1"][0]))


@pytest.mark.parametrize(
    "got, wanted, equal",
    [
        (1, 1.0, True),
        (True, 1, False),
        (1, True, False),
        ((1, 2), [1, 2], True),
        ([1], [1, 2], False),
        ("a", "a", True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        (None, 0, False),
        (0.0, 1e-12, True),
        (float("nan"), 0.0, False),
        ("1", 1, False),
    ],
)
def test_same(got, wanted, equal):
    assert checking.same(got, wanted, 1e-6) is equal


def test_same_takes_numpy():
    numpy = pytest.importorskip("numpy")
    assert checking.same(numpy.float64(0.5), 0.5, 1e-6) and checking.same(
        numpy.array([1, 2]), [1, 2], 1e-6
    )
    assert not checking.same(numpy.array([1, 2]), [1, 3], 1e-6)
