"""Re-transcribing a corpus with openai-whisper: records, the state of a set, the model."""
