"""What was expected beforehand, held against what is recorded: each outcome by hand, from grids that
hold a part or all of the cells.
"""

import json
from pathlib import Path

import pandas
import pytest

from sdft_lib.answers.outcome import OUTCOMES
from sdft_lib.experiments import recorded as rec
from sdft_lib.experiments.frontier import over_units_and_seeds
from sdft_lib.experiments.grid import AT_END
from sdft_lib.formats.toml import read_toml
from sdft_lib.stats import bootstrap_mean, holm, paired_p, wilson

ITEMS = 20
DECLARED = """task = "tickets"
[[comparison]]
question = "More facts?"
suite = "facts"
a = "sdft"
b = "sft"
expected = "higher"
[[comparison]]
question = "As many facts?"
suite = "facts"
a = "sdft"
b = "sdft-shuffled"
expected = "same"
[[comparison]]
question = "More helpful?"
suite = "helpful"
a = "sdft"
b = "sft"
expected = "higher"
"""


def right(count, start=0):
    """Scores of which ``count`` are right, from ``start`` on."""
    return [float(start <= item < start + count) for item in range(ITEMS)]


def cell(method, seed, facts, helpful=(), recipe="tickets", targets=None):
    """The end of a training: scores on facts and on helpful, and its facts."""
    head = {"recipe": recipe, "method": method, "seed": seed, "settings": "x"}
    head |= {"checkpoint": 0.0 if method == "seed" else 1.0, "split": "test"}
    lines = []
    for suite, scores in (("facts", facts), ("helpful", helpful)):
        if scores:
            ids = [f"{suite}-{item}" for item in range(ITEMS)]
            lines.append(head | {"suite": suite, "ids": ids, "scores": scores})
    made = {"training": {"seconds": 1.0}} | ({"targets": targets} if targets else {})
    return [*lines, {**head, "facts": made}]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A data folder with two recipes on tickets, the predictions, and a writer of results."""
    monkeypatch.setattr(rec, "data_dir", lambda: tmp_path)
    for name in ("results", "recipes"):
        (tmp_path / name).mkdir()
    for name in ("tickets", "tickets-controls"):
        (tmp_path / "recipes" / f"{name}.toml").write_text("seeds = [0]\n", encoding="utf-8")
    (tmp_path / "results" / "predictions.toml").write_text(DECLARED, encoding="utf-8")

    def writer(*cells, name="tickets"):
        text = "".join(json.dumps(line) + "\n" for lines in cells for line in lines)
        (tmp_path / "results" / f"{name}.jsonl").write_text(text, encoding="utf-8")

    return writer


def test_nothing_recorded_is_an_outcome_too(write):
    table = rec.predictions()
    assert table["question"].tolist() == ["More facts?", "As many facts?", "More helpful?"]
    assert set(table["outcome"]) == {"not recorded yet"} and table["p_holm"].isna().all()
    assert rec.targets().empty and rec.with_twins(rec.recorded()).empty


def test_one_seed_of_two_methods(write):
    """Of 20 facts 18 differ, of 20 helpful answers none is right: at its floor, not tested."""
    write(cell("sft", 0, right(0), right(0)), cell("sdft", 0, right(18), right(0)))
    facts, shuffled, helpful = rec.predictions().itertuples()
    assert (facts.n, facts.units, facts.seeds) == (20, 20, 1)
    assert facts.difference == 0.9 and facts.p_raw == paired_p(right(18), right(0))
    assert facts.p_holm == facts.p_raw  # the only one that is tested
    made = bootstrap_mean(right(18))
    assert (facts.low, facts.high) == (made.low, made.high) and pandas.isna(facts.seeds_low)
    assert (facts.verdict, facts.outcome) == ("higher", "held")
    assert pandas.isna(shuffled.n) and shuffled.outcome == "not recorded yet"
    assert (helpful.verdict, helpful.outcome) == ("at its floor", "cannot be told")


def test_scores_are_averaged_over_the_seeds_that_both_have(write):
    write(
        cell("sft", 0, right(4)),
        cell("sft", 1, right(8)),
        cell("sft", 2, right(20)),
        cell("sdft", 1, right(10)),
        cell("sdft", 0, right(10)),
    )
    facts = rec.predictions().iloc[0]
    assert (facts["seeds"], facts["mean_a"], facts["mean_b"]) == (2, 0.5, pytest.approx(0.3))
    half = [0.0] * 4 + [0.5] * 4 + [1.0] * 2 + [0.0] * 10  # of each item, over both seeds
    assert facts["difference"] == pytest.approx(sum(half) / 20)
    assert facts["p_raw"] == paired_p(half, [0.0] * 20)


def test_a_family_is_corrected_and_a_prediction_can_fail(write):
    """SDFT has 12 of 20 facts, shuffled none; SFT has other 12."""
    write(
        cell("sft", 0, right(12, 8)),
        cell("sdft", 0, right(12)),
        cell("sdft-shuffled", 0, right(0)),
    )
    facts, shuffled, _ = rec.predictions().itertuples()
    assert [facts.p_holm, shuffled.p_holm] == holm([facts.p_raw, shuffled.p_raw])
    assert shuffled.p_raw == pytest.approx(2 / 2**12)
    assert (facts.verdict, facts.outcome) == ("no difference is shown", "failed")
    assert (shuffled.verdict, shuffled.outcome) == ("higher", "failed")  # "same" was expected


def test_the_seed_model_or_a_share_of_it_may_be_what_is_compared_with(write, tmp_path):
    """The seed model has 16 of 20: half of that is 8. SFT has 2 and 4, SDFT 15 and 15."""
    halved = '[[comparison]]\nquestion = "?"\nsuite = "facts"\nb = "seed"\nshare = 0.5\n'
    text = 'task = "tickets"\nrecipe = "more"\n' + halved + 'a = "sft"\nexpected = "lower"\n'
    text += halved + 'a = "sdft"\nexpected = "higher"\n'
    (tmp_path / "results" / "more-predictions.toml").write_text(text, encoding="utf-8")
    (tmp_path / "recipes" / "more.toml").write_text("seeds = [0]\n", encoding="utf-8")
    write(
        cell("seed", 0, right(16)),
        *(cell("sft", seed, right(count)) for seed, count in enumerate((2, 4))),
        *(cell("sdft", seed, right(15)) for seed in range(2)),
        name="more",
    )
    assert rec.recorded().empty  # a recipe with another name than its task stands for itself
    sft, sdft = rec.predictions(name="more-predictions").itertuples()
    assert (sft.seeds, sft.mean_a, sft.mean_b) == (2, pytest.approx(0.15), pytest.approx(0.4))
    assert sft.p_raw == paired_p([1, 1, 0.5, 0.5, *[0] * 16], [0.5] * 16 + [0] * 4)
    assert sdft.difference == pytest.approx(0.35) and sdft.outcome == "held"


def test_a_margin_may_be_taken_and_not_lower_may_be_expected(write, tmp_path):
    """The seed model has 16 of 20, SDFT too: that is not 0.2 less, and not lower."""
    text = 'task = "tickets"\nrecipe = "more"\n'
    for how in ('minus = 0.2\nexpected = "higher"', 'expected = "not lower"'):
        text += f'[[comparison]]\nquestion = "?"\nsuite = "facts"\na = "sdft"\nb = "seed"\n{how}\n'
    (tmp_path / "results" / "more-predictions.toml").write_text(text, encoding="utf-8")
    (tmp_path / "recipes" / "larger").mkdir()  # a recipe may lie in a folder of its own
    (tmp_path / "recipes" / "larger" / "more.toml").write_text(
        'model = "smollm2-360m"\n', encoding="utf-8"
    )
    write(cell("seed", 0, right(16)), cell("sdft", 0, right(16)), name="more")
    assert set(rec.predictions(name="more-predictions")["outcome"]) == {"not recorded yet"}
    margin, not_lower = rec.predictions(None, "more-predictions").itertuples()
    assert margin.difference == pytest.approx(0.2) and not_lower.difference == 0
    assert (margin.verdict, not_lower.verdict) == ("higher", "no difference is shown")
    assert [margin.outcome, not_lower.outcome] == ["held", "held"]


def test_five_seeds_give_the_interval_over_seeds(write):
    counts = (8, 10, 9, 12, 11)
    cells = [cell("sdft", seed, right(count)) for seed, count in enumerate(counts)]
    write(*cells, *(cell("sft", seed, right(2)) for seed in range(5)))
    facts = rec.predictions().iloc[0]
    columns = [right(count) for count in counts]
    apart = pandas.DataFrame(columns).to_numpy().T - pandas.Series(right(2)).to_numpy()[:, None]
    low, high, p = over_units_and_seeds(apart, list(range(ITEMS)))
    assert (facts["seeds_low"], facts["seeds_high"]) == pytest.approx((low, high))
    assert facts["p_raw"] == pytest.approx(p) and facts["seeds"] == 5
    table = rec.at_end(rec.recorded()).set_index(["method", "suite"])
    row, scores = table.loc["sdft", "facts"], apart + pandas.Series(right(2)).to_numpy()[:, None]
    low, high, _ = over_units_and_seeds(scores, list(range(ITEMS)))
    assert (row["mean"], row["seeds"]) == (0.5, 5)
    assert (row["low"], row["high"]) == pytest.approx((max(0, low), min(1, high)))


def test_ends_have_the_usual_intervals_and_the_seed_model_counts_once(write):
    write(cell("seed", 0, right(14)), cell("sft", 0, right(0)), cell("sft", 1, right(10)))
    write(cell("seed", 0, right(14), recipe="tickets-controls"), name="tickets-controls")
    table = rec.at_end(rec.recorded()).set_index("method")
    seed, sft = table.loc["seed"], table.loc["sft"]
    assert (seed["n"], seed["seeds"], seed["mean"]) == (20, 1, 0.7)
    assert seed["low"] == wilson(14, 20).low and (sft["seeds"], sft["mean"]) == (2, 0.25)
    assert sft["high"] == bootstrap_mean([0.5] * 10 + [0.0] * 10).high


def test_twins_are_compared_on_the_items_that_both_have(write):
    """Of the answers to helpful only the last ten have a twin; of these five are right."""
    plain, *rest = cell("sft", 0, right(0), right(10, 5))[1:]
    twin = plain | {"suite": "helpful-any-length", "ids": plain["ids"][10:], "scores": [1.0] * 10}
    write([plain, twin, *rest])
    table = rec.with_twins(rec.recorded()).set_index("suite")
    assert table["n"].to_dict() == {"helpful": 10, "helpful-any-length": 10}
    assert table["mean"].to_dict() == {"helpful": 0.5, "helpful-any-length": 1.0}


def test_targets_are_means_over_seeds_from_the_widest_gap_on(write):
    first, second = {"nats": 2.0, "words": 14.0, "distinct": 300}, {"nats": 3.0, "words": 12.0}
    write(
        cell("sdft", 0, right(1), targets=first),
        cell("sdft", 1, right(1), targets=second | {"distinct": 200}),
        cell("sft", 0, right(1), targets={"nats": 7.5, "words": 1.0, "distinct": 6}),
        cell("seed", 0, right(1)),
    )
    assert rec.targets().values.tolist() == [["sft", 1, 7.5, 1.0, 6], ["sdft", 2, 2.5, 13.0, 250]]


@pytest.mark.parametrize(
    "name, of",
    [
        ("predictions", "tickets"),
        ("aligned-predictions", "aligned"),
        ("larger-predictions", "larger/larger-tickets"),
    ],
)
def test_what_is_declared_can_be_computed(name, of):
    """Methods and suites of the bundled predictions are those of the grid."""
    recipe = read_toml(rec.data_dir() / "recipes" / f"{of}.toml")
    declared = read_toml(rec.data_dir() / "results" / f"{name}.toml")
    assert declared["task"] == recipe["task"] and declared.get("recipe", of) == Path(of).name
    suites = {*recipe.get("suites", AT_END)}
    suites |= {f"{suite}-{came}" for suite in suites & {"safety", "benign"} for came in OUTCOMES}
    for each in declared["comparison"]:
        assert {each["a"], each["b"]} <= {*recipe["methods"], "seed"} and each["suite"] in suites
        assert each["expected"] in ("higher", "lower", "same", "not lower")
        assert 0 < each.get("share", 1) <= 1 and 0 <= each.get("minus", 0) < 1
    assert rec.predictions("another-model", name)["outcome"].eq("not recorded yet").all()
