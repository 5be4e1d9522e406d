"""One thread a test run, and drawn examples that are the same in every run."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("laws", deadline=None, derandomize=True, max_examples=3, database=None)
settings.load_profile("laws")
