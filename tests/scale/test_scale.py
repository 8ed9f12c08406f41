"""Lesson 10: parts of memory and power by hand and against the formulas they come from, figures,
widgets.
"""

import math
import random

import pytest

from sdft_lib.lessons.figures import lesson_10 as figures
from sdft_lib.lessons.widgets import lesson_10 as widgets
from sdft_lib.paper.plan import plan, total
from sdft_lib.paper.recipes import recipes_of
from sdft_lib.scale import memory, power, published
from sdft_lib.scale.hardware import devices, geometry, lora_parameters, parameters, training_bytes
from sdft_lib.storage.errors import SdftError

LLAMA = geometry("llama-2-7b")
OPENFUNCTIONS = plan(1, recipes_of(1, ("llama2-7b-openfunctions",)))
FULL = []
for step in plan(5, recipes_of(5, ("llama2-7b-gsm8k-full",))):
    if step.step != "evaluate" or step.data == "gsm8k":
        FULL.append(step)


@pytest.mark.parametrize("way, settings", memory.WAYS.items())
def test_the_parts_are_those_of_the_estimate(way, settings):
    table = memory.training_table("llama-2-7b", tokens=4000, targets=900).set_index("way")
    trained = parameters(LLAMA) if "full" in settings else 4_194_304
    whole = training_bytes(LLAMA, tokens=4000, logits=900, trained=trained, **settings)
    row = table.loc[way]
    assert row["total"] == pytest.approx(whole / 1e9)
    assert row[list(figures.PARTS)].sum() == pytest.approx(whole / 1e9)
    assert row["trained weights"] == pytest.approx(16 * trained / 1e9)
    frozen = {"QLoRA, checkpointing": 3.8665, "all weights, checkpointing": 0}
    assert row["frozen weights"] == pytest.approx(frozen.get(way, 13.4768), abs=1e-3)


def test_what_fits_is_known_by_hand():
    """LoRA 58 GB, 22 with checkpointing, 12 in 4 bit, all weights 116: 0.9 x 15.8 and 0.9 x 84.9 GB
    are there.
    """
    table = memory.training_table("llama-2-7b", tokens=8192, targets=4096).set_index("way")
    assert table["t4"].tolist() == ["no", "no", "fits", "no"]
    assert table["a100"].tolist() == ["fits", "fits", "fits", "2 devices"]
    assert table["total"].round().tolist() == [58, 22, 12, 116]


def test_a_small_model_fits_a_t4_wherever_that_is_a_way():
    table = memory.training_table("smollm2-135m", tokens=512, targets=128).set_index("way")
    allowed = {(found[1], found[2]) for found in memory.ways(devices()[0], False)}
    for way in list(memory.WAYS)[:3]:
        settings = memory.WAYS[way]
        able = (settings.get("checkpointing", False), settings.get("four_bit", False)) in allowed
        assert table.loc[way, "t4"] == ("fits" if able else "no")
        assert table.loc[way, "a100"] == "fits"


def test_rows_written_at_once_by_hand():
    """A row of 1,024 tokens takes 0.537 GB; half of the 10.4 GB that 4-bit weights leave on a T4
    holds nine.
    """
    table = memory.answering_table("llama-2-7b", tokens=1024).set_index(["device", "bits"])
    assert table.loc[("t4", 4), "rows"] == int((15.8 - 1.5 - 3.867) / 2 / 0.537) == 9
    assert table.loc[("t4", 16), "rows"] == 0 and table.loc[("a100", 16), "rows"] == 40
    assert table.loc[("t4", 4), "cache"] == pytest.approx(0.5369, abs=1e-4)


@pytest.mark.parametrize("device", ["t4", "a100", "h100"])
def test_the_plan_as_a_table_adds_up(device):
    table = memory.plan_table(OPENFUNCTIONS, device)
    whole = total(OPENFUNCTIONS, device).hours
    assert (table["low"].sum(), table["high"].sum()) == pytest.approx(whole)
    assert table["rows"].tolist() == [1595, 2211, 1595, 2211, 2211, 1595]  # 112 + 1,319 + 164 items
    assert table["step"].tolist() == [
        "evaluate",
        "train",
        "evaluate",
        "rewrite",
        "train",
        "evaluate",
    ]


def test_a_step_that_does_not_fit_has_no_hours():
    on_t4 = memory.plan_table(FULL, "t4").set_index(["method", "step"])
    assert (
        math.isnan(on_t4.loc[("sft", "train"), "low"])
        and on_t4.loc[("sft", "train"), "way"] == "does not fit"
    )
    on_a100 = memory.plan_table(FULL, "a100").set_index(["method", "step"])
    cost = next(step for step in FULL if step.step == "train" and step.method == "sft").costs[
        "a100"
    ]
    assert cost.devices == 2 and on_a100.loc[("sft", "train"), "low"] == pytest.approx(
        2 * cost.hours[0]
    )


def test_evaluations_of_which_one_does_not_fit_have_no_sum():
    steps = [step for step in OPENFUNCTIONS if step.method == "seed"]
    steps[1].costs.pop("t4")
    try:
        assert math.isnan(memory.plan_table(steps, "t4")["high"].iloc[0])
    finally:
        steps[1].costs["t4"] = steps[0].costs["t4"]


def test_a_skeleton_is_the_model_without_its_numbers():
    """A small Llama, so that the test is quick; the lesson does the same with 7 billion."""
    from dataclasses import replace

    small = replace(geometry("llama-3-8b"), layers=2)
    made = memory.skeleton(small)
    assert sum(p.numel() for p in made.parameters()) == parameters(small)
    assert {p.device.type for p in made.parameters()} == {"meta"}
    with pytest.raises(SdftError, match="no Llama"):
        memory.skeleton(geometry("qwen2.5-0.5b"))


def test_lora_on_a_skeleton_has_the_counted_weights():
    from dataclasses import replace

    from peft import LoraConfig, get_peft_model

    small = replace(LLAMA, layers=1)
    made = get_peft_model(
        memory.skeleton(small), LoraConfig(r=4, target_modules=list(memory.QUERIES_VALUES))
    )
    trained = sum(p.numel() for p in made.parameters() if p.requires_grad)
    assert trained == lora_parameters(small, 4, ("q_proj", "v_proj")) == 4 * 2 * 8192


# ---- power


def test_items_by_hand():
    """0.5, 0.3: (1.96 x 0.6928 + 0.8416 x 0.6782)^2 / 0.04 = 93.0; paired: (1.0735 + 0.4532)^2 /
    0.01 = 233.1.
    """
    assert power.items_needed(0.5, 0.3) == power.items_needed(0.3, 0.5) == 93
    assert power.items_needed_paired(0.1, 0.3) == power.items_needed_paired(-0.1, 0.3) == 234
    assert power.power(0.5, 0.3, 93) == pytest.approx(0.8, abs=1e-3)


def test_power_is_how_often_a_simulated_test_is_clear():
    rng, n, runs, clear = random.Random(1), 150, 2000, 0
    for _ in range(runs):
        a, b = (sum(rng.random() < share for _ in range(n)) / n for share in (0.35, 0.5))
        pooled = (a + b) / 2
        clear += abs(a - b) > 1.96 * math.sqrt(2 * pooled * (1 - pooled) / n)
    assert clear / runs == pytest.approx(power.power(0.35, 0.5, n), abs=0.035)


@pytest.mark.parametrize("share, n", [(0.35, 112), (0.95, 520), (0.5, 1319), (0.0, 164)])
def test_the_detectable_difference_is_the_inverse_of_power(share, n):
    found = power.detectable(share, n)
    side = 1 if share <= 0.5 else -1
    assert power.power(share, share + side * found, n) == pytest.approx(0.8, abs=1e-6)
    assert (
        power.items_needed(share, share + side * found * 1.0001)
        <= n
        < power.items_needed(share, share + side * found * 0.99)
    )


def test_few_items_show_nothing():
    assert power.detectable(0.5, 3) == math.inf
    assert power.power(0.0, 0.0, 10) == 0.0 and power.power(0.0, 1.0, 10) == 1.0


@pytest.mark.parametrize(
    "ask",
    [
        lambda: power.items_needed(0.3, 0.3),
        lambda: power.items_needed(1.2, 0.3),
        lambda: power.items_needed_paired(0.2, 0.1),
        lambda: power.items_needed_paired(0.0, 0.1),
        lambda: power.power(0.1, 0.2, 0),
        lambda: figures.items_and_differences([]),
        lambda: figures.memory_parts([], "llama-2-7b"),
        lambda: figures.plan_hours({"t4": memory.plan_table(FULL, "t4").query("step == 'train'")}),
    ],
)
def test_what_cannot_be_is_one_sentence(ask):
    with pytest.raises(SdftError) as error:
        ask()
    assert "\n" not in str(error.value)


def test_published_differences_and_what_their_items_show():
    found = power.with_power(published.sdft_minus_sft(published.load_published(source="paper")))
    small = found[found["evaluation"].isin(["openfunctions", "humaneval"])]
    assert not small["seen"].any() and (small["detectable"] > 10).all()
    gsm8k = found[(found["table"] == 1) & (found["evaluation"] == "gsm8k")].set_index(
        "training_set"
    )
    gsm8k = gsm8k.loc["openfunctions"]
    assert gsm8k["seen"] and gsm8k["detectable"] == pytest.approx(4.6, abs=0.1)
    assert gsm8k["half"] == pytest.approx(
        196 * math.sqrt(0.215 * 0.785 / 1319), abs=0.02
    )  # the plain interval's


# ---- figures and widgets


def test_figures_say_what_they_show(check_figure):
    table = memory.training_table("llama-2-7b", tokens=8192, targets=4096)
    check_figure(
        figures.memory_parts(table, "llama-2-7b"),
        (
            "QLoRA, checkpointing 11.9 (frozen weights 3.9, trained weights 0.1",
            "T4 15.8, A100, H100 84.9",
        ),
    )
    tables = {device: memory.plan_table(FULL, device) for device in ("t4", "a100")}
    shown = figures.plan_hours(tables)
    check_figure(shown, ("train SFT: T4 does not fit, A100", "evaluate one model: T4"))
    found = power.with_power(published.sdft_minus_sft(published.load_published(table=1)))
    shown = figures.items_and_differences(found)
    said = "openfunctions (n = 112): 0.0 to 4.4 points, shown from 10.6 to 18.5"
    check_figure(shown, ("1 of 9 published differences", said))
    filled = [line for line in shown.fig.axes[0].lines if line.get_marker() == "^"]
    assert [(line.get_xdata()[0], round(line.get_ydata()[0], 1)) for line in filled] == [
        (1319, 7.6)
    ]


def test_widgets_follow_their_controls(widgets_on):
    box = widgets.memory_explorer()
    (model, rows, length), view = box.children[0].children, box.children[1]
    assert "to train llama-2-7b" in view.value and "LoRA 58.4" in view.value
    model.value = "llama-3-8b"
    length.value = 512
    assert "to train llama-3-8b" in view.value and "LoRA 58.4" not in view.value
    assert rows.continuous_update is length.continuous_update is False
    box = widgets.published_explorer()
    (table, trained), view = box.children[0].children, box.children[1]
    assert "1 of 9 are larger than chance" in view.value
    trained.value = "magicoder"
    assert "0 of 3 are larger than chance" in view.value
    table.value = 5
    assert view.value == "<p>Table 5 has no model that was trained on this set.</p>"


def test_widgets_may_be_off():
    assert widgets.memory_explorer() is None
    assert widgets.published_explorer() is None
