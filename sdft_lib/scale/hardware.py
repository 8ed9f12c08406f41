"""What a run costs, by arithmetic: parameters, memory and seconds from a model's geometry and a
device (lesson 10).

Each formula is one line that you can check by hand. ``data/hardware`` holds the numbers they start
from, with source and trust; against the public measurements in ``measured.csv`` the memory is
within a tenth, the time within its shares. Parameters and tokens are counts, memory is bytes, speed
is floating-point operations (flops) a second."""

from dataclasses import dataclass

from sdft_lib.decoding.batches import BATCH_ROWS, BATCH_TOKENS
from sdft_lib.formats.toml import from_table, read_toml
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import data_dir

STATE = 16  # bytes for each trained weight: weight, gradient and two moments of Adam, 4 bytes each
NF4 = 0.516  # bytes for each weight of a 4-bit layer: half a byte, and scales, quantised too
LOGIT = 14  # bytes for each logit: 16-bit and fp32 values, and their gradients
OVERHEAD = 1.5e9  # bytes: the device's own context and fragments


@dataclass(frozen=True)
class Geometry:
    """The shape of a decoder: ``bias`` on queries, keys and values (Qwen2); ``tied``: embedding and
    head are one. ``characters``: letters a token, on average."""

    name: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    characters: float
    parameters: int = 0
    tied: bool = False
    bias: bool = False


@dataclass(frozen=True)
class Device:
    """``memory`` in bytes, ``flops`` and ``bandwidth`` (bytes) a second, and the shares of them
    that runs reach (low, high)."""

    key: str
    name: str
    memory: float
    flops: float
    bandwidth: float
    bf16: bool
    train: tuple[float, float]
    train_4bit: tuple[float, float]
    read: float
    layer_ms: tuple[float, float]
    trust: str


def load_table(name: str) -> dict:
    """A TOML file of ``data/hardware`` as a dictionary."""
    return read_toml(data_dir() / "hardware" / f"{name}.toml")


def geometry(name: str) -> Geometry:
    """A model's geometry by preset name; SdftError for one that is not in ``models.toml``."""
    known = load_table("models")
    if name not in known:
        raise SdftError(f"model {name!r} is not in data/hardware/models.toml; add it there.")
    return from_table({"name": name, **known[name]}, Geometry, "models.toml")


def devices() -> list[Device]:
    """The devices of ``devices.toml``, in its order."""
    rows = load_table("devices").items()
    return [from_table({"key": key, **row}, Device, "devices.toml") for key, row in rows]


def projections(model: Geometry) -> dict[str, tuple[int, int]]:
    """The linear layers of one block: name to (inputs, outputs)."""
    hidden, inner = model.hidden, model.intermediate
    queries, keys = model.heads * model.head_size, model.kv_heads * model.head_size
    shapes = {"q_proj": (hidden, queries), "k_proj": (hidden, keys), "v_proj": (hidden, keys)}
    shapes |= {"o_proj": (queries, hidden), "gate_proj": (hidden, inner)}
    return shapes | {"up_proj": (hidden, inner), "down_proj": (inner, hidden)}


def linear(model: Geometry) -> int:
    """Weights of all blocks' linear layers."""
    return model.layers * sum(inputs * outputs for inputs, outputs in projections(model).values())


def parameters(model: Geometry) -> int:
    """All parameters: blocks, norms, biases, embedding and, unless tied, the head."""
    biases = (model.heads + 2 * model.kv_heads) * model.head_size if model.bias else 0
    tables = (1 if model.tied else 2) * model.vocabulary * model.hidden
    return linear(model) + model.layers * (2 * model.hidden + biases) + model.hidden + tables


def multiplied(model: Geometry) -> int:
    """Weights that multiply each token: linear layers and head (an embedding is looked up)."""
    return linear(model) + model.vocabulary * model.hidden


def lora_parameters(model: Geometry, rank: int, targets) -> int:
    """Trained weights of LoRA: two thin matrices, ``rank`` wide, for each target of each block."""
    shapes = projections(model)
    if wrong := [name for name in targets if name not in shapes]:
        raise SdftError(f'target "{wrong[0]}" is not a linear layer; use {", ".join(shapes)}.')
    return model.layers * rank * sum(sum(shapes[name]) for name in targets)


def training_flops(model: Geometry, tokens: float, *, full: bool, checkpointing: bool) -> float:
    """Two flops a weight and token forward, two back through the activations, two more for the
    gradients of trained weights (full tuning), two to run the forward pass again (checkpointing).
    Attention itself adds 1 to 2 % at 500 tokens and is left out, as are LoRA's own matrices."""
    return (4 + 2 * full + 2 * checkpointing) * multiplied(model) * tokens


def weight_bytes(model: Geometry, *, four_bit: bool = False) -> float:
    """Memory of frozen weights: 2 bytes each; in 4 bit, embedding and head stay at 2 bytes."""
    if not four_bit:
        return 2 * parameters(model)
    return NF4 * linear(model) + 2 * (parameters(model) - linear(model))


def training_parts(
    model: Geometry,
    *,
    tokens: int,
    logits: int,
    trained: int,
    full: bool = False,
    checkpointing: bool = False,
    four_bit: bool = False,
) -> dict[str, float]:
    """Memory at the peak of a step, part by part: weights, states of the ``trained`` ones,
    activations of the ``tokens`` and logits of the ``logits`` positions in one forward pass.

    A block keeps about 8 hidden and 4 intermediate vectors a token at 2 bytes; under checkpointing
    one hidden vector, and one block at a time is there whole, with its gradients."""
    block = 2 * (8 * model.hidden + 4 * model.intermediate)
    per_token = model.layers * block + block
    if checkpointing:
        per_token = model.layers * 2 * model.hidden + 2 * block
    frozen = 0 if full else weight_bytes(model, four_bit=four_bit)
    parts = {"frozen weights": frozen, "trained weights": STATE * trained}
    parts |= {"activations": tokens * per_token, "logits": LOGIT * model.vocabulary * logits}
    return parts | {"device": OVERHEAD}


def training_bytes(model: Geometry, **what: int) -> float:
    """The sum of ``training_parts``."""
    return sum(training_parts(model, **what).values())


def cache_bytes(model: Geometry) -> int:
    """Keys and values of one token at 2 bytes."""
    return 2 * 2 * model.layers * model.kv_heads * model.head_size


def rows_together(model: Geometry, device: Device, tokens: int, *, four_bit: bool = False) -> int:
    """Rows of ``tokens`` at once (0: none fits): keys and values get half of what weights leave."""
    free = device.memory - OVERHEAD - weight_bytes(model, four_bit=four_bit)
    room = min(BATCH_TOKENS, free / 2 / cache_bytes(model))
    return max(0, min(BATCH_ROWS, int(room // tokens)))


def step_seconds(
    model: Geometry, device: Device, rows: int, context: float, *, slow: bool, four_bit=False
) -> float:
    """One decoding step: the longest of reading weights and cache, multiplying, and the least time
    of the layers. 4-bit layers are read, written as 16 bit and read again."""
    unpacked = 4 * linear(model) if four_bit else 0
    read = weight_bytes(model, four_bit=four_bit) + unpacked + rows * context * cache_bytes(model)
    share = (device.train_4bit if four_bit else device.train)[0 if slow else 1]
    multiply = 2 * multiplied(model) * rows / device.flops / share
    layers = model.layers * device.layer_ms[1 if slow else 0] / 1000
    return max(read / device.bandwidth / device.read, multiply, layers)


def generation_seconds(
    model: Geometry,
    device: Device,
    *,
    rows: int,
    prompt: float,
    answer: float,
    slow: bool,
    four_bit: bool = False,
    longest: int = 512,
) -> float:
    """Seconds to read ``rows`` prompts of ``prompt`` tokens and to write ``answer`` tokens for
    each, in batches (one must fit). The slow end lets each batch go on for ``longest`` steps."""
    together = rows_together(model, device, int(prompt + longest), four_bit=four_bit)
    reading = 2 * multiplied(model) * rows * prompt / device.flops / device.train[0 if slow else 1]
    steps = (longest if slow else answer) * -(-rows // together)
    context = prompt + answer / 2
    step = step_seconds(model, device, together, context, slow=slow, four_bit=four_bit)
    return reading + steps * step
