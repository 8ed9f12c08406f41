"""Ways to train beyond LoRA on 16-bit weights: all weights, checkpointing, parts of a batch, fp16,
4 bit.
"""

import copy
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from sdft_lib.models import load_seed, with_adapter
from sdft_lib.storage.errors import SdftError
from sdft_lib.train import TrainConfig, fine_tune
from sdft_lib.training import trainer, weights

ASKED = "Name a colour that suits a house, and say in one word why."
ROWS = [
    {
        "id": f"r{n}",
        "messages": [{"role": "user", "content": f"{ASKED} Number {n}."}],
        "reference": f"blue {n} sky",
        "text": f"blue {n} sky",
        "source": "rewritten",
    }
    for n in range(12)
]


def quiet(line):
    """Say nothing."""


@pytest.fixture
def tiny(tmp_path, monkeypatch, tiny_seed):
    """The tiny model, with a store of its own."""
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    return tiny_seed


def trained(model, *, say=quiet, peft_config=None, **settings):
    config = TrainConfig(
        **{"epochs": 2, "batch_size": 4, "learning_rate": 1e-2, "warmup": 0.0} | settings
    )
    return fine_tune(model, ROWS, config, say=say, peft_config=peft_config)


@pytest.mark.parametrize(
    "rows, problem",
    [
        ([], "no rows to train on"),
        ([ROWS[0], ROWS[1] | {"text": None}], 'row r1: column "text" is missing or no text'),
    ],
)
def test_rows_without_a_text_are_one_sentence(tiny, rows, problem):
    with pytest.raises(SdftError, match=problem):
        fine_tune(tiny, rows, TrainConfig(), say=quiet)


def tensors(folder):
    from safetensors.torch import load_file

    return {
        name: tensor
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


def apart(first, second, start=None):
    """How far two folders of weights are apart, as a share of how far the first came from its
    ``start`` (else 0).
    """
    one, other = tensors(first), tensors(second)
    assert one.keys() == other.keys()
    came = sum(
        float((one[name] - start[name]).norm() if start else one[name].norm()) for name in one
    )
    return sum(float((one[name] - other[name]).norm()) for name in one) / came


def logits(seed):
    import torch

    with torch.no_grad():
        return seed.model(torch.tensor([[5, 6, 7, 8]])).logits


def words(seed):
    return {name: p.detach().clone() for name, p in seed.model.named_parameters()}


# --- how weights are read
# ---------------------------------------------------------------------------------------------


def test_the_vocabulary_layer_never_gets_a_slice(tiny, tiny_folder, monkeypatch):
    """With a slice, torch copies frozen 16-bit weights once a row: the seed, its twins and all that
    is trained.
    """
    import torch

    monkeypatch.setenv("SDFT_DTYPE", "bf16")
    seed = load_seed(str(tiny_folder), say=quiet)
    tuned = [
        with_adapter(seed, trained(seed, full=full, epochs=1).adapter, label="x")
        for full in (False, True)
    ]
    for model in (seed, *tuned):
        head = model.model.get_output_embeddings()
        got = []
        with (
            head.register_forward_pre_hook(lambda _, x, got=got: got.append(x[0].is_contiguous())),
            torch.no_grad(),
        ):
            model.model(torch.tensor([[5, 6, 7, 8], [5, 6, 7, 9]]), logits_to_keep=1)
        assert got == [True], model.adapter


# --- what saves memory changes nothing
# --------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_checkpointing_and_parts_change_the_result_by_rounding_alone(tiny, full):
    """Checkpointing drops a cache that it is handed, so the shared start must not be run before
    it.
    """
    plain, start = trained(tiny, full=full), words(tiny) if full else None
    for settings in ({"parts": 2}, {"checkpointing": True, "parts": 4}):
        other = trained(tiny, full=full, **settings)
        assert other.log["loss"].tolist() == pytest.approx(plain.log["loss"].tolist(), rel=1e-3), (
            settings
        )
        assert apart(plain.adapter, other.adapter, start) < 0.02, settings
        assert other.record["steps"] == plain.record["steps"] == 6
    assert (
        apart(plain.adapter, trained(tiny, full=full, seed=1).adapter, start) > 0.1
    )  # the measure tells runs apart


@pytest.mark.parametrize("loss", ["plain", "stm", "dft", "off_target", "prompt"])
def test_parts_weigh_the_anchor_and_each_loss_by_their_tokens(tiny, loss):
    settings = {"loss": loss, "anchor": 5.0}
    plain, other = trained(tiny, **settings), trained(tiny, parts=4, **settings)
    assert other.log["loss"].tolist() == pytest.approx(plain.log["loss"].tolist(), rel=1e-3)
    assert apart(plain.adapter, other.adapter) < 0.01 < apart(plain.adapter, trained(tiny).adapter)


# --- all weights
# ------------------------------------------------------------------------------------------------------


def test_all_weights_become_a_model_folder(tiny):
    from sdft_lib.experiments.shift import parameter_shift
    from sdft_lib.models import load_seed, with_adapter

    before = words(tiny)
    run = trained(tiny, full=True, learning_rate=1e-3, keep=(0.5,))
    assert all((before[name] == p).all() for name, p in tiny.model.named_parameters())
    assert run.record["trainable_parameters"] == sum(p.numel() for p in tiny.model.parameters())
    assert not [
        path.name
        for path in run.adapter.rglob("*")
        if path.suffix in (".bin", ".pt", ".pth", ".pkl")
    ]
    on_top = with_adapter(tiny, run.adapter, label="sft")
    alone = load_seed(str(run.adapter), device="cpu", dtype="fp32", say=quiet)
    assert (logits(on_top) == logits(alone)).all() and not (logits(on_top) == logits(tiny)).all()
    assert alone.tokenizer.chat_template == tiny.tokenizer.chat_template
    shift = parameter_shift(tiny, on_top)["shift"]
    halfway = parameter_shift(tiny, with_adapter(tiny, run.kept[0.5], label="half"))["shift"]
    assert 0 < halfway.min() and halfway.mean() < shift.mean() < 0.5
    assert on_top.adapter != with_adapter(tiny, run.kept[0.5], label="sft").adapter


@pytest.mark.parametrize(
    "full, file, field, value",
    [
        (False, "adapter_config.json", "lora_alpha", 32),
        (True, "config.json", "rms_norm_eps", 0.5),
    ],
)
def test_a_training_is_named_by_what_decides_its_answers(tiny, tmp_path, full, file, field, value):
    """Weights and configuration, not the label."""
    folder = shutil.copytree(trained(tiny, full=full, epochs=1).adapter, tmp_path / "copy")
    first, other = (with_adapter(tiny, folder, label=label) for label in ("sft", "sdft"))
    assert first.identity == other.identity and (first.label, other.label) == ("sft", "sdft")
    config = json.loads((folder / file).read_text(encoding="utf-8"))
    assert config[field] != value
    (folder / file).chmod(0o644)
    (folder / file).write_text(json.dumps(config | {field: value}), encoding="utf-8")
    changed = with_adapter(tiny, folder, label="sft")
    assert changed.identity != first.identity and not (logits(changed) == logits(first)).all()


def test_the_anchor_holds_all_weights_near_the_seed(tiny):
    from sdft_lib.experiments.shift import answer_kl
    from sdft_lib.models import with_adapter

    runs = [trained(tiny, full=True, learning_rate=1e-3, anchor=anchor) for anchor in (0.0, 50.0)]
    near = [
        answer_kl(tiny, with_adapter(tiny, run.adapter, label="x"), ROWS)["kl"].mean()
        for run in runs
    ]
    assert near[1] < near[0] / 2


def test_a_training_that_was_cut_off_goes_on_to_the_same_bytes(tiny, monkeypatch, tmp_path):
    """24 steps, a checkpoint after each 6; the cut comes at step 21."""
    settings = {"full": True, "batch_size": 2, "parts": 2, "epochs": 4, "learning_rate": 1e-3}

    def cut(line):
        if "step 21" in line:
            raise InterruptedError

    whole = trained(tiny, **settings)
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "other"))
    with pytest.raises(InterruptedError):
        trained(tiny, say=cut, **settings)
    said = []
    again = trained(tiny, say=said.append, **settings)
    assert not [line for line in said if "step 1/" in line]
    for path in sorted(whole.adapter.glob("*")):
        if path.name not in ("run.json", "manifest.json"):
            assert path.read_bytes() == (again.adapter / path.name).read_bytes(), path.name


def test_an_adapter_has_the_same_bytes_in_every_process(tiny):
    """peft keeps names of layers in a set, whose order each process has anew."""
    targets = ("v_proj", "q_proj", "o_proj", "k_proj", "up_proj")
    folder = trained(tiny, targets=targets, epochs=1).adapter
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["target_modules"] == sorted(targets)


@pytest.mark.parametrize("harmed", ["checkpoint", "kept"])
def test_what_was_altered_after_a_kill_is_not_trained_on(tiny, monkeypatch, tmp_path, harmed):
    """6 steps, a checkpoint after the third; the cut comes at step 5."""
    from safetensors.torch import load_file, save_file

    whole = trained(tiny, keep=(0.3,))
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "other"))

    def cut(self, args, state, control, **kwargs):
        if state.global_step == 5:
            raise InterruptedError

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(trainer.Printer, "on_step_end", cut)
        trained(tiny, keep=(0.3,))
    pattern = {"checkpoint": "work/checkpoints/checkpoint-3", "kept": "kept/0.30"}[harmed]
    (path,) = (tmp_path / "other").rglob(f"{pattern}/adapter_model.safetensors")
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    again = trained(tiny, keep=(0.3,))
    assert apart(whole.adapter, again.adapter) == 0
    assert apart(whole.kept[0.3], again.kept[0.3]) == 0


# --- weights that are shared, fp16
# ------------------------------------------------------------------------------------


def test_model_and_copy_share_what_is_not_changed(tiny):
    from sdft_lib.models import with_adapter

    before = words(tiny)
    tuned = with_adapter(tiny, trained(tiny).adapter, label="x")
    seeds, own = dict(tiny.model.named_parameters()), dict(tuned.model.named_parameters())
    assert seeds.keys() == own.keys() and {
        name for name in own if own[name] is not seeds[name]
    } == {name for name in seeds if "q_proj" in name or "v_proj" in name}
    assert all((before[name] == p).all() for name, p in seeds.items())


def test_a_cpu_trains_on_frozen_bf16_weights_and_leaves_the_seed_as_it_was(tiny):
    """One copy of the frozen weights, in bf16; short rows by the faster attention, in the copy."""
    import torch

    seed = replace(tiny, model=copy.deepcopy(tiny.model).bfloat16(), device="cpu", dtype="bf16")
    model = weights.trainable_copy(seed, weights.lora(TrainConfig()))
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert {p.dtype for p in frozen} == {torch.bfloat16}
    assert {id(p) for p in frozen} <= {id(p) for p in seed.model.parameters()}
    before = seed.model.config._attn_implementation
    tuned = trained(seed)
    assert seed.model.config._attn_implementation == before == "sdpa"
    assert tuned.log.loss.iloc[-1] < tuned.log.loss.iloc[0]


def test_fp16_keeps_the_base_and_trains_in_fp32(tiny):
    """What a GPU without bf16 does: frozen fp16 weights, an adapter in fp32, a gradient scaler."""
    import torch

    from sdft_lib.training.trainer import trainer_arguments

    half = replace(tiny, model=copy.deepcopy(tiny.model).half(), device="cuda", dtype="fp16")
    model = weights.trainable_copy(half, weights.lora(TrainConfig()))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.float16}
    assert {p.dtype for p in weights.trainable_copy(half).parameters()} == {torch.float32}
    steps = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    ids, found = torch.tensor([[5, 6, 7, 8, 9, 10]]), []
    for _ in range(4):
        with torch.autocast("cpu", dtype=torch.float16):
            loss = model(input_ids=ids, labels=ids).loss
        scaler.scale(loss).backward()
        scaler.unscale_(steps)  # refuses gradients in fp16
        scaler.step(steps)
        scaler.update()
        steps.zero_grad()
        found.append(loss.item())
    assert found[-1] < found[0]
    assert not trainer_arguments(
        replace(half, device="cpu"), TrainConfig(), "x"
    ).fp16  # a CPU has no scaler for it


def test_the_seed_makes_room_on_the_gpu_and_comes_back():
    moves = []
    seed = SimpleNamespace(model=SimpleNamespace(to=moves.append), device="cuda")
    with pytest.raises(ValueError), weights.set_aside(seed, True):
        raise ValueError
    with weights.set_aside(seed, False):
        pass
    assert moves == ["cpu", "cuda"]


# --- 4 bit
# ------------------------------------------------------------------------------------------------------------


def test_four_bit_without_bitsandbytes_is_one_sentence(monkeypatch, tiny_folder):
    from sdft_lib.models import load_seed

    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SdftError, match=r"sdft-tutorial\[qlora\]"):
        load_seed(str(tiny_folder), four_bit=True, say=quiet)
    monkeypatch.setenv("SDFT_FOUR_BIT", "1")
    with pytest.raises(SdftError, match="bitsandbytes"):
        weights.wants_four_bit(None)
    assert weights.wants_four_bit(False) is False
    monkeypatch.setenv("SDFT_FOUR_BIT", "0")
    assert weights.wants_four_bit(None) is False


# --- refusals
# ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_trained_is_one_sentence(tiny):
    for change, said in (
        ({"four_bit": True}, "QLoRA"),
        ({"four_bit": True, "adapter": "x:0"}, "QLoRA"),
    ):
        with pytest.raises(SdftError, match=said):
            trained(replace(tiny, **change), full=True)
    with pytest.raises(SdftError, match="further"):
        trained(replace(tiny, four_bit=True, adapter="x:0"))
    with pytest.raises(SdftError, match="no adapter"):
        trained(tiny, full=True, peft_config=weights.lora(TrainConfig()))
    for settings in ({"parts": 3}, {"parts": 0}, {"parts": 16}):
        with pytest.raises(SdftError, match="part"):
            TrainConfig(**settings)


def test_a_folder_that_holds_another_model_is_one_sentence(tiny, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    from sdft_lib.models import with_adapter

    wide = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    )
    wide.save_pretrained(tmp_path / "wide")
    with pytest.raises(SdftError, match="other names or shapes"):
        with_adapter(tiny, tmp_path / "wide", label="x")
    (tmp_path / "wide" / "model.safetensors").rename(tmp_path / "wide" / "pytorch_model.bin")
    with pytest.raises(SdftError, match="no pickle"):
        with_adapter(tiny, tmp_path / "wide", label="x")


# --- command line
# -----------------------------------------------------------------------------------------------------


def sdft(*arguments):
    from sdft_lib.cli import main as cli

    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_the_command_line_trains_all_weights_and_scores_them(tiny, tiny_folder, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:4]), encoding="utf-8")
    out, common = tmp_path / "model", ("--model", tiny_folder, "--json")
    ways = ("--full", "--gradient-checkpointing", "--parts", 2, "--batch-size", 4, "--epochs", 1)
    result = sdft("train", "--data", rows, "--out", out, *ways, *common)
    assert result.exit_code == 0, result.output
    config = json.loads(result.stdout)["config"]
    assert (config["full"], config["checkpointing"], config["parts"], config["learning_rate"]) == (
        True,
        True,
        2,
        2e-5,
    )
    scored = sdft("evaluate", "--adapter", out, "--suite", "facts", "--limit", 2, *common)
    assert scored.exit_code == 0 and json.loads(scored.stdout)[0]["n"] == 2, scored.output
    both = sdft("train", "--data", rows, "--out", tmp_path / "no", "--full", "--four-bit", *common)
    assert both.exit_code == 2 and "QLoRA" in both.output and len(both.output.splitlines()) == 1
