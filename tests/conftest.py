"""One thread a test run."""

import torch

torch.set_num_threads(1)
