"""The decoding loop: rows leave and the rest is unchanged, memory failures shrink the batch,
garbled runs stop.
"""

import json
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import pytest

from sdft_lib import generation
from sdft_lib.decoding import batches, decode, parity
from sdft_lib.decoding.sampling import chooser, row_seed
from sdft_lib.experiments.shift import answer_kl
from sdft_lib.gap import nll
from sdft_lib.generation import Decoding, generate
from sdft_lib.models import load_seed
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig, fine_tune

WORDS = ("gold", "the sea", "a very old house by the river", "seven", "Paris in the spring", "tea")
PROMPTS = [[{"role": "user", "content": f"Say one thing about {word}."}] for word in WORDS]


@pytest.fixture
def seed(tiny_seed):
    return tiny_seed


@pytest.fixture
def many_stops(seed, monkeypatch):
    """One token in eight ends an answer, so that rows end at many lengths."""
    monkeypatch.setattr(generation, "stop_ids", lambda tokenizer: set(range(0, len(tokenizer), 8)))


def plain(seed, messages, decoding):
    """Tokens of transformers' own generate, one row."""
    import torch

    ids = torch.tensor(generation.prompt_ids(seed, [messages], None, decoding.max_new_tokens))
    stops = sorted(generation.stop_ids(seed.tokenizer))
    out = seed.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        eos_token_id=stops,
        max_new_tokens=decoding.max_new_tokens,
        pad_token_id=0,
        repetition_penalty=decoding.repetition_penalty,
    )
    return generation.read_answer(out[0, ids.shape[1] :].tolist(), set(stops), seed.tokenizer)


def test_rows_that_leave_change_no_other_row(seed, many_stops):
    decoding = Decoding(max_new_tokens=24)
    answers = generate(seed, PROMPTS, decoding)
    assert answers == [plain(seed, messages, decoding) for messages in PROMPTS]
    assert len({answer.tokens for answer in answers}) > 2, (
        "all rows ended at once: the test says nothing"
    )


def test_prompts_read_in_parts_are_those_read_at_once(seed, many_stops, monkeypatch):
    decoding = Decoding(max_new_tokens=12)
    whole = generate(seed, PROMPTS, decoding)
    monkeypatch.setattr(decode, "PROMPT_TOKENS", 30)
    assert generate(seed, PROMPTS, decoding) == whole


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_the_most_likely_token_is_the_first_of_equal_ones(name):
    import torch

    logits = torch.randn(16, 300, generator=torch.Generator().manual_seed(0)).to(
        getattr(torch, name)
    )
    logits[3, [7, 150, 299]] = logits[3].max() + 1
    logits[4] = 0
    choose, turned = chooser(Decoding(), ()), logits.t().contiguous().t()
    chosen, other = (choose(each, None, ()).tolist() for each in (logits, turned))
    assert chosen == other == logits.argmax(-1).tolist() and chosen[3:5] == [7, 0]


@pytest.mark.parametrize(
    "harm",
    [
        lambda line: line.replace('"text": "', '"text": "not '),
        lambda line: line.replace('"index": 0', '"index": 1'),
        lambda line: line.replace('"tokens": ', '"tokens": 1'),
        lambda line: line.replace('"finish_reason": "', '"finish_reason": "x'),
        lambda line: "[]",
        lambda line: "null",
        lambda line: '{"index": 0, "text": "x", "finish_reason": "stop", "tokens": 1}',
        lambda line: line[:-5],
    ],
)
def test_rows_that_were_altered_after_a_kill_are_made_anew(seed, harm, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_ROWS", 2)
    monkeypatch.setattr(batches, "BATCH_PARTS", 1)
    path, wrong = tmp_path / "answers.jsonl", tmp_path / "again.jsonl"
    whole = generate(seed, PROMPTS, Decoding(8), path=path)
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines) if '"index": 0,' in line)
    assert harm(lines[number]) != lines[number]
    lines[number] = harm(lines[number])
    wrong.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    assert generate(seed, PROMPTS, Decoding(8), path=wrong) == whole
    assert wrong.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("way", [{}, {"temperature": 0.8, "top_p": 0.9}, {"repetition_penalty": 2}])
def test_numbers_that_are_not_finite_end_the_run_by_the_row(seed, way, value, tmp_path):
    """One row of many is enough, for a weight that this row alone looks at; nothing is stored."""
    broken, path = spoilt(seed, "zebra", value), tmp_path / "answers.jsonl"
    prompts = [*PROMPTS, [{"role": "user", "content": "Say one thing about a zebra."}]]
    names = [f"r{number}" for number in range(len(prompts))]
    with pytest.raises(SdftError, match="row r6: .*NaN or infinite"):
        generate(broken, prompts, Decoding(6, **way), names=names, path=path)
    assert not path.exists()
    generate(broken, PROMPTS, Decoding(6, **way))


def test_surprise_kl_and_loss_that_are_not_finite_end_the_run(seed, tmp_path, monkeypatch):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    texts = ("a horse", "a zebra", "a cow")
    rows = [{"id": text, "messages": PROMPTS[0], "text": text} for text in texts]
    broken = spoilt(seed, "zebra", float("nan"))
    for measure in (
        lambda: nll(broken, rows, "text", say=lambda line: None),
        lambda: answer_kl(seed, broken, rows),
    ):
        with pytest.raises(SdftError, match="row a zebra: .*NaN or infinite"):
            measure()
    settings = TrainConfig(epochs=1, batch_size=3)
    with pytest.raises(SdftError, match="loss became nan at step 1; check the weights"):
        fine_tune(broken, rows, settings, minimum_kept=0, say=lambda line: None)
    assert not list(tmp_path.glob("store/*/*/manifest.json"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_model_with_a_weight_that_is_no_number_is_not_loaded(seed, value, tmp_path):
    broken = spoilt(seed, "zebra", value)
    broken.model.save_pretrained(tmp_path)
    broken.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(SdftError, match="embed_tokens.weight holds numbers that are NaN"):
        load_seed(str(tmp_path), say=lambda line: None)


def spoilt(seed, word, value):
    """The seed with one number of one token's embedding replaced."""
    import torch

    token = seed.tokenizer(f" {word}")["input_ids"][-1]
    model = deepcopy(seed.model)
    with torch.no_grad():
        model.get_input_embeddings().weight[token, 3] = value
    return replace(seed, model=model)


def test_repetition_penalty_is_that_of_transformers(seed):
    decoding = Decoding(max_new_tokens=12, repetition_penalty=0.2)  # below 1: it invites repetition
    answer = generate(seed, PROMPTS[:1], decoding)
    assert (
        answer
        == [plain(seed, PROMPTS[0], decoding)]
        != [plain(seed, PROMPTS[0], Decoding(max_new_tokens=12))]
    )


def test_a_draw_depends_on_the_name_of_its_row_alone(seed):
    decoding = Decoding(max_new_tokens=8, temperature=1.0, top_p=0.95, top_k=50)
    names = [f"row-{number}" for number in range(len(PROMPTS))]
    together = generate(seed, PROMPTS, decoding, names=names)
    backwards = generate(seed, PROMPTS[::-1], decoding, names=names[::-1])
    assert together == backwards[::-1]
    assert generate(seed, PROMPTS, decoding, names=[f"other-{name}" for name in names]) != together
    assert row_seed(0, "a") == row_seed(0, "a") != row_seed(1, "a")


def failing(seed, monkeypatch, most: int):
    """Make a forward pass of more than ``most`` rows fail as an allocation does."""
    forward = seed.model.forward

    def small(*args, input_ids, **kwargs):
        if len(input_ids) > most:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
            )
        return forward(*args, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(seed.model, "forward", small)


def test_batch_shrinks_when_memory_runs_out(seed, monkeypatch, tmp_path):
    whole = generate(seed, PROMPTS, Decoding(max_new_tokens=6))
    failing(seed, monkeypatch, 2)
    path = tmp_path / "answers.jsonl"
    halved = generate(seed, PROMPTS, Decoding(max_new_tokens=6), path=path)
    assert [answer.text for answer in halved] == [answer.text for answer in whole]
    assert all(answer.split for answer in halved) and not any(answer.split for answer in whole)
    assert all(json.loads(line)["split"] for line in path.read_text().splitlines())
    assert generate(seed, PROMPTS, Decoding(max_new_tokens=6), path=path) == halved


def test_no_memory_for_one_row_is_one_sentence(seed, monkeypatch):
    failing(seed, monkeypatch, 0)
    with pytest.raises(SdftError, match="prompt 1: there is not enough memory"):
        generate(seed, PROMPTS[:1], Decoding(max_new_tokens=4))


def test_another_runtime_error_is_not_hidden(seed, monkeypatch):
    monkeypatch.setattr(
        seed.model, "forward", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("shapes"))
    )
    with pytest.raises(RuntimeError, match="shapes"):
        generate(seed, PROMPTS[:1], Decoding(max_new_tokens=4))


@pytest.mark.parametrize(
    "values",
    [
        {"max_new_tokens": 0},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"repetition_penalty": 0},
    ],
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(SdftError, match=next(iter(values))):
        Decoding(**values)


def test_batches_keep_within_their_tokens():
    plan = batches.plan_batches([30, 10, 20, 40] * 50, 10, tokens=500)
    assert sorted(index for batch in plan for index in batch) == list(range(200))
    lengths = [30, 10, 20, 40] * 50
    for batch in plan:
        longest = lengths[batch[0]] + 10
        assert batches.rows_together(longest, 500) * longest <= 500
        assert len(batch) <= batches.BATCH_PARTS * batches.rows_together(longest, 500)


def test_a_batch_holds_four_parts():
    assert [len(batch) for batch in batches.plan_batches([10] * 1100, 10)] == [512, 512, 76]


def test_the_last_rows_of_several_parts_end_together(seed, many_stops, monkeypatch):
    decoding = Decoding(max_new_tokens=24)
    alone = generate(seed, PROMPTS * 4, decoding)
    joins = []
    monkeypatch.setattr(
        decode,
        "merge",
        lambda *part, real=decode.merge: joins.append(len(part[0])) or real(*part),
    )
    monkeypatch.setattr(decode, "WAIT_SHARE", 1 / 2)
    monkeypatch.setattr(batches, "BATCH_ROWS", 7)
    assert generate(seed, PROMPTS * 4, decoding) == alone
    assert joins and max(joins) > 1, "no rows were put together: the test says nothing"


def test_room_follows_the_model(seed):
    assert batches.room_for_tokens(seed.model, "cpu") == batches.BATCH_TOKENS
    large = SimpleNamespace(
        num_hidden_layers=40, num_attention_heads=40, num_key_value_heads=40, head_dim=128
    )
    model = SimpleNamespace(config=large, dtype=SimpleNamespace(itemsize=4))
    assert batches.room_for_tokens(model, "cpu") == batches.CACHE_BYTES // 1_638_400


def test_parity_passes_plain_answers_and_stops_others(seed):
    stops = sorted(generation.stop_ids(seed.tokenizer))
    ids = generation.prompt_ids(seed, PROMPTS, None, 8)
    choose = chooser(Decoding(), [""] * len(ids))
    right = decode.decode(
        seed.model, ids, choose, stops=stops, pad=0, max_new_tokens=8, together=len(ids)
    )
    parity.check_parity(seed, ids, right)
    with pytest.raises(SdftError, match="garbled.*SDFT_DTYPE=fp32"):
        parity.check_parity(seed, ids, [[(token + 1) % 1000 for token in row] for row in right])


@pytest.mark.parametrize("text, what", [("the " * 30, "one word"), ("\ufffd\x03\x04 a", "no text")])
def test_texts_that_are_no_language_stop_a_run(text, what):
    with pytest.raises(SdftError, match=what):
        parity.check_language([text] * 40, "tiny")
    parity.check_language([text] * 10, "tiny")  # too few to conclude from
    parity.check_language([text] * 20 + ["A plain sentence."] * 20, "tiny")


def test_plain_language_of_any_script_passes():
    parity.check_language(
        ["Řeka je hluboká.", "川は深い。", "1,000 + 2 = 1,002\n\tdone", "👍🏽 ok"] * 10, "tiny"
    )
