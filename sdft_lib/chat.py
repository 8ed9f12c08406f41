"""From messages to token ids, always through the model's own chat template (lesson 03; paper,
section 3.1).

A training row is one sequence, ``prompt + response + end of turn``, and a mask that marks what is
trained: the response and the end-of-turn token, nothing of the prompt."""

from dataclasses import dataclass

from sdft_lib.storage.errors import SdftError


@dataclass(frozen=True)
class Rendered:
    """Token ids of one row and, of the same length, whether each is trained on."""

    ids: list[int]
    mask: list[bool]

    @property
    def prompt_length(self) -> int:
        """Number of leading tokens that are not trained on."""
        return self.mask.index(True) if True in self.mask else len(self.mask)


def fold_system(messages: list[dict]) -> list[dict]:
    """Put a system message in front of the first user message, for templates that know no system
    role (Gemma).
    """
    if not messages or messages[0]["role"] != "system":
        return messages
    system, first, *rest = messages
    return [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]


def prompt_text(messages: list[dict], tokenizer) -> str:
    """The exact string the model sees before it answers, the opening of the assistant's turn
    included.

    Where a template refuses the system role or drops its text, the system message goes into the
    first user message."""
    system = messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
    reason: object = "it drops the system message"
    for candidate in (messages, fold_system(messages)):
        try:
            text = tokenizer.apply_chat_template(
                candidate, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        except Exception as error:  # jinja2 raises whatever the template's author chose
            reason = error
            continue
        if system.strip() in text:
            return text
    raise SdftError(
        f"the chat template refused these messages ({reason}); check their roles and order."
    ) from None


def check_room(tokens: int, model, what: str, new: int = 0) -> None:
    """Refuse a row that does not fit into the model's context; nothing is ever cut in silence."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit and tokens + new > limit:
        room = f" and {new} new ones would follow" if new else ""
        raise SdftError(
            f"{what} has {tokens} tokens{room}, more than the model's context of {limit}; shorten it."
        )


def encode(text: str, tokenizer) -> list[int]:
    """Token ids of a rendered string; the template has already written the special tokens, so none
    are added.
    """
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def end_of_turn(messages: list[dict], tokenizer) -> str:
    """The string that closes an assistant's turn, read off the template: what follows a marker
    answer.
    """
    marker = "sdft-end-of-turn-probe"
    whole = tokenizer.apply_chat_template(
        [*fold_system(messages), {"role": "assistant", "content": marker}],
        tokenize=False,
        enable_thinking=False,
    )
    tail = whole[whole.rindex(marker) + len(marker) :]
    ids = encode(tail, tokenizer)
    ends = stop_ids(tokenizer)
    stops = [index for index, token in enumerate(ids) if token in ends]
    if not stops:
        return tokenizer.eos_token
    return tokenizer.decode(ids[: stops[0] + 1], skip_special_tokens=False)


def lead(messages: list[dict], tokenizer, prompt: str) -> str:
    """What the template writes between ``prompt`` (of ``prompt_text``) and an answer: a space in
    Llama 2's, nothing in most."""
    marker = "sdft-lead-probe"
    for candidate in (messages, fold_system(messages)):
        try:
            whole = tokenizer.apply_chat_template(
                [*candidate, {"role": "assistant", "content": marker}],
                tokenize=False,
                enable_thinking=False,
            )
        except Exception:  # as in prompt_text
            continue
        if whole.startswith(prompt):
            between = whole[len(prompt) : whole.index(marker)]
            return "" if between.strip() else between
    return ""


def stop_ids(tokenizer) -> set[int]:
    """Ids that end a turn: end of sequence and the usual end-of-turn tokens that this tokenizer
    knows.
    """
    names = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", tokenizer.eos_token)
    ids = [
        (name, tokenizer.convert_tokens_to_ids(name)) for name in names if name
    ]  # get_vocab() would take 20 ms
    return {
        token
        for name, token in ids
        if token is not None and tokenizer.convert_ids_to_tokens(token) == name
    }


def render(messages: list[dict], tokenizer, response: str | None = None) -> Rendered:
    """Token ids and loss mask of a prompt, or of a prompt with its response.

    The prompt's ids are checked to be a prefix of the whole row's ids: where the tokenizer merges
    across the border, the two parts are encoded apart, so that the model is trained on what it will
    see when it generates. Raises SdftError when no token would be trained."""
    prompt = prompt_text(messages, tokenizer)
    prompt_ids = encode(prompt, tokenizer)
    if response is None:
        return Rendered(prompt_ids, [False] * len(prompt_ids))
    if not response.strip():
        raise SdftError(
            "the response is empty, so no token would be trained; drop the row or fill it in."
        )
    target = lead(messages, tokenizer, prompt) + response + end_of_turn(messages, tokenizer)
    ids = encode(prompt + target, tokenizer)
    if ids[: len(prompt_ids)] != prompt_ids:
        ids = prompt_ids + encode(target, tokenizer)
    trained = len(ids) - len(prompt_ids)
    ends = stop_ids(tokenizer)
    if ends & set(ids[len(prompt_ids) : -1]):
        raise SdftError(
            "the response holds an end-of-turn token, so the model would learn to stop there; remove it."
        )
    if ids[-1] not in ends:
        raise SdftError(
            "the last trained token is not the end of the turn; the model would not learn to stop."
        )
    return Rendered(ids, [False] * len(prompt_ids) + [True] * trained)


def inspect(messages: list[dict], tokenizer, response: str | None = None) -> str:
    """The exact string with its trained part between ``[[`` and ``]]`` (lesson 03, section 1)."""
    rendered = render(messages, tokenizer, response)
    border = rendered.prompt_length
    shown = tokenizer.decode(rendered.ids[:border], skip_special_tokens=False)
    if border == len(rendered.ids):
        return shown
    return f"{shown}[[{tokenizer.decode(rendered.ids[border:], skip_special_tokens=False)}]]"
