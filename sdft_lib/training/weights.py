"""What is trained and how it is saved: an adapter over frozen weights, or all weights (lessons 03
and 08).

A copy of a large model may not fit beside it, so frozen weights are never copied: model and copy
use the same ones."""

import contextlib
import copy
import warnings
from collections.abc import Collection
from pathlib import Path

from sdft_lib.storage.devices import torch_dtype
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.processes import rank


def lora(config):
    """The default peft configuration: LoRA on the query and value projections (paper, section
    4.1).
    """
    from peft import LoraConfig

    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        task_type="CAUSAL_LM",
    )


def tuner(config, peft_config=None):
    """The peft configuration of a training; None: all weights are trained. Raises SdftError if both
    are asked for.
    """
    if config.full and peft_config is not None:
        raise SdftError(
            "all weights are to be trained, so there is no adapter to configure; leave peft_config out."
        )
    return None if config.full else peft_config or lora(config)


def describe(peft_config) -> dict:
    """A peft configuration as plain, sorted values, for an artefact's key."""
    fields = peft_config.to_dict().items()
    return {key: sorted(value) if isinstance(value, set) else str(value) for key, value in fields}


def twin(model, own: Collection = ()):
    """A model whose modules are its own and whose parameters are those of ``model``, but for copies
    of ``own``.
    """
    kept = {id(parameter) for parameter in own}
    return copy.deepcopy(model, {id(p): p for p in model.parameters() if id(p) not in kept})


def places(model, names: Collection[str]) -> list:
    """The parameters that an adapter changes when it is merged, by the ``names`` of its tensors;
    all if in doubt.
    """
    if not all(".lora_" in name for name in names):
        return list(model.parameters())
    found = {name.split(".lora_")[0].removeprefix("base_model.model.") for name in names}
    return [
        p
        for name, p in model.named_parameters(remove_duplicate=False)
        if name.rpartition(".")[0] in found
    ]


def trainable_copy(seed, peft_config=None):
    """The seed's frozen weights with a fresh adapter, which is fp32; without ``peft_config`` all
    weights, in fp32.

    On a CPU frozen weights are fp32 too: autocast chooses the faster products. A 16-bit weight that
    is trained would swallow steps smaller than its last digit, and a gradient scaler (fp16) refuses
    it."""
    from peft import get_peft_model

    check_four_bit(seed, full=peft_config is None)
    if peft_config is None:
        return copy.deepcopy(seed.model).float().requires_grad_(True)
    widened = seed.device == "cpu" and seed.dtype != "fp32" and not seed.four_bit
    model = copy.deepcopy(seed.model).float() if widened else twin(seed.model)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # peft 0.21 asks transformers 5.23 by an older name
        return get_peft_model(model, peft_config)


def check_four_bit(seed, *, full: bool) -> None:
    """Raise SdftError for what cannot be done with 4-bit weights."""
    if seed.four_bit and full:
        raise SdftError(
            "4-bit weights cannot be trained themselves; leave out --full (QLoRA), or --four-bit."
        )
    if seed.four_bit and seed.adapter:
        raise SdftError(
            "a 4-bit model with an adapter cannot be trained further: merging would round its weights "
            "anew; load it in 16 bit."
        )


@contextlib.contextmanager
def set_aside(seed, away: bool):
    """Within the block the seed waits in the machine's memory (``away``), so that the GPU holds
    what is trained.
    """
    if away:
        seed.model.to("cpu")
    try:
        yield
    finally:
        if away:
            seed.model.to(seed.device)


def save_trained(trainer, seed, folder: Path, label: str) -> None:
    """What was trained, in safetensors: an adapter, or a model folder with its tokenizer in the
    seed's dtype.

    Of several processes each hands in its part of the weights (DeepSpeed, FSDP) and the first one
    writes. Raises SdftError if a weight became infinite."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if rank():
        return
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    if not all(
        bool(state[name].isfinite().all())
        for name, p in model.named_parameters()
        if p.requires_grad
    ):
        raise SdftError(
            f"{label}: the weights became infinite; lower the learning rate "
            f"({trainer.args.learning_rate})."
        )
    if hasattr(model, "peft_config"):
        save_adapter(model, state, folder, seed.name)
    else:
        model.save_pretrained(folder, state_dict=in_dtype(state, seed.dtype))
        seed.tokenizer.save_pretrained(folder)


def save_adapter(model, state: dict, folder: Path, base: str) -> None:
    """The adapter alone, with the name of its base, without the model card that peft writes beside
    it.

    The name does not stay: for each of the Trainer's checkpoints peft would ask the hub for a model
    of that name."""
    config = model.peft_config["default"]
    before, config.base_model_name_or_path = config.base_model_name_or_path, base
    model.save_pretrained(folder, state_dict=state, save_embedding_layers=False)
    config.base_model_name_or_path = before
    (folder / "README.md").unlink(missing_ok=True)


def in_dtype(state: dict, dtype: str) -> dict:
    """The tensors in the seed's number format; those that were one stay one (an embedding that is
    the head, too).
    """

    cast, found = {}, {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tensor.shape)
        if place not in cast:
            cast[place] = tensor.to(torch_dtype(dtype)) if tensor.is_floating_point() else tensor
        found[name] = cast[place]
    return found
