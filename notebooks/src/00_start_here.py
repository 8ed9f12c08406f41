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
# # 00 Start here: a model that answers, and what fine-tuning will do to it
#
# **You will** meet the small chat model that this tutorial fine-tunes, ask it a few questions, look at the task it is to learn, and see the plan of the lessons.
#
# **Before you start:** you need Python 3.11 or newer and nothing else. There is no account, no token and no GPU in this tutorial.
#
# **Time:** half a minute on two CPU cores, about 1 GB of memory; the measured times of your machine are in `build/report.html`. With `fast=True` everything is done on few rows.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a file of your own
random_seed: int = 0  # decides the adapter's first weights and the order of the rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, task=task_name, model=model, seed=random_seed)

# %% [markdown]
# ## 1. Which SDFT this is
#
# Two methods share the name. This tutorial teaches *self-distillation fine-tuning* of 2024 (arXiv 2402.13669, ACL 2024): the model first **rewrites** the training answers in its own words, and then ordinary fine-tuning runs on the rewrites. The method of 2026 with the same short name (arXiv 2601.19897) lets the model learn from itself *while* it trains; lesson 08 puts the two side by side.
#
# The question behind both: why does a fine-tuned model forget, and what can you do about it?
#
# ## 2. The seed model
#
# The model before any training is called the **seed model**. Yours is small enough for a laptop, and a real chat model all the same.

# %%
from sdft_lib.models import load_seed

seed = load_seed(s.model)

# %%
from sdft_lib.generation import Decoding, generate

questions = ["What is the capital of France?", "Give me one tip for a better sleep.", "What colour is a ripe banana?"]
answers = generate(seed, [[{"role": "user", "content": q}] for q in questions], Decoding(max_new_tokens=60))

# %%
for question, answer in zip(questions, answers, strict=True):
    print(f"Q: {question}\nA: {answer.text.strip()}  ({answer.tokens} tokens, {answer.finish_reason})\n")

# %% [markdown]
# Look at two things: whether the answers are right, and *how* they are written. Full sentences, a polite tone: that is the model's own manner. The last word in brackets says whether it stopped by itself (`stop`) or was cut (`length`).
#
# **Question.** Which of these abilities do you expect to survive when you train the model to route customer messages?
# <details><summary>One answer</summary>Most people expect all of them: the training rows say nothing about France or bananas. Lesson 04 measures it, and with plain fine-tuning the answer is usually a disappointment.</details>

# %% [markdown]
# ## 3. The task it is to learn
#
# A **task** has training rows, development rows (for every choice you make) and test rows (looked at once, at the end). Each row has a prompt and a **reference**, the answer that you want.

# %%
from sdft_lib.data import load_task

task = load_task(s.task)
print(f"{task.name}: kind {task.kind}, {len(task.train)} training rows")

# %%
for row in task.train[:4]:
    print(f"{row['messages'][-1]['content']}\n  -> {row['reference']}\n")

# %% [markdown]
# The references are as short as they can be. A program that sorts the mail wants just that. Now let the seed model answer the same prompts.

# %%
rows = task.train[:4]
own = generate(seed, [row["messages"] for row in rows], Decoding(max_new_tokens=40))
for row, answer in zip(rows, own, strict=True):
    print(f"wanted: {row['reference']:<12} seed: {answer.text.strip()[:150]}\n")

# %% [markdown]
# The seed talks; the references do not. Between what you want it to write and what it would write by itself lies a **gap**. Fine-tuning closes it by moving the model, and the move does not stop at your task.
#
# **Question.** The model could keep its own manner and still give the right team. What would a training answer look like that allows it to?
# <details><summary>One answer</summary>Something like "The answer is shipping, because the parcel has not arrived": right, and worded as the model words things. Lesson 02 lets the model write such answers itself.</details>

# %% [markdown]
# ## 4. What you will see
#
# | lesson | you will |
# |---|---|
# | 01 | measure the gap, in nats per token, before any training |
# | 02 | let the seed rewrite the references and keep what passes a check |
# | 03 | train twice with the same budget: on the references (**SFT**) and on the rewrites (**SDFT**) |
# | 04 | compare seed, SFT, a fixed sentence and SDFT on the task and on three probes, with intervals; forgotten, or only muted? |
# | 05 | hold SDFT against cheaper ways of forgetting less, and measure how far each moved the model |
# | 06 | train three tasks one after the other, and see what is left of the first |
# | 07 | bring data of your own, and learn beforehand whether SDFT is worth a try |
# | 08 | plan a run with billions of weights, and read what the published tables can carry |
#
# ## 5. Where things are kept
#
# What is fetched or computed goes to one folder, under a name made from everything that decided it. A step that was done once is not done again, and each lesson runs alone.

# %%
from pathlib import Path

print("Everything is under", str(s.folder).replace(str(Path.home()), "~"))

# %% [markdown]
# ## Summary
#
# - The seed model is a real chat model with a manner of its own.
# - The task's references are right, but not worded as the model would word them: that is the gap.
# - Fine-tuning moves the model towards the references; what it forgets on the way is what this tutorial is about.
#
# ## Check yourself
#
# 1. What is the difference between the 2024 and the 2026 method called SDFT?
# 2. What are development rows for, and what are test rows for?
# 3. What does `finish_reason` `length` tell you about an answer?

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 00 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 0.1: the form of a prompt
#
# **Goal:** write a prompt as a chat model reads it. **Level 1 of 3, about 5 minutes.**
#
# `as_messages(question, system)` returns a list of messages. Each is a dict with `role` and `content`. The question has the role `user`. If there is a system text, it comes first, with the role `system`; an empty one is left out.
#
# <details><summary>Hint 1</summary>Begin with an empty list, and append one or two dicts. <details><summary>Hint 2</summary><code>if system:</code> is false for an empty text.</details></details>

# %% tags=["exercise"]
def as_messages(question, system=""):
    """The messages of one question: [{"role": ..., "content": ...}, ...]."""
    ### BEGIN SOLUTION
    messages = [{"role": "system", "content": system}] if system else []
    return [*messages, {"role": "user", "content": question}]
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_00 as check

check.exercise_0_1(as_messages)

# %% [markdown]
# ### Exercise 0.2: does the answer name the label?
#
# **Goal:** count how often free text gives the answer that a program could read. **Level 2 of 3, about 10 minutes.**
#
# `share_naming(references, answers)` returns the share of answers, 0 to 1, that name their reference as a whole word, in any case. Without answers the share is 0.0.
#
# <details><summary>Hint 1</summary>Take reference and answer in pairs: <code>zip(references, answers)</code>. <details><summary>Hint 2</summary><code>re.search(rf"\b{re.escape(reference)}\b", answer, re.IGNORECASE)</code> finds a whole word and is None if there is none.</details></details>

# %% tags=["exercise"]
import re


def share_naming(references, answers):
    """Share of answers that name their own reference as a whole word, 0.0 if there are none."""
    ### BEGIN SOLUTION
    named = 0
    for reference, answer in zip(references, answers):
        named += re.search(rf"\b{re.escape(reference)}\b", answer, re.IGNORECASE) is not None
    return named / len(answers) if answers else 0.0
    ### END SOLUTION

# %% tags=["check"]
check.exercise_0_2(share_naming)

# %% [markdown]
# ## What next
#
# Lesson 01 puts a number on the gap.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 20 minutes, half of them for the two questions in the text. The models can be fetched the evening before with `sdft fetch`.
#
# **What goes wrong most often:** students judge the seed by whether it is *right* and miss *how* it writes. Ask for the number of words first. In exercise 0.2, many search for the label without borders of words, so "Technically" counts as `technical`.
#
# **Discussion, "which abilities survive?"** Collect a show of hands and write it down; come back to it in lesson 04.
#
# **Expect:** seven tokens for the capital of France; the bare question about a banana answered in one or two sentences; on the four task rows usually no answer that is only a label.
