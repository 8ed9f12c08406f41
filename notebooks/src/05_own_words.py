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
# **You will** train on targets that have some properties of the rewrites and lack others, and see which of them keep the facts. You hold predictions that were written beforehand against recorded runs, and measure how far training moved the model.
#
# **Before you start:** lesson 03 makes two of the models. Lesson 04 makes a third one, and explains paired differences and intervals. This lesson runs alone. It takes what is in the store, and makes the rest.
#
# **Time:** 4 to 11 minutes on two CPU cores after lessons 03 and 04, 2.6 GB of memory; 4 minutes where the cores compute in bf16. Without those lessons, their trainings come on top. It takes about a minute when the store holds everything. With `fast=True` the steps are the same, on few rows. Then you can conclude nothing from the numbers.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset, a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a folder of yours
random_seed: int = 0  # decides first weights, row order, shuffling
control: str = "sft-reason"  # the method of section 2 that you train

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(
    fast=fast, task=task_name, model=model, seed=random_seed
)

# %% [markdown]
# ## 1. What is it about the rewrites?
#
# SFT trained on bare labels, SDFT on the model's own rewrites of them. Rewrites and labels differ in four ways at once. Each of them may be what keeps the facts. So we train **controls** (lesson 04), which have some of the four and lack others:
#
# | | the idea | a method that tests it | what this method lacks |
# |---|---|---|---|
# | **shape** | a sentence, not a word | `sft-sentence`, `sft-reason`: a fixed sentence around each label | variety, own words, a fit to the row |
# | **variety** | hundreds of different sentences | `sdft-shuffled`: rewrites, each on another row of the same label | a text that fits its row |
# | **authorship** | the model's *own* words | `sft-other`, `sft-hand`: rewrites by another model, and sentences written one by one | own words |
# | **content** | a text that fits its own row | `sdft`: the method itself | nothing |
#
# One more thing differs, and no control sets it alone: how near a text lies to what the model would write (lesson 01). Section 6 measures it for each method.
#
# Or perhaps it is none of these. A method that merely *learns less* often forgets less. Section 8 looks at that.
#
# **Predict.** The seed answers a bit more than half of the facts, SFT about one in eight. What share will these four answer? Write your guesses into the next cell before you go on.

# %%
my_guess = {  # change these
    "sft-sentence": 0.5,
    "sft-reason": 0.5,
    "sdft-shuffled": 0.5,
    "sft-other": 0.5,
}

# %% [markdown]
# ## 2. One row under each control
#
# These methods train the same adapter on the same rows in the same number of steps. What differs is the target, the text to train on. Here is one training row. Below it stands the target of each method. Read from the top: what does each line add?

# %%
from sdft_lib.data import load_task
from sdft_lib.distill import distill
from sdft_lib.formats.folders import load_rewrites
from sdft_lib.models import load_seed, with_adapter
from sdft_lib.templates import TEMPLATES

seed = load_seed(s.model)
task = load_task(s.task)
d = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows)

# %%
from sdft_lib.experiments.methods import METHODS, asked, rows_for


def trained_on(name):
    """The rows that a method trains on."""
    chosen, written = METHODS[name], None
    if chosen.writer:
        written = load_rewrites(f"{task.name}-{chosen.writer}")
    return rows_for(chosen, d.rows, written=written, seed=random_seed)


# %%
import textwrap

from sdft_lib.lessons.figures import lesson_05 as figures
from sdft_lib.storage.errors import SdftError


def say(text):
    """Print a text in lines of 72 characters."""
    how = {"subsequent_indent": "    ", "break_on_hyphens": False}
    print(textwrap.fill(text, 72, **how))


place = [row["source"] for row in d.rows].index("rewritten")
say(d.rows[place]["messages"][-1]["content"])
for name in figures.LADDER:
    try:
        text = trained_on(name)[place][METHODS[name].column]
    except SdftError as error:
        text = f"does not fit this task: {error}"
    say(f"{name}: {text}")

# %% [markdown]
# `sft-oneword` has the same target as SFT. But its *prompt* asks for one word, so a bare label is less surprising. `sdft-few-1`, `-5` and `-25` leave 1, 5 or 25 different rewrites for each label. For two more, `sdft-likely` and `sdft-unlikely`, the seed writes four rewrites of each row. One method trains on the likeliest of them, the other on the least likely.
#
# The controls are a few lines each. This is the code of two of them.

# %%
import inspect

from sdft_lib.experiments import methods

for function in (methods.shuffled, methods.few):
    print(inspect.getsource(function))

# %% [markdown]
# **Question.** The reason that `sdft-shuffled` gives was written for another message. Why is it still a fair control?
# <details><summary>One answer</summary>The label is right, so the task can be learnt. The sentences are those that SDFT trains on, so there are as many and they vary as much. Only one thing is broken: the reason no longer fits its row. If this control keeps as much as SDFT, the fit is not what protects.</details>

# %% [markdown]
# ## 3. Train one yourself
#
# The first three come from the store if you ran lessons 03 and 04. The fourth is your control, `sft-reason` unless you change it. Is your guess for it still the same?

# %%
import pandas

from sdft_lib.experiments.run_one import run_one


def train(name):
    """One method on this lesson's budget."""
    how = {"template": TEMPLATES[s.template], "limit": s.train_rows}
    return run_one(seed, task, name, s.training, rows=d.rows, **how)


tuned = {}
for name in ("sft", "sdft", "sft-sentence", control):
    tuned[name] = train(name).tuned

# %%
records = {name: each.record for name, each in tuned.items()}
keys = ["rows", "steps", "tokens", "trained_tokens", "seconds"]
pandas.DataFrame(records).loc[keys].astype(int)

# %% [markdown]
# Rows and steps agree: that is the budget. `trained_tokens` do not agree, as a sentence has more tokens than a label. Is the number of tokens the reason, then? A control as long as the rewrites, such as `sft-reason`, answers this.

# %%
from sdft_lib.evaluate import evaluate, suites


def model_of(name):
    """The seed, or a copy with a method's adapter merged in."""
    if name == "seed":
        return seed
    return with_adapter(seed, tuned[name].adapter, label=name)


def scored(name):
    """The seed or a trained model on task, facts and helpful."""
    own = task if name == "seed" else asked(task, METHODS[name])
    chosen = suites(s, own, probes=("facts", "helpful"))
    frame = evaluate(model_of(name), chosen, method=name)
    end = float(name != "seed")  # the share of training that is done
    return frame.assign(seed=random_seed, split="test", checkpoint=end)


# %%
from sdft_lib.experiments.recorded import at_end, in_cells

frames = [scored(name) for name in ("seed", *tuned)]
mine = pandas.concat(frames, ignore_index=True)
in_cells(at_end(mine))

# %% [markdown]
# Each cell is a mean score with its 95 % interval over items. Which method is nearest to the seed on `facts`, and on `helpful`?
#
# This is one training of each method. Before you explain it, look at runs with more methods and more **training seeds**: trainings with other values of `random_seed`.
#
# ## 4. The recorded ladder
#
# These runs were recorded and come with this tutorial. A **ladder** shows the controls in order, from the bare label to the model's own rewrites. Figures name a method in words: `sft-oneword` is "one word asked", `sdft-few-5` "SDFT, 5 reasons", `sft-other` "other model's words", `sft-hand` "hand-written".

# %%
from sdft_lib.experiments.recorded import inventory, recorded

runs = recorded(s.task, s.model)
say(inventory(runs))

# %%
from sdft_lib.lessons.figures.style import show

ends = at_end(runs) if len(runs) else at_end(mine)
show(figures.ladder(ends))

# %%
from sdft_lib.lessons import claims

steps = [name for name in figures.LADDER if name in set(ends["method"])]
for suite in ("facts", "helpful"):
    print(claims.in_the_recorded_run(suite, steps, s.task, s.model))

# %% [markdown]
# Read the figure from the top. (Rows that are not recorded yet are missing.)
#
# - First come methods without variety: one text for each label. If **shape** were enough, they would lie where SDFT lies.
# - Next come methods with some of the model's own sentences, more and more of them. Then come the rewrites that do not fit their rows. If **variety** protects, the last of these lie where SDFT lies.
# - Then come other writers. If **authorship** protects, they fall short of SDFT.
#
# Facts and helpful need not agree. A fact is a short answer; `helpful` asks for a long one.

# %%
facts = ends[ends["suite"] == "facts"].set_index("method")["mean"]
for name, guess in my_guess.items():
    found = f"{facts[name]:.2f}" if name in facts else "nothing yet"
    print(f"{name:>13}: you guessed {guess:.2f}, recorded {found}")

# %% [markdown]
# **Question.** Which of your guesses was furthest off? Which of the four ideas does that speak against?
#
# ## 5. What was expected, and what came
#
# There are many methods and suites. Somebody who looks long enough will find a difference. So twelve comparisons were written down before the first of these runs, each with what was expected (`data/results/predictions.toml`). `higher` and `lower` say how the first method scores against the second. `same` means that no difference is shown. The twelve are one family: Holm's correction covers all of them that are recorded. Every other comparison in this lesson is a look, not a test.
#
# **Predict:** how many of the twelve held?

# %%
from sdft_lib.experiments.recorded import in_words, predictions
from sdft_lib.lessons import tables

declared, rows = predictions(s.model), []
for row in declared.itertuples():
    said = "" if pandas.isna(row.seeds) else in_words(row)
    rows.append((row.question, row.expected, row.outcome, said))
head = ("question", "expected", "outcome", "measured")
tables.show_html(tables.table(head, rows))

# %%
from sdft_lib.experiments.frontier import FEWEST_SEEDS

fewest = declared["seeds"].fillna(0).min()
if fewest < FEWEST_SEEDS:
    print(f"Provisional: some rows have under {FEWEST_SEEDS} seeds.")

# %% [markdown]
# A prediction that failed stays in the list. Some failures are good news: `lower` was expected, and no loss is shown. Where `same` was expected and held, this is the weakest kind of success. The interval says how large a difference could still hide in it.
#
# A question is shorter than its comparison. "Does variety keep facts?" sets `sdft-shuffled` against `sft-reason`. These two differ in variety, in who wrote the words, and in their gap (section 6). The comparisons with another writer ask about authorship. No row of the table tells variety from a small gap.
#
# An interval may lie on one side of 0 while no difference is shown. It is one of twelve, and the verdict makes up for that (lesson 04).
#
# An interval covers the luck of the items. Its `units` are independent questions: several rows may ask the same in other words. From five training seeds on it covers the luck of *training*, too. With fewer it does not.
#
# **Question.** "Expected: same. Held." May you write that another model's words protect as well as the model's own?
# <details><summary>One answer</summary>No. You may write that no difference is shown, and that one larger than the ends of the interval is unlikely. "Equal" is a claim about the whole interval, not about its middle.</details>

# %% [markdown]
# ## 6. Does the gap explain it?
#
# Lesson 01 measured how surprising a text is for the seed, in nats a token. The table has the targets of each method. `nats` is their mean surprise, `words` their mean length, and `distinct` the number of different targets. A row whose rewrite was rejected keeps its label. So `sdft-few-1` has twelve targets: six rewrites and six labels.
#
# **Predict:** if the gap were the whole story, the points of the figure would lie on one falling line. Will they?

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
# The caption compares two orders of the methods: by gap, and by facts kept. It describes these methods; it is no law. Look for pairs that break the rule: almost the same gap and unlike facts, or the reverse. Perhaps `distinct` tells them apart.
#
# **Question.** Find `SFT + replay`. It trains on labels as SFT does, and also on answers of the seed to general prompts. Its gap is wide. Why may it still lie far above SFT?
# <details><summary>One answer</summary>It may protect in another way: it practises old answers. The gap can only explain methods that differ in nothing but the targets of the task.</details>

# %% [markdown]
# ## 7. Forgotten, or only muted?
#
# A model that learnt to say one word may still know a fact and not get to say it. Lesson 04 told the two apart, and so do the recorded runs. `facts-opened` begins the answer for the model ("The answer is"). `helpful-any-length` and `instructions-any-length` drop the rules about length.
#
# **Predict:** on which of the three suites will SFT gain most?

# %%
from sdft_lib.experiments.recorded import with_twins

try:
    show(figures.muted(with_twins(runs)))
except SdftError as error:
    print("No recorded run was scored this way:", error)

# %% [markdown]
# Look for open markers far to the right of the filled ones. There the ability was **muted**: only the form was in its way. Where both lie low, it is gone, as far as this test can tell. Compare each distance with that of the seed in the first row, whose score changes, too.
#
# Then look for open markers on `facts` far to the *left*: other model's words fell from 0.60 to 0.46, replay from 0.56 to 0.40, SDFT only from 0.60 to 0.59 (the seed from 0.55 to 0.50). Where the answer is opened, SDFT minus the other model's words is +0.09 to +0.18, and SDFT minus replay +0.15 to +0.24 (tickets, five training seeds). So "no difference is shown on facts" (section 5) is about questions as they are asked. The opened ones were not declared for these two pairs: this is a look, not a test. And the test may favour SDFT, whose rewrites begin with this opening. (Those of the other model do, too. Replay's labels do not.)
#
# **Question.** On `helpful-any-length` SFT scores more than on `helpful`. Is that knowledge which came back?
# <details><summary>One answer</summary>In part the rule got easier: one word on the subject is enough now. That is why the seed has a row. Ask whether SFT gains more than the seed does.</details>

# %% [markdown]
# ## 8. Or only less learning?
#
# A method that learns less often forgets less (section 1). So look at methods that are gentle on purpose:
#
# - `sft-slow` has a quarter of the learning rate and four times the steps.
# - `sft-replay` adds the seed's own answers to general prompts.
# - `sft-anchor` adds a penalty to the loss. It grows as the model's predictions move away from the seed's.
# - SFT itself can be **stopped early**, at a quarter, half or three quarters of its way.
#
# A **frontier** shows what was learnt to the right and what was kept upwards. The next picture has the idea. **Predict:** where will `sft-slow` and `sft-replay` lie?

# %%
from sdft_lib.lessons.figures import concepts

show(concepts.frontier())

# %% [markdown]
# Now come the recorded runs, with yours on top. Each training is one line. Follow a line from its small marker to its large one. Which lines stay near the dotted line, the seed?

# %%
from sdft_lib.experiments.frontier import points
from sdft_lib.experiments.recorded import GENTLE

gentle = runs[runs["method"].isin(GENTLE)]
theirs = points(gentle, "facts") if len(gentle) else []
show(figures.frontier_with_yours(theirs, points(mine, "facts")))

# %% [markdown]
# If your notebook shows widgets, choose other methods or another suite.

# %%
from sdft_lib.lessons.widgets.lesson_05 import frontier_explorer

explorer = frontier_explorer(runs, mine)
explorer

# %% [markdown]
# Compare two methods where they learnt equally much. The rule was fixed in advance:
#
# 1. On **dev**, find the highest task score that *both* reach.
# 2. Of each method take the **checkpoint** (the model part of the way through its training) nearest to this score.
# 3. On **test**, take the differences item by item. No test row took part in the choice.

# %%
from sdft_lib.experiments.recorded import against

equally = against(gentle, "sdft")
for row in equally.itertuples():
    say(in_words(row))
if equally.empty:
    print("No recorded methods share a training seed with SDFT.")

# %% [markdown]
# Read the line of the task first. If it shows a difference, the two did not learn equally much on test. Then the line of the facts is no fair comparison. (Rule 2 stops each method early by itself, so the lines of `sft` are those of SFT stopped early.)
#
# There are more remedies. Some weaken the finished adapter, or hold the anchor elsewhere. STM (selective token masking) leaves out tokens that the seed finds unlikely. DFT (dynamic fine-tuning) gives them less weight. One method learns on-policy (lesson 08). The recipe `data/recipes/frontier.toml` trains them all, on fewer rows than above. Its runs are drawn here if they are recorded, each from the seed model outwards.

# %%
from sdft_lib.experiments.registered import ends_of, frontier_runs

others = frontier_runs(s.model)
if s.task == "tickets" and len(others):
    show(figures.remedies(ends_of(others, "facts")))
else:
    print("No recorded run has these remedies for this task and model.")

# %% [markdown]
# One remedy needs no training. A **scaled adapter** is a trained one times a number: at 0 it is the seed, at 1 the trained model. So it gives a whole line. A remedy on that line is no better than a weaker adapter. Look for points above the line. In training seed 0 replay and SDFT lie far above the line of SFT's scaled adapters. STM and DFT lie below it. Each remedy of SFT has the learning rate that was best for SFT. A rate of its own might serve it better.
#
# There is one more way to be fooled, a **weak baseline**. With a poor learning rate for SFT, any method would look good beside it. So a **sweep** varies learning rate, rank and epochs for SFT and SDFT alike. A setting is chosen by its score on dev. Facts only show what it costs. The next cells show the sweep if it is recorded.
#
# **Predict:** with a small learning rate a model learns less. Will SFT keep the facts there?

# %%
from sdft_lib.experiments.recorded import best_against_used, swept

sweep = swept(s.task, s.model)
for line in best_against_used(sweep, s.training):
    say(line)
if sweep.empty:
    print("No sweep is recorded for this task and model.")
else:
    show(figures.sweep_curves(sweep, s.training))

# %%
for name, part in sweep.groupby("method"):
    learnt = f"{part['dev'].min():.2f} to {part['dev'].max():.2f}"
    kept = f"{part['kept'].min():.2f} to {part['kept'].max():.2f}"
    print(f"{name}: learnt {learnt}, facts kept {kept}")

# %% [markdown]
# Follow the open markers from left to right. Those of SDFT stay near the seed, wherever you look. SFT keeps most where it learnt least, and even there it keeps less than SDFT. No setting of this sweep gives SFT both. (Each setting was trained once.)
#
# **Question.** A method lies to the left of SDFT on the frontier, and above it. Which one is better?
# <details><summary>One answer</summary>Neither, by this picture: it learnt less and kept more. Only a method that lies above another's <em>line</em> keeps more for what it learnt.</details>

# %% [markdown]
# ## 9. Two more tasks
#
# A method may look good by the choice of the task. `sums` are short calculations in words, `calls` are calls of Python functions. If runs of the main methods are recorded for them, they are shown here.

# %%
from IPython.display import display

for name in ("sums", "calls"):
    others = recorded(name, s.model)
    print(name if len(others) else f"{name}: nothing is recorded yet")
    if len(others):
        kept = at_end(others)
        shown = kept["suite"].isin(["task", "facts", "helpful"])
        display(in_cells(kept[shown]))
        display(targets(name, s.model).round(2))
    equally = against(others, "sdft", ("facts", "helpful"))
    for row in equally.itertuples():
        say(in_words(row))

# %% [markdown]
# Is SDFT of any use on `calls`? Measure the gap before you look at scores. On `tickets` the references have about five nats a token more than the rewrites. **Predict:** how many more will it be on `calls`, where a reference is a line such as `send(to="Ann")`?

# %%
from sdft_lib.gap import gap

calls = distill(
    seed,
    load_task("calls"),
    TEMPLATES[s.template],
    limit=s.train_rows // 3,
)
closed = gap(seed, calls).interval
print(f"references minus rewrites: {closed} nats a token")

# %% [markdown]
# If the number is negative, the targets of SDFT surprise the seed *more* than the references. A call is already a text that the model would write. A sentence around it brings it no nearer. Many rewrites are cut as well, and such a row keeps its reference.
#
# So we expected that SFT does little harm on `calls`, and that SDFT has nothing to protect. **We were wrong.** Look at the table of `calls` above, and compare the facts of SFT and of SDFT. SFT lost nearly all of them, and for SDFT no loss is shown. A fixed sentence around each call kept half at most, a fixed reason less: as on `tickets`, a sentence alone is not enough. The references surprise the seed least of these four kinds of text, and they cost the most facts. On `sums` the gap is small, too. There SFT lost few facts (0.55 before, 0.48 after), and a fixed reason lost many. SDFT kept more than both, and more than replay.
#
# A small gap does not protect. The seed expects a call *after a prompt that shows a function*. The gap does not measure what the training makes likely after *other* prompts. We read what SFT answered to the questions about facts, in the first of the three trainings. In the middle of it many answers were calls, such as `smolLM(France)`. At its end 206 of 241 were one word, and 135 of these were only the name `smolLM`. The habit of the task had spread to every question. Replay speaks for this reading: with general answers among the rows, no loss of facts is shown for plain SFT on the same calls. So measure facts on dev, whatever the gap is.
#
# **Question.** Are these facts lost, or only muted? Which score tells?
# <details><summary>One answer</summary>The score with the answer opened ("The answer is"), <code>facts-opened</code> of section 7. Here it was 0.16 after SFT and 0.50 before it (the book's page on evidence): a little comes back, most does not. Opened answers can also show a loss that plain ones hide. On <code>sums</code> SFT lost little of its facts as they are asked (0.55 before, 0.48 after). Opened, they fell from 0.50 to 0.36. On <code>calls</code> SDFT has 0.41 there.</details>

# %% [markdown]
# ## 10. How far did the model move?
#
# The paper measures how far training shifts the model. Here are three rulers, on your own run.
#
# The first ruler is for the **answers**. How much do sampled answers to open requests share with the seed's? (A sampled answer takes each next token by chance, the likely ones more often.) ROUGE-L and BLEU-4 compare words (lesson 02). The cosine compares meaning. Two answers of the *same* model differ as well. So the seed answers twice: what its second answer shares with the first is the **ceiling**.
#
# **Predict:** which of your trained models will answer most like the seed?

# %%
from sdft_lib.data import load_probes
from sdft_lib.experiments.shift import likeness, sampled_answers

prompts = load_probes("helpful").rows[: 4 if s.fast else 32]
length = 12 if s.fast else 96  # tokens an answer at most


def draw(name, sampling_seed):
    """One sampled answer of a model to each prompt."""
    how = {"sampling_seed": sampling_seed, "max_new_tokens": length}
    return sampled_answers(model_of(name), prompts, **how)


# %%
own_answers = draw("seed", 1)
drawn = {name: draw(name, 2) for name in ("seed", *tuned)}
alike = likeness(own_answers, drawn)
show(figures.likeness(alike))

# %% [markdown]
# Measure each method from the dotted line, not from 1. One far to its left answers differently. Whether it answers worse, the ruler does not say.
#
# The second ruler is for the **predictions**: the **KL divergence**, KL(seed || model), in nats a token. It takes the seed's answers and asks how much more they surprise the trained model than the seed. It is large where the seed expects a word and the trained model does not.
#
# The third ruler is for the **weights**: how large is the change of each matrix, in percent of the matrix?

# %%
from sdft_lib.experiments.shift import parameter_shift, stored_kl

rulers = {}
for name in tuned:
    tuned_model = model_of(name)
    shift = parameter_shift(seed, tuned_model)["shift"]
    kl = stored_kl(seed, tuned_model, own_answers)["kl"]
    moved = 100 * shift[shift > 0].mean()
    rulers[name] = {"KL, nats a token": kl.mean()}
    rulers[name]["weights moved, %"] = moved

# %%
table = pandas.DataFrame(rulers).T
table["cosine to the seed"] = alike.groupby("method")["cosine"].mean()
facts = mine[mine["suite"] == "facts"]
table["facts kept"] = facts.groupby("method")["score"].mean()
table.round(2)

# %% [markdown]
# Do the three rulers put your models in the same order? Is it the order of the facts? Four models are enough to doubt a rule, not to prove one.
#
# **Question.** Two methods moved the weights equally far, and one forgot much more. How can that be?
# <details><summary>One answer</summary>The size of a change does not tell its direction. A step towards "begin with a bare label and stop" changes every answer. A step of the same length along the model's own manner changes few.</details>

# %% [markdown]
# ## 11. What this shows, and what it does not
#
# Section 5 has the predictions one by one. In short:

# %%
for outcome, count in declared["outcome"].value_counts().items():
    print(f"{count} of {len(declared)} predictions: {outcome}")
for row in declared[declared["outcome"] == "failed"].itertuples():
    print(f"failed: {row.question}")
if s.fast:
    print("Your own run in fast mode is too small for any conclusion.")

# %% [markdown]
# - **One model of one size, and one main task.** Other words may surprise another model.
# - **One setting each** for replay, anchor, the slow method and the remedies of section 8. A weak control makes every method look good.
# - **Facts are asked in two ways.** Against replay and against another writer, the two ways give two answers (section 7).
# - **Authorship is tested with two other writers.** The declared tests are about one of them, another small model. The hand-written sentences vary as much, lie farther from the model, and kept fewer facts (0.46, in three trainings; the other model's words 0.60).
# - **Variety and gap are not taken apart completely.** `sdft-few-*` changes the first, `sdft-likely` and `sdft-unlikely` the second. Each changes the other a little. The table of section 6 says by how much, for methods that are recorded.
# - **Your own run is one training** of each method. Its intervals cover items alone.

# %% [markdown]
# ## Summary
#
# - The rewrites of SDFT differ from labels in shape, variety, authorship and content. A control has some of these and lacks others.
# - On tickets a fixed sentence, even a long one, kept few facts. Many different sentences near the model's own kept them, also where they did not fit their row or another model wrote them. For helpful answers it did matter that the words were the model's own and fitted their row.
# - SDFT is not the only way to keep facts. Replay kept as many where they are asked plainly, and fewer where the answer is opened.
# - Declare few comparisons, with what you expect, before the first run. Report failed predictions, too.
# - A smaller gap mostly went with more facts kept. That is an order of methods, no cause, and replay does not follow it.
# - Opened answers, and rules without a length, tell what is lost from what is only muted.
# - Compare methods where they learnt equally much, and look for the task where the method does not help.
#
# ## Check yourself
#
# 1. Why does `sft-reason` have as many words as the rewrites?
#    <details><summary>Answer</summary>Otherwise "longer targets" could explain what SDFT keeps: it trains on more tokens than SFT.</details>
# 2. Which control tells variety from authorship?
#    <details><summary>Answer</summary>Another writer's rewrites: they vary, too, but they are not the model's own words.</details>
# 3. A prediction was "same" and no difference is shown, with an interval of -0.15 to +0.10. What do you report?
#    <details><summary>Answer</summary>That none is shown, and that the data still allow a loss of 0.15.</details>
# 4. Why may the checkpoints not be chosen by their test scores?
#    <details><summary>Answer</summary>Each method would be shown at its luckiest moment on these very rows. The difference would be partly luck.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 05 -->

# %% [markdown]
# ## Exercises
#
# First come three functions. Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Then comes an experiment.
#
# ### Exercise 5.1: a control of your own
#
# **Goal:** build the targets of `sdft-shuffled`. **Level 1 of 3, about 10 minutes.**
#
# `pass_on(labels, texts)` returns a list of texts. Each row gives its text to the *next* row with the same label. The last one gives its text to the first. A row that is alone keeps its own.
#
# <details><summary>Hint 1</summary>For each label, collect the places of its rows. <details><summary>Hint 2</summary>The row at <code>places[i]</code> gets the text at <code>places[i - 1]</code>; with <code>i = 0</code> that is the last one.</details></details>

# %% tags=["exercise"]
def pass_on(labels, texts):
    """The texts, each moved on to the next row with the same label."""
    ### BEGIN SOLUTION
    made, rows = list(texts), range(len(labels))
    for label in set(labels):
        places = [place for place in rows if labels[place] == label]
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
# The seed gives the probabilities `p` to a few tokens, and the tuned model gives `q` to the same tokens. `kl(p, q)` returns KL(seed || tuned) in nats: the sum of p times log(p / q). A token with p = 0 adds nothing.
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
# `matched(a, b)` takes the dev curves of two methods. A curve is a dict from the share of training done to the task score. Find the highest score that both reach. Return two shares: that of a and that of b whose score lies nearest to it. Of two equally near ones, take the earlier.
#
# <details><summary>Hint 1</summary>The highest score that both reach is the smaller one of the two best scores. Call it <code>target</code>. <details><summary>Hint 2</summary><code>min(sorted(curve), key=...)</code> returns the first of the smallest, and sorted shares begin with the earliest. <details><summary>Hint 3</summary>The key of a share is <code>abs(curve[share] - target)</code>.</details></details></details>

# %% tags=["exercise"]
def matched(a, b):
    """(share of a, share of b) to compare."""
    ### BEGIN SOLUTION
    target = min(max(a.values()), max(b.values()))

    def nearest(curve):
        return min(sorted(curve), key=lambda x: abs(curve[x] - target))

    return nearest(a), nearest(b)
    ### END SOLUTION

# %% tags=["check"]
check.exercise_5_3(matched)

# %% [markdown]
# ### Experiment 5.4: predict, run, explain
#
# **Goal:** test an explanation on a control that the ladder of section 4 does not show. **Level 2 of 3, three to five minutes of computing.**
#
# 1. **Predict.** Choose `sdft-mix-25`, `sdft-mix-50` or `sdft-mix-75`. A quarter, a half or three quarters of its rows train on their rewrites, the others on their labels. What share of the facts will it keep: that of SFT, that of SDFT, or one between? Write it down, and why.
# 2. **Run.** Set `control` in the cell of parameters, and run sections 1 to 4 again.
# 3. **Explain.** Hold your number against the outcome, and against SFT and SDFT in the same table. Does each sentence protect its share, or are a few enough? Which of shape, variety, authorship and content can this control not tell apart?
#
# <details><summary>What to look for</summary>If a quarter of the rewrites keeps nearly all facts, a part of the rows is enough to practise sentences. Replay does the same with other rows (section 8). If the facts lie in the middle, each row counts. The mixed rows have all four properties, only in fewer rows. So this control says how much is needed, not which property it is. One training seed may be luck: run it with another <code>random_seed</code> before you decide.</details>

# %% [markdown]
# ## What next
#
# Run this lesson with another `random_seed` and compare the two tables of section 3. One command runs the whole grid of methods and seeds: `sdft run --recipe data/recipes/tickets.toml`. It goes on where the recorded file ends. Lesson 06 asks whether a habit of refusing survives.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 75 minutes. Fill the store the evening before: run lessons 03 to 05 once, then this lesson needs about a minute. Without that, start the training of section 3 at once and teach section 2 while it runs.
#
# **Begin with the guesses** of section 1, on the board, before anybody scrolls. Most classes expect a sentence of the right length to do it. Section 4 answers, and the class remembers the answer because it had guessed.
#
# **What goes wrong most often:** students read "no difference is shown" as "equal". Let the class say the lower end of the interval aloud. They call a point higher up the frontier better although it lies further left. In exercise 5.1 texts change their label. In 5.2 the direction is turned round. In 5.3 the last checkpoint is taken, whatever it scores.
#
# **Discussion, "may you write that another model's words protect as well?":** suppose authorship does not matter for facts. Which title should this tutorial have then? Show section 7 next: with the answer opened, the other model's words kept fewer facts. Sections 5 and 11 say which way it went. They are printed anew when more seeds are recorded, so read them before the class.
#
# **Expect:** the reading copy holds one full run, the recorded runs more seeds. Hold the class's numbers against both. The order by the three rulers may change with `random_seed` and `control`.
#
# **Harder:** give each group another `control` and gather the points in one ladder on the board.
