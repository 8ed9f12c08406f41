"""Stand-ins for vllm and ray.data, which answer by our own loop with the seeds they are given: for
keys, kills and errors. tests/real_engines runs both packages themselves.
"""

import pickle
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

from sdft_lib import models
from sdft_lib.decoding import decode, sampling
from sdft_lib.generation import Decoding


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
    vllm.__version__, vllm.LLM, vllm.SamplingParams = "0.0.test", LLM, SimpleNamespace
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


def ray_stand_in(monkeypatch, *, machines=({"CPU": 1.0},), drop=0):
    """Ray Data whose batches come back in another order, ``drop`` of them lost."""
    seen = SimpleNamespace(options=[])

    class Items(list):
        def map_batches(self, kind, *, batch_size, fn_constructor_args, **options):
            assert batch_size == 1
            seen.options.append(options)
            copy = kind(*pickle.loads(pickle.dumps(fn_constructor_args)))
            made = [copy({name: [item[name]] for name in item}) for item in self]
            random.Random(0).shuffle(made)
            rows = [{name: one[name][0] for name in one} for one in made[drop:]]
            return SimpleNamespace(iter_rows=lambda: iter(rows))

    ray, data = ModuleType("ray"), ModuleType("ray.data")
    ray.__version__, ray.data = "0.0.test", data
    ray.init = lambda **options: None
    ray.nodes = lambda: [{"Alive": True, "Resources": dict(machine)} for machine in machines]
    data.from_items = lambda items, override_num_blocks: Items(items)
    data.ActorPoolStrategy = lambda size: size
    data.DataContext = SimpleNamespace(get_current=SimpleNamespace)
    for module in (ray, data):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen
