"""`sermtl data summary`, on folders small enough to count by hand."""

import argparse
import json

import numpy as np
import pytest
import soundfile

from sermtl.cli.data import add_parser
from sermtl.data import SAMPLE_RATE
from sermtl.data.archive import append
from sermtl.data.audio import read_audio
from sermtl.data.datadir import write_column, write_data_dir
from sermtl.data.summary import summarise
from sermtl.errors import UserError


def tone(seconds, pitch, rate=SAMPLE_RATE):
    """A clip unlike those of other pitches, exact in 16 bit."""
    times = np.arange(round(seconds * rate)) / rate
    return np.round(8000 * np.sin(2 * np.pi * pitch * times)).astype(np.int16)


@pytest.fixture
def clip(tmp_path):
    """Writes a file of audio and tells its path."""

    def make(name, seconds, pitch, rate=SAMPLE_RATE):
        path = tmp_path / "audio" / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, tone(seconds, pitch, rate), rate)
        return str(path)

    return make


def write_set(folder, rows):
    """A set of rows (id, audio, seconds, speaker, gender, emotion)."""
    names = ("wav.scp", "utt2dur", "utt2spk", "utt2gender", "utt2emo")
    columns = {name: {row[0]: str(row[k]) for row in rows} for k, name in enumerate(names, 1)}
    write_data_dir(folder, columns | {"text": {row[0]: "words" for row in rows}})


@pytest.fixture
def data(tmp_path, clip):
    """Three sets without anything in common; two clips of test are as long as train's."""
    folder = tmp_path / "data"
    write_set(
        folder / "train",
        [
            ("a1", clip("a1.wav", 1, 100), "1.000", "a", "female", "joy"),
            ("a2", clip("a2.wav", 2, 200), "2.000", "a", "female", "anger"),
            ("b1", clip("b1.wav", 6, 300), "6.000", "b", "male", "joy"),
            ("x1", clip("x1.wav", 3, 350), "3.000", "<unk>", "<unk>", "<unk>"),
        ],
    )
    write_set(
        folder / "test",
        [
            ("c1", clip("c1.wav", 1, 400), "1.000", "c", "<unk>", "joy"),
            ("d1", clip("d1.wav", 2, 500), "2.000", "d", "male", "calm"),
            ("y1", clip("y1.wav", 4, 550), "4.000", "<unk>", "female", "<unk>"),
        ],
    )
    write_set(folder / "valid", [("e1", clip("e1.wav", 2, 600), "2.000", "e", "female", "anger")])
    return folder


def add(folder, *rows):
    """Add rows to a set."""
    columns = {}
    for k, name in enumerate(("wav.scp", "utt2dur", "utt2spk", "utt2gender", "utt2emo", "text"), 1):
        lines = (folder / name).read_text().splitlines()
        columns[name] = dict(line.split(" ", 1) for line in lines)
        columns[name] |= {row[0]: (*row, "words")[k] for row in rows}
    write_data_dir(folder, columns)


def dumped(data, folder):
    """The same sets with their audio in archives."""
    for source in data.iterdir():
        target = folder / source.name
        target.mkdir(parents=True)
        for file in source.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        places, lengths = {}, {}
        with open(target / "wav.1.ark", "wb") as stream:
            for line in (source / "wav.scp").read_text().splitlines():
                utt_id, path = line.split(" ", 1)
                samples = np.round(read_audio(path) * 32768).astype(np.int16)
                places[utt_id] = append(stream, target / "wav.1.ark", utt_id, samples)
                lengths[utt_id] = str(len(samples))
        write_column(target / "wav.scp", places)
        write_column(target / "utt2num_samples", lengths)
    return folder


@pytest.fixture(params=["data", "dump"])
def prepare(request, tmp_path):
    """The data folder as it is, or its dump."""
    return (
        (lambda data: dumped(data, tmp_path / "dump")) if request.param == "dump" else lambda d: d
    )


def run(*arguments):
    """The command as the shell has it."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["data", "summary", *map(str, arguments)])
    args.run(args)


def test_figures_of_each_set_and_of_all(data, prepare):
    found = summarise(prepare(data)).to_dict()
    assert list(found["sets"]) == ["train", "valid", "test"]
    assert found["sets"]["train"] == {
        "utterances": 4,
        "hours": round(12 / 3600, 4),
        "seconds": {"min": 1.0, "median": 2.5, "max": 6.0},
        "speakers": {"all": 2, "female": 1, "male": 1},
        "without_speaker": 1,
        "genders": {"female": 2, "male": 1, "<unk>": 1},
        "emotions": {"anger": 1, "joy": 2, "<unk>": 1},
    }
    assert found["sets"]["test"]["speakers"] == {"all": 2, "male": 1, "<unk>": 1}
    assert found["total"] == {
        "utterances": 8,
        "hours": round(21 / 3600, 4),
        "seconds": {"min": 1.0, "median": 2.0, "max": 6.0},
        "speakers": {"all": 5, "female": 2, "male": 2, "<unk>": 1},
        "without_speaker": 2,
        "genders": {"female": 4, "male": 2, "<unk>": 2},
        "emotions": {"anger": 2, "calm": 1, "joy": 3, "<unk>": 2},
    }
    assert (found["leaks"], found["repeats"], found["not_compared"]) == ([], {}, 0)


def test_a_speaker_in_two_sets_counts_once_in_all(data, clip):
    add(data / "test", ("b2", clip("b2.wav", 5, 700), "5.000", "b", "male", "joy"))
    found = summarise(data)
    assert [vars(leak) for leak in found.leaks] == [
        {"sets": ("train", "test"), "speakers": ["b"], "utterances": [], "audio": []}
    ]
    assert found.total.speakers.total() == 5


def test_the_same_audio_in_another_container(data, clip, prepare):
    add(
        data / "test",
        ("z2", clip("z2.flac", 2, 200), "2.000", "z", "male", "joy"),
        ("z6", clip("z6.flac", 6, 300), "6.000", "z", "male", "joy"),
    )
    (leak,) = summarise(prepare(data)).leaks
    assert leak.sets == ("train", "test")
    assert leak.audio == [
        {"train": ["a2"], "test": ["z2"]},
        {"train": ["b1"], "test": ["z6"]},
    ]
    assert leak.speakers == leak.utterances == []


def test_one_sample_makes_other_audio(data, tmp_path, prepare):
    other = tone(2, 200)
    other[777] += 1
    soundfile.write(tmp_path / "other.wav", other, SAMPLE_RATE)
    add(data / "test", ("z2", str(tmp_path / "other.wav"), "2.000", "z", "male", "joy"))
    assert summarise(prepare(data)).leaks == []


def test_the_same_id_in_two_sets(data, clip):
    add(data / "valid", ("a1", clip("other.wav", 5, 700), "5.000", "z", "male", "joy"))
    (leak,) = summarise(data).leaks
    assert (leak.sets, leak.utterances, leak.audio) == (("train", "valid"), ["a1"], [])


def test_the_same_audio_within_a_set_is_no_leak(data, clip, prepare):
    add(data / "train", ("a3", clip("a3.flac", 2, 200), "2.000", "a", "female", "anger"))
    found = summarise(prepare(data))
    assert found.repeats == {"train": [["a2", "a3"]]}
    assert found.leaks == []


def test_stretches_of_one_file_are_told_apart_only_in_the_dump(data, clip):
    long = clip("long.wav", 9, 800)
    add(data / "train", ("s1", long, "1.000", "s", "male", "joy"))
    add(data / "test", ("s2", long, "1.000", "t", "male", "joy"))
    found = summarise(data)
    assert (found.leaks, found.not_compared) == ([], 2)


@pytest.mark.parametrize(("seconds", "compared"), [("2.001", True), ("2.002", False)])
def test_durations_may_be_rounded_to_milliseconds(data, clip, seconds, compared):
    add(data / "train", ("a9", clip("a9.wav", 2, 900), seconds, "a", "female", "joy"))
    add(data / "test", ("z9", clip("z9.wav", 2, 900), seconds, "z", "male", "joy"))
    found = summarise(data)
    assert (len(found.leaks), found.not_compared) == ((1, 0) if compared else (0, 2))


def test_copies_at_another_speed_are_left_out(data, clip):
    row = ("sp0.9-a1", clip("a1.wav", 1, 100), "1.111", "sp0.9-a", "female", "joy")
    write_set(data / "train_sp0.9", [row])
    write_set(data / "else_sp0.9", [("q1", clip("q.wav", 5, 50), "5.000", "q", "male", "joy")])
    found = summarise(data)
    assert found.to_dict()["copies"] == found.copies == ["train_sp0.9"]
    assert [one.name for one in found.sets] == ["train", "else_sp0.9", "valid", "test"]


def test_a_speaker_of_two_genders(data, clip):
    add(data / "train", ("b2", clip("b2.wav", 5, 700), "5.000", "b", "female", "joy"))
    assert summarise(data).sets[0].speakers == {"female": 1, "both": 1}


def test_an_empty_set(data, tmp_path, capsys):
    write_set(data / "dev", [])
    found = summarise(data)
    (empty,) = (one for one in found.sets if one.name == "dev")
    assert (empty.utterances, empty.seconds, empty.speakers.total()) == (0, None, 0)
    run(data, "--plot", tmp_path / "picture.png")
    assert row(capsys.readouterr().out, "Sets", "dev") == ["0", "0.00", "–", "–", "–"]


def test_folders_that_are_no_sets_are_passed_over(data):
    (data / "notes").mkdir()
    (data / "folds.json").touch()
    assert [one.name for one in summarise(data).sets] == ["train", "valid", "test"]


def test_one_set_alone(data, capsys):
    assert [one.name for one in summarise(data / "test").sets] == ["test"]
    run(data / "test")
    assert "total" not in capsys.readouterr().out


def row(text, title, name):
    """Cells of a table's row."""
    (block,) = (block for block in text.split("\n\n") if block.startswith(title))
    (line,) = (line for line in block.splitlines()[1:] if line.startswith(name))
    return line[len(name) :].split()


def test_the_table_says_what_json_says(data, clip, capsys):
    add(data / "test", ("b1", clip("b1.flac", 6, 300), "6.000", "b", "male", "joy"))
    add(data / "valid", ("e2", clip("e2.flac", 2, 600), "2.000", "e", "female", "anger"))
    run(data)
    text = capsys.readouterr().out
    run(data, "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert found == summarise(data).to_dict()
    for name, facts in {**found["sets"], "total": found["total"]}.items():
        seconds = [f"{value:.2f}" for value in facts["seconds"].values()]
        assert row(text, "Sets", name) == [
            str(facts["utterances"]),
            f"{facts['hours']:.2f}",
            *seconds,
        ]
        for title, key, columns in (
            ("Speakers", "speakers", ("all", "female", "male", "<unk>")),
            ("Utterances by gender", "genders", ("female", "male", "<unk>")),
            ("Utterances by emotion", "emotions", ("anger", "calm", "joy", "<unk>")),
        ):
            cells = row(text, title, name)
            expected = [facts[key].get(column, 0) for column in columns]
            expected += [facts["without_speaker"]] if key == "speakers" else []
            assert list(map(int, cells)) == expected
    assert found["leaks"] == [
        {
            "sets": ["train", "test"],
            "speakers": ["b"],
            "utterances": ["b1"],
            "audio": [{"train": ["b1"], "test": ["b1"]}],
        }
    ]
    assert found["repeats"] == {"valid": [["e1", "e2"]]}
    assert text.partition("Leaks\n")[2].splitlines() == [
        "  the same speakers:",
        "    train and test: 1 (b)",
        "  the same audio:",
        "    train and test: 1 (b1 = b1)",
        "  the same utterance ids:",
        "    train and test: 1 (b1)",
        "",
        "The same audio twice in a set:",
        "  valid: 1 (e1 = e2)",
    ]


def test_long_lists_are_cut_short_in_the_table(data, capsys):
    wav = (data / "valid" / "wav.scp").read_text().split()[1]
    for name in ("train", "valid"):
        many = [f"{name}-{k}" for k in range(5)]
        add(
            data / name, *((u, wav, f"{7 + k}.5", u[-1], "male", "joy") for k, u in enumerate(many))
        )
    run(data)
    assert "train and valid: 5 (0, 1, 2, …)\n" in capsys.readouterr().out


def test_nothing_to_tell(data, capsys):
    run(data)
    text = capsys.readouterr().out
    assert text.partition("Leaks\n")[2].splitlines() == [
        "  the same speakers: none",
        "  the same audio: none",
        "  the same utterance ids: none",
        "",
        "The same audio twice in a set: none",
    ]


def test_strict_fails_for_leaks_only_and_after_the_table(data, clip, capsys):
    run(data, "--strict")
    add(data / "test", ("b2", clip("b2.wav", 5, 700), "5.000", "b", "male", "joy"))
    run(data)
    capsys.readouterr()
    with pytest.raises(UserError, match="train and test"):
        run(data, "--strict")
    assert "train and test: 1 (b)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("SVG", b"<?xml")]
)
def test_pictures(data, tmp_path, ending, start):
    picture = tmp_path / "new" / f"picture.{ending}"
    run(data, "--plot", picture)
    assert picture.read_bytes().startswith(start)


def test_a_picture_names_axes_sets_and_emotions(data, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        run(data, "--plot", tmp_path / "picture.svg")
    text = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    for words in ("train (4)", "valid (1)", "test (3)", "anger", "calm", "joy", "&lt;unk&gt;"):
        assert f">{words}<" in text
    for words in (">emotion<", ">duration (s)<", "utterances (%)"):
        assert words in text


def test_no_picture_of_an_unknown_format(data, tmp_path, capsys):
    with pytest.raises(UserError, match=r"\.png, \.pdf, \.svg"):
        run(data, "--plot", tmp_path / "picture.bmp")
    assert capsys.readouterr().out == ""


def test_folders_without_sets(tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        summarise(tmp_path / "gone")
    (tmp_path / "tokens").mkdir()
    with pytest.raises(UserError, match=f"{tmp_path} has no set"):
        summarise(tmp_path)


@pytest.mark.parametrize("name", ["wav.scp", "utt2dur", "utt2emo"])
def test_missing_files(data, name):
    (data / "test" / name).unlink()
    with pytest.raises(UserError, match=f"test/{name} is missing"):
        summarise(data)


@pytest.mark.parametrize("value", ["long", "nan", "inf", "-1"])
def test_durations_that_are_none(data, value):
    file = data / "test" / "utt2dur"
    file.write_text(file.read_text().replace("d1 2.000", f"d1 {value}"))
    with pytest.raises(UserError) as error:
        summarise(data)
    assert f"{file}:2: d1 has {value!r}" in str(error.value)


def test_a_dump_that_lacks_a_length(data, tmp_path):
    dump = dumped(data, tmp_path / "dump")
    write_column(dump / "test" / "utt2num_samples", {"c1": "16000", "y1": "64000"})
    with pytest.raises(UserError, match=r"wav\.scp:2: d1 is missing from utt2num_samples"):
        summarise(dump)


def test_damaged_audio_is_named(data, tmp_path):
    dump = dumped(data, tmp_path / "dump")
    (dump / "test" / "wav.1.ark").write_bytes(b"c1 junk")
    with pytest.raises(UserError, match=r"test/wav.1.ark:3: not a wav of 16 kHz"):
        summarise(dump)
