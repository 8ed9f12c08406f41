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
# # 05 Distribution shift: how far did training move the model?
#
# **You will** hold SDFT against cheaper ways of forgetting less, compare methods where they learnt equally much, and measure how far each one moved: in its answers, its predictions and its weights.
#
# **Before you start:** lesson 03 makes two of the adapters, lesson 04 explains paired differences and intervals. This lesson runs alone: it takes what they made from the store, or makes it.
#
# **Time:** roughly 11 to 20 minutes on two CPU cores (the fewer where they have bf16) after lessons 03 and 04 (without them, their trainings on top), 3.9 GB of memory, half of it two more trainings; about a minute when the store holds everything. With `fast=True` everything is done on few rows: the same steps, but nothing to conclude from.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a folder of your own with train, dev and test rows
random_seed: int = 0  # decides the adapter's first weights, the order of the rows and which rows give way
control: str = "sft-slow"  # the method to hold SDFT against: sft-slow, sft-replay, sft-anchor or sdft-likely

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, task=task_name, model=model, seed=random_seed)

# %% [markdown]
# ## 1. Seven methods, one budget
#
# Lesson 04 left a question open. A method that learns less also forgets less, so "SDFT forgets less than SFT" might only mean "SDFT trains more gently". To find out, hold it against methods that are gentle on purpose. All get the same rows, steps, batch size and adapter. Each changes one thing.

# %%
from sdft_lib.experiments.methods import METHODS, ONE_TASK

for name in ONE_TASK:
    changed = "".join(f", {key} {value}" for key, value in METHODS[name].changes.items())
    print(f"{name:>10}: trains on {METHODS[name].column!r}{changed}")

# %% [markdown]
# | method | what it changes | the idea |
# |---|---|---|
# | `sft-slow` | a quarter of the learning rate | take smaller steps |
# | `sft-replay` | a quarter of the rows give way to the seed's own answers to general prompts | keep practising what you can do |
# | `sft-anchor` | KL to the seed (a distance of predictions, section 7) is added to the loss | a rubber band to where you were |
# | `sft-sentence` | "The answer is X." around each reference | a sentence, but not its own |
# | `sdft-likely` | of four rewrites, the one that the seed finds likeliest | more of the medicine |
#
# None of them takes more than a few lines. The learning rate and the anchor are settings; the rows of the other methods are chosen before training. This is the code itself.

# %%
import inspect

from sdft_lib.experiments import methods

for function in (methods.configured, methods.added):
    print(inspect.getsource(function))

# %% [markdown]
# The anchor needs the seed's predictions beside the model's own. They cost no second model: it is the same one with its adapter switched off.

# %%
from sdft_lib.training import trainer

print(inspect.getsource(trainer.distance_to_seed))

# %% [markdown]
# **Question.** One more control needs no further training. Which?
# <details><summary>One answer</summary>Early stopping. If you keep the adapter at a quarter and at half of SFT's training, you have two models that learnt less and forgot less. The comparison of section 4 calls it <code>sft-stopped</code>.</details>

# %% [markdown]
# ## 2. Train two more
#
# SFT and SDFT are those of lesson 03, so the store has them if you ran it. New are `sft-sentence` and the control of your choice, of which you keep the adapters at a quarter and at half of the way too. (Not in fast mode: there its end is enough.)

# %%
from sdft_lib.data import load_task
from sdft_lib.distill import distill
from sdft_lib.models import load_seed, with_adapter
from sdft_lib.templates import TEMPLATES

seed = load_seed(s.model)
task = load_task(s.task)
d = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows)

# %%
from dataclasses import replace

from sdft_lib.experiments.run_one import run_one


def train(name, keep=()):
    """One method on this lesson's budget."""
    config = replace(s.training, keep=keep)
    return run_one(seed, task, name, config, template=TEMPLATES[s.template], limit=s.train_rows).tuned


# %%
tuned = {name: train(name) for name in ("sft", "sdft", "sft-sentence")}  # the first two come from the store
tuned[control] = train(control, keep=() if s.fast else (0.25, 0.5))

# %%
import pandas

keys = ["rows", "steps", "tokens", "trained_tokens", "seconds"]
pandas.DataFrame({name: each.record for name, each in tuned.items()}).loc[keys]

# %% [markdown]
# Rows and steps agree: that is the budget. Look at `trained_tokens` before you call it fair in every respect.
#
# ## 3. What was learnt, and what was kept
#
# Score every adapter on the task and on the facts, and on the task's **dev** rows too. Dev rows will choose which moments of training to compare; test rows must not, or each method would be shown at its luckiest.

# %%
from sdft_lib.evaluate import evaluate, suites

test_suites = [suite for suite in suites(s, task) if suite.name in ("task", "facts")]
dev_suites = [suite for suite in suites(s, task, split="dev") if suite.name == "task"]


def scored(model, name, share):
    """The scores of one moment of training, in the form of the recorded runs."""
    splits = {"test": test_suites, "dev": dev_suites}
    parts = [evaluate(model, chosen, method=name).assign(split=split) for split, chosen in splits.items()]
    return pandas.concat(parts).assign(seed=random_seed, checkpoint=share)


# %%
frames = [scored(seed, "seed", 0.0)]
for name, each in tuned.items():
    for share, adapter in each.kept.items():
        frames.append(scored(with_adapter(seed, adapter, label=name), name, share))
mine = pandas.concat(frames, ignore_index=True)

# %% [markdown]
# Your run has one training of each method. Other runs were recorded and came with this tutorial: several training seeds, checkpoints along the way, all methods. See what there is.

# %%
from sdft_lib.experiments.recorded import against, in_words, inventory, recorded, with_stopped

runs = recorded(s.task, s.model)
print(inventory(runs))

# %% [markdown]
# The **acquisition-forgetting frontier**: what was learnt to the right, what was kept upwards, and a line for each training. Follow a line from its small marker to its large one, and you see what a method pays for each step of learning.

# %%
from sdft_lib.experiments.frontier import points
from sdft_lib.lessons.figures import lesson_05 as figures
from sdft_lib.lessons.figures.style import show

theirs = points(runs, "facts") if len(runs) else []
show(figures.frontier_with_yours(theirs, points(mine, "facts")))

# %% [markdown]
# Your run and the recorded ones need not coincide. The recorded recipe has its own number of rows and items (`data/recipes`), your lesson has others; each training seed gives another line besides. Compare the *shape*: does a line fall as it goes to the right, or does it stay level? Where two lines cross the same vertical, which lies higher?
#
# With widgets on, choose another suite or fewer methods.

# %%
from sdft_lib.lessons.widgets.lesson_05 import frontier_explorer

explorer = frontier_explorer(runs, mine)
explorer

# %% [markdown]
# **Question.** One method lies to the left of another, and above it. Which one is better?
# <details><summary>One answer</summary>Neither, by this picture. It learnt less and kept more: that is another place on what may be the same line. Only a method that lies above another's <em>line</em> keeps more for what it learnt.</details>

# %% [markdown]
# ## 4. Compared where they learnt equally much
#
# `matched_comparison` turns that sentence into a rule, fixed in advance. For two methods and each training seed:
#
# 1. On dev, find the highest task score that *both* reach at some checkpoint.
# 2. Of each method, take the checkpoint whose dev score lies nearest to it.
# 3. On test, take the differences item by item, on the task and on what was kept.
#
# First your own run. SDFT has one checkpoint here, your control three to choose from.

# %%
columns = ["suite", "a", "b", "n", "seeds", "mean_a", "mean_b", "difference", "low", "high", "checkpoints"]
own = against(mine, "sdft")
own[columns].round(2)

# %%
print(f"{len(own)} intervals that hold together at 95 %:")
for row in own.itertuples():
    print(in_words(row))

# %% [markdown]
# Read the row of the task first, always. If its interval does not cover 0, the two models did not learn equally much on test, matched on dev or not, and the other row compares two different bargains. If it does, no difference in learning is shown, which is not yet "equal": look how wide it is. There are several rows, and one of many may look clear by luck; so each interval is made wide enough for all of them to hold at once (Bonferroni).
#
# Here `checkpoints` names the training seed and which share of the training was compared: `0: 1 / 0.5` is seed 0, all of SDFT's training and half of the other's. (Lesson 04 may have called the difference of SDFT and SFT on the task "not clear". It corrected for 21 tests, here there are fewer: such a difference lies at the border, and an honest report says so.)
#
# Now the recorded runs, with more seeds, three checkpoints of every method, and the harmful requests (`safety`) besides the facts. They know the control that needs no further training, too: `sft-stopped` is SFT at a quarter or half of its way. Remember from lesson 04 that a suite in which the seed itself is near 0, as the default model is on `safety`, has little to lose.

# %%
recorded_pairs = against(with_stopped(runs), "sdft", ("facts", "safety"))
recorded_pairs[columns].round(2)

# %%
print(f"{len(recorded_pairs)} recorded intervals that hold together at 95 %:")
for row in recorded_pairs.itertuples():
    print(in_words(row))
if recorded_pairs.empty:
    print("None: there are no recorded runs of SDFT and another method with a common training seed.")

# %% [markdown]
# These sentences are printed from the intervals; nobody chose them. The intervals cover the luck of the *items*. The luck of *training* is averaged over the seeds that `seeds` counts, but not in the width: an interval over seeds (`seeds_low`, `seeds_high`) is only made from five seeds on, because the spread of two or three is mostly a guess. With fewer, look at the thin lines of the frontier: do the lines of one method lie apart from those of the other, for every seed?

# %%
recorded_pairs.dropna(subset=["seeds_low"])[["suite", "a", "b", "seeds", "difference", "seeds_low", "seeds_high"]].round(2)

# %% [markdown]
# An empty table means that no pair of methods has five recorded seeds in common.
#
# One more way to be fooled: a **weak baseline**. Had SFT been given a poor learning rate, any method would look good beside it. So learning rate and rank were swept for both methods alike, each training scored on dev alone.

# %%
from sdft_lib.experiments.recorded import swept

sweep = swept(s.task, s.model)
sweep.drop(columns="scores").round(4).astype(object).fillna("default")

# %%
from sdft_lib.experiments.recorded import best_against_used

for line in best_against_used(sweep, s.training):
    print(line)
if sweep.empty:
    print("No sweep is recorded for this task and model.")

# %% [markdown]
# The sweep has one training seed, fewer rows than this lesson, and one set of dev rows: differences of a few hundredths are luck, and the larger adapter changes rank, `alpha` and the trained modules at once. Ask two things. Does the setting of this lesson favour one of the two methods? And how much would both have learnt with the best one? With the default model and task the setting is *not* the best for either: a higher rate or a larger adapter gains about 0.10 on dev, for both alike. So the comparison is even, and the scores are not the highest that can be had.
#
# **Question.** Suppose SDFT keeps more facts than SFT at its end, but no more than `sft-slow` where both learnt equally much. What have you learnt about SDFT?
# <details><summary>One answer</summary>That a good part of its advantage can be had by turning one knob. SDFT could still be the better choice: it may reach a task score that the slow method never reaches in the same steps, and the rule above cannot show that, as it compares at the highest level that <em>both</em> reach. Look at how far to the right each line goes.</details>

# %% [markdown]
# ## 5. Shift, first ruler: the answers
#
# How much do the answers of each model to *open* requests still share with the seed's? Three measures: **BLEU-4** counts shared phrases of up to four words, **ROUGE-L** the longest shared sequence of words, and the **cosine** of two sentence embeddings compares meaning.
#
# A number like 0.3 means nothing alone, since two answers of the *same* model differ as well. So all answers here are sampled, and the seed answers twice, with two sampling seeds. What the second draw shares with the first is the **ceiling**: a model that did not move at all would score exactly that.

# %%
from sdft_lib.data import load_probes
from sdft_lib.experiments.shift import likeness, sampled_answers

prompts = load_probes("helpful").rows[: 4 if s.fast else s.limits["templates"]]
length = 12 if s.fast else 96  # tokens an answer at most


def model_of(name):
    """The seed, or a copy of it with a method's adapter merged in."""
    return seed if name == "seed" else with_adapter(seed, tuned[name].adapter, label=name)


def draw(name, sampling_seed):
    """One sampled answer of a model to each prompt."""
    return sampled_answers(model_of(name), prompts, sampling_seed=sampling_seed, max_new_tokens=length)


own_answers = draw("seed", 1)
drawn = {name: draw(name, 2) for name in ("seed", *(["sft", "sdft"] if s.fast else tuned))}

# %%
alike = likeness(own_answers, drawn)
show(figures.likeness(alike))

# %% [markdown]
# Measure each method from the dotted line, not from 1. As far as this ruler can tell, a method whose interval reaches the ceiling has not moved. One far below it answers differently; whether worse, the ruler does not say. The three measures need not agree: other words for the same thing cost BLEU-4 and ROUGE-L, but little cosine.

# %%
for name, answers in drawn.items():
    print(f"{name:>10}: {answers[0]['text'][:100]!r}")

# %% [markdown]
# **Question.** Why would it be wrong to compare the *greedy* answers with a *sampled* ceiling?
# <details><summary>One answer</summary>A model that did not move gives the very same greedy answer, so its likeness is 1, far above a ceiling made of two draws. The ruler and its end mark must be made in the same way.</details>

# %% [markdown]
# ## 6. Second ruler: the predictions
#
# Answers are a coarse look: they show what was drawn, not how likely it was. At each token, both models have a full distribution over the next one. **KL(seed || model)** says how many nats a token it costs to predict the seed's words with the tuned model, beyond what the seed itself pays. The direction matters: it is large where the seed puts its weight and the tuned model does not, and that is where something was forgotten.

# %%
from sdft_lib.experiments.shift import stored_kl

shift = {name: stored_kl(seed, model_of(name), own_answers) for name in tuned}
show(figures.kl_by_method(shift))

# %%
from sdft_lib.experiments.shift import token_kl

print(inspect.getsource(token_kl))

# %% [markdown]
# KL is never negative, and 0 only if the two distributions are the same. Look at the spread of the small dots too: a mean can come from all answers alike or from a few that moved a lot.
#
# **Question.** `sft-anchor` adds KL(seed || model) to its loss. Will it win here by construction?
# <details><summary>One answer</summary>Not quite. Its anchor is on the prompts and targets of the <em>task</em>; this ruler uses open requests that no method trained on. If the anchor helps here, it does so beyond its own rows. But a method that optimises a ruler should be judged by another one as well: look at the facts.</details>

# %% [markdown]
# ## 7. Third ruler: the weights
#
# Where in the network did it happen? For each matrix, take the size of the change and divide it by the size of the seed's own weights.

# %%
from sdft_lib.experiments.shift import parameter_shift

weights = {name: parameter_shift(seed, model_of(name)) for name in tuned}
show(figures.shift_by_layer(weights))

# %%
moved = pandas.concat([frame.assign(method=name) for name, frame in weights.items()])
moved = moved[moved["shift"] > 0].groupby(["method", "module"], sort=False)["shift"]
(100 * moved.agg(["size", "mean", "min", "max"])).round(2).assign(size=moved.size())

# %% [markdown]
# The table is in per cent; `size` counts matrices. Only the modules named in `targets` carry an adapter, so all others are exactly where they were. (Where the weights are kept in bf16, a shift of less than about 0.2 % may be rounding.) Compare the methods layer by layer: do they differ in *how far* they moved or in *where*?
#
# Now all three rulers and the facts together.

# %%
ends = mine[(mine["split"] == "test") & (mine["checkpoint"] == 1)]
facts = ends[ends["suite"] == "facts"].groupby("method")["score"].mean()
rulers = pandas.DataFrame(
    {
        "cosine to seed": alike.groupby("method")["cosine"].mean(),
        "KL, nats a token": pandas.Series({name: frame["kl"].mean() for name, frame in shift.items()}),
        "weights moved, %": 100 * moved.mean().groupby("method").mean(),
        "facts kept": facts,
    }
).loc[list(drawn)]
rulers.round(2)

# %%
trained = rulers.drop(index="seed")
for name in ("cosine to seed", "KL, nats a token", "weights moved, %"):
    order = ", ".join(trained[name].sort_values(ascending=name.startswith("cosine")).index)
    print(f"From the farthest moved to the least, by {name}: {order}")
print("By facts lost:", ", ".join(trained["facts kept"].sort_values().index))

# %% [markdown]
# Do the orders agree? Often the weights tell another story than the predictions: a long way in a harmless direction forgets less than a short one in a harmful direction. With four models these are four points, enough to doubt a rule, not to prove one.
#
# **Question.** Two methods moved the weights equally far, and one forgot much more. How can that be?
# <details><summary>One answer</summary>A norm has no direction. Moving towards "begin with a bare label and stop" changes every answer; moving by the same length along the model's own manner changes few. That is the thought behind SDFT: choose targets that ask for a step in a direction the model already knows.</details>

# %% [markdown]
# ## 8. What this shows, and what it does not
#
# - **One training each** in your own run. The rulers of sections 6 to 8 have intervals over prompts at most, none over training seeds; the recorded runs hold scores, not rulers.
# - **One setting each** for the controls. `sft-slow` has a quarter of the learning rate; another factor, another share of replay or weight of the anchor may do better. A weak control makes every method look good.
# - **Facts stand for much else.** Other suites can order the methods differently: that is what the explorer in section 3 is for.
# - **Likeness to the seed is no aim in itself.** The seed is most like the seed, and it has not learnt the task.
#
# The next cell gathers what the recorded intervals say about what was kept, in one line a suite. Methods whose task interval excludes 0 are set aside: they did not learn equally much on test. For the others no difference in learning is shown.

# %%
is_task = recorded_pairs["suite"] == "task"
equal = recorded_pairs[is_task & (recorded_pairs["low"] <= 0) & (recorded_pairs["high"] >= 0)]["b"]
aside = sorted(set(recorded_pairs["b"]) - set(equal))
for suite, part in recorded_pairs[~is_task & recorded_pairs["b"].isin(equal)].groupby("suite", sort=False):
    higher, lower = part[part["low"] > 0]["b"].tolist(), part[part["high"] < 0]["b"].tolist()
    unclear = part[(part["low"] <= 0) & (part["high"] >= 0)]["b"].tolist()
    print(f"{suite}: SDFT kept more than {', '.join(higher) or 'none'}, less than {', '.join(lower) or 'none'}; "
          f"no difference shown from {', '.join(unclear) or 'none'}.")  # fmt: skip
print("Set aside, as the task scores on test differ:", ", ".join(aside) or "none")
if recorded_pairs.empty:
    print("No recorded comparison, so nothing to say beyond your own run.")
if s.fast:
    print("Your own run in fast mode has too few items and rows for any conclusion.")

# %% [markdown]
# ## Summary
#
# - SDFT must be held against cheap controls: a smaller learning rate, early stopping, replay, an anchor.
# - Compare methods where they learnt equally much; dev chooses the checkpoints, test tells the difference.
# - Three rulers say how far a model moved: likeness of answers (with a ceiling), KL from the seed on its own answers, and the shift of its weights. None of them says whether the move was bad.
# - Intervals over items are not intervals over training seeds. With fewer than five seeds, show each one.
#
# ## Check yourself
#
# 1. Why may the checkpoints not be chosen by their test scores?
#    <details><summary>Answer</summary>The choice would use up the test: each method would be shown at a moment when luck was on its side, and the difference would inherit that luck.</details>
# 2. A model has a ROUGE-L of 0.24 to the seed, and the ceiling is 0.26. What do you say?
#    <details><summary>Answer</summary>That its answers share nearly as much with the seed's as the seed's own second draw does. By this ruler it hardly moved; look at the intervals.</details>
# 3. KL(seed || model) is 0.05 on the seed's answers. Is the model as good as the seed?
#    <details><summary>Answer</summary>It predicts the seed's words almost as the seed does, on these prompts. It says nothing about other prompts, nor about how good the seed was.</details>
# 4. `sft-replay` trains on as many rows as SFT. What did it give up?
#    <details><summary>Answer</summary>A quarter of the task's rows. Its budget of steps is the same, so it sees less of the task; that may show in what it learns.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 05 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 5.1: KL by hand
#
# **Goal:** measure how far one distribution lies from another, in the right direction. **Level 1 of 3, about 10 minutes.**
#
# `kl(p, q)` takes the probabilities that seed (`p`) and tuned model (`q`) give to the same few tokens, and returns KL(seed || tuned) in nats: the sum of p times log(p / q). A token with p = 0 adds nothing.
#
# <details><summary>Hint 1</summary><code>zip(p, q)</code> gives the pairs. <details><summary>Hint 2</summary><code>a * math.log(a / b)</code>, summed over the pairs with <code>a &gt; 0</code>.</details></details>

# %% tags=["exercise"]
import math


def kl(p, q):
    """KL(p || q) in nats."""
    ### BEGIN SOLUTION
    return sum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_05 as check

check.exercise_5_1(kl)

# %% [markdown]
# ### Exercise 5.2: how far did a matrix move?
#
# **Goal:** rebuild the third ruler. **Level 2 of 3, about 10 minutes.**
#
# `relative_shift(before, after)` takes two matrices as lists of rows. It returns the size of the change divided by the size of `before`; the size is the root of the sum of all squares (Frobenius norm).
#
# <details><summary>Hint 1</summary>Write a function for the size of a matrix first. <details><summary>Hint 2</summary>The change is a matrix too: <code>[[y - x for x, y in zip(r, s)] for r, s in zip(before, after)]</code></details></details>

# %% tags=["exercise"]
def relative_shift(before, after):
    """Size of the change over the size before."""
    ### BEGIN SOLUTION
    def size(matrix):
        return sum(x * x for row in matrix for x in row) ** 0.5

    change = [[y - x for x, y in zip(r, s)] for r, s in zip(before, after)]
    return size(change) / size(before)
    ### END SOLUTION

# %% tags=["check"]
check.exercise_5_2(relative_shift)

# %% [markdown]
# ### Exercise 5.3: matched checkpoints
#
# **Goal:** choose the moments of two trainings that may be compared. **Level 3 of 3, about 15 minutes.**
#
# `matched(a, b)` takes the dev curves of two methods, as dicts from the share of training done to the task score. The target is the highest score that both reach. Return the share of a and the share of b whose score lies nearest to the target; of two equally near ones, the earlier.
#
# <details><summary>Hint 1</summary>The target is the smaller one of the two best scores. <details><summary>Hint 2</summary><code>min(sorted(curve), key=...)</code> returns the first of the smallest, and sorted shares begin with the earliest. <details><summary>Hint 3</summary>The key of a share is <code>abs(curve[share] - target)</code>.</details></details></details>

# %% tags=["exercise"]
def matched(a, b):
    """(share of a, share of b) to compare."""
    ### BEGIN SOLUTION
    target = min(max(a.values()), max(b.values()))
    return tuple(min(sorted(curve), key=lambda share: abs(curve[share] - target)) for curve in (a, b))
    ### END SOLUTION

# %% tags=["check"]
check.exercise_5_3(matched)

# %% [markdown]
# ## What next
#
# Run this lesson with another `control`, or with another `random_seed` and hold the two frontiers against each other. The whole grid of methods and seeds is one command, `sdft run --recipe data/recipes/tickets.toml`, which goes on where the recorded file ends.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 75 minutes. Fill the store the evening before: run lessons 03 to 05 once, then this lesson needs about a minute. Without that, start the trainings of section 2 at once and teach section 1 while they run.
#
# **What goes wrong most often:** a point further up is called better although it lies further left. Let somebody draw the line that the other method took to get there. In exercise 5.1 the direction is turned round; in 5.2 a root is missing; in 5.3 the last checkpoint is taken, whatever it scores.
#
# **Discussion, "no more than `sft-slow`":** ask what the class would report if the advantage of SDFT vanished at equal acquisition. It would be a finding, and the recorded intervals of section 4 say which way it went for the default model.
#
# **Expect:** the reading copy holds one full run, the recorded runs more seeds; hold the class's numbers against both. The order of the methods by the three rulers need not agree, and may change with `random_seed` and `control`.
#
# **Harder:** give each group another `control` and gather the points in one figure; then let them choose the factor of `sft-slow` on dev rows.
