"""Weights: how they are read, what of them is trained, how that is saved and put on the seed again
(lessons 00, 03 and 08).

Only safetensors are read, and no code of a model's repository. A copy of a large model may not fit
beside it, so frozen weights are never copied: the seed and what is trained on it use the same
ones."""

import contextlib
import copy
import importlib.util
import os
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import safe_open
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from sdft_lib.storage.devices import torch_dtype
from sdft_lib.storage.errors import SdftError, quiet_transformers
from sdft_lib.storage.files import file_sha256
from sdft_lib.storage.processes import rank
from sdft_lib.storage.store import digest

# peft 0.21 asks transformers 5.23 by an older name
OLDER_NAME = {"action": "ignore", "category": FutureWarning}

# --- how weights are read


def wants_four_bit(asked: bool | None) -> bool:
    """What the caller says, else ``SDFT_FOUR_BIT``. Raises SdftError without bitsandbytes."""
    wanted = os.environ.get("SDFT_FOUR_BIT", "0") not in ("", "0") if asked is None else asked
    if wanted and importlib.util.find_spec("bitsandbytes") is None:
        raise SdftError(
            "4-bit weights need bitsandbytes; pip install 'sdft-tutorial[qlora]', or load them "
            "in 16 bit."
        )
    return wanted


def read_model(
    source: str, dtype: str, device: str, *, four_bit: bool, local: bool
) -> PreTrainedModel:
    """The model on its device, ready to answer. ``dtype``: fp32, bf16 or fp16; 4-bit weights are
    unpacked to it.

    Raises ValueError if a tensor is missing, and what transformers raises for files that it cannot
    read."""
    model, report = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=torch_dtype(dtype),
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
        trust_remote_code=False,
        local_files_only=local,
        **(packed(dtype, device) if four_bit else {}),
    )
    # transformers would leave these tensors at random and only warn
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"{len(missing)} tensors, such as {missing[0]}, are missing")
    if (head := model.get_output_embeddings()) is not None:
        head.register_forward_pre_hook(in_one_piece)
    return (model if four_bit else model.to(device)).eval()


def packed(dtype: str, device: str) -> dict:
    """Arguments of ``from_pretrained`` for 4-bit weights on one device; they cannot be moved to it
    afterwards.

    In 4 bit (NF4, its scales quantised too; QLoRA, arXiv 2305.14314) the matrices of all layers
    take half a byte a weight and are unpacked for each product; embedding and head stay as they
    are."""
    bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch_dtype(dtype),
    )
    where = torch.cuda.current_device() if device == "cuda" else device
    return {"quantization_config": bits, "device_map": {"": where}}


def in_one_piece(head: torch.nn.Module, inputs: tuple) -> tuple:
    """The inputs of the vocabulary layer, brought together in memory where they are a slice of all
    positions.

    torch multiplies frozen weights in 16 bit with such a slice row by row, and copies the weights
    for each row: 300 times slower on a CPU, and 6 GB at 100 rows."""
    return (inputs[0].contiguous(), *inputs[1:])


# --- what is trained


def tuner(config, peft_config: PeftConfig | None = None) -> PeftConfig | None:
    """The peft configuration of a training; None: all weights. Raises SdftError for both."""
    if config.full and peft_config is not None:
        raise SdftError(
            "all weights are to be trained, so there is no adapter to configure; leave "
            "peft_config out."
        )
    return None if config.full else peft_config or lora(config)


def lora(config) -> LoraConfig:
    """The default: LoRA on the query and value projections (paper, section 4.1)."""
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        task_type="CAUSAL_LM",
    )


def describe(peft_config: PeftConfig) -> dict:
    """A peft configuration as plain, sorted values, for an artefact's key."""
    fields = peft_config.to_dict().items()
    return {key: sorted(value) if isinstance(value, set) else str(value) for key, value in fields}


def check_four_bit(seed, *, full: bool) -> None:
    """Raise SdftError for what cannot be done with 4-bit weights."""
    if seed.four_bit and full:
        raise SdftError(
            "4-bit weights cannot be trained themselves; leave out --full (QLoRA), or --four-bit."
        )
    if seed.four_bit and seed.adapter:
        raise SdftError(
            "a 4-bit model with an adapter cannot be trained further: merging would round its "
            "weights anew; load it in 16 bit."
        )


def trainable_copy(seed, peft_config: PeftConfig | None = None) -> PreTrainedModel | PeftModel:
    """The seed's frozen weights with a fresh adapter, which is fp32; without ``peft_config`` all
    weights, in fp32.

    On a CPU frozen weights are fp32 too: autocast chooses the faster products. A 16-bit weight that
    is trained would swallow steps smaller than its last digit, and a gradient scaler (fp16) refuses
    it."""
    check_four_bit(seed, full=peft_config is None)
    if peft_config is None:
        return copy.deepcopy(seed.model).float().requires_grad_(True)
    widened = seed.device == "cpu" and seed.dtype != "fp32" and not seed.four_bit
    model = copy.deepcopy(seed.model).float() if widened else twin(seed.model)
    with warnings.catch_warnings(**OLDER_NAME):
        return get_peft_model(model, peft_config)


def twin(model: PreTrainedModel, own: Collection[torch.Tensor] = ()) -> PreTrainedModel:
    """A model of its own modules and the parameters of ``model``, but for copies of ``own``."""
    copied = {id(parameter) for parameter in own}
    return copy.deepcopy(model, {id(p): p for p in model.parameters() if id(p) not in copied})


@contextlib.contextmanager
def set_aside(seed, away: bool) -> Iterator[None]:
    """Within the block the seed waits in the machine's memory (``away``), not on the GPU."""
    if away:
        seed.model.to("cpu")
    try:
        yield
    finally:
        if away:
            seed.model.to(seed.device)


# --- how it is saved


def save_trained(trainer, seed, folder: Path, label: str) -> None:
    """What was trained, in safetensors: an adapter, or a model folder with its tokenizer in the
    seed's dtype.

    Of several processes each hands in its part of the weights (DeepSpeed, FSDP) and the first one
    writes. Raises SdftError if a weight became infinite."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if rank():
        return
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not state[name].isfinite().all():
            raise SdftError(
                f"{label}: the weights became infinite; lower the learning rate "
                f"({trainer.args.learning_rate})."
            )
    if isinstance(model, PeftModel):
        save_adapter(model, state, folder, seed.name)
    else:
        model.save_pretrained(folder, state_dict=in_dtype(state, torch_dtype(seed.dtype)))
        seed.tokenizer.save_pretrained(folder)


def save_adapter(model: PeftModel, state: dict, folder: Path, base: str) -> None:
    """The adapter alone, with the name of its base, without the model card that peft writes beside
    it.

    The name does not stay: for each of the Trainer's checkpoints peft would ask the hub for a model
    of that name."""
    config = model.peft_config["default"]
    before, config.base_model_name_or_path = config.base_model_name_or_path, base
    model.save_pretrained(folder, state_dict=state, save_embedding_layers=False)
    config.base_model_name_or_path = before
    (folder / "README.md").unlink(missing_ok=True)


def in_dtype(state: dict[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The tensors in another format; those that were one stay one (a tied embedding)."""
    cast, named = {}, {}
    for name, tensor in state.items():
        storage = (tensor.data_ptr(), tensor.shape)
        if storage not in cast:
            cast[storage] = tensor.to(dtype) if tensor.is_floating_point() else tensor
        named[name] = cast[storage]
    return named


# --- what a training left in a folder: an adapter, or a model whose weights were all trained


def is_full(folder: Path) -> bool:
    """True for a model whose weights were all trained, False for an adapter or anything else."""
    return (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file()


def trained_files(folder: Path) -> list[Path]:
    """Weights and configuration in a folder. Raises SdftError if one is missing, or a pickle."""
    if is_full(folder):
        files = [*sorted(folder.glob("*.safetensors")), folder / "config.json"]
        missing, command = "model.safetensors" if len(files) == 1 else "", "sdft train --full"
    else:
        files = [folder / "adapter_model.safetensors", folder / "adapter_config.json"]
        missing = next((path.name for path in files if not path.is_file()), "")
        command = "sdft train"
    if missing:
        raise SdftError(f"{folder}: {missing} is missing; {command} makes it (no pickle is read).")
    return files


def trained_identity(folder: Path) -> str:
    """What names a training: a hash of all files that decide the answers."""
    return digest({path.name: file_sha256(path) for path in trained_files(folder)})[:16]


def trained_model(seed, folder: Path) -> PreTrainedModel:
    """The seed with the adapter in ``folder``, merged into copies of the weights that it changes,
    or the model there.

    4-bit weights would be rounded anew by merging, so there the adapter stays beside them. Raises
    SdftError if the folder is of another model."""
    if is_full(folder):
        return full_model(seed, folder)
    with safe_open(trained_files(folder)[0], "pt") as file:
        names = list(file.keys())
    own = () if seed.four_bit else changed_parameters(seed.model, names)
    with warnings.catch_warnings(**OLDER_NAME):
        tuned = PeftModel.from_pretrained(twin(seed.model, own), str(folder))
        check_adapter_fits(tuned, names, folder)
        return tuned.base_model.model.eval() if seed.four_bit else tuned.merge_and_unload().eval()


def full_model(seed, folder: Path) -> PreTrainedModel:
    """The model in ``folder``. Raises SdftError unless it has the seed's shape."""
    with quiet_transformers():
        model = read_model(str(folder), seed.dtype, seed.device, four_bit=seed.four_bit, local=True)
    wanted, given = (
        {name: parameter.shape for name, parameter in each.named_parameters()}
        for each in (seed.model, model)
    )
    if wanted != given:
        raise SdftError(
            f"{folder}: this model is not a trained {seed.name}: its weights have other names or "
            "shapes."
        )
    return model


def changed_parameters(model: PreTrainedModel, names: Collection[str]) -> list[torch.Tensor]:
    """What an adapter changes, by the ``names`` of its tensors; all if in doubt."""
    if not all(".lora_" in name for name in names):
        return list(model.parameters())
    modules = {name.split(".lora_")[0].removeprefix("base_model.model.") for name in names}
    parameters = model.named_parameters(remove_duplicate=False)
    return [parameter for name, parameter in parameters if name.rpartition(".")[0] in modules]


def check_adapter_fits(tuned: PeftModel, names: Collection[str], folder: Path) -> None:
    """Raise SdftError if a matrix is left over, here or there: peft would only warn."""
    wanted = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    alone = {name for name in names if "lora_" in name} ^ {
        name for name in wanted if "lora_" in name
    }
    if alone:
        raise SdftError(
            f"{folder}: this adapter is of another model ({len(alone)} matrices such as "
            f"{min(alone)} have no partner); use it with the model that it was trained on."
        )
