"""Self-Distillation Fine-Tuning (SDFT, arXiv 2402.13669) in small readable modules.

The 2024 method, "rewrite, then SFT": the seed model rewrites each reference, a filter keeps the
rewrites that still give the right answer, and ordinary fine-tuning runs on the result. It is not
the 2026 on-policy method that shares the name (arXiv 2601.19897).

The core, in reading order:
    settings    budgets of a run, the same in lessons, command line and report
    models      load the seed model, with or without an adapter
    data        tasks to learn and probes that are never trained on
    kinds       kinds of answers: how each is read, and when it is right
    chat        from messages to token ids, by the model's own chat template
    templates   how instruction and reference are shown to the seed model
    generation  answers in batches, equal to one by one
    verify      may a rewrite be trained on?
    distill     rewrite the references, keep what passes, else fall back
    gap         how far texts lie from the model's own distribution
    train       fine-tune on one column
    score       how right a test answer is
    evaluate    score a model on the task and on the probes
    stats       intervals and paired tests
Under it:
    storage     what was made once is kept; files, downloads, devices, errors
    answers     readers of numbers, labels, calls, facts, phrases, constraints; likeness, outcome
    formats     records of any file, folder or set, and rows made of them
    decoding    the tokenizer, batches, key-value cache, sampling
    training    adapters, weights, loss, the trainer
Above it:
    own_data    check, split, audit and export a set of one's own
    experiments many methods and runs, and what is recorded of them
    engines     who writes the answers at scale: vLLM, Ray
    scale       what fits on which device, and what it costs
    paper       the paper's sets, recipes, scores and tables
    lessons     figures, tables, widgets, exercises, the report
    cli         the command ``sdft``

Import what you need from the module that is named after it: ``from sdft_lib.distill import
distill``. Nothing is imported here, so that ``import sdft_lib`` takes no time.
"""

__version__ = "0.1.0"
