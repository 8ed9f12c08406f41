"""How weights are read: safetensors only, no code of a model's repository, in 16, 32 or 4 bit
(lessons 00 and 08).

In 4 bit (NF4, its scales quantised too; QLoRA, arXiv 2305.14314) the matrices of all layers take
half a byte a weight and are unpacked for each product; embedding and head stay as they are."""

import importlib.util
import os

from sdft_lib.storage.devices import torch_dtype
from sdft_lib.storage.errors import SdftError


def wants_four_bit(asked: bool | None) -> bool:
    """What the caller says, else ``SDFT_FOUR_BIT`` (1: yes). Raises SdftError if bitsandbytes is
    not installed.
    """
    wanted = os.environ.get("SDFT_FOUR_BIT", "0") not in ("", "0") if asked is None else asked
    if wanted and importlib.util.find_spec("bitsandbytes") is None:
        raise SdftError(
            "4-bit weights need bitsandbytes; pip install 'sdft-tutorial[qlora]', or load them in 16 bit."
        )
    return wanted


def read_model(source: str, dtype: str, device: str, *, four_bit: bool, local: bool):
    """The model on its device, ready to answer. ``dtype``: fp32, bf16 or fp16; 4-bit weights are
    unpacked to it.

    Raises ValueError if a tensor is missing, and what transformers raises for files that it cannot
    read."""
    from transformers import AutoModelForCausalLM

    model, found = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=torch_dtype(dtype),
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
        trust_remote_code=False,
        local_files_only=local,
        **(packed(dtype, device) if four_bit else {}),
    )
    if absent := sorted(
        found["missing_keys"]
    ):  # transformers would leave them at random and only warn
        raise ValueError(f"{len(absent)} tensors, such as {absent[0]}, are missing")
    if (head := model.get_output_embeddings()) is not None:
        head.register_forward_pre_hook(in_one_piece)
    return (model if four_bit else model.to(device)).eval()


def in_one_piece(head, inputs: tuple) -> tuple:
    """The inputs of the vocabulary layer, brought together in memory where they are a slice of all
    positions.

    torch multiplies frozen weights in 16 bit with such a slice row by row, and copies the weights
    for each row: 300 times slower on a CPU, and 6 GB at 100 rows."""
    return (inputs[0].contiguous(), *inputs[1:])


def packed(dtype: str, device: str) -> dict:
    """Arguments of ``from_pretrained`` for 4-bit weights on one device; they cannot be moved to it
    afterwards.
    """
    import torch
    from transformers import BitsAndBytesConfig

    how = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch_dtype(dtype),
    )
    place = torch.cuda.current_device() if device == "cuda" else device
    return {"quantization_config": how, "device_map": {"": place}}
