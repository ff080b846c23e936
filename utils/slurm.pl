#!/usr/bin/env python3
"""Run jobs on a Slurm cluster. (The name is the one that Kaldi's and ESPnet's scripts look for.)"""

import sys

from job_main import job_main
from slurm_jobs import run_slurm_jobs

sys.exit(job_main("slurm.pl", run_slurm_jobs))
