"""Lesson 10 with a recipe of the paper in place of the rehearsal: the very cells, a tiny model,
public data.
"""

from pathlib import Path

import pytest

from ci.lessons import sources
from sdft_lib import verify
from sdft_lib.paper.suites import text_suite

LESSON = sources.SOURCES / "10_full_scale.py"


@pytest.fixture
def model(tiny_seed, tmp_path) -> Path:
    """A tiny model with room for the recipe's 512 new tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**tiny_seed.model.config.to_dict() | {"max_position_embeddings": 4096})
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    tiny_seed.tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def run(parameters: dict, until: str) -> dict:
    """What stands in memory after the lesson's cells up to the heading ``until``, with these
    parameters.
    """
    place: dict = {}
    for cell in sources.to_notebook(LESSON).cells:
        if cell.cell_type == "markdown" and until in cell.source:
            return place
        if cell.cell_type == "code" and not sources.is_setup(cell):
            exec(cell.source, place)
            place |= parameters if "parameters" in sources.tags_of(cell) else {}
    raise AssertionError(f"the lesson has no heading {until!r}")


def test_the_cells_of_the_rehearsal_run_a_recipe_of_the_paper(
    model, paper_data, tmp_path, monkeypatch
):
    """Rewrites without sense are taken as they are here; a recipe goes on however many were
    kept.
    """
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "sdft_lib.distill.accept", lambda *_, **__: verify.Verdict(True, "accepted")
    )
    made = run({"model": str(model), "hardware": "a100", "rows": 2}, "## 4. Read a results table")
    assert not made["rehearsal"] and made["recipe"].name == "llama2-7b-openfunctions"
    assert made["task"].name == "openfunctions"
    assert made["test"].max_new_tokens == made["decoding"].max_new_tokens == 512
    assert (made["config"].learning_rate, made["config"].epochs, made["config"].seed) == (
        1e-4,
        5,
        42,
    )
    scored = made["summary"].set_index(["method", "suite"])["n"]
    assert [scored[name, "openfunctions"] for name in ("seed", "sft", "sdft")] == [2, 2, 2]


def test_a_recipe_that_fits_nowhere_is_said(capsys):
    """All weights of a 7B on a T4: the plan says so, and the rehearsal goes on."""
    made = run(
        {"table": 5, "recipe_name": "llama2-7b-gsm8k-full", "fast": True}, "### Step 1: rewrite"
    )
    assert not made["fits"] and made["config"].parts == 1
    printed = capsys.readouterr().out
    assert "t4: does not fit" in printed and "Choose other hardware." in printed


@pytest.mark.parametrize(
    ("dataset", "name", "kind"),
    [
        ("openfunctions", "openfunctions", "call"),
        ("gsm8k", "gsm8k", "math"),
        ("magicoder", "gsm8k", "math"),
    ],
)
def test_a_training_set_is_measured_where_reading_is_enough(dataset, name, kind, monkeypatch):
    monkeypatch.setattr(
        "sdft_lib.paper.suites.load_items", lambda suite, limit: [{"id": suite.name}][:limit]
    )
    suite = text_suite(dataset, 1)
    assert (suite.name, suite.kind, suite.max_new_tokens, len(suite.rows)) == (name, kind, 512, 1)
