"""A warm cache as one file to hand out: a class opens it and waits for no download and no training.

The file holds the wheels of the embedded models and every finished result. Nothing in it is code. A
wheel is taken by its pinned SHA-256, a result if all its files are those of its manifest."""

import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from sdft_lib.storage.devices import choose_device, choose_dtype
from sdft_lib.storage.errors import GO_ON, SdftError, refused
from sdft_lib.storage.files import file_sha256, read_json
from sdft_lib.storage.store import MANIFEST, RUN, cache_dir, is_complete, locked, move_in
from sdft_lib.storage.wheels import WHEELS, download, downloaded

MADE = "made.json"  # in the file: the device and the number format of its results


def pack(target: Path) -> dict:
    """Write wheels and finished results of the cache into one zip file; what it holds, in numbers.
    Raises SdftError if there is nothing to hand out, for a wheel that is not here and cannot be
    fetched, and for a disk that takes no more."""
    results = [folder for folder in (cache_dir() / "store").glob("*/*") if is_complete(folder)]
    if not results:
        raise SdftError(f"{cache_dir()} has no results: run the lessons here first, then pack.")
    wheels = [download(wheel) for wheel in WHEELS.values()]
    device = choose_device()
    made = {"device": device, "dtype": choose_dtype(device), "results": len(results)}
    partial = target.with_name(target.name + ".partial")
    with refused(target, GO_ON), zipfile.ZipFile(partial, "w") as bundle:
        bundle.writestr(MADE, json.dumps(made))
        for wheel in wheels:  # compressed already
            bundle.write(wheel, f"downloads/{wheel.name}")
        for folder in sorted(results):
            for name in (*read_json(folder / MANIFEST), MANIFEST, RUN):
                place = f"store/{folder.parent.name}/{folder.name}/{name}"
                bundle.write(folder / name, place, zipfile.ZIP_DEFLATED)
        os.replace(partial, target)
    return made | {"models": len(wheels), "bytes": target.stat().st_size}


def open_pack(source: Path) -> dict:
    """Put what a file of ``pack`` holds into the cache, beside what is there; what was new, and the
    device and the number format of the results. SdftError for another file, or a damaged one."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir()) as folder, refused(cache_dir(), GO_ON):
        try:
            with zipfile.ZipFile(source) as bundle:
                bundle.extractall(folder)  # no name leads out of the folder, a link is a plain file
            made = read_json(Path(folder, MADE))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            reason = str(error) or type(error).__name__
            problem = f"{source}: no file that sdft pack wrote, or a damaged one ({reason})"
            raise SdftError(f"{problem}; ask for it again.") from None
        models = sum(take_wheel(path) for path in sorted(Path(folder, "downloads").glob("*")))
        new = sum(take_result(path, source) for path in sorted(Path(folder, "store").glob("*/*")))
    return made | {"models": models, "new": new}


def take_wheel(path: Path) -> bool:
    """Move a wheel of an embedded model to the downloads; False for one that is there already."""
    known = [wheel for wheel in WHEELS.values() if wheel.filename == path.name]
    if not known or file_sha256(path) != known[0].sha256:
        raise SdftError(f"{path.name}: altered, or no wheel of this version; ask for it again.")
    target = cache_dir() / "downloads" / path.name
    if downloaded(known[0]):
        return False
    target.parent.mkdir(exist_ok=True)
    os.replace(path, target)
    return True


def take_result(path: Path, source: Path) -> bool:
    """Move a finished result to the store; False for one that is there already."""
    folder = cache_dir() / "store" / path.parent.name / path.name
    if not is_complete(path):
        raise SdftError(f"{source}: {path.parent.name}/{path.name} is damaged; ask for it again.")
    with locked(folder):
        if is_complete(folder):
            return False
        shutil.rmtree(f"{folder}.partial", ignore_errors=True)  # begun here, and now finished
        move_in(path, folder)
    return True
