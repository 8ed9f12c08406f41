"""vLLM on many machines, for sets that one would take too long for: the rows go through Ray Data
(lesson 08; an extra).

Rows leave with their place and come back in any order; they are merged by place. As many copies of
the model answer as the cluster has GPUs for. Start Ray on the machines first (``ray start``); with
none, Ray uses this one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sdft_lib.engines.vllm import Vllm, check_whole, one_sentence, sampling
from sdft_lib.storage.errors import SdftError

BATCH = 256  # rows that a copy of the model is handed at a time


@dataclass(frozen=True)
class RayVllm(Vllm):
    """A model for vLLM on a Ray cluster. A folder, also an adapter's, must lie at the same path on
    each machine.
    """

    name: ClassVar[str] = "ray-vllm"
    part: ClassVar[int] = 32_768  # starting the copies takes minutes, so parts are large

    @property
    def version(self) -> str:
        """Versions of the packages that decide an answer."""
        import ray

        return f"{super().version}, ray {ray.__version__}"

    def answer(
        self, rows: Sequence[list[int]], names: Sequence[str], decoding, stops: list[int]
    ) -> list[list[int]]:
        """New token ids of each row, the stop token included. Raises SdftError for what Ray or vLLM
        cannot do.
        """
        items = [
            {
                "place": place,
                "tokenized_prompt": list(row),
                "sampling_params": sampling(decoding, name, stops),
            }
            for place, (row, name) in enumerate(zip(rows, names, strict=True))
        ]
        if self.adapter:
            items = [item | {"model": str(self.adapter.absolute())} for item in items]
        with one_sentence(self):
            found = self.through_ray(items)
        if missing := len(rows) - len(found):
            raise SdftError(
                f"Ray left out {missing} of {len(rows)} rows; start again: finished parts are kept."
            )
        answers = [found[place] for place in range(len(rows))]
        check_whole(answers, names, decoding, stops)
        return answers

    def through_ray(self, items: list[dict]) -> dict[int, list[int]]:
        """New token ids by place."""
        import ray
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

        ray.init(ignore_reinit_error=True, log_to_driver=False)
        copies = int(ray.cluster_resources().get("GPU", 0)) // self.gpus
        if not copies:
            raise SdftError(
                f"Ray sees fewer than {self.gpus} GPUs; start it on machines that have them, or leave "
                "--engine out."
            )
        settings = self.settings()
        config = vLLMEngineProcessorConfig(
            model_source=settings.pop("model"),
            engine_kwargs=settings,
            concurrency=(copies, copies),
            batch_size=BATCH,
            chat_template_stage=False,
            tokenize_stage=False,
            detokenize_stage=False,
            log_engine_metrics=False,
        )
        processor = build_processor(
            config,
            postprocess=lambda row: {"place": row["place"], "tokens": row["generated_tokens"]},
        )
        answers = processor(ray.data.from_items(items))
        return {
            int(row["place"]): [int(token) for token in row["tokens"]]
            for row in answers.iter_rows()
        }
