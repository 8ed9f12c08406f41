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
# **You will** measure how well a teacher does that sees the answer, take one step of on-policy self-distillation by hand, train SFT and both methods called SDFT on the same rows, compare them at equal rows and at equal seconds, and hold eight predictions against a recorded grid.
#
# **Before you start:** lesson 02 explains rewrites, lesson 04 paired differences and intervals, lesson 05 the frontier and KL. This lesson runs alone.
#
# **Time:** about 6 minutes on two CPU cores with bf16, longer without, 2.8 GB of memory, most of it one training; well under a minute when the store holds everything. With `fast=True` everything is done on few rows: the same steps, but nothing to conclude from.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a folder of your own with train and test rows
random_seed: int = 0  # decides the adapter's first weights, the order of the rows and the samples
alpha: float = 0.0  # direction of the KL: 0 is KL(teacher || student), 1 is KL(student || teacher)
ema: float = 0.0  # the part of the way to the student that the teacher goes after each step
skip: int = 0  # first tokens of each answer that are not trained on
use_rules: bool = False  # True: the teacher sees the rules of the teams, not the row's own answer

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, task=task_name, model=model, seed=random_seed)
rows = 8 if s.fast else 48  # training rows
items = 8 if s.fast else 96  # test items a suite

# %% [markdown]
# ## 1. Which is which?
#
# Two methods are called *self-distillation fine-tuning*. Both train a model on its own words, so that it need not change its manner to learn a task.
#
# | | SDFT of 2024 (arXiv 2402.13669) | SDFT of 2026 (arXiv 2601.19897) |
# |---|---|---|
# | when are the texts written? | once, before training, by the seed | at each step, by the model that is trained |
# | who sees the reference? | the seed, when it rewrites it | a *teacher*: the same model with the reference in its prompt |
# | what is trained on? | one rewrite a row, if it passes the checks | a sample of the model's own answer, right or wrong |
# | what says how? | next-token loss | KL to the teacher's prediction, at each token of the sample |
# | name here | `sdft` | `sdft-2026` |
#
# In a formula: let $x$ be a prompt and $r$ its reference. The *student* $p_\theta$ writes an answer $y \sim p_\theta(\cdot \mid x)$. The *teacher* $q$ is the seed with $r$ in its prompt. One answer costs
#
# $$\frac{1}{|y|} \sum_{t} \mathrm{KL}\left(q(\cdot \mid x, r, y_{<t}) \;\Vert\; p_\theta(\cdot \mid x, y_{<t})\right)$$
#
# Nothing else tells the student what is right. So the first question is: **how much does the teacher know?**

# %% [markdown]
# ## 2. The ceiling: what a teacher does that sees the answer
#
# The student can learn from the teacher what the teacher does with the reference in its prompt, and no more. So ask the seed three times: the bare question; the question with *rules*, one text for all rows; the question with the row's own reference, called a *demonstration*.

# %%
from sdft_lib.data import data_dir, load_probes, load_task, task_suite
from sdft_lib.models import load_seed
from sdft_lib.templates import TEMPLATES, load_template

seed = load_seed(s.model)
task = load_task(s.task)
demonstration = load_template(str(data_dir() / "templates" / "demonstration.toml"))
rules = load_template(str(data_dir() / "templates" / "rules.toml"))
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
    """The test items as a teacher sees them: with each row's own reference, or one text for all."""
    suite = replace(cut(task_suite(task), items // 2), max_new_tokens=64)
    if not template:
        return suite
    told = [template.build(row["messages"], text or row["reference"])[0] for row in suite.rows]
    changed = [row | {"messages": messages} for row, messages in zip(suite.rows, told)]
    return replace(suite, rows=changed)


# %%
import pandas

teachers = {"alone": asked(), "with the rules": asked(rules, RULES), "with the demonstration": asked(demonstration)}
if s.task != "tickets":
    del teachers["with the rules"]  # these rules are about tickets
asked_three_times = [evaluate(seed, [suite], method=name) for name, suite in teachers.items()]
answers = pandas.concat(asked_three_times, ignore_index=True)

# %%
from sdft_lib.lessons.figures import lesson_08 as figures
from sdft_lib.lessons.figures.style import show
from sdft_lib.stats import compare, summarise

show(figures.ceiling(summarise(answers)))

# %% [markdown]
# The lowest row is the ceiling. Where it lies far below 1, the teacher itself often fails although the answer stands in its prompt. Read what it wrote.

# %%
for name, part in answers.groupby("method", sort=False):
    print(f"{name}\n    {part.iloc[0]['text'][:200]!r}")

# %% [markdown]
# SDFT of 2024 does not meet this ceiling in the same way. Its rewrite is *checked* against the reference, and where the check fails, the reference itself is trained on.
#
# **Question.** The method's authors report that a model of 3 billion parameters did worse by it than by SFT, one of 7 billion better, one of 14 billion better still. What has that to do with this figure?
# <details><summary>One answer</summary>A larger model makes better use of an example in its prompt, so its ceiling lies higher. The tutorial's model has 135 million parameters. It is near the worst case of this method by its authors' own result: expect it to lose here, and do not carry that loss over to large models.</details>

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
print(row["messages"][-1]["content"], "\n\nreference:", row["reference"], "\nsample:   ", repr(answer))

# %% [markdown]
# Now both read the *same* answer. The student sees the question before it, the teacher question and reference.

# %%
import torch

from sdft_lib.chat import ids_of_prompt
from sdft_lib.training.loss import token_kl


def logits(messages):
    """What the seed would write next at each place of the answer: (tokens, vocabulary)."""
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
# Each line is a lesson about one token: what the student wrote, what the teacher would rather have seen there, and how far apart the two are. The student is moved by the second column, weighed by the third.
#
# **Question.** The label stands in the first token or two, if at all. How many of these lines are about the label?
# <details><summary>One answer</summary>One or two of twenty. Behind a wrong opening, the teacher mostly agrees with how a sentence goes on, whatever the sentence says. With answers of many tokens that is a weak signal for a task of one word.</details>

# %% [markdown]
# ## 4. Train all three
#
# The same rows, the same adapter, the same number of steps and the same learning rate.

# %%
from sdft_lib.distill import distill
from sdft_lib.experiments.run_one import run_one

d = distill(seed, task, TEMPLATES[s.template], limit=rows)
tuned = {name: run_one(seed, task, name, s.training, rows=d.rows).tuned for name in ("sft", "sdft")}

# %%
from sdft_lib.experiments.on_policy import OnPolicy, fine_tune_on_policy

how = OnPolicy(alpha=alpha, ema=ema, skip=skip, shared=RULES if use_rules else "")
seen = rules if use_rules else demonstration
config = replace(s.training, keep=() if s.fast else (0.1, 0.2, 0.3, 0.4))  # for equal seconds, below
tuned["sdft-2026"] = fine_tune_on_policy(seed, d.rows, config, how, template=seen)

# %%
keys = ["rows", "steps", "tokens", "trained_tokens", "seconds", "clipped"]
pandas.DataFrame({name: each.record for name, each in tuned.items()}).reindex(keys)

# %%
cost = {name: {"training": each.record["seconds"]} for name, each in tuned.items()}
cost["sdft"] = {"rewriting": d.report["seconds"]} | cost["sdft"]
show(figures.cost_bars(cost))

# %% [markdown]
# `clipped` is the share of sampled answers that were cut at 64 tokens. A clipped answer has no end, so its end is not trained. The paper and its code allow 1,024 tokens or more; on two CPU cores nobody would wait for that.
#
# ## 5. What the student samples, early and late

# %%
record = tuned["sdft-2026"].record
for moment in ("first_step", "last_step"):
    print(moment.replace("_", " "))
    for each in record[moment][:4]:
        print(f"    [{each['finish_reason']}] {each['text'][:150]!r}")

# %%
log = tuned["sdft-2026"].log
for name, part in {"first quarter": log[: len(log) // 4 + 1], "last quarter": log[-(len(log) // 4 + 1) :]}.items():
    print(f"{name}: loss {part['loss'].mean():.2f}, clipped {part['clipped'].sum() / part['samples'].sum():.0%}")

# %% [markdown]
# **Question.** The loss falls. Has the student learnt the task?
# <details><summary>One answer</summary>It has come nearer to the teacher, on answers of its own. If these are long and say nothing about the team, it has learnt how the teacher goes on with such answers. The test of the next section asks for the team.</details>

# %% [markdown]
# ## 6. Equal rows, equal seconds
#
# At **equal rows** all three saw the same prompts equally often. But sampling takes time. At **equal seconds** SDFT of 2026 is stopped when it has used about as many seconds as SDFT of 2024 with its rewriting.

# %%
spent = {name: sum(parts.values()) for name, parts in cost.items()}
kept = tuned["sdft-2026"].kept
near = min(kept, key=lambda share: abs(share * spent["sdft-2026"] - spent["sdft"]))
stopped = "sdft-2026 (stopped)"
print(f"Seconds: {spent}. Stopped after {near:.0%} of its steps: {near * spent['sdft-2026']:.0f} s.")

# %%
from sdft_lib.models import with_adapter

suites = [cut(task_suite(task), items), cut(load_probes("facts"), items)]
adapters = {name: each.adapter for name, each in tuned.items()} | {stopped: kept[near]}
frames = [evaluate(seed, suites, method="seed")]
for name, adapter in adapters.items():
    frames.append(evaluate(with_adapter(seed, adapter, label=name), suites, method=name))
frame = pandas.concat(frames, ignore_index=True)
show(figures.headline(summarise(frame)))

# %%
pairs = [("sdft-2026", "sdft"), ("sdft-2026", "sft"), (stopped, "sdft"), ("sdft-2026", "seed"), ("sdft", "seed")]
paired = compare(frame, pairs, ("task", "facts"))
show(figures.differences(paired))

# %%
paired.drop(columns="p_raw").round(3)

# %% [markdown]
# Rows of one scenario are drawn together; `units` counts the scenarios. Holm's correction covers all ten lines.
#
# **Question.** SDFT of 2026 keeps as many facts as SDFT of 2024, or more. Is it the better protection?
# <details><summary>One answer</summary>Look at the task first. A model that learnt nothing has nothing to forget for (lesson 05). Only at equal acquisition can the two be ranked on facts.</details>

# %% [markdown]
# ## 7. The recorded grid
#
# One training on few rows can say little. `data/recipes/frontier.toml` has 320 rows, three training seeds and sixteen more methods. Learning rates were chosen on dev, from the same three for SFT and both SDFTs.

# %%
from sdft_lib.experiments.registered import by_prediction, frontier_runs, rates, registered

tried = rates(s.model)
print("The sweep of learning rates is not recorded yet." if tried.empty else tried.round(2))

# %%
from sdft_lib.experiments.recorded import at_end, in_cells

runs = frontier_runs(s.model)
if runs.empty:
    print("The grid is not recorded yet: sdft run --recipe data/recipes/frontier.toml --out data/results")
else:
    ends = at_end(runs[runs["method"].isin(["seed", "sft", "sdft", "sdft-2026", "sdft-2026-ema"])])
    show(figures.tradeoff(ends))

# %%
from IPython.display import display

if len(runs):
    display(in_cells(at_end(runs)))

# %% [markdown]
# Eight predictions were written down before the first run of that grid, each with numbers that can prove it wrong (`data/results/frontier-predictions.toml`). A prediction fails with any of its parts. Those that failed stand in the same table as those that held.

# %%
parts = registered(s.model)
for each in by_prediction(parts).itertuples():
    print(f"{each.number}. {each.says}\n    {each.outcome}")

# %%
parts.drop(columns="says").round(3)

# %% [markdown]
# The other methods of this grid, remedies that an expert would ask about today, stand in lesson 05, section 8.

# %% [markdown]
# ## 8. Where each wins, and what this cannot say
#
# The two methods pay in different coin, and differ in what they need.
#
# | | SDFT of 2024 | SDFT of 2026 |
# |---|---|---|
# | needs of the model | to rewrite a text that it is shown | to *use* an example in its prompt, well enough to be a teacher |
# | needs of the task | an answer that can be checked | references that tell how, not only what: reasoning, steps, a manner |
# | costs | one rewriting, then ordinary training on longer texts | at each step a sample and two more passes |
# | goes wrong when | few rewrites pass the check | the teacher fails, or what it sees helps with one row alone |
#
# - **This model and this task are near the worst case of the 2026 method.** 135 million parameters learn little from an example in a prompt, and the example is a bare label. By its authors' own scaling result, SFT wins below a few billion. A loss here says nothing about a model of 14 billion.
# - **The settings are ours.** Answers are cut at 64 tokens. The teacher is frozen, and all that is trained is LoRA. [The book](../ci/book/two_methods.md) has a table of paper, TRL and this lesson.
# - **Your own run is one training on few rows.** Its intervals cover items alone.

# %% [markdown]
# ## Summary
#
# - SDFT of 2024 rewrites references once and trains on them. SDFT of 2026 trains on its own samples, under a teacher that sees the reference.
# - Measure the teacher first: the student cannot learn from it what it does not know.
# - Say whether you compare at equal rows or at equal seconds. The two may give unlike answers.
# - Look at the task before you look at what was kept.
#
# ## Check yourself
#
# 1. What is checked against the reference in each method?
#    <details><summary>Answer</summary>In 2024 every rewrite, before training. In 2026 nothing: the teacher only sees it.</details>
# 2. Why do the teacher and the student read the same tokens?
#    <details><summary>Answer</summary>KL compares two predictions of the next token behind the same beginning. The beginning is the student's, so that it learns where it would go by itself.</details>
# 3. Skipping the first three tokens helps on long answers. Why may it harm here?
#    <details><summary>Answer</summary>With a bare label, the first tokens are the label.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 08 -->

# %% [markdown]
# ## Exercises
#
# First three functions. Write the missing lines, run the cell, then the check below it. Then an experiment.
#
# ### Exercise 8.1: a teacher that follows
#
# **Goal:** see how fast the seed fades from a teacher that follows the student. **Level 1 of 3, about 5 minutes.**
#
# After each step the teacher's weights go the part `rate` of the way to the student's (an exponential moving average). `seed_left(rate, steps)` returns the share of the seed's weights that is left in the teacher after so many steps.
#
# <details><summary>Hint 1</summary>One step leaves <code>1 - rate</code> of what was there. <details><summary>Hint 2</summary>So many steps multiply it so many times: a power.</details></details>

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
# `distance(teacher, student, alpha)` takes two lists of probabilities of the same tokens, none of them 0. With `alpha` 0 it returns KL(teacher || student), with 1 KL(student || teacher). Between them it returns the generalised Jensen-Shannon divergence: with the mixture m = alpha * teacher + (1 - alpha) * student, alpha * KL(teacher || m) + (1 - alpha) * KL(student || m).
#
# <details><summary>Hint 1</summary>Write a helper <code>kl(p, q)</code> first (exercise 5.2). <details><summary>Hint 2</summary>Deal with 0 and 1 before you mix: at 0 the formula of the mixture would give 0.</details></details>

# %% tags=["exercise"]
import math


def distance(teacher, student, alpha):
    """KL in one of its directions, or the generalised Jensen-Shannon divergence."""
    ### BEGIN SOLUTION
    def kl(p, q):
        return sum(a * math.log(a / b) for a, b in zip(p, q))

    if alpha == 0:
        return kl(teacher, student)
    if alpha == 1:
        return kl(student, teacher)
    mixture = [alpha * a + (1 - alpha) * b for a, b in zip(teacher, student)]
    return alpha * kl(teacher, mixture) + (1 - alpha) * kl(student, mixture)
    ### END SOLUTION

# %% tags=["check"]
check.exercise_8_3(distance)

# %% [markdown]
# ### Experiment 8.4: predict, run, explain
#
# **Goal:** find out what the teacher's help is made of. **Level 2 of 3, about four minutes of computing.**
#
# 1. **Predict.** Choose one change: `use_rules=True` (one text for all rows in place of each row's answer), `ema=0.05`, `skip=3`, or `alpha=1.0` (the other direction of the KL). Write down whether the student will score higher or lower on the task, and whether more or fewer answers will be clipped.
# 2. **Run.** Set it in the cell of parameters, and run the lesson again. SFT and SDFT of 2024 come from the store.
# 3. **Explain.** Hold the two tables of section 4 and the two figures of section 6 against each other. Does the ceiling of section 2 explain what you see?
#
# <details><summary>What to look for</summary>The rules are the same for every row, so a student can take them in; a row's own label helps with that row alone, unless the student finds the rule behind all labels. A published study found just that: shared rules worked, texts about one row did not (arXiv 2605.11182). But this teacher uses rules badly, see section 2: a low ceiling may undo the advantage. EMA: after few steps the teacher has hardly moved (exercise 8.1). Skip: the label is in the first tokens. Reverse KL: the student may settle on one thing that the teacher would say.</details>

# %% [markdown]
# ## What next
#
# `sdft run --method sdft --method sdft-2026 --method sft` compares the three on your own file. Lesson 09 says how to bring it.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 60 minutes. Start section 4 at the beginning of the class, or fill the store the evening before.
#
# **Begin with the names.** Ask who has read "SDFT" and which one it was. The table of section 1 on the board saves many questions.
#
# **What goes wrong most often:** the ceiling is read as a score of the student. KL is read as "how wrong the answer is": behind a wrong opening it can be near 0. In exercise 8.1 steps are multiplied, not raised to a power; in 8.2 all tokens of the batch go into one mean; in 8.3 the mixture is used at 0 and 1.
#
# **Discussion, "is it the better protection?":** ask for the scores on the task before anybody may answer.
#
# **Expect:** a ceiling well below 1 with the demonstration, answers that are mostly clipped, and a student of 2026 that learns less of the task than SFT. Do not turn this into a verdict on the method: sections 2 and 8 say why.
#
# **Harder:** let groups run the four variants of experiment 8.4, one each, and gather task and facts on one frontier.
