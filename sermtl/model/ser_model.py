"""The multi-task model: encoder, mixing, pooling, branches, co-attention and their joint loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch import Tensor, nn
from typeguard import typechecked

from sermtl.data.labels import NO_CLASS
from sermtl.data.tasks import AUXILIARY, CLASS_FILES
from sermtl.model.branches import ASRBranch, UtteranceBranch
from sermtl.model.co_attention import CoAttention
from sermtl.model.distributed import sum_over_ranks, world_size
from sermtl.model.finite import finite_rows, name_odd
from sermtl.model.layer_mixing import LayerMixing
from sermtl.model.pooling import AttentiveStatisticsPooling
from sermtl.model.precision import precision
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.model.swfc import SWFCLoss

AUXILIARY_TASKS = (*AUXILIARY, "asr")
BLANK = 0


@dataclass(frozen=True)
class Outputs:
    """What the network says about a batch; tasks that are off are missing or ``None``."""

    pooled: Tensor  # (B, 2D)
    logits: dict[str, Tensor]  # asr: (B, T, tokens); others: (B, classes)
    lengths: Tensor  # (B,) frames
    speaker_embedding: Tensor | None  # (B, H), the speaker branch's first layer
    task_weights: Tensor | None  # (B, M), the heads' mean of ω, in the order of `SERModel.tasks`

    def finite(self) -> Tensor:
        """``(B,)``, whether the network's numbers for an utterance are numbers."""
        return finite_rows(self.pooled, *self.logits.values())


class SERModel(AbsESPnetModel):
    """Emotion recognition with gender, speaker and ASR beside it (paper, section 2).

    Args:
        frontend: the SSL encoder.
        classes: of emotion and of the auxiliary tasks, in the order of the outputs.
        emotion_counts: training utterances of each emotion.
        tokens: of ASR.
        tasks: the active auxiliary tasks, of ``gender``, ``speaker`` and ``asr``.
        alpha: α of equation (1), each auxiliary task's share.
        beta: β of equation (1); 0 switches SWFC off.
        hidden_size: H, the width of the branches.
        dropout: in every branch's first layer.
        pooled_dropout: on the normalised pooled vector, before the branches.
        standardize_pooled: let training begin with a pooled vector whose components have zero mean
            and unit variance over (the first batches of) the training set; see
            `sermtl.training.standardize`.
        layer_mixing: ``learnable``, ``last`` or ``concat``, see `LayerMixing`.
        layer_norm: normalise each hidden state before mixing.
        attention_size: width of the pooling's scoring layer.
        co_attention: fuse the auxiliary branches into the emotion branch.
        num_heads: heads of the co-attention.
        swfc: options of `SWFCLoss`.
        class_weighting: ``none`` (the paper), or ``balanced``: N/(C·n_c) on the emotion loss.
        label_smoothing: of the emotion loss.
        dtype: ``float32``, or ``bfloat16`` for autocast; losses and statistics stay in fp32.
        extract_feats_in_collect_stats: read by ESPnet; there are no features to collect.
    """

    emotion_weights: Tensor

    @typechecked
    def __init__(
        self,
        frontend: SSLFrontend,
        classes: Mapping[str, Sequence[str]],
        emotion_counts: Sequence[int],
        tokens: Sequence[str] = (),
        tasks: Sequence[str] = AUXILIARY_TASKS,
        alpha: float = 0.1,
        beta: float = 0.1,
        hidden_size: int = 256,
        dropout: float = 0.1,
        pooled_dropout: float = 0.0,
        standardize_pooled: bool = False,
        layer_mixing: str = "learnable",
        layer_norm: bool = False,
        attention_size: int = 128,
        co_attention: bool = True,
        num_heads: int = 4,
        swfc: dict[str, Any] | None = None,
        class_weighting: str = "none",
        label_smoothing: float = 0.0,
        dtype: str = "float32",
        extract_feats_in_collect_stats: bool = False,
    ) -> None:
        super().__init__()
        if unknown := set(tasks) - set(AUXILIARY_TASKS):
            raise ValueError(f"tasks must be of {', '.join(AUXILIARY_TASKS)}, not {unknown}")
        if not 0 <= alpha * len(tasks) < 1:
            raise ValueError(f"{len(tasks)} tasks of weight alpha={alpha} leave none for emotion")
        if class_weighting not in ("none", "balanced"):
            raise ValueError(f"class_weighting must be none or balanced, not {class_weighting!r}")
        self.classes = {task: list(classes.get(task, ())) for task in CLASS_FILES}
        self.emotions, self.tokens = self.classes["emotion"], list(tokens)
        self.tasks = [task for task in AUXILIARY_TASKS if task in tasks]
        self.loss_weights = {"emotion": 1 - alpha * len(self.tasks)}
        self.loss_weights |= dict.fromkeys(self.tasks, alpha)
        self.label_smoothing = label_smoothing
        self.standardize_pooled = standardize_pooled
        self.dtype = precision(dtype)
        self.extract_feats_in_collect_stats = extract_feats_in_collect_stats

        self.frontend = frontend
        self.layer_mixing = LayerMixing(
            frontend.num_states, frontend.output_size(), layer_mixing, layer_norm
        )
        width = self.layer_mixing.output_size()
        self.pooling = AttentiveStatisticsPooling(width, attention_size)
        self.pooled_norm = nn.LayerNorm(2 * width)
        self.pooled_dropout = nn.Dropout(pooled_dropout)
        self.branches = nn.ModuleDict(
            {
                task: UtteranceBranch(2 * width, hidden_size, len(labels), dropout)
                for task, labels in self.classes.items()
                if task == "emotion" or task in self.tasks
            }
        )
        if "asr" in self.tasks:
            self.branches["asr"] = ASRBranch(width, hidden_size, len(self.tokens), dropout)
        self.co_attention = (
            CoAttention(hidden_size, self.tasks, ["asr"], num_heads)
            if co_attention and self.tasks
            else None
        )
        self.swfc = None
        if beta:
            self.loss_weights["swfc"] = beta
            self.swfc = SWFCLoss(emotion_counts, feature_size=2 * width, **(swfc or {}))
        # On the CPU also where weights are built without memory: no checkpoint brings these.
        counts = torch.tensor(emotion_counts, dtype=torch.float, device="cpu")
        weights = counts.sum() / (len(counts) * counts.clamp_min(1))
        if class_weighting == "none":
            weights = torch.ones_like(counts)
        self.register_buffer("emotion_weights", weights, persistent=False)

    def outputs(self, speech: Tensor, speech_lengths: Tensor) -> Outputs:
        """Run the network.

        Args:
            speech: ``(B, N)`` samples at 16 kHz, zero padded; or a frozen encoder's hidden states
                ``(B, T, L+1, D)``, computed before.
            speech_lengths: ``(B,)`` samples, or frames.
        """
        with torch.autocast(speech.device.type, self.dtype, self.dtype != torch.float32):
            if speech.dim() == 4:
                hidden_states, lengths = speech.permute(2, 0, 1, 3), speech_lengths
            else:
                hidden_states, lengths = self.frontend.encode(speech, speech_lengths)
            feats = self.layer_mixing(hidden_states)  # (B, T, D)
            pooled = self.pooling(feats, lengths)
            normed = self.pooled_dropout(self.pooled_norm(pooled))
            first = {
                task: branch.features(feats)
                if isinstance(branch, ASRBranch)
                else branch.first(normed)
                for task, branch in self.branches.items()
            }
            task_weights = None
            fused = dict(first)
            if self.co_attention is not None:
                fused["emotion"], weights = self.co_attention(first["emotion"], first, lengths)
                task_weights = weights.mean(1)
            logits = {
                task: branch.classifier(fused[task]).float()
                for task, branch in self.branches.items()
            }
        return Outputs(pooled, logits, lengths, first.get("speaker"), task_weights)

    def task_losses(
        self, outputs: Outputs, labels: dict[str, Tensor], text_lengths: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Each classification or CTC task's loss per utterance and which utterances count.

        Args:
            labels: each task's ``(B,)`` with -1 where unknown, ``asr (B, U)``.
            text_lengths: ``(B,)`` tokens; 0 where the transcript is unknown.

        Returns:
            Per task ``(losses (B,), counted (B,))``; a loss that doesn't count is 0.
        """
        losses = {}
        for task, logits in outputs.logits.items():
            if task == "asr":
                losses[task] = self._ctc(logits, outputs.lengths, labels["asr"], text_lengths)
                continue
            emotion = task == "emotion"
            loss = F.cross_entropy(
                logits,
                labels[task],
                ignore_index=NO_CLASS,
                reduction="none",
                label_smoothing=self.label_smoothing if emotion else 0.0,
            )
            if emotion:
                # As `weight=`, torch would also weigh the classes that smoothing spreads over:
                # rare ones would be what every utterance is taught.
                loss = loss * self.emotion_weights[labels[task].clamp_min(0)]
            losses[task] = loss, labels[task] != NO_CLASS
        return losses

    @typechecked
    def forward(
        self,
        speech: Tensor,
        speech_lengths: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        utt_id: list[str] | None = None,
        **labels: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The loss of equation (1) over the global batch, as ESPnet wants it.

        ESPnet and DistributedDataParallel together turn rank r's ``loss_r`` and ``weight`` 1 into
        the gradient of ``Σ_r loss_r / R``. So a rank returns ``Σ_k λ_k · R · S_kr / N_k``, with
        its summed loss ``S_kr`` of task k and the labelled utterances ``N_k`` of all ranks: every
        utterance weighs the same wherever it is. Statistics are scaled alike.

        Returns:
            ``loss ()``; ``stats``, ``(1,)`` each, NaN for a task without a label in the global
            batch; ``weight (1,)``.
        """
        outputs = self.outputs(speech, speech_lengths)
        if utt_id is not None:
            name_odd(utt_id, outputs.finite())
        emotion = labels["emotion"]
        losses = self.task_losses(outputs, labels | {"asr": text}, text_lengths)
        sums = {task: loss.sum() for task, (loss, _) in losses.items()}
        counts = {task: counted.sum() for task, (_, counted) in losses.items()}
        if self.swfc is not None:
            sums["swfc"], swfc_count = self.swfc.total(outputs.pooled, emotion)
            counts["swfc"] = emotion.new_tensor(swfc_count)

        local = torch.stack(list(counts.values())).float()
        totals = dict(zip(counts, sum_over_ranks(local) if self.training else local, strict=True))
        ranks = world_size() if self.training else 1
        loss = sum(
            self.loss_weights[task] * ranks * total / totals[task].clamp_min(1)
            for task, total in sums.items()
        )
        stats = {"loss": loss.detach().clone()}  # ESPnet divides the loss itself by accum_grad
        for task, total in sums.items():
            stats[f"loss_{task}"] = ranks * total.detach() / totals[task]
        for task, logits in outputs.logits.items():
            if task != "asr":
                correct = (logits.argmax(-1) == labels[task]).sum()
                stats[f"acc_{task}"] = ranks * correct / totals[task]
        if "asr" in losses:
            skipped = (text_lengths > 0).sum() - counts["asr"]
            stats["ctc_skipped"] = ranks * skipped.float()
        # One element each, not none: that is how ESPnet adds them up over the ranks.
        return loss, {k: v.reshape(1) for k, v in stats.items()}, loss.new_ones(1)

    def collect_feats(self, speech: Tensor, speech_lengths: Tensor, **_: Any) -> dict[str, Tensor]:
        """ESPnet's interface; the encoder reads the waveform, so that is what there is."""
        return {"feats": speech[..., None], "feats_lengths": speech_lengths}

    def _ctc(
        self, logits: Tensor, lengths: Tensor, text: Tensor, text_lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """CTC loss per utterance over its target length, and which utterances have one.

        A transcript needs a frame for each token and one between two equal neighbours; with fewer
        no path exists.
        """
        tokens = torch.arange(text.shape[1], device=text.device)
        repeats = (text[:, 1:] == text[:, :-1]) & (tokens[1:] < text_lengths[:, None])
        counted = (text_lengths > 0) & (text_lengths + repeats.sum(1) <= lengths)
        # On a GPU, sums of CTC's gradient depend on the order in which threads come.
        there = "cpu" if torch.are_deterministic_algorithms_enabled() else text.device
        loss = F.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1).to(there),
            text.clamp_min(0).to(there),
            lengths,
            text_lengths,
            blank=BLANK,
            reduction="none",
            zero_infinity=True,
        ).to(text.device)
        return torch.where(counted, loss / text_lengths.clamp_min(1), 0.0), counted
