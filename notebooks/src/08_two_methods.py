# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 Two methods, one name: SDFT of 2024 beside SDFT of 2026
#
# **You will** measure how good a teacher is that sees the answer, do one step of the newer method by hand, train plain fine-tuning (SFT) and both methods called SDFT on the same rows, and compare them at equal rows and at equal seconds.
#
# **Before you start:** lesson 02 explains rewrites, lesson 04 paired differences and intervals, lesson 05 KL. This lesson runs alone.
#
# **Time:** about 5 minutes on two CPU cores with bf16, longer without, 3 GB of memory; one training takes half of it. A second run takes less than a minute. With `fast=True` the steps are the same, on few rows: conclude nothing from its numbers.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # or a hub id, or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a folder
random_seed: int = 0  # first weights, order of the rows, samples
alpha: float = 0.0  # 0: KL(teacher || student), 1: the reverse
ema: float = 0.0  # how far the teacher follows the student each step
skip: int = 0  # first tokens of each answer that are not trained on
use_rules: bool = False  # True: one text for all rows, no answers

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(
    fast=fast, task=task_name, model=model, seed=random_seed
)
rows = 8 if s.fast else 36  # training rows
items = 8 if s.fast else 64  # test items a suite

# %% [markdown]
# ## 1. Which is which?
#
# Two methods are called *self-distillation fine-tuning*. Both train a model on its own words. It shall learn a task and otherwise stay as it was.
#
# | | SDFT of 2024 (arXiv 2402.13669) | SDFT of 2026 (arXiv 2601.19897) |
# |---|---|---|
# | when are the texts written? | once, before training, by the seed | at each step, by the model that is trained |
# | who sees the reference? | the seed, when it rewrites it | a *teacher*: the same model with the reference in its prompt |
# | what is trained on? | one rewrite a row if it passes the checks, else the reference | a sample of the model's own answer, right or wrong |
# | what is the loss? | next-token loss | KL to the teacher's prediction, at each token of the sample |
# | name here | `sdft` | `sdft-2026` |
#
# The method of 2026 is **on-policy**: the texts come from the model that is being trained. Let $x$ be a prompt and $r$ its reference. The *student* $p_\theta$ writes an answer $y \sim p_\theta(\cdot \mid x)$. The *teacher* $q$ is the seed with $r$ in its prompt. The loss of one answer is
#
# $$\frac{1}{|y|} \sum_{t} \mathrm{KL}\left(q(\cdot \mid x, r, y_{<t}) \;\Vert\; p_\theta(\cdot \mid x, y_{<t})\right)$$
#
# KL says how far the two predictions are apart (lesson 05). Nothing else tells the student what is right. So the first question is: **how much does the teacher know?**

# %% [markdown]
# ## 2. The ceiling: what a teacher does that sees the answer
#
# The student learns from the teacher alone. So how well the teacher does is about the most that the student can reach: a *ceiling*. Ask the seed in three ways: the question alone; the question with *rules*, one text for all rows; the question with the row's own reference, called a *demonstration*.

# %%
from sdft_lib.data import data_dir, load_probes, load_task, task_suite
from sdft_lib.models import load_seed
from sdft_lib.templates import TEMPLATES, load_template

seed = load_seed(s.model)
task = load_task(s.task)
folder = data_dir() / "templates"
demonstration = load_template(str(folder / "demonstration.toml"))
rules = load_template(str(folder / "rules.toml"))
print(demonstration.user)

# %%
RULES = """billing: payments, charges, receipts, discount codes.
shipping: where a parcel is, and when it comes.
returns: sending a product back, an exchange, the refund for it.
account: login, password, email address, profile, newsletter.
technical: a product that does not work.
sales: prices, offers, stock, before anything is bought."""

# %%
from dataclasses import replace

from sdft_lib.evaluate import cut, evaluate


def asked(template=None, text=None):
    """Test items; a template shows a text, or each reference."""
    suite = cut(task_suite(task), items // 2)
    told = []
    for row in suite.rows:
        messages = row["messages"]
        if template:
            shown = text or row["reference"]
            messages, _ = template.build(messages, shown)
        told.append(row | {"messages": messages})
    return replace(suite, rows=told, max_new_tokens=64)


# %%
import pandas

teachers = {
    "alone": asked(),
    "with the rules": asked(rules, RULES),
    "with the demonstration": asked(demonstration),
}
if s.task != "tickets":
    del teachers["with the rules"]  # these rules are about tickets

# %%
frames = []
for name, suite in teachers.items():
    frames.append(evaluate(seed, [suite], method=name))
answers = pandas.concat(frames, ignore_index=True)

# %%
from sdft_lib.lessons.figures import lesson_08 as figures
from sdft_lib.lessons.figures.style import show
from sdft_lib.stats import compare, summarise

show(figures.ceiling(summarise(answers)))

# %% [markdown]
# The lowest row is the ceiling of SDFT of 2026: the teacher sees the demonstration. In the recorded run it was right on about half of the items, although its prompt holds the answer. Read what it wrote.

# %%
for name, part in answers.groupby("method", sort=False):
    print(f"{name}\n    {part.iloc[0]['text'][:200]!r}")

# %% [markdown]
# SDFT of 2024 has no such ceiling. A program *checks* each rewrite against the reference. If the check fails, SDFT trains on the reference itself.
#
# **Question.** The authors of the 2026 method compare it with SFT at three sizes. At 3 billion weights it learnt less than SFT, at 7 billion more, and at 14 billion more still. What has that to do with this figure?
# <details><summary>One answer</summary>A larger model makes better use of an example in its prompt, so its ceiling is higher. The tutorial's model has 135 million weights: by the authors' own result it is near the worst case of their method. Expect the method to lose here. Do not expect the same of large models.</details>

# %% [markdown]
# ## 3. One step by hand
#
# Sample one answer of the student. Before any training it is the seed.

# %%
from sdft_lib.generation import Decoding, generate

row = task.train[0]
sampled = Decoding(max_new_tokens=24, temperature=1.0, seed=random_seed)
answer = generate(seed, [row["messages"]], sampled)[0].text
ids = seed.tokenizer(answer, add_special_tokens=False)["input_ids"]
print(row["messages"][-1]["content"])
print("\nreference:", row["reference"])
print("sample:   ", repr(answer))

# %% [markdown]
# Now both models read the *same* answer. Before it, the student sees the question. The teacher sees the question and the reference.

# %%
import torch

from sdft_lib.chat import ids_of_prompt
from sdft_lib.training.loss import token_kl


def logits(messages):
    """The seed's prediction of each token of the answer."""
    prompt = ids_of_prompt(messages, seed.tokenizer)
    both = torch.tensor([[*prompt, *ids]], device=seed.device)
    with torch.inference_mode():
        return seed.model(both).logits[0, len(prompt) - 1 : -1]


# %%
shown, _ = demonstration.build(row["messages"], row["reference"])
teacher, student = logits(shown), logits(row["messages"])
kl = token_kl(teacher, student)
print(f"loss of this answer: {kl.mean():.2f} nats a token")
figures.corrections(seed.tokenizer, ids, teacher, kl)

# %% [markdown]
# Each line is about one token of the answer: what the student wrote, what the teacher finds likeliest there, and how far their two predictions are apart. Training moves the student towards the teacher's prediction, most where the two are far apart.
#
# **Question.** The task wants a label, one word. How many of these lines are about the label?
# <details><summary>One answer</summary>One or two, if any; none in the recorded run. After a wrong beginning the teacher mostly agrees with how the sentence goes on. Most of the loss is about such tokens. For a task of one word this is a weak signal.</details>

# %% [markdown]
# ## 4. Train all three
#
# All three get the same rows, the same adapter settings, the same number of steps and the same learning rate.
#
# **Predict.** Which of the three will score highest on the task, and which will know the most facts? How many times as long as SFT will SDFT of 2026 train? Write your guess into the next cell. Section 6 shows it beside the outcome.

# %%
my_guess = {  # change these
    "task": "sft",
    "facts": "sdft-2026",
    "times": 2,
}

# %%
from sdft_lib.distill import distill
from sdft_lib.experiments.run_one import run_one

d = distill(seed, task, TEMPLATES[s.template], limit=rows)

# %%
tuned = {
    name: run_one(seed, task, name, s.training, rows=d.rows).tuned
    for name in ("sft", "sdft")
}

# %%
from sdft_lib.experiments.on_policy import OnPolicy, fine_tune_on_policy

shared = RULES if use_rules else ""
seen = rules if use_rules else demonstration
how = OnPolicy(alpha=alpha, ema=ema, skip=skip, shared=shared)
early = () if s.fast else (0.1, 0.2, 0.3, 0.4)  # for equal seconds
tuned["sdft-2026"] = fine_tune_on_policy(
    seed, d.rows, replace(s.training, keep=early), how, template=seen
)

# %%
keys = "rows steps tokens trained_tokens clipped".split()
records = {name: each.record for name, each in tuned.items()}
pandas.DataFrame(records).reindex(keys)

# %% [markdown]
# `tokens` are all that the models read, `trained_tokens` those in the loss. An answer that reaches 64 tokens is cut there: it is *clipped*. `clipped` is the share of such answers. A clipped answer has no end, so the student does not learn where to end. The paper and its code allow 1,024 tokens or more. On two CPU cores that would take far longer.

# %%
cost = {}
for name, record in records.items():
    cost[name] = {"training": record["seconds"]}
cost["sdft"] = {"rewriting": d.report["seconds"]} | cost["sdft"]
show(figures.cost_bars(cost))

# %% [markdown]
# ## 5. What the student samples, early and late

# %%
record = tuned["sdft-2026"].record
for moment in ("first_step", "last_step"):
    print(moment.replace("_", " "))
    for each in record[moment][:4]:
        print(f"    [{each['finish_reason']}] {each['text'][:150]!r}")

# %%
log = tuned["sdft-2026"].log
quarter = len(log) // 4 + 1
parts = {"first": log[:quarter], "last": log[-quarter:]}
for name, part in parts.items():
    clipped = part["clipped"].sum() / part["samples"].sum()
    loss = part["loss"].mean()
    print(f"{name} quarter: loss {loss:.2f}, clipped {clipped:.0%}")

# %% [markdown]
# **Question.** Suppose that the loss falls. Has the student learnt the task?
# <details><summary>One answer</summary>On its own answers its predictions are nearer to the teacher's. If these answers are long and name no team, it has learnt how the teacher goes on with such answers. The test of the next section asks for the team.</details>

# %% [markdown]
# ## 6. Equal rows, equal seconds
#
# All three saw the same prompts equally often: they are compared at **equal rows**. But sampling takes time. At **equal seconds** SDFT of 2026 has to stop early, when it has used about as many seconds as SDFT of 2024 with its rewriting. The adapter that was kept nearest to that moment is called *stopped*. The test takes the first facts only. They are the easiest ones, so all models score higher on them than in lesson 05.

# %%
spent = {name: sum(parts.values()) for name, parts in cost.items()}
kept = tuned["sdft-2026"].kept
near = min(
    kept,
    key=lambda share: abs(share * spent["sdft-2026"] - spent["sdft"]),
)
stopped = "sdft-2026 (stopped)"
for name, seconds in spent.items():
    print(f"{name}: {seconds:.0f} s")
print(f"stopped after {near:.0%} of the steps of sdft-2026")

# %%
from sdft_lib.models import with_adapter

suites = [
    cut(task_suite(task), items),
    cut(load_probes("facts"), items),
]
adapters = {name: each.adapter for name, each in tuned.items()}
adapters[stopped] = kept[near]
frames = [evaluate(seed, suites, method="seed")]
for name, adapter in adapters.items():
    trained = with_adapter(seed, adapter, label=name)
    frames.append(evaluate(trained, suites, method=name))
frame = pandas.concat(frames, ignore_index=True)

# %%
show(figures.headline(summarise(frame)))

# %%
pairs = [
    ("sdft-2026", "sdft"),
    ("sdft-2026", "sft"),
    (stopped, "sdft"),
    ("sdft-2026", "seed"),
    ("sdft", "seed"),
]
paired = compare(frame, pairs, ("task", "facts"))
show(figures.differences(paired))

# %%
scores = summarise(frame[frame["method"].isin(tuned)])
for suite in ("task", "facts"):
    part = scores[scores["suite"] == suite]
    first = part.loc[part["mean"].idxmax(), "method"]
    print(f"{suite}: you guessed {my_guess[suite]}, found {first}")
times = spent["sdft-2026"] / spent["sft"]
print(f"times: you guessed {my_guess['times']}, found {times:.0f}")

# %% [markdown]
# **Explain.** The highest score is not always shown to be higher: look at the differences above. A hollow mark means that no difference is shown after Holm's correction for all ten, even where the interval leaves out 0. Which of your three guesses was wrong, and which section explains it?
#
# **Question.** Suppose that SDFT of 2026 keeps as many facts as SDFT of 2024. Does it protect as well?
# <details><summary>One answer</summary>Look at the task first. A model that learnt nothing also forgets nothing (lesson 05). You can rank the two on facts only where both have learnt equally much.</details>

# %% [markdown]
# ## 7. The recorded grid
#
# One training on few rows says little. The recipe `data/recipes/frontier.toml` asks for 320 rows, three training seeds and sixteen more methods, which lesson 05, section 8, explains. The next cells show what of it is recorded so far. For SFT and both SDFTs the same three learning rates are tried, and scores on dev decide.

# %%
from sdft_lib.experiments.registered import (
    by_prediction,
    frontier_runs,
    rates,
    registered,
)

tried = rates(s.model)
nothing = "The sweep of learning rates is not recorded yet."
print(nothing if tried.empty else tried.round(2))

# %%
from sdft_lib.experiments.recorded import at_end, in_cells

runs = frontier_runs(s.model)
if runs.empty:
    print("data/recipes/frontier.toml has not been recorded yet.")
else:
    few = ["seed", "sft", "sdft", "sdft-2026", "sdft-2026-ema"]
    show(figures.tradeoff(at_end(runs[runs["method"].isin(few)])))

# %%
from IPython.display import display

if len(runs):
    display(in_cells(at_end(runs)))

# %% [markdown]
# In training seed 0 SFT and SDFT of 2024 learnt equally much (0.80 of the task), and kept 0.22 and 0.61 of the facts. SDFT of 2026 learnt nothing of the task, at each of the three rates, and took about ten times SFT's seconds. It kept nearly all facts. So does a model that was not trained at all. The ceiling does not explain this alone: the teacher of section 2 was right on about half of the items. Section 3 hints at another reason: few tokens of a sample are about the label.
#
# A scaled SFT adapter loses facts as soon as it learns much. STM and DFT turn away from tokens that surprise the seed. They hardly learnt from bare labels, and lost facts all the same, at the learning rate that was best for SFT. Of the remedies in the table only replay comes near SDFT of 2024: it kept 0.59 of the facts and learnt 0.70 of the task. (On 480 rows no difference between the two is shown on the task: lesson 05.)
#
# We wrote down eight predictions before the first run of that grid. Each names numbers that can prove it wrong (`data/results/frontier-predictions.toml`). Each number decides by itself; its interval stands beside it in the table. A prediction fails if one of its parts fails. It cannot be told where its number does not exist, such as in prediction 2 if the line of scaled SFT adapters ends below what SDFT learnt.

# %%
parts = registered(s.model)
for each in by_prediction(parts).itertuples():
    print(f"{each.number}. {each.says}\n    {each.outcome}")

# %%
known = parts[parts["outcome"] != "not recorded yet"]
if len(known):
    display(known.drop(columns="says").round(3))

# %% [markdown]
# ## 8. Where each wins, and what this cannot say
#
# | | SDFT of 2024 | SDFT of 2026 |
# |---|---|---|
# | the model must be able to | rewrite a text that it is shown | *use* an example in its prompt, well enough to teach |
# | the task must have | answers that a program can check | references that show how to answer: reasoning, steps, a manner |
# | the cost is | one rewriting, then ordinary training on longer texts | a sample and two more passes at each step |
# | it fails when | few rewrites pass the check | the teacher fails, or its example helps with one row only |
#
# - **This model and this task are near the worst case of the 2026 method.** A model with 135 million weights makes little use of an example in its prompt, and here the example is a bare label. The authors report that SFT wins at 3 billion weights. A loss here says nothing about a model with 14 billion.
# - **The settings are ours.** Answers are cut at 64 tokens. The teacher does not change. Only a LoRA adapter is trained. [The book](../ci/book/two_methods.md) compares the settings of the paper, of TRL and of this lesson.
# - **Your own run is one training on few rows.** Its intervals cover the choice of items, nothing else.

# %% [markdown]
# ## Summary
#
# - SDFT of 2024 rewrites the references once and trains on the rewrites. SDFT of 2026 trains on its own samples, and a teacher that sees the reference corrects them.
# - Measure the teacher first. The student cannot learn from it what it does not know.
# - Say whether you compare at equal rows or at equal seconds. The two may give different answers.
# - Look at the task first, then at what was kept.
#
# ## Check yourself
#
# 1. What is checked against the reference in each method?
#    <details><summary>Answer</summary>In 2024 every rewrite, before training. In 2026 nothing: the teacher only sees the reference.</details>
# 2. Why do the teacher and the student read the same tokens?
#    <details><summary>Answer</summary>KL compares two predictions of the next token after the same beginning. The beginning is the student's own, so it is corrected where its own answers lead.</details>
# 3. The authors do not train on the first three tokens of an answer. Why may that harm here?
#    <details><summary>Answer</summary>With a bare label, the first tokens are the label.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 08 -->

# %% [markdown]
# ## Exercises
#
# First write three functions: fill in the missing lines, run the cell, then the check below it. Then comes an experiment.
#
# ### Exercise 8.1: a teacher that follows
#
# **Goal:** see how soon a teacher that follows the student is no longer the seed. **Level 1 of 3, about 5 minutes.**
#
# At first the teacher is the seed. After each step its weights move towards the student's, by the share `rate` of the distance: an exponential moving average, EMA. `seed_left(rate, steps)` returns the share of the seed's weights that is left in the teacher after `steps` steps.
#
# <details><summary>Hint 1</summary>One step leaves <code>1 - rate</code> of what was there. <details><summary>Hint 2</summary>Each further step multiplies by it again: a power.</details></details>


# %% tags=["exercise"]
def seed_left(rate, steps):
    """The share of the seed in the teacher."""
    ### BEGIN SOLUTION
    return (1 - rate) ** steps
    ### END SOLUTION


# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_08 as check

check.exercise_8_1(seed_left)

# %% [markdown]
# ### Exercise 8.2: the mean of a batch
#
# **Goal:** average as the method does. **Level 2 of 3, about 10 minutes.**
#
# `batch_loss(answers, skip)` takes a list of answers, each a list of KL values, one a token. Leave out the first `skip` tokens of each answer, take the mean of the rest of each answer, then the mean over the answers. An answer of which nothing is left counts as 0.
#
# <details><summary>Hint 1</summary><code>answer[skip:]</code> is what is left. <details><summary>Hint 2</summary>Divide by the number of all answers, those without tokens as well.</details></details>


# %% tags=["exercise"]
def batch_loss(answers, skip):
    """Mean over the tokens of an answer, then over the answers."""
    ### BEGIN SOLUTION
    means = []
    for answer in answers:
        left = answer[skip:]
        means.append(sum(left) / len(left) if left else 0.0)
    return sum(means) / len(means)
    ### END SOLUTION


# %% tags=["check"]
check.exercise_8_2(batch_loss)

# %% [markdown]
# ### Exercise 8.3: between two directions
#
# **Goal:** write the loss with its setting `alpha`. **Level 3 of 3, about 15 minutes.**
#
# `distance(teacher, student, alpha)` takes two lists of probabilities of the same tokens, none of them 0. With `alpha` 0 it returns KL(teacher || student), with 1 KL(student || teacher). Between them it returns the generalised Jensen-Shannon divergence, alpha * KL(teacher || m) + (1 - alpha) * KL(student || m). Here m is the mixture alpha * teacher + (1 - alpha) * student.
#
# <details><summary>Hint 1</summary>Write a helper <code>kl(p, q)</code> first (exercise 5.2). <details><summary>Hint 2</summary>Deal with 0 and 1 before you mix: at 0 the formula of the mixture would give 0.</details></details>

# %% tags=["exercise"]
import math


def distance(teacher, student, alpha):
    """KL in one direction, or the generalised Jensen-Shannon."""

    ### BEGIN SOLUTION
    def kl(p, q):
        return sum(a * math.log(a / b) for a, b in zip(p, q))

    if alpha == 0:
        return kl(teacher, student)
    if alpha == 1:
        return kl(student, teacher)
    mixture = [
        alpha * a + (1 - alpha) * b for a, b in zip(teacher, student)
    ]
    return alpha * kl(teacher, mixture) + (1 - alpha) * kl(
        student, mixture
    )
    ### END SOLUTION


# %% tags=["check"]
check.exercise_8_3(distance)

# %% [markdown]
# ### Experiment 8.4: predict, run, explain
#
# **Goal:** find out what the teacher's help is made of. **Level 2 of 3, about three minutes of computing.**
#
# 1. **Predict.** Choose one change: `use_rules=True` (one text for all rows in place of each row's answer), `ema=0.05`, `skip=3`, or `alpha=1.0` (the other direction of the KL). Will the student learn more of the task than in your first run (in the recorded run: nothing)? Will more or fewer answers be clipped? Write it down.
# 2. **Run.** Set it in the first code cell, and run the lesson again. SFT and SDFT of 2024 come from the store.
# 3. **Explain.** Compare the table of section 4 and the figures of section 6 with those of your first run. Does the ceiling of section 2 explain what you see?
#
# <details><summary>What to look for</summary>Rules: they are the same for every row, so a student can learn them; a row's own label helps with that row alone. A published study found just that (arXiv 2605.11182). But section 2 shows how badly this teacher uses rules. EMA: after few steps the teacher has hardly moved (exercise 8.1). Skip: the label is in the first tokens. The other direction of the KL: the student may keep only one of the things that the teacher would say.</details>

# %% [markdown]
# ## What next
#
# `sdft run --method sdft --method sdft-2026 --method sft` compares the three on your own file. Lesson 09 says how to bring it.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 60 minutes. Start section 4 at the beginning of the class, or run the lesson the evening before: then the store has everything.
#
# **Begin with the names.** Ask who has read "SDFT" and which one it was. The table of section 1 on the board saves many questions.
#
# **What goes wrong most often:** students take the ceiling for a score of the student model. They read KL as "how wrong the answer is", but after a wrong beginning it can be near 0. In exercise 8.1 they multiply by the steps in place of taking a power. In 8.2 they take one mean over all tokens of the batch. In 8.3 they use the mixture at 0 and 1.
#
# **Discussion, "does it protect as well?":** ask for the scores on the task before anybody may answer.
#
# **Expect:** a ceiling well below 1 with the demonstration, answers that are mostly clipped, and a student of 2026 that learns less of the task than SFT. This is no verdict on the method: sections 2 and 8 say why.
#
# **Harder:** let groups run the four variants of experiment 8.4, one each, and gather task and facts on one frontier.
