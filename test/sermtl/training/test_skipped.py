import pytest
from espnet2.train.reporter import SubReporter

from sermtl.training.skipped import Skipped

NONE_TAKEN = None


def watched(norms, accum_grad=1):
    """An epoch whose batches end with these norms, which ESPnet reports of steps that it takes."""
    reporter = SubReporter("train", 1, 0)
    skipped = Skipped(reporter, accum_grad)
    batches = [([f"u{i}a", f"u{i}b"], {}) for i in range(len(norms))]
    for number, batch in enumerate(skipped.watch(batches)):
        reporter.register({"loss": 1.0, "ctc_skipped": float(len(batch[0]))}, 1)
        if norms[number] is not NONE_TAKEN:
            reporter.register({"grad_norm": norms[number]})
        reporter.next()
    return skipped.counts()


@pytest.mark.parametrize(
    ("norms", "accum_grad", "steps", "named"),
    [
        ([1.0, 2.0], 1, 0, []),
        ([NONE_TAKEN, 2.0], 1, 1, ["u0a u0b"]),
        ([1.0, NONE_TAKEN, 2.0, NONE_TAKEN, 3.0], 1, 2, ["u1a u1b", "u3a u3b"]),
        ([NONE_TAKEN, 1.0, NONE_TAKEN, NONE_TAKEN, NONE_TAKEN], 2, 1, ["u2a u2b u3a u3b"]),
    ],
)
def test_steps_without_a_norm_are_counted_and_named(caplog, norms, accum_grad, steps, named):
    counts = watched(norms, accum_grad)
    assert counts["skipped_steps"] == steps
    assert [r.getMessage().partition("utterances: ")[2] for r in caplog.records] == named


def test_utterances_that_ctc_left_out_are_added_up():
    assert watched([1.0, 2.0, 3.0])["ctc_skipped"] == 6
