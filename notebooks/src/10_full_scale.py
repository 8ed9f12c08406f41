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
# **You will** work out what fits on which GPU, rehearse on the small model the very cells that run a 7B, see what it takes to run the paper's tables again, and find out which of their differences are larger than chance for that many test items.
#
# **Before you start:** lessons 02 to 04 explain rewrites, training and intervals. This lesson runs alone and needs no GPU: with the values below it only *plans* the large run, and rehearses it in small.
#
# **Time:** about a minute on two CPU cores, 1.5 GB of memory; the measured times of your machine are in `build/report.html`. With `fast=True` the rehearsal takes fewer rows; the plan and the published tables stay whole.

# %% tags=["parameters"]
fast: bool = False  # True: fewer rows in the rehearsal
model: str = "smollm2-135m"  # the stand-in; on a GPU "llama-2-7b" or another name of `sdft models`
hardware: str = "t4"  # t4, a100 or h100: the device that the plan is made for
table: int = 1  # 1, 2 or 5: the table of the paper that the recipe belongs to
recipe_name: str = "llama2-7b-openfunctions"  # a file of data/recipes/paper
rows: int = 24  # training rows, and items of each test; 0: all of them
random_seed: int = 42  # order of the rows and first weights of the adapter; 42 is the paper's

# %%
from sdft_lib.paper.recipes import recipes_of

recipe = recipes_of(table, (recipe_name,))[0]
rehearsal = model == "smollm2-135m"
limit = 8 if fast and rehearsal else rows or None
print(f"{recipe.model} on {recipe.dataset}, {recipe.rows} rows; here: {model}, {limit or 'all'} rows")

# %% [markdown]
# ## 1. What must fit
#
# The paper trains models of 7 to 13 billion weights. Before you rent a machine, count. Four things want memory at once:
#
# | part | bytes |
# |---|---|
# | **frozen weights** | 2 for each weight in 16 bit, about a half in 4 bit |
# | **trained weights** | 16 for each: the weight, its gradient and two running means of the optimizer, 4 bytes each |
# | **activations** | what the forward pass keeps for the backward pass; grows with the tokens that go through at once |
# | **logits** | 14 for each word of the vocabulary, at every position that is trained on |
#
# On top comes about 1.5 GB for the device itself. The number of weights follows from the shape of the model alone. Here transformers builds the large model as a skeleton: shapes without numbers, which take no memory.

# %%
from sdft_lib.scale.hardware import geometry, lora_parameters, parameters
from sdft_lib.scale.memory import QUERIES_VALUES, skeleton

big = geometry(recipe.model)
counted = sum(weights.numel() for weights in skeleton(big).parameters())
print(f"{recipe.model}: {counted:,} weights in the skeleton, {parameters(big):,} by the formula")

# %%
adapter = lora_parameters(big, 8, QUERIES_VALUES)
print(f"all weights in 16 bit: {2 * counted / 1e9:.1f} GB")
print(f"LoRA of rank 8 on queries and values: {adapter:,} trained weights, {16 * adapter / 1e9:.2f} GB")
print(f"all weights trained: {16 * counted / 1e9:.0f} GB")

# %% [markdown]
# So LoRA does not make the model smaller. It makes the *optimizer* small: of the 16 bytes for every weight, next to nothing is left. What remains are the frozen weights and the activations, and there is a remedy for each: **4-bit weights** (QLoRA) for the first, **checkpointing** for the second, which keeps one vector a layer and computes the rest a second time.

# %%
from sdft_lib.lessons.figures import lesson_10 as figures
from sdft_lib.lessons.figures.style import show
from sdft_lib.scale.memory import training_table

ROWS, LENGTH = 8, 1024  # a batch of the recipe, at the longest row that the paper's code lets through
ways = training_table(recipe.model, tokens=ROWS * LENGTH, targets=ROWS * LENGTH // 2)
show(figures.memory_parts(ways, recipe.model))

# %%
ways.drop(columns="device").round(1)

# %% [markdown]
# Read the bars against the dashed lines, and leave a tenth of each device free: the sums are estimates. A T4 says "no" to LoRA of a 7B on 16-bit weights: frozen as they are, they leave it hardly anything.
#
# **Question.** Your rows are a quarter as long. Which parts shrink, and does LoRA without checkpointing then fit on a T4?
# <details><summary>One answer</summary>Activations and logits, to a quarter. The frozen weights stay, and with them alone a T4 is nearly full. Where weights are the trouble, shorter rows do not help; 4 bits do.</details>

# %%
from sdft_lib.lessons.widgets.base import widgets_enabled
from sdft_lib.lessons.widgets.lesson_10 import memory_explorer, published_explorer

explorer = memory_explorer() if widgets_enabled() else None
explorer

# %% [markdown]
# (With widgets you can move the length of the rows and take another model. Without them, change `ROWS` and `LENGTH` above.)
#
# Where not even one batch fits, let it go through the model in **parts** and take the step after the last: the same step, more slowly. And where all weights are to be trained, spread them over several devices.
#
# ### Writing answers
#
# Rewriting and evaluating train nothing. There the memory goes to the **cache** of keys and values: 2 bytes for each, in every layer, for every token of every row that is being written. It decides how many rows are written at once, and that decides the speed.

# %%
from sdft_lib.scale.memory import answering_table

answering_table(recipe.model, tokens=LENGTH).round(2)

# %% [markdown]
# `rows` leaves half of the free memory unused, for what comes and goes while a step is computed, and stays under this library's limit for a batch, about 40,000 tokens.
#
# **Question.** Llama-3-8B has more weights than Llama-2-7b, but its row in `answering_table("llama-3-8b", tokens=1024)` needs a quarter of the cache. Why?
# <details><summary>One answer</summary>Its 32 heads share 8 heads of keys and values. Only the latter are cached. Exercise 10.2 counts it.</details>

# %% [markdown]
# ## 2. How long it takes
#
# Time is counted like memory. A forward pass multiplies each token with each weight: 2 operations. Going back through the activations takes 2 more, the gradients of trained weights 2 (LoRA's are few enough to leave out), and checkpointing 2 for the second forward pass. Divide by what the device computes in a second, and by the **share** of that which real runs reach: a tenth to a half.

# %%
from sdft_lib.paper.plan import plan
from sdft_lib.scale.memory import plan_table

steps = plan(table, [recipe])
by_device = {device: plan_table(steps, device) for device in ("t4", "a100", "h100")}
show(figures.plan_hours(by_device))

# %%
by_device[hardware].drop(columns="recipe").round(2)

# %% [markdown]
# One step of this table is one command later on. `written` counts million tokens: new ones, or those trained on over all epochs. `way` is the fastest way to train that fits, and `parts` the parts of a batch.
#
# All recipes of the table together, as `sdft reproduce --table 1 --dry-run` prints them, in device hours:

# %%
from sdft_lib.paper.plan import total
from sdft_lib.scale.hardware import devices

whole = plan(table, recipes_of(table))
for card in devices():
    cost = total(whole, card.key)
    said = f"{cost.hours[0]:.1f} to {cost.hours[1]:.1f} hours" if cost else "does not hold every step"
    print(f"{card.name:<22} {said:<26} trust {card.trust.split(':')[0]}")

# %% [markdown]
# How far can you believe this? `data/hardware` holds every number with its source. The shares of the A100 come from public measurements of other models. For a T4 and an H100 we found none that tells its tokens, so their shares are guesses with a wide range. An estimate of this kind is good to a factor of two at best. **None of it was run by us**: no GPU was at hand.
#
# ### Choosing
#
# | You want to | Take | Because |
# |---|---|---|
# | try the steps | no GPU | section 3 |
# | one recipe of the paper, once | one device with 80 GB, for an hour or two | everything fits in 16 bit, nothing is traded away |
# | the same on a free Colab session | a T4 with 4-bit weights | it fits; it takes most of a day, so count on being cut off and going on |
# | all weights of a 7B | two devices with 80 GB or more | the optimizer alone is over 100 GB |
# | five training seeds | the cheaper hour, not the faster card | runs do not depend on each other: they can go side by side |
#
# Two things are cheap and worth more than a faster card: a **pilot** on a hundred rows that measures your own tokens a second, and more **test items** (section 5).
#
# **Question.** 4-bit weights let a 7B train on a T4. What do they change besides the memory?
# <details><summary>One answer</summary>The model. The seed is now the 4-bit model: its answers, its rewrites and its scores are not those of the 16-bit one. Compare SFT and SDFT from the same seed, and say which it was.</details>

# %% [markdown]
# ## 3. Rehearse: the four steps in small
#
# A run on a large model seldom fails in its mathematics. It fails in hour three because the disk is full, the test file lacks a column, or the answers were cut at 40 tokens. All of that shows on a small model too. So the *same cells* run first with a stand-in, on a few rows; the next cell is the only one that knows which of the two it is.

# %%
from sdft_lib.data import load_task, task_suite
from sdft_lib.distill import GREEDY, distill
from sdft_lib.paper.recipes import load_wording
from sdft_lib.paper.suites import text_suite
from sdft_lib.settings import lesson_settings
from sdft_lib.templates import load_template

if rehearsal:  # calls: made-up functions, but references of the same form as OpenFunctions
    task, template, decoding = load_task("calls"), load_template("opening"), GREEDY
    config, test = lesson_settings(fast=True).training, task_suite(task, limit=limit)
else:
    task, template, decoding = load_task(recipe.dataset), load_wording().template(recipe.dataset), recipe.decoding_of()
    config, test = recipe.config(), text_suite(recipe.dataset, limit)
print(f"train on {task.name}, measure on {test.name}: {len(test.rows)} items, answers of up to {test.max_new_tokens} tokens")

# %% [markdown]
# The stand-in learns at this tutorial's learning rate and answers to this tutorial's template; a 7B gets the recipe's. The test items are loaded *now*: a missing file should stop you before the training, not after it. (Where a training set has no test that a program can score by reading, school maths stands for what is kept; `sdft answer` and `sdft judge` do the rest.) How to train follows from the plan for your `hardware`:

# %%
from dataclasses import replace

from sdft_lib.models import load_seed, with_adapter

chosen = by_device[hardware].query("step == 'train'").iloc[-1]
four_bit = "4-bit" in chosen["way"] and not rehearsal  # bits of a stand-in change nothing
fits = chosen["way"] != "does not fit"
parts = int(chosen["parts"]) if fits else 1
config = replace(config, seed=random_seed, checkpointing="checkpointing" in chosen["way"], parts=parts)
print(f"{hardware}: {chosen['way']}" + (f", a batch in {config.parts} part(s)" if fits else "; choose other hardware"))
seed = load_seed(model, four_bit=four_bit)

# %% [markdown]
# ### Step 1: rewrite

# %%
d = distill(seed, task, template, decoding=decoding, limit=limit)

# %% [markdown]
# ### Step 2: look, while looking is cheap
#
# After rewriting comes the dear part. Five looks decide whether to go on: reasons, a few texts, the gap, a row as the model sees it, and lengths.

# %%
print({reason: count for reason, count in d.report["reasons"].items() if count})
for row in d.rows[:2]:
    print(f"\nreference: {row['reference']}\ntrained:   {row['text'][:200]}  ({row['source']}, {row['reason']})")

# %%
from sdft_lib.chat import inspect, render
from sdft_lib.gap import gap

found = gap(seed, d).interval
print(f"references minus training text: {found.low:+.2f} to {found.high:+.2f} nats a token, {found.n} rows\n")
print(inspect(d.rows[0]["messages"], seed.tokenizer, d.rows[0]["text"])[:600])

# %%
lengths = [len(render(row["messages"], seed.tokenizer, row["text"]).ids) for row in d.rows]
room = seed.model.config.max_position_embeddings
print(f"rows of {min(lengths)} to {max(lengths)} tokens, {sum(lengths) / len(lengths):.0f} on average; room for {room}")

# %% [markdown]
# Hold the mean length against the plan: it assumes certain lengths (`data/hardware/lengths.toml`), and twice the length is twice the time. Look in the row for *one* start token and for an end of turn after the answer: older code for some families doubles the first or forgets the second.
#
# **Question.** The rehearsal says that many rewrites were `cut`, and that there is hardly a gap, or one the wrong way round. Do you go on?
# <details><summary>One answer</summary>With the rehearsal, yes: its task is a stand-in. Before the large run, no. <code>cut</code> says that answers need more tokens than they were allowed; the recipe allows 512. A gap that is not there says that the references surprise the model no more than its own words: where the prompt already shows the name of the function and the values, there is little to be surprised about. Then SDFT has little to close (lesson 09), so measure the gap of the <em>large</em> model on <em>its</em> rows before you pay for two trainings.</details>
#
# ### Step 3: train, twice

# %%
from sdft_lib.train import fine_tune

tuned = {
    label: fine_tune(seed, d.rows, config, column=column, label=label)
    for label, column in (("sft", "reference"), ("sdft", "text"))
}

# %% [markdown]
# How fast was that? Count the operations of the training as section 2 does, divide by the seconds, and ask how long the *large* run would take at this speed.

# %%
from sdft_lib.scale.hardware import load_table, training_flops

if model in load_table("models"):
    record, way = tuned["sdft"].record, {"checkpointing": config.checkpointing}
    speed = training_flops(geometry(model), record["tokens"], full=config.full, **way) / record["seconds"]
    large = next(step for step in steps if step.step == "train" and step.method == "sdft")
    work = training_flops(big, large.read + large.written, full=recipe.tuning == "full", **way)
    planned = f"{chosen['low']:.1f} to {chosen['high']:.1f} hours" if fits else chosen["way"]
    print(f"here: {speed / 1e9:.0f} billion operations a second, start included")
    print(f"{recipe.name}, SDFT, at that speed: {work / speed / 86400:,.0f} days; {hardware}: {planned}")

# %% [markdown]
# That is what a GPU is for. (So short a training spends much of its time on starting, so its speed is a low one.)
#
# ### Step 4: evaluate

# %%
import pandas

from sdft_lib.data import load_probes
from sdft_lib.evaluate import cut, evaluate
from sdft_lib.stats import summarise

suites = [test, cut(load_probes("facts"), limit)]
frames = [evaluate(seed, suites, method="seed")]
for label, run in tuned.items():
    frames.append(evaluate(with_adapter(seed, run.adapter, label=label), suites, method=label))
frame = pandas.concat(frames, ignore_index=True)
summary = summarise(frame)
summary.round(2)

# %% [markdown]
# Do not read the scores: a rehearsal has a few rows and a few steps. Read whether there *are* scores, for all models, on all items, and whether the intervals are as wide as so few items must make them.
#
# **Question.** Which mistakes of the large run can a rehearsal *not* find?
# <details><summary>One answer</summary>Memory that runs out (the small model needs a hundredth), number formats that overflow, quirks of the large model's chat template, a keep rate that is another one, and speed. That is what the pilot on a hundred rows is for, with the large model on the rented machine, before the whole run.</details>
#
# ### The same in commands
#
# On a machine with a GPU, change `model`, `hardware` and `rows` above, or type the steps. Everything below takes up where it was stopped.
#
# ```
# pip install ".[qlora]"            # in a checkout; only for 4-bit weights
# sdft distill --task openfunctions --model llama-2-7b \
#     --template ours-openfunctions --max-new-tokens 512 \
#     --temperature 0.95 --top-p 0.7 --top-k 50 --seed 42 \
#     --out rewritten.jsonl
# sdft train --data rewritten.jsonl --model llama-2-7b \
#     --learning-rate 1e-4 --epochs 5 --dropout 0.1 --warmup 0 \
#     --seed 42 --out sdft-adapter
# sdft train --data rewritten.jsonl --model llama-2-7b \
#     --learning-rate 1e-4 --epochs 5 --dropout 0.1 --warmup 0 \
#     --seed 42 --column reference --out sft-adapter
# sdft answer --suite openfunctions --model llama-2-7b \
#     --adapter sdft-adapter --out answers.jsonl
# sdft score answers.jsonl --suite openfunctions
# ```
#
# | You have | Add to `sdft train` |
# |---|---|
# | one device with 80 GB | nothing |
# | one with 24 to 40 GB | `--gradient-checkpointing`, and `--parts 4` if rows are long |
# | a T4 with 16 GB | `--gradient-checkpointing`, and set `SDFT_FOUR_BIT=1` for every step |
# | several, for more speed | `accelerate launch --config_file data/recipes/accelerate/ddp.yaml -m sdft_lib train ...` |
# | several, for all weights | `accelerate launch --config_file data/recipes/accelerate/fsdp.yaml -m sdft_lib train --full --learning-rate 2e-5 ...` |
#
# Where writing takes longest, `sdft distill` and `sdft answer` take `--engine vllm` (the extra `vllm`): the same prompts, decoding and rows, by an engine made for GPUs. On many machines, `--engine ray-torch` or `--engine ray-vllm` (the extra `ray`) puts a copy of the model on each.
#
# `distill`, `evaluate` and `answer` run under `accelerate launch` as well: whole batches are dealt out, and the rows are those of one process, byte for byte. With 4-bit weights, set `SDFT_FOUR_BIT=1` before the first step and leave it: all steps must use the same model.
#
# Or let one command do all steps of a table, with the recipe's settings: `sdft reproduce --table 1 --recipe llama2-7b-openfunctions`; on a T4 with `--four-bit --gradient-checkpointing` behind it. We ran these ways on CPUs only, also vLLM, Ray and 4-bit weights: [what was run and what was not](../ci/book/untested.md).
#
# Llama 2 and Llama 3 are **gated**: accept the licence on their page and log in once (`hf auth login`). Most of the paper's data comes from the same hub; `sdft data check openfunctions` shows what you got.

# %% [markdown]
# ## 4. Reading the published tables
#
# Now to the other side: the results that others have paid for. `data/published` holds the figures of the paper's Tables 1, 2 and 5, and what its author and its users posted later, each with its source and how far we trust it.

# %%
from sdft_lib.scale.published import load_published

published = load_published()
levels = published["trust"].str.split(":").str[0]
published.groupby(["source", levels], sort=False).size().rename("figures").reset_index()

# %% [markdown]
# Trust here means: was the number read off images of the paper's tables or posted by its author (high), or posted by a user (medium)? It does not mean that the number would come out again. Tables 3 and 4 and the curves are missing, because no copy of their numbers could be checked.
#
# A figure in such a table is a share of `n` items. So it has an interval, whether the paper prints one or not.

# %%
first = load_published(table=1)
show(figures.published_scores(first, "openfunctions"))

# %% [markdown]
# A large run of your own is drawn beside what was published for its training set; a rehearsal is not.

# %%
if not rehearsal:
    ours = summary.rename(columns={"suite": "evaluation", "mean": "share"}).to_dict("records")
    show(figures.published_scores(load_published(table=table), recipe.dataset, model=recipe.model, ours=ours))

# %% [markdown]
# **Question.** Trained on OpenFunctions and tested on OpenFunctions: does SDFT learn the task better than SFT?
# <details><summary>One answer</summary>The figure cannot say: the two intervals share nearly all of their width. Turn the two scores into counts of items, and you see how few items lie between them.</details>
#
# Two intervals that overlap are not yet "no difference". Take the difference itself: its interval, a test, and Holm's correction, as in lesson 04. One thing is worse than there: the answers were not published, so items cannot be paired, and the two models must be treated as if each had answered other items.

# %%
from sdft_lib.scale.published import carried

differences = carried(first)
show(figures.published_differences(differences))

# %%
explorer = published_explorer() if widgets_enabled() else None
explorer

# %% [markdown]
# ### Which differences exceed what the items allow?
#
# All comparisons of SDFT and SFT in the three tables. `half` is half the width of the interval of the SFT score alone, `needed` the difference that would be 1.96 standard errors, all in points.

# %%
from sdft_lib.scale.power import with_power

every = with_power(carried(load_published(source="paper")))
shown = ["model", "tuning", "training_set", "evaluation", "n_items", "difference", "half", "needed", "p_raw", "p_holm", "carried"]
every[shown].sort_values("n_items", kind="stable").round(2)

# %%
for name, part in every.groupby("evaluation", sort=False):
    print(f"{name:<18} n {part['n_items'].iloc[0]:>5}  needed {part['needed'].min():>4.1f} to {part['needed'].max():>4.1f} "
          f"points  {part['carried'].sum()} of {len(part)} differences carried")  # fmt: skip

# %%
tested_by = every["training_set"].replace({"magicoder": "humaneval"})  # code is trained on one, measured on the other
own = every[tested_by == every["evaluation"]]
print(f"on the very task that was trained: {own['carried'].sum()} of {len(own)} differences carried")
print(f"elsewhere: {every['carried'].sum() - own['carried'].sum()} of {len(every) - len(own)}")

# %% [markdown]
# Here is a sober reading of a good paper. Its numbers of items *support* that SDFT forgets less than SFT: on refusals under a jailbreak, on open answers (as a judge saw them), on school maths after another training. They do *not* support that SDFT learns the task itself better, nor that it learns it worse. "Not supported" does not mean "false": a true difference of a few points would look just like this.
#
# **Question.** Before Holm's correction, several more of these differences have p under 0.05. Why not count them?
# <details><summary>One answer</summary>Among 36 comparisons without any true difference, about two have p under 0.05 by luck. The correction asks more of each of them. Take such a one as a guess that needs new items, not as a result.</details>

# %% [markdown]
# ## 5. How many items would you need?
#
# Turn the question round, *before* an experiment: which true difference would `n` items show in four runs out of five? This is the **power** of a test.

# %%
show(figures.items_and_differences(every))

# %% [markdown]
# A filled mark lies above the line of its own share. A mark below does not mean "no effect": an experiment of that size would rarely show such an effect.
#
# How many items for five points, where SFT scores 35 %?

# %%
from sdft_lib.scale.power import detectable, items_needed, items_needed_paired

print(f"112 items show {100 * detectable(0.35, 112):.0f} points, 1,319 items {100 * detectable(0.35, 1319):.1f}")
print(f"five points, scores alone:              {items_needed(0.35, 0.40):>5} items")
for disagree in (0.30, 0.10):
    n = items_needed_paired(0.05, disagree)
    print(f"five points, paired, {disagree:.0%} of items differ: {n:>5} items")

# %% [markdown]
# The last two lines show what it costs not to publish answers. Two models from one seed agree on most items, and those say nothing about the difference. Who knows which items differ needs fewer of them. So **keep one row an item**, as `evaluate` does, and publish it.
#
# **Question.** Somebody computes the power *afterwards*, with the difference that was found, and reports it as "the power of the study". What is wrong with that?
# <details><summary>One answer</summary>It is the p-value in other clothes: a difference at the limit always gives one half. Plan with a difference that would <em>matter</em> to you, chosen before the run.</details>

# %% [markdown]
# ## 6. The same run twice
#
# Intervals over items answer one question: what if other items had been drawn? They say nothing of another environment, another draw of answers or another training. The seed model was never trained, so its scores should be the same in every report.

# %%
runs = published[(published["method"] == "seed") & (published["model"] == "llama-2-7b") & published["k"].notna()]
runs = runs[runs["table"].isna() | runs["table"].isin([1, 2])]
again = runs.astype({"n_items": int})
again = again.pivot_table(index=["evaluation", "n_items"], columns="source", values="value", sort=False)
again.columns = [name.split(" (")[0] for name in again.columns]
again[again["paper"].notna()].reset_index()

# %%
by_source = {name: part.set_index("evaluation") for name, part in runs.groupby("source", sort=False)}
paper, *others = by_source.values()
for source, part in zip(list(by_source)[1:], others, strict=True):
    for name in [name for name in paper.index if name in part.index]:
        row = paper.loc[name]
        place = "inside" if row["low"] <= part.loc[name, "value"] <= row["high"] else "OUTSIDE"
        print(f"{source.split(' (')[0]:<16} {name:<18} {place} the paper's interval")

# %% [markdown]
# (NaN: not reported, or with half marks, which have no interval.) All reports used the *same* items, so nothing here is luck of the items; the interval is only a yardstick. Something else moved: the answers were *sampled* at a temperature, and the environment was another one. On a suite or two it moved a score further than other items would have. You cannot get rid of that by taking more items.
#
# The settings matter as much. The author also ran both methods with a larger adapter:

# %%
larger = carried(load_published(source="author's rerun, rank 64"))
larger[["training_set", "evaluation", "n_items", "sft", "sdft", "difference", "low", "high", "carried"]].round(2)

# %% [markdown]
# On the trained task the sign has changed: with more weights to train, SFT scores higher than SDFT. But that difference, too, is not larger than chance for so many items. Whether SDFT costs or gains on the task itself depends on a setting, and a table made with one setting cannot tell.
#
# **Question.** You have the budget for one more experiment: 1,319 more items for one run, or five training seeds on the items you have. Which, and for which claim?
# <details><summary>One answer</summary>For "on such items, these two models differ": items. For "the <em>method</em> is better": seeds, since every reader will train anew. Lesson 05 averages over seeds, and gives an interval over them from five on.</details>

# %% [markdown]
# ## 7. Before you spend money
#
# 1. **Write down the claim**, the margin that would matter, and the items and seeds that it takes (section 5). If it takes more than you have, change the claim.
# 2. **Rehearse** with the stand-in on the machine that you will use (section 3): paths, disk, test files, scores.
# 3. **Pilot** with the large model on a hundred rows: keep rate, lengths, tokens a second, peak memory. Correct the plan.
# 4. **Run the seed's evaluation first.** If it does not come near the published seed, stop: template, decoding or data are not what you think.
# 5. **Then** rewrite, look, train, evaluate. Keep a row for every item.
# 6. **Report** n, intervals, seeds, what was tried and not used, and what it cost.
#
# The settings in `data/recipes/paper` are the paper's; the wording of the prompts is ours, and answers are written greedily unless you say otherwise. So a run of yours tests the *finding*. `--rules paper` scores by the paper's own rules; `data/recipes/paper/README.md` says where the paper's own wording is found.

# %% [markdown]
# ## Summary
#
# - Memory is a sum that you can do by hand: frozen weights, 16 bytes for each trained one, activations, logits, cache.
# - LoRA shrinks the optimizer, 4 bits shrink the weights, checkpointing and parts shrink the activations. All weights of a 7B need more than 100 GB.
# - A rehearsal with a stand-in finds most mistakes and costs nothing. A pilot finds the others and costs little.
# - A published score is a share of n items. On 112 items, differences under about ten points cannot be told from luck; the paper's tables support "forgets less" and do not support "learns better".
# - Items, environment and training seed are three kinds of luck. An interval over items knows one of them.
#
# ## Check yourself
#
# 1. Why does LoRA on a 7B still not fit a 16 GB card?
#    <details><summary>Answer</summary>The frozen weights stay in memory: two bytes each are more than 13 GB, before a single activation.</details>
# 2. A paper reports a gain of two points on a hundred items. What do you ask for?
#    <details><summary>Answer</summary>The answers of both models, item by item, so that they can be paired; more items; more training seeds.</details>
# 3. A rehearsal ran through. What is still unknown?
#    <details><summary>Answer</summary>Memory, speed, the large model's template and its keep rate: take a pilot.</details>

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
# `training_gb(frozen, bits, trained, activations)` returns GB of 1e9 bytes. `frozen` and `trained` are numbers of weights, `bits` those of a frozen weight (16 or 4), `activations` bytes. The device itself takes 1.5 GB.
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
# `rows_at_once(free_gb, layers, kv_heads, head_size, tokens)` returns how many whole rows of `tokens` have room for their keys and values in `free_gb` (GB of 1e9 bytes). Each number takes 2 bytes.
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
# LoRA without checkpointing takes 4 operations a weight and token. `hours(weights, tokens, flops, shares)` returns `(few, many)`: the hours at the high and at the low share of the device's `flops` operations a second. `shares` is `(low, high)`.
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
# The difference of two models that both stand near the share `p` has the standard error $\sqrt{2p(1-p)/n}$ on `n` items. `items_for(p, difference)` returns the fewest items for which 1.96 standard errors are at most `difference`; never less than 1.
#
# <details><summary>Hint 1</summary>Set 1.96 times the standard error equal to the difference, square both sides, and solve for n. <details><summary>Hint 2</summary><code>math.ceil(1.96**2 * 2 * p * (1 - p) / difference**2)</code>, and <code>max(1, ...)</code> around it.</details></details>

# %% tags=["exercise"]
import math


def items_for(p, difference):
    """Items for which 1.96 standard errors are at most the difference."""
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
# Set `hardware = "a100"` and then `recipe_name = "llama2-7b-gsm8k-full"` with `table = 5`, and read section 2 again. If you have a GPU: `rows = 100` and your own model is the pilot of section 7. And if you run one of the paper's recipes, publish a row an item with it: nobody has.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 60 minutes without a GPU. Sections 1 and 4 are the heart of the lesson; section 3 runs in the background. For 30 minutes take sections 4 to 6 alone: they need no model at all.
#
# **What goes wrong most often:** "LoRA makes the model smaller". Ask where the 13 GB are in the first bar. GB and GiB are mixed up: a "16 GB" card has 15.8e9 bytes to give, some tools call that 14.7. In exercise 10.2 the factor for keys *and* values is forgotten, in 10.3 the shares are swapped, in 10.4 the 2 of two models.
#
# **Discussion, "the paper is wrong then?"** No. Separate three sentences: the difference is there; the data show it; the data rule it out. For learning the task, the published tables support none of the three. For forgetting they support the second.
#
# **Discussion, post-hoc power:** let a group compute the power at the observed difference for three rows of the table and hold it against the p-values: the order is the same.
#
# **Expect:** the sums and the published tables are the same on every machine. In the rehearsal about half of the rewrites are kept and most others are cut, the gap lies near 0, because the prompts of `calls` all but spell the answer, and nothing may be concluded from the scores. A laptop would need days to months for the large training.
#
# **Harder:** let them find the smallest device for a model of their choice from its `config.json` alone, and add it to `data/hardware/models.toml`.
