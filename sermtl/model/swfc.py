"""The Sample-Weighted Focal Contrastive loss (section 2.4, equation 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typeguard import typechecked

from sermtl.data.labels import NO_CLASS
from sermtl.model.distributed import gather_rows
from sermtl.model.finite import finite_rows


class SWFCLoss(nn.Module):
    """SWFC over L2-normalised features, ``p_ij = exp(s_ij/τ) / Σ_{k≠i} exp(s_ik/τ)``.

    ``focal`` is the loss of MultiEMO (the paper's reference [15])::

        −(1/N) Σ_i w_{y_i} · mean_{j∈P(i)} (1 − p_ij)^γ log p_ij

    with P(i) the other samples of i's class; an anchor without any counts 0 but stays in N.
    ``printed`` is equation (2) to the letter, ``−(1/N) Σ_i w_i Σ_{j≠i} p_ij (1 − p_ij)^γ``. It
    has neither positives nor a logarithm: it can't tell right clusters from wrong ones and is
    best when all features collapse. It is kept for the record, not for use.

    Class weights are ``w_c = (N_total/n_c)^δ``, scaled to mean 1 over the classes that occur; a
    class that doesn't occur has weight 0. Utterances labelled ``-1`` take no part.

    Args:
        class_counts: training utterances of each class.
        gamma: focusing parameter γ.
        tau: temperature τ.
        delta: exponent δ of the class weights; 0 weighs all classes alike.
        variant: ``focal`` or ``printed``.
        queue_size: past features (detached) that join positives and negatives in training; under
            long-tailed labels a small batch rarely holds two of a rare class.
        feature_size: D; needed with a queue, which is part of the checkpoint.
    """

    queue_feats: Tensor
    queue_labels: Tensor
    queue_next: Tensor
    class_weights: Tensor

    @typechecked
    def __init__(
        self,
        class_counts: Sequence[int],
        gamma: float = 2.0,
        tau: float = 0.1,
        delta: float = 0.5,
        variant: str = "focal",
        queue_size: int = 0,
        feature_size: int | None = None,
    ) -> None:
        super().__init__()
        if variant not in ("focal", "printed"):
            raise ValueError(f"variant must be focal or printed, not {variant!r}")
        if tau <= 0:
            raise ValueError(f"tau must be positive, not {tau}")
        if queue_size and feature_size is None:
            raise ValueError("a queue needs feature_size")
        self.gamma, self.tau, self.variant = gamma, tau, variant
        # On the CPU also where weights are built without memory: no checkpoint brings these.
        counts = torch.tensor(class_counts, device="cpu")
        weights = torch.where(counts > 0, (counts.sum() / counts.clamp_min(1)) ** delta, 0.0)
        occurring = (counts > 0).sum().clamp_min(1)
        weights = weights * occurring / weights.sum().clamp_min(torch.finfo(torch.float).tiny)
        self.register_buffer("class_weights", weights, persistent=False)
        self.register_buffer("queue_feats", torch.zeros(queue_size, feature_size or 0))
        self.register_buffer("queue_labels", torch.full((queue_size,), NO_CLASS))
        self.register_buffer("queue_next", torch.zeros((), dtype=torch.long))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """``features (B, D)``, ``labels (B,)``: the loss, a scalar."""
        total, count = self.total(features, labels)
        return total / max(count, 1)

    def total(self, features: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        """The sum over this process's labelled anchors, and their number.

        In training the other samples are the whole global batch and the queue; the sum over all
        ranks, divided by the count over all ranks, is the loss of the global batch.
        """
        features = F.normalize(features.float(), dim=-1)
        everyone, every_label = features, labels
        own = torch.arange(len(labels), device=labels.device)
        if self.training:
            everyone, every_label, own = gather_rows(features, labels)
        candidates, candidate_labels = everyone, every_label
        if self.training and len(self.queue_labels):
            # Copies: the queue moves on before the backward pass reads them.
            candidates = torch.cat([everyone, self.queue_feats.clone()])
            candidate_labels = torch.cat([every_label, self.queue_labels])
            self._enqueue(everyone.detach(), every_label)

        known = labels != NO_CLASS
        other = (candidate_labels != NO_CLASS) & (
            own[:, None] != torch.arange(len(candidate_labels), device=labels.device)
        )  # (B, K): the k ≠ i
        scores = features @ candidates.T / self.tau
        log_p = scores.masked_fill(~other, torch.finfo(scores.dtype).min / 2).log_softmax(1)
        p = log_p.exp()
        focus = (1 - p).clamp_min(1e-7) ** self.gamma
        if self.variant == "focal":
            positive = other & (labels[:, None] == candidate_labels)
            terms = torch.where(positive, focus * log_p, 0.0).sum(1)
            terms = terms / positive.sum(1).clamp_min(1)
        else:
            terms = torch.where(other, p * focus, 0.0).sum(1)
        weights = self.class_weights[labels.clamp_min(0)] * known
        return -(weights * terms).sum(), int(known.sum())

    def _enqueue(self, features: Tensor, labels: Tensor) -> None:
        """Overwrite the oldest entries with a batch's labelled features.

        An undefined one would spoil the steps of many batches.
        """
        known = (labels != NO_CLASS) & finite_rows(features)
        size = len(self.queue_labels)
        features, labels = features[known][-size:], labels[known][-size:]
        slots = (self.queue_next + torch.arange(len(labels), device=labels.device)) % size
        self.queue_feats[slots] = features
        self.queue_labels[slots] = labels
        self.queue_next.copy_((self.queue_next + len(labels)) % size)
