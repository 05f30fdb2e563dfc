"""How much memory may be asked for: the rule, the variable that replaces it, and what the refusal says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwax.memory_limit import LEAST, MOST, TIMES, VARIABLE, MemoryLimitError, allow, in_words, limit


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@given(st.integers(0, 10**13))
def test_a_file_that_holds_its_numbers_is_allowed_and_one_that_declares_them_is_not(held: int):
    allow(TIMES * held, "x", held=held)
    allow(LEAST, "x", held=held)
    with pytest.raises(MemoryLimitError, match=r"^x would take .* more than the .* allowed for a file of "):
        allow(max(LEAST, TIMES * held) + 1, "x", held=held)


def test_what_no_file_holds_is_bounded_by_the_machine():
    assert 0 < limit() <= MOST
    with pytest.raises(MemoryLimitError, match=r"^the model would take 51 TB of memory, .*IWAX_MEMORY_LIMIT=51000GB$"):
        allow(51 * 10**12, "the model")


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("16GB", 16 * 10**9),
        ("500 MB", 5 * 10**8),
        ("2GiB", 2**31),
        ("1.5kb", 1500),
        ("1024", 1024),
        (" 3tb ", 3 * 10**12),
        ("7b", 7),
    ],
)
def test_the_variable_replaces_every_limit(said: str, size: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, said)
    assert limit() == limit(10**12) == size
    allow(size, "x", held=1)
    with pytest.raises(MemoryLimitError, match="allowed; where you trust it"):
        allow(size + 1, "x", held=1)


@pytest.mark.parametrize("said", ["much", "-1", "1e9", "16 G B", "٣GB", "inf", "1ib", "9" * 400])
def test_a_variable_that_is_no_size_is_refused_by_name(said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, said)
    with pytest.raises(ValueError, match=r"IWAX_MEMORY_LIMIT must be a size such as 16GB"):
        allow(1, "x")


@given(st.integers(1, 10**16))
def test_what_the_refusal_suggests_is_enough(needed: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "0")
        with pytest.raises(MemoryLimitError) as caught:
            allow(needed, "x")
        patch.setenv(VARIABLE, str(caught.value).rpartition("=")[2])
        allow(needed, "x")


def test_sizes_in_words():
    assert [in_words(n) for n in (0, 999, 1000, 10**9, 999_999, 2 * 10**15)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "1 GB",
        "1,000 kB",
        "2,000 TB",
    ]
