"""The tokenizer: what ends a turn, and text kept apart from special tokens (lesson 03)."""

import re
from functools import lru_cache

from transformers import AutoTokenizer

from sdft_lib.storage.errors import SdftError

ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>")
SPLIT = "\U000f5d17"  # a private character that breaks a special token's name, and has no id here
WRITTEN = re.compile(r"<\|[^|<>\s]{1,30}\|>|\[/?[A-Z_]{2,20}\]|<</?[A-Z]{2,9}>>")  # by templates
KNOWN = re.compile(rf"{WRITTEN.pattern}|<(?:start|end)_of_turn>|</?s>|<(?:bos|eos|pad|unk)>")


def read_tokenizer(source: str, commit: str | None):
    """The tokenizer of a folder, or at the ``commit`` of a hub id; no code of a repository runs."""
    where = {"revision": commit or "main", "local_files_only": commit is None}
    where |= {"padding_side": "left", "trust_remote_code": False}
    return AutoTokenizer.from_pretrained(source, **where)


def prepare_tokenizer(tokenizer, name: str) -> None:
    """Left padding with a pad token. Raises SdftError for a base model, which cannot chat."""
    if not tokenizer.chat_template:
        remedy = "choose the chat or instruct version of this base model"
        raise SdftError(f"model {name!r} has no chat template; {remedy}.")
    if tokenizer.eos_token is None:
        remedy = "set one, or it could not learn to stop"
        raise SdftError(f"model {name!r} has no end-of-sequence token; {remedy}.")
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def encode(text: str, tokenizer) -> list[int]:
    """Token ids of a rendered string: the template has written the special tokens already."""
    if SPLIT not in text:
        return tokenizer(text, add_special_tokens=False)["input_ids"]
    made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = zip(made["input_ids"], made["offset_mapping"], strict=True)
    return [token for token, (start, end) in spans if text[start:end] != SPLIT]


def plain(text: str, tokenizer) -> str:
    """A text whose special tokens are broken by SPLIT, so that ``encode`` takes them for text.
    Raises SdftError for what a template writes in plain letters, such as Llama 2's ``[/INST]``: no
    encoding tells it from a turn."""
    special, written = marks(tokenizer, str(tokenizer.chat_template))
    if found := written.search(text):
        problem = f"a text holds {found[0]!r}, which this model's chat template writes itself"
        raise SdftError(f"{problem}; remove it, or it would be read as a turn.")
    return special.sub(lambda name: name[0][0] + SPLIT + name[0][1:], text)


@lru_cache(maxsize=8)
def marks(tokenizer, template: str) -> tuple[re.Pattern, re.Pattern]:
    """Patterns of the special tokens, and of what the template writes that is none (and SPLIT)."""
    names = {*tokenizer.all_special_tokens, *stop_names(tokenizer)}
    names |= {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    written = {SPLIT, *WRITTEN.findall(template)} - names
    patterns = []
    for words in (names, written):
        patterns.append(re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True))))
    return patterns[0], patterns[1]


def stop_names(tokenizer) -> list[str]:
    """Tokens that end a turn: the end of sequence, and end-of-turn tokens that are known here."""
    names = []
    for name in dict.fromkeys(filter(None, (*ENDS, tokenizer.eos_token))):
        token = tokenizer.convert_tokens_to_ids(name)  # get_vocab() would take 20 ms
        if token is not None and tokenizer.convert_ids_to_tokens(token) == name:
            names.append(name)
    return names


def stop_ids(tokenizer) -> set[int]:
    """Ids of the tokens that end a turn."""
    return {tokenizer.convert_tokens_to_ids(name) for name in stop_names(tokenizer)}
