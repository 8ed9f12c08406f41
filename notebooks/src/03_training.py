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
# # 03 Training: the same budget, two targets
#
# **You will** read a training row as the model reads it, and write the whole method in forty lines. You train the seed twice with the same budget, and see why the two loss curves must not be ranked.
#
# **Before you start:** lessons 01 (the gap) and 02 (the rewrites) explain where the two columns come from. This lesson runs alone. It takes their results from the store, or makes them.
#
# **Time:** 4 to 11 minutes on two CPU cores the first time, 2.4 GB of memory; 4 minutes where the cores compute in bf16. Most of it is the two trainings. It takes well under a minute when the store holds the adapters. With `fast=True` the steps are the same, on few rows. Then you can conclude nothing from the numbers.

# %% tags=["parameters"]
fast: bool = False  # True: the same steps on few rows
model: str = "smollm2-135m"  # a preset (`sdft models`), a hub id or a local folder
task_name: str = "tickets"  # tickets, sums, calls, or a file of your own
random_seed: int = 0  # decides the adapter's first weights and the order of the rows

# %%
from sdft_lib.settings import lesson_settings

s = lesson_settings(fast=fast, task=task_name, model=model, seed=random_seed)

# %% [markdown]
# ## 1. The two columns
#
# Load the seed model and the distilled set of lesson 02. Each row has one prompt and two possible **targets**, the texts to train on. The column `reference` holds the answer of the data. The column `text` holds the seed's own rewrite if it passed the checks, and else the reference.

# %%
from sdft_lib.data import load_task
from sdft_lib.distill import distill
from sdft_lib.models import load_seed
from sdft_lib.templates import TEMPLATES

seed = load_seed(s.model)
task = load_task(s.task)
d = distill(seed, task, TEMPLATES[s.template], limit=s.train_rows)

# %%
row = next(row for row in d.rows if row["source"] == "rewritten")
for column in ("reference", "text"):
    print(f"{column:>9}: {row[column]}")

# %% [markdown]
# Both targets give the same answer. They differ in length and in who chose the words. The template `opening` gave the first words of `text`, up to "because". What follows is the model's own.
#
# **Question.** Some rows may have the same string in both columns. Which ones, and what do they do to the comparison?
# <details><summary>One answer</summary>Those whose rewrite was rejected (<code>source</code> is <code>original</code>). On them SFT and SDFT train on the same target, so the two results become more alike. If most rows were like that, "SDFT" would be SFT under another name. So <code>fine_tune</code> refuses a set in which too few rows were rewritten.</details>

# %% [markdown]
# ## 2. What exactly is trained: the loss mask
#
# The model sees one string: the prompt in its own chat template, the target, and a token that ends the turn. The **loss** is the number that training makes smaller. Only the target and that last token count in it. The **loss mask** marks them.

# %%
from sdft_lib.lessons.figures import concepts
from sdft_lib.lessons.figures.style import show

show(concepts.loss_mask())

# %% [markdown]
# As a formula, for a target $y_1, \dots, y_T$ (the end of the turn is $y_T$) after a prompt $x$:
#
# $$\text{loss} = -\frac{1}{T}\sum_{t=1}^{T}\log p_\theta(y_t \mid x, y_1, \dots, y_{t-1})$$
#
# This is the measure of lesson 01, with one change: $p_\theta$ is now the model in training.
#
# `inspect` shows the exact string, with the trained part between `[[` and `]]`. First comes the row with its reference, then with its rewrite.

# %%
from sdft_lib.chat import inspect

print(inspect(row["messages"], seed.tokenizer, row["reference"]))

# %%
print(inspect(row["messages"], seed.tokenizer, row["text"]))

# %% [markdown]
# Look at three places:
#
# - **The start.** The template may add a system message that you never wrote. It belongs there: the model sees it again when it answers.
# - **The brackets `[[`.** They stand right behind the line break of the assistant's turn.
# - **The brackets `]]`.** The end-of-turn token is inside, so the model also learns *when to stop*.
#
# Now the last tokens of the same row: their ids, and the mask. **Predict:** what share of all tokens is trained with references, and with rewrites? The second cell counts them.

# %%
from sdft_lib.chat import render

rendered = render(row["messages"], seed.tokenizer, row["reference"])
for token, counts in list(zip(rendered.ids, rendered.mask))[-8:]:
    mark = "trained" if counts else "   -   "
    print(f"{token:>6}  {mark}  {seed.tokenizer.decode([token])!r}")

# %%
for column in ("reference", "text"):
    rows = [render(row["messages"], seed.tokenizer, row[column]) for row in d.rows]
    count = sum(sum(r.mask) for r in rows)
    total = sum(len(r.ids) for r in rows)
    print(f"{column:>9}: {count} of {total} tokens are trained, {count / total:.0%}")

# %% [markdown]
# A small share is trained, and a smaller one with short references. So the same number of rows and steps does *not* mean the same number of trained tokens. Lesson 04 counts what the longer rewrites cost.
#
# **Question.** What would go wrong if the end-of-turn token were left out of the mask?
# <details><summary>One answer</summary>Nothing would show in the loss. But the trained model would not have learnt to stop where its training answers stop. It might give the right label and then talk on until the length limit cuts it. Some scores would not notice. Others would: an answer to an open request counts only if it finished.</details>

# %% [markdown]
# ## 3. The whole method in forty lines
#
# Before you call the library, write the method yourself. You need the packages transformers and peft, and three functions. The first one **rewrites** a row. The seed sees question and reference, and its answer is begun for it (`opening`). A rewrite that does not come to its end is rejected. Then the reference stays.

# %%
import torch

tokenizer = seed.tokenizer


def rewrite(row):
    question = row["messages"][-1]["content"]
    asked = f"{question}\n\nThe right answer: {row['reference']}"
    chat = [{"role": "user", "content": asked}]
    prompt = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=False
    )
    opening = f"The answer is {row['reference']}, because"
    ids = tokenizer(prompt + opening, return_tensors="pt").input_ids
    made = seed.model.generate(
        ids.to(seed.device), max_new_tokens=40, do_sample=False
    )[0, ids.shape[1] :]
    ended = made[-1] == tokenizer.eos_token_id
    rest = tokenizer.decode(made, skip_special_tokens=True)
    return opening + rest if ended else row["reference"]


print(rewrite(d.rows[0]))

# %% [markdown]
# The second one is the **loss** of a row: the formula above, in four lines. The **logits** are the model's scores for each possible next token.

# %%
from torch.nn.functional import cross_entropy


def loss_of(model, rendered):
    ids = torch.tensor(rendered.ids, device=model.device)
    trained = torch.tensor(rendered.mask[1:], device=model.device)
    logits = model(ids[None]).logits[0, :-1].float()
    return cross_entropy(logits[trained], ids[1:][trained])


# %% [markdown]
# What the model says at a place is about the *next* token. So `logits[0, :-1]` is compared with `ids[1:]`. Does the library agree? `nll` of lesson 01 measures the same row:

# %%
from sdft_lib.gap import nll

with torch.no_grad():
    mine = loss_of(seed.model, render(row["messages"], tokenizer, row["text"]))
theirs = nll(seed, [row], "text")["nll"][0]
print(f"by hand {mine:.3f}, by the library {theirs:.3f} nats a token")

# %% [markdown]
# The third one **trains**. It uses **LoRA**: the seed's weights stay as they are (*frozen*). Beside some of them stand two thin matrices, and only these are trained. They are the adapter. Look how few numbers they hold:

# %%
show(concepts.lora())

# %%
import copy
import warnings

from peft import LoraConfig, get_peft_model

warnings.simplefilter("ignore", FutureWarning)  # about old names in peft


def train(rows, column, rate=2e-3, batch=8):
    torch.manual_seed(0)
    config = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"])
    model = get_peft_model(copy.deepcopy(seed.model), config)
    thin = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(thin, lr=rate, weight_decay=0.0)
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        total = 0.0
        for row in part:
            rendered = render(row["messages"], tokenizer, row[column])
            loss = loss_of(model, rendered) / len(part)
            loss.backward()
            total += loss.item()
        optimizer.step()
        optimizer.zero_grad()
        print(f"rows {start} to {start + len(part)}: loss {total:.2f}")


# %%
train(d.rows[:24], "text")

# %% [markdown]
# That is SDFT: rewrite, check, and train as usual. The loss should fall from batch to batch. A row that kept its reference raises the loss of its batch.
#
# **Predict first:** with `"reference"` in place of `"text"`, will the first loss be larger or smaller? Change the word and run the cell again.
#
# The library's `distill` and `fine_tune` do the same. They add what makes it fast and safe: many rows at once, more checks, and a learning rate that rises and falls. After a stop, a run goes on where it was.

# %% [markdown]
# ## 4. The same budget for both
#
# Every setting is in one object. It was fixed before the test, and both trainings get the same. (Is it a good one? Section 8 of lesson 05 asks.)

# %%
from dataclasses import asdict

for name, value in asdict(s.training).items():
    print(f"{name:>14}: {value}")

# %% [markdown]
# - `rank`, `alpha` and `targets` describe the adapter. `rank` is the width of the thin matrices, and `alpha` scales what they add. `targets` names the matrices of each layer that get them: those of queries and values.
# - `epochs` and `batch_size` give the steps. An **epoch** is one pass over the rows. A **step** changes the weights after `batch_size` rows. So two epochs of 480 rows are 2 × 480 / 8 = 120 steps.
# - `learning_rate` says how large a step is. It rises during `warmup` (a share of the steps), then falls to zero along a cosine.
# - `seed` is the random seed, not the seed model. It decides the adapter's first weights and the order of the rows.
#
# The others are for lessons 05 and 10.
#
# First comes **SFT**, supervised fine-tuning on the references.

# %%
from sdft_lib.train import fine_tune

sft = fine_tune(seed, d.rows, s.training, column="reference", label="sft")

# %% [markdown]
# Then comes **SDFT**. One word changes: the column. **Predict:** which numbers of the table below will be the same for both?

# %%
sdft = fine_tune(seed, d.rows, s.training, column="text", label="sdft")

# %%
import pandas

keys = ["rows", "steps", "trainable_parameters", "tokens", "trained_tokens", "seconds"]
pandas.DataFrame({"SFT": sft.record, "SDFT": sdft.record}).loc[keys]

# %% [markdown]
# Rows, steps and trainable parameters agree: that is the **budget**. The learning rate does, too, as you gave both the same `s.training`. Tokens and seconds differ, because the rewrites are longer. The seconds are those of the run that made the adapter, even if you just took it from the store.
#
# **Question.** You could give both the same number of trained tokens, and not of steps. What would that change?
# <details><summary>One answer</summary>SFT would make several more passes over the same short references, or SDFT would see only a part of the rows. Either way one method gets more steps or more examples. No budget is equal in every respect. So fix one, say which, and print the others.</details>

# %% [markdown]
# ## 5. Two loss curves that must not be ranked
#
# **Predict:** which curve will start higher? And which will end higher?

# %%
from sdft_lib.lessons.figures import lesson_03 as figures

show(figures.loss_curves({"sft": sft.log, "sdft": sdft.log}))

# %% [markdown]
# Compare where the curves *start*. Before the first step both models are the seed. So the first loss is the surprise of lesson 01 once more. References surprise the seed a lot, and words that are mostly its own much less. The next cell puts the surprise beside the first and last losses.

# %%
from sdft_lib.gap import gap

g = gap(seed, d)
for label, column, tuned in (("SFT", "nll_reference", sft), ("SDFT", "nll_text", sdft)):
    before, losses = g.frame[column].mean(), tuned.log["loss"].tolist()
    print(f"{label:>4}: seed {before:.1f} nats a token, loss first {losses[0]:.1f}, last {losses[-1]:.1f}")
i = g.interval
print(f"Gap, references minus rewrites: {i.low:.1f} to {i.high:.1f} nats a token (95 %, {i.n} rows)")

# %% [markdown]
# Surprise and first loss agree roughly, not exactly. The first loss is that of a single batch, and each token has one vote. The surprise is a mean over all rows, and each row has one vote.
#
# **Each model sits another exam.** Its loss says how well it predicts *its own* targets. A label of one or two tokens has few ways to be written, so its loss can fall close to zero. A sentence can be put in many ways, and a part of its loss never goes away. "SFT ended lower" or "SDFT started lower" says nothing about which model answers better. Only the same test for both can tell: lesson 04.
#
# The start *does* tell you how foreign the targets are to the seed. The paper explains forgetting by this foreign style, not by the new task. The start does not tell how far the weights will move. Lesson 05 measures that.
#
# **Question.** Suppose the SDFT loss had started as high as the SFT loss. What would you check first?
# <details><summary>One answer</summary>First the keep rate, the share of rewrites that passed. If most were rejected, the column <code>text</code> holds mostly references, and the two trainings are almost the same. Then the mask: a prompt token that slips into the loss changes it, too.</details>

# %% [markdown]
# ## 6. Ask the three models one question

# %%
from sdft_lib.generation import Decoding, generate
from sdft_lib.models import with_adapter

models = {
    "seed": seed,
    "sft": with_adapter(seed, sft.adapter, label="sft"),
    "sdft": with_adapter(seed, sdft.adapter, label="sdft"),
}


def ask(messages):
    for name, each in models.items():
        answer = generate(each, [messages], Decoding(max_new_tokens=48))[0]
        print(f"{name:>5}: {answer.text.strip()}  ({answer.tokens} tokens, {answer.finish_reason})")


# %% [markdown]
# First comes a message of the trained task. It is a development row, so nobody trained on it.

# %%
item = (task.dev or task.train)[0]
print(item["messages"][-1]["content"], "\n  wanted:", item["reference"], "\n")
ask(item["messages"])

# %% [markdown]
# Now a question that has nothing to do with the task. **Predict:** how many words will each model say about leaves in autumn?

# %%
ask([{"role": "user", "content": "Why do leaves change colour in autumn?"}])

# %% [markdown]
# Look at the *form* before you look at the facts. Does the SFT model answer in a word or two, as in the task? Does the SDFT model still write sentences? Do they begin with the words of the template?
#
# **Question.** One question and three answers: what may you conclude?
# <details><summary>One answer</summary>That it can happen, not how often. You might have tried other prompts until one showed what you hoped for. Lesson 04 asks hundreds, fixed in advance, and counts.</details>

# %% [markdown]
# ## Summary
#
# - A training row is prompt, target and end of turn in the model's own chat template. Only target and end of turn are trained.
# - SFT and SDFT differ in one argument, `column`. Rows, order, steps and learning rate are the same. Trained tokens are not.
# - The SDFT loss starts lower because its targets lie nearer to the seed. That is the gap, not quality.
# - Losses on different targets cannot be compared. Answers to the same test items can.
#
# ## Check yourself
#
# 1. Which is the last trained token of every row, and why does it matter?
#    <details><summary>Answer</summary>The end-of-turn token. It teaches the model when to stop.</details>
# 2. Your colleague says: "my SFT loss is 0.1 and my SDFT loss is 0.6, so SFT is better." What do you reply?
#    <details><summary>Answer</summary>That the two are means over different targets, and a sentence can be put in more ways than a label. Score both models on the same test items.</details>
# 3. What is the same in the two trainings, and what is not?
#    <details><summary>Answer</summary>The same: seed model, rows and their order, steps, batch size, learning rate, adapter. Not the same: the targets, and with them the trained tokens and the seconds.</details>

# %% [markdown]
# ## Quiz
#
# <!-- quiz: 03 -->

# %% [markdown]
# ## Exercises
#
# Write the missing lines, run the cell, then the check below it. A check looks at small made-up values and tells you where to look. Nothing is trained, so try as often as you like.
#
# ### Exercise 3.1: the loss mask
#
# **Goal:** say which tokens are trained. **Level 1 of 3, about 5 minutes.**
#
# `with_mask(prompt_ids, target_ids, end_id)` returns two lists of one length. The first has the ids of the whole row: prompt, target, end of turn. The second says of each id whether it is trained.
#
# <details><summary>Hint 1</summary>Lists are joined with <code>+</code>. <details><summary>Hint 2</summary><code>[False] * len(prompt_ids)</code>, then True for the target <em>and</em> the end.</details></details>

# %% tags=["exercise"]
def with_mask(prompt_ids, target_ids, end_id):
    """(ids, mask) of one training row."""
    ### BEGIN SOLUTION
    ids = [*prompt_ids, *target_ids, end_id]
    return ids, [False] * len(prompt_ids) + [True] * (len(target_ids) + 1)
    ### END SOLUTION

# %% tags=["check"]
from sdft_lib.lessons.exercises import lesson_03 as check

check.exercise_3_1(with_mask)

# %% [markdown]
# ### Exercise 3.2: the loss of a row
#
# **Goal:** average over what is trained, and nothing else. **Level 2 of 3, about 10 minutes.**
#
# `masked_loss(nats, mask)` takes the surprise at each token and the mask, and returns the mean over the trained tokens. If none is trained, it is 0.0.
#
# <details><summary>Hint 1</summary>Keep the nats whose mask is True, then take their mean. <details><summary>Hint 2</summary><code>[n for n, trained in zip(nats, mask) if trained]</code></details></details>

# %% tags=["exercise"]
def masked_loss(nats, mask):
    """Mean of nats over the places where the mask is True; 0.0 if there is none."""
    ### BEGIN SOLUTION
    trained = [value for value, counts in zip(nats, mask) if counts]
    return sum(trained) / len(trained) if trained else 0.0
    ### END SOLUTION

# %% tags=["check"]
check.exercise_3_2(masked_loss)

# %% [markdown]
# ### Exercise 3.3: the learning rate over time
#
# **Goal:** rebuild the curve that both trainings follow. **Level 3 of 3, about 15 minutes.**
#
# `rate_at(step, steps, peak, warmup)` rises in a straight line from 0 at step 0 to `peak` at step `warmup`. Then it falls along half a cosine to 0 at step `steps`. Here `warmup` is a number of steps, and it may be 0.
#
# <details><summary>Hint 1</summary>Two cases: before the end of the rise, and after. <details><summary>Hint 2</summary>On the way down, <code>way = (step - warmup) / (steps - warmup)</code> goes from 0 to 1. <details><summary>Hint 3</summary><code>peak * (1 + math.cos(math.pi * way)) / 2</code></details></details></details>

# %% tags=["exercise"]
import math


def rate_at(step, steps, peak, warmup):
    """Learning rate at a step between 0 and `steps`."""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * step / warmup
    way = (step - warmup) / (steps - warmup)
    return peak * (1 + math.cos(math.pi * way)) / 2
    ### END SOLUTION

# %% tags=["check"]
check.exercise_3_3(rate_at)

# %% [markdown]
# ## What next
#
# Lesson 04 asks these models the same hundreds of questions, and counts. To try something here first, run this lesson with `task_name="sums"`. Or take another `random_seed`, and see how much the curves change.

# %% [markdown] tags=["instructor"]
# ## For instructors
#
# **Time in class:** 50 minutes, five to ten of them training on two cores. Start both trainings (section 4), then discuss the mask while they run. With the adapters in the store the lesson needs half a minute.
#
# **What goes wrong most often:** "SFT has the lower loss, so it is better." Let the class find out what each loss is a mean *of*. In exercise 3.1 the end of the turn is left untrained. In 3.2 the sum is divided by the length of the row.
#
# **Discussion, "the same number of tokens?"** There is no budget that is equal in every respect. Ask which one a customer would care about.
#
# **Expect:** SFT's loss begins at 6 to 8 and ends under 0.1. SDFT's begins at 1.8 to 2.6 and ends at 0.2 to 0.5. SDFT has seven to eight times as many trained tokens, and its training takes 1.3 to 1.7 times as long.
#
# **Hardware:** the trainings need the most memory (see **Time** above). Where the class has less time, `fast=True` runs every cell on 32 rows. Then nothing may be concluded from the numbers.
