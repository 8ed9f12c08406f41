"""What the model hub has of a model, by the commit that all its files are read at (lesson 10)."""

from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download

from sdft_lib.storage.errors import SdftError
from sdft_lib.storage.files import file_sha256


def newest(hub: str) -> str:
    """The commit of a hub's model to read all files from: the newest, or offline the cached one."""
    return Path(hf_hub_download(hub, "config.json")).parent.name


def check_download(hub: str, commit: str) -> None:
    """Raise SdftError for weights of a hub's model that were altered since they came: the hub's
    cache calls a file by its SHA-256."""
    folder = snapshot_download(hub, revision=commit, local_files_only=True)
    for path in sorted(Path(folder).glob("*.safetensors")):
        blob = path.resolve()
        if len(blob.name) == 64 and file_sha256(blob) != blob.name:
            raise SdftError(f"{blob}: altered since its download; remove it and start again.")
