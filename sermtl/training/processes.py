"""The processes of one training: when one of them fails, all end soon and the cause is told."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing import active_children
from typing import Any, NoReturn

from espnet2.train.distributed_utils import get_node_rank
from torch import distributed
from torch.distributed.distributed_c10d import _get_default_store
from torch.multiprocessing.spawn import ProcessExitedException

from sermtl.errors import UserError

PATIENCE = 5.0  # seconds in which those that noticed a failure tell each other

_init_process_group = distributed.init_process_group


def limit_waiting(seconds: int) -> None:
    """Let this process wait for others no longer than that, at the start and in each collective.

    ESPnet calls ``init_process_group`` without a time limit (torch's is half an hour on CPUs), out
    of our reach: so the function that it calls is replaced. It also switches on NCCL's blocking
    wait, so that on GPUs, too, a collective whose time is over raises in the main thread.
    """

    def meet(**options: Any) -> None:
        try:
            _init_process_group(**options, timeout=timedelta(seconds=seconds))
        except RuntimeError as error:
            raise UserError(
                "the processes of this training don't find together, for which they have "
                f"{seconds} s (--dist_timeout): {error}"
            ) from error
        _get_default_store().set(_key("place", distributed.get_rank()), _place())

    distributed.init_process_group = meet


def fail(error: Exception, seconds: int) -> NoReturn:
    """End this process, one of several, after a line about whose fault it is.

    At once, by which the others notice it: an ordinary exit waits for collectives under way.

    Args:
        error: what happened here: a failure of our own, or the loss of another process.
        seconds: the time limit, for the message.
    """
    if not isinstance(error, UserError):
        traceback.print_exception(error)
    sys.stderr.write(f"error: {_cause(error, seconds)}\n")
    sys.stderr.flush()
    for worker in active_children():  # the data loader's
        worker.kill()
    os._exit(1)


@contextmanager
def supervised(args: argparse.Namespace) -> Iterator[None]:
    """Where ESPnet starts a process for each GPU, tell how one of them died, and leave none.

    Args:
        args: of the training, as ESPnet completes them meanwhile.

    Raises:
        UserError: if one of them died, by whatever means.
    """
    before = set(active_children())
    try:
        yield
    except ProcessExitedException as error:
        rank = args.ngpu * get_node_rank(args.dist_rank, args.dist_launcher) + error.error_index
        name = f"rank {rank} of {args.dist_world_size} ({_place(error.error_pid)})"
        if error.signal_name:
            raise UserError(f"{name} was killed by {error.signal_name}") from error
        raise UserError(f"{name} ended with exit status {error.exit_code}") from error
    finally:
        for process in set(active_children()) - before:
            process.kill()


def _cause(error: Exception, seconds: int) -> str:
    """What the user is told; the other processes hear it, too."""
    message = str(error) if isinstance(error, UserError) else ""
    if not distributed.is_initialized():
        return message or _last_line(error)
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    if not message and not _is_loss(error):
        message = f"rank {rank} of {ranks} ({_place()}) failed: {_last_line(error)}"
    heard: dict[int, str] = {}
    places: dict[int, str] = {}
    # In a thread, since whoever keeps the store may hang.
    talk = threading.Thread(target=_talk, args=(message, heard, places), daemon=True)
    talk.start()
    talk.join(PATIENCE)
    heard = dict(heard)  # which the thread may still change
    if message := message or next(filter(None, heard.values()), ""):
        return message
    silent = [r for r in range(ranks) if r not in heard] if heard else [0]  # rank 0 keeps the store
    names = " and ".join(f"rank {r} of {ranks} ({places.get(r, 'place unknown')})" for r in silent)
    if "timed out" in str(error).lower():
        what = f"has not answered for {seconds} s (--dist_timeout)"
    else:
        what = "has died"
    return f"another process of this training {what}: {names or 'which one is unknown'}"


def _talk(message: str, heard: dict[int, str], places: dict[int, str]) -> None:
    """Leave a word for the other ranks; without one of our own, hear what each of them has."""
    store, rank, ranks = _get_default_store(), distributed.get_rank(), distributed.get_world_size()
    with suppress(RuntimeError):  # the store has gone
        store.set(_key("word", rank), message)
        if message:
            return
        for other in range(ranks):
            places[other] = store.get(_key("place", other)).decode()
        while len(heard) < ranks and not any(heard.values()):
            for other in set(range(ranks)) - set(heard):
                if store.check([_key("word", other)]):
                    heard[other] = store.get(_key("word", other)).decode()
            time.sleep(0.1)


def _is_loss(error: Exception) -> bool:
    """Whether the connection to another process broke, or timed out."""
    return isinstance(error, distributed.DistError) or "/gloo/" in str(error)


def _last_line(error: Exception) -> str:
    """Of an error in a data loader's process, which comes with its traceback, the error itself."""
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]


def _place(process: int | None = None) -> str:
    return f"{socket.gethostname()}, process {process or os.getpid()}"


def _key(kind: str, rank: int) -> str:
    return f"{kind} of rank {rank}"
