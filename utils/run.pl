#!/usr/bin/env python3
"""Run jobs on this machine. (The name is the one that Kaldi's and ESPnet's scripts look for.)"""

import sys

from job_main import job_main
from local_jobs import run_local_jobs

sys.exit(job_main("run.pl", run_local_jobs))
