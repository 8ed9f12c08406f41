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
# # 04 Evaluation: what was kept? Forgotten, or only muted?
#
# **You will** ask four models the same questions, read every difference with its interval, tell lost knowledge from lost form, and find where SDFT loses.
#
# **Before you start:** lesson 03 makes two of the models. This lesson trains a third one and runs alone. It takes the others from the store, or makes them.
#
# **Time:** 5 to 12 minutes on two CPU cores after lessons 02 and 03, 2.5 GB of memory; 5 minutes where the cores compute in bf16. Without those lessons, their time comes on top. It takes under a minute when the store holds models and answers. With `fast=True` a suite has a few items: all cells run, and nothing can be concluded.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset, a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a folder of yours
random_seed: int = 0  # decides the first weights and the order of rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(
    fast=fast, task=task_name, model=model, seed=random_seed
)

# %% [markdown]
# ## 1. Four models
#
# The steps of lessons 02 and 03, in two cells: rewrite, then train.

# %%
from sdft_lib.data import load_task
from sdft_lib.distill import distill
from sdft_lib.models import load_seed, with_adapter
from sdft_lib.templates import TEMPLATES
from sdft_lib.train import fine_tune

seed = load_seed(s.model)
task = load_task(s.task)
d = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows)

# %%
sft = fine_tune(
    seed, d.rows, s.training, column="reference", label="sft"
)
sdft = fine_tune(seed, d.rows, s.training, column="text", label="sdft")

# %% [markdown]
# SFT trains on a word, SDFT on a sentence. So SDFT might keep more for a dull reason: a sentence is more like an ordinary answer than a bare word is. A **control** is a training that changes this one thing. Here it is the **fixed sentence**: each reference stands in "The answer is ….", the same for all rows. The model chose none of its words.

# %%
fixed = []
for row in d.rows:
    fixed.append(row | {"text": f"The answer is {row['reference']}."})
sentence = fine_tune(
    seed, fixed, s.training, column="text", label="sft-sentence"
)

# %%
for name, rows in (("sft-sentence", fixed), ("sdft", d.rows)):
    print(f"{name:>12}: {rows[0]['text']}")

# %%
trained = {"sft": sft, "sft-sentence": sentence, "sdft": sdft}
models = {"seed": seed}
for name, tuned in trained.items():
    models[name] = with_adapter(seed, tuned.adapter, label=name)

# %% [markdown]
# ## 2. One test, three probes
#
# A **suite** is a set of questions that are scored one by one. The suite `task` says what was learnt (**acquisition**). Training never saw the wording of its questions. The other suites are **probes**. Nobody trained on them, and a loss there is **forgetting**. In each suite, higher is better.
#
# | suite | a point is given for |
# |---|---|
# | `task` | the right answer to a test item |
# | `facts` | an accepted answer to an easy question |
# | `helpful` | an answer to an open request: finished, no loop, at least 20 words, on the subject |
# | `instructions` | a rule that is kept, such as a number of words; a program checks it |

# %%
from sdft_lib.data import ABILITIES
from sdft_lib.evaluate import any_length, cut, evaluate, suites

chosen = suites(s, task, probes=ABILITIES)
for suite in chosen:
    print(f"{suite.name:>12}: {len(suite.rows):>3} items")

# %% [markdown]
# Two more probes, `safety` and `benign`, are about refusals of harmful and of harmless requests. The seed refuses next to nothing, so it has no such habit to lose. Their scores are in `build/report.html`, and nothing is compared. Lesson 06 asks about safety, with a seed that was first taught to refuse.
#
# ### Say what you will compare, before you look
#
# With four models and four suites you can find *some* difference that looks good, by luck alone. So write down now which ones count. Keep the list short: each further test makes the correction for luck (section 4) stricter for all the others. Here SDFT is held against both other trainings, and each training against the seed.

# %%
pairs = [("sdft", "sft"), ("sdft", "sft-sentence")]
pairs += [("sft", "seed"), ("sft-sentence", "seed"), ("sdft", "seed")]

# %% [markdown]
# **Your prediction.** The seed knows a little over half of the facts. How many are left after SFT, after the fixed sentence, after SDFT? Write three shares into the next cell, between 0 and 1.

# %%
my_guess = {  # change these
    "sft": 0.5,
    "sft-sentence": 0.5,
    "sdft": 0.5,
}

# %% [markdown]
# Each model answers greedily: it always takes the likeliest next token. So a second run on the same machine gives the same answers.

# %%
import pandas

frames = []
for name, each in models.items():
    frames.append(evaluate(each, chosen, method=name))
frame = pandas.concat(frames, ignore_index=True)

# %% [markdown]
# ## 3. The result

# %%
from sdft_lib.lessons.figures import lesson_04 as figures
from sdft_lib.lessons.figures.style import show
from sdft_lib.stats import summarise

summary = summarise(frame)
show(figures.headline(summary))

# %% [markdown]
# On the left is what was learnt. All three trainings should lie far above the seed. On the right is what was kept. Look which of them stayed near the seed. Here are your numbers beside the outcome:

# %%
facts = summary[summary["suite"] == "facts"]
kept = facts.set_index("method")["mean"]
for name, guess in my_guess.items():
    found = f"found {kept[name]:.2f}"
    print(f"{name:>12}: you guessed {guess:.2f}, {found}")

# %% [markdown]
# That was one training of each method. We recorded more of them:

# %%
from sdft_lib.lessons import claims

for suite in ("task", "facts"):
    print(claims.in_the_recorded_run(suite, trained, s.task, s.model))

# %% [markdown]
# The fixed sentence tells how much of SDFT's advantage is merely "a sentence in place of a word". The rest need *not* come from "its own words": SDFT's sentences are also longer, and they differ from each other. Lesson 05 takes these causes apart.
#
# All four suites as a table:

# %%
summary.round(2)

# %% [markdown]
# Look at the seed's own score before you read a difference. In a suite where the seed is near 0, no loss can show.
#
# ### How many questions were asked?
#
# The 240 test rows of `tickets` ask about 72 **scenarios**, each in two to four wordings. A model that gets one wording right mostly gets the others right. So the **independent unit** is the scenario, not the row. To find an interval, a program draws as many questions at random, with repeats, and takes their mean. It does this thousands of times. The interval holds the middle 95 % of these means. Here whole scenarios are drawn. In the table, `n` counts the rows and `units` the scenarios. Where each row is a unit, a formula gives the interval (exercise 4.2).

# %%
from sdft_lib.stats import bootstrap_mean

own = frame[(frame["suite"] == "task") & (frame["method"] == "sdft")]
by_row = bootstrap_mean(own["score"])
whole = bootstrap_mean(own["score"], units=own["unit"])
print(f"SDFT on task, every row by itself: {by_row}")
print(f"{own['unit'].nunique()} scenarios drawn as a whole: {whole}")

# %% [markdown]
# Where scenarios have several rows, the second interval is wider. The first one claims more questions than were asked.
#
# **Question.** Two intervals in the figure overlap. Are the two models equally good?
# <details><summary>One answer</summary>You cannot tell from that. Each interval says how well one model's share is known. But the models answered the <em>same</em> items, and an item that is hard for one is often hard for the other. Differences item by item remove this shared part. So a difference can be clear although the intervals overlap. The next section takes such differences.</details>

# %% [markdown]
# ## 4. Paired differences
#
# Five pairs on four suites make 20 tests. `compare` takes the difference on each item and draws the units anew for an interval. It also tests whether the two models could be equally good. The result is a number p: how often luck alone would give a difference as large. If all models were equally good, about one test in 20 would still have p under 0.05. **Holm's correction** makes up for that (`p_holm`): exercise 4.3 shows how. The column `verdict` follows from `p_holm`.

# %%
from sdft_lib.stats import compare

paired = compare(frame, pairs)
columns = ["suite", "a", "b", "n", "low", "high", "p_holm", "verdict"]
paired[columns].round(3)

# %% [markdown]
# A row is about a minus b: `low` and `high` are the ends of the 95 % interval of this difference.
#
# An interval may lie wholly on one side of 0 while the verdict is "no difference is shown". It is one interval of twenty, and only the verdict is corrected for that.
#
# This verdict does not mean "equal". With 64 items, a true difference of 0.10 can easily stay hidden. To argue that SDFT is *no worse*, look at the lower end of the interval. Could you live with a loss of that size? A suite in which all models are near 0 or near 1 tests nothing. Its verdict says so.
#
# ### What these intervals cover, and what they leave out
#
# - **Covered:** the luck of which items are in the suite.
# - **Left out:** the luck of training. Each method was trained *once*, with one `random_seed`. Another training seed gives another model, and scores may change as much as some differences above. Try two or three seeds before you believe a small effect.
# - **Left out, too:** other tasks, templates, models and budgets. SFT that is stopped earlier forgets less and learns less. Lesson 05 shows what it keeps at the same task score.
#
# **Question.** Why does it not help to evaluate twice?
# <details><summary>One answer</summary>Greedy decoding gives the same answers again: twice the rows, and no new information. Only new items or newly trained models add some.</details>
#
# **Question.** A method keeps all the facts and learns half of the task. Is it better than SFT?
# <details><summary>One answer</summary>You cannot say. It made another bargain: training less also forgets less. Compare methods where they have learnt <em>equally much</em>, and look at what each of them lost. That is why "SDFT learns the task to within 0.10 of SFT" is one of the claims below.</details>

# %% [markdown]
# ## 5. Forgotten, or muted?
#
# A model that says "billing" to every question scores 0 on facts, whether it has lost them or not. Perhaps it only lost the habit of answering. Then its facts are **muted**, not forgotten. So look again in a way that forgives the form:
#
# - **facts, opened:** the answer is begun for the model with "The answer is". It only has to go on.
# - **helpful and instructions, any length:** the same answers as before, scored without the rules about the number of words. Where such a rule is all that an instruction asks, the item is left out.

# %%
from sdft_lib.data import load_probes

opened = load_probes("facts", opening="The answer is")
opened = cut(opened, s.limits.get("facts"))
frames = []
for name, each in models.items():
    frames.append(evaluate(each, [opened], method=name))

# %%
twins = []
for suite in chosen:
    for name in models:
        is_asked = frame["suite"] == suite.name
        rows = frame[is_asked & (frame["method"] == name)]
        twins += any_length(suite, rows.to_dict("records"))
frames.append(pandas.DataFrame(twins))
forgiven = pandas.concat(frames, ignore_index=True)

# %%
show(figures.muted(summarise(pandas.concat([frame, forgiven]))))

# %% [markdown]
# Filled marks are the old scores, open marks those with the form forgiven. Is an open mark far to the right of its filled one? Then the answer was there, and only its form was lost. Does an open mark stay far left of the seed's open mark? Then forgiving the form does not bring the ability back. The seed's own two marks differ, too: the begun answer suits it less, and some `instructions` are left out. Nine tests against the seed decide what may be said. They have a correction of their own.

# %%
from sdft_lib.evaluate import TWINS

again = compare(forgiven, pairs[2:])
verdicts = {}
for row in [*paired.itertuples(), *again.itertuples()]:
    if row.b == "seed":
        verdicts[row.suite, row.a] = row.verdict
rows = []
for suite, twin in TWINS.items():
    for name in trained:
        row = {"suite": suite, "against the seed": name}
        row |= {"as it is": verdicts[suite, name]}
        rows.append(row | {"form forgiven": verdicts[twin, name]})
pandas.DataFrame(rows)

# %% [markdown]
# "Lower" both times: not only the form was lost. "Lower", then "no difference is shown": the form was part of the loss, and what is left of it may be too small for so few items to show.
#
# **Question.** Facts are "lower" both times after SFT. Are they gone from the weights?
# <details><summary>One answer</summary>That is more than was shown. One opening does not bring them back. Another opening, a few examples in the prompt, or a short training on something else might. You may write: the model no longer gives them, not even when the answer is begun for it.</details>

# %% [markdown]
# ## 6. The verdict in words
#
# A program checks eight claims, so that nobody rounds in their own favour. Those about SFT and SDFT were written down before the first test. Those about the fixed sentence were written down after a pilot, a small trial with one training seed. Below each claim is what was measured: the two ends of its 95 % interval. (The share of rewrites kept is a plain count, so its ends are equal.)

# %%
from sdft_lib.gap import gap

g = gap(seed, d)
declared = claims.claims(g.interval, d.report["keep_rate"], paired)
for c in declared:
    mark = "reached" if c["reached"] else "NOT REACHED"
    print(f"{mark:>11}: {c['claim']}")
    print(f"{'':>13}measured {c['low']:.2f} to {c['high']:.2f}")

# %%
reached = sum(c["reached"] for c in declared)
print(f"{reached} of {len(declared)} claims reached.")
if s.fast:
    print("Fast mode: too few items and rows for any of this.")
    print("Run the default mode before you quote it.")

# %% [markdown]
# A claim that was not reached is a result, too. It goes into `build/summary.json` under `not_reached`, with its value and the reason. It need not be false: look how much of its interval fits the claim. If SDFT missed one about the task, it may have kept more partly because it learnt less. Lesson 05 compares methods where they learnt equally much.

# %% [markdown]
# ## 7. What SDFT costs
#
# SDFT is SFT with a step in front: the seed writes every target anew. The new targets are longer, so each training step should take longer, too.

# %%
cost = {"sft": {}, "sft-sentence": {}, "sdft": {}}
cost["sdft"]["rewriting"] = d.report["seconds"]
for name, tuned in trained.items():
    cost[name]["training"] = tuned.record["seconds"]
show(figures.cost_bars(cost))

# %%
ratio = sum(cost["sdft"].values()) / sum(cost["sft"].values())
print(f"SDFT takes {ratio:.1f} times as long as SFT.")
print(f"The rewrites have {d.report['tokens']} tokens.")
for name, tuned in trained.items():
    print(f"{name} trains on {tuned.record['trained_tokens']} tokens.")

# %% [markdown]
# The seconds are those of the run that made each part. Other programs on the machine make a bar longer; the tokens do not depend on them. Trained tokens are more than those of the rewrites: each row is trained twice, and the words of the template and the end of the turn count, too. Answers may cost more as well, for as long as the model is used. Look at their lengths in words:

# %%
answers = frame[frame["suite"] == "task"]
words = answers.groupby("method", sort=False)["words"]
words.agg(["mean", "min", "max"]).round(1)

# %% [markdown]
# **Question.** A program reads the answer and wants the bare label. Is a sentence still a gain?
# <details><summary>One answer</summary>Perhaps not. It costs more tokens for each message, and you need a parser that finds the label. If the model does nothing else, forgetting does not matter, and plain SFT may be the better choice.</details>

# %% [markdown]
# ## 8. Where SDFT loses
#
# Look for it on purpose. In these comparisons SDFT scored lower. The largest loss comes first.

# %%
lost = paired[(paired["a"] == "sdft") & (paired["difference"] < 0)]
for row in lost.sort_values("difference").itertuples():
    below = f"{-row.difference:.2f} below {row.b} (n {row.n})"
    print(f"On {row.suite}, SDFT is {below}: {row.verdict}.")
if lost.empty:
    print("In this run SDFT scored lower nowhere.")
    print("Could the suites have shown it?")

# %% [markdown]
# "Lower" than `seed` is forgetting that SDFT did not prevent. "Lower" than another training on `task` is the price of a target that holds more than the answer.
#
# **Question.** Name one way in which SDFT must lose that no suite here can show.
# <details><summary>One answer</summary>It loses what the references taught beyond the answer. They may have a style or a format, or hold facts, that the model is to take over. The rewrites have smoothed that away. And if an error of the seed passes the checks, it is trained in.</details>

# %% [markdown]
# ## 9. Side by side
#
# Numbers tell you how often. Answers tell you *how*. First an item of the task, then an open request.

# %%
from sdft_lib.lessons.tables import answer_table, show_html

prompts = {}
for suite in chosen:
    for row in suite.rows:
        prompts[row["id"]] = row["messages"]
show_html(answer_table(frame, "task", 0, prompts))

# %%
show_html(answer_table(frame, "helpful", 0, prompts))

# %% [markdown]
# Now an item on which SFT and SDFT differ: the first fact that one of them knows and the other does not, if there is one.

# %%
facts = frame[frame["suite"] == "facts"].sort_values("id")
wide = facts.pivot(index="id", columns="method", values="score")
differ = (wide["sft"] != wide["sdft"]).tolist()
print(f"They differ on {sum(differ)} of {len(wide)} facts.")
place = differ.index(True) if any(differ) else 0
show_html(answer_table(facts, "facts", place, prompts))

# %% [markdown]
# Where widgets are on, the next cell lets you turn the pages of every suite.

# %%
from sdft_lib.lessons.widgets import base as widgets

browser = None
if widgets.widgets_enabled():
    browser = widgets.answer_browser(frame, prompts=prompts)
browser

# %%
scores = frame[(frame["suite"] == "task") & (frame["method"] == "sdft")]
wrong = (scores["score"] < 1).tolist()
places = [place for place, is_wrong in enumerate(wrong) if is_wrong]
print("places of items that SDFT got wrong:", places[:10])

# %% [markdown]
# **Question.** Look at three task items that SDFT got wrong. (Without widgets, put their places into `answer_table(frame, "task", 0, prompts)` above.) Are they errors of knowledge, of form, or of the scorer?
# <details><summary>One answer</summary>Look at the text before the score. An answer that names two teams scores 0 unless it says which is final. One that is cut off scores 0, too. Both are errors of form. A wrong team is an error of knowledge. If you would have called an answer right, you found a limit of the scorer. Write it down, and do not mend the scorer for one method only.</details>

# %% [markdown]
# ## 10. Predict, run, explain: half of the rows
#
# What would less training do? Take SFT and every second of its rows. Then there are half as many steps, too. SFT lost most of the facts. Will it lose half as many now? **Predict first:** write down the scores that you expect on the task and on facts, between 0 and 1.

# %%
my_guess = {"task": 0.5, "facts": 0.3}  # change these

# %%
half = fine_tune(
    seed, d.rows[::2], s.training, column="reference", label="sft-half"
)
models["sft-half"] = with_adapter(seed, half.adapter, label="sft-half")

# %%
asked = [suite for suite in chosen if suite.name in my_guess]
again = evaluate(models["sft-half"], asked, method="sft-half")
scores = pandas.concat([frame, again])
means = scores.groupby(["suite", "method"])["score"].mean()
for suite, guess in my_guess.items():
    print(f"{suite}: you guessed {guess:.2f}")
    for name in ("seed", "sft-half", "sft", "sdft"):
        print(f"{name:>12}: {means[suite, name]:.2f}")

# %% [markdown]
# **Explain.** Compare two differences: from the seed to half of the rows, and from there to all rows. Which one is larger, on the task and on facts? What does that say about *when* SFT forgets?
# <details><summary>What to look for</summary>If most facts are lost after half of the rows, forgetting comes early. Lesson 01 gave a reason: the model first learns the manner, one word and stop. Then fewer rows are no remedy. If many facts are still there, look at the task: who learns less also forgets less. Lesson 05 compares methods where they learnt equally much.</details>
#
# **Another one.** How much is luck? Train SFT once more on *all* rows with another training seed. In the cell of `half`, put `d.rows` in place of `d.rows[::2]`, and `replace(s.training, seed=1)` in place of `s.training` (`from dataclasses import replace`). Predict how far the two scores move. Then look at the recorded run in section 3: it is a mean over several training seeds.

# %% [markdown]
# ## Summary
#
# - What was learnt and what was kept are two scores. Judge a method by both at once.
# - Declare your pairs before you see the scores. Take differences item by item, draw independent units, and correct for the number of tests.
# - The intervals cover items. They say nothing about another training seed. Give `n` with every figure.
# - A low score can be lost knowledge or lost form. Ask again with the form forgiven before you say "forgotten".
# - SDFT costs a rewriting step, longer targets and longer answers.
# - Report where SDFT loses, and every claim that was not reached.
#
# ## Check yourself
#
# 1. "SDFT minus seed on facts: -0.03 to +0.04." May you write "SDFT forgets nothing"?
#    <details><summary>Answer</summary>No. You may write that a loss of more than about 0.03 is unlikely, on questions of this sort, for this one trained model.</details>
# 2. Your test has 300 rows: 60 questions, each in five languages. How many independent units are there?
#    <details><summary>Answer</summary>60, if a model that knows an answer in one language mostly knows it in the others. Draw whole questions. An interval by row would be too narrow.</details>
# 3. A difference has p = 0.03 before Holm's correction and p = 0.30 after it. What do you report?
#    <details><summary>Answer</summary>Both, with the interval and the number of tests, and that the difference may well be luck.</details>
# 4. What would you have to repeat to learn about the luck of training?
#    <details><summary>Answer</summary>The trainings, with other values of <code>random_seed</code>, and the evaluation of each.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 04 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 4.1: wins and losses
#
# **Goal:** compare two models item by item. **Level 1 of 3, about 5 minutes.**
#
# `a` and `b` map the id of an item to its score, 0 or 1. `wins_and_losses(a, b)` looks at the ids that both have and returns two counts: the items on which a scored higher, and the items on which b scored higher.
#
# <details><summary>Hint 1</summary><code>a.keys() & b.keys()</code> are the ids that both have. <details><summary>Hint 2</summary><code>sum(a[key] > b[key] for key in shared)</code> counts: True is 1.</details></details>

# %% tags=["exercise"]
def wins_and_losses(a, b):
    """(items that a won, items that b won) of those that both have."""
    ### BEGIN SOLUTION
    shared = a.keys() & b.keys()
    wins = sum(a[key] > b[key] for key in shared)
    return wins, sum(a[key] < b[key] for key in shared)
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_04 as check

check.exercise_4_1(wins_and_losses)

# %% [markdown]
# ### Exercise 4.2: Wilson's interval
#
# **Goal:** see why 0 of 20 does not prove 0. **Level 2 of 3, about 15 minutes.**
#
# `interval(right, items)` returns the lower and the upper end of Wilson's 95 % interval. With the share $s$, $n$ items and $z = 1.96$: the centre is $(s + z^2/2n) / (1 + z^2/n)$, the half width $z \sqrt{s(1-s)/n + z^2/4n^2} \,/\, (1 + z^2/n)$. An end below 0 becomes 0, one above 1 becomes 1.
#
# <details><summary>Hint 1</summary>Compute share, centre and half width in three lines. <details><summary>Hint 2</summary><code>max(0.0, centre - half), min(1.0, centre + half)</code></details></details>

# %% tags=["exercise"]
import math


def interval(right, items, z=1.96):
    """(low, high) of Wilson's interval for `right` of `items`."""
    ### BEGIN SOLUTION
    share, below = right / items, 1 + z * z / items
    centre = (share + z * z / (2 * items)) / below
    spread = share * (1 - share) / items + z * z / (4 * items * items)
    half = z * math.sqrt(spread) / below
    return max(0.0, centre - half), min(1.0, centre + half)
    ### END SOLUTION

# %% tags=["check"]
check.exercise_4_2(interval)

# %% [markdown]
# ### Exercise 4.3: Holm's correction
#
# **Goal:** correct a table of many tests for luck. **Level 3 of 3, about 15 minutes.**
#
# `holm(ps)` returns the corrected p-values in the order given. Go from the smallest p to the largest. Multiply the first by the number of tests, the next by one less, and so on. If a result is smaller than the one before it, take that one. None may be above 1.
#
# <details><summary>Hint 1</summary><code>sorted(range(len(ps)), key=lambda place: ps[place])</code> gives the places in order of their p. <details><summary>Hint 2</summary>Keep the largest value so far, and write it to its own place in a list of the same length.</details></details>

# %% tags=["exercise"]
def holm(ps):
    """Holm's corrected p-values, in the order given."""
    ### BEGIN SOLUTION
    corrected, largest = [0.0] * len(ps), 0.0
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = largest
    return corrected
    ### END SOLUTION

# %% tags=["check"]
check.exercise_4_3(holm)

# %% [markdown]
# ### Exercise 4.4: a verdict in words
#
# **Goal:** say what an interval allows, and no more. **Level 2 of 3, about 10 minutes.**
#
# The interval of a difference goes from `low` to `high`. A loss of `margin` or more would matter. `verdict(low, high, margin)` returns one of four words. `better`: the interval lies above 0. `worse`: it lies below 0. `no worse`: it stays above `-margin`. `unclear`: none of these.
#
# <details><summary>Hint 1</summary>Ask the three questions in this order. The first yes decides. <details><summary>Hint 2</summary>An interval that holds 0 does not mean equal: look at its lower end.</details></details>

# %% tags=["exercise"]
def verdict(low, high, margin):
    """better, worse, no worse or unclear."""
    ### BEGIN SOLUTION
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "no worse" if low > -margin else "unclear"
    ### END SOLUTION

# %% tags=["check"]
check.exercise_4_4(verdict)

# %% [markdown]
# ## Wrap-up quiz: lessons 00 to 04
#
# For some questions you have to run or look up something in the lessons. Answers are ranges, so they fit your machine, too.
#
# <!-- quiz: wrap-up-04 -->

# %% [markdown]
# ## What next
#
# Run this lesson with another `random_seed`, or with `task_name="sums"`, and compare the verdicts of section 6. Lesson 05 asks *why* SDFT keeps more. If you want to start with data of your own, `sdft run --help` shows the same steps on the command line. `build/report.html` gathers the tables and figures of the whole tutorial.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 60 minutes. With the store of lesson 03, two cores need about three minutes for the third training, three for the answers and one for section 10. `fast=True` shows the cells, but nothing may be concluded from it.
#
# **What goes wrong most often:** students take overlapping intervals for "no difference", and "no difference is shown" for "equal". Exercise 4.4 is there for that: most first answers lack the margin. In 4.3, Bonferroni (each p times the number of tests) passes two checks of five.
#
# **Discussion, "is it the own words?"** The class will say so when it sees the fixed sentence fail. Ask what else differs: the rewrites are longer, and most of them differ from each other. This lesson cannot decide. Lesson 05 has the controls.
#
# **Discussion, "a method keeps all the facts and learns half of the task":** the class usually splits. Ask for a second budget at which both learn equally much.
#
# **Expect:** task 0.85 to 0.97 for all trainings, seed under 0.1. Facts: seed 0.50 to 0.62, SFT 0.05 to 0.25, fixed sentence 0.15 to 0.35, SDFT within 0.1 of the seed. Helpful: SFT and fixed sentence near 0. With the form forgiven, both stay far below the seed on facts (under 0.3) and helpful (under 0.3, the seed 0.7), and come back to 0.2 to 0.45 on instructions (the seed 0.55). SDFT on `task`: plus or minus 0.04 by row, 0.07 by scenario.
#
# **Harder:** let groups run other values of `random_seed` and put their differences on one axis. The spread is what the intervals leave out.
