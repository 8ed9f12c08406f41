"""Two files of ``sdft evaluate``, read and paired for ``sdft compare`` (lesson 04)."""

from pathlib import Path

from sdft_lib.cli.common import progress
from sdft_lib.storage.errors import SdftError


def read_scores(path: Path):
    """Rows of `sdft evaluate` as a DataFrame with method, suite, id, score; one method a file."""
    import pandas

    from sdft_lib.formats.records import read_records

    records = read_records(path)
    for record in records:
        for name in ("method", "suite", "id", "score"):
            if name not in record.values:
                raise SdftError(
                    f'{record.where}: column "{name}" is missing; give a file that sdft evaluate wrote.'
                )
        score = record.values["score"]
        if not isinstance(score, int | float) or score != score:
            raise SdftError(
                f'{record.where}: column "score" is not a number; give a file that sdft evaluate wrote.'
            )
        if odd := [
            name
            for name in ("method", "suite", "id")
            if not isinstance(record.values[name], str | int)
        ]:
            raise SdftError(
                f'{record.where}: column "{odd[0]}" is not text; give a file that sdft evaluate wrote.'
            )
    frame = pandas.DataFrame([record.values for record in records])
    if len(found := sorted(frame["method"].astype(str).unique())) > 1:
        raise SdftError(f"{path} holds {len(found)} methods ({', '.join(found)}); give one a file.")
    return frame


def scored_pair(a: Path, b: Path):
    """Both files as one DataFrame, the two method names (file names if they agree), and the suites
    in both.
    """
    import pandas

    frames = [read_scores(a), read_scores(b)]
    names = [str(frame["method"].iloc[0]) for frame in frames]
    if names[0] == names[1]:
        names = [a.stem, b.stem] if a.stem != b.stem else [str(a), str(b)]
    if names[0] == names[1]:
        raise SdftError(f"{a} and {b} are one file; give two evaluations.")
    both = [suite for suite in frames[0]["suite"].unique() if suite in set(frames[1]["suite"])]
    if not both:
        raise SdftError(f"{a} and {b} have no suite in common; evaluate both on the same suites.")
    if alone := sorted({*frames[0]["suite"], *frames[1]["suite"]} - set(both)):
        progress(f"left out, in one file only: {', '.join(alone)}")
    frames = [frame.assign(method=name) for frame, name in zip(frames, names, strict=True)]
    return pandas.concat(frames, ignore_index=True), (names[0], names[1]), both
