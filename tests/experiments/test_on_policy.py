"""SDFT of 2026: its loss by hand, its two passes against a plain loop and TRL's trainer, its
teacher, and that a cut training goes on to the same bytes.
"""

import copy
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from sdft_lib.data import Task
from sdft_lib.experiments import on_policy, run_one
from sdft_lib.experiments.on_policy import OnPolicy, OnPolicyTrainer, divergence, mean_loss
from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import data_dir
from sdft_lib.templates import DistillTemplate, load_template
from sdft_lib.train import TrainConfig
from sdft_lib.training import trainer as training
from sdft_lib.training.weights import lora, trainable_copy

PLAIN = DistillTemplate("plain", "{instruction}\n\n{reference}")
CONFIG = TrainConfig(batch_size=3, learning_rate=1e-2, warmup=0.0)
ROWS = [
    {
        "id": f"r{n}",
        "messages": [{"role": "user", "content": f"Which team helps with case {'ab ' * n}?"}],
        "reference": f"team {n} of all",
        "text": "",
        "source": "original",
    }
    for n in range(6)
]
SHORT = OnPolicy(max_new_tokens=5)


def quiet(line):
    """Say nothing."""


@pytest.fixture
def tiny(tmp_path, monkeypatch, tiny_seed):
    """The tiny model, with a store of its own."""
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "cache"))
    return tiny_seed


def trained(model, how=SHORT, **options):
    return on_policy.fine_tune_on_policy(model, ROWS, CONFIG, how, **{"say": quiet} | options)


def on_its_way(seed, how, folder, config=CONFIG):
    """A trainer whose adapter is no longer what it was at the start."""
    torch.manual_seed(0)
    model = trainable_copy(seed, lora(config))
    made = OnPolicyTrainer(
        seed,
        config,
        how,
        False,
        model=model,
        args=training.trainer_arguments(seed, config, folder),
        train_dataset=on_policy.prompts_of(seed, ROWS, how, PLAIN),
    )
    torch.manual_seed(0)  # the Trainer takes the config's
    move(made)
    return made


def move(trainer):
    """Change the student, as a step does."""
    for parameter in trainer.teacher.trained():
        parameter.data += 0.3 * torch.randn_like(parameter)


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


# --- the loss

TEACHER, STUDENT = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()


@pytest.mark.parametrize(
    "alpha, nats",
    [
        (0.0, 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)),
        (1.0, 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)),
        # the mean of both is (0.4375, 0.5625)
        (
            0.75,
            0.75 * (0.5 * math.log(0.5 / 0.4375) + 0.5 * math.log(0.5 / 0.5625))
            + 0.25 * (0.25 * math.log(0.25 / 0.4375) + 0.75 * math.log(0.75 / 0.5625)),
        ),
    ],
)
def test_divergence_of_two_tokens_by_hand(alpha, nats):
    assert divergence(TEACHER, STUDENT, alpha).item() == pytest.approx(nats, abs=1e-6)
    assert divergence(TEACHER + 7, TEACHER, alpha).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("skip, wanted", [(0, (4 + (1 + 2 + 3) / 3) / 2), (1, (2 + 3) / 2 / 2)])
def test_mean_of_an_answer_then_of_the_answers_without_what_is_skipped(monkeypatch, skip, wanted):
    """Two answers of 1 and 3 tokens, at the ends of their rows; 9 is no answer's."""
    costs = torch.tensor([[9.0, 9.0, 4.0], [1.0, 2.0, 3.0]])
    answered = torch.tensor([[False, False, True], [True, True, True]])
    monkeypatch.setattr(on_policy, "divergence", lambda teacher, student, alpha: student)
    found = mean_loss(costs, costs, answered, OnPolicy(skip=skip))
    assert found.item() == pytest.approx(wanted)


def test_all_skipped_is_no_loss_and_no_gradient():
    student = torch.randn(2, 3, 5, requires_grad=True)
    loss = mean_loss(torch.randn(2, 3, 5), student, torch.ones(2, 3).bool(), OnPolicy(skip=3))
    loss.backward()
    assert loss.item() == 0 and not student.grad.any()


# --- both passes

ANSWERS = [[11, 12, 13], [21], [31, 32, 33, 34, 35]]


def plain_loss(trainer, seed, rows, how):
    """The loss without padding, shared start or batch: one row, one token at a time."""
    total = 0.0
    for row, answer in zip(rows, ANSWERS):
        told, asked = logits(seed.model, row.teacher + answer), None
        asked = trainer.model(input_ids=torch.tensor([row.student + answer])).logits[0]
        costs = []
        for number in range(how.skip, len(answer)):
            teacher, student = (
                told[len(row.teacher) - 1 + number],
                asked[len(row.student) - 1 + number],
            )
            costs.append(divergence(teacher, student, how.alpha))
        total = total + sum(costs) / max(1, len(costs)) / len(rows)
    return total


@pytest.mark.parametrize("how", [SHORT, OnPolicy(alpha=0.5, skip=1)])
def test_student_and_teacher_are_compared_token_by_token(tiny, tmp_path, monkeypatch, how):
    trainer = on_its_way(tiny, how, tmp_path)
    rows = trainer.train_dataset[:3]
    monkeypatch.setattr(trainer, "sample", lambda student, rows: ANSWERS)
    grads = []
    for loss in (
        trainer.compute_loss(trainer.model, {"rows": rows}),
        plain_loss(trainer, tiny, rows, how),
    ):
        trainer.model.zero_grad()
        loss.backward()
        grads.append([loss.item(), *(p.grad.norm().item() for p in trainer.teacher.trained())])
    assert grads[0] == pytest.approx(grads[1], rel=1e-3) and grads[0][0] > 0.1


def test_a_draw_depends_on_seed_step_and_row_alone(tiny, tmp_path):
    trainer = on_its_way(tiny, SHORT, tmp_path)
    student, rows = trainer.model.eval(), trainer.train_dataset
    together = trainer.sample(student, rows)
    assert [trainer.sample(student, [row])[0] for row in rows] == together
    trainer.state.global_step = 1
    assert trainer.sample(student, rows) != together
    other = on_its_way(tiny, SHORT, tmp_path, replace(CONFIG, seed=1))
    assert other.sample(other.model.eval(), rows) != together


def test_dropout_changes_neither_samples_nor_the_teacher(tiny, tmp_path, monkeypatch):
    how, config = OnPolicy(ema=0.5, max_new_tokens=5), replace(CONFIG, dropout=0.9)
    trainer = on_its_way(tiny, how, tmp_path, config)
    said, usual = [], on_policy.mean_loss

    def compare(wanted, *rest):
        said.append(wanted)
        return usual(wanted, *rest)

    monkeypatch.setattr(on_policy, "mean_loss", compare)
    inputs = {"rows": trainer.train_dataset}
    losses = [trainer.compute_loss(trainer.model.train(), inputs).item() for _ in range(2)]
    first, second = (
        [each["text"] for each in trainer.written[part]] for part in (slice(6), slice(6, 12))
    )
    assert first == second and (said[0] == said[1]).all() and losses[0] != losses[1]


def test_the_student_that_samples_has_its_adapter_on(tiny, tmp_path):
    """At a temperature near 0 the sample is the likeliest token of the student, not of the seed."""
    trainer = on_its_way(tiny, OnPolicy(temperature=1e-4, max_new_tokens=1), tmp_path)
    rows = trainer.train_dataset
    drawn = [ids[0] for ids in trainer.sample(trainer.model.eval(), rows)]
    students, seeds = (
        [logits(model, row.student)[-1].argmax().item() for row in rows]
        for model in (trainer.model, tiny.model)
    )
    assert drawn == students != seeds


# --- the teacher


def test_with_its_adapter_off_the_student_is_the_seed(tiny, tmp_path):
    trainer, ids = on_its_way(tiny, SHORT, tmp_path), [5, 6, 7, 8]
    with trainer.teacher.speaks():
        assert (logits(trainer.model, ids) == logits(tiny.model, ids)).all()
    assert not (logits(trainer.model, ids) == logits(tiny.model, ids)).any()


@pytest.mark.parametrize("full", [False, True])
def test_a_teacher_with_weights_starts_as_the_seed(tiny, full):
    student = trainable_copy(tiny, None if full else lora(CONFIG))
    teacher = on_policy.Teacher(student, 0.0 if full else 0.1, full)
    for parameter in teacher.trained():
        parameter.data += 1
    with teacher.speaks():
        assert (logits(student, [5, 6]) == logits(tiny.model, [5, 6])).all()


def test_at_rate_1_the_teacher_is_the_student_and_at_half_it_is_half_way(tiny, tmp_path):
    for rate in (1.0, 0.5):
        trainer = on_its_way(tiny, OnPolicy(ema=rate), tmp_path)
        before = [weight.clone() for weight in trainer.teacher.weights]
        now = [parameter.detach().clone() for parameter in trainer.teacher.trained()]
        trainer.teacher.on_step_end(None, None, None)
        own = logits(trainer.model, [5, 6, 7])
        with trainer.teacher.speaks():
            assert (logits(trainer.model, [5, 6, 7]) == own).all() == (rate == 1)
        for start, end, weight, parameter in zip(
            before, now, trainer.teacher.weights, trainer.teacher.trained()
        ):
            assert torch.allclose(weight, start + rate * (end - start), atol=1e-6)
            assert (parameter == end).all()


def test_what_each_of_them_reads(tiny):
    def read(ids):
        return tiny.tokenizer.decode(ids)

    demonstration = load_template(str(data_dir() / "templates" / "demonstration.toml"))
    rules = load_template(str(data_dir() / "templates" / "rules.toml"))
    row = on_policy.prompts_of(tiny, ROWS[2:3], SHORT, demonstration)[0]
    assert "Which team" in read(row.student) and "team 2 of all" not in read(row.student)
    assert "Which team" in read(row.teacher) and "team 2 of all" in read(row.teacher)
    shared = on_policy.prompts_of(tiny, ROWS, OnPolicy(shared="Money is billing."), rules)
    assert all("Money is billing." in read(each.teacher) for each in shared)
    assert not any("of all" in read(each.teacher) for each in shared)
    assert [each.student for each in shared][2] == row.student


# --- the training


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_training_that_was_cut_off_goes_on_to_the_same_bytes(tiny, monkeypatch, tmp_path, ema):
    """4 steps, a checkpoint after the second; the cut comes in step 4, once it has sampled."""
    how = OnPolicy(ema=ema, max_new_tokens=5)
    whole = trained(tiny, how)
    monkeypatch.setenv("SDFT_CACHE", str(tmp_path / "other"))
    usual, calls = on_policy.mean_loss, []

    def cut(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise InterruptedError
        return usual(*arguments)

    monkeypatch.setattr(on_policy, "mean_loss", cut)
    with pytest.raises(InterruptedError):
        trained(tiny, how)
    again = trained(tiny, how)
    assert len(calls) == 4 + 2
    files = [path for path in sorted(whole.adapter.rglob("*")) if path.is_file()]
    assert {"adapter_model.safetensors", "loss.jsonl", "record.json"} <= {p.name for p in files}
    for path in files:
        if path.name not in ("run.json", "manifest.json"):
            assert path.read_bytes() == (again.adapter / path.name).read_bytes(), path.name


def test_what_it_was_on_its_way_is_kept(tiny):
    """After the first of four steps, and at the end."""
    config = replace(CONFIG, keep=(0.25,))
    tuned = on_policy.fine_tune_on_policy(tiny, ROWS, config, SHORT, say=quiet)
    assert set(tuned.kept) == {0.25, 1.0} and tuned.kept[1.0] == tuned.adapter
    first, last = [
        load_file(tuned.kept[share] / "adapter_model.safetensors") for share in (0.25, 1.0)
    ]
    assert first.keys() == last.keys() and any((first[name] != last[name]).any() for name in first)


def test_the_student_comes_nearer_to_its_teacher(tiny, monkeypatch):
    """Here each step samples the same tokens."""

    def same(self, student, rows):
        known = {"text": "", "finish_reason": "stop", "tokens": 9, "trained_tokens": 5}
        self.written += [{"id": row.name} | known for row in rows]
        return ANSWERS[2:] * len(rows)

    monkeypatch.setattr(OnPolicyTrainer, "sample", same)
    config = TrainConfig(batch_size=6, epochs=12, learning_rate=3e-2, warmup=0.0)
    tuned = on_policy.fine_tune_on_policy(tiny, ROWS, config, say=quiet)
    assert tuned.log.loss.iloc[-1] < 0.9 * tuned.log.loss.iloc[0]
    assert tuned.record["tokens"] == 12 * 6 * 9 and tuned.record["trained_tokens"] == 12 * 6 * 5


def test_parts_of_a_batch_give_the_loss_of_the_whole(tiny):
    losses = []
    for parts in (1, 2):
        options = {"config": TrainConfig(batch_size=6, epochs=1, parts=parts), "say": quiet}
        losses.append(on_policy.fine_tune_on_policy(tiny, ROWS, how=SHORT, **options).log.loss[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_record_tells_what_was_sampled_and_how_much_was_clipped(tiny, monkeypatch):
    tuned = trained(tiny)
    record = tuned.record
    assert list(tuned.log) == ["step", "loss", "samples", "clipped"]
    assert record["steps"] == len(tuned.log) == 4 and record["samples"] == 12
    assert record["clipped"] == tuned.log.clipped.sum() / 12
    assert 0 < record["trained_tokens"] <= 12 * 5 < record["tokens"]
    for name in ("first_step", "last_step"):
        assert len(record[name]) == 3 and all(each["text"] for each in record[name])
        assert {each["id"] for each in record[name]} < {row["id"] for row in ROWS}
    assert record["first_step"] != record["last_step"]
    assert trained(tiny).adapter == tuned.adapter
    assert trained(tiny, OnPolicy(max_new_tokens=5, skip=1)).adapter != tuned.adapter


def test_a_run_trains_it_and_private_answers_are_written_nowhere(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(
        run_one.METHODS, "sdft-2026", run_one.replace(run_one.METHODS["sdft-2026"], on_policy=SHORT)
    )
    for kind, shown in (("label", True), ("refusal", False)):
        task = Task("teams", kind, ["a", "b"], ROWS, None, ROWS, {})
        run = run_one.run_one(tiny, task, "sdft-2026", CONFIG, rows=ROWS, say=quiet)
        assert bool(run.tuned.record["first_step"]) == shown and len(run.tuned.log) == 4
        words = [path.read_text(encoding="utf-8") for path in run.tuned.adapter.glob("*.json*")]
        assert any('"text"' in each for each in words) == shown


@pytest.mark.parametrize(
    "change, words",
    [
        ({"template": load_template("opening")}, "takes no prefill in its template"),
        ({"how": OnPolicy(max_new_tokens=500)}, "row r0: it has"),
        ({"config": TrainConfig(anchor=1.0)}, "no anchor and no other loss"),
        ({"config": TrainConfig(loss="stm")}, "no anchor and no other loss"),
    ],
)
def test_what_it_cannot_do_is_one_sentence(tiny, change, words):
    options = {"config": CONFIG, "how": SHORT, "say": quiet} | change
    with pytest.raises(SdftError, match=words):
        on_policy.fine_tune_on_policy(tiny, ROWS, **options)


@pytest.mark.parametrize(
    "change", [{"alpha": 1.5}, {"ema": -0.1}, {"skip": -1}, {"temperature": 0.0}]
)
def test_options_out_of_their_range_are_refused(change):
    with pytest.raises(SdftError, match=next(iter(change))):
        OnPolicy(**change)


# --- the peer


def test_a_step_has_the_loss_of_trls_trainer(tiny, tmp_path, monkeypatch):
    """TRL 1.16: all logits, alpha 0, one answer a prompt, the teacher with its adapter off. Its
    trainer samples; ours gets the same tokens, and both have the same adapter."""
    pytest.importorskip("trl.experimental.sdft")
    from datasets import Dataset
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    how = OnPolicy(skip=1, max_new_tokens=6)
    ours = on_its_way(tiny, how, tmp_path / "ours")
    prompts = [{"prompt": row["messages"], "privileged_context": row["reference"]} for row in ROWS]
    config = SDFTConfig(
        output_dir=str(tmp_path / "trl"),
        distillation_mode="full_logits",
        distillation_alpha=0.0,
        distillation_is_clip=None,
        num_generations=1,
        num_loss_tokens_to_skip=how.skip,
        max_completion_length=how.max_new_tokens,
        per_device_train_batch_size=len(ROWS),
        bf16=False,
        use_cpu=True,
        report_to="none",
    )
    theirs = SDFTTrainer(
        model=copy.deepcopy(tiny.model),
        args=config,
        train_dataset=Dataset.from_list(prompts),
        processing_class=tiny.tokenizer,
        peft_config=lora(CONFIG),
    )
    students = dict(ours.model.named_parameters())
    for name, parameter in theirs.model.named_parameters():
        if parameter.requires_grad:
            parameter.data.copy_(students[name].data)
    theirs.model.train()
    batch = theirs._prepare_training_batch(prompts)
    answers = theirs._get_completion_ids_list(batch)
    monkeypatch.setattr(ours, "sample", lambda student, rows: answers)
    theirs.current_gradient_accumulation_steps = 1
    peer = theirs.compute_loss(theirs.model, batch)
    own = ours.compute_loss(ours.model, {"rows": ours.train_dataset})
    assert own.item() == pytest.approx(peer.item(), rel=1e-4) and own.item() > 0.1
    for loss in (own, peer):
        loss.backward()
    for name, parameter in theirs.model.named_parameters():
        if parameter.requires_grad:
            assert torch.allclose(parameter.grad, students[name].grad, rtol=1e-2, atol=1e-4), name
