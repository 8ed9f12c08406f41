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
# # 09 Your own task: from a CSV to a comparison you may quote
#
# **You will** take a file of your own through all steps, judge before any training whether SDFT may help, test this forecast on a second file, split the file fairly, and score the test rows once.
#
# **Before you start:** lesson 01 explains the gap, 02 the templates and the checks, 04 the intervals. This lesson runs alone. It has a small file as an example. Later you put yours in its place.
#
# **Time:** about three minutes on two CPU cores with bf16, up to nine without, 2.4 GB of memory. With `fast=True` the steps are the same, on few rows.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # or a hub id, or a local folder
my_file: str = ""  # your CSV, TSV, JSON or JSONL; empty: the example
my_template: str = "opening"  # or guide, explain, a TOML file
random_seed: int = 0  # the first weights and the order of the rows

# %%
from dataclasses import replace

from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, model=model, seed=random_seed)
few = 8 if fast else 48  # items of each probe suite
epochs, keep = (1, ()) if fast else (8, (0.25, 0.5))
config = replace(s.training, epochs=epochs, keep=keep)

# %% [markdown]
# ## 1. Your file
#
# A row needs a prompt and a **reference**, the answer that you want. Everything else is optional. In the example a library sorts its mail: 56 messages to four desks, written by hand for this lesson. The next cell copies the file into a work folder, where you can change it.

# %%
import shutil
from pathlib import Path

from sdft_lib.data import data_dir

folder = Path("my_work")
folder.mkdir(exist_ok=True)
example = shutil.copy(data_dir() / "examples" / "desks.csv", folder)
path = Path(my_file or example).expanduser()

# %%
print("\n".join(path.read_text(encoding="utf-8").splitlines()[:4]))

# %% [markdown]
# `load_task` knows the usual names of columns. For the prompt: `instruction`, `prompt` or `question`, and `input` for what goes below it. For the reference: `reference`, `answer`, `output` or `label`. For whole conversations: `messages`. You can map other names: `load_task("mine.csv", columns={"prompt": "frage", "reference": "antwort"})`. If a cell is empty, a quote is broken or the encoding is wrong, `load_task` stops and names the row. It never skips a row silently.
#
# ## 2. The whole way in one cell
#
# Split the file, rewrite, measure the gap, train both ways, compare. The comparison uses the **dev** rows, and the first facts, which are the easiest. Nobody looks at the test rows before section 8.

# %%
import pandas

from sdft_lib.data import load_probes, load_task, task_suite
from sdft_lib.distill import distill
from sdft_lib.evaluate import cut, evaluate
from sdft_lib.gap import gap
from sdft_lib.models import load_seed, with_adapter
from sdft_lib.own_data.split import split_task
from sdft_lib.stats import compare, summarise
from sdft_lib.templates import load_template
from sdft_lib.train import fine_tune

# %%
task = split_task(load_task(path))
seed = load_seed(s.model)
d = distill(seed, task, load_template(my_template), limit=s.train_rows)
print("gap, nats a token:", gap(seed, d).interval)
suites = [task_suite(task, "dev"), cut(load_probes("facts"), few)]
frames = [evaluate(seed, suites, method="seed")]
tuned = {}
for name, column in (("sft", "reference"), ("sdft", "text")):
    run = fine_tune(seed, d.rows, config, column=column, label=name)
    trained = with_adapter(seed, run.adapter, label=name)
    frames.append(evaluate(trained, suites, method=name))
    tuned[name] = run
on_dev = summarise(pandas.concat(frames, ignore_index=True))
on_dev.round(2)

# %% [markdown]
# That is all. The rest of the lesson goes through the same steps slowly and asks at each what can go wrong with *your* file. Every step is stored, so nothing is computed twice.
#
# **Question.** The table has a score for each model on the dev rows. Why is this not the result?
# <details><summary>One answer</summary>You will now use it to choose things: the template, the number of epochs, perhaps the wording of the prompt. A score by which you chose is too good on average. And look at the intervals: so few dev rows can hardly rank two models.</details>

# %% [markdown]
# ## 3. Before you train: will SDFT help?
#
# `outlook` makes a forecast without any training. It measures how much three texts surprise the seed: your references, the training texts of SDFT, and the seed's own answers. The own answers show what is usual for the seed on this task.

# %%
from sdft_lib.own_data.outlook import outlook, remedies

before = outlook(seed, d, limit=few)

# %%
from sdft_lib.lessons.figures import lesson_09 as figures
from sdft_lib.lessons.figures.style import show

show(figures.gap_histogram(before.nats))

# %% [markdown]
# Blue bars far to the right are rows whose rewrite was rejected: SDFT trains on their reference.

# %%
def signs_of(forecast):
    """Print the three signs of an outlook and its advice."""
    for sign in forecast.table.itertuples():
        interval = f"{sign.low:.2f} to {sign.high:.2f}, {sign.n} rows"
        print(f"{sign.name}: {sign.value:.2f} ({interval})")
        print(f"    {sign.says}")
    print("\n" + forecast.advice)


signs_of(before)

# %% [markdown]
# Read the three signs from the top.
#
# 1. **References minus own answers**: how far your references are from the model's own writing. Under 1 nat a token they are near, and rewriting can hardly bring them nearer. SFT may still forget: section 4 has such a task.
# 2. **References minus training text**: the part of this distance that rewriting removes. Its whole interval should be above 0.
# 3. **The share of rewrites kept.** Rejected rows train on their references. Under 0.3 most rows do, and `fine_tune` refuses. Under 0.8, look at the reasons first.
#
# The limits of 1 nat, 0.3 and 0.8 are rules of thumb. The intervals cover the choice of rows. No sign says whether the *task* will be learnt. The signs hint at how much the training will change everything else. Section 4 shows where the hint fails.
#
# **Question.** Your references are paragraphs that a person wrote with care, and the first sign is 0.4. What do you do?
# <details><summary>One answer</summary>Train on them as they are: rewriting would remove their facts and their style. Score what must not be lost all the same, because a small distance is no promise.</details>
#
# ### When few rewrites are kept
#
# Each rejection has a reason, and most reasons have a remedy.

# %%
print(f"kept {d.report['kept']} of {d.report['rows']}")
for line in remedies(d.report) or ["Every rewrite was kept."]:
    print(line)

# %% [markdown]
# Try the remedies in this order:
#
# 1. Read five rejected rewrites.
# 2. Change the template.
# 3. Allow several tries for each row: `distill(..., candidates=4)` takes the first that passes.
# 4. Allow more tokens if answers are long: `decoding=Decoding(max_new_tokens=120)`.
# 5. Take a larger model.
#
# Do **not** weaken a check before you have read what it would let pass.

# %% [markdown]
# ## 4. Predict, run, explain: a second file
#
# Can you trust this forecast? Test it on a file of another kind. The task `calls` comes with the tutorial: the prompt shows a function, and the reference is the right call of it.

# %%
other = load_task("calls")  # or a second file of your own
for row in other.train[:2]:
    print(row["messages"][-1]["content"])
    print("  ->", row["reference"], "\n")

# %% [markdown]
# **Predict.** How far are these references from the seed's own answers, in nats a token? (For the first file you have just seen the number.) Which method will score higher on the task, and which on facts? Write it into the next cell before you go on.

# %%
my_guess = {  # change these
    "distance": 3.0,
    "task": "sdft",
    "facts": "sdft",
}

# %% [markdown]
# First the forecast, then the two trainings, then a table of both files. `distance` is the first sign, `closed` the second, `kept` the third. Below them are the scores of the three models.

# %%
template = load_template("opening")
made = distill(seed, other, template, limit=16 if fast else 80)
ahead = outlook(seed, made, limit=few)
signs_of(ahead)

# %%
both = [cut(task_suite(other, "dev"), few), suites[1]]
frames = [evaluate(seed, both, method="seed")]
for name, column in (("sft", "reference"), ("sdft", "text")):
    rows, training = made.rows, s.training
    run = fine_tune(seed, rows, training, column=column, label=name)
    trained = with_adapter(seed, run.adapter, label=name)
    frames.append(evaluate(trained, both, method=name))
second = summarise(pandas.concat(frames, ignore_index=True))

# %%
lines = {}
for name, told, scores in (
    (task.name, before, on_dev),
    (other.name, ahead, second),
):
    mean = scores.set_index(["suite", "method"])["mean"]
    signs = told.table["value"].tolist()
    names = ("distance", "closed", "kept")
    line = dict(zip(names, signs, strict=True))
    for suite in ("task", "facts"):
        for method in ("seed", "sft", "sdft"):
            line[f"{suite} {method}"] = mean[suite, method]
    lines[name] = line
forecasts = pandas.DataFrame(lines)
forecasts.round(2)

# %%
found = forecasts[other.name]
guess = my_guess["distance"]
print(f"distance: you guessed {guess}, found {found['distance']:.1f}")
for suite in ("task", "facts"):
    sft, sdft = found[f"{suite} sft"], found[f"{suite} sdft"]
    higher = "sdft" if sdft > sft else "sft" if sft > sdft else "equal"
    print(f"{suite}: you guessed {my_guess[suite]}, found {higher}")

# %% [markdown]
# **Explain.** The upper three lines were known before the training, the others came after it. Compare the two files. Where the distance was large, did SFT lose more facts? Where it was small, was there anything left for SDFT to protect? Did rewriting cost something on the task?
#
# <details><summary>What to look for</summary>The prompts of <code>calls</code> already show the name of the function and the values, so the references hardly surprise the seed. One may expect that SFT does no harm here. In the recorded run its facts still fell from 0.85 to 0.52, those of SDFT only to 0.77. After one training on all rows of <code>calls</code>, SFT had lost nearly all facts and SDFT none (lesson 05, section 9). So a small distance is no promise. SDFT had its price: many rewrites were cut, and on the task it scored 0.75 where SFT scored 0.98. All this is one training on few rows: small differences are luck.</details>

# %% [markdown]
# ## 5. Choose a template, on training rows
#
# The template in the first code cell was a guess. Try some on the same training rows. One of them has words of your own task.

# %%
mine = load_template(my_template)
if my_template in ("opening", "explain"):
    words = "This is for {reference}, because"
    mine = load_template("opening")
    mine = replace(mine, name="mine", prefill=words)
tries = [load_template("opening"), load_template("explain"), mine]

# %%
from sdft_lib.distill import keep_table

tried = {}
for template in tries:
    tried[template.name] = distill(seed, task, template, limit=few)
show(figures.keep_rates(keep_table(list(tried.values()))))

# %%
from sdft_lib.lessons.tables import show_html, template_table

by_template = {name: made.rows for name, made in tried.items()}
show_html(template_table(by_template, 0))

# %%
from sdft_lib.lessons.widgets.base import (
    template_explorer,
    widgets_enabled,
)

explorer = template_explorer(by_template) if widgets_enabled() else None
explorer

# %% [markdown]
# Do not choose by the share kept alone. Read the rewrites. If the opening of a template names the answer, most rewrites pass the answer check, whatever follows (lesson 02).
#
# ## 6. Choose the kind, and with it the verifier
#
# The **kind** of your task decides two things: which rewrites may replace a reference (`accept`), and how a test answer is scored (`score`).
#
# | kind | your references | a rewrite and an answer must |
# |---|---|---|
# | `label` | one of a few names | give that name and no other (it may rule others out: "not rooms") |
# | `math` | end in a number | end in the same number |
# | `call` | a function call | call the same function with the same arguments |
# | `fact` | a short answer | contain it |
# | `open` | anything else | be complete and without loops; for the score also have at least 20 words and, if the reference is a short term, name it |
#
# `load_task` guesses the kind and says so. You can set it: `kind="label"`. Before you trust a check, try it on sentences of your own.

# %%
from sdft_lib.verify import accept

choices = task.choices or ("yes", "no")
label, wrong = choices[0], choices[-1]
sentences = [
    f"The answer is {label}, because the message says so.",
    f"It is {label}, not {wrong}.",
    f"{wrong}",
    f"It could be {label} or {wrong}.",
    f"{label} " * 9,
]
for sentence in sentences:
    verdict = accept("label", label, sentence, choices)
    print(f"{verdict.reason:>9}: {sentence[:60]}")

# %% [markdown]
# `open` is the weakest kind: no check says whether a rewrite still *means the same*. If that matters to you, write a check of your own. A row that fails it **falls back**: it trains on its reference. In this example the reason after the label must not repeat the label.


# %%
def falls_back(row):
    """True for a rewrite that says its label more than once."""
    text, label = row["text"].lower(), row["reference"].lower()
    return row["source"] == "rewritten" and text.count(label) > 1


stricter = []
for row in d.rows:
    if falls_back(row):
        row = row | {"text": row["reference"], "source": "original"}
    stricter.append(row)
count = sum(map(falls_back, d.rows))
print(f"{count} of {d.report['kept']} kept rewrites would fall back")

# %% [markdown]
# `fine_tune(seed, stricter, config, column="text")` would train on these rows. No row is ever dropped, because SFT and SDFT must see the same prompts.
#
# **Question.** Suppose that a check drops the hard rows. What happens to the comparison?
# <details><summary>One answer</summary>SDFT would train on the easy rows only, so on other prompts than SFT and with fewer steps. You could not say whether the rewriting or the selection made the difference.</details>

# %% [markdown]
# ## 7. Three splits, three uses
#
# `split_task` took a quarter of the questions for testing and 15 % for choosing, and shared each label out evenly. Rows with the same question stay together. A row's own words and a random seed decide where it goes. So you can add rows next week, and nearly all old rows stay where they are.

# %%
splits = {"train": task.train, "dev": task.dev, "test": task.test}
for name, rows in splits.items():
    counts = pandas.Series([row["reference"] for row in rows])
    common = counts.value_counts().head(6).to_dict()
    print(f"{name:>5}: {len(rows):>3} rows  {common}")

# %% [markdown]
# A split by rows is fair only if rows are independent. Suppose that ten of your rows come from one customer or one document. Then the test has near copies of training rows, and every score is too good. `overlap` counts equal prompts (`duplicates`) and the share of test rows with eight words in a row from a training prompt (`shared_share`). It cannot find copies of meaning. If your rows come in groups, make the files yourself: a folder with `train.csv`, `dev.csv` and `test.csv` is a task, too.

# %%
from sdft_lib.own_data.split import overlap

print("test against train:", overlap(task.train, task.test))

# %% [markdown]
# **Train** is for the weights, **dev** for every choice, **test** for one look at the end. Why only one? Imagine twenty models with the same skill: each tosses a coin for every test row. Somebody tries them all and reports the best.

# %%
import random

coins = random.Random(random_seed)
n, scores = len(task.test), []
for _ in range(20):
    scores.append(sum(coins.random() < 0.5 for _ in task.test) / n)
print(f"{n} test rows: first model {scores[0]:.2f}")
print(f"mean of twenty {sum(scores) / 20:.2f}")
print(f"best of twenty {max(scores):.2f}")

# %% [markdown]
# The best of twenty is luck, and on a small test the luck is large. Each time you look at the test rows and then change something, you draw once more.
#
# ## 8. Choose on dev, then test once
#
# How long should you train? With `keep`, one training also saves adapters on its way, and dev can choose among them. (With `fast=True` there is only the last one.)

# %%
dev = task_suite(task, "dev")
marks = []
for name, run in tuned.items():
    for share, adapter in run.kept.items():
        model_then = with_adapter(seed, adapter, label=name)
        score = evaluate(model_then, [dev], method=name)["score"].mean()
        mark = {"method": name, "share": share, "dev": score}
        marks.append(mark | {"adapter": adapter})

# %%
marks = pandas.DataFrame(marks).sort_values("share")
print(marks.drop(columns="adapter").round(2).to_string(index=False))
best = {}
for name, part in marks.groupby("method", sort=False):
    best[name] = part.loc[part["dev"].idxmax()]
    print(f"{name}: after {best[name]['share']:.0%} of the training")

# %% [markdown]
# If two are equal, the shorter training wins, because it has usually forgotten less. So few dev rows say little. What counts: the choice was made *without* the test rows, and in the same way for both methods. SFT that may stop early is a stronger opponent.
#
# Now the test rows, once, and two probes of what must not be lost. If you can, add a file of questions that your model answers today: `cut(task_suite(split_task(load_task("keep.csv", kind="fact"))), 48)`.

# %%
final = [
    task_suite(task),
    cut(load_probes("facts"), few),
    cut(load_probes("helpful"), few // 2),
]
frames = [evaluate(seed, final, method="seed")]
for name, row in best.items():
    trained = with_adapter(seed, row["adapter"], label=name)
    frames.append(evaluate(trained, final, method=name))
frame = pandas.concat(frames, ignore_index=True)

# %%
summary = summarise(frame)
show(figures.scores(summary))

# %%
show(figures.tradeoff(summary))

# %% [markdown]
# ## 9. What may you say?
#
# Say before the test which difference would matter to you; here it is 0.10. Then the verdict of each paired difference decides which words you may use (lesson 04, section 4). If no difference is shown, the interval decides. An interval may even leave out 0 without a difference being shown: Holm's correction asks more where there are nine differences.

# %%
MARGIN = 0.10


def in_words(row):
    """What a row of `compare`, a minus b, allows you to say about a."""
    if row.low == row.high == 0:
        return "scored the same on every item: nothing is known"
    if row.verdict in ("higher", "lower"):
        return f"is {row.verdict}"
    if row.low > -MARGIN:
        return f"loses less than {MARGIN:.2f}, or nothing"
    return "may be better, equal or worse"


# %%
paired = compare(
    frame, [("sft", "seed"), ("sdft", "seed"), ("sdft", "sft")]
)
for row in paired.itertuples():
    interval = f"{row.low:+.2f} to {row.high:+.2f}, n {row.n}"
    print(f"{row.suite:>8}, {row.a} against {row.b}: {interval}")
    print(f"          {row.a} {in_words(row)}")

# %%
methods = (paired["a"] == "sdft") & (paired["b"] == "sft")
row = paired[methods & (paired["suite"] == "task")].iloc[0]
half, n = (row["high"] - row["low"]) / 2, row["n"]
needed = round(n * (half / (MARGIN / 2)) ** 2)
print(f"On your {n} test rows SDFT minus SFT is known")
print(f"to within {half:.2f} to either side.")
if half > 0:
    print(f"To within {MARGIN / 2:.2f} it would take {needed} rows.")
else:
    print("All rows gave the same difference: take more rows.")

# %%
clear = paired["verdict"].isin(["higher", "lower"])
print(f"After Holm's correction {clear.sum()} of {len(paired)}")
print("differences are shown.")
if s.fast:
    print("Fast mode: too few rows and steps for any of this.")

# %% [markdown]
# A few dozen rows are enough to *use* the method. They are too few to *judge* it: half the width of an interval takes four times the rows. If your file is small, put new rows into the test first. All intervals here cover items. They do not cover the luck of one training (lesson 04, section 4).
#
# **Question.** Suppose that SDFT minus SFT on your task is -0.14 to +0.07, from fourteen rows. Your boss asks whether SDFT "works". What do you say?
# <details><summary>One answer</summary>On the task itself these rows do not tell the two apart. SDFT may lose more than 0.10, and so many rows (say the number) would decide it. If the probes show a difference, add it: it says what each method cost the model elsewhere.</details>

# %% [markdown]
# ## 10. When plain SFT is the better choice
#
# - The model will do nothing but this task, and a program reads the answers. Then you need nothing that it may forget, and a bare label is what you want.
# - SFT keeps what must not be lost, in scores on dev and probes. (A small first sign alone does not show that: section 4.)
# - The model should learn more from the references than the answer: a style, a format or new facts. Rewriting removes these.
# - The model is too weak to rewrite your references, and few rewrites are kept. Better take a larger model.
#
# The same steps from the command line, with a report of all suites:
#
# ```
# sdft run --task my_work/desks.csv --fast --out my-report
# sdft run --task my_work/desks.csv --method sft --method sft-replay --method sdft --out my-report
# ```

# %% [markdown]
# ## Summary
#
# - A CSV with a prompt and a reference is enough.
# - Three numbers say before the training what SDFT can change: how far the references are from the model's own answers, how much of that the rewrites remove, and how many rewrites are kept. Only scores after a training say what SFT forgets.
# - If few rewrites are kept: read the rejected ones, change the template, try several candidates, take a larger model.
# - The kind of the task decides which rewrites may be trained on. A row that fails falls back to its reference.
# - Train is for the weights, dev for every choice, test for one look. With few rows the honest result is a wide interval.
#
# ## Check yourself
#
# 1. One rewrite in four is kept. What is training on these rows?
#    <details><summary>Answer</summary>Mostly SFT: three rows in four train on their reference. <code>fine_tune</code> refuses under 0.3, unless you lower this limit on purpose.</details>
# 2. You tried five templates and took the one with the best test score. What is wrong with that score?
#    <details><summary>Answer</summary>It is the best of five draws, so it is too good on average. Choose on dev. You have already looked at these test rows, so you need new ones.</details>
# 3. Why are rows with the same question never put into different splits?
#    <details><summary>Answer</summary>The test would ask what the training has already answered. It would measure memory, not skill.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 09 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 9.1: questions in both splits
#
# **Goal:** find test questions that training has seen. **Level 1 of 3, about 10 minutes.**
#
# `seen_before(train, test)` takes two lists of questions. It returns those of `test`, in their order, that are also in `train`. Capital letters and blanks at both ends make no difference.
#
# <details><summary>Hint 1</summary>Bring every question into one form first: <code>question.strip().lower()</code>. <details><summary>Hint 2</summary>Put the forms of <code>train</code> into a set, and keep the test questions whose form is in it. Return them as they were written.</details></details>


# %% tags=["exercise"]
def seen_before(train, test):
    """The questions of `test` that are also in `train`."""
    ### BEGIN SOLUTION
    known = {question.strip().lower() for question in train}
    return [
        question
        for question in test
        if question.strip().lower() in known
    ]
    ### END SOLUTION


# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_09 as check

check.exercise_9_1(seen_before)

# %% [markdown]
# ### Exercise 9.2: the score that you may report
#
# **Goal:** choose on dev, report from test. **Level 1 of 3, about 5 minutes.**
#
# `dev` and `test` map the name of each model that you tried to its score. `reported(dev, test)` returns the name of the model with the best dev score and the *test* score of that model. Among equals on dev, take the one that comes first in `dev`.
#
# <details><summary>Hint 1</summary><code>max(dev, key=dev.get)</code> is the first name with the largest value. <details><summary>Hint 2</summary>Do not look at <code>test</code> before the name is chosen.</details></details>


# %% tags=["exercise"]
def reported(dev, test):
    """(name, test score) of the model that dev chose."""
    ### BEGIN SOLUTION
    name = max(dev, key=dev.get)
    return name, test[name]
    ### END SOLUTION


# %% tags=["check"]
check.exercise_9_2(reported)

# %% [markdown]
# ### Exercise 9.3: how many rows do you need?
#
# **Goal:** plan a test before you collect it. **Level 2 of 3, about 10 minutes.**
#
# An interval from `n` rows reaches `half` to either side. `rows_needed(n, half, wanted)` returns how many rows of the same sort make it reach only `wanted`. Round up to a whole number, and never return less than 1.
#
# <details><summary>Hint 1</summary>The width falls with the square root of the rows: half the width takes four times the rows. <details><summary>Hint 2</summary><code>math.ceil(n * (half / wanted) ** 2)</code></details></details>

# %% tags=["exercise"]
import math


def rows_needed(n, half, wanted):
    """Rows for a half width `wanted`, if `n` rows gave `half`."""
    ### BEGIN SOLUTION
    return max(1, math.ceil(n * (half / wanted) ** 2))
    ### END SOLUTION


# %% tags=["check"]
check.exercise_9_3(rows_needed)

# %% [markdown]
# ## Wrap-up quiz: lessons 05 to 09
#
# Two of the questions ask you to compute something: open a new cell for them. Answers are ranges.
#
# <!-- quiz: wrap-up-09 -->

# %% [markdown]
# ## What next
#
# Put your own file into `my_file` and run the lesson again. Lesson 05 compares SDFT with cheaper ways to forget less, such as a smaller learning rate or replay. Lesson 07 trains several tasks one after the other. Lesson 10 is about a larger model on a GPU, and about how many test rows you need.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 60 minutes, half of them on files that students bring. Ask for the files a day before and look at their references. The lesson is dull if all are labels. Collect the guesses of section 4 before you run it.
#
# **What goes wrong most often:** somebody scores the test again "just to see" after a change, and then there is no test left. Let one person keep the test file and give it out at the end. In exercise 9.2 students take the best test score; in 9.3 they forget the square.
#
# **Discussion, "does it work?"** Let each group write the one sentence that its intervals allow. Let another group attack it.
#
# **Expect:** on the example a gap of 4 to 6 nats a token. About four rewrites in five are kept with `opening`; most others were cut. On 14 test rows intervals reach about 0.2 to either side, so usually no difference between SFT and SDFT on the task is shown. On `calls` there is hardly a gap, and `outlook` says that this alone decides nothing.
