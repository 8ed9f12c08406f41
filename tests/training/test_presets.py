"""A preset may be another one with an adapter that comes with the tutorial."""

import pytest
import torch
from safetensors.torch import load_file

from sdft_lib.engines import load
from sdft_lib.models import PRESETS, Preset, load_seed, locate, with_adapter
from sdft_lib.storage import files
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256, read_json, write_json
from sdft_lib.train import TrainConfig, fine_tune
from sdft_lib.training.weights import CONFIG, WEIGHTS

ROWS = [
    {"id": f"r{i}", "messages": [{"role": "user", "content": f"Say {i}"}], "text": "no no no"}
    for i in range(4)
]
CONFIG_OF_TESTS = TrainConfig(learning_rate=5e-2, batch_size=2)


def quiet(line):
    pass


def tuned_on(seed):
    return fine_tune(seed, ROWS, CONFIG_OF_TESTS, minimum_kept=0.0, say=quiet)


@pytest.fixture
def base(tiny_folder, tmp_path, monkeypatch):
    """The base of a preset "tiny-aligned", whose adapter lies in ``tmp_path``/adapters."""
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SDFT_DTYPE", "bf16")
    seed = load_seed(str(tiny_folder), device="cpu", say=quiet)
    folder = tmp_path / "adapters" / "tiny-aligned"
    folder.mkdir(parents=True)
    for name in (WEIGHTS, CONFIG):
        (folder / name).write_bytes((tuned_on(seed).adapter / name).read_bytes())
    sums = {name: file_sha256(folder / name) for name in (WEIGHTS, CONFIG)}
    write_json(tmp_path / "adapters" / "adapters.json", {"tiny-aligned": sums})
    monkeypatch.setattr(files, "data_dir", lambda: tmp_path)
    preset = Preset("Apache-2.0", "any CPU", base=str(tiny_folder))
    monkeypatch.setitem(PRESETS, "tiny-aligned", preset)
    return seed


def weights_of(seed):
    return dict(seed.model.named_parameters())


def test_such_a_preset_is_the_base_with_the_adapter_merged_into_it(base, tmp_path):
    seed = load_seed("tiny-aligned", say=quiet)
    assert (seed.name, seed.label, seed.dtype) == ("tiny-aligned", "seed", "bf16")
    trained = load_file(tmp_path / "adapters" / "tiny-aligned" / WEIGHTS)
    scale, changed = CONFIG_OF_TESTS.alpha / CONFIG_OF_TESTS.rank, set()
    for name, weight in weights_of(seed).items():
        by_hand = weights_of(base)[name]
        layer = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{layer}.lora_A.weight" in trained:
            a, b = (trained[f"{layer}.lora_{part}.weight"].float() for part in "AB")
            by_hand = (by_hand.float() + scale * b @ a).bfloat16()
        assert weight.dtype == torch.bfloat16
        assert torch.allclose(weight.float(), by_hand.float(), rtol=1 / 128)  # its last digit
        if not torch.equal(weight, weights_of(base)[name]):
            changed.add(name.split(".")[-2])
    assert changed == {"q_proj", "v_proj"}


def test_its_steps_have_keys_of_their_own_and_what_is_trained_on_it_is_its_own(base):
    seed = load_seed("tiny-aligned", say=quiet)
    assert base.identity["adapter"] == "" and len(seed.identity["adapter"]) == 16
    assert seed.identity["model"] == "tiny-aligned"
    assert seed.identity["revision"] == base.identity["revision"]
    tuned = tuned_on(seed).adapter
    assert tuned != tuned_on(base).adapter
    both = with_adapter(seed, tuned, label="both")
    assert both.adapter.startswith(f"{seed.adapter}+") and both.name == "tiny-aligned"
    with pytest.raises(SdftError, match="was trained on tiny-aligned, not on"):
        with_adapter(base, tuned, label="wrong base")


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_an_altered_adapter_is_one_sentence(base, tmp_path, name):
    path = tmp_path / "adapters" / "tiny-aligned" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(SdftError, match=f"{name}: altered .*; fetch the data again.$"):
        load_seed("tiny-aligned", say=quiet)
    path.unlink()
    with pytest.raises(SdftError, match=f"{name}: the file is missing; fetch the data again.$"):
        load_seed("tiny-aligned", say=quiet)


def test_an_engine_that_reads_folders_is_told_to_take_base_and_adapter(base, monkeypatch):
    said = "^tiny-aligned is .* with an adapter, which torch alone merges; take .*adapters.tiny-al"
    with pytest.raises(SdftError, match=said):
        locate("tiny-aligned", quiet)
    monkeypatch.setattr(load, "check_installed", quiet)
    monkeypatch.setattr(load, "device_and_dtype", lambda engine: ("cpu", "bf16"))
    with pytest.raises(SdftError, match=said):
        load.load("tiny-aligned", "vllm", say=quiet)
    assert load.load("tiny-aligned", say=quiet).adapter


def test_adapters_that_ship_are_small_as_they_were_written_and_on_their_card():
    folder = files.data_dir() / "adapters"
    register, gate = read_json(folder / "adapters.json"), read_json(folder / "gate.json")
    card = (folder / "README.md").read_text(encoding="utf-8")
    bases = {name: preset.base for name, preset in PRESETS.items() if preset.base}
    bases |= dict.fromkeys(("tickets-sft", "tickets-sdft"), "smollm2-135m")  # lesson 00
    assert set(bases) == set(register) == {each.name for each in folder.iterdir() if each.is_dir()}
    for name, sums in register.items():
        paths = list((folder / name).iterdir())
        assert set(sums) == {path.name for path in paths} == {WEIGHTS, CONFIG}
        assert sum(path.stat().st_size for path in paths) <= 2_000_000
        assert files.frozen_adapter(name) == folder / name
        assert name in card and all(sha256 in card for sha256 in sums.values())
        tensors = load_file(folder / name / WEIGHTS).values()
        assert {tensor.dtype for tensor in tensors} == {torch.bfloat16}
        config = read_json(folder / name / CONFIG)
        assert config["base_model_name_or_path"] == bases[name]
    limits = [line["limit"] for line in gate["gate"]]
    assert limits == ["at least 0.8", "at most 0.1", "at most 0.05", "at most 0.05"]
    for line in gate["gate"]:
        shown = f"{line['mean']:.2f} ({line['low']:.2f} to {line['high']:.2f})"
        verdict = "passed" if line["passed"] else "**failed**"
        assert f"| {line['line']} | {shown} | {line['n']} | {line['limit']} | {verdict} |" in card
