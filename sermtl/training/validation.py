"""Metrics over the whole validation set; averages over batches would be other numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import jiwer
import numpy as np
import torch
from espnet2.torch_utils.device_funcs import to_device
from torch import Tensor, distributed

from sermtl.data.labels import NO_CLASS
from sermtl.data.tasks import CLASS_FILES
from sermtl.errors import UserError
from sermtl.model.ctc import greedy_tokens
from sermtl.model.ser_model import SERModel
from sermtl.scoring.metrics import confusion_matrix, emotion_scores


@dataclass
class Row:
    """What one validation utterance contributes."""

    losses: dict[str, float] = field(default_factory=dict)  # counted tasks only
    answers: dict[str, tuple[int, int]] = field(default_factory=dict)  # task: (label, prediction)
    tokens: tuple[list[int], list[int]] | None = None  # reference and hypothesis
    finite: bool = True  # whether the model's numbers are


@torch.no_grad()
def collect(
    model: SERModel, batches: Iterable[tuple[list[str], dict[str, Tensor]]], device: str
) -> dict[str, Row]:
    """Run the model over batches; rows by utterance id."""
    model.eval()
    rows: dict[str, Row] = {}
    for ids, batch in batches:
        batch = to_device(batch, device)
        outputs = model.outputs(batch["speech"], batch["speech_lengths"])
        labels = {task: batch[task] for task in CLASS_FILES}
        labels["asr"] = batch["text"]
        losses = model.task_losses(outputs, labels, batch["text_lengths"])
        answers = {
            task: torch.stack([labels[task], logits.argmax(-1)], 1).tolist()
            for task, logits in outputs.logits.items()
            if task != "asr"
        }
        hypotheses = (
            greedy_tokens(outputs.logits["asr"], outputs.lengths) if "asr" in losses else None
        )
        counted = {task: (loss.tolist(), mask.tolist()) for task, (loss, mask) in losses.items()}
        text_lengths = batch["text_lengths"].tolist()
        finite = outputs.finite().tolist()
        for i, utt_id in enumerate(ids):
            row = rows[utt_id] = Row(finite=finite[i])
            row.losses = {task: loss[i] for task, (loss, mask) in counted.items() if mask[i]}
            for task, pairs in answers.items():
                if pairs[i][0] != NO_CLASS:
                    row.answers[task] = (pairs[i][0], pairs[i][1])
            if hypotheses is not None and text_lengths[i]:
                reference = batch["text"][i, : text_lengths[i]].tolist()
                row.tokens = (reference, hypotheses[i])
    return rows


def gather(rows: dict[str, Row]) -> dict[str, Row]:
    """Every rank's rows, each utterance once, the same on all ranks."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return rows
    parts: list[dict[str, Row]] = [{} for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(parts, rows)
    return {utt_id: row for part in parts for utt_id, row in part.items()}


def metrics(model: SERModel, rows: dict[str, Row]) -> dict[str, float]:
    """Losses (equation 1 without SWFC, which depends on the batch) and scores of a whole set.

    Returns:
        ``loss``, ``loss_<task>``, ``macro_f1``, ``micro_f1``, ``uar``, ``f1_<class>``,
        ``acc_gender``, ``acc_speaker`` and ``token_error_rate``, as far as there are labels.

    Raises:
        UserError: if the model's numbers for an utterance are none; the largest of them would name
            a class all the same.
    """
    if odd := sorted(utt_id for utt_id, row in rows.items() if not row.finite):
        raise UserError(
            f"the model's numbers for {len(odd)} of {len(rows)} validation utterances, {odd[0]} "
            "for one, are infinite or undefined: try a lower learning rate or float32. This epoch "
            "was not saved."
        )
    ordered = [rows[utt_id] for utt_id in sorted(rows)]
    result: dict[str, float] = {"loss": 0.0}
    for task, weight in model.loss_weights.items():
        values = [row.losses[task] for row in ordered if task in row.losses]
        if values:
            result[f"loss_{task}"] = float(np.mean(values))
            result["loss"] += weight * result[f"loss_{task}"]
    for task in CLASS_FILES:
        pairs = np.array([row.answers[task] for row in ordered if task in row.answers])
        if not len(pairs):
            continue
        if task == "emotion":
            confusion = confusion_matrix(pairs[:, 0], pairs[:, 1], len(model.emotions))
            scores = emotion_scores(confusion, model.emotions)
            result |= {name: scores[name] for name in ("macro_f1", "micro_f1", "uar")}
            for label, values in scores["per_class"].items():
                if values["support"]:
                    result[f"f1_{label}"] = values["f1"]
        else:
            result[f"acc_{task}"] = float((pairs[:, 0] == pairs[:, 1]).mean())
    spoken = [row.tokens for row in ordered if row.tokens is not None]
    if spoken:
        references, hypotheses = (
            [" ".join(map(str, tokens)) for tokens in side] for side in zip(*spoken, strict=True)
        )
        result["token_error_rate"] = float(jiwer.wer(references, hypotheses))
    return result
