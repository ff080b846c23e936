"""Text to CTC tokens and back: SentencePiece or characters."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

import sentencepiece
from typeguard import typechecked

from sermtl.documents import read_json
from sermtl.errors import UserError
from sermtl.files import atomic_write

BLANK, UNKNOWN_TOKEN, SPACE = "<blank>", "<unk>", "▁"
SPECIAL = [BLANK, UNKNOWN_TOKEN]
AGAIN = "run stage 3 again (stage 5, if it is an experiment's copy)"


class Tokenizer:
    """Token 0 is CTC's blank and 1 stands for what training never saw.

    Args:
        token_list: the vocabulary, special tokens first.
        model: serialised SentencePiece model; ``None`` for characters.
    """

    @typechecked
    def __init__(self, token_list: Sequence[str], model: bytes | None = None) -> None:
        self.token_list = list(token_list)
        self.model = model
        self._ids = {token: i for i, token in enumerate(self.token_list)}
        self._pieces = None
        if model is not None:
            self._pieces = sentencepiece.SentencePieceProcessor(model_proto=model)

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int, token_type: str = "bpe") -> Tokenizer:
        """Learn a vocabulary.

        Args:
            texts: normalised transcripts.
            vocab_size: of BPE, the unknown included and the blank not; fewer where the texts don't
                hold as many.
            token_type: ``bpe`` or ``char``.

        Raises:
            UserError: for another type, a vocabulary smaller than the alphabet, or no text.
        """
        texts = list(texts)
        characters = sorted({c for text in texts for c in text.replace(" ", SPACE)})
        if not characters:
            raise UserError("there is no text to train tokens on")
        if token_type == "char":
            return cls([*SPECIAL, *dict.fromkeys([SPACE, *characters])])
        if token_type != "bpe":
            raise UserError(f"token_type must be bpe or char, not {token_type!r}")
        if vocab_size < len(characters) + len(SPECIAL) + 1:
            raise UserError(
                f"nbpe {vocab_size} is too small: the text has {len(characters)} characters"
            )
        writer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=writer,
            model_type="bpe",
            vocab_size=vocab_size,
            hard_vocab_limit=False,  # small corpora: as many as there are
            character_coverage=1.0,
            normalization_rule_name="identity",  # the text is normal already
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,  # the same result everywhere
            minloglevel=2,
        )
        model = writer.getvalue()
        return cls([*SPECIAL, *cls([], model)._learned()], model)

    def encode(self, text: str) -> list[int]:
        """Token ids of a normalised text."""
        if self._pieces is not None:
            tokens = self._pieces.encode(text, out_type=str)
        else:
            tokens = list(text.replace(" ", SPACE))
        unknown = self._ids[UNKNOWN_TOKEN]
        return [self._ids.get(token, unknown) for token in tokens]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids; blanks vanish."""
        tokens = [self.token_list[i] for i in ids if self.token_list[i] != BLANK]
        return " ".join("".join(tokens).replace(SPACE, " ").split())

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``tokens.txt``, ``tokenizer.json`` and, for BPE, ``bpe.model``."""
        folder = Path(folder)
        written = []
        if self.model is not None:
            with atomic_write(folder / "bpe.model", "wb") as stream:
                stream.write(self.model)
            written.append(folder / "bpe.model")
        with atomic_write(folder / "tokenizer.json") as stream:
            json.dump({"token_type": "char" if self.model is None else "bpe"}, stream)
        with atomic_write(folder / "tokens.txt") as stream:
            stream.writelines(f"{token}\n" for token in self.token_list)
        return [*written, folder / "tokenizer.json", folder / "tokens.txt"]

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """Read what `save` wrote.

        Raises:
            UserError: if a file is missing or damaged, or they don't belong together.
        """
        folder = Path(folder)
        settings = read_json(folder / "tokenizer.json", AGAIN)
        path, bpe = folder / "tokens.txt", settings == {"token_type": "bpe"}
        try:
            tokens = path.read_text(encoding="utf-8").splitlines()
            tokenizer = cls(tokens, (folder / "bpe.model").read_bytes() if bpe else None)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename} is missing: {AGAIN}") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not UTF-8: {AGAIN}") from error
        except RuntimeError as error:
            raise UserError(f"{folder / 'bpe.model'}: damaged: {AGAIN}") from error
        expected = [*SPECIAL, *(tokenizer._learned() if bpe else tokens[len(SPECIAL) :])]
        for line, (token, wanted) in enumerate(zip_longest(tokens, expected), 1):
            if token != wanted or tokens.index(token) < line - 1:
                raise UserError(
                    f"{path}:{line}: {token!r} is out of place, so this file or one beside it is "
                    f"damaged: {AGAIN}"
                )
        return tokenizer

    def _learned(self) -> list[str]:
        """SentencePiece's tokens but for its own of what it never saw."""
        return [self._pieces.id_to_piece(i) for i in range(1, self._pieces.get_piece_size())]
