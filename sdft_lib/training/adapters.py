"""What a training left: an adapter, or a whole model. Looked at before its weights are used
(lessons 03 and 08).
"""

import warnings
from pathlib import Path

from sdft_lib.storage.errors import SdftError, quiet_transformers
from sdft_lib.storage.files import file_sha256
from sdft_lib.storage.store import digest
from sdft_lib.training.loading import read_model
from sdft_lib.training.weights import places, twin


def is_whole(folder: Path) -> bool:
    """True for the folder of a model whose weights were all trained, False for an adapter's or any
    other.
    """
    return (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file()


def adapter_weights(adapter: Path) -> Path:
    """The weights of an adapter. Raises SdftError unless they are safetensors."""
    path = adapter / "adapter_model.safetensors"
    if not path.is_file():
        raise SdftError(
            f"{adapter}: adapter_model.safetensors is missing; sdft train makes it (no pickle is read)."
        )
    return path


def whole_weights(folder: Path) -> list[Path]:
    """The weights of a whole model. Raises SdftError unless they are safetensors."""
    if not (found := sorted(folder.glob("*.safetensors"))):
        raise SdftError(
            f"{folder}: model.safetensors is missing; sdft train --full makes it (no pickle is read)."
        )
    return found


def weights_hash(folder: Path) -> str:
    """What names these weights: a hash of them. Raises SdftError unless they are safetensors."""
    if is_whole(folder):
        return digest([file_sha256(path) for path in whole_weights(folder)])[:16]
    return file_sha256(adapter_weights(folder))[:16]


def trained_model(seed, folder: Path):
    """The seed with the adapter in ``folder``, merged into copies of the weights that it changes,
    or the model there.

    4-bit weights would be rounded anew by merging, so there the adapter stays beside them. Raises
    SdftError if the folder is of another model."""
    from peft import PeftModel

    if is_whole(folder):
        return whole_model(seed, folder)
    weights = adapter_weights(folder)
    own = () if seed.four_bit else places(seed.model, names_in(weights))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # peft 0.21 asks transformers 5.23 by an older name
        tuned = PeftModel.from_pretrained(twin(seed.model, own), str(folder))
        check_adapter_fits(tuned, weights)
        return tuned.base_model.model.eval() if seed.four_bit else tuned.merge_and_unload().eval()


def whole_model(seed, folder: Path):
    """The model in ``folder``, read as the seed was. Raises SdftError unless it has the seed's
    shape.
    """
    with quiet_transformers():
        model = read_model(str(folder), seed.dtype, seed.device, four_bit=seed.four_bit, local=True)
    shapes = [
        {name: p.shape for name, p in each.named_parameters()} for each in (seed.model, model)
    ]
    if shapes[0] != shapes[1]:
        raise SdftError(
            f"{folder}: this model is not a trained {seed.name}: its weights have other names or shapes."
        )
    return model


def names_in(weights: Path) -> list[str]:
    """The names of the tensors in a file of safetensors."""
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        return list(file.keys())


def check_adapter_fits(tuned, weights: Path) -> None:
    """Raise SdftError unless the adapter has a matrix for each place of this model: peft only warns
    of the rest.
    """
    from peft import get_peft_model_state_dict

    saved = {name for name in names_in(weights) if "lora_" in name}
    wanted = {
        name
        for name in get_peft_model_state_dict(tuned, save_embedding_layers=False)
        if "lora_" in name
    }
    if alone := sorted(saved ^ wanted):
        raise SdftError(
            f"{weights.parent}: this adapter is of another model ({len(alone)} matrices such as {alone[0]} have no "
            "partner); use it with the model that it was trained on."
        )
