"""llama.cpp as a peer: continuous batching over parallel slots through llama-cpp-python's low-level
interface.

Started as a process of its own, so that its peak memory is its own: peer_llamacpp.py MODEL.gguf
PROMPTS.json OUT.json [as-is]        as-is: no weights packed anew for this processor PROMPTS.json
holds the same token ids that our side gets, ``stops`` and ``max_new_tokens``. Decoding is greedy.
What all prompts share at their start is computed once and copied into each slot, as our side does.
"""

import ctypes
import json
import math
import os
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

UNIFIED = 200
SLOTS = 32
BATCH_TOKENS = 2048
THREADS = os.cpu_count() or 2


@dataclass
class Slot:
    """One sequence being written: its prompt, the positions in its cache, the tokens so far."""

    prompt: int
    length: int
    written: list[int] = field(default_factory=list)


def write_f16(source: Path, target: Path) -> None:
    """The packed GGUF file as f16: the values of our safetensors, rounded to half precision."""
    import numpy
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize

    reader = GGUFReader(source)
    partial = target.with_suffix(".partial")
    writer = GGUFWriter(partial, arch=reader.fields["general.architecture"].contents())
    skipped = {"general.architecture", "general.file_type", "general.quantization_version"}
    for name, item in reader.fields.items():
        if name in skipped or name.startswith("GGUF."):
            continue
        part = item.types[-1] if item.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(name, item.contents(), item.types[0], sub_type=part)
    writer.add_file_type(1)  # mostly f16
    for tensor in reader.tensors:
        plain = tensor.tensor_type in (GGMLQuantizationType.F32, GGMLQuantizationType.F16)
        values = tensor.data if plain else dequantize(tensor.data, tensor.tensor_type)
        vector = values.ndim == 1  # norms stay in fp32, as llama.cpp wants them
        kept = values.astype("float32" if vector else "float16")
        writer.add_tensor(tensor.name, numpy.ascontiguousarray(kept))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(partial, target)


class Engine:
    """A loaded model with ``slots`` sequences, and one more that holds what all prompts share."""

    def __init__(self, path: Path, slots: int, tokens_a_slot: int, *, repack: bool = True):
        import llama_cpp

        self.api, self.slots = llama_cpp, slots
        self.log = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.log, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        loading = llama_cpp.llama_model_default_params()
        loading.use_extra_bufts = repack
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), loading)
        settings = llama_cpp.llama_context_default_params()
        settings.n_seq_max = slots + 1
        settings.n_ctx = (slots + 1) * 256 * math.ceil(tokens_a_slot / 256)
        settings.n_batch, settings.n_ubatch, settings.flash_attn_type = BATCH_TOKENS, 512, 1
        settings.n_threads = settings.n_threads_batch = THREADS
        # measured: shared cells win on short rows, lose on long ones
        settings.kv_unified = tokens_a_slot <= UNIFIED
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        if not self.model or not self.context:
            sys.exit(f"llama.cpp could not load {path.name}.")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)
        self.words = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def decode(self, entries: list[tuple[int, int, int, bool]]):
        """Run entries (token, position, sequence, logits wanted); best next token of the wanted."""
        import numpy

        batch, wanted = self.batch, 0
        for place, (token, position, sequence, logits) in enumerate(entries):
            batch.token[place], batch.pos[place], batch.logits[place] = token, position, logits
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, sequence
            wanted += logits
        batch.n_tokens = len(entries)
        if status := self.api.llama_decode(self.context, batch):
            sys.exit(f"llama.cpp could not decode {len(entries)} tokens (status {status}).")
        if not wanted:
            return []
        logits = self.api.llama_get_logits(self.context)
        table = numpy.ctypeslib.as_array(logits, shape=(wanted, self.words))
        return table.argmax(axis=1).tolist()

    def hold_prefix(self, ids: list[int]) -> None:
        """Compute the shared start once, in the spare sequence."""
        for start in range(0, len(ids), BATCH_TOKENS):
            part = ids[start : start + BATCH_TOKENS]
            places = enumerate(part, start)
            self.decode([(token, place, self.slots, False) for place, token in places])

    def start(self, slot: int) -> None:
        """Empty a slot and put the shared start into it."""
        self.api.llama_memory_seq_rm(self.memory, slot, -1, -1)
        self.api.llama_memory_seq_cp(self.memory, self.slots, slot, -1, -1)


def generate(
    engine: Engine, prompts: list[list[int]], stops: set[int], limit: int
) -> list[list[int]]:
    """Greedy answers in order, without the stop token; a free slot takes the next prompt."""
    shared = 0
    if len(prompts) > 1:
        shared = min(len(os.path.commonprefix(prompts)), min(map(len, prompts)) - 1)
    engine.hold_prefix(prompts[0][:shared])
    active: dict[int, Slot] = {}
    answers: list[list[int]] = [[] for _ in prompts]
    waiting = list(range(len(prompts)))[::-1]
    while waiting or active:
        entries = [(slot.written[-1], slot.length, number, True) for number, slot in active.items()]
        for slot in active.values():
            slot.length += 1
        for number in set(range(engine.slots)) - set(active):
            if not waiting or len(entries) + len(prompts[waiting[-1]]) - shared > BATCH_TOKENS:
                break
            ids = prompts[waiting[-1]]
            active[number] = Slot(waiting.pop(), len(ids))
            engine.start(number)
            last = len(ids) - 1
            entries += [
                (ids[place], place, number, place == last) for place in range(shared, len(ids))
            ]
        for number, token in zip(list(active), engine.decode(entries), strict=True):
            slot = active[number]
            if token not in stops:
                slot.written.append(token)
            if token in stops or len(slot.written) == limit:
                answers[slot.prompt] = slot.written
                del active[number]
    return answers


def main(model: str, prompts: str, out: str, weights: str = "") -> None:
    """Time one run and write seconds, tokens, peak memory and the answers' token ids."""
    task = json.loads(Path(prompts).read_text(encoding="utf-8"))
    longest = max(map(len, task["ids"])) + task["max_new_tokens"]
    engine = Engine(Path(model), min(SLOTS, len(task["ids"])), longest, repack=weights != "as-is")
    started = time.perf_counter()
    answers = generate(engine, task["ids"], set(task["stops"]), task["max_new_tokens"])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result = {"seconds": seconds, "rows": len(answers), "peak_mb": peak}
    result["tokens"] = sum(map(len, answers))
    Path(out).write_text(json.dumps({**result, "answers": answers}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
