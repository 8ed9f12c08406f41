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
# # 00 Start here: see a model forget
#
# **You will** put the same questions to a small chat model and to two fine-tuned copies of it. One copy has forgotten most of what it knew. You learn the idea that prevents this.
#
# **Before you start:** you need Python 3.11 or newer and nothing else: no account and no GPU.
#
# **Time:** about a minute on two CPU cores, 1.3 GB of memory. The measured times of your machine are in `build/report.html`. With `fast=True` there are fewer items to count.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on fewer items

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast)

# %% [markdown]
# ## 1. Three models
#
# The model before you train it is called the **seed model**, or the seed. Yours has 135 million weights, the numbers that training changes. It is small enough for a laptop, and a real chat model all the same.
#
# We trained it twice on the same 480 customer messages. Each training left an **adapter**: a small file (1 MB) that changes the seed's answers. Both files come with this tutorial.

# %%
from sdft_lib.models import frozen_adapter, load_seed, with_adapter

seed = load_seed(s.model)
models = {"seed": seed}
for name in ("sft", "sdft"):
    folder = frozen_adapter(f"tickets-{name}")
    models[name] = with_adapter(seed, folder, label=name)

# %% [markdown]
# **SFT**, supervised fine-tuning, is the usual way: train on the answers as they are. **SDFT**, self-distillation fine-tuning, is the subject of this tutorial. Section 4 says what it does.
#
# `ask` puts one question (the **prompt**) to all three models. An answer has at most 48 **tokens**: words, or pieces of words.
#
# First comes the task that both were trained for: which team should handle a customer's message? **Predict:** which of the three models will name a team?

# %%
from sdft_lib.generation import Decoding, generate


def ask(question):
    print("Q:", question)
    prompt = [{"role": "user", "content": question}]
    for name, model in models.items():
        answer = generate(model, [prompt], Decoding(max_new_tokens=48))[0]
        print(f"{name:>6}: {answer.text.strip()}")


# %%
from sdft_lib.data import load_task

task = load_task(s.task)
row = task.dev[0]
ask(row["messages"][-1]["content"])
print("wanted:", row["reference"])

# %% [markdown]
# The seed does not do the task. Both trained models name a team. So for this message the training worked, twice. An answer of more than 48 tokens breaks off. A program sees this in the `finish_reason`: `length` for a limit that was reached, `stop` for an answer that ended.
#
# **Predict.** Now you will ask all three for the capital of France. Nothing about France was in the training rows. What will each model say? Write it down before you run the next cell.

# %%
ask("What is the capital of France?")

# %%
ask("Give me one tip for a better sleep.")

# %% [markdown]
# Look at the lines of `sft`. This model answers as in its training rows: one word, which may be wrong. It does so for questions that have nothing to do with messages. The SDFT model still answers in sentences, as the seed does.
#
# <details><summary>Why does SFT say that?</summary>Each of its training answers was a single word. It learnt to say one word and stop, whatever the prompt. Lesson 01 shows how the seed sees those words.</details>

# %% [markdown]
# ## 2. Count it
#
# Two questions may mislead you. So count the right answers, as a share from 0 to 1. The questions are new messages (`task`) and easy questions about the world (`facts`).
#
# **Predict:** what share of the facts will each of the three models get right?

# %%
import pandas

from sdft_lib.data import load_probes, task_suite
from sdft_lib.evaluate import cut, evaluate

few = s.limits.get("facts", 48)
chosen = [cut(task_suite(task), few), cut(load_probes("facts"), few)]
frames = [evaluate(each, chosen, method=name) for name, each in models.items()]

# %%
from sdft_lib.lessons.figures.intervals import headline
from sdft_lib.lessons.figures.style import show
from sdft_lib.stats import summarise

show(headline(summarise(pandas.concat(frames))))

# %% [markdown]
# The left panel says what was learnt, the right panel what was kept. Compare SFT and SDFT: they are close on the left and far apart on the right. A line is a 95 % interval: the range in which the score of many such items is likely to lie.
#
# These are few items, and the first facts are the easiest ones. The next cell quotes the **recorded run**: results that come with the tutorial, of all items and several trainings of each method.

# %%
from sdft_lib.lessons.claims import in_the_recorded_run

print(in_the_recorded_run("facts", ("sft", "sdft")))

# %% [markdown]
# **Question.** Is the fact about Paris gone from the SFT model? Or does the model know it and no longer say it?
# <details><summary>One answer</summary>You cannot tell from this figure. Lesson 04 has a test: it begins the answer for the model and looks at what follows.</details>
#
# ## 3. Break it yourself
#
# Put a question of your own between the quotes. **Predict first:** which of the three answers will be useful?

# %%
ask("Write one sentence about the sea.")

# %% [markdown]
# **Question.** Is there a question that SFT answers well? Try some that expect one word.
#
# ## 4. The idea
#
# The upper way is SFT, the lower one SDFT. Look for the step that SFT does not have.

# %%
from sdft_lib.lessons.figures import concepts

show(concepts.pipeline())

# %% [markdown]
# The answers in the data are called **references**. They are right, but the seed would not have written them. It writes sentences, and here a reference is a bare **label**: the name of a team. This distance is the **distribution gap**. Training on references changes how the model writes everywhere.
#
# SDFT changes the data before the training. The seed sees the prompt *and* the reference and writes the answer in its own words: the **rewrite**. A program checks that the rewrite still gives the right answer. If it does not, the reference is kept. Then comes ordinary fine-tuning, on the original prompt.
#
# Here are three rows. How would you put each reference into a sentence?

# %%
for row in task.train[:3]:
    print(row["messages"][-1]["content"])
    print("  reference:", row["reference"], "\n")

# %% [markdown]
# The paper (arXiv 2402.13669, ACL 2024) makes three claims for models with 7 billion weights:
#
# 1. **The task is learnt** as well as with SFT, or better.
# 2. **Other abilities stay**: maths, code and knowledge that were not trained.
# 3. **Helpfulness and safety stay**: the model still refuses harmful requests.
#
# You will test all three on a small model, and you will see where SDFT loses.
#
# A method of 2026 has the same short name (arXiv 2601.19897). There the model learns from itself *while* it trains. Lesson 08 compares the two.

# %% [markdown]
# ## 5. What you will find out
#
# | lesson | the question |
# |---|---|
# | 01 | How surprising are your references for the seed? |
# | 02 | Can the seed rewrite them, and are the rewrites right? |
# | 03 | How does training work, line by line? |
# | 04 | What was learnt, what was kept? Forgotten, or only muted? |
# | 05 | Is it really the model's *own* words that protect it? |
# | 06 | Does a habit of refusing survive? |
# | 07 | What is left of the first task after two more? |
# | 08 | Two methods with one name: which one when? |
# | 09 | Will it help on *your* data? |
# | 10 | What does it take with 7 billion weights? |
#
# A **task** has training rows, development rows and test rows. Development rows (`dev`) are for every choice you make. Test rows are looked at once, at the end. A test row that you use for a choice is no longer a test.
#
# Downloads and results go to one folder, the **store**. A step that was done once is not done again. Each lesson runs alone: it takes what the store has, and makes the rest.

# %%
from pathlib import Path

folder = str(s.folder).replace(str(Path.home()), "~")
print("Everything is under", folder)

# %% [markdown]
# ## Summary
#
# - Plain fine-tuning taught the task, and most other answers were lost.
# - SDFT taught the same task from the same rows, and most other answers stayed.
# - The difference lies in the words that were trained on: the references, or the seed's own rewrites.
#
# ## Check yourself
#
# 1. What does SDFT change: the model, the training, or the data?
# 2. What happens to a rewrite that gives a wrong answer?
# 3. What are development rows for, and what are test rows for?

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
# **Goal:** count how many answers name the right label. **Level 2 of 3, about 10 minutes.**
#
# `share_naming(references, answers)` returns the share of answers, 0 to 1, that name their reference as a whole word. Capital and small letters count alike. Without answers the share is 0.0.
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
# **Time in class:** 20 minutes, half of them for section 3 and the question before the capital of France. The models can be fetched the evening before with `sdft fetch`.
#
# **What goes wrong most often:** students say "SFT broke the model". Ask what SFT still does well: the task. In exercise 0.2, many do not ask for a whole word, so "Technically" counts as `technical`.
#
# **Discussion, "is the fact gone?"** Collect a show of hands and write it down; come back to it in lesson 04, section 5.
#
# **Expect:** on the first 48 facts, seed and SDFT between 0.75 and 0.95, SFT under 0.2. On the task, SFT and SDFT between 0.75 and 0.95, the seed near 0. Over all 241 facts the seed has a little over half.
