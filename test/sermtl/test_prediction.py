"""Answers about windows put together, and as plain values."""

import json

import numpy as np
import pytest

from sermtl.prediction import Answer, Prediction, Segment, Window, joined, windows_of

LABELS = {"emotion": ["A", "H", "N"], "gender": ["female", "male"], "speaker": ["s1"]}


def answer(emotion, gender, text, duration, embedding):
    return Answer(
        {
            "emotion": np.array(emotion, np.float32),
            "gender": np.array(gender, np.float32),
            "speaker": np.ones(1, np.float32),
        },
        np.array(embedding, np.float32),
        {"gender": gender[0], "asr": gender[1]},
        text,
        duration,
    )


ONE = answer([0.7, 0.2, 0.1], [0.6, 0.4], "kids are", 1.0, [1, 0])
OTHER = answer([0.1, 0.8, 0.1], [0.2, 0.8], "", 3.0, [0, 1])


def test_windows_count_by_their_length():
    p = joined([ONE, OTHER]).prediction(LABELS)
    assert p.emotion == "H"
    assert p.scores == pytest.approx({"A": 0.25, "H": 0.65, "N": 0.1})
    assert (p.gender, p.speaker) == ("male", "s1")
    assert p.gender_score == pytest.approx(0.7)
    assert p.task_weights == pytest.approx({"gender": 0.3, "asr": 0.7})
    np.testing.assert_allclose(p.speaker_embedding, [0.25, 0.75])
    assert p.transcript == "kids are"
    assert p.duration == 4.0


def test_tasks_that_the_model_lacks_stay_away():
    bare = Answer({"emotion": np.array([0.9, 0.1, 0.0], np.float32)}, None, None, None, 2.0)
    p = joined([bare, bare]).prediction(LABELS)
    assert p.emotion == "A"
    for value in (p.gender, p.speaker, p.speaker_embedding, p.task_weights, p.transcript):
        assert value is None


def prediction(emotion, duration):
    return Prediction(emotion, {emotion: 1.0}, duration=duration)


def test_the_timeline_joins_what_is_alike():
    parts = [prediction(e, d) for e, d in (("A", 2.0), ("A", 1.0), ("H", 2.5), ("A", 1.0))]
    whole = Prediction("A", {"A": 1.0}, duration=6.5, windows=tuple(windows_of(parts)))
    assert [(w.start, w.end) for w in whole.windows] == [(0, 2), (2, 3), (3, 5.5), (5.5, 6.5)]
    assert whole.timeline() == [Segment(0, 3, "A"), Segment(3, 5.5, "H"), Segment(5.5, 6.5, "A")]
    assert prediction("N", 1.5).timeline() == [Segment(0.0, 1.5, "N")]


def test_as_json():
    p = joined([ONE, OTHER]).prediction(LABELS, [Window(0, 1, ONE.prediction(LABELS))])
    values = json.loads(json.dumps(p.to_dict()))
    assert values["emotion"] == "H"
    assert values["speaker_embedding"] == [0.25, 0.75]
    assert values["windows"][0]["end"] == 1
    assert values["windows"][0]["transcript"] == "kids are"
