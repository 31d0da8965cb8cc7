"""softCrossEntropy: cross entropy of class probabilities; Hinton et al., "Distilling the Knowledge in a Neural Network" (2015)."""

import numpy as np
import torch
from golden import Case, Draw, normal


def soft_cross_entropy(
  logits: torch.Tensor, targets: torch.Tensor, labelSmoothing: float = 0, reduction: str = 'mean'
) -> dict[str, torch.Tensor]:
  """loss [...] = −Σ y · log_softmax(logits), y = targets · (1 − labelSmoothing) + labelSmoothing / V, or its mean or sum."""
  y = targets * (1 - labelSmoothing) + labelSmoothing / logits.shape[-1]
  loss = -(y * torch.log_softmax(logits, -1)).sum(-1)
  return {'loss': {'mean': loss.mean, 'sum': loss.sum, 'none': lambda: loss}[reduction]()}


def distributions(*shape: int) -> Draw:
  """Rows of probabilities."""
  return lambda generator: generator.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32)


def one_hot(*shape: int) -> Draw:
  """Rows of zeros and a one."""
  return lambda generator: np.eye(shape[-1], dtype=np.float32)[generator.integers(0, shape[-1], shape[:-1])]


CASES = [
  Case('plain', {'logits': normal(5, 32), 'targets': distributions(5, 32)}),
  Case(
    'everyOption',
    {'logits': normal(3, 4, 5, 36), 'targets': distributions(3, 4, 5, 36)},
    {'labelSmoothing': 0.2, 'reduction': 'none'},
  ),
  Case('sum', {'logits': normal(4, 48), 'targets': distributions(4, 48)}, {'reduction': 'sum'}),
  Case('smoothed', {'logits': normal(6, 10), 'targets': one_hot(6, 10)}, {'labelSmoothing': 0.1}),
  Case('noMultipleOfFour', {'logits': normal(2, 7, 129), 'targets': distributions(2, 7, 129)}),
  Case('singleRow', {'logits': normal(1, 4096), 'targets': distributions(1, 4096)}),
  # Targets that add up to anything, so that a gradient that takes their sum for 1 shows.
  Case('notNormalized', {'logits': normal(5, 33), 'targets': normal(5, 33, mean=1)}, {'reduction': 'sum'}),
  Case('large', {'logits': normal(6, 96, mean=50, std=30), 'targets': distributions(6, 96)}),
]
