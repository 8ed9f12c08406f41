"""Chat, templates, generation, gap and training on the real embedded model: what each must never
get wrong.
"""

import math

import pytest

from sdft_lib.chat import Rendered, inspect, prompt_text, render
from sdft_lib.decoding import batches
from sdft_lib.decoding.prefix import collate, share_prefix
from sdft_lib.decoding.tokens import stop_ids
from sdft_lib.gap import score_rows, token_nats
from sdft_lib.generation import Decoding, generate
from sdft_lib.storage.errors import SdftError
from sdft_lib.templates import TEMPLATES, DistillTemplate, load_template
from sdft_lib.train import TrainConfig, check_share
from sdft_lib.training.weights import lora, trainable_copy


@pytest.fixture(scope="session")
def seed():
    from sdft_lib.models import load_seed

    return load_seed("smollm2-135m", dtype="fp32")


def user(text):
    return [{"role": "user", "content": text}]


QUESTIONS = [
    "Name a colour.",
    "What is the capital of France? Answer in one word.",
    "Say hello.",
    "Count to three.",
]
ANSWERS = ["Red", "Paris", "Hello", "1 2 3"]
PROMPTS = [user(f"Answer this question briefly.\n{question}") for question in QUESTIONS]


def test_trained_part_is_the_response_and_the_end_of_turn(seed):
    row = render(user("Hi"), seed.tokenizer, "Hello there.")
    trained = [token for token, kept in zip(row.ids, row.mask, strict=True) if kept]
    assert seed.tokenizer.decode(trained) == "Hello there.<|im_end|>"
    assert row.ids[-1] in stop_ids(seed.tokenizer)
    assert row.ids[: row.prompt_length] == render(user("Hi"), seed.tokenizer).ids
    assert inspect(user("Hi"), seed.tokenizer, "Hello there.").endswith(
        "[[Hello there.<|im_end|>]]"
    )


def test_prompt_goes_through_the_chat_template(seed):
    messages = [
        {"role": "system", "content": "Be kind."},
        *user("a"),
        {"role": "assistant", "content": "b"},
        *user("c"),
    ]
    text = prompt_text(messages, seed.tokenizer)
    assert text.startswith("<|im_start|>system\nBe kind.<|im_end|>")
    assert text.endswith("<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n")


FOLDS = (
    "{% for m in messages %}{{ raise_exception('no system') if m.role == 'system' }}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}"
)
DROPS = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}"


@pytest.mark.parametrize("template", [FOLDS, DROPS], ids=["refuses the role", "drops its text"])
def test_system_message_is_folded_in_where_there_is_no_role(seed, template):
    import copy

    tokenizer = copy.deepcopy(seed.tokenizer)
    tokenizer.chat_template = template
    text = prompt_text([{"role": "system", "content": "Be kind."}, *user("Hi")], tokenizer)
    assert text == "<user>Be kind.\n\nHi"


def test_empty_response_is_refused(seed):
    with pytest.raises(SdftError, match="no token would be trained"):
        render(user("Hi"), seed.tokenizer, "  ")


def test_batched_greedy_equals_batch_one(seed):
    decoding = Decoding(max_new_tokens=12)
    together = generate(seed, PROMPTS, decoding)
    assert together == [generate(seed, [prompt], decoding)[0] for prompt in PROMPTS]
    assert {answer.finish_reason for answer in together} <= {"stop", "length"}


def test_a_sampled_row_does_not_depend_on_its_batch(seed, monkeypatch):
    decoding = Decoding(max_new_tokens=8, temperature=0.9, top_p=0.95, seed=3)
    together = generate(seed, PROMPTS, decoding)
    monkeypatch.setattr(batches, "BATCH_ROWS", 1)
    assert generate(seed, PROMPTS, decoding) == together
    other = Decoding(max_new_tokens=8, temperature=0.9, top_p=0.95, seed=4)
    assert generate(seed, PROMPTS, other) != together


def test_generation_goes_on_behind_finished_rows(seed, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_ROWS", 2)
    decoding = Decoding(max_new_tokens=6)
    whole = generate(seed, PROMPTS, decoding, path=tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(lines[:3]) + lines[3][:10])
    assert generate(seed, PROMPTS, decoding, path=tmp_path / "a.jsonl") == whole


def test_too_long_a_prompt_is_refused_by_name(seed):
    with pytest.raises(SdftError, match="prompt 2: it has"):
        generate(seed, [user("Hi"), user("word " * 9000)], Decoding(max_new_tokens=4))


def test_batch_plan_holds_every_row_once():
    lengths = [5, 900, 3, 44, 44, 2000] * 30
    plan = batches.plan_batches(lengths, 64)
    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= batches.BATCH_PARTS * batches.BATCH_ROWS for batch in plan)


def test_nll_equals_a_plain_forward_pass(seed):
    import torch

    rows = [
        render(prompt, seed.tokenizer, answer)
        for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)
    ]
    for row, found in zip(rows, token_nats(seed, rows), strict=True):
        with torch.inference_mode():
            logits = seed.model(torch.tensor([row.ids])).logits[0].log_softmax(-1)
        plain = [-logits[i - 1, row.ids[i]].item() for i in range(row.prompt_length, len(row.ids))]
        assert found == pytest.approx(plain, abs=2e-3)


def test_rows_of_one_prompt_are_scored_as_each_alone(seed):
    """The whole prompt is shared, and parts of the answers, too."""
    rows = [
        {"id": text, "messages": PROMPTS[0], "text": text}
        for text in ("Yes", "Yes.", "Yes. It is so.", "No")
    ]
    for row, together in zip(rows, score_rows(seed, rows), strict=True):
        (alone,) = score_rows(seed, [row])
        assert together["nats"] == pytest.approx(alone["nats"], abs=2e-3)


def test_collate_pads_before_a_prompts_last_token():
    rows = [
        Rendered([9, 8, 1, 2, 3], [False, False, True, True, True]),
        Rendered([9, 8, 1], [False, False, True]),
    ]
    batch = collate(rows, pad=0)
    assert batch["input_ids"].tolist() == [[9, 8, 1, 2, 3], [9, 0, 0, 8, 1]]
    assert batch["labels"].tolist() == [[-100, 1, 2, 3], [-100, -100, -100, 1]]


def test_nll_row_counts_the_end_of_turn(seed):
    (row,) = score_rows(seed, [{"id": "a", "messages": user("Hi"), "text": "Hello"}])
    assert row["tokens"] == 2
    assert math.isclose(row["nll"] * 2, row["nats"], abs_tol=1e-4)


def test_collate_keeps_logits_of_trained_positions_only():
    rows = [
        Rendered([9, 1, 2, 3, 4], [False, False, False, True, True]),
        Rendered([9, 5, 6], [False, False, True]),
    ]
    batch = collate(rows, pad=0)
    assert batch["input_ids"].tolist() == [[9, 1, 2, 3, 4], [9, 0, 0, 5, 6]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 0, 0, 1, 1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4], [0, 0, 0, 1, 2]]
    assert batch["labels"].tolist() == [[-100, 3, 4], [-100, -100, 6]]
    assert (batch["logits_to_keep"], batch["shared"]) == (3, 1)


def test_shared_start_changes_neither_loss_nor_gradient(seed):
    import torch

    config = TrainConfig(seed=1)
    rows = [
        render(prompt, seed.tokenizer, answer)
        for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)
    ]
    batch = collate(rows, seed.tokenizer.pad_token_id)
    assert batch["shared"] > 20
    found = {}
    for shared in (0, batch["shared"]):
        torch.manual_seed(0)
        model = trainable_copy(seed, lora(config))
        loss = model(**share_prefix(model, batch | {"shared": shared})).loss
        loss.backward()
        found[shared] = loss.item(), [p.grad for p in model.parameters() if p.grad is not None]
    (plain, plain_grads), (fast, fast_grads) = found.values()
    assert fast == pytest.approx(plain, rel=1e-4)
    for a, b in zip(plain_grads, fast_grads, strict=True):
        assert torch.allclose(a, b, atol=2e-4, rtol=2e-3)


def test_mostly_original_rows_are_refused():
    rows = [{"source": "original"}] * 9 + [{"source": "rewritten"}]
    with pytest.raises(SdftError, match="only 1 of 10 rows were rewritten"):
        check_share(rows, "text", 0.3)
    check_share(rows, "reference", 0.3)


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_show_instruction_and_reference(name):
    messages, opening = TEMPLATES[name].build(user("Do {this}"), "the {reference}")
    shown = messages[-1]["content"] + opening
    assert "Do {this}" in shown and "the {reference}" in shown
    assert TEMPLATES[name].names_answer == ("the {reference}" in opening)


def test_template_without_reference_is_refused():
    with pytest.raises(SdftError, match="reference"):
        DistillTemplate("x", "{instruction}")


@pytest.mark.parametrize(
    "text, says",
    [
        ("user = ", "TOML"),
        ('user = "{instruction} {reference}"\ntemperature = "1"', "temperature"),
        ('system = "x"', '"user" is missing'),
        ("user = 3", '"user" is 3; give text'),
    ],
)
def test_bad_template_files(tmp_path, text, says):
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(SdftError, match=says):
        load_template(str(tmp_path / "t.toml"))


def test_template_file(tmp_path):
    (tmp_path / "mine.toml").write_text('user = "{instruction} ({reference})"\nprefill = "So:"')
    assert load_template(str(tmp_path / "mine.toml")) == DistillTemplate(
        "mine", "{instruction} ({reference})", "", "So:"
    )
