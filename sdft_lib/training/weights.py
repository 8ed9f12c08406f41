"""Weights: how they are read, trained, saved and put on the seed again (lessons 00, 03 and 10).

Only safetensors are read, and no code of a model's repository. A copy of a large model may not fit
beside it: the seed and what is trained on it share their frozen weights."""

import contextlib
import copy
import importlib.util
import shutil
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from safetensors import safe_open
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel
from transformers.utils import find_adapter_config_file

from sdft_lib.storage.devices import torch_dtype
from sdft_lib.storage.errors import SdftError, quiet_transformers
from sdft_lib.storage.files import file_sha256, read_json, write_json
from sdft_lib.storage.processes import rank, switch
from sdft_lib.storage.store import digest

# peft 0.21 asks transformers 5.23 by an older name
OLDER_NAME = {"action": "ignore", "category": FutureWarning}
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
# What lies in a model's folder and is never read: pickles, other formats, code, words, our records.
UNREAD = ".bin .pt .pth .ckpt .h5 .msgpack .onnx .gguf .py .md .lock".split()
NOTES = ("LICENSE", "run.json", "manifest.json", "parts.json", "record.json", "loss.jsonl")

# --- how weights are read


def wants_four_bit(asked: bool | None) -> bool:
    """What the caller says, else ``SDFT_FOUR_BIT``. Raises SdftError without bitsandbytes."""
    wanted = switch("SDFT_FOUR_BIT") if asked is None else asked
    if wanted and importlib.util.find_spec("bitsandbytes") is None:
        remedy = "pip install 'sdft-tutorial[qlora]', or load them in 16 bit"
        raise SdftError(f"4-bit weights need bitsandbytes; {remedy}.")
    return wanted


def read_model(
    source: str, dtype: str, device: str, *, four_bit: bool, commit: str | None = None
) -> PreTrainedModel:
    """The model of a folder, or at the ``commit`` of a hub id, on its device. ``dtype``: fp32, bf16
    or fp16; 4-bit weights are unpacked to it. Raises ValueError for an adapter, a missing tensor, a
    weight that is NaN or infinite, and what transformers raises for files that it cannot read."""
    where = {"revision": commit or "main", "local_files_only": commit is None}
    if find_adapter_config_file(source, **where):
        raise ValueError("it is an adapter; load its base, and the adapter by --adapter")
    model, report = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=torch_dtype(dtype),
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
        trust_remote_code=False,
        **where,
        **(packed(dtype, device) if four_bit else {}),
    )
    # transformers would leave these tensors at random and only warn
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"{len(missing)} tensors, such as {missing[0]}, are missing")
    for name, weight in model.named_parameters():  # isfinite() would take ten times as long
        if weight.is_floating_point() and not torch.stack(weight.aminmax()).isfinite().all():
            raise ValueError(f"{name} holds numbers that are NaN or infinite")
    if (head := model.get_output_embeddings()) is not None:
        head.register_forward_pre_hook(in_one_piece)
    for module in model.modules() if four_bit else ():
        # bitsandbytes on a CPU with AVX-512-BF16 packs weights anew at the first answer; from then
        # on no gradient passes them, and nothing is trained
        module.support_avx512bf16_for_cpu = False
    return (model if four_bit else model.to(device)).eval()


def packed(dtype: str, device: str) -> dict:
    """Arguments of ``from_pretrained`` for 4-bit weights on one device, where they must stay. In 4
    bit (NF4, its scales quantised too; QLoRA, arXiv 2305.14314) the matrices of all layers take
    half a byte a weight and are unpacked for each product; embedding and head are not."""
    bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch_dtype(dtype),
    )
    where = torch.cuda.current_device() if device == "cuda" else device
    return {"quantization_config": bits, "device_map": {"": where}}


def in_one_piece(head: torch.nn.Module, inputs: tuple) -> tuple:
    """The inputs of the vocabulary layer, a slice of all positions, brought together in memory:
    torch multiplies frozen weights in 16 bit with such a slice row by row, and copies the weights
    for each row: 300 times slower on a CPU, and 6 GB at 100 rows."""
    return (inputs[0].contiguous(), *inputs[1:])


# --- what is trained


def tuner(config, peft_config: PeftConfig | None = None) -> PeftConfig | None:
    """The peft configuration of a training; None: all weights. Raises SdftError for both."""
    if config.full and peft_config is not None:
        problem = "all weights are to be trained, so there is no adapter to configure"
        raise SdftError(f"{problem}; leave peft_config out.")
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
        remedy = "leave out --full (QLoRA), or --four-bit"
        raise SdftError(f"4-bit weights cannot be trained themselves; {remedy}.")
    if seed.four_bit and seed.adapter:
        reason = "merging would round its weights anew; load it in 16 bit"
        raise SdftError(f"a 4-bit model with an adapter cannot be trained further: {reason}.")


def trainable_copy(seed, peft_config: PeftConfig | None = None) -> PreTrainedModel | PeftModel:
    """The seed's frozen weights with a fresh fp32 adapter; without ``peft_config`` all, in fp32. A
    16-bit weight that is trained would swallow steps smaller than its last digit, and a gradient
    scaler (fp16) refuses it. On a CPU, frozen fp16 weights are widened, too: it is slow in fp16."""
    check_four_bit(seed, full=peft_config is None)
    if peft_config is None:
        return copy.deepcopy(seed.model).float().requires_grad_(True)
    widened = seed.device == "cpu" and seed.dtype == "fp16" and not seed.four_bit
    model = copy.deepcopy(seed.model).float() if widened else twin(seed.model)
    with warnings.catch_warnings(**OLDER_NAME):
        try:
            return get_peft_model(model, peft_config)
        except ValueError as error:  # such as a name of layers that the model does not have
            raise SdftError(f"{seed.name} cannot be trained so ({error}).") from None


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
    """What was trained, in safetensors: an adapter, or in the seed's dtype a whole model folder. Of
    several processes each hands in its part (DeepSpeed, FSDP), the first one writes. Raises
    SdftError if a weight became infinite."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if rank():
        return
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not state[name].isfinite().all():
            remedy = f"lower the learning rate ({trainer.args.learning_rate})"
            raise SdftError(f"{label}: the weights became infinite; {remedy}.")
    if isinstance(model, PeftModel):
        save_adapter(model, state, folder, seed.name)
    else:
        model.save_pretrained(folder, state_dict=in_dtype(state, torch_dtype(seed.dtype)))
        seed.tokenizer.save_pretrained(folder)


def save_adapter(model: PeftModel, state: dict, folder: Path, base: str) -> None:
    """The adapter alone, with the name of its base, without the model card that peft writes beside
    it; lists are sorted, since peft writes sets in an order that each process has anew. The name
    does not stay: for each checkpoint peft would ask the hub for a model of that name."""
    config = vars(model.peft_config["default"])
    written = {name: sorted(value) for name, value in config.items() if isinstance(value, set)}
    written["base_model_name_or_path"] = base
    before = {name: config[name] for name in written}
    config.update(written)
    model.save_pretrained(folder, state_dict=state, save_embedding_layers=False)
    config.update(before)
    (folder / "README.md").unlink(missing_ok=True)


def scale_adapter(adapter: Path, scale: float, folder: Path) -> None:
    """Copy a LoRA adapter into ``folder`` with ``scale`` times its alpha: between the seed (0) and
    the adapter itself (1; WiSE-FT, arXiv 2109.01903)."""
    shutil.copyfile(adapter / WEIGHTS, folder / WEIGHTS)
    config = read_json(adapter / CONFIG)
    write_json(folder / CONFIG, config | {"lora_alpha": config["lora_alpha"] * scale})


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
    return (folder / "config.json").is_file() and not (folder / CONFIG).is_file()


def trained_files(folder: Path) -> list[Path]:
    """Weights and configuration in a folder. Raises SdftError if one is missing, or a pickle."""
    if is_full(folder):
        files, command = read_files(folder), "sdft train --full"
        missing = "" if any(folder.glob("*.safetensors")) else "model.safetensors"
    else:
        files = [folder / WEIGHTS, folder / CONFIG]
        missing = next((path.name for path in files if not path.is_file()), "")
        command = "sdft train"
    if missing:
        raise SdftError(f"{folder}: {missing} is missing; {command} makes it (no pickle is read).")
    return files


def read_files(folder: Path) -> list[Path]:
    """Files of a model's folder that may decide its answers: weights, their index, configuration,
    tokenizer, chat templates; all but those that are known to be never read."""
    files = [*folder.glob("*"), *folder.glob("*/*.safetensors"), *folder.glob("*/*.jinja")]
    ignored = {path for path in files if path.suffix in UNREAD or path.name in NOTES}
    return sorted(path for path in files if path.is_file() and path not in ignored)


def trained_identity(folder: Path) -> str:
    """What names a training: a hash of all files that decide the answers."""
    return files_digest(folder, trained_files(folder))


def files_digest(folder: Path, files: Sequence[Path]) -> str:
    """A hash of some files of a folder: their names and their bytes."""
    return digest({path.relative_to(folder).as_posix(): file_sha256(path) for path in files})[:16]


def trained_model(seed, folder: Path) -> PreTrainedModel:
    """The model in ``folder``, or the seed with the adapter there, merged into copies of the
    weights that it changes. 4-bit weights would be rounded anew by merging, so there the adapter
    stays beside them. Raises SdftError if the folder is of another model, or cannot be read as it
    was meant."""
    if is_full(folder):
        with usable(folder, seed.name):
            return full_model(seed, folder)
    config, names = read_adapter(seed, folder)
    with usable(folder / WEIGHTS, seed.name):
        base = twin(seed.model, changed_parameters(seed.model, names))
        tuned = PeftModel.from_pretrained(base, str(folder), config=config)
        if not isinstance(tuned.base_model, BaseTuner):
            raise ValueError(f"{config.peft_type.value} adds to the input and changes no weight")
        check_adapter_fits(tuned, names, folder / WEIGHTS)
        return tuned.base_model.model.eval() if seed.four_bit else merged(tuned)


def read_adapter(seed, folder: Path) -> tuple[PeftConfig, list[str]]:
    """Configuration of an adapter, and the names of its tensors. Raises SdftError if it cannot be
    read, is of another base, or holds a number that is NaN or infinite."""
    with usable(folder / CONFIG, seed.name):
        config = PeftConfig.from_pretrained(str(folder))
        check_config(config, folder / CONFIG, (seed.name, seed.model.config.name_or_path))
    with usable(folder / WEIGHTS, seed.name), safe_open(folder / WEIGHTS, "pt") as file:
        names = list(file.keys())
        for name in names:
            if not file.get_tensor(name).isfinite().all():
                raise ValueError(f"{name} holds numbers that are NaN or infinite")
    return config, names


@contextlib.contextmanager
def usable(path: Path, name: str) -> Iterator[None]:
    """Within the block, what peft and transformers say of files that they cannot use becomes one
    SdftError: path, reason, remedy."""
    try:
        with warnings.catch_warnings(**OLDER_NAME), quiet_transformers():
            # of tensors without a partner and tied weights, which are seen to here
            warnings.filterwarnings("ignore", module=r"peft\.(peft_model|tuners)")
            yield
    except SdftError:
        raise
    except Exception as error:  # they have no common error
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise SdftError(
            f"{path}: this cannot be used with {name} ({reason}); take an adapter that changes "
            "weights, such as LoRA, with the model that it was trained on."
        ) from None


def check_config(config: PeftConfig, path: Path, models: Sequence[str]) -> None:
    """Raise SdftError for a switch that is neither true nor false, which peft takes for true, and
    for the name of another base than these ``models``."""
    for field in fields(config):
        value = getattr(config, field.name)
        if field.type in (bool, "bool") and not isinstance(value, bool):
            raise SdftError(f"{path}: {field.name} is {value!r}; make it true or false.")
    named = config.base_model_name_or_path
    if named and short_name(named) not in {short_name(name) for name in models}:
        other = f"this adapter was trained on {named}, not on {models[0]}"
        remedy = "load that model, or correct base_model_name_or_path if the two are one"
        raise SdftError(f"{path}: {other}; {remedy}.")


def short_name(model: str) -> str:
    """A model's name without owner or folder: that of a hub id, of a path, of a cached snapshot."""
    parts = Path(model).parts or ("",)
    is_snapshot = len(parts) > 2 and parts[-2] == "snapshots"
    return (parts[-3].rpartition("--")[2] if is_snapshot else parts[-1]).casefold()


def merged(tuned: PeftModel) -> PreTrainedModel:
    """The model that an adapter makes. A weight that two layers share, such as the embedding of a
    tied model, changes for the one alone that has the adapter."""
    for layer in tuned.modules():
        if isinstance(layer, BaseTunerLayer):
            if isinstance(layer.base_layer, AuxiliaryTrainingWrapper):
                raise ValueError("peft merges one of the two adapters that lie on one layer")
            base = layer.get_base_layer()
            for name, weight in list(base.named_parameters(recurse=False)):
                setattr(base, name, torch.nn.Parameter(weight.detach().clone()))
    return tuned.merge_and_unload().eval()  # which says in the configuration that none is tied


def full_model(seed, folder: Path) -> PreTrainedModel:
    """The model in ``folder``. Raises SdftError unless it has the seed's shape."""
    model = read_model(str(folder), seed.dtype, seed.device, four_bit=seed.four_bit)
    wanted, given = (
        {name: parameter.shape for name, parameter in each.named_parameters()}
        for each in (seed.model, model)
    )
    if wanted != given:
        problem = f"this model is not a trained {seed.name}"
        raise SdftError(f"{folder}: {problem}: its weights have other names or shapes.")
    return model


def changed_parameters(model: PreTrainedModel, names: Collection[str]) -> list[torch.Tensor]:
    """What an adapter changes, by the ``names`` of its tensors: the parameters of the layers that
    these belong to. Packed ones are left out, since nothing is merged into them."""
    layers = dict(model.named_modules())
    changed = []
    for name in names:
        path = name_in_base(name)
        while path not in layers:  # the root of all is ""
            path = path.rpartition(".")[0]
        changed += layers[path].parameters(recurse=False)
    return [parameter for parameter in changed if parameter.is_floating_point()]


def name_in_base(name: str) -> str:
    """The name of a tensor in an adapter's file as the base model would call it."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def check_adapter_fits(tuned: PeftModel, names: Collection[str], path: Path) -> None:
    """Raise SdftError if a tensor is left over, here or there: peft would only warn. A file may
    also hold whole layers of its base."""
    wanted = set(get_peft_model_state_dict(tuned, save_embedding_layers=False))
    base = {name_in_base(name) for name in tuned.base_model.model.state_dict()}
    alone = wanted - set(names) | {
        name for name in set(names) - wanted if name_in_base(name) not in base
    }
    if alone:
        alien = f"{len(alone)} tensors such as {min(alone)} have no partner"
        remedy = "use it with the model that it was trained on"
        raise SdftError(f"{path}: this adapter is of another model ({alien}); {remedy}.")
