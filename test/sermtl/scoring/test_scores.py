"""A set's scores: what is absent, closed classes, folds, labels from elsewhere."""

from __future__ import annotations

import dataclasses

import jiwer
import numpy as np
import pytest
import sklearn.metrics as sk
from random_answers import CLASSES, predicted

from sermtl.errors import UserError
from sermtl.scoring import verification
from sermtl.scoring.scores import set_scores
from sermtl.scoring.tables import summary


def test_emotion_scores_are_of_labelled_utterances() -> None:
    part = predicted()
    scores = set_scores([part])
    pairs = [
        pair
        for pair in zip(part.references["emotion"], part.answers["emotion"], strict=True)
        if pair[0] != "<unk>"
    ]
    reference, hypothesis = zip(*pairs, strict=True)
    assert scores["n"] == len(pairs) and scores["n_unlabelled"] == 120 - len(pairs)
    expected = sk.f1_score(reference, hypothesis, labels=CLASSES[:3], average="macro")
    assert scores["macro_f1"]["value"] == pytest.approx(expected, abs=1e-12)
    assert scores["macro_f1"]["low"] < expected < scores["macro_f1"]["high"]
    assert scores["macro_f1"]["unit"] == "speakers"
    assert scores["micro_f1"] == scores["accuracy"]
    assert (
        scores["confusion"] == sk.confusion_matrix(reference, hypothesis, labels=CLASSES).tolist()
    )
    assert "open" not in scores and "folds" not in scores and "absent" not in scores


def test_classes_have_intervals_of_the_same_resamples() -> None:
    """Speakers are drawn, each with all its utterances; scikit-learn scores every resample."""
    part = predicted(n=48, probabilities=np.random.default_rng(9).dirichlet(np.ones(4), 48))
    part.answers["emotion"] = [CLASSES[i] for i in part.probabilities.argmax(1)]
    scores = set_scores([part])
    columns = part.references["emotion"], part.answers["emotion"], part.references["speaker"]
    rows = [row for row in zip(*columns, strict=True) if row[0] != "<unk>"]
    speakers = list(dict.fromkeys(speaker for _, _, speaker in rows))
    cells = np.zeros((len(speakers), 16), dtype=np.int64)
    for reference, answer, speaker in rows:
        at = 4 * CLASSES.index(reference) + CLASSES.index(answer)
        cells[speakers.index(speaker), at] += 1
    assert len(np.unique(cells, axis=0)) == len(speakers)  # so each speaker is drawn by itself
    # Speakers are drawn in the order of what is counted of them, whatever they are called.
    places = sorted(range(12), key=lambda k: cells[k].astype(float).tobytes())
    speakers = [speakers[k] for k in places]
    drawn = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=1000)
    samples = []
    for times in drawn:
        weights = [times[speakers.index(speaker)] for _, _, speaker in rows]
        sides = [side for side, _, _ in rows], [side for _, side, _ in rows]
        options = {"labels": CLASSES, "average": None, "zero_division": 0}
        samples.append(sk.f1_score(*sides, sample_weight=weights, **options))
    for label, sample in zip(CLASSES, np.transpose(samples), strict=True):
        f1 = scores["per_class"][label]["f1"]
        expected = np.percentile(sample, [2.5, 97.5])
        assert [f1["low"], f1["high"]] == pytest.approx(expected, abs=1e-12)
    plain = sk.f1_score(*sides, labels=CLASSES, average=None)
    assert [of["f1"]["value"] for of in scores["per_class"].values()] == pytest.approx(plain)


def test_calibration_is_of_labelled_utterances() -> None:
    part = predicted()
    scores = set_scores([part])
    rows = zip(
        part.references["emotion"],
        part.answers["emotion"],
        part.probabilities.max(axis=1),
        strict=True,
    )
    bins: dict[int, list[float]] = {}
    for reference, answer, sure in rows:
        if reference != "<unk>":
            bins.setdefault(int(sure * 10), []).append(sure - (reference == answer))
    expected = sum(abs(sum(gaps)) for gaps in bins.values()) / scores["n"]
    assert scores["ece"] == {"value": pytest.approx(expected)}
    assert sum(scores["reliability"]["count"]) == scores["n"]


def test_auxiliary_scores() -> None:
    part = predicted()
    scores = set_scores([part])
    known = [i for i, g in enumerate(part.references["gender"]) if g != "<unk>"]
    sides = [[side["gender"][i] for i in known] for side in (part.references, part.answers)]
    assert scores["gender_accuracy"]["value"] == pytest.approx(sk.accuracy_score(*sides))
    assert scores["gender_uar"]["value"] == pytest.approx(sk.balanced_accuracy_score(*sides))
    assert scores["gender_n"] == len(known)
    texts, answers = part.references["text"], part.answers["transcript"]
    spoken = [pair for pair in zip(texts, answers, strict=True) if pair[0] != "<unk>"]
    unseen = [pair for pair in spoken if pair[0] != "b d"]
    assert scores["wer"]["value"] == pytest.approx(jiwer.wer(*map(list, zip(*spoken, strict=True))))
    assert scores["cer"]["value"] == pytest.approx(jiwer.cer(*map(list, zip(*spoken, strict=True))))
    expected = jiwer.wer(*map(list, zip(*unseen, strict=True)))
    assert scores["wer_unseen"]["value"] == pytest.approx(expected)
    assert (scores["wer_n"], scores["wer_unseen_n"]) == (len(spoken), len(unseen))
    assert scores["wer_reference"] == "corpus"
    assert 0.3 < scores["speaker_eer"]["value"] < 0.7


@pytest.mark.parametrize(
    ("texts", "reason"),
    [({"a b c", "b d"}, "saw every sentence"), (None, "not named"), ({"other words"}, None)],
)
def test_unseen_sentences_only_where_they_differ(texts: set | None, reason: str | None) -> None:
    scores = set_scores([predicted(training_texts=texts)])
    assert "wer_unseen" not in scores
    assert (reason is None) == ("absent" not in scores)
    assert reason is None or reason in scores["absent"]["wer_unseen"]


def test_what_has_no_labels_or_no_branch_is_absent() -> None:
    unknown = {label: ["<unk>"] * 120 for label in ("emotion", "gender", "speaker", "text")}
    scores = set_scores([predicted(references=unknown)])
    assert scores.keys() == {"n", "n_unlabelled", "absent"}
    assert scores["absent"].keys() == {"emotion", "gender", "wer", "speaker_eer"}
    part = predicted(embeddings=None)
    part.answers = {"emotion": part.answers["emotion"]}
    scores = set_scores([part])
    assert scores["absent"].keys() == {"gender", "wer", "speaker_eer"}
    assert scores["macro_f1"]["value"] > 0


def test_closed_scores_choose_among_the_corpus_classes() -> None:
    part = predicted()
    scores = set_scores([part], closed_labels=["S", "N", "H"])
    labelled = [i for i, e in enumerate(part.references["emotion"]) if e != "<unk>"]
    answers = ["NHS"[i] for i in part.probabilities[:, :3].argmax(1)]
    sides = [[side[i] for i in labelled] for side in (part.references["emotion"], answers)]
    assert scores["labels"] == ["S", "N", "H"]
    assert scores["accuracy"]["value"] == pytest.approx(sk.accuracy_score(*sides))
    opened = set_scores([part])
    assert all(scores["open"][key] == opened[key] for key in ("macro_f1", "uar", "confusion"))
    with pytest.raises(UserError, match="'X'"):
        set_scores([part], closed_labels=["X"])
    with pytest.raises(UserError, match="twice: N N"):
        set_scores([part], closed_labels=["N", "N"])


def test_open_scores_are_of_the_same_utterances() -> None:
    part = predicted()
    scores = set_scores([part], closed_labels=["N", "H"])  # S occurs nevertheless
    assert scores["outside"]["S"] > 0
    chosen = [i for i, e in enumerate(part.references["emotion"]) if e in "NH"]
    sides = [[side["emotion"][i] for i in chosen] for side in (part.references, part.answers)]
    assert scores["open"]["accuracy"]["value"] == pytest.approx(sk.accuracy_score(*sides))
    assert np.sum(scores["open"]["confusion"]) == np.sum(scores["confusion"]) == scores["n"]
    assert set_scores([part], closed_labels=CLASSES[::-1]) == set_scores([part])


def test_labels_outside_the_classes_are_counted() -> None:
    part = predicted()
    part.references["emotion"][:3] = ["X", "X", "Y"]
    scores = set_scores([part])
    assert scores["outside"] == {"X": 2, "Y": 1}
    assert scores["n"] + scores["n_unlabelled"] + 3 == 120


def test_clips_that_could_not_be_read_are_told() -> None:
    scores = set_scores([predicted(unreadable=2), predicted(60, 1, "b", unreadable=1)])
    assert scores["n_unreadable"] == 3
    assert "3 left out because their audio can't be read" in summary({"test": scores})
    assert "n_unreadable" not in set_scores([predicted()])
    models = [predicted(name=name, ids=predicted().ids, unreadable=2) for name in "ab"]
    assert set_scores(models, shared=True)["n_unreadable"] == 2  # of the set, whoever answers


def test_folds_are_pooled_but_trials_stay_within() -> None:
    parts = [predicted(60, seed, f"fold{seed}") for seed in (1, 2)]
    scores, alone = set_scores(parts), [set_scores([part]) for part in parts]
    assert scores["n"] == sum(one["n"] for one in alone)
    assert (np.array(scores["confusion"]) == sum(np.array(one["confusion"]) for one in alone)).all()
    for part, one in zip(parts, alone, strict=True):
        assert scores["folds"][part.name]["uar"] == one["uar"]["value"]
    same = [one["speaker_eer"]["trials"]["same"] for one in alone]
    assert scores["speaker_eer"]["trials"]["same"] == sum(same)


def test_sets_of_one_fold_are_one_fold() -> None:
    halves = [predicted(60, k, "fold1", ids=[f"{k}-{i}" for i in range(60)]) for k in (1, 2)]
    other = predicted(60, 3, "fold2")
    scores = set_scores([*halves, other])
    assert scores["folds"]["fold1"]["n"] == set_scores(halves)["n"]
    assert "folds" not in set_scores(halves)
    trials = [set_scores(parts)["speaker_eer"]["trials"]["same"] for parts in (halves, [other])]
    assert scores["speaker_eer"]["trials"]["same"] == sum(trials)
    assert trials[0] > 2 * trials[1]  # pairs across the halves, too


def test_folds_without_speaker_pairs_are_told() -> None:
    mute = predicted(60, 2, "fold2")
    mute.references["speaker"] = ["<unk>"] * 60
    scores = set_scores([predicted(60, 1, "fold1"), mute])
    assert scores["speaker_eer"]["without"].keys() == {"fold2"}
    assert "no speaker pairs of fold2: 0 known speakers" in summary({"test": scores})


def test_word_errors_say_every_source_of_their_references() -> None:
    part = predicted()
    part.text_sources[:60] = ["extra"] * 60
    assert set_scores([part])["wer_reference"] == "corpus+extra"


def test_folds_must_agree_and_be_disjoint() -> None:
    first = predicted(name="fold1")
    with pytest.raises(UserError, match="tested in fold1 and in fold2"):
        set_scores([first, predicted(name="fold2", ids=first.ids)])
    with pytest.raises(UserError, match=r"^fold2 predicts .*, fold1 "):
        set_scores([first, predicted(name="fold2", classes=CLASSES[::-1])])


def test_what_is_always_answered_is_the_baseline() -> None:
    references = predicted().references | {"emotion": ["H"] * 70 + ["N"] * 50}
    scores = set_scores([predicted(references=references)])
    assert scores["n_unlabelled"] == 0 and scores["n"] == 120
    assert scores["majority"]["label"] == "H"
    assert scores["majority"]["accuracy"] == pytest.approx(70 / 120)
    unknown = set_scores([predicted(references=references | {"emotion": ["<unk>"] * 120})])
    assert unknown["absent"]["emotion"] == "no utterance has a reference label"


def test_open_scores_do_not_tell_of_the_set_again() -> None:
    scores = set_scores([predicted()], closed_labels=["N", "H"])
    assert not {"n", "n_unlabelled", "outside"} & scores["open"].keys()


def test_both_kinds_of_trials_are_counted() -> None:
    speakers = ["a"] * 5 + ["b"] * 2 + ["<unk>"] * 113
    part = predicted(references=predicted().references | {"speaker": speakers})
    eer = set_scores([part])["speaker_eer"]
    assert eer["trials"] == {"same": 10 + 1, "different": 10}
    assert "without" not in eer


def test_a_gender_that_is_only_answered_or_only_told() -> None:
    part = predicted()
    part.answers["gender"] = ["male"] * 120
    part.references["gender"] = ["female"] * 30 + ["male"] * 90
    scores = set_scores([part])
    assert scores["gender_uar"]["value"] == pytest.approx(0.5)
    part.references["gender"], part.answers["gender"] = ["male"] * 120, ["female"] * 120
    assert set_scores([part])["gender_accuracy"]["value"] == 0


def test_texts_of_two_forms_are_told() -> None:
    parts = [predicted(60, 1, "fold1"), predicted(60, 2, "fold2", text_form="english")]
    assert set_scores(parts)["wer_form"] == "english+plain"


def test_one_model_does_not_answer_twice() -> None:
    part = predicted(name="fold1")
    with pytest.raises(UserError, match="tested in fold1 and in fold1"):
        set_scores([part, part], shared=True)
    assert set_scores([part, predicted(name="fold2", ids=part.ids)], shared=True)["models"] == 2
    assert "models" not in set_scores([part], shared=True)
    assert "models" not in set_scores([part, predicted(name="fold2")])


def test_speaker_trials_are_of_the_folds_own_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [predicted(n, name=f"fold{n}") for n in (30, 45, 20)]
    for part in parts:
        part.references["speaker"] = [f"{part.name}-s{i % 5}" for i in range(len(part.ids))]
    given = []
    monkeypatch.setattr(verification, "pooled_error_rate", lambda *of: given.append(of) or {})
    set_scores(parts)
    ((models, units),) = given
    for number, trials in enumerate(models):
        sides = [units.index[places] for places in (trials.first, trials.second)]
        assert ((sides[0] == sides[1]) == trials.same).all()
        assert np.unique(sides).tolist() == [5 * number + i for i in range(5)]
    # Of fewer than ten speakers the utterances are drawn, each with both models' answers.
    set_scores([parts[0], dataclasses.replace(parts[0], name="other")], shared=True)
    assert given[1][1].index.tolist() == [*range(30), *range(30)]


def test_what_a_set_shares_with_training_is_told() -> None:
    shared = {"utterances": 3, "lacking": {"A": 2}}
    scores = set_scores([predicted(against_training=shared)])
    assert scores["against_training"] == shared
    assert "against_training" not in set_scores([predicted()])
