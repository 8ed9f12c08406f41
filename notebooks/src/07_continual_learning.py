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
# # 07 Continual learning: three tasks, one after the other
#
# **You will** train the seed on three tasks in a row, once with SFT and once with SDFT, score every task after every training, and compute four numbers with intervals. Then you guess what another order does, and try it.
#
# **Before you start:** lessons 02 to 04 explain rewrites, training and intervals. In short: the *seed* is the model before a training. SFT trains it on the references of a task, SDFT on the seed's own rewrites of them. This lesson runs alone: it takes earlier results from the store, or makes them.
#
# **Time:** 8 to 12 minutes on two CPU cores the first time, 2.6 GB of memory. Most of it is eight short trainings. It takes under a minute when the store holds them. With `fast=True` the steps are the same, on few rows. Then you can conclude nothing from the numbers.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # or a hub id, or a local folder
order: str = "tickets-sums-calls"  # which task is trained when
random_seed: int = 0  # the first weights and the order of the rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, model=model, seed=random_seed)
rows = 10 if s.fast else 120  # of each task: a quarter of lesson 03
items = 4 if s.fast else 40  # test items a task and stage

# %% [markdown]
# ## 1. Three tasks, three forms of answer
#
# A model in use is often trained again. Next month brings a new task, and you train this month's model further. This is called **continual learning**. What is left of the first task after the third?

# %%
from sdft_lib.data import load_task
from sdft_lib.experiments.stages import alone, tasks_of

names = tasks_of(order)
tasks = {name: load_task(name) for name in names}
for task in tasks.values():
    row = task.train[0]
    print(f"{task.name} (kind {task.kind})")
    print(row["messages"][-1]["content"])
    print(f"  -> {row['reference']}\n")

# %% [markdown]
# First look at the *form* of the references: a label, a short sum, the call of a function. A model that has just learnt one form may use it for every question.
#
# How far can this small model get? The next cell reads scores on dev rows from the card of each task: that of the seed, and that after SFT on this task alone, with 480 rows and the settings of lesson 03.

# %%
print(alone(names).to_string(index=False))

# %% [markdown]
# The scores after SFT are a rough upper limit. Here each task gets a quarter of those rows and shares the model with two others.
#
# **Question.** Which of the first two tasks will lose more by the end? Write it down now. Section 3 has the outcome.
# <details><summary>One answer</summary>Many people name the hardest task, or the one that was trained longest ago. Think of the form, too. A new form of answer may do more harm than the number of trainings since then.</details>
#
# ## 2. Train, go on from there
#
# The lesson has four **stages**. Stage 0 is the seed model. For stage 1 we train it on the first task, and merge the adapter into the weights. For stage 2 we train the result on the second task, with a new adapter, and merge again. Stage 3 does the same with the third task. At every stage, the model answers test items of **all** tasks.

# %%
from sdft_lib.lessons.figures import concepts
from sdft_lib.lessons.figures.style import show

show(concepts.tasks_in_a_row())

# %%
from sdft_lib.models import load_seed

seed = load_seed(s.model)

# %%
from sdft_lib.experiments.stages import stage_scores, train_stages
from sdft_lib.templates import TEMPLATES


def stages_of(method, order):
    """The models of stage 0 (the seed), 1, 2, ..."""
    how = {"template": TEMPLATES[s.template], "rows": rows}
    return train_stages(seed, order, method, s.training, **how)


def scores_of(method, order, models):
    """Scores of each model on all tasks of the order."""
    how = {"method": method, "training_seed": random_seed}
    return stage_scores(models, order, **how, limit=items)


# %%
sft_scores = scores_of("sft", order, stages_of("sft", order))

# %%
sdft_scores = scores_of("sdft", order, stages_of("sdft", order))

# %%
import pandas

own = pandas.DataFrame(sft_scores + sdft_scores)
own.head(3)

# %% [markdown]
# The table has one row for each item, stage and method. `unit` is the scenario of an item (lesson 04). SFT and SDFT get the same prompts, the same number of steps and the same settings at each stage. The **seed** writes all rewrites, also those for the second and third task.
#
# **Question.** At stage 2 the model of stage 1 could write the rewrites, in place of the seed. What is good about that, and what is bad?
# <details><summary>One answer</summary>Good: the model would train on its own words, so they would surprise it least. Bad: stage 1 has already forgotten something, and this would go into the next training texts. Its rewrites may also have the form of the first task, and then they fail the checks. And each order would train on other texts, so you could not compare orders.</details>

# %% [markdown]
# ## 3. The matrix
#
# $R_{k,j}$ is the mean score on task $j$ at stage $k$. These scores make a small table, the **task-by-stage matrix**: a row for each stage, a column for each task.

# %%
from sdft_lib.experiments import continual
from sdft_lib.lessons.figures import lesson_07 as figures

r_sft = continual.matrix(own[own["method"] == "sft"])
r_sdft = continual.matrix(own[own["method"] == "sdft"])

# %%
show(figures.stage_matrix(r_sft))

# %%
show(figures.stage_matrix(r_sdft))

# %% [markdown]
# Look at four places in both figures:
#
# - The **top row** shows what the seed could do.
# - The **frames** show the score just after the training. A task that was never learnt cannot be forgotten.
# - **Below a frame** you see what the later tasks left of it.
# - **Above a frame** you see what earlier tasks did to a task before its own training.

# %%
print("just trained, then at the end:")
for name, r in {"SFT": r_sft, "SDFT": r_sdft}.items():
    for stage, task in enumerate(names[:-1], start=1):
        then, end = r[task][stage], r[task].iloc[-1]
        print(f"{name:>4}, {task}: {then:.2f}, {end:.2f}")

# %% [markdown]
# Your run has few rows and items. Other runs were recorded with more of both and with two training seeds. The next sentences are made from them. ("SFT + replay" is a third method. Section 5 explains it.)

# %%
from sdft_lib.lessons.claims import in_the_recorded_order

for task in names[:-1]:
    print(in_the_recorded_order(task, order, s.model), "\n")

# %% [markdown]
# **Question.** Was your guess of section 1 right? Could these falls be luck of the items? The caption says how far a single cell can be off.
# <details><summary>One answer</summary>Each cell is a mean over few items. But the two cells of one column come from the <em>same</em> items, so their difference is more certain than each of them. The next section computes it, with its interval.</details>

# %% [markdown]
# ## 4. Four numbers
#
# | measure | in words | in the matrix, for $T$ tasks |
# |---|---|---|
# | **ACC**, accuracy | how good the last model is at all tasks | mean of the last row |
# | **BWT**, backward transfer | what later tasks did to earlier ones | mean over $j < T$ of $R_{T,j} - R_{j,j}$ |
# | **FWT**, forward transfer | what earlier tasks did to later ones, before their own training | mean over $j > 1$ of $R_{j-1,j} - R_{0,j}$ |
# | **forgetting** | how far each task ended below its best score | mean over $j < T$ of $\max(R_{1,j}, \ldots, R_{T-1,j}) - R_{T,j}$ |
#
# The first three come from Lopez-Paz and Ranzato (arXiv 1706.08840). They had random weights at stage 0, we have the seed model. Forgetting comes from Chaudhry and others (arXiv 1801.10112). A BWT below 0 means that something was lost. Compute it once by hand:

# %%
T = len(names)
for name, r in {"SFT": r_sft, "SDFT": r_sdft}.items():
    changes = []
    for stage, task in enumerate(names[:-1], start=1):
        changes.append(r[task][T] - r[task][stage])
    print(f"{name}: BWT {sum(changes) / len(changes):+.2f}")

# %% [markdown]
# `measures` gives the same numbers with intervals. It draws the items again ten thousand times, the same draw for every stage. Each time it computes the measure.

# %%
found = continual.measures(own)
found.round(2)

# %% [markdown]
# **Question.** A method has a BWT of 0.00. Is that good?
# <details><summary>One answer</summary>Look at the frames first. A model that learnt nothing has a BWT of 0. A model that learnt everything and kept it has 0, too. Never report BWT without what was learnt.</details>
#
# **Question.** Suppose that a method forgets nothing. Why is its measured forgetting still above 0 more often than below?
# <details><summary>One answer</summary>It takes the largest of several means. The largest of several noisy numbers is too high on average, so the end looks like a fall. BWT compares with one fixed stage and has no such bias. With two tasks the two measures differ only in their sign.</details>

# %% [markdown]
# ## 5. Beside recorded runs: replay
#
# There is an old remedy against forgetting: **replay**, here with SFT. From stage 2 on, rows of the earlier tasks replace a quarter of the rows. They are chosen at random. The number of steps stays the same, so the new task gets fewer rows. This replay needs the old data. SDFT does not. (Nor does the replay of lessons 05 and 06: it adds the seed's own answers to general prompts.)
#
# You need not wait for this training: the tutorial has recorded runs (`data/recipes/continual.toml`). They have 160 rows for each task (your run in default mode has 120), more items, and two training seeds.

# %%
from sdft_lib.experiments.recorded import (
    inventory_of_orders,
    recorded_orders,
)

recorded = recorded_orders(s.model)
print(inventory_of_orders(recorded))

# %%
both = continual.together({"yours": own, "recorded": recorded})
here = both[both["order"] == order]
matrices = []
for _, part in here.groupby("method", sort=False):
    matrices.append(continual.matrix(part))

# %%
show(figures.stage_paths(matrices))

# %% [markdown]
# This figure has a panel for each task, a column of the matrix. Each line goes from the seed model on the left to the last stage on the right. Your run has filled markers. Recorded runs of this order and model have hollow ones. In each panel look at the shaded stage first: was the task learnt? Then look to the right of it: was it kept?

# %%
all_found = continual.measures(both)
show(figures.stage_measures(all_found[all_found["order"] == order]))

# %% [markdown]
# **Question.** Your run and a recorded run of the same method may differ. What can be the reason?
# <details><summary>One answer</summary>Fewer rows (in fast mode far fewer), fewer items, and one training seed in place of two. The intervals cover the choice of items only. So two intervals that do not overlap are no contradiction: neither covers the luck of training.</details>

# %% [markdown]
# ## 6. Who forgets less?
#
# Take the measures of two methods on the same items and subtract. There are many such differences, and by luck one of many looks clear. So Holm's correction decides whether a difference is shown, as in lesson 04. The end of each sentence says what it decided. An interval may leave out 0, and the difference is still not shown.

# %%
pairs = [
    ("SDFT (yours)", "SFT (yours)"),
    ("SDFT (recorded)", "SFT (recorded)"),
    ("SDFT (recorded)", "replay (recorded)"),
    ("replay (recorded)", "SFT (recorded)"),
]
versus = continual.versus(both, pairs)

# %%
from textwrap import fill

chosen = versus[versus["measure"].isin(["ACC", "BWT"])]
for each_order, part in chosen.groupby("order", sort=False):
    print(f"Order {each_order}")
    for row in part.itertuples():
        print(fill(continual.in_words(row), 72, subsequent_indent="  "))
if s.fast:
    print("Fast mode: too few rows and items for any of this.")

# %% [markdown]
# "No difference is shown" does not mean "equal". Look at the width of the interval: would a loss of that size matter to you?
#
# A method that learns less has less to forget. So compare what was learnt, too: the score of each task just after its own training (`own`, the frames) and at the end (`end`).

# %%
continual.learnt(here).map("{:.2f}".format)

# %%
learnt = continual.learnt_versus(both, pairs)
less = learnt[learnt["verdict"] == "lower"]
for row in less.itertuples():
    interval = f"{row.low:+.2f} to {row.high:+.2f}"
    print(f"{row.a} learnt {row.suite} less well than {row.b}:")
    print(f"    {interval} ({row.order})")
if less.empty:
    print("In no pair the first method is shown to learn less.")

# %% [markdown]
# **Question.** Suppose method A forgot less than B and also learnt less. What do you report?
# <details><summary>One answer</summary>Both, in one sentence. Then make a fair comparison. Train B less (a smaller learning rate, or an earlier stop) until it has learnt as much as A. What does it forget then? Lesson 05 does that for one task.</details>
#
# **Question.** What is the best that any of these methods could reach?
# <details><summary>One answer</summary>What one training reaches on the rows of all tasks together. But it needs all data at once, and here the tasks come one by one. If you can wait for all data, train once.</details>

# %% [markdown]
# ## 7. Predict, run, explain: another order
#
# So far the order was tickets, then sums (if you changed nothing). Now swap the first two: train sums first, then tickets, with SFT. The rows are the same.
#
# **Predict.** Look up the score of sums in its frame in section 3. Here sums will have about that score just after its training. What is left of it after tickets? Write your guess into the next cell before you go on.

# %%
my_guess = 0.5  # change this

# %%
first, second = names[:2]
swapped = f"{second}-{first}"
after = list(stages_of("sft", swapped))
swapped_scores = scores_of("sft", swapped, after)

# %%
r = continual.matrix(pandas.DataFrame(swapped_scores))
show(figures.stage_matrix(r))

# %%
lost = r[second]
print(f"{second} just trained: {lost[1]:.2f}")
print(f"after {first}: you guessed {my_guess:.2f}, found {lost[2]:.2f}")
print("the other way round:")
print(f"{first} just trained: {r_sft[first][1]:.2f}")
print(f"after {second}: {r_sft[first][2]:.2f}")

# %% [markdown]
# **Explain.** Give the last model one question of the first task, and read its answer.

# %%
from sdft_lib.generation import Decoding, generate

question = tasks[second].test[0]["messages"]
answer = generate(after[-1], [question], Decoding(max_new_tokens=24))
print(question[-1]["content"])
print("  ->", answer[0].text)

# %% [markdown]
# <details><summary>What to look for</summary>Which form does the answer have? The first task has sums with steps, such as <code>10 + 6 = 16</code>. The last one has labels of one word. After labels, the model may answer a sum with one word or one number, without the steps, and then it is often wrong. The lines above say what sums left of the labels in the other order. Two tasks can hurt each other by different amounts. One training and one answer are one draw, so look at the recorded runs, too.</details>
#
# The recorded runs have the reverse order of all three tasks. What became of the task in the middle?

# %%
reverse = "-".join(reversed(names))
print(in_the_recorded_order(second, reverse, s.model))

# %% [markdown]
# You can compare two orders at their end. There the model has seen the same rows in another sequence. (BWT and FWT of two orders are means over different tasks, so you cannot compare these.) For each recorded method, the next lines subtract the score of each task at the end of the second order from that of the first, on the same items.

# %%
effect = continual.order_effect(recorded)
for row in effect.itertuples():
    said = continual.order_in_words(row)
    print(fill(said, 72, subsequent_indent="    "))
if effect.empty:
    print("Only one order is recorded for this model.")

# %% [markdown]
# All later trainings could harm the task in place 1. None could harm the task in the last place.
#
# **Question.** A paper reports one order and finds that its method forgets nothing. What do you ask?
# <details><summary>One answer</summary>What happens in another order, if you choose it before you look. Three tasks have six orders. Two orders are better than one, but they do not say how much all six differ. And no order tests its last task for forgetting.</details>

# %% [markdown]
# ## 8. What these intervals cover, and what they leave out
#
# - **Covered:** the luck of the test items. `n` counts the items of the tasks that a measure uses. Items of one scenario are drawn together, with their scores at all stages and seeds.
# - **Left out:** the luck of training. Your run has *one* training seed, the recorded runs have two. Three trainings in a row give this luck three chances. An interval over seeds would need five or more.
# - **Left out:** the order. Each row belongs to one order.
# - **Shifted:** forgetting takes the largest of several stages, so it and its interval are too high on average. If it disagrees with BWT, trust BWT.
# - **Not measured:** facts, open answers and safety (the probes of lesson 04). A model can keep its three tasks and lose these.
#
# **Question.** You repeat the run with another `random_seed`. BWT changes by more than the width of its interval. Is something broken?
# <details><summary>One answer</summary>No. The interval does not cover another training. Here the luck of training is larger than the luck of items. So more seeds tell you more than more items.</details>

# %% [markdown]
# ## 9. Four ways to add a second task
#
# Each stage above merged its adapter into the weights, and the next stage trained a new one. Should you do the same? You have four ways:
#
# | way | what it means |
# |---|---|
# | merge, then new | the stages above: the second training starts from the first model |
# | same adapter | the second training continues with the first adapter; later you cannot remove one of the two tasks |
# | new adapter, alone | the second task is trained from the seed; for each request you switch on one of the two adapters |
# | new adapter, added | both are trained from the seed, and their changes are added |
#
# The first two ways start the second training at the same model, so their results should be similar. We leave out the second way. The store already has the trainings of the other three.

# %%
from sdft_lib.experiments.run_one import run_one
from sdft_lib.models import with_adapter

adapters = {}
for name in (first, second):
    own_rows = tasks[name].train[:rows]
    run = run_one(seed, tasks[name], "sft", s.training, rows=own_rows)
    adapters[name] = run.tuned.adapter

# %%
only_first = with_adapter(seed, adapters[first], label="first")
added = with_adapter(only_first, adapters[second], label="both")
ways = {
    "merge, then new": list(stages_of("sft", order))[2],
    "new adapter, alone": after[1],
    "new adapter, added": added,
}
both_tasks = f"{first}-{second}"
scored = pandas.DataFrame(scores_of("sft", both_tasks, ways.values()))

# %%
means = scored.groupby(["stage", "task"])["score"].mean().unstack()
means = means.set_axis(list(ways))[[first, second]]
means.map("{:.2f}".format)

# %% [markdown]
# The left column says what is left of the first task. The new adapter alone has never seen that task. If you know which task a request belongs to, you switch to the first adapter, and nothing is lost. The two added changes were never trained together, so they may disturb each other. Compare their score on the second task with that of the new adapter alone.
#
# **Question.** Your service does not know which task a request belongs to. Which ways can you still use?
# <details><summary>One answer</summary>Those with one model for all requests: "merge, then new" or "new adapter, added". The table says what each costs. Or train on the rows of both tasks at once, if you still have the first ones.</details>
#
# ## 10. Which cells make a measure?
#
# The next table shows which cells BWT is made of. A cell with + is added, a cell with − is subtracted. In brackets: the task that was just trained.

# %%
from sdft_lib.lessons.tables import show_html
from sdft_lib.lessons.widgets.lesson_07 import (
    matrix_explorer,
    matrix_table,
)

show_html(matrix_table(both, "SFT (yours)", order, "BWT", all_found))

# %% [markdown]
# Where widgets are on, the next cell lets you choose method, order and measure.

# %%
explorer = matrix_explorer(both, all_found)
explorer

# %% [markdown]
# **Question.** Which cells does none of the four measures use? What do they still tell you?
# <details><summary>One answer</summary>With three tasks: the seed's score on the first task, and the score of stage 1 on the third task. The first says how much of the first task was left to learn. The second says what the first training alone did to the third task.</details>
#
# ## Summary
#
# - Score all tasks after every training. This gives a matrix: a row for each stage, a column for each task.
# - ACC is the score at the end. BWT and forgetting say what later tasks destroyed. FWT says what earlier tasks prepared.
# - BWT alone looks good for a method that learnt nothing. Show what was learnt beside it.
# - Another order can give another result. One order and one training seed are one draw.
# - Replay replaces rows of the new task by rows of the old ones, and needs the old data. SDFT needs only the seed.
# - "Merge, then new" gives one model for all tasks. An adapter for each task loses nothing, if you know which one to switch on.
#
# ## Check yourself
#
# 1. Which column can show no forgetting, whatever the method?
#    <details><summary>Answer</summary>That of the last task: nothing was trained after it.</details>
# 2. A colleague compares the final model with the *seed* on the first task, finds it higher, and writes "no forgetting". What is wrong?
#    <details><summary>Answer</summary>The seed had not learnt the task. Compare with the stage that trained it. The model may have lost most of what it learnt there and still be above the seed.</details>
# 3. FWT is below 0. What happened?
#    <details><summary>Answer</summary>Just before their own training, later tasks were answered worse than by the seed. The tasks before them did harm, for example by their form of answer.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 07 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# In the first two, `R` is a list of rows. `R[0]` holds the scores of the seed model on tasks 1, 2, and so on. `R[1]` holds those after the first training. Python counts tasks from 0: `R[1][0]` is the first task, just trained.
#
# ### Exercise 7.1: backward transfer
#
# **Goal:** compute BWT from a matrix. **Level 1 of 3, about 10 minutes.**
#
# `bwt(R)` returns the mean, over all tasks but the last, of the final score minus the score just after training.
#
# <details><summary>Hint 1</summary>Task <code>j</code> (from 0) was just trained at stage <code>j + 1</code>; the final row is <code>R[-1]</code>. <details><summary>Hint 2</summary><code>R[-1][j] - R[j + 1][j]</code> for <code>j</code> in <code>range(len(R[0]) - 1)</code></details></details>


# %% tags=["exercise"]
def bwt(R):
    """Backward transfer: below 0, later tasks did harm."""
    ### BEGIN SOLUTION
    changes = [R[-1][j] - R[j + 1][j] for j in range(len(R[0]) - 1)]
    return sum(changes) / len(changes)
    ### END SOLUTION


# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_07 as check

check.exercise_7_1(bwt)

# %% [markdown]
# ### Exercise 7.2: forgetting
#
# **Goal:** see how it differs from BWT. **Level 2 of 3, about 10 minutes.**
#
# `forgetting(R)` returns the mean, over all tasks but the last, of the best score at stages 1 to T-1 minus the final score. The seed model (stage 0) and the last stage do not count for the best.
#
# <details><summary>Hint 1</summary><code>R[1:-1]</code> are the stages to look at. <details><summary>Hint 2</summary><code>max(row[j] for row in R[1:-1]) - R[-1][j]</code></details></details>


# %% tags=["exercise"]
def forgetting(R):
    """Mean fall from the best stage to the end."""
    ### BEGIN SOLUTION
    falls = [
        max(row[j] for row in R[1:-1]) - R[-1][j]
        for j in range(len(R[0]) - 1)
    ]
    return sum(falls) / len(falls)
    ### END SOLUTION


# %% tags=["check"]
check.exercise_7_2(forgetting)

# %% [markdown]
# ### Exercise 7.3: replay at the same budget
#
# **Goal:** mix old rows in, with no more steps. **Level 2 of 3, about 10 minutes.**
#
# `with_replay(rows, earlier, every)` returns as many rows as it was given, in the same order. But the next row of `earlier` replaces each `every`-th row (the 2nd, 4th, ... for `every=2`). After the last row of `earlier`, begin with its first row again. Without earlier rows nothing changes. Do not change the given lists.
#
# <details><summary>Hint 1</summary>Count from 1: <code>for number, row in enumerate(rows, start=1)</code>. <details><summary>Hint 2</summary>At <code>number % every == 0</code> it is the turn of the earlier row number <code>number // every - 1</code>. <details><summary>Hint 3</summary>Take that number <code>% len(earlier)</code>, and deal with an empty list first.</details></details></details>


# %% tags=["exercise"]
def with_replay(rows, earlier, every):
    """The rows, each `every`-th replaced by the next earlier one."""
    ### BEGIN SOLUTION
    if not earlier:
        return list(rows)
    mixed = list(rows)
    for number in range(every, len(rows) + 1, every):
        mixed[number - 1] = earlier[
            (number // every - 1) % len(earlier)
        ]
    return mixed
    ### END SOLUTION


# %% tags=["check"]
check.exercise_7_3(with_replay)

# %% [markdown]
# ## What next
#
# Run this lesson with `order="calls-sums-tickets"` or with another `random_seed`, and compare its sentences with those of this run. Lesson 08 compares two methods that share the name SDFT.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 45 minutes, without the training: run the lesson the evening before, so that the store has the stages. Let the class write down two guesses: that of section 1 before section 3, and that of section 7 before its outcome.
#
# **What goes wrong most often:** students compare with the seed, in place of the stage that trained the task, and find "no forgetting" (question 2 of the summary). In exercise 7.1 they count the last task too and divide by T. In 7.2 minus BWT passes four checks of five, because the best stage is often the task's own.
#
# **Discussion, "method A forgot less and learnt less":** ask for the experiment that would decide it. Most groups find the smaller learning rate by themselves.
#
# **Expect:** in default mode each frame is well above the seed's score, with SFT and with SDFT. Below the frames anything is possible. The sentences of section 6 say which method forgets less: do not promise a winner. In section 7 compare the class's guesses with the recorded line as well: it comes from two trainings.
#
# **Harder:** let each group take one of the six orders and one training seed. Put all BWT on one axis, and compare their spread with the width of one interval.
