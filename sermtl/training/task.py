"""The ESPnet task: arguments, data, model and optimiser of multi-task SER."""

from __future__ import annotations

import argparse
import inspect
import logging
import multiprocessing
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from espnet2.iterators.sequence_iter_factory import SequenceIterFactory
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import float_or_none, str2bool, str_or_none
from torch.utils.data import DataLoader

from sermtl.compat import AbsTask, IteratorOptions, abs_task, optim_classes, scheduler_classes
from sermtl.data import SAMPLE_RATE, WINDOW
from sermtl.data.augmentation import Augmentation
from sermtl.data.batch_sampler import LengthBucketSampler, RankSampler
from sermtl.data.datadir import read_column
from sermtl.data.dataset import Utterances
from sermtl.data.preprocessor import SERPreprocessor, collate, finish
from sermtl.data.statistics import inventories
from sermtl.data.tasks import LABEL_FILES
from sermtl.data.tokens import Tokenizer
from sermtl.data.training_data import read_label_statistics
from sermtl.errors import UserError
from sermtl.jobs import device
from sermtl.model.build import build_model
from sermtl.model.distributed import world_size
from sermtl.model.ser_model import SERModel
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.options import options_of
from sermtl.training import processes
from sermtl.training.initial import initialise
from sermtl.training.log import PREFIX
from sermtl.training.schedule import WarmupCosine
from sermtl.training.trainer import SERTrainer

scheduler_classes["warmupcosine"] = WarmupCosine  # beside ESPnet's own
abs_task.load_pretrained_model = initialise  # in place of ESPnet's own

DATA_NAMES = ("speech", *LABEL_FILES)


class Batches:
    """An epoch's batches, finished on the device as they are taken."""

    def __init__(self, loader: DataLoader, device: str) -> None:
        self.loader, self.device = loader, device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[list[str], dict[str, torch.Tensor]]]:
        batches = iter(self.loader)
        while True:
            try:
                ids, batch = next(batches)
            except StopIteration:
                return
            except UserError as error:  # a worker's comes with its traceback, the error itself last
                raise UserError(str(error).splitlines()[-1].split("UserError: ")[-1]) from error
            yield ids, finish(batch, self.device)


class EpochIterFactory(SequenceIterFactory):
    """Tells the preprocessor which epoch it is, so that augmentation differs between epochs.

    Args:
        samples: length of each utterance, by id.
        options: of ESPnet's factory.
    """

    def __init__(self, samples: Mapping[str, int], **options: Any) -> None:
        super().__init__(**options)
        self.samples = samples

    def check_lengths(self, frontend: SSLFrontend) -> None:
        """As `SSLFrontend.check_lengths`, at every speed of the augmentation."""
        augmentation = self.dataset.preprocess.augmentation
        for speed in augmentation.speeds if augmentation else (1.0,):
            frontend.check_lengths(self.samples, speed)

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> Batches:
        self.dataset.preprocess.epoch = epoch
        loader = super().build_iter(epoch, shuffle)
        return Batches(loader, "cuda" if self.pin_memory else "cpu")


class SERTask(AbsTask):
    """Speech emotion recognition with gender, speaker and ASR beside it."""

    num_optimizers = 1
    class_choices_list: ClassVar[list] = []
    trainer = SERTrainer

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Arguments of the task, and defaults of ESPnet's that suit it."""
        group = parser.add_argument_group("Multi-task SER")
        group.add_argument(
            "--labels", type=str, help="labels.json of stage 4 (a mapping in saved configurations)"
        )
        group.add_argument(
            "--token_dir", type=str_or_none, help="tokenizer of stage 3; none if there is no text"
        )
        group.add_argument(
            "--frontend_conf", action=NestedDictAction, default={}, help="options of SSLFrontend"
        )
        group.add_argument(
            "--model_conf", action=NestedDictAction, default={}, help="options of SERModel"
        )
        group.add_argument(
            "--augment_conf",
            action=NestedDictAction,
            default={},
            help="options of the waveform augmentation in training",
        )
        group.add_argument(
            "--cache_hidden_states",
            type=str2bool,
            default=False,
            help="compute a frozen encoder's hidden states once, before training",
        )
        group.add_argument(
            "--encoder_lr",
            type=float_or_none,
            help="learning rate of the encoder; optim_conf's is then the rate of all the rest",
        )
        group.add_argument(
            "--max_batch_seconds",
            type=float_or_none,
            help="padded seconds of one process's share of a batch, so that long clips fit",
        )
        group.add_argument(
            "--max_clip_seconds",
            type=float,
            default=WINDOW,
            help="of longer clips another stretch in every epoch, and in validation the middle",
        )
        group.add_argument(
            "--pair_classes",
            type=str2bool,
            default=False,
            help="compose batches of same-class pairs, which give SWFC its positives",
        )
        group.add_argument(
            "--dist_timeout",
            type=int,
            default=600,
            help="seconds that a process waits for another one, which may be saving a checkpoint",
        )
        parser.set_defaults(
            iterator_type="task",
            optim="adam",
            num_att_plot=0,  # only rank 0 would plot, and wait there for the others for ever
            best_model_criterion=[("valid", "macro_f1", "max")],
            early_stopping_criterion=("valid", "macro_f1", "max"),
            val_scheduler_criterion=("valid", "loss"),
            keep_nbest_models=[5],
            cudnn_deterministic=False,
            use_matplotlib=False,
        )

    @classmethod
    def main(cls, args: argparse.Namespace | None = None, cmd: Sequence[str] | None = None) -> None:
        """As ESPnet's, which starts a process for each of several GPUs."""
        parser = cls.get_parser()
        args = args or parser.parse_args(cmd)
        for action in parser._actions:  # a configuration's numbers pass the parser as they are
            value = getattr(args, action.dest, None)
            numbers = value if isinstance(value, list) else [value]
            if action.type is int and not all(n is None or type(n) is int for n in numbers):
                raise UserError(f"{action.dest}: {value!r} is no whole number")
        if args.dist_timeout < 1:
            raise UserError(f"dist_timeout: {args.dist_timeout}, but one second is the least")
        with processes.supervised(args):
            super().main(args)

    @classmethod
    def main_worker(cls, args: argparse.Namespace) -> None:
        """As ESPnet's; one of several processes doesn't outlive the others."""
        if args.cudnn_deterministic:  # ESPnet's option is about cuDNN's kernels only
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        if not args.distributed:
            super().main_worker(args)
            return
        # ESPnet spawns a process for each GPU, whose data loaders would then spawn theirs: seconds
        # of imports in every epoch. A single process's data loaders fork.
        multiprocessing.set_start_method("fork", force=True)
        try:
            processes.limit_waiting(args.dist_timeout)
            super().main_worker(args)
        except Exception as error:
            processes.fail(error, args.dist_timeout)

    @classmethod
    def build_collate_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> Callable[[Collection], tuple[list[str], dict[str, Any]]]:
        """Padding."""
        return collate

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool) -> SERPreprocessor:
        """Labels to class numbers, text to tokens; augmentation in training."""
        labels = _labels(args)
        augmentation = None
        if train and args.augment_conf:
            with options_of("augment_conf", Augmentation, args.augment_conf):
                augmentation = Augmentation(**args.augment_conf)
        return SERPreprocessor(
            inventories(labels),
            Tokenizer.load(args.token_dir) if args.token_dir else None,
            augmentation,
            args.seed,
            longest=_longest(args),
            anywhere=train,
        )

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """The files of a data dir; unknown labels are in them as ``<unk>``."""
        return ("speech",) if inference else DATA_NAMES

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """None."""
        return ()

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> SERModel:
        """Build the model, and make ``args`` enough to build it again elsewhere."""
        if args.max_epoch < 1:
            raise UserError(f"max_epoch: {args.max_epoch}, but one epoch is the least")
        device(args.ngpu)  # says if there is none
        args.labels = _labels(args)
        args.token_list = Tokenizer.load(args.token_dir).token_list if args.token_dir else []
        model = build_model(vars(args))
        for task, count in args.labels["tasks"].items():
            if task in args.model_conf["tasks"] and not count:
                logging.warning(f"no training utterance has a label for {task}: it is off")
        args.frontend_conf = {**args.frontend_conf, "model": model.frontend.describe()}
        return model

    @classmethod
    def build_optimizers(
        cls, args: argparse.Namespace, model: torch.nn.Module
    ) -> list[torch.optim.Optimizer]:
        """One optimiser with two groups, encoder and heads, each with its learning rate."""
        encoder = [p for p in model.frontend.parameters() if p.requires_grad]
        inside = {id(p) for p in model.frontend.parameters()}
        heads = [p for p in model.parameters() if p.requires_grad and id(p) not in inside]
        groups: list[dict[str, Any]] = [{"params": heads}]
        if encoder:
            group: dict[str, Any] = {"params": encoder}
            if args.encoder_lr is not None:
                group["lr"] = args.encoder_lr
            groups.append(group)
        optimizer, options = optim_classes[args.optim], dict(args.optim_conf)
        if "fused" in inspect.signature(optimizer).parameters:
            options.setdefault("fused", True)  # one pass over parameters instead of ten
        with options_of("optim_conf", optimizer, options):
            return [optimizer(groups, **options)]

    @classmethod
    def build_task_iter_factory(
        cls, args: argparse.Namespace, iter_options: IteratorOptions, mode: str
    ) -> EpochIterFactory:
        """Length-bucketed batches, dealt to the ranks.

        In training every rank takes its rows of each global batch; in validation whole batches
        are dealt, since nothing there is shared between ranks.
        """
        ranks = world_size() if iter_options.distributed else 1
        rank = torch.distributed.get_rank() if ranks > 1 else 0
        if args.max_cache_size:
            raise UserError("max_cache_size would keep each utterance as it was augmented first")
        shapes = read_column(iter_options.shape_files[0])
        longest = _longest(args)
        samples = {utt_id: min(int(shape), longest) for utt_id, shape in shapes.items()}
        if long := sum(int(shape) > longest for shape in shapes.values()):
            part = "another stretch in every epoch" if iter_options.train else "the middle"
            logging.info(
                f"{PREFIX} {long} of {len(shapes)} {mode} clips are longer than max_clip_seconds "
                f"({args.max_clip_seconds:g}): of each {part}, without its transcript"
            )
        classes = None
        if args.pair_classes and iter_options.train:
            classes = read_column(_path_of("emotion", iter_options))
        try:
            batches = LengthBucketSampler(
                {utt_id: n / SAMPLE_RATE for utt_id, n in samples.items()},
                iter_options.batch_size,
                args.max_batch_seconds,
                ranks if iter_options.train else 1,
                classes,
                shuffle=iter_options.train,
            )
        except ValueError as error:
            raise UserError(str(error)) from error
        sampler = RankSampler(batches, rank, ranks, deal_rows=iter_options.train)
        return EpochIterFactory(
            samples,
            dataset=Utterances(cls.build_dataset(args, iter_options)),
            batches=sampler,
            seed=args.seed,
            num_iters_per_epoch=iter_options.num_iters_per_epoch,
            num_workers=args.num_workers,
            collate_fn=iter_options.collate_fn,
            pin_memory=args.ngpu > 0,
        )


def _longest(args: argparse.Namespace) -> int:
    """Samples that are taken of a clip."""
    if not args.max_clip_seconds >= 1:
        raise UserError(f"max_clip_seconds: {args.max_clip_seconds:g}, but a second is the least")
    return round(args.max_clip_seconds * SAMPLE_RATE)


def _labels(args: argparse.Namespace) -> dict[str, Any]:
    if isinstance(args.labels, str):
        return read_label_statistics(Path(args.labels))
    return args.labels


def _path_of(name: str, iter_options: IteratorOptions) -> str:
    return next(p for p, n, _ in iter_options.data_path_and_name_and_type if n == name)
