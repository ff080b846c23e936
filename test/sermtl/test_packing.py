"""Packed models: what is in them, and that they answer elsewhere as they did."""

import json
import zipfile

import numpy as np
import pytest
import yaml

from sermtl import EmotionRecognizer, UserError, packing
from sermtl.bin import pack as stage
from sermtl.packing import pack, push

RESULTS = {
    "test": {
        "n": 6,
        "n_unlabelled": 0,
        "labels": ["A", "H", "N"],
        "macro_f1": {"value": 0.4321, "low": 0.3, "high": 0.5, "unit": "utterances"},
        "per_class": {"A": {"precision": 0.5, "recall": 0.5, "f1": {"value": 0.5}, "support": 2}},
    }
}


def test_folder_and_archive_answer_alike_elsewhere(trained, recognizer, clips, tmp_path):
    archive = pack(trained, "final.pth", tmp_path / "a model.v1", "# card", RESULTS)
    assert archive.name == "a model.v1.zip"
    names = set(zipfile.ZipFile(archive).namelist()) - {"layer_weights.json"}
    assert names == {
        *("README.md", "config.json", "model.safetensors", "results.json"),
        *("tokens/tokenizer.json", "tokens/tokens.txt"),  # no weights that are pickled, no markers
    }
    elsewhere = tmp_path / "moved.zip"
    archive.rename(elsewhere)
    (tmp_path / "a model.v1").rename(tmp_path / "other place")
    expected = recognizer(clips[0])
    for source in (tmp_path / "other place", elsewhere):
        packed = EmotionRecognizer.from_pretrained(source)
        answer = packed(clips[0])
        assert answer.to_dict() == expected.to_dict()
        np.testing.assert_array_equal(answer.speaker_embedding, expected.speaker_embedding)
        assert packed.names == {"A": "anger", "H": "happiness", "N": "neutral"}


def test_the_same_model_gives_the_same_bytes(trained, tmp_path):
    (tmp_path / "later").mkdir()
    one = pack(trained, "final.pth", tmp_path / "m", "card", RESULTS)
    other = pack(trained, "final.pth", tmp_path / "later" / "m", "card", RESULTS)
    assert one.read_bytes() == other.read_bytes()


def test_a_pack_that_fails_leaves_what_was_there(trained, tmp_path, monkeypatch):
    pack(trained, "final.pth", tmp_path / "m", "old card", RESULTS)
    monkeypatch.setattr(json, "dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pack(trained, "final.pth", tmp_path / "m", "new card", RESULTS)
    assert (tmp_path / "m" / "README.md").read_text() == "old card"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".m.lock", "m", "m.zip"]


def test_archives_that_lead_out_of_their_folder_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as members:
        members.writestr("../escaped", "x")
    with pytest.raises(UserError, match="leads out"):
        EmotionRecognizer.from_pretrained(tmp_path / "bad.zip")
    assert not (tmp_path / "escaped").exists()


def test_what_is_no_model_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    for source in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError, match=str(source)):
            EmotionRecognizer.from_pretrained(source)


def test_an_experiment_with_folds_has_several_models(tmp_path):
    for k in (2, 1):
        (tmp_path / f"fold{k}").mkdir()
        (tmp_path / f"fold{k}" / "config.yaml").touch()
    with pytest.raises(UserError, match=r"a model for each fold: name one, e\.g\. .*fold1"):
        EmotionRecognizer.from_pretrained(tmp_path)


def test_the_card(trained, tmp_path):
    (trained / "results.json").write_text(json.dumps(RESULTS))
    (trained / "confusion_test.png").write_bytes(b"a picture")
    about = tmp_path / "about.md"
    about.write_text(
        "# mine\n\nTen actors.\n\n- **Source**: [here](https://x.org), see [docs](../docs/a.md).\n"
        "\n```sh\nrun\n```\n## Results\nnone"
    )
    options = ["--expdir", str(trained), "--name", "mine", "--about", str(about)]
    try:
        stage.main([*options, "--license", "cc-by-4.0"])
    finally:
        (trained / "results.json").unlink()
    assert (trained / "mine" / "confusion_test.png").read_bytes() == b"a picture"
    _, front, text = (trained / "mine" / "README.md").read_text().split("---\n", 2)
    meta = yaml.safe_load(front)
    assert meta["library_name"] == "sermtl" and meta["license"] == "cc-by-4.0"
    (entry,) = meta["model-index"][0]["results"]
    assert entry["metrics"] == [{"type": "f1", "name": "macro-F1", "value": 0.4321}]
    assert "Ten actors." in text and "[here](https://x.org), see docs." in text
    for part in (
        "43.2 [30.0, 50.0]",
        "| H | happiness | 4 |",
        "Intended use",
        "](confusion_test.png)",
    ):
        assert part in text
    assert "run\n" not in text and str(trained) not in text


def test_a_missing_text_about_the_data_is_named(trained, tmp_path):
    options = ["--expdir", str(trained), "--name", "mine", "--about", str(tmp_path / "gone.md")]
    with pytest.raises(UserError, match=r"gone\.md: there is no such file"):
        stage.main(options)


def test_pushing_is_what_the_hub_is_asked_for(trained, tmp_path, monkeypatch):
    calls = []

    class Hub:
        def create_repo(self, name, **options):
            calls.append((name, options))
            return f"https://hub/{name}"

        def upload_folder(self, **options):
            calls.append(options)

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    options = ["--expdir", str(trained), "--name", "pushed"]
    stage.main(options)
    assert calls == []
    stage.main([*options, "--push_to_hub", "me/pushed"])
    assert calls[0] == ("me/pushed", {"private": True, "exist_ok": True})
    assert calls[1]["repo_id"] == "me/pushed"
    assert calls[1]["folder_path"] == trained / "pushed"


def test_a_hub_that_can_not_be_reached_is_one_line(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route\nmore")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", refuse)
    with pytest.raises(UserError, match=r"me/m: not pushed .* \(no route\)") as caught:
        push(tmp_path, "me/m")
    assert "\n" not in str(caught.value)


def test_names_on_the_hub_and_revisions(monkeypatch, trained, tmp_path):
    pack(trained, "final.pth", tmp_path / "snapshot", "card", {})
    asked = []

    def download(name, revision=None):
        asked.append((name, revision))
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    EmotionRecognizer.from_pretrained("org/name", revision="v1")
    assert asked == [("org/name", "v1")]
    assert packing.unpacked("org/name").__enter__() == tmp_path / "snapshot"
