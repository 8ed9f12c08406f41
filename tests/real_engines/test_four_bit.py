"""bitsandbytes itself on a CPU: weights in 4 bit are loaded, trained beside, and answer."""

import importlib.metadata

import torch

from sdft_lib import data, evaluate, models, train

ROWS = [
    {
        "id": f"r{number}",
        "messages": [{"role": "user", "content": f"Name a colour. Number {number}."}],
        "reference": "red",
        "text": f"blue {number}",
        "source": "rewritten",
    }
    for number in range(8)
]


def test_load_train_two_steps_evaluate(own_cache, small_folder, monkeypatch, tell):
    monkeypatch.setenv("SDFT_DEVICE", "cpu")
    settings = {"device": "cpu", "dtype": "fp32", "say": lambda line: None}
    whole = models.load_seed(str(small_folder), **settings)
    seed = models.load_seed(str(small_folder), four_bit=True, **settings)
    kinds = [type(values).__name__ for values in seed.model.parameters()]
    assert kinds.count("Params4bit") == 14, "seven matrices in each of two layers"
    before = [values.clone() for values in seed.model.parameters()]
    config = train.TrainConfig(epochs=1, batch_size=4, learning_rate=1e-2, warmup=0.0)
    run = train.fine_tune(seed, ROWS, config, say=lambda line: None)
    losses = run.log["loss"].tolist()
    assert run.record["steps"] == 2 == len(losses) and losses[1] < losses[0]
    after = list(seed.model.parameters())
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
    tuned = models.with_adapter(seed, run.adapter, label="sdft")
    suite = evaluate.cut(data.load_probes("facts"), 8)
    tables = [
        evaluate.evaluate(one, [suite], method="m", say=lambda line: None)
        for one in (whole, seed, tuned)
    ]
    assert [len(table) for table in tables] == [8, 8, 8]
    texts = [table["text"].tolist() for table in tables]
    assert texts[0] != texts[1] != texts[2], "4 bit rounds, and the adapter changes answers"
    version = importlib.metadata.version("bitsandbytes")
    tell(
        f"bitsandbytes {version}: two steps on 4-bit weights, loss {losses[0]:.2f} to {losses[1]:.2f}"
    )
