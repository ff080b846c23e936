"""The card of a packed model, as the Hugging Face hub shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sermtl import markdown
from sermtl.data.tasks import AUXILIARY
from sermtl.scoring.tables import FIGURES, per_class, percent

PICTURES = {"confusion": "Confusion matrix", "reliability": "Reliability diagram"}
TASKS = {**{task: task for task in AUXILIARY}, "asr": "words"}
USE = """\
It is meant for research: as a baseline, for studying speech, and for describing recordings whose
speakers agreed to that, in sum rather than one by one.

It is **not** meant for judging people: not in hiring, school, credit, policing, health or at
borders, and not for watching anyone who hasn't agreed to it. The European Union's AI Act
(Article 5) forbids inferring emotions at work and in education, except for health or safety."""
LIMITS = """\
- What it says is how annotators, or actors, would label the *sound* of a stretch of speech; not
  what the speaker feels. Listeners agree about emotion only moderately, and so do models.
- Scores hold for recordings like those it was tested on. Other languages, ages, cultures,
  microphones, acted instead of natural speech: each can cost much of them.
- Rare classes are recognised less well than the means suggest: see the figures by class. Its
  shares of classes are those of its training data.
- Probabilities may be too sure of themselves. Gender is what the corpus's labels say, of two
  kinds; voices don't tell a person's gender."""
CITATION = """```bibtex
@inproceedings{wang2025enhancing,
  title     = {Enhancing Speech Emotion Recognition with Multi-Task Learning and Dynamic Feature
               Fusion},
  author    = {Wang, Honghong and Deng, Jing and Meng, Fanqin and Zheng, Rong},
  booktitle = {Interspeech},
  year      = {2025}
}
```"""


@dataclass(frozen=True)
class Facts:
    """What a card tells.

    Attributes:
        name: of the model.
        config: of the packed model.
        encoder: name of the pretrained encoder; ``None`` if it was trained from scratch.
        results: content of ``results.json``; empty before scoring.
        corpus: Markdown about the training data.
        pictures: files of pictures of the test sets, beside the card.
        license: the hub's name of the weights' licence; ``None`` for those of data and encoder.
    """

    name: str
    config: Mapping[str, Any]
    encoder: str | None
    results: Mapping[str, Mapping[str, Any]]
    corpus: str
    pictures: Sequence[str]
    license: str | None


def card(facts: Facts) -> str:
    """``README.md``: metadata, then how to use it, data, scores, limits, licence and citation."""
    labels = facts.config["labels"]
    tasks = [TASKS[task] for task in TASKS if task in facts.config["model_conf"]["tasks"]]
    tasks = [task for task in tasks if labels["tasks"]["asr" if task == "words" else task]]
    besides = f", and of {_listed(tasks)}" if tasks else ""
    how = f"`{facts.encoder}`, fine-tuned" if facts.encoder else "an encoder trained from scratch,"
    blocks = [
        f"# {facts.name}",
        f"Recognition of {len(labels['emotions'])} emotions in speech{besides}, by one model: "
        f"{how} with multi-task learning (Wang et al., Interspeech 2025) by "
        "[sermtl](#citation).",
        "```python\nfrom sermtl import EmotionRecognizer\n\n"
        'recognizer = EmotionRecognizer.from_pretrained("FOLDER")  # this folder, its .zip, or '
        'its name on the hub\np = recognizer("speech.wav")\n'
        "print(p.emotion, p.scores, p.gender, p.transcript)\n```",
        "## Training data",
        facts.corpus,
        _classes(labels),
        "## Scores",
        *_scores(facts.results, facts.pictures),
        "## Intended use",
        USE,
        "## Limits",
        LIMITS,
        "## Licence",
        _licence(facts),
        "## Citation",
        CITATION,
    ]
    text = "\n\n".join(block for block in blocks if block) + "\n"
    front = yaml.safe_dump(_metadata(facts), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n{text}"


def about_corpus(readme: Path) -> str:
    """What a recipe's README says of its corpus: source, protocol, labels.

    It ends where commands or results begin; links to other files of the project lead nowhere from
    a card, so their texts alone are kept.
    """
    text = re.split(r"^(?:```|## )", readme.read_text(encoding="utf-8"), maxsplit=1, flags=re.M)[0]
    text = re.sub(r"^# .*\n", "", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text).strip()


def _metadata(facts: Facts) -> dict[str, Any]:
    data: dict[str, Any] = {"library_name": "sermtl", "pipeline_tag": "audio-classification"}
    data["tags"] = ["speech-emotion-recognition", "multi-task-learning", "speech"]
    if facts.license:
        data["license"] = facts.license
    else:
        data |= {"license": "other", "license_name": "terms-of-training-data-and-encoder"}
    if facts.encoder and re.fullmatch(r"[\w.-]+/[\w.-]+", facts.encoder):
        data["base_model"] = facts.encoder
    data["metrics"] = ["f1", "accuracy", "recall"]
    if results := [entry for entry in map(_evaluation, *_sets(facts.results)) if entry]:
        data["model-index"] = [{"name": facts.name, "results": results}]
    return data


def _sets(results: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    return list(results), list(results.values())


def _evaluation(name: str, scores: Mapping[str, Any]) -> dict[str, Any] | None:
    """A test set's scores in the hub's form."""
    kinds = {"macro_f1": "f1", "accuracy": "accuracy", "uar": "recall"}
    metrics = [
        {"type": kind, "name": FIGURES[key], "value": round(scores[key]["value"], 4)}
        for key, kind in kinds.items()
        if key in scores
    ]
    if not metrics:
        return None
    task = {"type": "audio-classification", "name": "speech emotion recognition"}
    return {"task": task, "dataset": {"name": name, "type": name}, "metrics": metrics}


def _classes(labels: Mapping[str, Any]) -> str:
    counts, names = labels["counts"]["emotion"], labels.get("names", {})
    rows = [
        [markdown.plain(label), markdown.plain(names.get(label, label)), counts.get(label, 0)]
        for label in labels["emotions"]
    ]
    hours = f", {labels['seconds'] / 3600:.1f} hours" if "seconds" in labels else ""
    speakers = f" by {len(labels['speakers'])} speakers" if labels["speakers"] else ""
    return (
        f"Training saw {labels['tasks']['emotion']} utterances with an emotion{speakers}{hours}:"
        "\n\n" + markdown.table(["label", "emotion", "utterances"], rows)
    )


def _scores(results: Mapping[str, Mapping[str, Any]], pictures: Sequence[str]) -> list[str]:
    if not results:
        return ["Not scored yet."]
    blocks = [
        "In %, with 95 % bootstrap intervals; macro-F1 is the mean over classes, UAR the mean of "
        "their recalls. `results.json` has all figures."
    ]
    if any("folds" in scores for scores in results.values()):
        blocks.append(
            "There is a model for each fold, of which this is one. The scores are of the answers "
            "that each gave to the test utterances of its fold."
        )
    for name, scores in results.items():
        rows = [[title, percent(scores[k])] for k, title in FIGURES.items() if k in scores]
        blocks.append(
            f"**{name}**, {scores['n']} utterances with an emotion:\n\n"
            + markdown.table(["", "%"], rows)
        )
        if "per_class" in scores:
            blocks.append(per_class(scores))
    blocks += [f"![{PICTURES[file.partition('_')[0]]}]({file})" for file in pictures]
    return blocks


def _licence(facts: Facts) -> str:
    if facts.license:
        return f"The weights: {facts.license}. sermtl itself: Apache-2.0."
    encoder = f" and of the encoder `{facts.encoder}`" if facts.encoder else ""
    return (
        f"The weights were made from the training data{encoder}, whose licences and terms apply; "
        "corpora of emotional speech are often for non-commercial research only. sermtl itself: "
        "Apache-2.0."
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
