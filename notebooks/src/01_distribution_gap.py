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
# **You will** measure how likely the seed model finds the references of the task, compare that with its own answers, and look at a single answer token by token.
#
# **Before you start:** lesson 00 introduces the seed model and the task. You should know what a logarithm is; no more.
#
# **Time:** about a minute on two CPU cores the first time, 1.6 GB of memory; the measured times of your machine are in `build/report.html`. With `fast=True` everything is done on few rows.

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
# Load the seed and the task, and let the seed answer the training prompts by itself, greedily (always the likeliest next token), with no reference in sight.

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
# Before you train on the references, ask the seed how likely it finds them. The unit is **nats per token**: minus the logarithm of the probability, averaged over the tokens of the answer. 0 means "I would have written exactly that"; 2.3 means about one chance in ten at every token; 4.6 one in a hundred.

# %%
from sdft_lib.gap import nll

reference_nll = nll(seed, rows, "reference")
own_nll = nll(seed, own_answers, "text")

# %%
from sdft_lib.lessons.figures import lesson_01 as figures
from sdft_lib.lessons.figures.style import show

show(figures.gap_histogram({"references": reference_nll["nll"].tolist(), "own": own_nll["nll"].tolist()}))

# %% [markdown]
# The two humps should hardly overlap: with the default model and task, most references cost roughly 4 to 13 nats a token, and the model's own answers less than 2. (They are not 0: even the likeliest token has a probability below 1, so an answer costs something at every token. Those that are cut after 40 tokens also pay for a stop that the model had not planned.)
#
# **Question.** Which rows lie nearest to the own answers? Look at three of them before you read on.

# %%
for index in reference_nll["nll"].argsort()[:3]:
    print(f"{reference_nll['nll'][index]:.1f} nats a token: {rows[index]['reference']}")

# %% [markdown]
# <details><summary>One answer</summary>With label-only references there is little to choose: a label is cheap when the seed happens to start its answers with that word. On tasks with worked solutions, the cheapest rows are the ones that read like prose.</details>
#
# ## 3. Token by token
#
# Where does the surprise sit? Take one reference apart. The last token is the end of the turn: the reference also says *stop here*.

# %%
from sdft_lib.chat import render
from sdft_lib.gap import token_nats

row = render(rows[0]["messages"], seed.tokenizer, rows[0]["reference"])
nats = token_nats(seed, [row])[0]
tokens = [seed.tokenizer.decode([token]) for token in row.ids[row.prompt_length :]]

# %%
show(figures.token_surprise(tokens, nats))

# %% [markdown]
# The first token is usually the dearest: the model did not plan to begin with a bare label. The end of the turn is often dear too: it would have gone on talking.
#
# **Question.** If you train on such rows, what does the model learn first?
# <details><summary>One answer</summary>Not which team is right, but the manner: begin with a label and stop at once. That lesson holds for every prompt, also for those that have nothing to do with the task. This is why forgetting shows on open questions first.</details>

# %% [markdown]
# ## 4. Per token or per answer?
#
# A mean per token flatters long texts: after a surprising start, the rest of a sentence is easy. Look at the total too.

# %%
print(f"references : {reference_nll['tokens'].mean():5.1f} tokens, {reference_nll['nats'].mean():5.1f} nats an answer")
print(f"own answers: {own_nll['tokens'].mean():5.1f} tokens, {own_nll['nats'].mean():5.1f} nats an answer")

# %% [markdown]
# The order can even turn round: two expensive tokens may cost less in all than forty cheap ones. Both numbers are true. The mean per token says how hard each trained token pulls at the model; the total says how unlikely the whole answer was. Quote both when the lengths differ.
#
# **Question.** Is a reference at 6 nats a token *wrong*?
# <details><summary>One answer</summary>No. The gap says nothing about right or wrong, only about how far the wording is from the model's own. A perfect answer can lie far away, and a wrong one very near.</details>
#
# ## Summary
#
# - The gap can be measured before any training: minus log-probability of the references under the seed, in nats per token.
# - Short references lie far from the model's own answers, mostly because of how they begin and that they stop.
# - Per-token means favour long texts; look at totals too.
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
# `nats_per_token(probabilities)` takes the probability that the model gave to each token of an answer and returns the mean surprise: minus the natural logarithm, averaged over the tokens.
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
# **Goal:** see why a loss and a gap need not agree. **Level 2 of 3, about 10 minutes.**
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
# `in_overlap(references, own)` takes nats per token of references and of own answers. It returns the places of the references that cost *at most* as much as the dearest own answer, the cheapest first.
#
# <details><summary>Hint 1</summary>The border is <code>max(own)</code>. <details><summary>Hint 2</summary>Sort places, not values: <code>sorted(places, key=lambda place: references[place])</code>.</details></details>

# %% tags=["exercise"]
def in_overlap(references, own):
    """Places in `references` of the values that are at most the largest of `own`, in rising order of value."""
    ### BEGIN SOLUTION
    places = [place for place, value in enumerate(references) if value <= max(own)]
    return sorted(places, key=lambda place: references[place])
    ### END SOLUTION

# %% tags=["check"]
check.exercise_1_3(in_overlap)

# %% [markdown]
# ## What next
#
# Lesson 02 moves the references towards the model instead of the model towards the references.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 30 minutes. Draw the two humps on the board before the figure is shown, and let the class guess the distance.
#
# **What goes wrong most often:** "high nats means a wrong answer". Use the last question of section 4. In exercise 1.1, the logarithm of the mean is taken in place of the mean of the logarithms; in 1.2 both numbers come out equal because the same formula was used twice.
#
# **Discussion, "what does the model learn first?"** The manner: begin with a label, stop at once. Let students say which of their own data sets have terse references.
#
# **Expect:** medians of 6 to 9 nats a token for references and 1 to 2 for own answers; the first token of a bare label from 10 to 20 nats.
