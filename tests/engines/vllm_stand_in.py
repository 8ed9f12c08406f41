"""Stand-ins for vllm and ray.data.llm: strict about names, answering by our own loop with the seeds
they are given.
"""

import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

from sdft_lib import models
from sdft_lib.decoding import decode, sampling
from sdft_lib.generation import Decoding

# The arguments of vllm 0.29 and 0.33 that we use, as their sources name them.
PARAMETERS = {
    "n",
    "temperature",
    "top_p",
    "top_k",
    "repetition_penalty",
    "max_tokens",
    "seed",
    "stop_token_ids",
    "ignore_eos",
    "min_tokens",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "detokenize",
    "skip_special_tokens",
}
SETTINGS = {
    "model",
    "revision",
    "tokenizer",
    "tokenizer_revision",
    "dtype",
    "load_format",
    "trust_remote_code",
    "generation_config",
    "max_model_len",
    "seed",
    "tensor_parallel_size",
    "enable_lora",
    "max_loras",
    "max_lora_rank",
}


class SamplingParams(SimpleNamespace):
    def __init__(self, **given):
        assert set(given) <= PARAMETERS, set(given) - PARAMETERS
        super().__init__(**given)


@dataclass
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str


def stand_in(monkeypatch, *, fault=None):
    """Put the module in place; returns what happened: settings ``started`` with, (ids, parameters)
    ``asked``.
    """
    seen = SimpleNamespace(started=[], ended=[], asked=[], lora=[], fault=fault)

    class LLM:
        def __init__(self, **settings):
            assert set(settings) <= SETTINGS, set(settings) - SETTINGS
            seen.started.append(settings)
            self.llm_engine = SimpleNamespace(
                engine_core=SimpleNamespace(shutdown=lambda: seen.ended.append(settings))
            )
            self.seed = models.load_seed(
                settings["model"], device="cpu", dtype="fp32", say=lambda line: None
            )

        def generate(self, prompts, params, *, use_tqdm, lora_request=None):
            if seen.fault:
                seen.fault(len(seen.asked))
            rows = [prompt["prompt_token_ids"] for prompt in prompts]
            seen.asked += list(zip(rows, params, strict=True))
            seen.lora.append(lora_request)
            folder = Path(lora_request.lora_path) if lora_request else None
            seed = models.with_adapter(self.seed, folder, label="x") if folder else self.seed
            answers = [tokens(seed, row, given) for row, given in zip(rows, params, strict=True)]
            return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids)]) for ids in answers]

    vllm = ModuleType("vllm")
    vllm.__version__, vllm.LLM, vllm.SamplingParams = "0.0.test", LLM, SamplingParams
    for name, module in (
        ("vllm", vllm),
        ("vllm.lora", ModuleType("lora")),
        ("vllm.lora.request", ModuleType("r")),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["vllm.lora.request"].LoRARequest = LoRARequest
    for name, value in (("SDFT_DEVICE", "cpu"), ("SDFT_DTYPE", "fp32")):
        monkeypatch.setenv(name, value)
    return seen


def tokens(seed, row, given) -> list[int]:
    """What our own loop writes with these parameters; the draws come from ``given.seed``."""
    decoding = Decoding(
        given.max_tokens, given.temperature, given.top_p, given.top_k, given.repetition_penalty
    )
    real, sampling.row_seed = sampling.row_seed, lambda seed, name: name
    try:
        choose = sampling.chooser(decoding, [given.seed])
    finally:
        sampling.row_seed = real
    return decode.decode(
        seed.model,
        [row],
        choose,
        stops=given.stop_token_ids,
        pad=0,
        max_new_tokens=given.max_tokens,
        together=1,
    )[0]


def ray_stand_in(monkeypatch, *, gpus=2, drop=0):
    """Ray Data whose rows come back in another order, as plain JSON carries them, ``drop`` of them
    lost.
    """
    seen = SimpleNamespace(configs=[])

    def build_processor(config, preprocess=None, postprocess=None):
        import vllm

        seen.configs.append(config)
        model = vllm.LLM(model=config["model_source"], **config["engine_kwargs"])

        def processor(items):
            rows = json.loads(json.dumps(items))
            random.Random(0).shuffle(rows)
            for row in rows[drop:]:
                given, name = vllm.SamplingParams(**row["sampling_params"]), row.get("model")
                lora = (
                    LoRARequest("x", 1, name) if name and name != config["model_source"] else None
                )
                prompt = {"prompt_token_ids": row["tokenized_prompt"]}
                found = model.generate([prompt], [given], use_tqdm=False, lora_request=lora)
                row["generated_tokens"] = found[0].outputs[0].token_ids
            return SimpleNamespace(iter_rows=lambda: map(postprocess, rows[drop:]))

        return processor

    ray, data, llm = ModuleType("ray"), ModuleType("ray.data"), ModuleType("ray.data.llm")
    ray.__version__, ray.data, data.llm = "0.0.test", data, llm
    ray.init = lambda **options: None
    ray.cluster_resources = lambda: {"GPU": float(gpus)} if gpus else {}
    data.from_items = list
    llm.build_processor, llm.vLLMEngineProcessorConfig = build_processor, lambda **fields: fields
    for module in (ray, data, llm):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen
