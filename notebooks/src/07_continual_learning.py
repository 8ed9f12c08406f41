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
# **You will** train the seed on three tasks in a row, once with SFT and once with SDFT, score every task after every stage, boil the table down to four numbers with intervals, and hold your run against recorded ones that also know replay and another order.
#
# **Before you start:** lessons 02 to 04 explain rewrites, training and intervals. This lesson runs alone: it takes earlier results from the store, or makes them.
#
# **Time:** 6 to 17 minutes on two CPU cores the first time (the fewer where they have bf16), 2.6 GB of memory, most of it seven short trainings; well under a minute when the store holds them. With `fast=True` everything is done on few rows: the cells run, but nothing can be concluded.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
order: str = "tickets-sums-calls"  # the tasks in the order in which they are trained, joined by -
random_seed: int = 0  # decides the adapters' first weights and the order of the rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, model=model, seed=random_seed)
rows = s.train_rows // 3  # a task: a third of what lesson 03 used for its single one
items = s.limits.get("task", 120) // 2  # test items a task and stage

# %% [markdown]
# ## 1. Three tasks, three forms of answer
#
# A model in use is seldom trained once. Next month brings a new task, and the model of this month is the seed of the next. What is left of the first task after the third?

# %%
from sdft_lib.data import load_task
from sdft_lib.experiments.stages import alone, tasks_of

names = tasks_of(order)
tasks = {name: load_task(name) for name in names}
for task in tasks.values():
    row = task.train[0]
    print(f"{task.name} (kind {task.kind})\n{row['messages'][-1]['content']}\n  -> {row['reference']}\n")

# %% [markdown]
# Look at the *form* of the references before you look at what they say. A label, a short sum, a call of a function: a model that has just learnt to answer with one of them may answer everything with it.
#
# How far can this small model get? Each task's card holds its scores on development rows, when it was trained alone, on 480 rows and with the settings of lesson 03.

# %%
print(alone(names).to_string(index=False))

# %% [markdown]
# Read these as a rough ceiling, not as a promise. Here each task gets a third of those rows, and shares the model with two others. Where the seed stands near 0, even a small gain shows; where it does not, some of its answers were right before you began.
#
# **Question.** Which of the first two do you expect to lose more by the end? Write it down now; section 3 will tell.
# <details><summary>One answer</summary>People name the task that is hardest, or the one that lies back the longest. Think of the form too: two tasks that both want a terse answer may disturb each other less than a third one does that wants a call in Python.</details>
#
# ## 2. Train, go on from there
#
# A **stage** is one training. Stage 0 is the seed model. Stage 1 trains it on the first task; the adapter is merged into the weights, and stage 2 trains the result on the second task with an adapter of its own; and so on. After every stage, the model answers test items of **all** tasks.

# %%
from sdft_lib.experiments.stages import stage_scores, train_stages
from sdft_lib.models import load_seed
from sdft_lib.templates import TEMPLATES

seed = load_seed(s.model)


def one_run(method):
    models = train_stages(seed, order, method, s.training, template=TEMPLATES[s.template], rows=rows)
    return stage_scores(models, order, method=method, training_seed=random_seed, limit=items)


# %%
sft_scores = one_run("sft")

# %%
sdft_scores = one_run("sdft")

# %%
import pandas

own = pandas.DataFrame(sft_scores + sdft_scores)
own.head(3)

# %% [markdown]
# One row an item, as always: method, training seed, order, stage, task, item, score. SFT and SDFT get the same prompts, the same number of steps and the same settings at each stage. The rewrites of SDFT all come from the **seed**, also those for the second and third task.
#
# **Question.** At stage 2 you could let the model of stage 1 write the rewrites, not the seed. What would speak for it, and what against?
# <details><summary>One answer</summary>For: the rewrites would lie nearest to the model that is trained on them. Against: whatever stage 1 has spoilt would go into the targets of stage 2, and its rewrites, in the form of the first task, might not pass the checks any more. And every order would train on other rows, so that orders could not be compared.</details>

# %% [markdown]
# ## 3. The matrix
#
# Write $R_{k,j}$ for the mean score on task $j$ after stage $k$. That is a small table: a row a stage, a column a task.

# %%
from sdft_lib.experiments import continual
from sdft_lib.lessons.figures import lesson_07 as figures
from sdft_lib.lessons.figures.style import show

r_sft = continual.matrix(own[own["method"] == "sft"])
r_sdft = continual.matrix(own[own["method"] == "sdft"])

# %%
show(figures.stage_matrix(r_sft))

# %%
show(figures.stage_matrix(r_sdft))

# %% [markdown]
# Four places to look at, in both figures:
#
# - the **top row**: what the seed could do;
# - the **frames**: was each task learnt when its turn came? A task that was never learnt cannot be forgotten;
# - **below a frame**: what the later tasks left of it;
# - **above a frame**: whether an earlier task helped or hurt a task that was not trained yet.

# %%
for name, r in {"SFT": r_sft, "SDFT": r_sdft}.items():
    for stage, task in enumerate(names[:-1], start=1):
        print(f"{name}: {task} went from {r[task][stage]:.2f} (just trained) to {r[task].iloc[-1]:.2f} (at the end)")

# %% [markdown]
# **Question.** Was your guess of section 1 right? And are those falls larger than what the luck of the items can do? The caption says how far a single cell can be off.
# <details><summary>One answer</summary>Each cell is a mean over few items, but the two cells of one column are scores on the <em>same</em> items. Their difference is better known than either. That is what the next section computes, with its interval.</details>

# %% [markdown]
# ## 4. Four numbers
#
# | measure | in words | in the matrix, for $T$ tasks |
# |---|---|---|
# | **ACC** | how good at everything, at the end | mean of the last row |
# | **BWT**, backward transfer | what later tasks did to earlier ones | mean over $j < T$ of $R_{T,j} - R_{j,j}$ |
# | **FWT**, forward transfer | what earlier tasks did for later ones, before these were trained | mean over $j > 1$ of $R_{j-1,j} - R_{0,j}$ |
# | **forgetting** | how far below its best each task ended | mean over $j < T$ of $\max(R_{1,j}, \ldots, R_{T-1,j}) - R_{T,j}$ |
#
# The first three are those of Lopez-Paz and Ranzato (arXiv 1706.08840), with the seed model where they had random weights; forgetting is that of Chaudhry and others (arXiv 1801.10112). BWT below 0 means loss. Compute it once by hand, as the definition says.

# %%
T = len(names)
for name, r in {"SFT": r_sft, "SDFT": r_sdft}.items():
    changes = [r[task][T] - r[task][stage] for stage, task in enumerate(names[:-1], start=1)]
    print(f"{name}: BWT {sum(changes) / len(changes):+.2f}")

# %% [markdown]
# `measures` gives the same numbers with intervals: it draws the items again ten thousand times, the same draw at every stage, and reads the measure off each time.

# %%
found = continual.measures(own)
found.round(2)

# %% [markdown]
# **Question.** A method has a BWT of 0.00. Is that good?
# <details><summary>One answer</summary>You cannot say without the frames. A model that learnt nothing has a BWT of 0, and so has one that learnt everything and kept it. Report BWT beside what was learnt, never alone.</details>
#
# **Question.** Why is forgetting hardly ever found to be 0, even where nothing is forgotten?
# <details><summary>One answer</summary>It takes the largest of several means, and the largest of several noisy numbers is too high on average. The noise of the luckiest stage counts as something to lose. BWT compares with one fixed stage and has no such bias. With two tasks the two measures are the same but for the sign.</details>

# %% [markdown]
# ## 5. Beside recorded runs: replay
#
# There is an old remedy against forgetting: **replay**. At each later stage a quarter of the rows gives way to rows of the tasks before, at random. The number of steps stays the same, so the new task gets fewer of them. Replay needs the old data; SDFT does not.
#
# Training it too would double your waiting time, so the repository holds recorded runs, made with the recipe `data/recipes/continual.toml`: as many rows a task as yours in the default mode, more items, and more than one training seed. What is there?

# %%
from sdft_lib.experiments.recorded import inventory_of_orders, recorded_orders

recorded = recorded_orders(s.model)
print(inventory_of_orders(recorded))

# %%
both = continual.together({"yours": own, "recorded": recorded})
here = both[both["order"] == order]
matrices = [continual.matrix(part) for _, part in here.groupby("method", sort=False)]

# %%
show(figures.stage_paths(matrices))

# %% [markdown]
# This is the matrix turned on its side: a panel a task, and each line goes from the seed model on the left to the last stage on the right. Your own run has full markers; recorded runs, if there are any for this order and model, have hollow ones. In each panel, look at the shaded stage first (learnt?), then to the right of it (kept?).

# %%
all_found = continual.measures(both)
show(figures.stage_measures(all_found[all_found["order"] == order]))

# %% [markdown]
# ACC, BWT and FWT point to the right for good, forgetting to the left.
#
# **Question.** Where your run and a recorded run of the same method differ, what can be the reason?
# <details><summary>One answer</summary>Another training seed, fewer items, and in fast mode far fewer rows. The bars cover only the items. So bars that do not touch are no contradiction: the luck of training is in neither.</details>

# %% [markdown]
# ## 6. Who forgets less?
#
# Take the measures of two methods on the same items and subtract. Each interval below is a 95 % interval of its own. There are many, and one of many can look clear by luck. So the words at the end of each line come from corrected p-values, as in lesson 04: an interval may end just beside 0 and still count as not shown.

# %%
pairs = [("SDFT (yours)", "SFT (yours)"), ("SDFT (recorded)", "SFT (recorded)"),
         ("SDFT (recorded)", "replay (recorded)"), ("replay (recorded)", "SFT (recorded)")]  # fmt: skip
versus = continual.versus(both, pairs)
versus.round(2)

# %%
for each_order, part in versus.groupby("order", sort=False):
    print(f"Order {each_order}")
    for row in part.itertuples():
        print(f"  {continual.in_words(row)}")
if s.fast:
    print("Fast mode: too few rows and items for any of this. Run the default mode before you quote it.")

# %% [markdown]
# "No difference is shown" is not "equal": look how wide the interval is, and whether a loss of that size would matter to you.
#
# A method that learns less has less to forget. So look at the frames of the same pairs: how did they stand just after each task was trained?

# %%
continual.learnt(here).round(2)

# %%
learnt = continual.learnt_versus(both, pairs)
learnt[["order", "suite", "a", "b", "n", "difference", "low", "high", "verdict"]].round(3)

# %%
less = learnt[learnt["verdict"] == "lower"]
for row in less.itertuples():
    print(f"{row.a} learnt {row.suite} less well than {row.b} ({row.low:+.2f} to {row.high:+.2f}; {row.order}).")
if less.empty:
    print("In no pair is the first method shown to have learnt a task less well than the second.")

# %% [markdown]
# **Question.** Suppose method A forgot less than B and also learnt less. What do you report?
# <details><summary>One answer</summary>Both, in one sentence. Then look for a fair comparison: train B less (a smaller learning rate, an earlier stop) until it has learnt as much as A, and see what it forgets then. Lesson 05 does that for one task.</details>
#
# **Question.** What would be the ceiling for all three methods?
# <details><summary>One answer</summary>One training on the rows of all tasks together. It needs all data at once, which is just what you do not have when the tasks come one by one. If the order is yours to choose, ask first whether there has to be one.</details>

# %% [markdown]
# ## 7. Why the order matters
#
# BWT averages over *earlier* tasks and FWT over *later* ones, so another order averages over other tasks: the numbers of two orders do not measure the same thing. What can be compared is the end. The model has seen the same rows of the same tasks; only their sequence differs.
#
# For each recorded method: the score of each task at the end in the first order, minus that in the second, on the same items.

# %%
effect = continual.order_effect(recorded)
effect.round(3)

# %%
for row in effect.itertuples():
    print(continual.order_in_words(row))
if effect.empty:
    print("Two orders of one method are not recorded for this model. Run this lesson again with another `order`, "
          "for example calls-sums-tickets, and compare by eye.")  # fmt: skip

# %% [markdown]
# Place 1 was trained first and had to survive all other stages; the last place had to survive none. If one order is the other one reversed, the task in the middle of three keeps its place.
#
# **Question.** A paper reports one order and finds that its method forgets nothing. What do you ask?
# <details><summary>One answer</summary>What happens in another order, chosen before looking. With three tasks there are six. Two orders are better than one, but they do not say how much all six differ; and the last task of an order is never tested for forgetting at all.</details>

# %% [markdown]
# ## 8. What these intervals cover, and what they leave out
#
# - **Covered:** the luck of the test items. `n` counts the items of the tasks that enter a measure; each item is drawn together with its scores at all stages and seeds.
# - **Left out:** the luck of training. Your run has *one* training seed, and the recorded ones as many as the figure says. Three trainings in a row give that luck three chances. An interval over seeds would need five or more.
# - **Left out:** the order. Each row of the tables belongs to one.
# - **Too narrow:** rows of one phrasing are alike (the tasks' cards say so), so there are fewer independent items than `n`.
# - **Shifted:** forgetting is pulled upwards by the largest of its stages; its interval is pulled with it. Trust BWT where the two disagree.
# - **Not asked at all:** what the stages did to facts, open answers or safety. Those are the probes of lesson 04. A model can keep its three tasks and lose the rest.
#
# **Question.** You repeat the run with another `random_seed`, and BWT moves by more than its interval is wide. Is something broken?
# <details><summary>One answer</summary>No. The interval never claimed to cover that. It means that the luck of training is larger than the luck of items here, so that more seeds tell you more than more items.</details>

# %% [markdown]
# ## 9. Same adapter, new adapter, or merge, then new?
#
# A stage here merges its adapter into the weights, and the next stage trains a new one. People ask whether they should do so. There are four ways to bring a second task in:
#
# | way | what it means |
# |---|---|
# | merge, then new | the stages above: the second training starts from the first one's model |
# | same adapter | the second training goes on with the adapter of the first: the same start, but the rank stays what it was, and no adapter can be taken away later |
# | new adapter, alone | the second task is trained from the seed; for each request you choose one of the two adapters |
# | new adapter, added | both were trained from the seed, and their changes are added up |
#
# The second way starts where the first one does, so expect like results; it is not run here. For the other two, one training is missing: the second task, from the seed.

# %%
from sdft_lib.experiments.run_one import run_one
from sdft_lib.models import with_adapter

first, second = names[:2]
adapters = {}
for name in (first, second):
    run = run_one(seed, tasks[name], "sft", s.training, rows=tasks[name].train[:rows])
    adapters[name] = run.tuned.adapter

# %%
stages = list(train_stages(seed, order, "sft", s.training, template=TEMPLATES[s.template], rows=rows))
only_first = with_adapter(seed, adapters[first], label="first")
ways = {"merge, then new": stages[2], "new adapter, alone": with_adapter(seed, adapters[second], label="second")}
ways["new adapter, added"] = with_adapter(only_first, adapters[second], label="both")
scored = stage_scores(ways.values(), f"{first}-{second}", method="sft", training_seed=random_seed, limit=items)
by_way = pandas.DataFrame(scored).pivot_table(index="stage", columns="task", values="score").set_axis(list(ways))
by_way[[first, second]].round(2)

# %% [markdown]
# Read the left column as "what is left of the first task". A new adapter alone has never seen that task: where you can tell the requests apart, you switch back to the first adapter and lose nothing. Added changes were never trained together, so they may disturb each other.
#
# **Question.** Your service does not know which task a request belongs to. Which of the ways is left?
# <details><summary>One answer</summary>One model for all requests: merge, then new, or the sum. The table says what each costs. Or train on the rows of both tasks at once, if you still have the first ones.</details>
#
# ## 10. Which cells make a measure?
#
# The same matrix once more, as a table. In brackets: the task that was just trained. Marked: the cells that BWT is made of, those that are added with +, those that are taken away with −.

# %%
from sdft_lib.lessons.tables import show_html
from sdft_lib.lessons.widgets.lesson_07 import matrix_explorer, matrix_table

show_html(matrix_table(both, "SFT (yours)", order, "BWT", all_found))

# %% [markdown]
# Where widgets are on, the next cell lets you choose method, order and measure.

# %%
explorer = matrix_explorer(both, all_found)
explorer

# %% [markdown]
# **Question.** Which cells of the matrix enter none of the four measures? What do they tell you all the same?
# <details><summary>One answer</summary>With three tasks: the seed's score on the first task, and the first stage's score on the third. The first says how much of the first task there was to learn; the second, whether the second task made up for or added to what the first did to the third.</details>
#
# ## Summary
#
# - Several tasks in a row give a matrix: a row a stage, a column a task. Score all tasks after every stage.
# - ACC tells the end, BWT and forgetting what later tasks destroyed, FWT what earlier ones prepared.
# - BWT alone flatters a method that learnt nothing: put what was learnt beside it.
# - Replay trades rows of the new task for rows of the old ones, and needs the old data. SDFT needs only the seed.
# - Merge, then new gives one model for all tasks; an adapter for each task loses nothing, if you know which one to switch on.
# - One order and one training seed are one draw. The intervals cover the items, nothing else.
#
# ## Check yourself
#
# 1. Which column can show no forgetting, whatever the method?
#    <details><summary>Answer</summary>That of the last task: nothing was trained after it.</details>
# 2. A colleague compares the final model with the *seed* on the first task, finds it higher, and writes "no forgetting". What is wrong?
#    <details><summary>Answer</summary>The seed had not learnt the task. Compare with the stage that trained it: what was learnt there may be mostly gone, and still lie above the seed.</details>
# 3. FWT is below 0. What happened?
#    <details><summary>Answer</summary>Just before its training, a later task was answered worse than by the seed: the tasks before it had done harm, for example by their form of answer.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 07 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# In the first two, `R` is a list of rows: `R[0]` holds the scores of the seed model on tasks 1, 2, ..., `R[1]` those after the first task was trained, and so on. Python counts tasks from 0: `R[1][0]` is the first task, just trained.
#
# ### Exercise 7.1: backward transfer
#
# **Goal:** read BWT off a matrix. **Level 1 of 3, about 10 minutes.**
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
# **Goal:** see in what it differs from BWT. **Level 2 of 3, about 10 minutes.**
#
# `forgetting(R)` returns the mean, over all tasks but the last, of the best score at stages 1 to T-1 minus the final score. The seed model (stage 0) and the last stage are no candidates for the best.
#
# <details><summary>Hint 1</summary><code>R[1:-1]</code> are the stages to look at. <details><summary>Hint 2</summary><code>max(row[j] for row in R[1:-1]) - R[-1][j]</code></details></details>

# %% tags=["exercise"]
def forgetting(R):
    """Mean fall from the best stage to the end."""
    ### BEGIN SOLUTION
    falls = [max(row[j] for row in R[1:-1]) - R[-1][j] for j in range(len(R[0]) - 1)]
    return sum(falls) / len(falls)
    ### END SOLUTION

# %% tags=["check"]
check.exercise_7_2(forgetting)

# %% [markdown]
# ### Exercise 7.3: replay at the same budget
#
# **Goal:** mix old rows in without training for longer. **Level 2 of 3, about 10 minutes.**
#
# `with_replay(rows, earlier, every)` returns as many rows as it was given, in the same order, but each `every`-th of them (the 2nd, 4th, ... for `every=2`) gives way to the next row of `earlier`. When those are used up, begin with the first of them again. Without earlier rows, nothing changes. Leave the given lists as they are.
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
        mixed[number - 1] = earlier[(number // every - 1) % len(earlier)]
    return mixed
    ### END SOLUTION

# %% tags=["check"]
check.exercise_7_3(with_replay)

# %% [markdown]
# ## What next
#
# Run this lesson with `order="calls-sums-tickets"`, or with another `random_seed`, and hold its sentences against those of this run. Lesson 09 goes back to one task: yours.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 45 minutes, without the training: run the lesson the evening before, so that the store holds the stages. Let the class write down its guess of section 1 before section 3 is opened.
#
# **What goes wrong most often:** "no forgetting" against the seed in place of the stage that trained the task (question 2 of the summary). In exercise 7.1 the last task is counted too, so that the sum is divided by T; in 7.2 minus BWT passes four checks of five, since the best stage is often the task's own.
#
# **Discussion, "method A forgot less and learnt less":** ask for the experiment that would settle it; most groups find the smaller learning rate by themselves.
#
# **Expect:** each task's frame well above the seed's score in the default mode, with SFT and with SDFT; anything below the frames. Which of the two forgets less, and by how much, is what the sentences of section 6 are for: do not promise a winner.
#
# **Harder:** let each group take one of the six orders and one training seed; put all BWT on one axis and compare their spread with the width of one interval.
