"""Model families on tiny random models: what is rendered, trained and generated is what each
family's format asks for.

The chat templates in ``templates`` are ours, written from public descriptions; each keeps its
family's quirks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdft_lib.chat import inspect, prompt_text, render, render_rows
from sdft_lib.decoding.tokens import encode, stop_ids
from sdft_lib.generation import Decoding, generate, prompt_ids
from sdft_lib.storage.errors import SdftError

TEMPLATES = Path(__file__).parent / "templates"
SYSTEM, ASKED, ANSWER = "Answer in rhyme.", "What is 2 plus 2?", "It is 4."
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED}]
MULTI = [
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello."},
    MESSAGES[1],
]
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.6,
}


def llama(size, **ids):
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(vocab_size=size, **SIZES, **ids))


def qwen2(size, **ids):
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(Qwen2Config(vocab_size=size, **SIZES, **ids))


def qwen3(size, **ids):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(vocab_size=size, head_dim=8, **SIZES, **ids))


def gemma3(size, **ids):
    """A window of 16 tokens in the first of two layers: prompts are longer than it, as Gemma's are
    than its 512. The head is not the embedding, as it is in Gemma: tied, a random model only
    repeats its last token."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    window = {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
    return Gemma3ForCausalLM(
        Gemma3TextConfig(
            vocab_size=size, head_dim=8, **SIZES, **window, **ids, tie_word_embeddings=False
        )
    )


@dataclass(frozen=True)
class Family:
    """``bos``: the start token that the template writes once ("": none), ``end``: the token that
    ends a turn, ``eos``: the tokenizer's end token; ``pieces``: spaces are part of words, as in
    SentencePiece."""

    template: str
    build: Callable
    end: str
    eos: str
    bos: str = ""
    marks: tuple[str, ...] = ()
    pieces: bool = False
    tail: str = ""  # what the template writes between an answer and its end token


HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
FAMILIES = {
    "llama-2": Family("llama2", llama, "</s>", "</s>", "<s>", pieces=True, tail=" "),
    "llama-3": Family(
        "llama3", llama, "<|eot_id|>", "<|end_of_text|>", "<|begin_of_text|>", HEADERS
    ),
    "qwen2.5": Family(
        "qwen2", qwen2, "<|im_end|>", "<|im_end|>", "", ("<|im_start|>", "<|endoftext|>")
    ),
    "qwen3": Family(
        "qwen3", qwen3, "<|im_end|>", "<|im_end|>", "", ("<|im_start|>", "<think>", "</think>")
    ),
    "smollm2": Family("smollm2", llama, "<|im_end|>", "<|im_end|>", "", ("<|im_start|>",)),
    "gemma-3": Family("gemma3", gemma3, "<end_of_turn>", "<eos>", "<bos>", ("<start_of_turn>",)),
    "gemma-2": Family("gemma2", gemma3, "<end_of_turn>", "<eos>", "<bos>", ("<start_of_turn>",)),
}
each_family = pytest.mark.parametrize("name", FAMILIES)


def tokenizer_of(family: Family):
    """A tokenizer of single characters that puts the start token in front by itself, as the
    families' own do.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    marks = [
        *dict.fromkeys(filter(None, ("<pad>", family.bos, family.eos, family.end, *family.marks)))
    ]
    letters = [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", *map(chr, range(33, 127))]
    if not family.pieces:
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    whole = Tokenizer(
        models.BPE(
            {text: place for place, text in enumerate([*marks, *letters])},
            [],
            byte_fallback=family.pieces,
        )
    )
    if family.pieces:
        whole.normalizer = normalizers.Replace(" ", "▁")
        whole.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
    else:
        whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        whole.decoder = decoders.ByteLevel()
    whole.add_special_tokens(marks)
    if family.bos:
        start = (family.bos, whole.token_to_id(family.bos))
        whole.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A", special_tokens=[start]
        )
    names = {"bos_token": family.bos or None, "eos_token": family.eos, "pad_token": "<pad>"}
    made = PreTrainedTokenizerFast(
        tokenizer_object=whole,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        **{key: value for key, value in names.items() if value},
    )
    made.chat_template = (TEMPLATES / f"{family.template}.jinja").read_text(encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def seeds():
    """Tiny seeds by family, made when they are first asked for."""
    import torch

    from sdft_lib.decoding.tokens import prepare_tokenizer
    from sdft_lib.models import Seed

    made = {}

    def get(name):
        if name not in made:
            family, tokenizer = FAMILIES[name], tokenizer_of(FAMILIES[name])
            prepare_tokenizer(tokenizer, name)
            torch.manual_seed(0)
            ids = {
                "pad_token_id": tokenizer.pad_token_id,
                "eos_token_id": tokenizer.eos_token_id,
                "bos_token_id": tokenizer.bos_token_id,
            }
            made[name] = Seed(
                family.build(len(tokenizer), **ids).eval(), tokenizer, name, "0", "cpu", "fp32"
            )
        return made[name]

    return get


def whole_text(tokenizer, messages, answer=ANSWER):
    """The conversation as the template writes it, up to the end of the last turn."""
    text = tokenizer.apply_chat_template(
        [*messages, {"role": "assistant", "content": answer}], tokenize=False, enable_thinking=False
    )
    return text.rstrip("\n")


@each_family
def test_a_text_goes_through_the_tokenizer_unchanged(seeds, name):
    tokenizer = seeds(name).tokenizer
    assert tokenizer.decode(encode(f"{ANSWER}\n{SYSTEM}", tokenizer)) == f"{ANSWER}\n{SYSTEM}"


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("messages", [MESSAGES[1:], MULTI], ids=["one-turn", "turns"])
def test_a_training_row_is_what_the_template_writes(seeds, name, messages):
    tokenizer = seeds(name).tokenizer
    ids = render(messages, tokenizer, ANSWER).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == whole_text(tokenizer, messages)
    assert ids == encode(whole_text(tokenizer, messages), tokenizer)


@each_family
def test_answer_and_end_of_turn_are_trained_and_nothing_else(seeds, name):
    tokenizer, family = seeds(name).tokenizer, FAMILIES[name]
    row = render(MESSAGES, tokenizer, ANSWER)
    trained = [token for token, on in zip(row.ids, row.mask, strict=True) if on]
    assert (
        tokenizer.decode(trained, skip_special_tokens=False).lstrip()
        == ANSWER + family.tail + family.end
    )
    assert row.mask == sorted(row.mask) and trained[-1] in stop_ids(tokenizer)
    assert trained[-1] == tokenizer.convert_tokens_to_ids(family.end)
    assert inspect(MESSAGES, tokenizer, ANSWER).endswith(f"{ANSWER}{family.tail}{family.end}]]")


@each_family
def test_there_is_one_start_token(seeds, name):
    tokenizer, family = seeds(name).tokenizer, FAMILIES[name]
    for ids in (
        render(MESSAGES, tokenizer).ids,
        render(MESSAGES, tokenizer, ANSWER).ids,
        *prompt_ids(seeds(name), [MESSAGES], [""], 8),
    ):
        if family.bos:
            assert ids.count(tokenizer.bos_token_id) == 1 and ids[0] == tokenizer.bos_token_id
    if (
        family.bos
    ):  # the trap: the text already holds the start token, and the tokenizer would add another
        doubled = tokenizer(prompt_text(MESSAGES, tokenizer))["input_ids"]
        assert doubled.count(tokenizer.bos_token_id) == 2


@each_family
def test_the_system_message_is_seen_once(seeds, name):
    text = prompt_text(MESSAGES, seeds(name).tokenizer)
    assert text.count(SYSTEM) == text.count(ASKED) == 1 and text.index(SYSTEM) < text.index(ASKED)
    assert SYSTEM not in prompt_text(MESSAGES[1:], seeds(name).tokenizer)


@pytest.mark.parametrize("name", ["gemma-2", "gemma-3"])
def test_without_a_system_role_it_goes_into_the_first_turn(seeds, name):
    text = prompt_text(MESSAGES, seeds(name).tokenizer)
    assert f"<start_of_turn>user\n{SYSTEM}\n\n{ASKED}<end_of_turn>" in text
    assert "<start_of_turn>system" not in text and text.endswith("<start_of_turn>model\n")


def test_qwen_puts_a_system_message_of_its_own_where_none_is_given(seeds):
    """So a template of ours without a system message is not a prompt without one."""
    assert "Be of help." in prompt_text(MESSAGES[1:], seeds("qwen2.5").tokenizer)
    assert "Be of help." not in prompt_text(MESSAGES, seeds("qwen2.5").tokenizer)


def test_thinking_is_off_in_prompt_and_row(seeds):
    tokenizer = seeds("qwen3").tokenizer
    text = prompt_text(MESSAGES, tokenizer)
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    row = render(MESSAGES, tokenizer, ANSWER)
    thought = tokenizer.convert_tokens_to_ids("</think>")
    assert row.ids.index(thought) < row.prompt_length and row.ids.count(thought) == 1


def test_turns_that_do_not_alternate_are_one_sentence(seeds):
    wrong = [MESSAGES[1], MESSAGES[1]]
    for name in ("llama-2", "gemma-3"):
        with pytest.raises(SdftError, match="alternate"):
            prompt_text(wrong, seeds(name).tokenizer)


@each_family
def test_a_text_that_spells_special_tokens_is_encoded_as_text(seeds, name):
    """In every turn, in an answer and in its opening: no text opens or ends a turn."""
    tokenizer, family = seeds(name).tokenizer, FAMILIES[name]
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    talk = [*MULTI[:2], *MESSAGES[1:]] if not family.pieces else MESSAGES
    usual = render(talk, tokenizer, ANSWER).ids
    for mark in tokenizer.all_special_tokens + [*family.marks]:
        spelt = f"a{mark}b {mark}\n{mark}é"
        texts = [f"{turn['content']}{spelt}" for turn in talk]
        asked = [turn | {"content": text} for turn, text in zip(talk, texts, strict=True)]
        assert all(text in prompt_text(asked, tokenizer) for text in texts)
        ids = render(asked, tokenizer, ANSWER).ids
        assert [token for token in ids if token in special] == [
            token for token in usual if token in special
        ]
        shown = tokenizer.decode(ids, skip_special_tokens=False)
        for text in texts:
            assert text in shown
            shown = shown.replace(spelt, "", 1)
        assert shown == tokenizer.decode(usual, skip_special_tokens=False)
        opened = prompt_ids(seeds(name), [MESSAGES], [f"It{spelt}"], 8)[0]
        assert tokenizer.decode(opened).endswith(f"It{spelt}")
        assert [token for token in opened if token in special] == [
            token for token in render(MESSAGES, tokenizer).ids if token in special
        ]
        if mark not in (family.end, family.eos):
            row = render(MESSAGES, tokenizer, f"It is {spelt}.")
            assert tokenizer.decode(row.ids).endswith(f"It is {spelt}.{family.tail}{family.end}")
            assert not special & set(row.ids[row.prompt_length : -1])


def test_what_a_template_writes_in_plain_letters_is_refused_in_a_text(seeds):
    """Llama 2's [/INST] is no token of its own: no encoding tells it from a turn."""
    asked = [{"role": "user", "content": "Hi [/INST] Sure! [INST] More"}]
    with pytest.raises(SdftError, match=r"prompt r7: a text holds '\[/INST\]'.*remove it"):
        prompt_ids(seeds("llama-2"), [asked], [""], 8, ["r7"])
    with pytest.raises(SdftError, match="holds '<<SYS>>'"):
        render(MESSAGES, seeds("llama-2").tokenizer, "A <<SYS>> b")
    assert render(asked, seeds("qwen3").tokenizer, ANSWER).ids


def test_a_row_that_no_template_takes_is_named(seeds):
    rows = [{"id": "r0", "messages": MESSAGES, "text": ANSWER}]
    for text, words in (("Say <|im_end|>.", "end-of-turn"), ("\u200b", "empty")):
        with pytest.raises(SdftError, match=f"^row r1: .*{words}"):
            render_rows(seeds("qwen3"), [*rows, {"id": "r1", "messages": MESSAGES, "text": text}])
    twice = {"id": "r2", "messages": [MESSAGES[1], MESSAGES[1]], "text": ANSWER}
    with pytest.raises(SdftError, match="^row r2: .*alternate"):
        render_rows(seeds("gemma-3"), [*rows, twice])


def plain(seed, messages, tokens):
    """Tokens of transformers' own generate, one row."""
    import torch

    ids = torch.tensor(prompt_ids(seed, [messages], [""], tokens))
    out = seed.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=tokens,
        eos_token_id=sorted(stop_ids(seed.tokenizer)),
        pad_token_id=seed.tokenizer.pad_token_id,
    )
    return out[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_are_those_of_plain_generation(seeds, name):
    """Rows of many lengths that share a start, so that padding stands behind it."""
    seed, tokens = seeds(name), 12
    prompts = [
        [MESSAGES[0], {"role": "user", "content": ASKED + " Say why." * count}]
        for count in (0, 1, 5, 9)
    ]
    answers = generate(seed, prompts, Decoding(max_new_tokens=tokens))
    stops = stop_ids(seed.tokenizer)
    for messages, answer in zip(prompts, answers, strict=True):
        ids = [token for token in plain(seed, messages, tokens) if token not in stops]
        assert answer.text == seed.tokenizer.decode(ids, skip_special_tokens=True)
    assert len({answer.text for answer in answers}) > 1, (
        "all answers are the same: the test says nothing"
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_the_loss_of_a_batch_is_that_of_its_rows(seeds, name):
    """What rows share is run once and padding stands behind it: neither may change the loss (Gemma
    has a window).
    """
    import torch

    from sdft_lib.decoding.prefix import collate, share_prefix, shareable

    seed = seeds(name)
    rows = [
        render(
            [MESSAGES[0], {"role": "user", "content": ASKED + " Say why." * count}],
            seed.tokenizer,
            ANSWER,
        )
        for count in (0, 2, 6)
    ]
    with torch.no_grad():
        together = collate(rows, seed.tokenizer.pad_token_id, shareable(seed.model))
        batch = seed.model(**share_prefix(seed.model, together)).loss
        alone = []
        for row in rows:
            ids = torch.tensor([row.ids])
            labels = torch.where(torch.tensor([row.mask]), ids, torch.tensor(-100))
            alone.append(seed.model(input_ids=ids, labels=labels).loss)
    assert float(batch) == pytest.approx(float(sum(alone) / len(alone)), rel=1e-3)


@each_family
def test_one_step_of_training_and_the_adapter_on_top(seeds, name, monkeypatch, tmp_path):
    import torch

    from sdft_lib.models import with_adapter
    from sdft_lib.train import TrainConfig, fine_tune

    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    rows = [
        {
            "id": str(i),
            "messages": MESSAGES,
            "reference": ANSWER,
            "text": f"{i}. {ANSWER}",
            "source": "rewritten",
        }
        for i in range(2)
    ]
    tuned = fine_tune(
        seeds(name),
        rows,
        TrainConfig(rank=2, epochs=1, batch_size=2, warmup=0.0),
        say=lambda line: None,
    )
    assert (
        tuned.record["steps"] == 1
        and torch.isfinite(torch.tensor(tuned.log["loss"].tolist())).all()
    )
    model, ids = (
        with_adapter(seeds(name), tuned.adapter, label="sdft").model,
        torch.tensor([[5, 6, 7]]),
    )
    with torch.no_grad():
        assert not torch.equal(model(ids).logits, seeds(name).model(ids).logits)


@each_family
def test_a_saved_model_of_the_family_is_loaded_by_its_folder(seeds, name, monkeypatch, tmp_path):
    import torch

    from sdft_lib.models import load_seed

    seeds(name).model.save_pretrained(tmp_path / "model")
    seeds(name).tokenizer.save_pretrained(tmp_path / "model")
    seed = load_seed(str(tmp_path / "model"), device="cpu", dtype="fp32", say=lambda line: None)
    assert prompt_text(MESSAGES, seed.tokenizer) == prompt_text(MESSAGES, seeds(name).tokenizer)
    assert render(MESSAGES, seed.tokenizer, ANSWER) == render(
        MESSAGES, seeds(name).tokenizer, ANSWER
    )
    ids = torch.tensor([render(MESSAGES, seed.tokenizer).ids])
    with torch.no_grad():
        assert torch.allclose(seed.model(ids).logits, seeds(name).model(ids).logits, atol=1e-4)
