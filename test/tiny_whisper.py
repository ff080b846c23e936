"""A very small Whisper with random weights, in the file format of OpenAI's checkpoints."""

from __future__ import annotations

from pathlib import Path


def write_checkpoint(path: Path, multilingual: bool = False, seed: int = 0) -> Path:
    """Write a checkpoint (3 MB) whose output depends on the audio and ends at different steps."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(seed)
    width = 32
    dims = ModelDimensions(
        n_mels=80,
        n_audio_ctx=1500,  # 30 s: the encoder takes nothing else
        n_audio_state=width,
        n_audio_head=2,
        n_audio_layer=1,
        n_vocab=51865 if multilingual else 51864,
        n_text_ctx=32,
        n_text_state=width,
        n_text_head=2,
        n_text_layer=1,
    )
    model = Whisper(dims)
    end_of_text = 50257 if multilingual else 50256
    with torch.no_grad():
        model.decoder.positional_embedding.normal_()
        # Random attention averages its input away: point it at single frames of the audio.
        model.encoder.conv1.weight.mul_(10)
        model.encoder.conv2.weight.mul_(10)
        attention = model.decoder.blocks[0].cross_attn
        attention.query.weight.mul_(30)
        attention.out.weight.mul_(8)
        model.decoder.token_embedding.weight[end_of_text].mul_(2.5)
    checkpoint = {
        "dims": dims.__dict__,
        "model_state_dict": {name: tensor.half() for name, tensor in model.state_dict().items()},
    }
    torch.save(checkpoint, path)
    return path
