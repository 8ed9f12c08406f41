"""Load the seed model, the embedded one or any chat model (lesson 00; paper, section 4.1)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from sdft_lib.decoding.batches import decode_batch, plan_batches, room_for_tokens, rows_together
from sdft_lib.decoding.parity import check_parity
from sdft_lib.decoding.tokens import prepare_tokenizer, read_tokenizer
from sdft_lib.formats.toml import read_toml
from sdft_lib.storage.devices import choose_device, choose_dtype, torch_dtype
from sdft_lib.storage.errors import SdftError, readable
from sdft_lib.storage.files import data_dir, frozen_adapter
from sdft_lib.storage.hub import check_download, newest
from sdft_lib.storage.processes import start, world
from sdft_lib.storage.safe import without_place
from sdft_lib.storage.wheels import WHEELS, fetch
from sdft_lib.training.weights import (
    files_digest,
    is_full,
    read_files,
    read_model,
    trained_identity,
    trained_model,
    wants_four_bit,
)


@dataclass(frozen=True)
class Preset:
    """A model by a short name: hub id (None: embedded), licence, what LoRA on it takes; or another
    preset, its ``base``, with the adapter of this name in data/adapters (lesson 06)."""

    licence: str
    needs: str
    hub: str | None = None
    base: str | None = None


PRESETS = {name: Preset(**entry) for name, entry in read_toml(data_dir() / "models.toml").items()}

# Kernels that a CPU keeps for shapes it has multiplied in 16 bit. oneDNN's own 1,024 take half a GB
# over a long run of many shapes; so few take no longer (measured), and memory stays flat.
KERNELS = 64


class TorchEngine:
    """Who writes a seed's answers: this library's own loop (``decoding``). ``sdft_lib.engines`` has
    others, with the same four members."""

    identity: ClassVar[dict] = {}  # what an engine adds to an artefact's key

    def plan(self, seed: "Seed", lengths: Sequence[int], max_new_tokens: int) -> list[list[int]]:
        """Indices of rows in batches; a run that was killed goes on with the next one."""
        return plan_batches(lengths, max_new_tokens, room_for_tokens(seed.model, seed.device))

    def answer(
        self, seed: "Seed", rows: list[list[int]], names: list[str], decoding, stops, watch: bool
    ) -> tuple[list[list[int]], bool]:
        """New token ids of each row of a batch, the stop token included; and whether memory ran
        out, so that they were decoded in smaller batches. ``watch``: four rows are checked."""
        longest = max(map(len, rows)) + decoding.max_new_tokens
        together = rows_together(longest, room_for_tokens(seed.model, seed.device))
        answers, split = decode_batch(seed, rows, names, decoding, stops, together)
        greedy = decoding.temperature == 0 and decoding.repetition_penalty == 1
        if watch and greedy and not split:
            check_parity(seed, rows, answers)
        return answers, split

    def with_adapter(self, seed: "Seed", folder: Path) -> "Seed":
        """The seed with what a training left in ``folder``."""
        return replace(seed, model=trained_model(seed, folder))


@dataclass(frozen=True)
class Seed:
    """A chat model ready to use. ``revision`` names its exact weights, ``dtype`` the numbers that
    it computes in, also when its weights are kept in ``four_bit``. ``adapter`` is the hash of what
    was trained on it ("": nothing), ``label`` its name to show, ``engine`` who writes its
    answers."""

    model: Any
    tokenizer: Any
    name: str
    revision: str
    device: str
    dtype: str
    adapter: str = ""
    four_bit: bool = False
    engine: Any = TorchEngine()
    label: str = "seed"

    @property
    def identity(self) -> dict:
        """What decides this model's answers, for an artefact's key."""
        parts = {"model": self.name, "revision": self.revision, "dtype": self.dtype}
        parts |= {"device": self.device, "adapter": self.adapter}
        if self.four_bit:
            parts["four_bit"] = True
        return parts | self.engine.identity


def load_seed(
    name: str = "smollm2-135m",
    *,
    device: str | None = None,
    dtype: str | None = None,
    four_bit: bool | None = None,
    say=print,
) -> Seed:
    """Load a chat model by preset name, hub id or folder, and say on what, in which dtype.

    ``four_bit`` (else ``SDFT_FOUR_BIT``): the weights of its layers in 4 bit, by bitsandbytes
    (QLoRA; lesson 10). Only safetensors weights are read and no code from a model's repository
    runs. Raises SdftError when the model cannot be found or the hub cannot be reached."""
    if name in PRESETS and (base := PRESETS[name].base):
        seed = load_seed(base, device=device, dtype=dtype, four_bit=four_bit, say=say)
        say(f"{name}: {base} with an adapter that comes with the tutorial")
        return replace(with_adapter(seed, frozen_adapter(name), label="seed"), name=name)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS))
    if world() > 1:
        start()  # tells each process of a job its own GPU
    device = device or choose_device()
    dtype = dtype or choose_dtype(device)
    torch_dtype(dtype)
    four_bit = wants_four_bit(four_bit)
    source, revision = locate(name, say)
    with readable(name, PRESETS):
        commit = None if revision else newest(source)
        tokenizer = read_tokenizer(source, commit)
        model = read_model(source, dtype, device, four_bit=four_bit, commit=commit)
        if commit:
            check_download(source, commit)
    prepare_tokenizer(tokenizer, name)
    kept = ", weights in 4 bit" if four_bit else ""
    say(f"{name}: {model.num_parameters() / 1e6:.0f} M parameters on {device} in {dtype}{kept}")
    shown = without_place(name)
    return Seed(model, tokenizer, shown, revision or commit, device, dtype, four_bit=four_bit)


def locate(name: str, say) -> tuple[str, str]:
    """Where ``from_pretrained`` finds the model, and its revision ("": the hub will tell).

    Raises SdftError for a preset that is another one with an adapter."""
    if name in WHEELS:
        return str(fetch(name, say=say)), WHEELS[name].sha256[:16]
    if name in PRESETS and (base := PRESETS[name].base):
        remedy = f"take {base}, and {frozen_adapter(name)} as its adapter"
        raise SdftError(f"{name} is {base} with an adapter, which torch alone merges; {remedy}.")
    if name in PRESETS:
        return PRESETS[name].hub, ""
    folder = os.path.expanduser(name)
    if os.path.isdir(folder):
        return folder, files_digest(Path(folder), read_files(Path(folder)))
    return name, ""


def with_adapter(seed: Seed, adapter: Path, *, label: str) -> Seed:
    """The seed with what a training left in ``adapter``; ``label`` names it when shown. Raises
    SdftError: nothing there that can be read, or a second adapter on a 4-bit model."""
    adapter = Path(adapter)
    identity = trained_identity(adapter)  # first of all: peft would also read a pickle
    if seed.adapter and not is_full(adapter):  # one on top of another
        if seed.four_bit:
            problem = f"a 4-bit model takes one adapter, and this one has {seed.label}'s"
            raise SdftError(f"{adapter}: {problem}; load it in 16 bit.")
        identity = f"{seed.adapter}+{identity}"
    return replace(seed.engine.with_adapter(seed, adapter), adapter=identity, label=label)
