"""swiglu: Shazeer, "GLU Variants Improve Transformer" (2020)."""

import torch
from golden import Case, normal


def swiglu(
  gate: torch.Tensor, up: torch.Tensor, gateMultiplier: float = 1, downMultiplier: float = 1
) -> dict[str, torch.Tensor]:
  """y = silu(gate · gateMultiplier) · up · downMultiplier, with silu(z) = z · sigmoid(z); all of one shape."""
  z = gate * gateMultiplier
  return {'y': z * torch.sigmoid(z) * up * downMultiplier}


CASES = [
  Case('plain', {'gate': normal(6, 32), 'up': normal(6, 32)}),
  Case(
    'everyOption',
    {'gate': normal(2, 3, 36), 'up': normal(2, 3, 36)},
    {'gateMultiplier': 1.7, 'downMultiplier': -0.6},
  ),
  Case('noMultipleOfFour', {'gate': normal(2, 5, 129), 'up': normal(2, 5, 129)}),
  Case('singleRow', {'gate': normal(1, 1031), 'up': normal(1, 1031)}),
  # Gates whose exp(-gate) is beyond float32 on both sides of 0.
  Case('large', {'gate': normal(4, 64, std=200), 'up': normal(4, 64, std=1e4)}),
]
