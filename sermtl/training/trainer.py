"""ESPnet's trainer with checkpoints that survive, corpus-level validation and a progress line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.schedulers.abs_scheduler import (
    AbsEpochStepScheduler,
    AbsScheduler,
    AbsValEpochStepScheduler,
)
from espnet2.torch_utils.set_all_random_seed import set_all_random_seed
from espnet2.train.distributed_utils import DistributedOption
from espnet2.train.reporter import Reporter, SubReporter
from espnet2.train.trainer import Trainer, TrainerOptions
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from sermtl.errors import UserError
from sermtl.files import atomic_write, exclusive, link
from sermtl.model.distributed import leave
from sermtl.model.finite import not_finite
from sermtl.model.ser_model import SERModel
from sermtl.training import FINAL_WEIGHTS, HISTORY, checkpoint, validation
from sermtl.training.progress import Progress
from sermtl.training.schedule import WarmupCosine
from sermtl.training.skipped import Skipped
from sermtl.training.standardize import standardize_pooled

UNSUPPORTED = {
    "use_amp": "for mixed precision give model_conf dtype: bfloat16",
    "sharded_ddp": "processes share batches through DistributedDataParallel only",
    "ddp_comm_hook": "gradients travel as they are",
    "use_adapter": "freeze parts of the encoder with frontend_conf freeze and freeze_layers",
    "nbest_averaging_interval": "the best epochs are averaged once, at the end",
}
"""ESPnet's options that would otherwise be ignored, and what to do instead."""

STANDARDIZE_BATCHES = 250  # enough for means and deviations, and minutes on any encoder


class SERTrainer(Trainer):
    """Trains as ESPnet does (`train_one_epoch` is ESPnet's own) and keeps what it learns safe."""

    @classmethod
    def run(
        cls,
        model: SERModel,
        optimizers: Sequence[Optimizer],
        schedulers: Sequence[AbsScheduler | None],
        train_iter_factory: AbsIterFactory,
        valid_iter_factory: AbsIterFactory,
        plot_attention_iter_factory: AbsIterFactory | None,
        trainer_options: TrainerOptions,
        distributed_option: DistributedOption,
    ) -> None:
        """Train from the last checkpoint, or from the start, to the last epoch.

        Raises:
            UserError: for options of ESPnet's that this trainer doesn't have, and if another
                training is running in the folder.
        """
        if refused := [name for name in UNSUPPORTED if getattr(trainer_options, name)]:
            raise UserError(f"{refused[0]} is not for this task: {UNSUPPORTED[refused[0]]}")
        rank = distributed_option.dist_rank or 0
        factories = train_iter_factory, valid_iter_factory
        for factory in factories:
            factory.check_lengths(model.frontend)
        folder = Path(trainer_options.output_dir)
        with exclusive(folder) if rank == 0 else nullcontext():
            cls._train(
                model, optimizers, schedulers, *factories, trainer_options, distributed_option
            )
        leave()

    @classmethod
    def _train(
        cls,
        model: SERModel,
        optimizers: Sequence[Optimizer],
        schedulers: Sequence[AbsScheduler | None],
        train_iter_factory: AbsIterFactory,
        valid_iter_factory: AbsIterFactory,
        options: TrainerOptions,
        distributed_option: DistributedOption,
    ) -> None:
        folder = Path(options.output_dir)
        device = "cuda" if options.ngpu > 0 else "cpu"
        rank = distributed_option.dist_rank or 0
        reporter = Reporter()
        checkpoints = checkpoint.Checkpoints(folder)
        if options.resume:
            place = f"cuda:{torch.cuda.current_device()}" if options.ngpu > 0 else "cpu"
            states = checkpoints.load(place)
            if states is not None:
                cls._restore(states, model, reporter, optimizers, schedulers)
        start_epoch = reporter.get_epoch() + 1
        if model.standardize_pooled and start_epoch == 1:
            batches = islice(train_iter_factory.build_iter(1), STANDARDIZE_BATCHES)
            standardize_pooled(model, batches, device)
        cls._check_weights(model)
        network = cls._distribute(model, options, distributed_option)
        writers = cls._writers(folder, options) if rank == 0 else None
        progress = Progress(start_epoch, options.max_epoch)

        for epoch in range(start_epoch, options.max_epoch + 1):
            if cls._stops_early(reporter, options):
                break
            # ESPnet seeds all ranks alike, which would give them the same dropout masks.
            set_all_random_seed(options.seed + epoch + 100_000 * rank)
            reporter.set_epoch(epoch)
            with reporter.observe("train") as train:
                batches = train_iter_factory.build_iter(epoch)
                steps = len(batches)
                cls._begin_epoch(optimizers, schedulers, epoch, steps, options)
                skipped = Skipped(train, options.accum_grad)
                invalid = cls.train_one_epoch(
                    model=network,
                    optimizers=optimizers,
                    schedulers=schedulers,
                    iterator=skipped.watch(progress.watch(batches, steps, epoch, train)),
                    reporter=train,
                    scaler=None,
                    summary_writer=writers["train"] if writers else None,
                    options=options,
                    distributed_option=distributed_option,
                )
            reporter.stats[epoch]["train"] |= skipped.counts()
            if invalid:
                raise UserError(
                    f"every step of epoch {epoch} had an infinite or undefined gradient: "
                    f"try a lower learning rate or float32. {_kept(epoch)}"
                )
            cls._check_weights(model, epoch)
            with reporter.observe("valid") as valid:
                cls.validate_one_epoch(
                    model, valid_iter_factory.build_iter(epoch), valid, options, distributed_option
                )
            cls._step(schedulers, reporter, options)
            if rank == 0:
                stats = checkpoint.reporter_state(reporter)["stats"]
                progress.epoch_done(epoch, stats[epoch]["train"], stats[epoch]["valid"])
                cls._save(checkpoints, model, optimizers, schedulers, reporter, options)
                cls._show(folder, reporter, stats, writers)
                if options.use_wandb:
                    reporter.wandb_log()
        if rank == 0:
            averages = [
                checkpoint.average_best(folder, reporter, criterion, _keep(options))
                for criterion in options.best_model_criterion
            ]
            link(folder / FINAL_WEIGHTS, averages[0].name)
            logging.info(f"training finished after {reporter.get_epoch()} epochs on {device}")

    @staticmethod
    def _restore(
        states: Mapping[str, Any],
        model: SERModel,
        reporter: Reporter,
        optimizers: Sequence[Optimizer],
        schedulers: Sequence[AbsScheduler | None],
    ) -> None:
        """Continue as if there had been no interruption."""
        model.load_state_dict(states["model"])
        checkpoint.restore_reporter(reporter, states["reporter"])
        for optimizer, state in zip(optimizers, states["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for scheduler, state in zip(schedulers, states["schedulers"], strict=True):
            if scheduler is not None:
                scheduler.load_state_dict(state)

    @classmethod
    @torch.no_grad()
    def validate_one_epoch(
        cls,
        model: torch.nn.Module,
        iterator: Iterable[tuple[list[str], dict[str, torch.Tensor]]],
        reporter: SubReporter,
        options: TrainerOptions,
        distributed_option: DistributedOption,
    ) -> None:
        """Metrics over the whole set, the same finite values on every rank.

        Each rank has its own batches and the forward pass has no collectives, so none is lost
        where ranks have unequal numbers of them; rows meet once, at the end.
        """
        rows = validation.collect(model, iterator, "cuda" if options.ngpu > 0 else "cpu")
        values = validation.metrics(model, validation.gather(rows))
        if "macro_f1" not in values:
            raise UserError("no validation utterance has an emotion label: nothing to select by")
        reporter.register(values)
        reporter.next()

    @staticmethod
    def _distribute(
        model: SERModel, options: TrainerOptions, distributed_option: DistributedOption
    ) -> torch.nn.Module:
        if not distributed_option.distributed:
            return model
        devices = [torch.cuda.current_device()] if options.ngpu > 0 else None
        return DistributedDataParallel(
            model,
            device_ids=devices,
            find_unused_parameters=options.unused_parameters,
            gradient_as_bucket_view=options.gradient_as_bucket_view,
        )

    @staticmethod
    def _writers(folder: Path, options: TrainerOptions) -> dict[str, Any] | None:
        if not options.use_tensorboard:
            return None
        from torch.utils.tensorboard import SummaryWriter

        return {
            phase: SummaryWriter(str(folder / "tensorboard" / phase))
            for phase in ("train", "valid")
        }

    @staticmethod
    def _stops_early(reporter: Reporter, options: TrainerOptions) -> bool:
        """Decided before an epoch, so that a resumed run stops where it had stopped."""
        return (
            options.patience is not None
            and reporter.get_epoch() > 0
            and reporter.check_early_stopping(options.patience, *options.early_stopping_criterion)
        )

    @staticmethod
    def _begin_epoch(
        optimizers: Sequence[Optimizer],
        schedulers: Sequence[AbsScheduler | None],
        epoch: int,
        steps: int,
        options: TrainerOptions,
    ) -> None:
        if steps < options.accum_grad:
            raise UserError(
                f"accum_grad {options.accum_grad}: an epoch has {steps} batches, too few for a step"
            )
        for optimizer in optimizers:
            # What an epoch's odd batches left, which a run that resumes here wouldn't have.
            optimizer.zero_grad()
        for scheduler in schedulers:
            if isinstance(scheduler, WarmupCosine):
                updates = steps // options.accum_grad  # ESPnet leaves an epoch's odd batches out
                scheduler.begin_epoch(epoch, options.max_epoch, updates)

    @staticmethod
    def _check_weights(model: SERModel, epoch: int | None = None) -> None:
        """Refuse weights that aren't numbers: before training, or before an epoch is saved."""
        if odd := not_finite(model.state_dict()):
            when = "before training: are the weights that it begins with sound?"
            if epoch is not None:
                when = f"after epoch {epoch}: try a lower learning rate. {_kept(epoch)}"
            raise UserError(
                f"{len(odd)} weights, {odd[0]} for one, are infinite or undefined {when}"
            )

    @staticmethod
    def _step(
        schedulers: Sequence[AbsScheduler | None], reporter: Reporter, options: TrainerOptions
    ) -> None:
        for scheduler in schedulers:
            if isinstance(scheduler, AbsValEpochStepScheduler):
                scheduler.step(reporter.get_value(*options.val_scheduler_criterion))
            elif isinstance(scheduler, AbsEpochStepScheduler):
                scheduler.step()

    @staticmethod
    def _save(
        checkpoints: checkpoint.Checkpoints,
        model: SERModel,
        optimizers: Sequence[Optimizer],
        schedulers: Sequence[AbsScheduler | None],
        reporter: Reporter,
        options: TrainerOptions,
    ) -> None:
        """Weights of the epoch, then the checkpoint that tells of it; then outlived ones go."""
        folder, epoch = checkpoints.folder, reporter.get_epoch()
        weights = model.state_dict()
        checkpoint.save(folder / f"{epoch}epoch.pth", weights)
        link(folder / "latest.pth", f"{epoch}epoch.pth")
        checkpoints.save(
            {
                "model": weights,
                "reporter": checkpoint.reporter_state(reporter),
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                "schedulers": [s.state_dict() if s is not None else None for s in schedulers],
            }
        )
        kept = {epoch}
        for phase, metric, mode in options.best_model_criterion:
            ranking = reporter.sort_epochs(phase, metric, mode)
            link(folder / f"{phase}.{metric}.best.pth", f"{ranking[0]}epoch.pth")
            kept.update(ranking[: max(_keep(options))])
            # A run that goes on from the spare checkpoint may not repeat this epoch to the bit.
            kept.update([e for e in ranking if e != epoch][: max(_keep(options))])
        for old in range(1, epoch):
            if old not in kept:
                (folder / f"{old}epoch.pth").unlink(missing_ok=True)

    @staticmethod
    def _show(
        folder: Path, reporter: Reporter, stats: dict[int, Any], writers: dict[str, Any] | None
    ) -> None:
        """The learning curves' figures as a file, and in TensorBoard."""
        history = [{"epoch": epoch, **phases} for epoch, phases in stats.items()]
        with atomic_write(folder / HISTORY) as stream:
            json.dump(history, stream, indent=1)
        logging.info(reporter.log_message())
        for phase, writer in (writers or {}).items():
            reporter.tensorboard_add_scalar(writer, key1=phase)


def _kept(epoch: int) -> str:
    """What an epoch that fails leaves."""
    return f"Epoch {epoch - 1} is still there." if epoch > 1 else "Nothing was saved."


def _keep(options: TrainerOptions) -> list[int]:
    keep = options.keep_nbest_models
    return [keep] if isinstance(keep, int) else list(keep)
