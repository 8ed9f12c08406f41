"""From messages to token ids, by the model's own chat template (lesson 03; paper, section 3.1).

A training row is one sequence, ``prompt + text + end of turn``, and a mask that marks what is
trained: the text and the end-of-turn token, nothing of the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from sdft_lib.storage.bounds import render_chat
from sdft_lib.storage.errors import SdftError

PROBE = "sdft-answer-probe"  # stands for an answer, to see what a template writes around it
ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>")


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
        ids = encode(prompt_text(messages, tokenizer), tokenizer)
        return Rendered(ids, [False] * len(ids))
    prompt, lead, end = frame(messages, tokenizer)
    if not text.strip():
        raise SdftError(
            "the text is empty, so no token would be trained; drop the row or fill it in."
        )
    prompt_ids = encode(prompt, tokenizer)
    border = len(prompt_ids)
    ids = encode(prompt + lead + text + end, tokenizer)
    if ids[:border] != prompt_ids:
        ids = prompt_ids + encode(lead + text + end, tokenizer)
    stops = stop_ids(tokenizer)
    if stops & set(ids[border:-1]):
        raise SdftError(
            "the text holds an end-of-turn token, so the model would learn to stop there; remove "
            "it."
        )
    if ids[-1] not in stops:
        raise SdftError(
            "the last trained token is not the end of the turn; the model would not learn to stop."
        )
    return Rendered(ids, [False] * border + [True] * (len(ids) - border))


def render_rows(seed, rows: Sequence[dict]) -> list[Rendered]:
    """Each row's ``messages`` with its ``text``. Raises SdftError for one that is too long."""
    rendered = []
    for row in rows:
        rendered.append(render(row["messages"], seed.tokenizer, row["text"]))
        check_room(len(rendered[-1].ids), seed.model, f"row {row['id']}")
    return rendered


def prompt_text(messages: list[dict], tokenizer) -> str:
    """The exact string the model sees before it answers, its turn's opening included.

    Where a template refuses the system role or drops its text, the system message goes into the
    first user message."""
    return accepted(messages, tokenizer)[1]


def accepted(messages: list[dict], tokenizer) -> tuple[list[dict], str]:
    """The messages in the form that the template takes, and its string of them."""
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
    space in Llama 2's, nothing in most), and the end of the turn.
    """
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


def encode(text: str, tokenizer) -> list[int]:
    """Token ids of a rendered string: the template has written the special tokens already."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def stop_ids(tokenizer) -> set[int]:
    """Ids that end a turn: the end of sequence, and end-of-turn tokens that are known here."""
    ids = set()
    for name in filter(None, (*ENDS, tokenizer.eos_token)):
        token = tokenizer.convert_tokens_to_ids(name)  # get_vocab() would take 20 ms
        if token is not None and tokenizer.convert_ids_to_tokens(token) == name:
            ids.add(token)
    return ids


def check_room(tokens: int, model, row: str, new: int = 0) -> None:
    """Refuse a row that does not fit into the model's context; nothing is ever cut in silence."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit and tokens + new > limit:
        room = f" and {new} new ones would follow" if new else ""
        raise SdftError(
            f"{row} has {tokens} tokens{room}, more than the model's context of {limit}; shorten "
            "it."
        )


def inspect(messages: list[dict], tokenizer, text: str | None = None) -> str:
    """The exact string with its trained part between ``[[`` and ``]]`` (lesson 03, section 1)."""
    rendered = render(messages, tokenizer, text)
    border = rendered.prompt_length
    shown = tokenizer.decode(rendered.ids[:border], skip_special_tokens=False)
    if border == len(rendered.ids):
        return shown
    return f"{shown}[[{tokenizer.decode(rendered.ids[border:], skip_special_tokens=False)}]]"
