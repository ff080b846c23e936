"""Training runs: the ESPnet task, its trainer, and the folders they fill."""

CHECKPOINT = "checkpoint.pth"
"""Where a run goes on from; the first one marks the end of the first epoch."""
FINAL_WEIGHTS = "final.pth"
"""What training ends with: a link to the average of the best epochs."""
