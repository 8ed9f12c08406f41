"""From messages to token ids, by the model's own chat template (lesson 03; paper, section 3.1).

A training row is one sequence, ``prompt + text + end of turn``, and a mask that marks what is
trained: the text and the end-of-turn token, nothing of the prompt.

Special tokens come from the template alone. Where a text spells one, such as ``<|im_end|>``, it is
encoded as plain characters: nobody's text opens or ends a turn."""

from collections.abc import Sequence
from dataclasses import dataclass

from sdft_lib.answers.edges import is_blank
from sdft_lib.decoding.tokens import SPLIT, encode, plain, stop_ids, stop_names
from sdft_lib.models import Seed
from sdft_lib.storage.bounds import render_chat
from sdft_lib.storage.errors import SdftError, about

PROBE = "sdft-answer-probe"  # stands for an answer, to see what a template writes around it


@dataclass(frozen=True)
class Rendered:
    """Token ids of one row and, of the same length, whether each is trained on."""

    ids: list[int]
    mask: list[bool]

    @property
    def prompt_length(self) -> int:
        """Number of leading tokens that are not trained on."""
        return self.mask.index(True) if True in self.mask else len(self.mask)


def render(messages: list[dict], tokenizer, text: str | None = None) -> Rendered:
    """Token ids and loss mask of a prompt, or of a prompt with the text that answers it.

    The prompt's ids are checked to be a prefix of the row's ids: where the tokenizer merges across
    the border, the two parts are encoded apart, so that the model is trained on what it will see
    when it generates. Raises SdftError when no token would be trained."""
    if text is None:
        ids = ids_of_prompt(messages, tokenizer)
        return Rendered(ids, [False] * len(ids))
    prompt, lead, end = frame(messages, tokenizer)
    if is_blank(text):
        raise SdftError("the text is empty, so no token would be trained; fill it in.")
    if any(name in text for name in stop_names(tokenizer)):
        ends = "holds an end-of-turn token, which ends what is learnt"
        raise SdftError(f"the text {ends}; remove it.")
    text = plain(text, tokenizer)
    prompt_ids = encode(prompt, tokenizer)
    border = len(prompt_ids)
    ids = encode(prompt + lead + text + end, tokenizer)
    if ids[:border] != prompt_ids:
        ids = prompt_ids + encode(lead + text + end, tokenizer)
    if ids[-1] not in stop_ids(tokenizer):
        raise SdftError("the last token does not end the turn; the model would not learn to stop.")
    return Rendered(ids, [False] * border + [True] * (len(ids) - border))


def render_rows(seed: Seed, rows: Sequence[dict]) -> list[Rendered]:
    """Each row's ``messages`` with its ``text``. Raises SdftError, which names the row."""
    rendered = []
    for row in rows:
        with about(f"row {row['id']}"):
            rendered.append(render(row["messages"], seed.tokenizer, row["text"]))
            check_room(len(rendered[-1].ids), seed.model)
    return rendered


def prompt_text(messages: list[dict], tokenizer) -> str:
    """The exact string the model sees before it answers, its turn's opening included.

    Where a template refuses the system role or drops its text, the system message goes into the
    first user message."""
    return accepted(messages, tokenizer)[1].replace(SPLIT, "")


def ids_of_prompt(messages: list[dict], tokenizer, opening: str = "") -> list[int]:
    """Token ids of that string, and of the ``opening`` that the answer must go on from."""
    if not opening:
        return encode(accepted(messages, tokenizer)[1], tokenizer)
    prompt, lead, _ = frame(messages, tokenizer)
    return encode(prompt + lead + plain(opening, tokenizer), tokenizer)


def accepted(messages: list[dict], tokenizer) -> tuple[list[dict], str]:
    """The messages in the form that the template takes, and its string of them, both ``plain``."""
    messages = [turn | {"content": plain(turn["content"], tokenizer)} for turn in messages]
    system = messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
    problem = SdftError("the chat template drops the system message; use another model.")
    for form in (messages, fold_system(messages)):
        try:
            text = render_chat(tokenizer, form, prompt=True)
        except SdftError as error:
            problem = error
            continue
        if system.strip() in text:
            return form, text
    raise problem


def fold_system(messages: list[dict]) -> list[dict]:
    """The system message in front of the first user message, for templates without that role."""
    if not messages or messages[0]["role"] != "system":
        return messages
    system, first, *rest = messages
    return [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]


def frame(messages: list[dict], tokenizer) -> tuple[str, str, str]:
    """What the template writes around an answer: the prompt, what follows it before the answer (a
    space in Llama 2's, nothing in most), and the end of the turn."""
    form, prompt = accepted(messages, tokenizer)
    answered = [*form, {"role": "assistant", "content": PROBE}]
    whole = render_chat(tokenizer, answered, prompt=False)
    before, _, behind = whole.rpartition(PROBE)
    lead = before.removeprefix(prompt)
    if lead.strip():  # not space alone: the template words a prompt and a whole turn differently
        lead = ""
    ids, stops = encode(behind, tokenizer), stop_ids(tokenizer)
    for index, token in enumerate(ids):
        if token in stops:
            end = tokenizer.decode(ids[: index + 1], skip_special_tokens=False)
            return prompt, lead, end
    return prompt, lead, tokenizer.eos_token


def check_room(tokens: int, model, new: int = 0) -> None:
    """Refuse a row that does not fit into the model's context; nothing is ever cut in silence."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit and tokens + new > limit:
        room = f" and {new} new ones would follow" if new else ""
        most = f"more than the model's context of {limit}"
        raise SdftError(f"it has {tokens} tokens{room}, {most}; shorten it.")


def inspect(messages: list[dict], tokenizer, text: str | None = None) -> str:
    """The exact string with its trained part between ``[[`` and ``]]`` (lesson 03, section 1)."""
    rendered = render(messages, tokenizer, text)
    border = rendered.prompt_length
    shown = tokenizer.decode(rendered.ids[:border], skip_special_tokens=False)
    if border == len(rendered.ids):
        return shown
    return f"{shown}[[{tokenizer.decode(rendered.ids[border:], skip_special_tokens=False)}]]"
