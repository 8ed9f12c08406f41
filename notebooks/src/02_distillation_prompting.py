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
# # 02 Distillation prompting: let the model say it in its own words
#
# **You will** let the seed model rewrite each reference, check the rewrites, and see how much the wording of the prompt decides.
#
# **Before you start:** lesson 01 explains the gap. This lesson runs alone: it takes earlier results from the store, or makes them.
#
# **Time:** 1 to 6 minutes on two CPU cores the first time (the fewer where they have bf16), 2 GB of memory; the measured times of your machine are in `build/report.html`. With `fast=True` everything is done on few rows.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a file of your own
random_seed: int = 0  # decides the adapter's first weights and the order of the rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, task=task_name, model=model, seed=random_seed)

# %% [markdown]
# ## 1. Four templates
#
# A **distillation template** says how instruction and reference are shown to the seed. `user` is what you write; `prefill` opens the model's own turn, and stays in the target.

# %%
from sdft_lib.data import load_task
from sdft_lib.models import load_seed
from sdft_lib.templates import TEMPLATES, DistillTemplate

seed = load_seed(s.model)
task = load_task(s.task)

# %%
for template in TEMPLATES.values():
    print(f"{template.name}\n  system : {template.system!r}\n  user   : {template.user!r}")
    print(f"  prefill: {template.prefill!r}\n")

# %% [markdown]
# `guide` is the idea of the paper in our words. `explain` gives the answer in a plain sentence. `opening` puts the answer into the model's mouth. `free-opening` opens the turn without the answer.
#
# What the seed really sees is one string, in its own chat template. `inspect` shows it; here for one row and the template `opening`, with the place where the model goes on.

# %%
from sdft_lib.chat import inspect

row = task.train[0]
messages, opening = TEMPLATES["opening"].build(row["messages"], row["reference"])
print(inspect(messages, seed.tokenizer) + opening + " ...")

# %% [markdown]
# **Question.** Which of the four will a model of 135 million parameters follow best? Decide before you run the next cells.
#
# ## 2. Which rewrites may be kept?
#
# A rewrite replaces its reference only if it passes `accept`. The quick checks run first. The first check that fails gives the reason. Try it on answers made by hand.

# %%
from sdft_lib.verify import accept

choices = ["billing", "shipping", "returns"]
texts = ["The answer is shipping, because the parcel is late.", "It is billing.", "shipping or billing", "",
         "As the known solution says, it is shipping."]  # fmt: skip
for text in texts:
    print(f"{accept('label', 'shipping', text, choices).reason:>9}: {text!r}")

# %%
cut = accept("label", "shipping", "The answer is shipping, because the", choices, finish_reason="length")
loop = accept("label", "shipping", "shipping " * 12, choices)
print(cut.reason, loop.reason)

# %% [markdown]
# A text that repeats the right label twelve times contains the right answer and is still worthless: a check of the answer alone would let it pass, and the model would learn to repeat itself.
#
# ## 3. The same rows through four templates
#
# Each template rewrites the same training rows, greedily.

# %%
from sdft_lib.distill import distill, keep_table

few = s.limits["templates"]
tried = {name: distill(seed, task, template, limit=few) for name, template in TEMPLATES.items()}

# %%
from sdft_lib.lessons.figures import lesson_02 as figures
from sdft_lib.lessons.figures.style import show

table = keep_table(list(tried.values()))
show(figures.keep_rates(table))

# %% [markdown]
# In our runs `opening` kept about nine rewrites in ten, the others between a third and two thirds. The rows, the model and the checks are the same; only the wording differs.

# %%
shown = table[["template", "keep_rate", "names_answer", "distinct_targets", "own_share"]]
print(shown.round(2).to_string(index=False))

# %% [markdown]
# Read the columns before you choose by keep rate alone. Where `names_answer` is true, the opening contains the reference, so the answer check passes *almost always*: a text fails it only if it names another label later. The other checks still count. `distinct_targets` counts different texts to train on, references of rejected rows included: a template that gives the same sentence for each row teaches little. `own_share` is the part of the kept text that the model wrote after the opening.
#
# The printed lines count the reasons of rejection, too: `answer` is another answer or none, `cut` ended at the token limit, `loop` repeats itself, `echo` copies eight words in a row from the prompt, `leak` gives away that the model was shown a solution.
#
# **Question.** What could go wrong with a template that names the answer?
# <details><summary>One answer</summary>The model never had to find the answer, so its reasons can be invented: "The answer is billing, because the message is about shipping." The label is right, the sentence is not. A filter for labels cannot see that.</details>

# %% [markdown]
# ## 4. Look at the rewrites
#
# One row through each template, with the verdict.

# %%
from sdft_lib.lessons import tables
from sdft_lib.lessons.widgets import base as widgets

by_template = {name: item.rows for name, item in tried.items()}
tables.show_html(tables.template_table(by_template, 0))

# %%
if widgets.widgets_enabled():
    from IPython.display import display

    display(widgets.template_explorer(by_template))

# %% [markdown]
# **Question.** Find a rejected rewrite that you would have kept, and a kept one that you would have rejected. (Without widgets, change the `0` in the cell above.)
# <details><summary>One answer</summary>Both exist on most runs. A rewrite that quotes the message is rejected as an echo although its answer is right; a kept one may give a reason that does not fit. A stricter filter makes fewer mistakes of one kind and more of the other. So read some rows of every set that you train on.</details>
#
# ## 5. A template of your own
#
# Change the wording and see what it does. `{instruction}` and `{reference}` are filled in for each row.

# %%
mine = DistillTemplate(
    name="mine",
    user="{instruction}\n\nA colleague says the answer is {reference}. Say so in one friendly sentence.",
)
my_set = distill(seed, task, mine, limit=few)

# %%
for row in my_set.rows[:4]:
    print(f"{row['reason']:>9}: {row['raw'][:120]}")

# %% [markdown]
# ## 6. Distil the training set
#
# Templates are chosen on training and development rows, never on test rows. This tutorial goes on with the template named in its settings.

# %%
d = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows)
print(f"kept {d.report['kept']} of {d.report['rows']} ({d.report['keep_rate']:.0%}); reasons: {d.report['reasons']}")

# %% [markdown]
# A row whose rewrite was rejected keeps its reference. `source` and `reason` say so. No row is dropped, so SFT and SDFT see the same prompts.
#
# ## 7. Is the gap smaller?
#
# Measure the surprise of the seed at both columns, given the **original** prompt alone: without the reference, exactly as in training.

# %%
from sdft_lib.gap import gap

g = gap(seed, d)

# %%
columns = {"references": g.frame["nll_reference"].tolist(), "rewrites": g.frame["nll_text"].tolist()}
show(figures.gap_histogram(columns, gap=g.interval))

# %%
print(f"References minus rewrites, all rows: {g.interval.low:.1f} to {g.interval.high:.1f} nats a token (95 %)")
kept = g.frame[g.frame["source"] == "rewritten"]
print(f"Kept rows alone: {kept['nll_reference'].mean():.1f} down to {kept['nll_text'].mean():.1f} nats a token")
print(f"Total nats an answer: {g.frame['nats_reference'].mean():.0f} and {g.frame['nats_text'].mean():.0f}")

# %% [markdown]
# What did the rewriting change? More words, of course; and do reference and rewrite still mean the same?

# %%
from sdft_lib.similarity import alike

changed = alike([row for row in d.rows if row["source"] == "rewritten"])
print(changed.drop(columns="id").mean().round(2).to_string())

# %% [markdown]
# `rouge_l` and `bleu_4` count the words and phrases that two texts share, `cosine` compares their meaning; 1 is the same text. One word compared with a sentence must score low. So these numbers alone do not say that the meaning has changed. The answer check does.
#
# The gap should close by several nats a token. The first line includes rows that kept their reference; these did not move. Look at the totals, too: a rewrite has more tokens, so the whole answer can be less likely than the reference.
#
# **Question.** The opening was written by you, not by the model. Does it lie near the model's distribution?
# <details><summary>One answer</summary>Its first words are surprising, because the model would not have begun like that. So is the label. What follows is not. The mean over all tokens is low because the model wrote most of them.</details>
#
# ## Summary
#
# - The seed rewrites each reference with the reference in its prompt; a rewrite is kept if it passes every check, else the reference stays.
# - The wording of the template decides how many pass; small models need an opening that leaves them little choice.
# - Report more than the keep rate: whether the opening names the answer, how many targets are distinct, how much the model wrote itself.
# - The distilled set lies several nats a token nearer to the model than the references.
#
# ## Check yourself
#
# 1. Why is a rewrite that was cut by its length rejected even if the answer is right?
# 2. What happens to a row whose rewrite is rejected?
# 3. Why is the gap measured with the original prompt and not with the template's prompt?

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 02 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 2.1: fill in a template
#
# **Goal:** mend a bug that many programs have. **Level 2 of 3, about 10 minutes.**
#
# `fill_in(pattern, instruction, reference)` puts the two texts where the pattern says `{instruction}` and `{reference}`. Instructions may hold braces of their own, and even the word `{reference}`: whatever they hold must come out unchanged.
#
# <details><summary>Hint 1</summary><code>str.format</code> trips over other braces, and two calls of <code>replace</code> change what the first one put in. <details><summary>Hint 2</summary><code>re.sub</code> with a function goes through the pattern once. <details><summary>Hint 3</summary><code>re.sub(r"\{(instruction|reference)\}", lambda found: values[found[1]], pattern)</code></details></details></details>

# %% tags=["exercise"]
import re


def fill_in(pattern, instruction, reference):
    """The pattern with both texts in place, everything else untouched."""
    ### BEGIN SOLUTION
    values = {"instruction": instruction, "reference": reference}
    return re.sub(r"\{(instruction|reference)\}", lambda found: values[found[1]], pattern)
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_02 as check

check.exercise_2_1(fill_in)

# %% [markdown]
# ### Exercise 2.2: the first check that fails
#
# **Goal:** write a small filter of your own. **Level 2 of 3, about 10 minutes.**
#
# `first_failure(reference, text, finish_reason)` returns `empty` if the text has nothing but blanks, else `cut` if the finish reason is `length`, else `answer` if the text does not name the reference as a whole word (in any case), else `accepted`.
#
# <details><summary>Hint 1</summary>The order matters: the first failure is the reason. <details><summary>Hint 2</summary>Three <code>if</code> with a <code>return</code> each, and one <code>return</code> at the end. Exercise 0.2 has the search for a whole word.</details></details>

# %% tags=["exercise"]
def first_failure(reference, text, finish_reason):
    """empty, cut, answer or accepted."""
    ### BEGIN SOLUTION
    if not text.strip():
        return "empty"
    if finish_reason == "length":
        return "cut"
    named = re.search(rf"\b{re.escape(reference)}\b", text, re.IGNORECASE)
    return "accepted" if named else "answer"
    ### END SOLUTION

# %% tags=["check"]
check.exercise_2_2(first_failure)

# %% [markdown]
# ### Exercise 2.3: fall back, do not drop
#
# **Goal:** build the training set so that the comparison stays fair. **Level 1 of 3, about 10 minutes.**
#
# Each row has `id`, `reference`, `rewrite` and `ok`. `with_fallback(rows)` returns as many rows, in the same order, with `id`, `text` (the rewrite if `ok`, else the reference) and `source` (`rewritten` or `original`). Leave the given rows as they are.
#
# <details><summary>Hint 1</summary>One new dict a row, in a list. <details><summary>Hint 2</summary><code>row["rewrite"] if row["ok"] else row["reference"]</code></details></details>

# %% tags=["exercise"]
def with_fallback(rows):
    """Rows with id, text and source; none is dropped."""
    ### BEGIN SOLUTION
    made = []
    for row in rows:
        text, source = (row["rewrite"], "rewritten") if row["ok"] else (row["reference"], "original")
        made.append({"id": row["id"], "text": text, "source": source})
    return made
    ### END SOLUTION

# %% tags=["check"]
check.exercise_2_3(with_fallback)

# %% [markdown]
# ## What next
#
# Lesson 03 trains on both columns with the same budget.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 45 minutes; the rewriting of section 6 takes one or two of them on two cores, so start it before the discussion of section 4.
#
# **What goes wrong most often:** students choose the template with the highest keep rate and overlook `names_answer`. Ask what the filter can still find out when the opening holds the answer. In exercise 2.1, `str.format` passes the first two checks and fails on braces; in 2.2 the answer is looked at before the cut.
#
# **Discussion, "a kept one that you would have rejected":** reasons that do not fit the message are the usual find. Let two students judge the same ten rows and compare: their agreement bounds what a filter can reach.
#
# **Expect:** `opening` keeps 85 to 97 %, the others 30 to 75 %; the gap closes by 4 to 6 nats a token; totals in nats of an answer go *up*, from about 18 to about 39.
#
# **Other data or models:** set `task_name` or `model` in the parameters cell. Whether the order of the templates stays the same is a good project for a group: the paper's models are fifty times larger and follow a prompt like `guide`.
