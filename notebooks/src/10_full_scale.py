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
# # 10 Full scale: the same steps with seven billion weights
#
# **You will** compute what fits on which GPU, run the cells of a large run once with the small model, and find out which published differences are larger than chance for so many test items.
#
# This lesson has two parts, and each can be read alone. **What fits** (sections 1 to 3) is about memory, hours and a rehearsal. **Reading a results table** (sections 4 to 6) is about the numbers of the paper and needs no model.
#
# **Before you start:** lessons 02 to 04 explain rewrites, training and intervals. This lesson runs alone and needs no GPU: with the values below it only *plans* the large run, and rehearses it with the small model.
#
# **Time:** about a minute on two CPU cores, 1.5 GB of memory. With `fast=True` the rehearsal has fewer rows.

# %% tags=["parameters"]
fast: bool = False  # True: fewer rows in the rehearsal
model: str = "smollm2-135m"  # the stand-in; on a GPU "llama-2-7b"
hardware: str = "t4"  # t4, a100 or h100: plan for this device
table: int = 1  # 1, 2 or 5: the recipe's table in the paper
recipe_name: str = "llama2-7b-openfunctions"  # in data/recipes/paper
rows: int = 24  # training rows, and items of each test; 0: all
random_seed: int = 42  # as in the paper

# %%
from sdft_lib.paper.recipes import recipes_of

recipe = recipes_of(table, (recipe_name,))[0]
rehearsal = model == "smollm2-135m"
limit = 8 if fast and rehearsal else rows or None
print(f"{recipe.model} on {recipe.dataset}, {recipe.rows} rows")
print(f"here: {model}, {limit or 'all'} rows")

# %% [markdown]
# ## 1. What must fit
#
# The paper trains models with 7 to 13 billion weights (7B, 13B). Before you rent a machine, count. A training step needs memory for four things at once:
#
# | part | bytes |
# |---|---|
# | **frozen weights** | 2 for each weight in 16 bit, about a half in 4 bit |
# | **trained weights** | 16 for each: the weight, its gradient and two running means of the optimizer, 4 bytes each |
# | **activations** | what the forward pass keeps for the backward pass; the more tokens at once, the more |
# | **logits** | the scores of all words of the vocabulary: 14 for each word, at every trained position |
#
# The device itself takes about 1.5 GB more. Here transformers builds the large model as a skeleton: shapes without numbers, which take no memory. So you can count its weights.

# %%
from sdft_lib.scale.hardware import geometry, lora_parameters
from sdft_lib.scale.memory import QUERIES_VALUES, skeleton

big = geometry(recipe.model)
weights = sum(each.numel() for each in skeleton(big).parameters())
adapter = lora_parameters(big, 8, QUERIES_VALUES)

# %%
print(f"{recipe.model}: {weights:,} weights")
print(f"    all frozen, in 16 bit: {2 * weights / 1e9:.1f} GB")
print(f"    all trained: {16 * weights / 1e9:.0f} GB")
print(f"LoRA of rank 8 on queries and values: {adapter:,} weights")
print(f"    trained: {16 * adapter / 1e9:.2f} GB")

# %% [markdown]
# So LoRA does not make the model smaller. It makes the *optimizer* small, because few weights are trained. The frozen weights and the activations remain, and there is a remedy for each. **4-bit weights** (QLoRA) shrink the frozen weights. **Checkpointing** shrinks the activations: it keeps one vector for each layer and token, and computes the rest a second time.

# %%
from sdft_lib.lessons.figures import lesson_10 as figures
from sdft_lib.lessons.figures.style import show
from sdft_lib.scale.memory import training_table

ROWS, LENGTH = 8, 1024  # a batch of the paper's longest rows
TOKENS = ROWS * LENGTH
ways = training_table(
    recipe.model, tokens=TOKENS, targets=TOKENS // 2
)
show(figures.memory_parts(ways, recipe.model))

# %% [markdown]
# Compare the bars with the dashed lines. Leave a tenth of each device free, because the sums are estimates. If one batch does not fit, send it through the model in **parts**, and change the weights after the last part: the same step, only slower. If all weights are trained, spread them over several devices.
#
# **Question.** Your rows are a quarter as long. Which parts shrink? Does LoRA without checkpointing then fit on a T4?
# <details><summary>One answer</summary>Activations and logits shrink to a quarter. The frozen weights stay, and they alone nearly fill a T4. Shorter rows do not help against large weights. 4 bits do.</details>
#
# With widgets, the next cell lets you change the length of the rows and the model. Without them, change `ROWS` and `LENGTH` above.

# %%
from sdft_lib.lessons.widgets.base import widgets_enabled
from sdft_lib.lessons.widgets.lesson_10 import (
    memory_explorer,
    published_explorer,
)

explorer = memory_explorer() if widgets_enabled() else None
explorer

# %% [markdown]
# Rewriting and evaluating train nothing. They need memory for the **cache** of keys and values: 2 bytes for each number, in every layer, for every token of every row that is being written. The cache limits how many rows are written at once, and this decides the speed.

# %%
from sdft_lib.scale.memory import answering_table

answering_table(recipe.model, tokens=LENGTH).round(2)

# %% [markdown]
# `weights` and `cache` (of one row) are in GB. `rows` is how many rows fit at once: half of the free memory is left for other needs of a step, and this library stops at about 40,000 tokens a batch. In some newer models, such as Llama-3-8B, four heads share one head of keys and values. They need a quarter of the cache (exercise 10.2).

# %% [markdown]
# ## 2. How long it takes
#
# You can count time, too. For each weight and token a forward pass takes 2 operations. The way back through the activations takes 2 more. The gradients of trained weights take 2 (LoRA has so few that you can leave them out). Checkpointing takes 2 for its second forward pass. Divide by the operations that the device does in a second. Real runs reach only a **share** of these, a tenth to a half, so divide by this share, too.

# %%
from sdft_lib.paper.plan import plan
from sdft_lib.scale.memory import plan_table

steps = plan(table, [recipe])
by_device = {}
for device in ("t4", "a100", "h100"):
    by_device[device] = plan_table(steps, device)
show(figures.plan_hours(by_device))

# %%
by_device[hardware].drop(columns="recipe").round(2)

# %% [markdown]
# Each line is one step of section 3. `written` is in million tokens: those that are written, or those that are trained on over all epochs. `low` and `high` are hours, `memory` is in GB. `way` is the fastest way to train that fits, `parts` the number of parts of a batch. `sdft reproduce --table 1 --dry-run` prints the plan of all recipes of a table.
#
# How good are these estimates? `data/hardware` has every number with its source. The shares of the A100 come from public measurements of other models. For a T4 and an H100 we found no measurement that we could use, so their shares are guesses with a wide range. The true time may be half of such an estimate, or twice it. **We did not run any of it**: we had no GPU.
#
# | You want to | Take | Because |
# |---|---|---|
# | try the steps | no GPU | section 3 |
# | run one recipe of the paper once | one device with 80 GB, for an hour or two | everything fits in 16 bit |
# | do this on a free Colab session | a T4 with 4-bit weights | it fits; it takes most of a day, so the session may end before it, and you continue later |
# | train all weights of a 7B | two devices with 80 GB or more | the optimizer alone takes over 100 GB |
#
# Two things are cheap and help more than a faster card: a **pilot**, which is the large model on a hundred rows, and more **test items** (section 5).
#
# **Question.** With 4-bit weights a 7B can be trained on a T4. What else do they change?
# <details><summary>One answer</summary>The model. Now the seed is the 4-bit model. Its answers, its rewrites and its scores differ from those of the 16-bit model. Compare SFT and SDFT from the same seed, and say which seed it was.</details>

# %% [markdown]
# ## 3. Rehearse: the four steps with the small model
#
# A large run fails in hour three because the disk is full, the test file lacks a column, or the answers were cut at 40 tokens. A small model shows all of that, too. So first run the *same cells* on a few rows with a small model in place of the large one, a **stand-in**. Only the next cell depends on which model it is.

# %%
from sdft_lib.data import load_task, task_suite
from sdft_lib.distill import GREEDY, distill
from sdft_lib.paper.recipes import load_wording
from sdft_lib.paper.suites import text_suite
from sdft_lib.settings import lesson_settings
from sdft_lib.templates import load_template

if rehearsal:  # references of the same form as OpenFunctions
    task, template = load_task("calls"), load_template("opening")
    decoding, config = GREEDY, lesson_settings(fast=True).training
    test = task_suite(task, limit=limit)
else:
    task = load_task(recipe.dataset)
    template = load_wording().template(recipe.dataset)
    decoding, config = recipe.decoding_of(), recipe.config()
    test = text_suite(recipe.dataset, limit)
print(f"train on {task.name}, measure on {test.name}:")
print(f"{len(test.rows)} items of up to {test.max_new_tokens} tokens")

# %% [markdown]
# The stand-in gets this tutorial's learning rate and template, a 7B those of the recipe. The test items are loaded *now*, so that a missing file stops you before the training and not after it. The plan for your `hardware` decides how to train:

# %%
from dataclasses import replace

from sdft_lib.models import load_seed, with_adapter

chosen = by_device[hardware].query("step == 'train'").iloc[-1]
way = chosen["way"]
fits = way != "does not fit"
parts = int(chosen["parts"]) if fits else 1
how = {"checkpointing": "checkpointing" in way, "parts": parts}
config = replace(config, seed=random_seed, **how)
print(f"{hardware}: {way}; parts of a batch: {parts}")
if not fits:
    print("Choose other hardware.")

# %%
four_bit = "4-bit" in way and not rehearsal
seed = load_seed(model, four_bit=four_bit)

# %% [markdown]
# ### Step 1: rewrite

# %%
d = distill(seed, task, template, decoding=decoding, limit=limit)

# %% [markdown]
# ### Step 2: look before you pay
#
# The training after this step is the expensive part. Look at five things before you continue: the reasons, a few texts, the gap, one row as the model sees it, and the lengths.

# %%
for reason, count in d.report["reasons"].items():
    if count:
        print(f"{reason}: {count}")
for row in d.rows[:2]:
    print("\nreference:", row["reference"])
    print("trained:  ", row["text"][:200])
    print(f"           ({row['source']}, {row['reason']})")

# %%
from sdft_lib.chat import inspect, render
from sdft_lib.gap import gap

found = gap(seed, d).interval
print("references minus training text, nats a token:")
print(f"{found.low:+.2f} to {found.high:+.2f}, {found.n} rows\n")
row = d.rows[0]
print(inspect(row["messages"], seed.tokenizer, row["text"])[:600])

# %%
lengths = []
for row in d.rows:
    text = render(row["messages"], seed.tokenizer, row["text"])
    lengths.append(len(text.ids))
mean = sum(lengths) / len(lengths)
print(f"tokens: {min(lengths)} to {max(lengths)}, mean {mean:.0f}")
print("room for", seed.model.config.max_position_embeddings)

# %% [markdown]
# Compare the mean length with the one that the plan assumes (`data/hardware/lengths.toml`): twice the length takes twice the time. In the row, look for exactly *one* start token, and for an end of turn after the answer. Older code for some families of models writes the first twice or leaves out the second.
#
# **Question.** The rehearsal says that many rewrites were `cut`, and that the rewrites surprise the seed no less than the references. Do you continue?
# <details><summary>One answer</summary>With the rehearsal, yes: its task only stands in for the large one. Before the large run, no. <code>cut</code> says that the rewrites need more tokens than they may have; the recipe allows 512. And without a gap SDFT has little to close (SFT may forget all the same: lesson 05, section 9). So measure both with the <em>large</em> model on <em>its</em> rows before you pay for two trainings.</details>
#
# ### Step 3: train, twice

# %%
from sdft_lib.train import fine_tune

tuned = {}
for name, column in (("sft", "reference"), ("sdft", "text")):
    tuned[name] = fine_tune(
        seed, d.rows, config, column=column, label=name
    )

# %% [markdown]
# How long would the *large* training take on this machine? Twice the weights take twice the time, and so do twice the tokens.

# %%
record = tuned["sdft"].record
here = sum(each.numel() for each in seed.model.parameters())
large = [step for step in steps if step.step == "train"][-1]
tokens = large.read + large.written
times = weights / here * tokens / record["tokens"]
days = times * record["seconds"] / 86400
print(f"{times:,.0f} times the work: {days:,.0f} days")

# %% [markdown]
# That is what a GPU is for. (A short training needs much of its time for the start, so the estimate is a little high.)
#
# ### Step 4: evaluate

# %%
import pandas

from sdft_lib.data import load_probes
from sdft_lib.evaluate import cut, evaluate
from sdft_lib.stats import summarise

suites = [test, cut(load_probes("facts"), limit)]
frames = [evaluate(seed, suites, method="seed")]
for name, run in tuned.items():
    trained = with_adapter(seed, run.adapter, label=name)
    frames.append(evaluate(trained, suites, method=name))
summary = summarise(pandas.concat(frames, ignore_index=True))
summary.round(2)

# %% [markdown]
# Do not read the scores: a rehearsal has a few rows and a few steps. Ask two other questions. Does every model have scores on all items? Are the intervals wide, as they must be for so few items?
#
# **Question.** Which mistakes of the large run can a rehearsal *not* find?
# <details><summary>One answer</summary>Too little memory, number formats that overflow, special features of the large model's chat template, its keep rate, and its speed. For these you need a pilot: the large model on the rented machine, with a hundred rows, before the whole run.</details>
#
# ### With the large model
#
# On a machine with a GPU, change `model`, `hardware` and `rows` above, or let one command do all steps with the recipe's settings:
#
# ```
# sdft reproduce --table 1 --recipe llama2-7b-openfunctions
# ```
#
# On a T4 add `--four-bit --gradient-checkpointing`. After a stop it continues where it was. The page [At full scale](../ci/book/full_scale.md) has each step as a command, several GPUs, and faster engines. We ran all this on CPUs only: [what was run and what was not](../ci/book/untested.md).
#
# Llama 2 and Llama 3 are **gated**: accept the licence on their page and log in once (`hf auth login`). Most of the paper's data comes from the same hub. `sdft data check openfunctions` shows what you got.

# %% [markdown]
# ## 4. Read a results table
#
# Here the second part begins. It is about results that others have published. `data/published` has the figures of the paper's Tables 1, 2 and 5, and what its author and its users posted later, each with its source. We read the paper's figures off images of its tables. Tables 3 and 4 and the curves are missing, because we could not check any copy of their numbers.
#
# Each number is a share of `n` items. So it has an interval, even if the paper prints none. First Table 1, for the model that was trained on OpenFunctions:

# %%
from sdft_lib.scale.published import load_published

first = load_published(table=1)
show(figures.published_scores(first, "openfunctions"))

# %% [markdown]
# If you ran a large model above, the next cell draws your scores beside the published ones.

# %%
if not rehearsal:
    names = {"suite": "evaluation", "mean": "share"}
    ours = summary.rename(columns=names).to_dict("records")
    beside = {"model": recipe.model, "ours": ours}
    there = load_published(table=table)
    show(figures.published_scores(there, recipe.dataset, **beside))

# %% [markdown]
# **Question.** The model was trained on OpenFunctions. Tested on OpenFunctions, has SDFT learnt the task better than SFT?
# <details><summary>One answer</summary>The figure cannot say: the two intervals are nearly the same. Turn the two scores into numbers of right items. They differ by two items of 112.</details>
#
# If two intervals overlap, there may still be a difference. So look at the difference itself, as in lesson 04: its interval, a test, and Holm's correction. One thing is worse than in lesson 04. The answers were not published, so you cannot compare item by item. You must calculate as if the two models had answered different items.

# %%
from sdft_lib.scale.published import sdft_minus_sft

show(figures.published_differences(sdft_minus_sft(first)))

# %% [markdown]
# **Question.** Table 2 of the paper asks the same models 520 harmful questions, plain (`advbench`) and with a text behind them that shall break the refusal (`advbench-jailbreak`), and 805 open questions (`alpaca_eval`). Again there are nine differences. How many of them are larger than chance? Write down a number before you go on.

# %%
second = load_published(table=2)
show(figures.published_differences(sdft_minus_sft(second)))

# %% [markdown]
# <details><summary>Why are there more of them?</summary>The tests have more items, so the intervals are shorter. And some differences are larger: what Table 2 asks was never trained, and there SFT loses most. In <code>advbench</code> nearly everything is refused, so little can differ.</details>
#
# With widgets, the next cell lets you choose the table and the training set.

# %%
explorer = published_explorer() if widgets_enabled() else None
explorer

# %% [markdown]
# Now take all 36 differences of Tables 1, 2 and 5, with one correction for all. `shown` counts those that are larger than chance.

# %%
from sdft_lib.scale.power import with_power

every = with_power(sdft_minus_sft(load_published(source="paper")))
groups = every.groupby(["evaluation", "n_items"], sort=False)
groups["shown"].agg(differences="size", shown="sum").reset_index()

# %%
code = {"magicoder": "humaneval"}  # trained on one, tested on the other
tested_by = every["training_set"].replace(code)
trained = tested_by == every["evaluation"]
for name, part in every.groupby(trained, sort=False):
    which = "the task that was trained" if name else "other tests"
    print(f"{which}: {part['shown'].sum()} of {len(part)} are shown")

# %% [markdown]
# How do you report this good paper in one paragraph? Its numbers of items *support* that SDFT forgets less than SFT: on refusals under a jailbreak, on open answers (as a judge saw them), and once on school maths after another training. They do *not* support that SDFT learns the task itself better, nor that it learns it worse. "Not supported" does not mean "false": a true difference of a few points would look the same.
#
# **Question.** Before Holm's correction, several more of these differences have p under 0.05. Why not count them?
# <details><summary>One answer</summary>Take 36 comparisons without any true difference. About two of them have p under 0.05 by luck. The correction asks more of each. A difference that fails it is a guess, and it needs new items.</details>

# %% [markdown]
# ## 5. Predict, run, explain: how many items do you need?
#
# Two models differ by five points: SFT is right on 35 % of all possible items, SDFT on 40 %. Somebody tests them on 112 items, as in Table 1, and asks whether the difference is larger than chance.
#
# **Predict.** Suppose that this is repeated 1,000 times, each time with new items. How many of the repeats will show the difference? Write your guess into the next cell.

# %%
my_guess = 500  # of 1,000 repeats, with 112 items

# %%
import numpy

rng = numpy.random.default_rng(random_seed)
for n in (112, 1319):
    sft, sdft = rng.binomial(n, [[0.35], [0.40]], (2, 1000)) / n
    mean = (sft + sdft) / 2
    needed = 1.96 * (2 * mean * (1 - mean) / n) ** 0.5
    seen = (abs(sdft - sft) > needed).sum()
    told = f"you guessed {my_guess}, " if n == 112 else ""
    print(f"{n} items: {told}found {seen} of 1,000")

# %% [markdown]
# **Explain.** The true difference was the same in every repeat. Why do so many of them miss it?
#
# <details><summary>What to look for</summary>With 112 items the luck of the items moves each score by about nine points to either side (1.96 standard errors). Five points are lost in it. With 1,319 items the luck is about a third as large. So "no difference is shown" on 112 items says little about five points.</details>
#
# The share of repeats that show a true difference is called the **power** of a test. People often ask for a power of four fifths. The lines of the next figure say which true difference `n` items show in four runs of five, for a model that scores near 50 % (solid) or near 5 % (dashed). Each mark is a published difference.

# %%
show(figures.items_and_differences(every))

# %% [markdown]
# A filled mark is above the line for its own score. (Section 4 asked for less, so it counted one more.) A hollow mark does not mean "no effect": an experiment of that size would often miss an effect of that size.
#
# So plan the items *before* the experiment. How many do you need for five points, if SFT scores 35 %?

# %%
from sdft_lib.scale.power import (
    detectable,
    items_needed,
    items_needed_paired,
)

for n in (112, 1319):
    print(f"{n} items show {100 * detectable(0.35, n):.1f} points")
print(f"five points, two scores: {items_needed(0.35, 0.40)} items")
for differ in (0.30, 0.10):
    n = items_needed_paired(0.05, differ)
    print(f"five points, item by item, {differ:.0%} differ: {n} items")

# %% [markdown]
# In the last two lines the answers of both models are known item by item. Two models from one seed agree on most items, and these items bring no luck into the difference. So you need fewer. This is why you should **keep one row for each item**, as `evaluate` does, and publish it.
#
# **Question.** Somebody computes the power *afterwards*, with the difference that was found, and reports it as "the power of the study". What is wrong with that?
# <details><summary>One answer</summary>It says the same as the p-value: a difference just at the limit always gives one half. Plan with a difference that <em>matters</em> to you, and choose it before the run.</details>

# %% [markdown]
# ## 6. The same run twice
#
# Intervals over items answer one question: what if other items had been drawn? They do not cover another environment, another draw of the answers or another training. The next table has three reports of the seed model, which nobody trained. So the scores of a row should be the same.

# %%
published = load_published()
seeds = published[published["method"] == "seed"]
seeds = seeds[(seeds["model"] == "llama-2-7b") & seeds["k"].notna()]
runs = seeds[seeds["table"].isna() | seeds["table"].isin([1, 2])]
again = runs.pivot_table(
    index="evaluation", columns="source", values="value", sort=False
)
again.columns = [name.split(" (")[0] for name in again.columns]
own = runs[runs["table"].notna()].set_index("evaluation")
again.join(own[["low", "high"]], how="inner").round(1)

# %% [markdown]
# `low` and `high` are the limits of the paper's interval. (NaN: not reported, or reported with half marks, which have no interval.) Three values lie outside: both on `advbench-jailbreak`, and the user's on `openfunctions`. All reports used the *same* items, so this is not the luck of the items. Two other things differed: the answers were *sampled* at a temperature, and the environment was another one. More items do not help against that.
#
# The settings matter, too. The author also ran both methods with a larger adapter, of rank 64:

# %%
source = "author's rerun, rank 64"
larger = sdft_minus_sft(load_published(source=source))
columns = ["training_set", "evaluation", "n_items", "difference"]
larger[[*columns, "low", "high", "shown"]].round(2)

# %% [markdown]
# On the trained task (`gsm8k`) SFT now scores higher; in Table 1 it was SDFT. Neither difference is larger than chance. So the effect of SDFT on the task itself may depend on a setting, and a table with one setting cannot say.
#
# **Question.** You can pay for one more experiment: 1,319 more items for one run, or five training seeds on the items that you have. Which do you take, and for which claim?
# <details><summary>One answer</summary>For "on such items, these two models differ": items. For "the <em>method</em> is better": seeds, because every reader will train again. Lesson 05 takes the mean over seeds. With five seeds or more it gives an interval over them.</details>

# %% [markdown]
# ## 7. Before you spend money
#
# 1. **Write down the claim**, the difference that would matter, and the items and seeds that you need for it (section 5). If you need more than you have, change the claim.
# 2. **Rehearse** with the stand-in on the machine that you will use (section 3).
# 3. **Pilot** with the large model on a hundred rows: keep rate, lengths, tokens a second, peak memory. Correct the plan.
# 4. **Run the seed's evaluation first.** If it is not near the published seed, stop: template, decoding or data are not what you think.
# 5. **Then** rewrite, look, train, evaluate. Keep a row for every item.
# 6. **Report** n, intervals, seeds, what you tried and did not use, and what it cost.
#
# The settings in `data/recipes/paper` are the paper's, the wording of the prompts is ours. So your run tests the *finding*. It is no exact copy of the paper's run. `data/recipes/paper/README.md` says where you find the paper's own wording, and `--rules paper` scores by the paper's own rules.

# %% [markdown]
# ## Summary
#
# - You can compute memory by hand: frozen weights, 16 bytes for each trained weight, activations, logits, cache.
# - LoRA shrinks the optimizer, 4 bits the weights, checkpointing and parts the activations. Training all weights of a 7B takes more than 100 GB.
# - A rehearsal with a stand-in finds many mistakes and costs nothing. A pilot finds others and costs little.
# - A published score is a share of n items. On 112 items, differences under about ten points can hardly be told from chance. The paper's tables support "forgets less". They do not support "learns better".
# - There are three kinds of luck: items, environment and training seed. An interval over items covers one of them.
#
# ## Check yourself
#
# 1. Why does LoRA on a 7B still not fit a 16 GB card?
#    <details><summary>Answer</summary>The frozen weights stay in memory. With two bytes each they take more than 13 GB, without any activation.</details>
# 2. A paper reports a gain of two points on a hundred items. What do you ask for?
#    <details><summary>Answer</summary>The answers of both models item by item, more items, and more training seeds.</details>
# 3. A rehearsal ran to its end. What is still unknown?
#    <details><summary>Answer</summary>Memory, speed, the large model's template and its keep rate. A pilot shows them.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 10 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 10.1: does it fit?
#
# **Goal:** do the sum of section 1 by yourself. **Level 1 of 3, about 5 minutes.**
#
# `training_gb(frozen, bits, trained, activations)` returns GB of 1e9 bytes. `frozen` and `trained` are numbers of weights. `bits` is how many bits a frozen weight has (16 or 4). `activations` is in bytes. The device itself takes 1.5 GB.
#
# <details><summary>Hint 1</summary>A frozen weight takes <code>bits / 8</code> bytes, a trained one 16. <details><summary>Hint 2</summary><code>(bits / 8 * frozen + 16 * trained + activations) / 1e9 + 1.5</code></details></details>


# %% tags=["exercise"]
def training_gb(frozen, bits, trained, activations):
    """GB of memory at the peak of a training step."""
    ### BEGIN SOLUTION
    return (bits / 8 * frozen + 16 * trained + activations) / 1e9 + 1.5
    ### END SOLUTION


# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_10 as check

check.exercise_10_1(training_gb)

# %% [markdown]
# ### Exercise 10.2: how many rows at once?
#
# **Goal:** see why heads that share keys and values are faster. **Level 2 of 3, about 10 minutes.**
#
# A row of `tokens` tokens needs memory for its keys and values. `rows_at_once(free_gb, layers, kv_heads, head_size, tokens)` returns how many whole rows fit into `free_gb` (GB of 1e9 bytes). Each number takes 2 bytes.
#
# <details><summary>Hint 1</summary>In every layer a token leaves a key <em>and</em> a value, each <code>kv_heads * head_size</code> numbers long. <details><summary>Hint 2</summary><code>2 * 2 * layers * kv_heads * head_size * tokens</code> bytes a row; <code>int(a // b)</code> counts whole ones.</details></details>


# %% tags=["exercise"]
def rows_at_once(free_gb, layers, kv_heads, head_size, tokens):
    """Whole rows whose keys and values fit."""
    ### BEGIN SOLUTION
    row = 2 * 2 * layers * kv_heads * head_size * tokens
    return int(free_gb * 1e9 // row)
    ### END SOLUTION


# %% tags=["check"]
check.exercise_10_2(rows_at_once)

# %% [markdown]
# ### Exercise 10.3: how many hours?
#
# **Goal:** give a range, not a number. **Level 1 of 3, about 10 minutes.**
#
# LoRA without checkpointing takes 4 operations for each weight and token. The device does `flops` operations a second, and a run reaches a share of these between `low` and `high`. `hours(weights, tokens, flops, shares)` with `shares = (low, high)` returns `(few, many)`: the hours at the high share and at the low share.
#
# <details><summary>Hint 1</summary>Seconds are operations divided by <code>flops * share</code>. <details><summary>Hint 2</summary>The <em>high</em> share gives the <em>few</em> hours: unpack <code>low, high = shares</code> and return the high one first.</details></details>


# %% tags=["exercise"]
def hours(weights, tokens, flops, shares):
    """(few, many) hours of a training with LoRA."""
    ### BEGIN SOLUTION
    low, high = shares
    at_peak = 4 * weights * tokens / flops / 3600
    return at_peak / high, at_peak / low
    ### END SOLUTION


# %% tags=["check"]
check.exercise_10_3(hours)

# %% [markdown]
# ### Exercise 10.4: items for a difference
#
# **Goal:** plan a test before you run it. **Level 2 of 3, about 10 minutes.**
#
# Two models both score near the share `p`. On `n` items their difference has the standard error $\sqrt{2p(1-p)/n}$. `items_for(p, difference)` returns the fewest items for which 1.96 standard errors are at most `difference`. It never returns less than 1.
#
# <details><summary>Hint 1</summary>Set 1.96 times the standard error equal to the difference, square both sides, and solve for n. <details><summary>Hint 2</summary><code>math.ceil(1.96**2 * 2 * p * (1 - p) / difference**2)</code>, and <code>max(1, ...)</code> around it.</details></details>

# %% tags=["exercise"]
import math


def items_for(p, difference):
    """Items for 1.96 standard errors of at most the difference."""
    ### BEGIN SOLUTION
    return max(1, math.ceil(1.96**2 * 2 * p * (1 - p) / difference**2))
    ### END SOLUTION


# %% tags=["check"]
check.exercise_10_4(items_for)

# %% [markdown]
# ## Wrap-up quiz: the whole tutorial
#
# Two of the questions ask you to compute something: open a new cell for them. Answers are ranges.
#
# <!-- quiz: wrap-up-10 -->

# %% [markdown]
# ## What next
#
# Set `hardware = "a100"`, then `recipe_name = "llama2-7b-gsm8k-full"` with `table = 5`, and read section 2 again. If you have a GPU, `rows = 100` with the large model is the pilot of section 7. If you run one of the paper's recipes, publish one row for each item: we found no one who did.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 60 minutes without a GPU. Sections 1 and 4 matter most; section 3 runs meanwhile. If you have 30 minutes, take sections 4 to 6 alone: they need no model. Collect the guesses of section 5 before you run it.
#
# **What goes wrong most often:** "LoRA makes the model smaller". Ask where the 13 GB are in the first bar. Students confuse GB and GiB: a "16 GB" card has 15.8e9 bytes, and some tools call that 14.7. In exercise 10.2 they forget the factor for keys *and* values, in 10.3 they swap the shares, in 10.4 they forget the 2 of two models.
#
# **Discussion, "the paper is wrong then?"** No. Separate three sentences: the difference is there; the data show it; the data rule it out. For learning the task, the published tables support none of the three. For forgetting they support the second.
#
# **Expect:** the sums and the published tables are the same on every machine. In the rehearsal half of the rewrites or more are kept, and most others are cut. The gap is near 0, because the prompts of `calls` nearly hold the answer. The scores show nothing. A laptop would need days to months for the large training.
#
# **Harder:** let them find the smallest device for a model of their choice from its `config.json` alone, and add it to `data/hardware/models.toml`.
