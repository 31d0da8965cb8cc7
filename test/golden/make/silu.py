"""silu: Ramachandran et al., "Searching for Activation Functions" (2017)."""

import torch
from golden import Case, normal


def silu(x: torch.Tensor) -> dict[str, torch.Tensor]:
  """y = x · sigmoid(x)."""
  return {'y': x * torch.sigmoid(x)}


CASES = [
  Case('plain', {'x': normal(5, 32)}),
  Case('everyDimension', {'x': normal(3, 4, 5, 36)}),
  Case('noMultipleOfFour', {'x': normal(2, 7, 129)}),
  Case('singleRow', {'x': normal(1, 1031)}),
  # Numbers whose exp(-x) is beyond float32 on both sides of 0.
  Case('large', {'x': normal(6, 96, std=1e4)}),
  Case('belowZero', {'x': normal(4, 64, mean=-8)}),
]
