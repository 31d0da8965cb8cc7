"""logSoftmax: the logarithm of softmax over the last dimension."""

import torch
from golden import Case, normal


def log_softmax(x: torch.Tensor) -> dict[str, torch.Tensor]:
  """y [..., C] = x − log Σ exp(x)."""
  return {'y': x - torch.logsumexp(x, -1, keepdim=True)}


CASES = [
  Case('plain', {'x': normal(5, 32)}),
  Case('everyDimension', {'x': normal(3, 4, 5, 36)}),
  Case('noMultipleOfFour', {'x': normal(2, 7, 129)}),
  Case('singleRow', {'x': normal(1, 4096)}),
  Case('large', {'x': normal(6, 96, mean=1e4, std=50)}),
]
