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
# # 05 Is it the own words?
#
# **You will** change one thing about the targets at a time, see which change keeps the facts, hold predictions that were written beforehand against the recorded runs, and measure how far training moved the model.
#
# **Before you start:** lesson 03 makes two of the adapters, lesson 04 a third one, and explains paired differences and intervals. This lesson runs alone: it takes what they made from the store, or makes it.
#
# **Time:** 4 to 11 minutes on two CPU cores (the fewer where they have bf16) after lessons 03 and 04 (without them, their trainings on top), 2.6 GB of memory; about a minute when the store holds everything. With `fast=True` everything is done on few rows: the same steps, but nothing to conclude from.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a folder of your own with train and test rows
random_seed: int = 0  # decides the adapter's first weights, the order of the rows and which rewrite goes where
control: str = "sft-reason"  # the control that you train yourself: a name of section 2, such as sdft-shuffled

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, task=task_name, model=model, seed=random_seed)

# %% [markdown]
# ## 1. What is it about the rewrites?
#
# SFT trained on bare labels, SDFT on the model's own rewrites of them. The rewrites differ from the labels in four things at once. Each of them may be what keeps the facts:
#
# | | the idea | a control that has it | and lacks |
# |---|---|---|---|
# | **shape** | a sentence, not a word | `sft-sentence`, `sft-reason`: a fixed sentence around each label | variety, own words |
# | **variety** | hundreds of different sentences | `sdft-shuffled`: rewrites, each on another row of the same label | a text that fits its row |
# | **authorship** | the model's *own* words | `sft-other`, `sft-hand`: rewrites by another model, and sentences written one by one | own words |
# | **content** | a text that fits its own row | `sdft`: the method itself | nothing |
#
# Or none of them: a method that merely *learns less* forgets less, too. Section 8 looks at that.
#
# **Question.** The seed answers a bit more than half of the facts, SFT about one in eight. What will these four keep? Write your guess into the next cell before you go on.

# %%
my_guess = {"sft-sentence": 0.5, "sft-reason": 0.5, "sdft-shuffled": 0.5, "sft-other": 0.5}  # change these

# %% [markdown]
# ## 2. One row under each control
#
# All methods train the same adapter on the same rows in the same number of steps. What differs is the target. Here is one training row, and what each method asks the model to write.

# %%
from sdft_lib.data import load_rewrites, load_task
from sdft_lib.distill import distill
from sdft_lib.models import load_seed, with_adapter
from sdft_lib.templates import TEMPLATES

seed = load_seed(s.model)
task = load_task(s.task)
d = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows)

# %%
from sdft_lib.experiments.methods import METHODS, asked, rows_for


def trained_on(name):
    """The rows that a method trains on."""
    chosen = METHODS[name]
    written = load_rewrites(f"{task.name}-{chosen.writer}") if chosen.writer else None
    return rows_for(chosen, d.rows, written=written, seed=random_seed)


# %%
from sdft_lib.lessons.figures import lesson_05 as figures
from sdft_lib.storage.errors import SdftError

place = [row["source"] for row in d.rows].index("rewritten")
print(d.rows[place]["messages"][-1]["content"], "\n")
for name in figures.LADDER:
    try:
        print(f"{name:>13}: {trained_on(name)[place][METHODS[name].column]}")
    except SdftError as error:
        print(f"{name:>13}: does not fit this task: {error}")

# %% [markdown]
# `sft-oneword` has the same target as SFT, but its *prompt* asks for one word, so that a bare label is no surprise. `sdft-few-1`, `-5` and `-25` leave that many different rewrites for each label. Two more, `sdft-likely` and `sdft-unlikely`, take of four rewrites the one that the seed finds likeliest, or least likely.
#
# The controls are a few lines each. This is the code of two of them.

# %%
import inspect

from sdft_lib.experiments import methods

for function in (methods.shuffled, methods.few):
    print(inspect.getsource(function))

# %% [markdown]
# **Question.** `sdft-shuffled` says "returns, because the parcel arrived broken" about a parcel that never arrived. Why is it still a fair control?
# <details><summary>One answer</summary>The label is right, so the task can be learnt. The sentences are the same ones that SDFT trains on, as many and as varied. Only one thing is broken: the reason no longer fits its row. If it keeps as much as SDFT, the fit is not what protects.</details>

# %% [markdown]
# ## 3. Train one yourself
#
# The first three come from the store if you ran lessons 03 and 04. The fourth is your control.

# %%
import pandas

from sdft_lib.experiments.run_one import run_one


def train(name):
    """One method on this lesson's budget."""
    return run_one(seed, task, name, s.training, template=TEMPLATES[s.template], limit=s.train_rows)


made = {name: train(name) for name in ("sft", "sdft", "sft-sentence", control)}
tuned = {name: run.tuned for name, run in made.items()}

# %%
keys = ["rows", "steps", "tokens", "trained_tokens", "seconds"]
pandas.DataFrame({name: each.record for name, each in tuned.items()}).loc[keys]

# %% [markdown]
# Rows and steps agree: that is the budget. `trained_tokens` do not: a sentence has more of them than a label. A control of the same length, such as `sft-reason`, answers that objection.

# %%
from sdft_lib.evaluate import evaluate, suites


def scored(name):
    """The seed or a trained model on the task, the facts and the open requests."""
    own = task if name == "seed" else asked(task, METHODS[name])
    chosen = [suite for suite in suites(s, own) if suite.name in ("task", "facts", "helpful")]
    frame = evaluate(model_of(name), chosen, method=name)
    return frame.assign(seed=random_seed, split="test", checkpoint=float(name != "seed"))


def model_of(name):
    """The seed, or a copy of it with a method's adapter merged in."""
    return seed if name == "seed" else with_adapter(seed, tuned[name].adapter, label=name)


# %%
from sdft_lib.experiments.recorded import at_end, in_cells

mine = pandas.concat([scored(name) for name in ("seed", *tuned)], ignore_index=True)
in_cells(at_end(mine))

# %% [markdown]
# Each cell is a mean score with its 95 % interval over items. This is one training of each method. Before you explain it, look at runs with more methods and more training seeds.
#
# ## 4. The recorded ladder
#
# These runs were recorded and came with this tutorial.

# %%
from sdft_lib.experiments.recorded import inventory, recorded

runs = recorded(s.task, s.model)
print(inventory(runs))

# %%
from sdft_lib.lessons.figures.style import show

ends = at_end(runs) if len(runs) else at_end(mine)
show(figures.ladder(ends))

# %% [markdown]
# Read it from the top. The first four rows have no variety: one text a label. If **shape** were enough, they would lie where SDFT lies. The next three add the model's own sentences, more and more of them. Then come the rewrites that do not fit their rows, and those of other writers. If **variety** is what protects, these lie where SDFT lies; if it is **authorship**, the other writers fall short.
#
# Facts and helpful need not agree. A fact is a short answer; `helpful` asks for a long one.

# %%
facts = ends[ends["suite"] == "facts"].set_index("method")["mean"]
for name, guess in my_guess.items():
    found = f"recorded {facts[name]:.2f}" if name in facts else "not recorded yet"
    print(f"{name:>13}: you guessed {guess:.2f}, {found}")

# %% [markdown]
# ## 5. What was expected, and what came
#
# With so many methods and suites, somebody who looks long enough will find a difference. So a few comparisons were written down before the first of these runs, each with what was expected (`data/results/predictions.toml`). They are one family: Holm's correction covers all of them that are recorded. Every other comparison in this lesson is a look.

# %%
from sdft_lib.experiments.recorded import in_words, predictions

declared = predictions(s.model)
for row in declared.itertuples():
    print(f"{row.question} Expected: {row.expected}. Outcome: {row.outcome}.")
    if row.outcome != "not recorded yet":
        print(f"    {in_words(row)}")

# %%
from sdft_lib.experiments.frontier import FEWEST_SEEDS

known = declared.dropna(subset=["seeds"])
if (known["seeds"] < FEWEST_SEEDS).any() or len(known) < len(declared):
    print(f"Provisional: some comparisons have fewer than {FEWEST_SEEDS} training seeds, or none.")
columns = ["suite", "a", "b", "n", "units", "seeds", "difference", "p_raw", "p_holm", "outcome"]
known[columns].round(3)

# %% [markdown]
# A prediction that failed stays in the list. *Same* was expected where "no difference is shown" counts as held. That is the weakest kind of success: look at the interval to see how large a difference could still hide in it.
#
# An interval covers the luck of the items: `units` are independent questions, as several rows may say the same thing in other words. From five training seeds on it covers the luck of *training*, too. With fewer it does not.
#
# **Question.** "Expected: same. Held." May you write that another model's words protect as well as the model's own?
# <details><summary>One answer</summary>No. You may write that no difference is shown, and that one larger than the ends of the interval is unlikely. Equal is a claim about the whole interval, not about its middle.</details>

# %% [markdown]
# ## 6. Does the gap explain it?
#
# Lesson 01 measured how far targets lie from what the seed would write: the gap, in nats a token. If it were the whole story, the points below would fall on one falling line.

# %%
from sdft_lib.experiments.recorded import targets

what = targets(s.task, s.model)
what.round(2)

# %%
if len(what):
    show(figures.gap_of_targets(what, ends))
else:
    print("No recorded run says what its targets were.")

# %% [markdown]
# The caption says how well the order by gap is the order by facts. That is a description of these methods, not a law. Look for pairs that break the rule: the same gap and unlike facts, or the same facts and unlike gaps. `distinct`, the number of different texts, may tell them apart.
#
# **Question.** Replay and the anchor have the targets of SFT, or nearly so, and so a wide gap. Why may they lie far above SFT?
# <details><summary>One answer</summary>They protect by another way than the targets: by practising old answers, or by a penalty on moving. The gap can only speak about methods that differ in their targets alone.</details>

# %% [markdown]
# ## 7. Forgotten, or only muted?
#
# A model that learnt to say one word may still know a fact and not get to say it. Two tests tell loss of knowledge from loss of form. `facts-opened` begins the answer for the model ("The answer is"). `helpful-any-length` and `instructions-any-length` drop the rules about length.

# %%
from sdft_lib.experiments.recorded import with_twins

try:
    show(figures.muted(with_twins(runs)))
except SdftError as error:
    print("No recorded run was scored this way:", error)

# %% [markdown]
# Where the open marker lies far to the right of the filled one, the ability was *muted*: the form was in its way. Where both lie low, it is gone, as far as this test can tell. Compare each distance with that of the seed, in the first row: opening an answer or dropping a rule changes the seed's score, too.
#
# **Question.** On `helpful-any-length` SFT scores more than on `helpful`. Is that knowledge which came back?
# <details><summary>One answer</summary>Partly it is a rule which got easier: one word on the subject is enough now. That is why the seed's row stands there. Ask whether SFT gains more than the seed does.</details>

# %% [markdown]
# ## 8. Or only less learning?
#
# A method that learns less also forgets less. So look at methods that are gentle on purpose: `sft-slow` has a quarter of the learning rate and four times the steps, `sft-replay` adds the seed's own answers to general prompts, `sft-anchor` adds KL to the seed to its loss, and `sft-stopped` is SFT at a quarter, half or three quarters of its way.
#
# The **frontier** shows what was learnt to the right and what was kept upwards, with a line for each training. Follow a line from its small marker to its large one.

# %%
from sdft_lib.experiments.frontier import points
from sdft_lib.experiments.recorded import GENTLE

gentle = runs[runs["method"].isin(GENTLE)]
theirs = points(gentle, "facts") if len(gentle) else []
show(figures.frontier_with_yours(theirs, points(mine, "facts")))

# %% [markdown]
# With widgets on, choose other methods or another suite.

# %%
from sdft_lib.lessons.widgets.lesson_05 import frontier_explorer

explorer = frontier_explorer(runs, mine)
explorer

# %% [markdown]
# Two methods are compared where they learnt equally much. The rule was fixed in advance, and no test row takes part in it: on **dev**, find the highest task score that *both* reach; of each method take the checkpoint nearest to it; on **test**, take the differences item by item.

# %%
from sdft_lib.experiments.recorded import against, with_stopped

equally = against(with_stopped(gentle), "sdft")
for row in equally.itertuples():
    print(in_words(row))
if equally.empty:
    print("There are no recorded runs of SDFT and another method with a common training seed.")

# %% [markdown]
# Read the row of the task first. If it shows a difference, the two did not learn equally much on test, matched on dev or not, and the other row compares two different bargains.
#
# Others have found more remedies since: weaken the finished adapter, hold the anchor elsewhere, leave out or weigh down tokens that the seed finds unlikely, learn on-policy (lesson 08). One grid has them all, with fewer rows than the one above (`data/recipes/frontier.toml`). Here each is drawn from the seed model outwards.

# %%
from sdft_lib.experiments.registered import ends_of, frontier_runs

others = frontier_runs(s.model)
if s.task == "tickets" and len(others):
    show(figures.remedies(ends_of(others, "facts")))
else:
    print("No recorded run has these remedies for this task and model.")

# %% [markdown]
# A scaled adapter draws a whole line without another training: at 0 it is the seed, at 1 the trained model. A remedy that lies on that line does nothing that a weaker adapter would not do as well. Look for points above it.
#
# One more way to be fooled is a **weak baseline**: with a poor learning rate for SFT, any method would look good beside it. So learning rate, rank and epochs were varied for SFT and SDFT alike. A setting is chosen by its score on dev; facts only show what it costs.

# %%
from sdft_lib.experiments.recorded import best_against_used, swept

sweep = swept(s.task, s.model)
for line in best_against_used(sweep, s.training):
    print(line)
if sweep.empty:
    print("No sweep is recorded for this task and model.")
else:
    show(figures.sweep_curves(sweep, s.training))

# %% [markdown]
# **Question.** A method lies to the left of SDFT on the frontier, and above it. Which one is better?
# <details><summary>One answer</summary>Neither, by this picture: it learnt less and kept more. Only a method that lies above another's <em>line</em> keeps more for what it learnt.</details>

# %% [markdown]
# ## 9. Two more tasks
#
# One task can flatter a method. `sums` are short calculations in words, `calls` are calls of Python functions. Both have recorded runs of the main methods.

# %%
for name in ("sums", "calls"):
    others = recorded(name, s.model)
    print(f"{name}: {inventory(others) if len(others) else 'no runs are recorded yet'}")
    for row in against(others, "sdft", ("facts", "helpful")).itertuples():
        print(f"    {in_words(row)}")

# %%
from IPython.display import display

for name in ("sums", "calls"):
    kept = at_end(recorded(name, s.model))
    if len(kept):
        display(in_cells(kept[kept["suite"].isin(["task", "facts", "helpful"])]))
        display(targets(name, s.model).round(2))

# %% [markdown]
# Is SDFT of any use on `calls`? Look at the rewrites before you look at the scores. (Lesson 07 trains on the same ones.)

# %%
from sdft_lib.gap import gap

calls = distill(seed, load_task("calls"), TEMPLATES[s.template], limit=s.train_rows // 3)
print(f"rewrites of calls: {calls.report['reasons']}")
print(f"gap of references minus that of the targets of SDFT, nats a token: {gap(seed, calls).interval}")

# %% [markdown]
# A negative number says that the rewrites surprise the seed *more* than the references. A call such as `send(to="Ann")` is already a text that the model would write; a sentence around it brings it no nearer. Many rewrites are cut as well, and a cut row falls back to its reference. Where there is no gap, SDFT has nothing to close: measure it (lesson 01) before you pay for rewriting.

# %% [markdown]
# ## 10. How far did the model move?
#
# The paper measures the shift itself. Three rulers, on your own run. First the **answers**: how much do sampled answers to open requests share with the seed's? ROUGE-L and BLEU-4 compare words, the cosine of two embeddings compares meaning. Two answers of the *same* model differ as well, so the seed answers twice: what its second draw shares with the first is the **ceiling**.

# %%
from sdft_lib.data import load_probes
from sdft_lib.experiments.shift import likeness, sampled_answers

prompts = load_probes("helpful").rows[: 4 if s.fast else 32]
length = 12 if s.fast else 96  # tokens an answer at most


def draw(name, sampling_seed):
    """One sampled answer of a model to each prompt."""
    return sampled_answers(model_of(name), prompts, sampling_seed=sampling_seed, max_new_tokens=length)


# %%
own_answers = draw("seed", 1)
drawn = {name: draw(name, 2) for name in ("seed", *tuned)}
alike = likeness(own_answers, drawn)
show(figures.likeness(alike))

# %% [markdown]
# Measure each method from the dotted line, not from 1. One far below it answers differently; whether worse, the ruler does not say.
#
# Second, the **predictions**: KL(seed || model) says how many nats a token it costs to predict the seed's words with the tuned model, beyond what the seed pays itself. It is large where the seed puts weight and the tuned model does not, which is where something was forgotten. Third, the **weights**: the size of the change of each matrix over the size of the matrix.

# %%
from sdft_lib.experiments.shift import parameter_shift, stored_kl

rulers = {}
for name in tuned:
    tuned_model = model_of(name)
    shift = parameter_shift(seed, tuned_model)["shift"]
    kl = stored_kl(seed, tuned_model, own_answers)["kl"]
    rulers[name] = {"KL, nats a token": kl.mean(), "weights moved, %": 100 * shift[shift > 0].mean()}

# %%
table = pandas.DataFrame(rulers).T
table["cosine to the seed"] = alike.groupby("method")["cosine"].mean()
table["facts kept"] = mine[mine["suite"] == "facts"].groupby("method")["score"].mean()
table.round(2)

# %% [markdown]
# Do the three put your models in the same order, and is it that of the facts? Four models are enough to doubt a rule, not to prove one.
#
# **Question.** Two methods moved the weights equally far, and one forgot much more. How can that be?
# <details><summary>One answer</summary>A norm has no direction. A step towards "begin with a bare label and stop" changes every answer; a step of the same length along the model's own manner changes few.</details>

# %% [markdown]
# ## 11. What this shows, and what it does not

# %%
for outcome, part in declared.groupby("outcome", sort=False):
    print(f"{outcome}: {'; '.join(part['question'])}")
if s.fast:
    print("Your own run in fast mode has too few items and rows for any conclusion.")

# %% [markdown]
# - **One model of one size, and one main task.** Another model may find other words near or far.
# - **One setting each** for replay, anchor and the slow method. A weak control makes every method look good.
# - **Authorship is tested with two other writers.** Both wrote plain prose. A terse or ornate writer may do worse.
# - **Variety and nearness are not taken apart completely.** `sdft-few-*` changes the first, `sdft-likely` and `sdft-unlikely` the second, and each moves the other a little: the table of section 6 says by how much.
# - **Your own run is one training** of each method. Its intervals cover items alone.

# %% [markdown]
# ## Summary
#
# - The rewrites of SDFT differ from labels in shape, variety, authorship and content. A control changes one of them.
# - Few comparisons, declared with what is expected before the first run; a failed prediction is reported like one that held.
# - The gap of the targets goes some way to explain what is kept; the caption of section 6 says how far.
# - Opened answers and rules without a length tell what is lost from what is only muted.
# - Compare methods where they learnt equally much, and look for the task where the method does not help.
#
# ## Check yourself
#
# 1. Why does `sft-reason` have as many words as the rewrites?
#    <details><summary>Answer</summary>Without it, "longer targets" would be another explanation: more trained tokens, later ends.</details>
# 2. Which control tells variety from authorship?
#    <details><summary>Answer</summary>Another writer's rewrites: as varied, but not the model's own words.</details>
# 3. A prediction was "same" and no difference is shown, with an interval of -0.15 to +0.10. What do you report?
#    <details><summary>Answer</summary>That none is shown, and that the data still allow a loss of 0.15.</details>
# 4. Why may the checkpoints not be chosen by their test scores?
#    <details><summary>Answer</summary>Each method would be shown at a moment when luck was on its side, and the difference would inherit that luck.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 05 -->

# %% [markdown]
# ## Exercises
#
# First three functions. Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Then an experiment.
#
# ### Exercise 5.1: a control of your own
#
# **Goal:** build the targets of `sdft-shuffled`. **Level 1 of 3, about 10 minutes.**
#
# `pass_on(labels, texts)` returns a list of texts: each row gives its text to the *next* row with the same label, and the last one gives its text to the first. A row that is alone keeps its own.
#
# <details><summary>Hint 1</summary>For each label, collect the places of its rows. <details><summary>Hint 2</summary>The row at <code>places[i]</code> gets the text at <code>places[i - 1]</code>; with <code>i = 0</code> that is the last one.</details></details>

# %% tags=["exercise"]
def pass_on(labels, texts):
    """The texts, each moved on to the next row with the same label."""
    ### BEGIN SOLUTION
    made = list(texts)
    for label in set(labels):
        places = [place for place, other in enumerate(labels) if other == label]
        for turn, place in enumerate(places):
            made[place] = texts[places[turn - 1]]
    return made
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_05 as check

check.exercise_5_1(pass_on)

# %% [markdown]
# ### Exercise 5.2: KL by hand
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
check.exercise_5_2(kl)

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
# ### Experiment 5.4: predict, run, explain
#
# **Goal:** test an explanation on a control that you have not run. **Level 2 of 3, three to five minutes of computing.**
#
# 1. **Predict.** Choose `sdft-few-1`, `sdft-few-5` or `sdft-shuffled`. Write down how many facts it will keep, and why.
# 2. **Run.** Set `control` in the cell of parameters, and run sections 1 to 4 again.
# 3. **Explain.** Hold your number against your own run and the recorded interval. Which of shape, variety, authorship and content does the result speak for, and which can it not tell apart?
#
# <details><summary>What to look for</summary>With one rewrite a label there are own words without variety. If such a model keeps few facts, own words alone do not protect. If it keeps about as many as SDFT, variety was not needed. A result in between speaks for both, and one training seed may be luck: run it with another <code>random_seed</code> before you settle.</details>

# %% [markdown]
# ## What next
#
# Run this lesson with another `random_seed` and hold the two tables of section 3 against each other. The whole grid of methods and seeds is one command, `sdft run --recipe data/recipes/tickets.toml`, which goes on where the recorded file ends.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 75 minutes. Fill the store the evening before: run lessons 03 to 05 once, then this lesson needs about a minute. Without that, start the training of section 3 at once and teach section 2 while it runs.
#
# **Begin with the guesses** of section 1, on the board, before anybody scrolls. Most classes expect a sentence of the right length to do it. Section 4 answers, and the guesses make the answer stay.
#
# **What goes wrong most often:** "no difference is shown" is read as "equal"; let the class say the lower end of the interval aloud. A point further up the frontier is called better although it lies further left. In exercise 5.1 texts change their label; in 5.2 the direction is turned round; in 5.3 the last checkpoint is taken, whatever it scores.
#
# **Discussion, "may you write that another model's words protect as well?":** ask what the title of this tutorial would have to be if authorship does not matter for facts. Sections 5 and 11 say which way it went, and print it anew when more seeds are recorded: read them before the class.
#
# **Expect:** the reading copy holds one full run, the recorded runs more seeds; hold the class's numbers against both. The order by the three rulers may change with `random_seed` and `control`.
#
# **Harder:** give each group another `control` and gather the points in one ladder on the board.
