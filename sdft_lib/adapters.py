"""Is this folder an adapter, and of this model? Looked at before its weights are used (lesson 03)."""

from pathlib import Path

from sdft_lib.errors import SdftError


def adapter_weights(adapter: Path) -> Path:
    """The weights of an adapter. Raises SdftError unless they are safetensors."""
    path = adapter / "adapter_model.safetensors"
    if not path.is_file():
        raise SdftError(f"{adapter}: adapter_model.safetensors is missing; sdft train makes it (no pickle is read).")
    return path


def check_adapter_fits(tuned, weights: Path) -> None:
    """Raise SdftError unless the adapter has a matrix for each place of this model: peft only warns of the rest."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        saved = {name for name in file.keys() if "lora_" in name}
    wanted = {name for name in get_peft_model_state_dict(tuned, save_embedding_layers=False) if "lora_" in name}
    if alone := sorted(saved ^ wanted):
        raise SdftError(
            f"{weights.parent}: this adapter is of another model ({len(alone)} matrices such as {alone[0]} have no "
            "partner); use it with the model that it was trained on."
        )
