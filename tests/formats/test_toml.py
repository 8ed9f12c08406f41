"""One sentence for each way in which a table can be wrong."""

from dataclasses import dataclass
from typing import Annotated

import numpy
import pytest
from msgspec import Meta

from sdft_lib.formats.toml import check_fields, from_table, read_toml
from sdft_lib.storage.errors import SdftError


@dataclass(frozen=True)
class Oven:
    name: str
    heat: Annotated[float, Meta(gt=0, le=300)] = 180.0
    trays: Annotated[int, Meta(ge=1)] | None = None
    dishes: tuple[str, ...] = ()
    fan: bool = False

    def __post_init__(self):
        check_fields(self)
        if self.trays == 13:
            raise SdftError("thirteen trays bring bad luck; take twelve.")


@pytest.mark.parametrize(
    "values, says",
    [
        ({}, '"name" is missing.'),
        ({"heats": 3}, 'entry "heats" is not known (did you mean "heat"?); use name, heat, '),
        ({"zebra": 3}, 'entry "zebra" is not known; use name, heat, trays, dishes, fan.'),
        ({"name": 3}, '"name" is 3; give text, not a whole number.'),
        ({"heat": "hot"}, "\"heat\" is 'hot'; give a number, not text."),
        ({"heat": 0}, '"heat" is 0; give a number above 0.0.'),
        ({"heat": 500}, '"heat" is 500; give a number of at most 300.0.'),
        ({"heat": float("nan")}, '"heat" is nan; give a number above 0.0.'),
        ({"trays": 0}, '"trays" is 0; give a whole number of at least 1.'),
        ({"trays": True}, '"trays" is True; give a whole number, not true or false.'),
        ({"trays": 13}, "thirteen trays"),
        ({"dishes": "pie"}, "\"dishes\" is 'pie'; give a list, not text."),
        ({"dishes": ["pie", 3]}, "\"dishes\" is ['pie', 3]; give text, not a whole number at"),
        ({"fan": "no"}, "\"fan\" is 'no'; give true or false, not text."),
    ],
)
def test_a_wrong_table_is_one_sentence(values, says):
    values = {"name": "small"} | values if values else values
    with pytest.raises(SdftError) as caught:
        from_table(values, Oven, "oven.toml")
    assert str(caught.value).startswith("oven.toml: ") and says in str(caught.value)
    if values and set(values) <= set(Oven.__dataclass_fields__):
        with pytest.raises(SdftError) as caught:  # from Python, too
            Oven(**values)
        assert says in str(caught.value)


def test_a_right_table_is_the_dataclass():
    made = from_table({"name": "small", "heat": 200, "dishes": ["pie"]}, Oven, "oven.toml")
    assert made == Oven("small", 200.0, dishes=("pie",))
    assert Oven("small", numpy.float64(90.5)).heat == 90.5


@pytest.mark.parametrize("content", [b"a = ", b"a = '\xe9'", b"a = " + b"[" * 100_000, None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "t.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SdftError, match="t.toml: this is not a TOML file"):
        read_toml(path)


def test_a_byte_order_mark_is_no_matter(tmp_path):
    (tmp_path / "t.toml").write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_toml(tmp_path / "t.toml") == {"a": 1}
