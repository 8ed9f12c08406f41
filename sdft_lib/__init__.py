"""Self-Distillation Fine-Tuning (SDFT, arXiv 2402.13669) in small readable modules.

The 2024 method, "rewrite, then SFT": the seed model rewrites each reference, a filter keeps the
rewrites that still give the right answer, and ordinary fine-tuning runs on the result. It is not
the 2026 on-policy method that shares the name (arXiv 2601.19897).

Import what you need from the module that is named after it: ``from sdft_lib.distill import
distill``. Nothing heavy is imported here, so that ``import sdft_lib`` stays under 0.3 s."""

__version__ = "0.1.0"
