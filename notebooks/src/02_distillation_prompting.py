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
# **You will** let the seed model rewrite each reference, check the rewrites, and see how much the wording of the prompt matters.
#
# **Before you start:** lesson 01 explains the gap. This lesson runs alone. It takes earlier results from the store, the folder of finished steps. What is not there, it makes.
#
# **Time:** 1 to 6 minutes on two CPU cores the first time, 2 GB of memory. It takes about 1 minute where the cores compute in bf16, a 16-bit number format. The measured times of your machine are in `build/report.html`. With `fast=True` everything is done on few rows.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset, a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a file of yours
random_seed: int = 0  # decides the first weights and the order of rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(
    fast=fast, task=task_name, model=model, seed=random_seed
)

# %% [markdown]
# ## 1. Four templates
#
# To rewrite a reference, the seed must see it. A **distillation template** says how the seed sees instruction and reference. It has three parts. `system` and `user` are messages to the model. `prefill` is the beginning of the model's own answer: you write it, the model goes on, and it stays in the text.

# %%
from sdft_lib.data import load_task
from sdft_lib.models import load_seed
from sdft_lib.templates import TEMPLATES, DistillTemplate

seed = load_seed(s.model)
task = load_task(s.task)

# %%
import textwrap

for template in TEMPLATES.values():
    print(template.name)
    for part in ("system", "user", "prefill"):
        told = f"{part}: {getattr(template, part)!r}"
        print(textwrap.indent(textwrap.fill(told, 68), "  "))

# %% [markdown]
# `guide` follows the idea of the paper, in our words. `explain` asks for the answer in one plain sentence. `opening` asks for nothing. It begins the answer for the model, and the reference stands in this beginning. `free-opening` asks as `explain` does and also begins the answer, but without the reference.
#
# The model reads one long string. Its **chat template** puts marks around each message. `inspect` shows this string, here for one row and the template `opening`. Its system message is not ours: the chat template adds it. The model goes on where the three dots are.

# %%
from sdft_lib.chat import inspect

row = task.train[0]
template = TEMPLATES["opening"]
messages, opening = template.build(row["messages"], row["reference"])
print(inspect(messages, seed.tokenizer) + opening + " ...")

# %% [markdown]
# **Question.** Which of the four will a model with 135 million weights follow best? Decide before you read section 3.
#
# ## 2. Which rewrites may be kept?
#
# A rewrite replaces its reference only if `accept` says so. The function makes six checks in this order. The first check that fails gives the **reason**:
#
# | reason | what is wrong with the text |
# |---|---|
# | `empty` | it says nothing |
# | `cut` | it reached the limit of tokens before its end |
# | `leak` | it says that the model was shown a solution |
# | `echo` | it copies eight words in a row from the prompt |
# | `loop` | it repeats itself |
# | `answer` | it gives another answer, or none |
#
# Try it on texts made by hand. The right answer is `shipping`.

# %%
from sdft_lib.verify import accept

choices = ["billing", "shipping", "returns"]
texts = [
    "The answer is shipping, because the parcel is late.",
    "It is billing.",
    "shipping or billing",
    "",
    "As the known solution says, it is shipping.",
    "shipping " * 12,
]
for text in texts:
    verdict = accept("label", "shipping", text, choices)
    print(f"{verdict.reason:>9}: {text[:52]!r}")

# %% [markdown]
# The last text holds the right answer and is still worthless. A check of the answer alone would keep it, and the model would learn to repeat itself.
#
# A text that ends in the middle of a sentence is no better. The `finish_reason` tells: `stop` means that the model ended the text, `length` that it reached the limit.

# %%
text = "The answer is shipping, because the"
for stopped in ("stop", "length"):
    verdict = accept(
        "label", "shipping", text, choices, finish_reason=stopped
    )
    print(f"{stopped:>9}: {verdict.reason}")

# %% [markdown]
# ## 3. The same rows through four templates
#
# Each template rewrites the same training rows. The seed answers greedily: it always takes the likeliest next token. The share of rewrites that pass is called the **keep rate**.

# %%
from sdft_lib.distill import distill, keep_table

few = s.limits["templates"]
tried = {}
for name, template in TEMPLATES.items():
    tried[name] = distill(seed, task, template, limit=few)

# %%
from sdft_lib.lessons.figures import lesson_02 as figures
from sdft_lib.lessons.figures.style import show

table = keep_table(list(tried.values()))
show(figures.keep_rates(table))

# %% [markdown]
# In our runs `opening` kept about nine rewrites in ten, and the others about a half to two thirds. Rows, model and checks are the same. Only the wording differs.
#
# Do not choose by the keep rate alone. Three more columns tell what the kept texts are worth:
#
# - `names_answer`: the prefill holds the reference. Then the answer is right *almost always*. It is wrong only if the text names another label later.
# - `distinct_targets`: how many different texts there are to train on. References of rejected rows count, too. A template that gives the same sentence for each row teaches little.
# - `own_share`: the share of the kept text that the model wrote itself, after the prefill.

# %%
columns = ["names_answer", "distinct_targets", "own_share"]
table.set_index("template")[columns].round(2)

# %% [markdown]
# **Question.** What could go wrong with a template that names the answer?
# <details><summary>One answer</summary>The label is right even if the model has not understood the message, since the prefill says it. So the model can invent the reason: "The answer is billing, because the message is about shipping." The label is right, and the sentence is not. A filter that looks for labels cannot see this.</details>

# %% [markdown]
# ## 4. Look at the rewrites
#
# Here is one row through each template. The last column has the reason; `accepted` means that all checks passed.

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
# **Question.** Find a rejected rewrite that you would have kept. Find a kept one that you would have rejected. (Without widgets, change the `0` behind `by_template` and run that cell again.)
# <details><summary>One answer</summary>Most runs have both. A rewrite that quotes the message is rejected as an echo, although its answer is right. A kept rewrite may give a reason that does not fit. A stricter filter rejects more bad texts, and more good ones. So read some rows of every set that you train on.</details>
#
# ## 5. Predict, run, explain: a template of your own
#
# Below is a template without a prefill. What share of its rewrites will pass? And how many nats a token (lesson 01) will the texts have for the seed? **Predict first:** write both numbers into the next cell. The figure of section 3 shows what the other templates kept. The references of this task have 7 to 8 nats a token.

# %%
my_guess = {"kept": 0.5, "nats a token": 4.0}  # change these

# %% [markdown]
# Now run it. `{instruction}` and `{reference}` are filled in for each row.

# %%
mine = DistillTemplate(
    name="mine",
    user="{instruction}\n\nA colleague says the answer is {reference}."
    " Say so in one friendly sentence.",
    prefill="",  # later: such as "I would say"
)
tried["mine"] = distill(seed, task, mine, limit=few)

# %%
for row in tried["mine"].rows[:4]:
    print(f"{row['reason']:>9}: {row['raw'][:60]}")

# %% [markdown]
# Here are your numbers, the outcome, and the other templates. A rejected row counts with its reference, since training would use that.

# %%
from sdft_lib.gap import nll

lines = {"you guessed": tuple(my_guess.values())}
for name in ("mine", *TEMPLATES):
    rows = tried[name].rows
    surprise = nll(seed, rows, "text", say=lambda line: None)
    keep_rate = tried[name].report["keep_rate"]
    lines[name] = keep_rate, surprise["nll"].mean()
for name, (share, nats) in lines.items():
    print(f"{name:>12}: kept {share:.2f}, {nats:.1f} nats a token")

# %% [markdown]
# **Explain.** Which check rejected most of your rewrites? (`distill` printed it.) Change one thing, predict again, and run the cells of this section again. Try a prefill without the answer ("I would say"), and then one with it ("I would say {reference}, since").
# <details><summary>What to look for</summary>A prefill leaves the model fewer ways to begin, so more rewrites pass. A small model often starts to talk about the message in place of the answer; then the reason is <code>answer</code>. The nats fall for two reasons: fewer references are left in the mean, and the rewrites read like the model's own text. A short rewrite gains less, since the surprising label is a larger part of it.</details>
#
# ## 6. Distil the training set
#
# Choose a template on training and development rows, never on test rows. This tutorial goes on with the one in its settings: `opening`, if you changed nothing.

# %%
d = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows)

# %% [markdown]
# A row whose rewrite was rejected keeps its reference. Its fields `source` and `reason` say so. No row is dropped, so SFT and SDFT train on the same prompts.
#
# ## 7. Is the gap smaller?
#
# Measure how surprising references and rewrites are for the seed. Here the seed gets the **original** prompt, without the reference. It is the prompt that training will use.

# %%
from sdft_lib.gap import gap

g = gap(seed, d)

# %%
columns = {
    "references": g.frame["nll_reference"].tolist(),
    "rewrites": g.frame["nll_text"].tolist(),
}
show(figures.gap_histogram(columns, gap=g.interval))

# %% [markdown]
# The gap should close by several nats a token. Rows that kept their reference are in the figure, too: they are the low blue steps under the references. The next cell leaves them out. It also prints the totals of an answer, as in lesson 01.

# %%
kept = g.frame[g.frame["source"] == "rewritten"]
for column in ("reference", "text"):
    mean = kept[f"nll_{column}"].mean()
    total = kept[f"nats_{column}"].mean()
    print(f"{column:>9}: {mean:.1f} nats a token, {total:.0f} in all")

# %% [markdown]
# The mean falls, and the total may rise: a rewrite has more tokens. So the whole answer can be less likely than the reference, although each of its tokens is likelier.
#
# What else did the rewriting change? There are more words. Do reference and rewrite still mean the same? `rouge_l` and `bleu_4` count words and phrases that two texts share. `cosine` compares their meaning, as another small model sees it. For equal texts all three are 1.

# %%
from sdft_lib.similarity import alike

changed = alike([row for row in d.rows if row["source"] == "rewritten"])
print(changed.drop(columns="id").mean().round(2).to_string())

# %% [markdown]
# One word compared with a sentence must score low. So these numbers alone do not say that the meaning has changed. Whether the answer is the same, the filter has checked.
#
# **Question.** The prefill comes from the template, not from the model. Is it likely for the model?
# <details><summary>One answer</summary>Its first words are surprising, because the model would not have begun like that. So is the label. What follows is much less surprising. The mean over all tokens is low because the model wrote most of them.</details>
#
# ## Summary
#
# - The seed rewrites each reference with the reference in view. A rewrite that passes every check is kept. For all others the reference stays.
# - The wording of the template decides how many pass. A small model needs a beginning that leaves it little choice.
# - Report more than the keep rate: whether the prefill names the answer, how many texts are different, and how much the model wrote itself.
# - The distilled set lies several nats a token nearer to the model than the references.
#
# ## Check yourself
#
# 1. Why is a rewrite rejected that reached the limit of tokens, even if its answer is right?
#    <details><summary>Answer</summary>It ends in the middle of a sentence. A model trained on it would learn to stop there.</details>
# 2. What happens to a row whose rewrite is rejected?
#    <details><summary>Answer</summary>It keeps its reference, and says so in <code>source</code> and <code>reason</code>.</details>
# 3. Why is the gap measured with the original prompt and not with the prompt of the template?
#    <details><summary>Answer</summary>Training and tests use the original prompt. A template may show the reference, and then the text looks likelier than it is.</details>

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
# `fill_in(pattern, instruction, reference)` puts the two texts where the pattern says `{instruction}` and `{reference}`. An instruction may hold braces of its own, and even the word `{reference}`. All of it must come out unchanged.
#
# <details><summary>Hint 1</summary><code>str.format</code> fails on other braces. Of two calls of <code>replace</code>, the second changes what the first one put in. <details><summary>Hint 2</summary><code>re.sub</code> with a function reads the pattern only once. <details><summary>Hint 3</summary><code>re.sub(r"\{(instruction|reference)\}", lambda found: values[found[1]], pattern)</code></details></details></details>

# %% tags=["exercise"]
import re


def fill_in(pattern, instruction, reference):
    """The pattern with both texts in place, all else untouched."""
    ### BEGIN SOLUTION
    values = {"instruction": instruction, "reference": reference}
    names = r"\{(instruction|reference)\}"
    return re.sub(names, lambda found: values[found[1]], pattern)
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_02 as check

check.exercise_2_1(fill_in)

# %% [markdown]
# ### Exercise 2.2: the first check that fails
#
# **Goal:** write a small filter of your own. **Level 2 of 3, about 10 minutes.**
#
# `first_failure(reference, text, finish_reason)` returns one of four words. `empty`: the text has nothing but blanks. `cut`: the finish reason is `length`. `answer`: the text does not name the reference as a whole word, in capitals or not. `accepted`: all three checks passed. Check in this order.
#
# <details><summary>Hint 1</summary>The first check that fails gives the reason. <details><summary>Hint 2</summary>Three <code>if</code> with a <code>return</code> each, and one <code>return</code> at the end. Exercise 0.2 has the search for a whole word.</details></details>

# %% tags=["exercise"]
def first_failure(reference, text, finish_reason):
    """empty, cut, answer or accepted."""
    ### BEGIN SOLUTION
    if not text.strip():
        return "empty"
    if finish_reason == "length":
        return "cut"
    word = rf"\b{re.escape(reference)}\b"
    named = re.search(word, text, re.IGNORECASE)
    return "accepted" if named else "answer"
    ### END SOLUTION

# %% tags=["check"]
check.exercise_2_2(first_failure)

# %% [markdown]
# ### Exercise 2.3: fall back, do not drop
#
# **Goal:** build the training set so that the comparison stays fair. **Level 1 of 3, about 10 minutes.**
#
# Each row has `id`, `reference`, `rewrite` and `ok`. `with_fallback(rows)` returns as many rows, in the same order. A new row has `id`, `text` (the rewrite if `ok`, else the reference) and `source` (`rewritten` or `original`). Do not change the rows that you are given.
#
# <details><summary>Hint 1</summary>One new dict a row, in a list. <details><summary>Hint 2</summary><code>row["rewrite"] if row["ok"] else row["reference"]</code></details></details>

# %% tags=["exercise"]
def with_fallback(rows):
    """Rows with id, text and source; none is dropped."""
    ### BEGIN SOLUTION
    made = []
    for row in rows:
        text = row["rewrite"] if row["ok"] else row["reference"]
        source = "rewritten" if row["ok"] else "original"
        made.append({"id": row["id"], "text": text, "source": source})
    return made
    ### END SOLUTION

# %% tags=["check"]
check.exercise_2_3(with_fallback)

# %% [markdown]
# ## What next
#
# Lesson 03 trains on references and on rewrites, in the same number of steps.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 45 minutes. The rewriting of section 6 takes one or two of them on two cores. Start it before you discuss section 4.
#
# **What goes wrong most often:** students choose the template with the highest keep rate and overlook `names_answer`. Ask what the filter can still find when the prefill holds the answer. In exercise 2.1, `str.format` passes the first two checks and fails on braces. In 2.2, many check the answer before the cut.
#
# **Section 5, in groups:** each group writes one template and predicts its keep rate on the board before it runs. Give a point for a guess within 0.10.
#
# **Discussion, "a kept one that you would have rejected":** most students find reasons that do not fit the message. Let two students judge the same ten rows and compare. A filter cannot agree with both of them more often than they agree with each other.
#
# **Expect:** `opening` keeps 85 to 97 %, the others 30 to 75 %. The gap closes by 4 to 6 nats a token. The total nats of an answer *rise*, from about 18 to about 39.
#
# **Other data or models:** set `task_name` or `model` in the parameters cell. Does the order of the templates stay the same? That is a good project for a group. The paper's models are fifty times larger and follow a prompt like `guide`.
