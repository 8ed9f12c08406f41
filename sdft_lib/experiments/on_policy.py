"""SDFT of 2026: the model teaches itself while it answers (arXiv 2601.19897; lesson 08).

Two methods share the name. In SDFT of 2024 the seed rewrites the references once, and then these
texts are trained on. Here nothing is written beforehand. At each step the *student* answers the
prompts of a batch; the *teacher*, the same model with the reference in its prompt, says for each
token of these answers what it would have written; the student is moved towards that."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from msgspec import Meta
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, set_seed

from sdft_lib.chat import Rendered, check_room, ids_of_prompt
from sdft_lib.decoding.batches import decode_batch
from sdft_lib.decoding.prefix import collate, share_prefix, shareable
from sdft_lib.decoding.tokens import stop_ids
from sdft_lib.formats.toml import check_fields
from sdft_lib.generation import Decoding, read_answer
from sdft_lib.storage.errors import SdftError, about, quiet_transformers
from sdft_lib.storage.files import data_dir, write_json
from sdft_lib.storage.processes import common, gather, world
from sdft_lib.storage.store import WORK, artefact, digest
from sdft_lib.templates import DistillTemplate, load_template
from sdft_lib.train import SHORT, Count, TrainConfig, Tuned, in_key, train_and_save, tuned_in
from sdft_lib.training.loss import token_kl
from sdft_lib.training.trainer import trainer_arguments
from sdft_lib.training.weights import check_four_bit, trainable_copy, tuner

VERSION = 1  # raise it when a change of code changes what is trained
Part = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True)
class OnPolicy:
    """The options of the method; the page "Two methods, one name" has the paper's and TRL's.

    ``alpha``: 0 is KL(teacher || student), 1 is KL(student || teacher), between lies their
    generalised Jensen-Shannon divergence. ``ema``: the part of the way to the student that the
    teacher's weights go after each step; at 0 the teacher stays the seed, at 1 it is the student.
    ``skip``: the first tokens of each answer are not trained on. ``shared``: a text that the
    teacher is shown in place of each row's own reference, such as a team's rules."""

    alpha: Part = 0.0
    ema: Part = 0.0
    skip: Annotated[int, Meta(ge=0)] = 0
    shared: str = ""
    temperature: Annotated[float, Meta(gt=0, le=1e9)] = 1.0
    max_new_tokens: Count = 64

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Row:
    """Token ids of a row's prompt as the student sees it, and as the teacher does."""

    name: str
    student: list[int]
    teacher: list[int]


# --- the loss


def divergence(teacher: torch.Tensor, student: torch.Tensor, alpha: float) -> torch.Tensor:
    """How far the student is from the teacher, in nats at each position; both are logits (...,
    vocabulary). Between 0 and 1: alpha * KL(teacher || m) + (1 - alpha) * KL(student || m), where m
    is the mean of both with the same weights (arXiv 2306.13649, and TRL's trainer)."""
    if alpha in (0, 1):
        return token_kl(student, teacher) if alpha else token_kl(teacher, student)
    teacher, student = teacher.float().log_softmax(-1), student.float().log_softmax(-1)
    mean = torch.logaddexp(teacher + math.log(alpha), student + math.log(1 - alpha))
    return alpha * token_kl(teacher, mean) + (1 - alpha) * token_kl(student, mean)


def mean_loss(
    teacher: torch.Tensor, student: torch.Tensor, answered: torch.Tensor, how: OnPolicy
) -> torch.Tensor:
    """The mean of an answer's tokens, then of the answers. Logits: (rows, tokens, vocabulary);
    ``answered``: (rows, tokens), True where the next token is one of the answer's."""
    trained = answered & (answered.cumsum(1) > how.skip)
    weights = trained / trained.sum(1, keepdim=True).clamp_min(1) / len(trained)
    return (divergence(teacher[trained], student[trained], how.alpha) * weights[trained]).sum()


# --- the teacher


class Teacher(TrainerCallback):
    """The student with its adapter off, which is the seed; or, with a ``rate``, with ``weights`` of
    its own (of the adapter's matrices), which after each step go that part of the way to the
    student's: at rate 1 the teacher is the student. Where all weights are trained there is no
    adapter to switch off, and the teacher always has its own."""

    def __init__(self, student: PreTrainedModel, rate: float, full: bool):
        self.student, self.rate, self.weights = student, rate, []
        if rate or full:
            self.weights = [parameter.detach().clone() for parameter in self.trained()]

    def trained(self) -> list[torch.nn.Parameter]:
        """What is trained of the student."""
        return [each for each in self.student.parameters() if each.requires_grad]

    @contextlib.contextmanager
    def speaks(self) -> Iterator[None]:
        """Within the block the student's model is the teacher."""
        self.swap()
        try:
            with contextlib.nullcontext() if self.weights else self.student.disable_adapter():
                yield
        finally:
            self.swap()

    def swap(self) -> None:
        """Teacher and student change their weights, if it has any, without a copy."""
        for place, (weight, parameter) in enumerate(zip(self.weights, self.trained())):
            parameter.data, self.weights[place] = weight, parameter.data

    def on_step_end(self, args, state, control, **kwargs):
        """Follow the student."""
        for weight, parameter in zip(self.weights, self.trained()):
            weight.lerp_(parameter.data, self.rate)


# --- the training


class OnPolicyTrainer(Trainer):
    """transformers' Trainer, whose loss samples its texts first.

    A row's draws come from the training's seed, the step and the row's id, so that a training goes
    on from a checkpoint as if it had not been cut."""

    def __init__(self, seed, config: TrainConfig, how: OnPolicy, private: bool, **arguments):
        super().__init__(**arguments)
        self.seed, self.how, self.private = seed, how, private
        self.decoding = Decoding(how.max_new_tokens, how.temperature, seed=config.seed)
        self.stops, self.pad = stop_ids(seed.tokenizer), seed.tokenizer.pad_token_id
        self.share = shareable(seed.model) and not config.checkpointing and world() == 1
        self.teacher = Teacher(self.model, how.ema, config.full)
        self.add_callback(self.teacher)
        self.written = []  # answers of this step

    def compute_loss(self, model, inputs, return_outputs=False, **options):
        """Sample, ask the teacher, compare. Both see the same tokens at the end of their rows, so
        that the last positions of the one are those of the other."""
        rows, student = inputs["rows"], self.accelerator.unwrap_model(model)
        student.eval()  # neither answers nor the teacher's words know dropout
        answers = self.sample(student, rows)
        told, _ = self.batch([row.teacher for row in rows], answers)
        with torch.no_grad(), self.teacher.speaks(), self.accelerator.autocast():
            wanted = student(**share_prefix(student, told)).logits
        student.train()
        asked, answered = self.batch([row.student for row in rows], answers)
        with self.accelerator.autocast():
            rest = share_prefix(student, asked)
        logits = model(**rest).logits
        return mean_loss(wanted[:, :-1], logits[:, :-1], answered, self.how)

    def sample(self, student: PreTrainedModel, rows: Sequence[Row]) -> list[list[int]]:
        """One answer to each row, the token that ends it included, with the adapter on."""
        names = [f"{self.state.global_step}/{row.name}" for row in rows]
        prompts, own = [row.student for row in rows], replace(self.seed, model=student)
        with self.accelerator.autocast():
            answers, _ = decode_batch(own, prompts, names, self.decoding, self.stops, len(rows))
        for row, ids in zip(rows, answers, strict=True):
            answer = read_answer(ids, self.stops, self.seed.tokenizer)
            # in the order in which a checkpoint gives it back
            known = {"finish_reason": answer.finish_reason, "id": row.name, "text": answer.text}
            tokens = len(row.student) + len(row.teacher) + 2 * len(ids)
            trained = max(0, len(ids) - self.how.skip)
            self.written.append(known | {"tokens": tokens, "trained_tokens": trained})
        return answers

    def batch(
        self, prompts: Sequence[list[int]], answers: Sequence[list[int]]
    ) -> tuple[dict, torch.Tensor]:
        """A model's arguments for prompts with answers, and where the next token is an answer's:
        (rows, longest answer), each at its row's end."""
        rows = []
        for prompt, ids in zip(prompts, answers, strict=True):
            rows.append(Rendered(prompt + ids, [False] * len(prompt) + [True] * len(ids)))
        inputs = collate(rows, self.pad, self.share, self.args.device)
        return inputs, inputs.pop("labels")[:, 1:] != -100

    def log(self, logs: dict, *arguments, **options) -> None:
        """What a step sampled goes into its line of the log, which a checkpoint keeps; the answers
        themselves at the first and the last step."""
        if "loss" in logs:
            written, self.written = sum(gather(self.written), []), []
            logs["samples"] = len(written)
            logs["clipped"] = sum(each["finish_reason"] == "length" for each in written)
            for name in ("tokens", "trained_tokens"):
                logs[name] = sum(each.pop(name) for each in written)
            if self.state.global_step in (1, self.state.max_steps) and not self.private:
                logs["answers"] = written
        super().log(logs, *arguments, **options)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """With a checkpoint, the teacher's weights."""
        super().save_model(output_dir, _internal_call)
        if self.args.should_save and self.teacher.weights:
            named = {str(place): weight for place, weight in enumerate(self.teacher.weights)}
            save_file(named, Path(output_dir, "teacher.safetensors"))

    def train(self, resume_from_checkpoint: str | None = None, **options):
        """Go on with the teacher of the checkpoint."""
        if resume_from_checkpoint and self.teacher.weights:
            named = load_file(Path(resume_from_checkpoint, "teacher.safetensors"))
            for number, weight in enumerate(self.teacher.weights):
                weight.copy_(named[str(number)])
        return super().train(resume_from_checkpoint, **options)


def fine_tune_on_policy(
    seed,
    rows: Sequence[dict],
    config: TrainConfig,
    how: OnPolicy = OnPolicy(),
    *,
    template: DistillTemplate | None = None,
    label: str = "sdft-2026",
    private: bool = False,
    say: Callable[[str], None] = print,
) -> Tuned:
    """Train as ``fine_tune`` does, but on the model's own answers to ``rows[i]["messages"]``.

    ``template``: how the teacher is shown the reference, without a prefill; data/templates holds
    ours. ``private``: no answer is written anywhere. The record holds the share of answers that
    were clipped at ``max_new_tokens``, and those of the first and of the last step. Raises
    SdftError for a prompt that leaves no room for an answer."""
    template = template or load_template(str(data_dir() / "templates" / "demonstration.toml"))
    check_four_bit(seed, full=config.full)
    if template.prefill or config.anchor or config.loss != "plain":
        cannot = "SDFT of 2026 takes no prefill in its template, no anchor and no other loss"
        raise SdftError(f"{cannot}; leave them out.")
    texts = [{name: row[name] for name in ("id", "messages", "reference")} for row in rows]
    parts = {"seed": seed.identity, "rows": digest(texts), "config": in_key(config)}
    parts |= {"on_policy": asdict(how), "template": template.parts, "private": private}

    def build(folder: Path) -> None:
        say(f"{label}: training on the model's own answers to {len(rows)} prompts")
        set_seed(config.seed)
        shown = prompts_of(seed, texts, how, template)
        longest = max(max(len(row.student), len(row.teacher)) for row in shown)
        with quiet_transformers():
            model = trainable_copy(seed, tuner(config, None))
            if seed.device == "cpu" and longest + how.max_new_tokens <= SHORT:
                model.set_attn_implementation("eager")
            arguments = trainer_arguments(seed, config, common(folder) / WORK / "checkpoints")
            given = {"model": model, "args": arguments, "train_dataset": shown}
            given["data_collator"] = lambda rows: {"rows": rows}
            trainer = OnPolicyTrainer(seed, config, how, private, **given)
            trainer.remove_callback(PrinterCallback)
            trainable = sum(each.numel() for each in trainer.teacher.trained())
            train_and_save(trainer, seed, config, folder, label, say)
        steps = [entry for entry in trainer.state.log_history if "loss" in entry]
        record = {"config": asdict(config), "on_policy": asdict(how), "template": template.name}
        record |= {"rows": len(rows), "steps": len(steps), "trainable_parameters": trainable}
        for name in ("tokens", "trained_tokens", "samples", "clipped"):
            record[name] = sum(entry[name] for entry in steps)
        record["clipped"] /= record["samples"]
        record |= {"first_step": steps[0].get("answers"), "last_step": steps[-1].get("answers")}
        write_json(folder / "record.json", record)
        clipped = f"{record['clipped']:.0%} of {record['samples']} answers were clipped"
        say(f"  {label}: {clipped} at {how.max_new_tokens} tokens")

    return tuned_in(artefact("adapter", parts | {"version": VERSION}, build), config)


def prompts_of(seed, rows: Sequence[dict], how: OnPolicy, template: DistillTemplate) -> list[Row]:
    """Both prompts of each row. Raises SdftError, which names the row, if one leaves no room."""
    shown = []
    for row in rows:
        told, _ = template.build(row["messages"], how.shared or row["reference"])
        with about(f"row {row['id']}"):
            ids = [ids_of_prompt(messages, seed.tokenizer) for messages in (row["messages"], told)]
            for each in ids:
                check_room(len(each), seed.model, how.max_new_tokens)
        shown.append(Row(row["id"], *ids))
    return shown
