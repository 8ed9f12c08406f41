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
# **You will** take a file of your own through gap, template, verifier, training and comparison in twelve lines, learn to tell before any training whether SDFT is likely to help, split the file so that the comparison is fair, and score the test rows once.
#
# **Before you start:** lesson 01 explains the gap, 02 the templates and the checks, 04 the intervals. This lesson runs alone. It brings a small file with it; yours goes in the same place.
#
# **Time:** two to six minutes on two CPU cores the first time (the fewer where they have bf16), 2.4 GB of memory; the measured times of your machine are in `build/report.html`. With `fast=True` everything is done on few rows.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
my_file: str = ""  # your CSV, TSV, JSON or JSONL; empty: the example that comes with this lesson
my_template: str = "opening"  # guide, explain, opening, free-opening or a TOML file of yours
random_seed: int = 0  # decides the adapter's first weights and the order of the rows

# %%
from dataclasses import replace

from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, model=model, seed=random_seed)
few = 8 if fast else 48  # items of each probe suite
config = replace(s.training, epochs=1 if fast else 8, keep=() if fast else (0.25, 0.5))

# %% [markdown]
# ## 1. Your file
#
# A row needs a prompt and a **reference**, the answer that you want. Everything else is optional. The example is a library that sorts its mail: 56 messages, four desks, written by hand for this lesson. The next cell copies it into a work folder, so that you may change it.

# %%
import shutil
from pathlib import Path

from sdft_lib.data import data_dir

folder = Path("my_work")
folder.mkdir(exist_ok=True)
path = Path(my_file).expanduser() if my_file else Path(shutil.copy(data_dir() / "examples" / "desks.csv", folder))

# %%
print("\n".join(path.read_text(encoding="utf-8").splitlines()[:4]))

# %% [markdown]
# `load_task` guesses the usual names of columns: `instruction`, `prompt` or `question` for the prompt, `input` for what goes below it, `reference`, `answer`, `output` or `label` for the reference, and whole conversations under `messages`. Other names are mapped: `load_task("mine.csv", columns={"prompt": "frage", "reference": "antwort"})`. An empty cell, a broken quote or a wrong encoding is refused with the row's number, never skipped in silence.
#
# ## 2. The whole way in twelve lines
#
# Split, gap, template, verifier, training, comparison. The comparison looks at the **dev** rows; the test rows wait until section 7.

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
for label, column in (("sft", "reference"), ("sdft", "text")):
    tuned[label] = fine_tune(seed, d.rows, config, column=column, label=label)
    frames.append(evaluate(with_adapter(seed, tuned[label].adapter, label=label), suites, method=label))
frame = pandas.concat(frames, ignore_index=True)
summarise(frame).round(2)

# %% [markdown]
# That is all. The rest of the lesson takes the same steps slowly and asks at each what can go wrong with *your* file. Nothing is computed twice: every step above is in the store.
#
# **Question.** The table has a score for each model on the dev rows. Why is this not the result?
# <details><summary>One answer</summary>Because you will now choose things by it: the template, the number of epochs, perhaps the wording of the prompt. A score by which something was chosen is too good on average. And look at the intervals: so few dev rows can hardly rank two models.</details>

# %% [markdown]
# ## 3. Before you train: will SDFT help?
#
# This can be asked for the price of some forward passes. Three texts under the seed model, each given the prompt alone: your references, the training text of SDFT (rewrites, and references where a rewrite was rejected), and the seed's own answers, which show what "its own manner" costs on this task.

# %%
from sdft_lib.own_data.outlook import outlook, remedies

before = outlook(seed, d, limit=few)

# %%
from sdft_lib.lessons.figures import lesson_09 as figures
from sdft_lib.lessons.figures.style import show

show(figures.gap_histogram(before.nats))

# %%
for sign in before.table.itertuples():
    print(f"{sign.name}: {sign.value:.2f} ({sign.low:.2f} to {sign.high:.2f}, {sign.n} rows)\n  {sign.says}")
print("\n" + before.advice)

# %% [markdown]
# Read the three signs from the top.
#
# 1. **References minus own answers** is the room for improvement. If it is under 1 nat a token, each token of a reference is, on (geometric) average, less than about three times as *unlikely* as the model's own words. Then SFT hardly has to change the model's manner, and SDFT has little to add.
# 2. **References minus training text** is the part that rewriting takes away, fallbacks included. Its interval should lie clearly above 0.
# 3. **The share kept** says whether SDFT is SDFT. Under 0.3, `fine_tune` refuses; under 0.8, look at the reasons first.
#
# The bounds of 1 nat, 0.3 and 0.8 are rules of thumb, no laws; the intervals cover rows, as always. And none of the signs says that the *task* will be learnt. They tell you how hard the training will pull at everything else.
#
# **Question.** Your references are paragraphs that a person wrote with care, and the first sign is 0.4. What do you do?
# <details><summary>One answer</summary>Train on them as they are. Rewriting would cost you their facts and their style and buy almost nothing.</details>
#
# ### When few rewrites are kept
#
# Each rejection has a reason, and most reasons have a remedy.

# %%
print(f"kept {d.report['kept']} of {d.report['rows']}")
print("\n".join(remedies(d.report)) or "Every rewrite was kept; there is nothing to mend.")

# %% [markdown]
# In this order: read five rejected rewrites; change the template; allow several tries for each row (`distill(..., candidates=4)` takes the first that passes); give more tokens (`decoding=Decoding(max_new_tokens=120)`) where answers are long; take a larger model. Do **not** loosen a check until you have read what it would let in.

# %% [markdown]
# ## 4. Choose a template, on training rows
#
# The template named in the parameters was a guess. Try some on the same training rows, one of them in the words of your own task.

# %%
mine = load_template(my_template) if my_template not in ("opening", "explain") else replace(
    load_template("opening"), name="mine", prefill="This is for {reference}, because"
)  # fmt: skip
tries = [load_template("opening"), load_template("explain"), mine]

# %%
from sdft_lib.distill import keep_table

tried = {template.name: distill(seed, task, template, limit=few) for template in tries}
show(figures.keep_rates(keep_table(list(tried.values()))))

# %%
from sdft_lib.lessons.tables import show_html, template_table

by_template = {name: made.rows for name, made in tried.items()}
show_html(template_table(by_template, 0))

# %%
from sdft_lib.lessons.widgets.base import template_explorer, widgets_enabled

explorer = template_explorer(by_template) if widgets_enabled() else None
explorer

# %% [markdown]
# Choose by what you read, not by the longest bar alone: a template whose opening names the answer passes the answer check almost always (lesson 02).
#
# ## 5. Choose the kind, and with it the verifier
#
# The **kind** of your task decides two things: which rewrites may replace a reference (`accept`), and how a test answer is scored (`score`).
#
# | kind | your references | a rewrite and an answer must |
# |---|---|---|
# | `label` | one of a few names | settle on that name and no other |
# | `math` | end in a number | end in the same number |
# | `call` | a function call | call the same function with the same arguments |
# | `fact` | a short answer | contain it |
# | `open` | anything else | be whole, free of loops; for the score at least 20 words and, if the reference is a short term, name it |
#
# `load_task` guesses the kind and says so; `kind="label"` decides it. Try the verifier on sentences of your own before you trust it.

# %%
from sdft_lib.verify import accept

label, other = task.choices[0] if task.choices else "yes", task.choices[-1] if task.choices else "no"
sentences = [f"The answer is {label}, because the message says so.", f"It is {label}, not {other}.", f"{other}",
             f"It could be {label} or {other}.", f"{label} " * 9]  # fmt: skip
for sentence in sentences:
    print(f"{accept('label', label, sentence, task.choices or ('yes', 'no')).reason:>9}: {sentence[:60]}")

# %% [markdown]
# `open` is the weakest kind: nothing checks whether a rewrite still *says the same*. If that matters, write a check of your own and let rows that fail it fall back to the reference. Here is one that a human eye would ask for: the reason must not quote the label's name a second time.

# %%
def falls_back(row):
    """True for a rewrite that says its label more than once."""
    return row["source"] == "rewritten" and row["text"].lower().count(row["reference"].lower()) > 1


stricter = [row | {"text": row["reference"], "source": "original", "reason": "mine"} if falls_back(row) else row
            for row in d.rows]  # fmt: skip
print(f"{sum(map(falls_back, d.rows))} of {d.report['kept']} kept rewrites would fall back")

# %% [markdown]
# `fine_tune(seed, stricter, config, column="text")` would train on these rows. Rows fall back, they are never dropped: SFT and SDFT must see the same prompts.
#
# **Question.** What would a check that drops the hard rows do to the comparison?
# <details><summary>One answer</summary>SDFT would train on the easy rows only, with other prompts than SFT and fewer steps. Whatever came out, you could not say whether the rewriting or the selection did it.</details>

# %% [markdown]
# ## 6. Three splits, three uses
#
# `split_task` took a quarter of the questions for testing and 15 % for choosing, each label in its share. Rows with the same question stay together, and the place of a row follows from its own words and the seed: add rows next week, and the old ones hardly move.

# %%
for name, rows in (("train", task.train), ("dev", task.dev), ("test", task.test)):
    counts = pandas.Series([row["reference"] for row in rows]).value_counts()
    print(f"{name:>5}: {len(rows):>3} rows  " + ", ".join(f"{key} {value}" for key, value in counts.head(6).items()))

# %% [markdown]
# A split by rows is fair only if rows are independent. If ten of yours come from one customer or one document, the test contains near copies of training rows, and every score is too good. `overlap` finds copies of words; it cannot find copies of meaning. When rows come in groups, make the files yourself: a folder with `train.csv`, `dev.csv` and `test.csv` is a task too.

# %%
from sdft_lib.own_data.split import overlap

print("test against train:", overlap(task.train, task.test))

# %% [markdown]
# **Train** is for the weights, **dev** for every choice, **test** for one look at the end. Why only one? Here are twenty models that all have the same skill: each answers every test row by the toss of a coin. Whoever tries them all and reports the best will report this.

# %%
import random

coins = random.Random(random_seed)
scores = [sum(coins.random() < 0.5 for _ in task.test) / len(task.test) for _ in range(20)]
print(f"{len(task.test)} test rows: first model {scores[0]:.2f}, mean of twenty {sum(scores) / 20:.2f}, "
      f"best of twenty {max(scores):.2f}")  # fmt: skip

# %% [markdown]
# The best of twenty is luck, and on a small test the luck is large. Each look at the test rows by which you change something is such a draw.
#
# ## 7. Choose on dev, then test once
#
# How long should you train? With `keep`, one training leaves adapters along the way, so that dev can choose among them. (With `fast=True` there is only the last one.)

# %%
dev = task_suite(task, "dev")
marks = []
for label, run in tuned.items():
    for share, adapter in run.kept.items():
        rows = evaluate(with_adapter(seed, adapter, label=label), [dev], method=label)
        marks.append({"method": label, "share": share, "adapter": adapter, "dev": rows["score"].mean()})

# %%
marks = pandas.DataFrame(marks).sort_values("share")
print(marks.drop(columns="adapter").round(2).to_string(index=False))
best = {label: part.loc[part["dev"].idxmax()] for label, part in marks.groupby("method", sort=False)}
print({label: f"after {row['share']:.0%} of the training" for label, row in best.items()})

# %% [markdown]
# Among equals the shortest training wins, because it has forgotten least. With so few dev rows there are many equals, so do not read much into the choice. What matters is that it was made *without* the test rows, and for both methods alike: SFT that may stop early is a stronger opponent than SFT that may not.
#
# Now the test rows, once, and two probes of what must not be lost. Add one of your own if you can: a small file of questions that your model answers today, `cut(task_suite(split_task(load_task("keep.csv", kind="fact"))), 48)`.

# %%
final = [task_suite(task), cut(load_probes("facts"), few), cut(load_probes("helpful"), few // 2)]
frames = [evaluate(seed, final, method="seed")]
for label in tuned:
    frames.append(evaluate(with_adapter(seed, best[label]["adapter"], label=label), final, method=label))
frame = pandas.concat(frames, ignore_index=True)

# %%
summary = summarise(frame)
show(figures.scores(summary))

# %%
show(figures.tradeoff(summary))

# %% [markdown]
# ## 8. What may you say?
#
# Say beforehand which difference would matter to you; here it is 0.10. Then let the verdict of each paired difference decide on the words (lesson 04, section 4), and where it shows nothing, its interval.

# %%
MARGIN = 0.10


def in_words(row):
    """What a row of `compare`, a minus b, allows you to say about a."""
    if row.low == row.high == 0:
        return "scored the same on every item, which rules nothing out"
    if row.verdict in ("higher", "lower"):
        return f"is {row.verdict}"
    return f"loses less than {MARGIN:.2f}, if anything" if row.low > -MARGIN else "may be better, equal or worse"

# %%
paired = compare(frame, [("sft", "seed"), ("sdft", "seed"), ("sdft", "sft")])
for row in paired.itertuples():
    said = in_words(row)
    print(f"{row.suite:>8}: {row.a} against {row.b}: {row.a} {said} ({row.low:+.2f} to {row.high:+.2f}, n {row.n})")

# %%
row = paired[(paired["suite"] == "task") & (paired["a"] == "sdft") & (paired["b"] == "sft")].iloc[0]
half = (row["high"] - row["low"]) / 2
needed = round(row["n"] * (half / (MARGIN / 2)) ** 2)
if half > 0:
    print(f"SDFT minus SFT on your task is known to within {half:.2f}, from {row['n']} test rows.")
    print(f"For {MARGIN / 2:.2f} you would need about {needed} rows of the same sort.")
else:
    print("Every test row gave the same difference, so the interval knows nothing of other rows: take more.")

# %%
shown = paired["verdict"].isin(["higher", "lower"])
print(f"After Holm's correction {shown.sum()} of {len(paired)} differences are shown.")
if s.fast:
    print("Fast mode: too few rows and steps for any of this. Run the default mode before you quote it.")

# %% [markdown]
# A few dozen rows are enough to *use* the method, and too few to *judge* it. A width shrinks with the square root of the rows: half the width takes four times the rows. If your file is small, spend new rows on the test first. And all intervals here cover items; the luck of one training is not in them (lesson 04, section 4).
#
# **Question.** SDFT against SFT on your task: -0.14 to +0.07, fourteen rows. Your boss asks whether SDFT "works". What do you say?
# <details><summary>One answer</summary>That on the task itself the rows do not tell the two apart, that a loss of more than 0.10 cannot be ruled out, and how many rows would settle it. If the probes show a clear difference, that part of the answer is ready: what each method cost the model elsewhere.</details>

# %% [markdown]
# ## 9. When plain SFT is the better choice
#
# - The model will do nothing but this task, and a program reads the answers: then nothing is lost by forgetting, and a bare label is what you want.
# - The first sign of section 3 is small: there is no gap to close.
# - The references hold something that you want the model to learn besides the answer: a style, a format or new facts. Rewriting removes it.
# - The model is too weak for your task: it cannot reword what it does not understand, and few rewrites are kept. Take a larger one.
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
# - A CSV with a prompt and a reference is enough; names of columns are guessed or mapped, and broken rows are refused.
# - Before training, three numbers tell whether SDFT has room: how far the references lie from the model's own answers, how much of that the rewrites take away, and how many are kept.
# - Few rewrites kept: read the rejected ones, then mend the template, then try several candidates, then take a larger model.
# - Kind and verifier decide what may be trained on; rows that fail fall back, they are never dropped.
# - Train for the weights, dev for every choice, test for one look. With few rows the honest result is an interval that is wide.
#
# ## Check yourself
#
# 1. Your keep rate is 0.25. What does training on these rows amount to?
#    <details><summary>Answer</summary>Mostly to SFT: three rows in four train on their reference. <code>fine_tune</code> refuses under 0.3, unless you lower the floor on purpose.</details>
# 2. You tried five templates and took the one with the best test score. What is wrong with that score?
#    <details><summary>Answer</summary>It is the best of five draws, so it is too good on average. Choose on dev; if the test was looked at, you need new test rows.</details>
# 3. Why are rows with the same question never put into different splits?
#    <details><summary>Answer</summary>The test would ask what training has answered: it would measure memory and not skill.</details>

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
# `seen_before(train, test)` takes two lists of questions and returns those of `test`, in their order, that also stand in `train`. Capital letters, and blanks at both ends, make no difference.
#
# <details><summary>Hint 1</summary>Bring every question into one form first: <code>question.strip().lower()</code>. <details><summary>Hint 2</summary>Put the forms of <code>train</code> into a set, and keep the test questions whose form is in it. Return them as they were written.</details></details>

# %% tags=["exercise"]
def seen_before(train, test):
    """The questions of `test` that `train` has too, as they stand in `test`."""
    ### BEGIN SOLUTION
    known = {question.strip().lower() for question in train}
    return [question for question in test if question.strip().lower() in known]
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
# An interval from `n` rows has the half width `half`. `rows_needed(n, half, wanted)` returns how many rows of the same sort would bring it down to `wanted`, rounded up to a whole number, and never less than 1.
#
# <details><summary>Hint 1</summary>The width falls with the square root of the rows: half the width takes four times the rows. <details><summary>Hint 2</summary><code>math.ceil(n * (half / wanted) ** 2)</code></details></details>

# %% tags=["exercise"]
import math


def rows_needed(n, half, wanted):
    """Rows for an interval of half width `wanted`, if `n` rows gave `half`."""
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
# Put your own file into `my_file` and run the lesson again. To hold SDFT against cheaper ways of forgetting less, such as a smaller learning rate or replay, go to lesson 05; for several tasks one after the other, to lesson 07; for a larger model on a GPU, and for how many test rows you need, to lesson 10.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 60 minutes, half of them on files that students bring. Ask for the files a day before and look at their references: the lesson is dull if all are labels.
#
# **What goes wrong most often:** the test is scored again "just to see" after a change; then the class has no test left. Let somebody keep the test file and hand it out at the end. In exercise 9.2 the best test score is taken; in 7.3 the square is forgotten.
#
# **Discussion, "does it work?"** Let each group write the one sentence that its intervals allow, and let another group attack it.
#
# **Expect:** on the example a gap of 4 to 6 nats a token and about three rewrites in four kept with `opening`, most of the others cut by their length; on 14 test rows intervals that are 0.2 to 0.3 wide on either side, so usually no clear difference between SFT and SDFT on the task.
