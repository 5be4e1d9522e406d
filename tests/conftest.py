"""One thread a test run, and drawn examples that are the same in every run."""

import torch
from hypothesis import Phase, settings

torch.set_num_threads(1)
settings.register_profile(
    "laws",
    deadline=None,
    derandomize=True,
    max_examples=3,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # seeds do not shrink to anything simpler
)
settings.load_profile("laws")
