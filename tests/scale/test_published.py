"""Published figures: they are shares of items, their intervals and differences agree with
hand-computed cases.
"""

import csv
from pathlib import Path

import pytest

from sdft_lib.lessons.figures import lesson_10 as figures
from sdft_lib.lessons.figures.style import save
from sdft_lib.scale import published
from sdft_lib.stats import wilson
from sdft_lib.storage.errors import SdftError

COLUMNS = (
    "source",
    "table",
    "model",
    "tuning",
    "method",
    "training_set",
    "evaluation",
    "n_items",
    "value",
    "unit",
    "trust",
)
FOLDER = Path(__file__).resolve().parents[2] / "data" / "published"
SLIPS = {
    ("gsm8k", "45.59"),
    ("humaneval", "18.28"),
}  # Table 5: no whole number of items, a slip of print


def rows(name):
    with open(FOLDER / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_cells_of_three_tables_are_there():
    cells = rows("paper.csv")
    assert tuple(cells[0]) == COLUMNS
    assert {table: sum(row["table"] == table for row in cells) for table in "125"} == {
        "1": 21,
        "2": 21,
        "5": 54,
    }
    keys = [tuple(row[name] for name in COLUMNS[1:7]) for row in cells]
    assert len(set(keys)) == len(keys)


def test_the_card_names_what_was_read():
    """The paper's own PDF was not at hand: its tables were read off images of them."""
    card = " ".join((FOLDER / "README.md").read_text(encoding="utf-8").split())
    assert (
        "read off images of the paper's tables" in card
        and "We did not have the paper's own PDF" in card
    )
    for source in (
        "sdft_slides.pdf",
        "rickyang1114.github.io",
        "paper_1_result_table.png",
        "aizora.github.io",
    ):
        assert source in card


@pytest.mark.parametrize("name", ["paper.csv", "reruns.csv"])
def test_each_figure_is_a_share_of_its_items(name):
    for row in rows(name):
        if (
            row["unit"] == published.PERCENT
            and row["n_items"]
            and row["evaluation"] != "alpaca_eval"
        ):
            n, digits = int(row["n_items"]), len(row["value"].split(".")[1])
            nearest = 100 * round(float(row["value"]) * n / 100) / n
            given = (row["evaluation"], row["value"])
            rounded = (
                0.051 if given == ("openfunctions", "19.60") else 0.5 * 10**-digits + 1e-9
            )  # 19.6 with a 0 behind
            rounded = 0.02 if given == ("gsm8k", "29.40") else rounded
            assert abs(nearest - float(row["value"])) <= rounded or given in SLIPS, row


def test_half_marks_and_unknown_items_have_no_interval():
    frame = published.load_published(source="issue 12")
    by = frame.set_index(["method", "evaluation"])
    assert (
        by.loc[("seed", "openfunctions"), "low"] != by.loc[("seed", "openfunctions"), "low"]
    )  # NaN
    assert by.loc[("seed", "arc"), "k"] != by.loc[("seed", "arc"), "k"]
    assert by.loc[("seed", "gsm8k"), "k"] == 380


def test_interval_by_hand():
    """22 of 112: z = 1.96, centre (0.19643 + 0.01715) / 1.03430 = 0.20650, half width 0.07305."""
    assert published.interval(19.6, 112) == pytest.approx((22, 13.345, 27.955), abs=0.01)


def test_newcombe_gives_its_own_published_example():
    """56 of 70 against 48 of 80, the first example of Newcombe 1998: 0.0524 to 0.3339."""
    found = published.newcombe(wilson(56, 70), wilson(48, 80))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_which_differences_are_shown():
    found = published.sdft_minus_sft(published.load_published(source="paper"))
    assert len(found) == 36 and int(found["shown"].sum()) == 10
    by = found.set_index(["table", "tuning", "model", "training_set", "evaluation"])
    task = by.loc[(1, "lora", "llama-2-7b", "openfunctions", "openfunctions")]
    assert not task["shown"] and task["n_items"] == 112 and 12 > task["difference"] > 0
    # 39 and 41 of 112: pooled share 0.35714, standard error sqrt(2 x 0.35714 x 0.64286 / 112)
    assert task["needed"] == pytest.approx(196 * 0.06403, abs=0.01)
    assert by.loc[(1, "lora", "llama-2-7b", "openfunctions", "gsm8k"), "shown"]
    assert not found[
        (found["evaluation"] == "openfunctions") | (found["evaluation"] == "humaneval")
    ]["shown"].any()
    assert (found["p_holm"] >= found["p_raw"]).all()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: published.load_published(table=7),
        lambda: published.load_published(source="nobody"),
        lambda: published.sdft_minus_sft(
            published.load_published(table=1).query("method == 'sft'")
        ),
        lambda: figures.published_scores(published.load_published(table=1), "lima"),
        lambda: figures.published_differences([]),
    ],
)
def test_what_is_not_there_is_said(ask):
    with pytest.raises(SdftError) as error:
        ask()
    assert str(error.value).count("\n") == 0


def test_figures_say_what_they_show(tmp_path):
    table = published.load_published(table=1)
    ours = [
        {
            "method": "sdft",
            "evaluation": "gsm8k",
            "n": 1319,
            "share": 0.31,
            "low": 0.28,
            "high": 0.33,
        },
        {"method": "sdft", "evaluation": "other", "n": 9, "share": 0.5, "low": 0.2, "high": 0.8},
    ]
    shown = figures.published_scores(table, "openfunctions", ours=ours)
    for text in (
        "openfunctions: seed 0.20 (0.13 to 0.28)",
        "SDFT 0.37",
        "SDFT (ours) 0.31 (0.28 to 0.33)",
    ):
        assert text in shown.alt
    assert "other" not in shown.alt and "Unpaired" in shown.caption
    shown = figures.published_differences(published.sdft_minus_sft(table))
    assert "1 of 9 are larger than chance" in shown.alt and "openfunctions → gsm8k" in shown.alt
    assert "Holm" in shown.caption
    several = figures.published_differences(
        published.sdft_minus_sft(published.load_published(table=5))
    )
    assert "llama-2-7b, full (n = 112) gsm8k → openfunctions +10.7 (+2.6 to +19.1)" in several.alt
    assert save(shown, tmp_path / "a.png").stat().st_size > 10_000
