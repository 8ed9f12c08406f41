"""Who writes the answers: this library or vLLM, on this machine or on many through Ray Data (lesson
10).

Another engine gets token ids of our own chat template and gives token ids back; its name and
versions are in the keys of what it made. Greedy answers agree but for near ties, since other
kernels round otherwise; sampled ones are other draws from the same shares."""

import importlib
import os
from collections.abc import Callable

from transformers import AutoConfig

from sdft_lib import models
from sdft_lib.decoding.tokens import prepare_tokenizer, read_tokenizer
from sdft_lib.engines.ray import OwnLoop, Ray, SmallParts
from sdft_lib.engines.vllm import Vllm
from sdft_lib.models import PRESETS, Seed, locate
from sdft_lib.storage.devices import choose_device, choose_dtype, torch_dtype
from sdft_lib.storage.errors import SdftError, readable
from sdft_lib.storage.hub import newest
from sdft_lib.storage.processes import world
from sdft_lib.storage.safe import without_place
from sdft_lib.training.weights import wants_four_bit

# by name: the packages that it needs, with the extra that installs each
OTHERS = {"vllm": {"vllm": "vllm"}, "ray-torch": {"ray.data": "ray"}}
OTHERS["ray-vllm"] = OTHERS["vllm"] | OTHERS["ray-torch"]
ENGINES = ("torch", *OTHERS)
# Logs go to stderr, for stdout is the answer's, and neither package reports its use to anybody.
QUIET = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def load(
    name: str = "smollm2-135m",
    engine: str = "torch",
    *,
    gpus: int = 1,
    four_bit: bool | None = None,
    say: Callable[[str], None] = print,
) -> Seed:
    """A seed model whose answers come from ``engine``; ``torch`` is ``load_seed``.

    ``gpus``: how many GPUs vLLM spreads one copy of the model over. No weights are read before the
    first answer, so what lies in the store needs none. ``four_bit`` is for torch alone. Raises
    SdftError: the engine is unknown or not installed, or there is no GPU.
    """
    if engine not in ENGINES:
        raise SdftError(f'there is no engine "{engine}"; use {", ".join(ENGINES)}.')
    if gpus > 1 and engine.endswith("torch"):
        raise SdftError("torch takes one GPU a model; give --engine vllm, or leave --gpus out.")
    if engine == "torch":
        return models.load_seed(name, four_bit=four_bit, say=say)
    if wants_four_bit(four_bit):
        raise SdftError(f"--four-bit is for the engine torch; leave it out, or --engine {engine}.")
    if world() > 1:
        raise SdftError(f"{engine} shares out the rows itself; start it in one process.")
    check_installed(engine)
    device, dtype = device_and_dtype(engine)
    source, revision = locate(name, say)
    with readable(name, PRESETS):
        commit = None if revision else newest(source)
        where = {"revision": commit or "main", "local_files_only": commit is None}
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, **where)
        tokenizer = read_tokenizer(source, commit)
    prepare_tokenizer(tokenizer, name)
    kind = SmallParts if engine == "ray-vllm" else Vllm
    made = kind(source, commit, dtype, gpus, device=device)
    if engine.startswith("ray"):
        made = Ray(OwnLoop(source, commit) if engine == "ray-torch" else made, gpus)
    say(f"{name}: answers by {engine} {made.version} in {dtype}")
    shown, weights = without_place(name), NoWeights(config, torch_dtype(dtype))
    return Seed(weights, tokenizer, shown, revision or commit, device, dtype, engine=made)


def check_installed(engine: str) -> None:
    """Raise SdftError if a package is missing, saying which command installs it."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for package, extra in OTHERS[engine].items():
        try:
            importlib.import_module(package)
        except ImportError as error:
            reason = " ".join(str(error).split())[:120]
            remedy = f"pip install 'sdft-tutorial[{extra}]', best in an environment of its own"
            raise SdftError(f"{package} cannot be loaded ({reason}); {remedy}.") from None


def device_and_dtype(engine: str) -> tuple[str, str]:
    """Device and number format. The machine that starts a Ray job needs no GPU. ``SDFT_DEVICE=cpu``
    is for copies on CPUs, and for vLLM's build for them. Raises SdftError if there is no GPU."""
    if engine.startswith("ray"):
        return os.environ.get("SDFT_DEVICE", "cuda"), os.environ.get("SDFT_DTYPE", "bf16")
    device = choose_device()
    if device != "cuda" and not os.environ.get("SDFT_DEVICE"):
        raise SdftError(f"{engine} needs an NVIDIA GPU, torch sees none here; leave --engine out.")
    return device, choose_dtype(device)


class NoWeights:
    """What a seed knows of a model whose weights another engine holds: configuration and number
    format. What needs the weights, training and the gap, raises SdftError."""

    def __init__(self, config, dtype) -> None:
        self.config, self.dtype = config, dtype

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        raise SdftError("this seed has no weights here; load it without another engine.")

    def __call__(self, *args, **kwargs):
        return self.forward
