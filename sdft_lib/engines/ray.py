"""vLLM on many machines, for sets that one would take too long for: the rows go through Ray Data
(lesson 10; an extra).

Rows leave with their number and come back in any order. As many copies of the model answer as the
cluster has GPUs for. Start Ray on the machines first (``ray start``); else it uses this one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sdft_lib.engines.vllm import Vllm
from sdft_lib.storage.errors import SdftError

BATCH = 256  # rows that a copy of the model is handed at a time


@dataclass(frozen=True)
class RayVllm(Vllm):
    """vLLM on a Ray cluster. A folder must lie at the same path on each machine."""

    name: ClassVar[str] = "ray-vllm"
    part: ClassVar[int] = 32_768  # starting the copies takes minutes, so parts are large

    @property
    def version(self) -> str:
        """Versions of the packages that decide an answer."""
        import ray

        return f"{super().version}, ray {ray.__version__}"

    def ask(self, rows: Sequence[list[int]], asked: Sequence[dict]) -> list[list[int]]:
        """New token ids of each row. Raises SdftError for what Ray cannot do."""
        import ray

        ray.init(ignore_reinit_error=True, log_to_driver=False)
        items = []
        for number, (row, arguments) in enumerate(zip(rows, asked, strict=True)):
            item = {"number": number, "tokenized_prompt": list(row), "sampling_params": arguments}
            if self.adapter:
                item["model"] = str(self.adapter.absolute())
            items.append(item)
        answers = {}
        for row in self.processor()(ray.data.from_items(items)).iter_rows():
            answers[int(row["number"])] = [int(token) for token in row["tokens"]]
        if missing := len(rows) - len(answers):
            raise SdftError(f"Ray left out {missing} of {len(rows)} rows; start again to go on.")
        return [answers[number] for number in range(len(rows))]

    def processor(self):
        """What answers a Ray data set: as many copies of the model as there are GPUs for."""
        import ray
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

        copies = int(ray.cluster_resources().get("GPU", 0)) // self.gpus
        if not copies:
            raise SdftError(f"Ray sees fewer than {self.gpus} GPUs; add some, or leave --engine.")
        settings = self.settings()
        ours = ("chat_template_stage", "tokenize_stage", "detokenize_stage", "log_engine_metrics")
        config = vLLMEngineProcessorConfig(
            model_source=settings.pop("model"),
            engine_kwargs=settings,
            concurrency=(copies, copies),
            batch_size=BATCH,
            **dict.fromkeys(ours, False),
        )
        return build_processor(
            config,
            postprocess=lambda row: {"number": row["number"], "tokens": row["generated_tokens"]},
        )
