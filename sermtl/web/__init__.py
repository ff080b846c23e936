"""The page that ``sermtl serve`` shows."""
