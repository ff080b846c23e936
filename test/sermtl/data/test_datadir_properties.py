"""What is written of a data dir is read back, by others too; what is damaged names its line."""

import pytest
from espnet2.fileio.read_text import read_2columns_text
from hypothesis import given
from hypothesis import strategies as st

from sermtl.data.datadir import read_column, read_lengths, write_column, write_data_dir
from sermtl.data.utterance import UNKNOWN
from sermtl.errors import UserError

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")
# Of two characters, so that many begin alike.
IDS = st.one_of(st.text(CHARACTERS, min_size=1, max_size=12), st.text("ab", min_size=1, max_size=4))
IDS = IDS.filter(lambda text: text.split() == [text] and text[0] != "\ufeff")
VALUES = st.text(CHARACTERS, min_size=1, max_size=40).map(str.strip).filter(bool)
COLUMNS = st.dictionaries(IDS, VALUES, min_size=1, max_size=12)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("column") / "utt2emo"


@given(COLUMNS)
def test_any_column_survives(file, values):
    write_column(file, values)
    assert read_column(file) == values
    # As `LC_ALL=C sort` has it, which compares bytes.
    ids = [line.split(b" ")[0] for line in file.read_bytes().splitlines()]
    assert list(read_column(file)) == sorted(values, key=str.encode)
    assert ids == sorted(ids)


@given(COLUMNS)
def test_espnet_reads_the_same(file, values):
    write_column(file, values)
    assert read_2columns_text(file) == values


@given(st.dictionaries(IDS, st.one_of(st.just(UNKNOWN), IDS), min_size=1, max_size=12))
def test_speakers_and_utterances_are_inverse(file, utt2spk):
    write_data_dir(file.parent, {"utt2spk": utt2spk})
    pairs = {
        (u, s) for s, ids in read_column(file.with_name("spk2utt")).items() for u in ids.split()
    }
    assert pairs == set(utt2spk.items())


def _twice(lines, k):
    return [*lines[: k + 1], lines[k], *lines[k + 1 :]], k + 1


def _swapped(lines, k):
    k = min(k, len(lines) - 2)
    return [*lines[:k], lines[k + 1], lines[k], *lines[k + 2 :]], k + 1


def _line(change):
    return lambda lines, k: ([*lines[:k], change(lines[k]), *lines[k + 1 :]], k)


DAMAGES = {
    "twice": _twice,
    "swapped": _swapped,
    "no value": _line(lambda line: line.partition(b" ")[0]),
    "only a space": _line(lambda line: line.partition(b" ")[0] + b" "),
    "a tab": _line(lambda line: line.replace(b" ", b"\t", 1)),
    "no id": _line(lambda line: b" " + line.partition(b" ")[2]),
    "empty": _line(lambda line: b""),
    "Windows": _line(lambda line: line + b"\r"),
    "not UTF-8": _line(lambda line: line + b"\xff"),
}


@given(
    st.dictionaries(IDS, VALUES, min_size=2, max_size=12),
    st.sampled_from(sorted(DAMAGES)),
    st.integers(0, 11),
)
def test_a_damaged_line_is_refused_by_its_number(file, values, damage, place):
    write_column(file, values)
    lines = file.read_bytes().split(b"\n")[:-1]
    lines, k = DAMAGES[damage](lines, place % len(lines))
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.raises(UserError) as error:
        read_column(file)
    assert str(error.value).startswith(f"{file}:{k + 1}: ")


@given(COLUMNS, st.integers(0, 11))
def test_an_utterance_without_its_length_is_named(file, values, place):
    folder, ids = file.parent, sorted(values)
    write_column(folder / "utt2num_samples", {u: str(400 + k) for k, u in enumerate(ids)})
    assert read_lengths(folder, ids) == {u: 400 + k for k, u in enumerate(ids)}
    lost = place % len(ids)
    lines = (folder / "utt2num_samples").read_bytes().split(b"\n")
    (folder / "utt2num_samples").write_bytes(b"\n".join(lines[:lost] + lines[lost + 1 :]))
    with pytest.raises(UserError) as error:
        read_lengths(folder, ids)
    assert str(error.value).startswith(f"{folder}/wav.scp:{lost + 1}: ")
