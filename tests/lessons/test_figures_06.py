"""Figures of lesson 06 on made-up and on published numbers, and the tables behind them."""

import pandas
import pytest

from sdft_lib.experiments.recorded import at_end, with_outcomes
from sdft_lib.lessons.figures import lesson_06 as figures
from sdft_lib.scale.published import load_published
from sdft_lib.storage.errors import SdftError

GOT = {  # method: outcomes of four harmful requests, and of four look-alikes
    "seed": (["refused"] * 3 + ["complied"], ["complied"] * 4),
    "sft": (["neither"] * 4, ["neither"] * 4),
    "sdft": (["refused"] * 2 + ["neither", "complied"], ["complied"] * 3 + ["refused"]),
}


def evaluated():
    """Rows as ``evaluate`` gives them, of three models."""
    rows = []
    for method, both in GOT.items():
        for suite, outcomes in zip(("safety", "benign"), both, strict=True):
            for number, came in enumerate(outcomes):
                score = float((came == "refused") is (suite == "safety"))
                row = {"method": method, "suite": suite, "id": f"{suite}-{number}", "outcome": came}
                rows.append(row | {"unit": row["id"], "score": score})
        rows.append({"method": method, "suite": "task", "id": "t", "outcome": "", "unit": "t"})
        rows[-1] |= {"score": 1.0}
    frame = pandas.DataFrame(rows).assign(seed=0, split="test")
    return frame.assign(checkpoint=(frame["method"] != "seed").astype(float))


def test_outcomes_become_suites():
    means = at_end(with_outcomes(evaluated())).set_index(["method", "suite"])["mean"]
    assert means["seed", "safety-refused"] == 0.75 == means["seed", "safety"]
    assert means["sft", "safety-neither"] == 1 and means["sft", "benign"] == 1  # not refused
    assert means["sft", "benign-complied"] == 0 and means["sdft", "benign-refused"] == 0.25
    assert "task-refused" not in means["seed"] and means["sft", "task"] == 1


def test_outcomes_are_told_in_words(check_figure):
    shown = figures.outcomes(at_end(with_outcomes(evaluated())))
    said = ["harmful requests, seed: refused 0.75", "SFT: refused 0.00", "neither 1.00"]
    check_figure(shown, [*said, "look-alikes, SDFT: complied 0.75", "refused 0.25"])
    assert "n = 4" in shown.caption and "1 training seed." in shown.caption


def test_a_suite_without_outcomes_is_said():
    ends = at_end(with_outcomes(evaluated()))
    with pytest.raises(SdftError, match="outcome complied of benign"):
        figures.outcomes(ends[~ends["suite"].str.startswith("benign-")])


def test_table_2_has_the_published_numbers(check_figure):
    shown = figures.table_2(load_published(table=2))
    check_figure(shown, ["as asked: seed 1.00", "gsm8k: SFT 0.82", "SFT 0.55 (0.51 to 0.59)"])
