import pytest

from sermtl.corpora.manifest import read_manifest
from sermtl.errors import UserError


@pytest.fixture
def manifest(tmp_path):
    def write(content):
        path = tmp_path / "my corpus.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_dialects(manifest, delimiter, newline, bom):
    lines = [
        delimiter.join(("Path", " emotion", "text")),
        "",
        delimiter.join(("a  b.wav", "joy", f'"one{delimiter} ""two""{newline}three"')),
        delimiter.join(("c.wav", "", "<unk>")),
    ]
    table = read_manifest(manifest(bom + newline.join(lines) + newline))
    first, second = table.rows
    assert (first.line, first.path, first.emotion) == (3, "a  b.wav", "joy")
    assert first.text == f'one{delimiter.strip()} "two" three'
    assert (second.line, second.emotion, second.text) == (5, None, None)


def test_columns_without_meaning_are_named(manifest):
    assert read_manifest(manifest("path,emtion,age\na.wav,x,3\n")).ignored == ["emtion", "age"]


@pytest.mark.parametrize(
    ("written", "gender"),
    [("M", "male"), ("Female", "female"), ("f", "female"), ("", None), ("Unknown", None)],
)
def test_gender(manifest, written, gender):
    (row,) = read_manifest(manifest(f"path,gender\na.wav,{written}\n")).rows
    assert row.gender == gender


def test_segments(manifest):
    rows = read_manifest(manifest("path,start,end\na.wav,0.5,2\na.wav,2,\na.wav,,1\n")).rows
    assert [(row.start, row.end) for row in rows] == [(0.5, 2.0), (2.0, None), (None, 1.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,emotion\na.wav,x\n", "csv:1: .*no column `path`"),
        ("", "csv:1: the file is empty"),
        ("path,text,text\na.wav,x,y\n", "csv:1: two columns are called 'text'"),
        ("path,text\n", "no rows"),
        ("path,text\na.wav,x\n ,y\n", "csv:3: the path is empty"),
        ("path,text\na.wav,x, y\n", "csv:2: 3 fields, the header has 2"),
        ("path,text\n\na.wav\n", "csv:3: 1 fields"),
        ('path,text\na.wav,x\nb.wav,"y\nz\n', "csv:3: unexpected end"),
        ('path,text\na.wav,"x" y\n', "csv:2: "),
        ("path,gender\na.wav,m\nb.wav,x\n", "csv:3: gender must be .*not 'x'"),
        ("path,start\na.wav,soon\n", "csv:2: start must be .*'soon'"),
        ("path,start\na.wav,-1\n", "csv:2: start must be"),
        ("path,end\na.wav,nan\n", "csv:2: end must be"),
        ("path,start,end\na.wav,2,2\n", "csv:2: end 2.0 s is not after start 2.0 s"),
        ("path,text\na.wav,x\nb.wav,é\n".encode("latin-1"), "csv:3: not UTF-8"),
    ],
)
def test_errors_name_the_line(manifest, content, message):
    with pytest.raises(UserError, match=message):
        read_manifest(manifest(content))


def test_a_missing_manifest(tmp_path):
    with pytest.raises(UserError, match=r"can't read .*none.csv: No such file"):
        read_manifest(tmp_path / "none.csv")
