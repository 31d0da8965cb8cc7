"""rmsNorm: Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019)."""

import torch
from golden import Case, normal


def rms_norm(
  x: torch.Tensor, gamma: torch.Tensor | None = None, epsilon: float = 1e-6, offset: float = 0
) -> dict[str, torch.Tensor]:
  """y [..., C] = x / √(mean(x²) + epsilon) · (gamma + offset), of x [..., C] and gamma [C]."""
  normalized = x / torch.sqrt(x.square().mean(-1, keepdim=True) + epsilon)
  return {'y': normalized if gamma is None else normalized * (gamma + offset)}


CASES = [
  Case('plain', {'x': normal(5, 32), 'gamma': normal(32)}),
  Case('everyOption', {'x': normal(3, 4, 5, 64), 'gamma': normal(64)}, {'epsilon': 0.1, 'offset': 1}),
  Case('noGamma', {'x': normal(4, 48)}),
  Case('noMultipleOfFour', {'x': normal(2, 7, 129), 'gamma': normal(129)}),
  Case('singleRow', {'x': normal(1, 4096), 'gamma': normal(4096)}),
  Case('large', {'x': normal(6, 96, mean=1e5, std=1e6), 'gamma': normal(96, std=100)}),
  # Rows whose mean square is about epsilon, so that an epsilon in the wrong place shows.
  Case('small', {'x': normal(6, 96, std=3e-3), 'gamma': normal(96)}, {'epsilon': 1e-5}),
]
