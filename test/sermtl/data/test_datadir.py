from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sermtl.data.datadir import (
    FILES,
    audio_file,
    label_columns,
    merge,
    read_column,
    read_data_dir,
    read_lengths,
    unfit,
    write_column,
    write_data_dir,
)
from sermtl.data.utterance import UNKNOWN, Utterance
from sermtl.errors import UserError


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"a 1\nc 2\nb 3\n", 3, "not sorted"),
        (b"a 1\na 2\n", 2, "twice"),
        (b"a 1\r\nb 2\r\n", 1, "Windows"),
        (b"a 1\n\nb 2\n", 2, "empty line"),
        (b"a 1\nb\n", 2, "no value"),
        (b"a 1\nb  \n", 2, "no value"),
        (b" 1\n", 1, "no utterance id"),
        (b"a 1\nb 2", 2, "no line end"),
        (b"a 1\nb \xff\n", 2, "not UTF-8"),
        (b"\xef\xbb\xbfa 1\n", 1, "BOM"),
    ],
)
def test_bad_lines_are_named(tmp_path, content, line, message):
    file = tmp_path / "utt2emo"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_column(file)
    assert f"{file}:{line}" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="text is missing"):
        read_column(tmp_path / "text")


@pytest.mark.parametrize("value", ["x", "-1", "inf", "nan", "1.5"])
def test_lengths_are_whole_numbers(tmp_path, value):
    write_column(tmp_path / "utt2num_samples", {"a": "0", "b": "1e3"})
    assert read_lengths(tmp_path, ["a", "b"]) == {"a": 0, "b": 1000}
    write_column(tmp_path / "utt2num_samples", {"a": "0", "b": value})
    said = "1.5 samples" if value == "1.5" else f"'{value}', not a number"
    with pytest.raises(UserError, match=f"^{tmp_path}/utt2num_samples:2: b has {said}"):
        read_lengths(tmp_path, ["a", "b"])


@pytest.fixture
def audio(tmp_path):
    file = tmp_path / "some where" / "a b.wav"
    file.parent.mkdir()
    file.touch()
    return file


@pytest.fixture
def columns(audio):
    """Makes all columns of a data dir with these ids."""

    def make(ids):
        made = {name: {u: f"{name}-{u}" for u in ids} for name in FILES}
        return {**made, "wav.scp": dict.fromkeys(ids, str(audio))}

    return make


def test_written_dirs_are_sorted_and_read_back(tmp_path, columns):
    folder = tmp_path / "a set"
    write_data_dir(folder, columns(["b", "a", "B"]))
    assert read_data_dir(folder).columns == columns(["B", "a", "b"])
    assert read_data_dir(folder).ids == ["B", "a", "b"]


def test_missing_audio_is_named(tmp_path, columns, audio):
    write_data_dir(tmp_path, columns(["a", "b", "c"]))
    places = {"a": str(audio), "b": f"{audio}:123", "c": f"{tmp_path}/gone.ark:5"}
    write_column(tmp_path / "wav.scp", places)
    with pytest.raises(UserError) as error:
        read_data_dir(tmp_path)
    expected = f"{tmp_path}/wav.scp:3: there is no audio file {tmp_path}/gone.ark"
    assert str(error.value).startswith(f"{expected}: bring it back, or run stage 1")


def test_spk2utt_is_the_inverse_of_utt2spk(tmp_path):
    write_data_dir(tmp_path, {"utt2spk": {"u3": "s1", "u1": "s2", "u2": "s1"}})
    assert read_column(tmp_path / "spk2utt") == {"s1": "u2 u3", "s2": "u1"}


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        ({"s1": "u2  u3", "s2": "u1"}, None),
        ({"s1": "u2 u3", "s2": "u1", "s3": "u1"}, "spk2utt:3: s3 has other"),
        ({"s1": "u2 u3", "s2": "u3"}, "spk2utt:2: s2 has other"),
        ({"s1": "u2 u3"}, "spk2utt: s2, who is in utt2spk, is missing"),
    ],
)
def test_spk2utt_must_be_that_inverse(tmp_path, columns, speakers, message):
    made = columns(["u1", "u2", "u3"])
    write_data_dir(tmp_path, made | {"utt2spk": {"u1": "s2", "u2": "s1", "u3": "s1"}})
    write_column(tmp_path / "spk2utt", speakers)
    with pytest.raises(UserError) if message else nullcontext() as error:
        read_data_dir(tmp_path)
    assert not message or str(error.value).startswith(f"{tmp_path}/{message}")


@pytest.mark.parametrize("command", ["sox a.mp3 -t wav - |", "| cat"])
def test_commands_are_refused(tmp_path, columns, command):
    write_data_dir(tmp_path, columns(["a", "b"]))
    write_column(tmp_path / "wav.scp", columns(["a"])["wav.scp"] | {"b": command})
    with pytest.raises(UserError, match=r"wav\.scp:2: .* is a command"):
        read_data_dir(tmp_path)


@pytest.mark.parametrize(
    ("place", "file"),
    [("/a:b/c.ark:12", "/a:b/c.ark"), ("/a:b/c.wav", "/a:b/c.wav"), (":7", ":7")],
)
def test_the_file_of_a_place(place, file):
    assert audio_file(place) == file


def test_espnets_category_file_is_never_written(tmp_path, columns):
    write_data_dir(tmp_path, columns(["a"]))
    assert not (tmp_path / "utt2category").exists()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a"], "wav.scp:2: b is missing from utt2emo"),
        (["a", "b", "c"], "utt2emo:3: c isn't in wav.scp"),
        (["b", "x"], "utt2emo:2: x isn't in wav.scp"),
    ],
)
def test_files_must_agree(tmp_path, columns, ids, message):
    write_data_dir(tmp_path, columns(["a", "b"]))
    write_column(tmp_path / "utt2emo", dict.fromkeys(ids, "N"))
    with pytest.raises(UserError) as error:
        read_data_dir(tmp_path)
    assert str(error.value) == f"{tmp_path}/{message}"


@pytest.mark.parametrize("utt_id", ["", "a b", "a\t", "a\n"])
def test_ids_with_white_space_are_refused(tmp_path, utt_id):
    with pytest.raises(UserError, match="white space"):
        write_column(tmp_path / "text", {utt_id: "x"})


@pytest.mark.parametrize("value", ["", " ", "a\nb"])
def test_values_that_would_break_a_line_are_refused(tmp_path, value):
    with pytest.raises(UserError, match="empty value or a line break"):
        write_column(tmp_path / "text", {"a": value})


@pytest.mark.parametrize("values", [{"a": "/caf\udce9/b"}, {"\ud800": "b"}, {"a": "\udfff"}])
def test_what_is_no_utf8_is_refused(tmp_path, values):
    with pytest.raises(UserError, match=r"wav\.scp: not UTF-8: .*ud[8cf]"):
        write_column(tmp_path / "wav.scp", values)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/a b/c d.wav", None),
        ("/a/ b.wav", None),
        ("/a|/b:c:1.wav", None),
        ("/a/b.wav ", "white space"),
        ("/a\n/b.wav", "a line break"),
        ("/a\r/b.wav", "a line break"),
        ("/a/rm -r b |", "a |"),
        ("/a/b.wav:7", "a number behind a colon"),
        ("/a/caf\udce9.wav", "bytes that aren't UTF-8"),
    ],
)
def test_paths_that_wav_scp_cannot_hold(path, reason):
    assert (unfit(path) is None) if reason is None else unfit(path).startswith(reason)


def test_unknown_labels_are_written_as_such():
    known = Utterance(
        "u1", "a.wav", "train", emotion="N", gender="female", speaker="s1", text="two\nwords "
    )
    unknown = Utterance("u2", "b.wav", "train")
    result = label_columns([known, unknown])
    assert result["text"] == {"u1": "two words", "u2": UNKNOWN}
    assert result["utt2emo"] == {"u1": "N", "u2": UNKNOWN}
    assert result["utt2spk"] == {"u1": "s1", "u2": UNKNOWN}


def test_merge_is_the_sorted_union_of_disjoint_sets(tmp_path, columns):
    write_data_dir(tmp_path / "one", columns(["c", "a"]))
    write_data_dir(tmp_path / "two", columns(["b"]))
    assert merge([tmp_path / "one", tmp_path / "two"]).columns == columns(["a", "b", "c"])
    with pytest.raises(UserError, match="another of the sets"):
        merge([tmp_path / "one", tmp_path / "one"])


TOKENS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8
).filter(lambda s: len(s.split()) == 1 and s == s.strip())


@given(st.dictionaries(TOKENS, st.lists(TOKENS, min_size=1).map(" ".join), max_size=8))
def test_columns_survive_a_round_trip(tmp_path_factory, values):
    file = tmp_path_factory.mktemp("column") / "text"
    write_column(file, values)
    assert read_column(file) == dict(sorted(values.items()))
