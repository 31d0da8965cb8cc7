"""gelu: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016)."""

import math

import torch
from golden import Case, normal


def gelu(x: torch.Tensor, approximate: str = 'none') -> dict[str, torch.Tensor]:
  """y = x · Φ(x), or with 'tanh' x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 · x³)))."""
  if approximate == 'tanh':
    # 1 + tanh(u) = 2 · sigmoid(2u), which keeps its digits far below 0.
    return {'y': x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))}
  return {'y': x * torch.special.erfc(-x / math.sqrt(2)) / 2}


CASES = [
  Case('plain', {'x': normal(5, 32)}),
  Case('everyOption', {'x': normal(3, 4, 5, 36)}, {'approximate': 'tanh'}),
  Case('noMultipleOfFour', {'x': normal(2, 7, 129)}),
  Case('noMultipleOfFourByTanh', {'x': normal(2, 7, 129)}, {'approximate': 'tanh'}),
  Case('singleRow', {'x': normal(1, 1031)}),
  # Numbers whose squares and cubes are beyond what exp takes on both sides of 0.
  Case('large', {'x': normal(6, 96, std=1e4)}),
  Case('largeByTanh', {'x': normal(6, 96, std=1e4)}, {'approximate': 'tanh'}),
  Case('belowZero', {'x': normal(4, 64, mean=-4)}),
  Case('belowZeroByTanh', {'x': normal(4, 64, mean=-4)}, {'approximate': 'tanh'}),
]
