"""Re-transcribing a corpus with openai-whisper: the model, its guards, records, a report."""
