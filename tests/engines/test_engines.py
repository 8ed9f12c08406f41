"""Other engines: the same ids and Decoding go in, the same rows come out, under a key of their
own.
"""

import json
import shutil
import sys
from dataclasses import replace

import pytest
from vllm_stand_in import ray_stand_in, stand_in

from sdft_lib import data, distill, evaluate, gap, generation, models, templates
from sdft_lib.decoding import batches
from sdft_lib.decoding.sampling import row_seed
from sdft_lib.engines import load as engines
from sdft_lib.engines import ray as engine_ray
from sdft_lib.engines import vllm as engine_vllm
from sdft_lib.engines.vllm import Vllm, check_ends, rank_for, sampling
from sdft_lib.generation import Decoding, generate
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import read_jsonl

PROMPTS = [
    [{"role": "user", "content": f"Say one thing about {word}."}]
    for word in ("gold", "the sea", "a red house")
]
DRAWN = Decoding(
    max_new_tokens=9, temperature=0.8, top_p=0.9, top_k=40, repetition_penalty=1.1, seed=3
)


def silent(line):
    pass


@pytest.fixture(autouse=True)
def own_cache_and_engine(monkeypatch, tmp_path):
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    yield
    engine_vllm.stop()


@pytest.fixture
def vllm(monkeypatch):
    return stand_in(monkeypatch)


@pytest.fixture
def torch_seed(tiny_folder):
    return models.load_seed(str(tiny_folder), device="cpu", dtype="fp32", say=silent)


@pytest.fixture(scope="module")
def adapter(tiny_seed, tmp_path_factory):
    """An adapter that changes answers, of rank 6, which vLLM has no room of just that size for."""
    import copy

    import torch
    from peft import LoraConfig, get_peft_model

    tuned = get_peft_model(
        copy.deepcopy(tiny_seed.model), LoraConfig(r=6, target_modules=["q_proj", "v_proj"])
    )
    torch.manual_seed(1)
    for name, weights in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weights, std=0.5)
    folder = tmp_path_factory.mktemp("adapter")
    tuned.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("decoding", [Decoding(max_new_tokens=9), DRAWN])
def test_the_same_ids_go_in_and_the_same_answers_come_out(tiny_folder, torch_seed, vllm, decoding):
    seed = engines.load(str(tiny_folder), "vllm", say=silent)
    assert not vllm.started, "the weights were read before an answer was wanted"
    options = {"names": ["a", "b", "c"], "openings": ["Well,", "", "It"]}
    assert generate(seed, PROMPTS, decoding, **options) == generate(
        torch_seed, PROMPTS, decoding, **options
    )
    ids = generation.prompt_ids(torch_seed, PROMPTS, options["openings"], 9)
    assert [row for row, _ in vllm.asked] == ids
    given = [parameters for _, parameters in vllm.asked]
    assert [one.seed for one in given] == [row_seed(decoding.seed, name) for name in "abc"]
    assert {tuple(one.stop_token_ids) for one in given} == {
        tuple(sorted(generation.stop_ids(seed.tokenizer)))
    }
    assert all(
        one.ignore_eos and not one.detokenize and one.top_k == decoding.top_k for one in given
    )


def test_nothing_is_inherited_from_the_model(tiny_folder, vllm):
    generate(
        engines.load(str(tiny_folder), "vllm", say=silent), PROMPTS, Decoding(max_new_tokens=2)
    )
    (settings,) = vllm.started
    assert settings["generation_config"] == "vllm" and settings["trust_remote_code"] is False
    assert settings["load_format"] == "safetensors" and settings["dtype"] == "float32"
    assert settings["revision"] is None and "enable_lora" not in settings


def test_a_hub_model_is_read_at_the_commit_that_was_found():
    settings = Vllm("org/model", "abc123", "bf16", 2).settings()
    assert (
        settings["revision"] == settings["tokenizer_revision"] == "abc123"
        and settings["tensor_parallel_size"] == 2
    )


def test_a_distilled_set_has_the_same_rows_and_a_key_of_its_own(tiny_folder, torch_seed, vllm):
    task, pattern = data.load_task("tickets"), templates.load_template("opening")
    options = {"limit": 4, "candidates": 2, "decoding": Decoding(max_new_tokens=8), "say": silent}
    ours = distill.distill(torch_seed, task, pattern, **options)
    theirs = distill.distill(
        engines.load(str(tiny_folder), "vllm", say=silent), task, pattern, **options
    )
    assert theirs.rows == ours.rows and theirs.path != ours.path
    assert (ours.path / "rows.jsonl").read_bytes() == (theirs.path / "rows.jsonl").read_bytes()
    parts = [
        json.loads((made.path / "parts.json").read_text(encoding="utf-8"))
        for made in (ours, theirs)
    ]
    engine = parts[1]["seed"].pop("engine")
    assert parts[0] == parts[1] and engine["name"] == "vllm" and engine["version"] == "0.0.test"
    vllm.fault = lambda asked: pytest.fail("what lies in the store was made again")
    distill.distill(engines.load(str(tiny_folder), "vllm", say=silent), task, pattern, **options)


def test_keys_of_the_own_decoding_know_nothing_of_engines(torch_seed):
    assert set(torch_seed.identity) == {"model", "revision", "dtype", "device", "adapter"}


def test_a_killed_run_goes_on_with_the_next_part(
    tiny_folder, torch_seed, vllm, monkeypatch, tmp_path
):
    monkeypatch.setattr(Vllm, "part", 2)
    seed, prompts, path = (
        engines.load(str(tiny_folder), "vllm", say=silent),
        PROMPTS * 2,
        tmp_path / "answers.jsonl",
    )

    def fault(asked):
        if asked == 2:
            raise RuntimeError("the GPU has\nfallen off the bus")

    vllm.fault = fault
    with pytest.raises(
        SdftError, match=r"vllm 0.0.test failed \(RuntimeError: the GPU has fallen off the bus\)"
    ):
        generate(seed, prompts, Decoding(max_new_tokens=5), path=path)
    vllm.fault = None
    assert generate(seed, prompts, Decoding(max_new_tokens=5), path=path) == generate(
        torch_seed, prompts, Decoding(max_new_tokens=5)
    )
    assert len(vllm.asked) == len(prompts) and len(vllm.started) == 1
    assert [row["index"] for row in read_jsonl(path)] == list(range(6))


def test_an_adapter_answers_through_lora(tiny_folder, torch_seed, vllm, adapter):
    chosen = [evaluate.cut(data.load_probes(name), 4) for name in ("facts", "safety")]
    seed = engines.load(str(tiny_folder), "vllm", say=silent)
    plain = evaluate.evaluate(seed, chosen, method="m", say=silent)
    tuned = models.with_adapter(seed, adapter, label="sdft")
    theirs = evaluate.evaluate(tuned, chosen, method="m", say=silent)
    ours = evaluate.evaluate(
        models.with_adapter(torch_seed, adapter, label="sdft"), chosen, method="m", say=silent
    )
    assert theirs.equals(ours) and not theirs.equals(plain)
    assert (
        tuned.identity["adapter"]
        == models.with_adapter(torch_seed, adapter, label="sdft").identity["adapter"]
    )
    assert [settings.get("max_lora_rank") for settings in vllm.started] == [None, 8]
    assert vllm.ended == vllm.started[:1], "two engines at once do not fit on one GPU"
    (request,) = {json.dumps(vars(one)) for one in vllm.lora if one}
    assert (
        json.loads(request)["lora_path"] == str(adapter) and json.loads(request)["lora_int_id"] > 0
    )


def test_a_wholly_trained_model_is_a_model_of_its_own(tiny_folder, vllm, tmp_path):
    trained = shutil.copytree(tiny_folder, tmp_path / "trained")
    seed = models.with_adapter(
        engines.load(str(tiny_folder), "vllm", say=silent), trained, label="full"
    )
    assert (
        seed.engine.settings()["model"] == str(trained)
        and seed.engine.adapter is None
        and seed.adapter
    )


@pytest.mark.parametrize("rank, room", [(1, 1), (6, 8), (17, 32), (600, None)])
def test_room_for_the_rank(tmp_path, rank, room):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": rank}), encoding="utf-8")
    if room is None:
        with pytest.raises(SdftError, match="up to rank 512"):
            rank_for(tmp_path)
    else:
        assert rank_for(tmp_path) == room


@pytest.mark.parametrize("engine", ["ray-torch", "ray-vllm"])
def test_ray_merges_by_place(
    tiny_folder, torch_seed, vllm, monkeypatch, adapter, small_batches, engine
):
    ray, prompts = ray_stand_in(monkeypatch, machines=[{"CPU": 4.0}, {"CPU": 2.0}, {}]), PROMPTS * 3
    seed = engines.load(str(tiny_folder), engine, say=silent)
    assert generate(seed, prompts, DRAWN) == generate(torch_seed, prompts, DRAWN)
    tuned, ours = (models.with_adapter(one, adapter, label="x") for one in (seed, torch_seed))
    assert generate(tuned, prompts, DRAWN) == generate(ours, prompts, DRAWN)
    assert ray.options[0] == {"compute": 2, "num_cpus": 2}
    own = engines.load(str(tiny_folder), engine.removeprefix("ray-"), say=silent)
    assert seed.identity == own.identity and tuned.identity["adapter"] == ours.identity["adapter"]


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of a few rows, two batches a part."""
    for module, name, value in (
        (batches, "BATCH_ROWS", 2),
        (batches, "BATCH_PARTS", 1),
        (engine_ray, "TOGETHER", 2),
        (engine_ray.SmallParts, "part", 2),
    ):
        monkeypatch.setattr(module, name, value)


def test_ray_takes_as_many_copies_as_there_are_gpus_for(monkeypatch):
    ray_stand_in(monkeypatch, machines=[{"CPU": 9.0, "GPU": 4.0}, {"GPU": 1.0}, {"GPU": 3.0}])
    made = engine_ray.Ray(engine_ray.SmallParts("x", None, "bf16", 2), 2)
    assert made.share("cuda") == {"compute": 3, "num_gpus": 2}


@pytest.mark.parametrize(
    "device, drop, words",
    [("cuda", 0, "no machine with 1 GPUs"), ("cpu", 1, "left out 1 of 2 batches")],
)
def test_what_ray_cannot_do_is_one_sentence(
    tiny_folder, vllm, monkeypatch, small_batches, device, drop, words
):
    ray_stand_in(monkeypatch, drop=drop)
    monkeypatch.setenv("SDFT_DEVICE", device)
    seed = engines.load(str(tiny_folder), "ray-torch", say=silent)
    with pytest.raises(SdftError, match=words):
        generate(seed, PROMPTS, Decoding(max_new_tokens=3))


def test_an_error_in_a_copy_is_one_sentence(tiny_folder, vllm, monkeypatch, tmp_path):
    ray_stand_in(monkeypatch)
    seed = engines.load(str(tiny_folder), "ray-torch", say=silent)
    gone = replace(seed, engine=engine_ray.Ray(engine_ray.OwnLoop(str(tmp_path), None)))
    with pytest.raises(SdftError, match=r"ray-torch .* failed \(ValueError: .*parts are kept"):
        generate(gone, PROMPTS, Decoding(max_new_tokens=3))


def test_parts_cover_every_row_once():
    assert Vllm("x", None, "fp32").plan(None, [], 9) == []
    assert [len(part) for part in Vllm("x", None, "fp32").plan(None, [5] * 4097, 9)] == [4096, 1]
    parts = engine_ray.Ray(engine_ray.SmallParts("x", None, "fp32")).plan(None, [5] * 40_000, 9)
    assert [place for part in parts for place in part] == list(range(40_000)) and len(parts) == 3


@pytest.mark.parametrize(
    "ids, fine", [([5, 2], True), ([5, 6, 7], True), ([5, 6], False), ([], False)]
)
def test_an_answer_without_an_end_is_no_answer(ids, fine):
    ask = (["a"], Decoding(max_new_tokens=3), [2])
    if fine:
        check_ends([ids], *ask)
    else:
        with pytest.raises(SdftError, match="prompt a: the engine gave"):
            check_ends([ids], *ask)


@pytest.mark.parametrize(
    "temperature, fine", [(0, True), (0.01, True), (2, True), (0.005, False), (2.5, False)]
)
def test_temperatures_that_vllm_would_change_are_refused(temperature, fine):
    if fine:
        assert sampling(Decoding(temperature=temperature), "a", [2])["temperature"] == temperature
    else:
        with pytest.raises(SdftError, match="outside of what vLLM draws with"):
            sampling(Decoding(temperature=temperature), "a", [2])


def test_a_seed_without_weights_says_so(tiny_folder, vllm, torch_seed):
    seed = engines.load(str(tiny_folder), "vllm", say=silent)
    made = distill.distill(
        seed, data.load_task("tickets"), templates.load_template("opening"), limit=2, say=silent
    )
    with pytest.raises(SdftError, match="has no weights here"):
        gap.gap(seed, made, say=silent)
    with pytest.raises(SdftError, match="has no weights here"):
        seed.model(input_ids=[1])


@pytest.mark.parametrize(
    "engine, package, command",
    [
        ("vllm", "vllm", "sdft-tutorial[vllm]"),
        ("ray-vllm", "ray.data", "sdft-tutorial[ray]"),
    ],
)
def test_what_is_not_installed_is_named_with_its_command(
    monkeypatch, vllm, engine, package, command
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SdftError) as caught:
        engines.load("smollm2-135m", engine, say=silent)
    assert f"{package} cannot be loaded" in str(caught.value) and f"pip install '{command}'" in str(
        caught.value
    )


def test_where_it_cannot_run(monkeypatch, vllm):
    import torch

    with pytest.raises(SdftError, match='no engine "tgi"; use torch, vllm, ray-torch, ray-vllm'):
        engines.load("smollm2-135m", "tgi")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SdftError, match="in one process"):
        engines.load("smollm2-135m", "vllm")
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.delenv("SDFT_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SdftError, match="needs an NVIDIA GPU"):
        engines.load("smollm2-135m", "vllm")


def test_the_command_line_takes_an_engine(tiny_folder, vllm, adapter, tmp_path):
    from typer.testing import CliRunner

    from sdft_lib.cli.main import app

    out = tmp_path / "rows.jsonl"
    model = ["--engine", "vllm", "--model", str(tiny_folder), "--limit", "3", "--out", str(out)]
    done = CliRunner().invoke(app, ["distill", "--task", "tickets", *model])
    assert done.exit_code == 0 and len(read_jsonl(out)) == 3 and len(vllm.asked) == 3, done.output
    assert [settings["tensor_parallel_size"] for settings in vllm.started] == [1]
    done = CliRunner().invoke(
        app, ["evaluate", "--suite", "facts", "--adapter", str(adapter), *model]
    )
    assert done.exit_code == 0 and len(read_jsonl(out)) == 3 and len(vllm.asked) == 6, done.output
    done = CliRunner().invoke(app, ["evaluate", "--suite", "facts", *model, "--engine", "tgi"])
    assert done.exit_code == 2 and "no engine" in done.output


@pytest.mark.parametrize(
    "command",
    [
        ["distill", "--task", "tickets"],
        ["evaluate", "--suite", "facts"],
        ["answer", "--suite", "gsm8k"],
    ],
)
def test_a_model_is_spread_over_gpus_where_an_engine_is_taken(
    tiny_folder, vllm, tmp_path, monkeypatch, command
):
    from typer.testing import CliRunner

    from sdft_lib.cli.main import app
    from sdft_lib.paper.suites import SUITES

    monkeypatch.setitem(
        SUITES, "gsm8k", replace(SUITES["gsm8k"], max_new_tokens=8)
    )  # the tiny model reads 512 tokens
    items = [{"id": "gsm8k-0001", "messages": PROMPTS[0], "reference": "1"}]
    monkeypatch.setattr("sdft_lib.paper.suites.load_items", lambda suite, limit, *, suffix: items)
    out = tmp_path / "rows.jsonl"
    asked = [
        *command,
        "--model",
        str(tiny_folder),
        "--limit",
        "1",
        "--out",
        str(out),
        "--gpus",
        "2",
    ]
    done = CliRunner().invoke(app, [*asked, "--engine", "vllm"])
    assert done.exit_code == 0, done.output
    assert [settings["tensor_parallel_size"] for settings in vllm.started] == [2]
    done = CliRunner().invoke(app, asked)
    assert (
        done.exit_code == 2
        and "leave --gpus out" in done.output
        and len(done.output.splitlines()) == 1
    )
