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
# # 01 The distribution gap: how surprised is the model by your data?
#
# **You will** measure how surprising the references are for the seed model. You compare them with the seed's own answers, and you look at one row token by token.
#
# **Before you start:** lesson 00 introduces the seed model and the task. You should know what a logarithm is; no more.
#
# **Time:** about a minute on two CPU cores the first time, 1.6 GB of memory. The measured times of your machine are in `build/report.html`. With `fast=True` everything is done on few rows.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a file of your own
random_seed: int = 0  # decides the adapter's first weights and the order of the rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, task=task_name, model=model, seed=random_seed)

# %% [markdown]
# ## 1. References and own answers
#
# Lesson 00 showed a model that forgot. This lesson looks for the cause *before* any training. In the picture, the distance between the two humps is the gap. Look at what each method moves.

# %%
from sdft_lib.lessons.figures import concepts
from sdft_lib.lessons.figures.style import show

show(concepts.gap())

# %% [markdown]
# Load the seed and the task. Let the seed answer the training prompts by itself, without seeing the reference. It answers **greedily**: it always takes the likeliest next token. An answer is cut after 40 tokens.
#
# Compare each reference with the seed's own answer. Which of them is longer?

# %%
from sdft_lib.data import load_task
from sdft_lib.models import load_seed

seed = load_seed(s.model)
task = load_task(s.task)
rows = task.train[: s.limits["templates"]]

# %%
from sdft_lib.generation import Decoding, generate

answers = generate(seed, [row["messages"] for row in rows], Decoding(max_new_tokens=40))
pairs = zip(rows, answers, strict=True)
own_answers = [row | {"text": answer.text.strip()} for row, answer in pairs if answer.text.strip()]

# %%
for row in own_answers[:3]:
    print(f"reference: {row['reference']}\nown      : {row['text'][:140]}\n")

# %% [markdown]
# ## 2. How surprised is the model by the references?
#
# Ask the seed how likely it finds each answer. The measure is the mean **surprise** of the answer's tokens:
#
# $$\text{nats a token} = -\frac{1}{T}\sum_{t=1}^{T}\log p(y_t \mid \text{prompt}, y_1, \dots, y_{t-1})$$
#
# Here $y_1, \dots, y_T$ are the tokens of the answer, and $p$ is the probability that the seed gives to each of them. The last token, $y_T$, says that the answer ends (**end of turn**).
#
# The unit is called **nat**, because the logarithm is the natural one. 0 nats: the seed was certain of this token. 2.3 nats: one chance in ten. 4.6 nats: one in a hundred.
#
# **Predict.** How many nats a token will the references have? And the seed's own answers? Write down two numbers.

# %%
from sdft_lib.gap import nll

reference_nll = nll(seed, rows, "reference")
own_nll = nll(seed, own_answers, "text")

# %%
from sdft_lib.lessons.figures import lesson_01 as figures

both = {"references": reference_nll, "own": own_nll}
show(figures.gap_histogram({k: v["nll"].tolist() for k, v in both.items()}))

# %% [markdown]
# Compare the two dashed lines. Each is a median: half of the rows lie below it. The two humps should hardly overlap. With the default model and task, most references lie between 4 and 13 nats a token. Most own answers lie below 2.
#
# Why are the own answers not at 0? Even the likeliest token has a probability below 1. And an answer that was cut after 40 tokens gets an end that the model had not planned.
#
# **Question.** Which references lie nearest to the own answers? Guess, then look at three of them.

# %%
for index in reference_nll["nll"].argsort()[:3]:
    print(f"{reference_nll['nll'][index]:.1f} nats a token: {rows[index]['reference']}")

# %% [markdown]
# <details><summary>One answer</summary>Those whose label is a likely first word for the seed. On tasks with worked solutions, the least surprising rows are those that read like ordinary sentences.</details>
#
# ## 3. Token by token
#
# Which tokens are surprising? Take one row and three answers to it. They are the reference, the seed's **rewrite** of it (lesson 02 shows how to get one), and the seed's own answer.
#
# **Predict:** which token of the rewrite will surprise the seed most?

# %%
from sdft_lib.distill import distill
from sdft_lib.templates import TEMPLATES

d = distill(seed, task, TEMPLATES[s.template], limit=8)
row = next(row for row in d.rows if row["source"] == "rewritten")
own = next(each for each in own_answers if each["id"] == row["id"])
texts = {"reference": row["reference"], "rewrite": row["text"], "own answer": own["text"]}

# %%
from sdft_lib.chat import render
from sdft_lib.gap import token_nats


def strip(text):
    rendered = render(row["messages"], seed.tokenizer, text)
    ids = rendered.ids[rendered.prompt_length :]
    return [seed.tokenizer.decode([i]) for i in ids], token_nats(seed, [rendered])[0]


show(figures.token_strips({name: strip(text) for name, text in texts.items()}))

# %% [markdown]
# Read the first strip. The first token is the most surprising one: the seed did not plan to begin with a bare label. The last token ends the turn. It says *stop here*, and the seed would have gone on.
#
# Now the second strip. The label is still a surprise. But most words around it are likely for the seed, so the mean is low.
#
# The third strip has the seed's own words. Not all tokens are drawn, but the mean counts them all.
#
# **Question.** If you train on references like the first strip, what does the model learn first?
# <details><summary>One answer</summary>First the manner: begin with a label and stop at once. Which team is right comes later. The manner holds for every prompt, also for those that have nothing to do with the task. So questions that need a long answer suffer first.</details>

# %% [markdown]
# ## 4. Per token or per answer?
#
# A mean per token makes long texts look better: after a surprising start, the rest of a sentence is easy. So look at the total, too. **Predict:** which has the larger total, a reference or an own answer?

# %%
for name, table in both.items():
    tokens, nats = table["tokens"].mean(), table["nats"].mean()
    print(f"{name:>10}: {tokens:5.1f} tokens, {nats:5.1f} nats an answer")

# %% [markdown]
# The order may turn round: two very surprising tokens can have a smaller sum than forty likely ones. Both numbers are true. The mean per token says how much there is to learn at each token. The total says how unlikely the whole answer was. Report both when the lengths differ.
#
# **Question.** Is a reference at 6 nats a token *wrong*?
# <details><summary>One answer</summary>No. The gap says nothing about right or wrong, only how far the wording is from the model's own. A perfect answer can lie far away, and a wrong one very near.</details>
#
# ## 5. Predict, run, explain
#
# Which wording of the same answer surprises the seed least? Put the four in order before you run the cell. Then add a fifth one that surprises the seed even less.

# %%
wordings = [
    "{}",
    "{}.",
    "The answer is {}.",
    "ANSWER := {}",
]
tried = [dict(row, text=each.format(row["reference"])) for each in wordings]
for line, value in zip(tried, nll(seed, tried, "text")["nll"]):
    print(f"{value:5.1f} nats a token: {line['text']}")

# %% [markdown]
# <details><summary>What to look for</summary>A sentence is less surprising than a bare word, since most of its tokens are easy once it has begun. But this is a <em>mean</em>: the total may tell another story. Lesson 05 trains on such a fixed sentence and shows whether the facts stay.</details>
#
# ## Summary
#
# - You can measure the gap before any training. It says how much more the references surprise the seed than its own answers, in nats per token.
# - Short references lie far from the model's own answers: because of how they begin, and because they stop.
# - Means per token make long texts look better. Look at totals, too.
#
# ## Check yourself
#
# 1. A reference of two tokens has probabilities 0.1 and 0.01. How many nats a token is that? (About 3.5.)
# 2. Why does the end-of-turn token belong in the measure?
# 3. What would it mean if the references had a lower value than the model's own greedy answers?

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 01 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 1.1: nats per token
#
# **Goal:** compute the unit of this lesson by hand. **Level 1 of 3, about 5 minutes.**
#
# `nats_per_token(probabilities)` takes the probability that the model gave to each token of an answer. It returns the mean surprise: the mean of minus the natural logarithm.
#
# <details><summary>Hint 1</summary><code>math.log</code> is the natural logarithm. <details><summary>Hint 2</summary>First the logarithm of each probability, then the mean: <code>sum(...) / len(...)</code>.</details></details>

# %% tags=["exercise"]
import math


def nats_per_token(probabilities):
    """Mean of minus the logarithm of each probability, in nats."""
    ### BEGIN SOLUTION
    return -sum(math.log(probability) for probability in probabilities) / len(probabilities)
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_01 as check

check.exercise_1_1(nats_per_token)

# %% [markdown]
# ### Exercise 1.2: two means that differ
#
# **Goal:** take a mean in two ways, and see that they differ. **Level 2 of 3, about 10 minutes.**
#
# You have the total nats and the number of tokens of each answer. `two_means(nats, tokens)` returns two numbers: the mean in which each *answer* has one vote, and the mean in which each *token* has one.
#
# <details><summary>Hint 1</summary>The first is a mean of quotients, the second a quotient of sums. <details><summary>Hint 2</summary>Second: <code>sum(nats) / sum(tokens)</code>.</details></details>

# %% tags=["exercise"]
def two_means(nats, tokens):
    """(mean over answers, mean over tokens), both in nats per token."""
    ### BEGIN SOLUTION
    by_answer = [total / count for total, count in zip(nats, tokens)]
    return sum(by_answer) / len(by_answer), sum(nats) / sum(tokens)
    ### END SOLUTION

# %% tags=["check"]
check.exercise_1_2(two_means)

# %% [markdown]
# ### Exercise 1.3: rows in the overlap
#
# **Goal:** find the references that the model might have written itself. **Level 3 of 3, about 15 minutes.**
#
# `in_overlap(references, own)` takes nats per token of references and of own answers. It returns the positions of the references that are *at most* as surprising as the most surprising own answer, the least surprising first.
#
# <details><summary>Hint 1</summary>The limit is <code>max(own)</code>. <details><summary>Hint 2</summary>Sort positions, not values: <code>sorted(positions, key=lambda i: references[i])</code>.</details></details>

# %% tags=["exercise"]
def in_overlap(references, own):
    """Positions in `references`, by rising value, of values up to max(own)."""
    ### BEGIN SOLUTION
    positions = [i for i, value in enumerate(references) if value <= max(own)]
    return sorted(positions, key=lambda i: references[i])
    ### END SOLUTION

# %% tags=["check"]
check.exercise_1_3(in_overlap)

# %% [markdown]
# ## What next
#
# SFT moves the model to the references. Lesson 02 does the opposite: it moves the references to the model.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 30 minutes. Draw the two humps on the board before the figure is shown, and let the class guess the distance.
#
# **What goes wrong most often:** "high nats means a wrong answer". Use the last question of section 4. In exercise 1.1, many take the logarithm of the mean in place of the mean of the logarithms. In 1.2, they use one formula twice, and both numbers come out equal.
#
# **Discussion, "what does the model learn first?"** The manner: begin with a label, stop at once. Let students say which of their own data sets have terse references.
#
# **Expect:** medians of 6 to 9 nats a token for references, and of 1 to 2 for own answers. The first token of a bare label has 10 to 20 nats.
