"""An adapter scores as peft's own unmerged model does, or is refused in one sentence."""

import copy
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from sdft_lib.engines.vllm import Vllm
from sdft_lib.models import Seed, load_seed, locate, with_adapter
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256
from sdft_lib.train import TrainConfig, fine_tune
from sdft_lib.training import weights
from sdft_lib.training.weights import trained_identity as identity_of

ROOT = Path(__file__).parents[2]
IDS = torch.tensor([[5, 6, 7, 8, 40, 41]])
QV = ["q_proj", "v_proj"]
LORA = {  # what is given to LoraConfig, on a model whose embedding is its head
    "plain": {"target_modules": QV},
    "head": {"target_modules": ["lm_head"]},
    "embedding": {"target_modules": ["embed_tokens"]},
    "both": {"target_modules": ["embed_tokens", "lm_head"]},
    "tied on purpose": {"target_modules": ["embed_tokens"], "ensure_weight_tying": True},
    "save embedding": {"target_modules": QV, "modules_to_save": ["embed_tokens"]},
    "save head": {"target_modules": QV, "modules_to_save": ["lm_head", "norm"]},
    "tokens": {"target_modules": QV, "trainable_token_indices": [5, 6]},
    "tokens of the head": {"target_modules": QV, "trainable_token_indices": {"lm_head": [5, 6]}},
    "DoRA": {"target_modules": ["embed_tokens", "v_proj"], "use_dora": True},
    "DoRA on the head": {"target_modules": ["lm_head"], "use_dora": True},
    "rsLoRA": {"target_modules": ["lm_head"], "use_rslora": True},
    "patterns": {"target_modules": QV, "rank_pattern": {"q_proj": 4}, "alpha_pattern": {"v": 99}},
    "layers": {"target_modules": ["q_proj"], "layers_to_transform": [1]},
    "biases": {"target_modules": QV, "bias": "all"},
    "fan": {"target_modules": QV, "fan_in_fan_out": True},
    "layers twice": {"target_modules": QV, "layer_replication": [(0, 2), (0, 2)]},
    "start of its own": {"target_modules": QV, "init_lora_weights": "pissa"},
}
OTHERS = {
    "IA3": peft.IA3Config(target_modules=["lm_head", "v_proj"], feedforward_modules=["lm_head"]),
    "LoKr": peft.LoKrConfig(r=2, target_modules=["lm_head"]),
    "VeRA": peft.VeraConfig(r=2, target_modules=QV),
    "norms": peft.LNTuningConfig(target_modules=["input_layernorm"], task_type="CAUSAL_LM"),
    "tokens": peft.TrainableTokensConfig(token_indices=[5, 6]),
}
INPUTS = {
    "prompt": peft.PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
    "prefix": peft.PrefixTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
    "p-tuning": peft.PromptEncoderConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
    "alora": peft.LoraConfig(r=2, target_modules=QV, alora_invocation_tokens=[5, 6]),
    "two": peft.LoraConfig(r=2, target_modules=["lm_head"], trainable_token_indices=[5, 6]),
}


def tied() -> LlamaForCausalLM:
    """A model of two layers whose embedding is its head."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "attention_bias": True}
    return LlamaForCausalLM(LlamaConfig(**sizes, **heads, tie_word_embeddings=True)).eval()


@pytest.fixture
def seed():
    return Seed(tied(), None, "tiny", "0", "cpu", "fp32")


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


def adapter(config, folder):
    """A folder with an adapter of random weights; logits of peft's model of it, unmerged."""
    torch.manual_seed(1)
    made = peft.get_peft_model(tied(), config)
    for parameter in made.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(0, 0.2)
    made.save_pretrained(folder, save_embedding_layers=False)
    return folder, logits(peft.PeftModel.from_pretrained(tied(), folder).eval())


def changed(folder, **settings):
    """The adapter's folder, other settings in its configuration."""
    path = folder / weights.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


CASES = [pytest.param(peft.LoraConfig(r=2, **LORA[name]), id=name) for name in LORA]
CASES += [pytest.param(config, id=name) for name, config in OTHERS.items()]


@pytest.mark.parametrize("config", CASES)
def test_an_adapter_scores_as_unmerged(seed, config, tmp_path):
    folder, wanted = adapter(copy.deepcopy(config), tmp_path / "adapter")
    start = logits(seed.model)
    assert (wanted - start).abs().max() > 1e-3
    tuned = with_adapter(seed, folder, label="x")
    torch.testing.assert_close(logits(tuned.model), wanted, rtol=1e-4, atol=1e-5)
    assert (logits(seed.model) == start).all(), "the seed itself was changed"


@pytest.mark.parametrize("config", ["head", "embedding", "both"])
def test_a_model_that_is_no_longer_tied_is_saved_whole(seed, config, tmp_path):
    folder, wanted = adapter(peft.LoraConfig(r=2, **LORA[config]), tmp_path / "adapter")
    with_adapter(seed, folder, label="x").model.save_pretrained(tmp_path / "model")
    alone = LlamaForCausalLM.from_pretrained(tmp_path / "model").eval()
    torch.testing.assert_close(logits(alone), wanted, rtol=1e-4, atol=1e-5)
    assert seed.model.config.tie_word_embeddings


@pytest.mark.parametrize("config", INPUTS.values(), ids=INPUTS)
def test_an_adapter_that_cannot_be_merged_is_refused(seed, config, tmp_path):
    folder, _ = adapter(copy.deepcopy(config), tmp_path / "adapter")
    with pytest.raises(SdftError, match="adapter_model.safetensors: .*cannot be used with tiny"):
        with_adapter(seed, folder, label="x")


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"peft_type": "NEWER"}, "adapter_config.json: .*cannot be used"),
        ({"peft_type": None}, "adapter_config.json: .*cannot be used"),
        ({"use_rslora": "false"}, "use_rslora is 'false'; make it true or false"),
        ({"use_dora": 1}, "use_dora is 1"),
        ({"use_dora": True}, "no partner"),
        ({"lora_alpha": "16"}, "cannot be used"),
        ({"r": 4}, "cannot be used .*size mismatch"),
        ({"target_modules": ["q_proj"]}, "no partner"),
        ({"target_modules": [*QV, "k_proj"]}, "no partner"),
        ({"base_model_name_or_path": "org/Other-7B"}, "trained on org/Other-7B, not on tiny"),
        ({"base_model_name_or_path": "/models/tiny-2/"}, "not on tiny"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(seed, settings, said, tmp_path):
    folder, _ = adapter(peft.LoraConfig(r=2, target_modules=QV), tmp_path / "adapter")
    with pytest.raises(SdftError, match=said) as error:
        with_adapter(seed, changed(folder, **settings), label="x")
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", '{"peft_type": "LO'])
def test_a_configuration_that_was_cut_is_refused(seed, text, tmp_path):
    folder, _ = adapter(peft.LoraConfig(r=2, target_modules=QV), tmp_path / "adapter")
    (folder / weights.CONFIG).write_text(text)
    with pytest.raises(SdftError, match="adapter_config.json: .*cannot be used"):
        with_adapter(seed, folder, label="x")


@pytest.mark.parametrize(
    "base", [None, "", "tiny", "org/Tiny", "C:/x/tiny", "/hub/models--org--tiny/snapshots/0abc"]
)
@pytest.mark.parametrize("more", [{}, {"a_key_of_another_peft": None, "merge_weights": False}])
def test_names_of_the_same_base_and_unknown_keys_do_no_harm(seed, base, more, tmp_path):
    folder, wanted = adapter(peft.LoraConfig(r=2, target_modules=QV), tmp_path / "adapter")
    folder = changed(folder, base_model_name_or_path=base, **more)
    torch.testing.assert_close(logits(with_adapter(seed, folder, label="x").model), wanted)


@pytest.mark.parametrize(
    "kind, change",
    [
        ("plain", lambda t: {name: t[name] for name in t if "q_proj" in name}),
        ("plain", lambda t: t | {name.replace("layers.1", "layers.9"): t[name] + 1 for name in t}),
        ("plain", lambda t: t | {"hello": torch.ones(3)}),
        ("plain", lambda t: {}),
        ("IA3", lambda t: dict(list(t.items())[:1])),
        ("biases", lambda t: {name: t[name] for name in t if "bias" not in name}),
        ("save head", lambda t: {name: t[name] for name in t if "lora" in name}),
        ("plain", lambda t: {name: t[name] * float("nan") for name in t}),
        ("plain", lambda t: t | {list(t)[-1]: torch.full_like(t[list(t)[-1]], float("inf"))}),
    ],
)
def test_tensors_that_are_missing_left_over_or_no_numbers_are_refused(seed, kind, change, tmp_path):
    config = OTHERS.get(kind) or peft.LoraConfig(r=2, **LORA[kind])
    folder, _ = adapter(copy.deepcopy(config), tmp_path / "adapter")
    path = folder / weights.WEIGHTS
    save_file(change(load_file(path)), path)
    with pytest.raises(SdftError, match="adapter_model.safetensors: .*(no partner|cannot be used)"):
        with_adapter(seed, folder, label="x")


def test_a_second_adapter_counts_as_one_on_top_of_the_first(seed, tmp_path):
    first, _ = adapter(peft.LoraConfig(r=2, target_modules=QV), tmp_path / "first")
    second, alone = adapter(peft.LoraConfig(r=2, target_modules=["k_proj"]), tmp_path / "second")
    once = with_adapter(seed, first, label="x")
    twice, other = with_adapter(once, second, label="y"), with_adapter(seed, second, label="y")
    assert twice.identity != other.identity
    assert (logits(twice.model) - alone).abs().max() > 1e-3
    packed = Seed(once.model, None, "tiny", "0", "cpu", "fp32", once.adapter, four_bit=True)
    with pytest.raises(SdftError, match="takes one adapter"):
        with_adapter(packed, second, label="y")


def test_a_folder_of_an_adapter_is_no_model(tiny_seed, tmp_path):
    """transformers would put it on the model beside it, or on one that it downloads, unsaid."""
    tiny_seed.model.save_pretrained(tmp_path / "model")
    tiny_seed.tokenizer.save_pretrained(tmp_path / "model")
    folder, _ = adapter(peft.LoraConfig(r=2, target_modules=QV), tmp_path / "adapter")
    for path in folder.iterdir():
        shutil.copy(path, tmp_path / "model")
    with pytest.raises(SdftError, match="it is an adapter; load its base"):
        load_seed(str(tmp_path / "model"), say=lambda line: None)


@pytest.mark.parametrize(
    "kind", ["head", "DoRA", "patterns", "biases", "tokens", "start of its own"]
)
def test_vllm_gets_plain_lora_alone(seed, kind, tmp_path):
    """It knows neither tied heads nor patterns, and would score another model."""
    engine = Vllm("tiny", None, "fp32")
    plain, _ = adapter(peft.LoraConfig(r=2, use_rslora=True, target_modules=QV), tmp_path / "plain")
    assert engine.with_adapter(seed, plain).engine.adapter == plain
    folder, _ = adapter(peft.LoraConfig(r=2, **LORA[kind]), tmp_path / "adapter")
    with pytest.raises(SdftError, match="leave --engine out"):
        engine.with_adapter(seed, folder)


def test_vllm_takes_one_adapter(seed, tmp_path):
    folder, _ = adapter(peft.LoraConfig(r=2, **LORA["plain"]), tmp_path / "adapter")
    engine = Vllm("tiny", None, "fp32", adapter=folder)
    with pytest.raises(SdftError, match="one adapter"):
        engine.with_adapter(seed, folder)


@pytest.mark.parametrize("targets", [("lm_head",), ("embed_tokens", "q_proj")])
def test_our_own_training_of_a_tied_model_scores_what_was_trained(
    tiny_seed, targets, tmp_path, monkeypatch
):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path))
    config = copy.deepcopy(tiny_seed.model.config)
    config.tie_word_embeddings = True
    seed = replace(tiny_seed, model=LlamaForCausalLM(config).eval())
    asked = [{"role": "user", "content": "Which colour?"}]
    rows = [{"id": str(n), "messages": asked, "reference": f"blue {n}"} for n in range(4)]
    settings = TrainConfig(targets=targets, epochs=2, batch_size=2, learning_rate=0.01)
    run = fine_tune(seed, rows, settings, column="reference", say=lambda line: None)
    unmerged = peft.PeftModel.from_pretrained(copy.deepcopy(seed.model), run.adapter).eval()
    wanted, tuned = logits(unmerged), with_adapter(seed, run.adapter, label="x")
    torch.testing.assert_close(logits(tuned.model), wanted, rtol=1e-4, atol=1e-4)
    assert (wanted - logits(seed.model)).abs().max() > 0.1


def test_a_layer_that_no_model_has_is_refused_before_training(tiny_seed):
    with pytest.raises(SdftError, match="no_such_layer"):
        weights.trainable_copy(tiny_seed, weights.lora(TrainConfig(targets=("no_such_layer",))))


DECIDE = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
DECIDE += ("special_tokens_map.json", "added_tokens.json", "vocab.txt", "merges.txt")
DECIDE += ("tokenizer.model", "chat_template.jinja", "additional_chat_templates/tool.jinja")
DECIDE += ("model.safetensors.index.json", "model-1-of-2.safetensors", "part/m-2.safetensors")


@pytest.mark.parametrize("identity", [lambda folder: locate(str(folder), print)[1], identity_of])
def test_every_file_that_decides_an_answer_is_in_the_key_of_a_model(identity, tmp_path):
    """A whole model, given as a model or as what was trained; notes about it are not in its key."""
    for name in DECIDE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("first")
    keys = [identity(tmp_path)]
    for name in DECIDE:
        (tmp_path / name).write_text("other")
        keys.append(identity(tmp_path))
    (tmp_path / "chat_template.jinja").unlink()
    keys.append(identity(tmp_path))
    assert len(set(keys)) == len(keys) == len(DECIDE) + 2
    for name in ("README.md", "run.json", "pytorch_model.bin", "modeling_own.py", "LICENSE"):
        (tmp_path / name).write_text("not read")
    assert identity(tmp_path) == keys[-1]


HUB = """
import sys
from sdft_lib.models import load_seed
from sdft_lib.storage.errors import SdftError
try:
    print(load_seed("org/tiny", say=lambda line: None).revision)
except SdftError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_weights_that_rotted_in_the_cache_of_the_hub_are_named(tiny_folder, tmp_path):
    commit, repository = "0" * 40, tmp_path / "models--org--tiny"
    snapshot = repository / "snapshots" / commit
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    for path in tiny_folder.iterdir():
        blob = repository / "blobs" / file_sha256(path)
        shutil.copy(path, blob)
        (snapshot / path.name).symlink_to(blob)
    settings = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    command, said = [sys.executable, "-c", HUB], []
    for _ in range(2):
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
        said.append(done.stdout.strip())
        blob = (snapshot / "model.safetensors").resolve()
        data = bytearray(blob.read_bytes())
        data[-9] ^= 1
        blob.write_bytes(data)
    assert said[0] == commit and f"{blob.name}: altered since its download" in said[1], done.stderr
