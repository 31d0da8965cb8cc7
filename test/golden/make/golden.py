"""Reference cases: runs a formula in float64, differentiates it, and writes what test/support/golden.ts reads."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

Draw = Callable[[np.random.Generator], np.ndarray]
"""An input of a case: a function of a random generator, which a case seeds by the tensor's name."""

Formula = Callable[..., dict[str, torch.Tensor]]
"""
An op in plain PyTorch: its outputs by name, from its inputs and options as keyword arguments, named as in TypeScript.
What the op does not differentiate, be it an input or an output, the formula detaches.
"""


@dataclass
class Case:
  """A case before it is computed."""

  name: str
  inputs: dict[str, Draw]
  options: dict[str, Any] = field(default_factory=dict)


def normal(*shape: int, mean: float = 0, std: float = 1) -> Draw:
  """Floats of a normal distribution."""
  return lambda generator: (mean + std * generator.standard_normal(shape)).astype(np.float32)


def integers(*shape: int, low: int = 0, high: int) -> Draw:
  """Integers of [low, high)."""
  return lambda generator: generator.integers(low, high, shape, dtype=np.int32)


def compute(op: str, formula: Formula, case: Case) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
  """The description of a case, and its tensors by name."""
  tensors: dict[str, np.ndarray] = {}

  def draw(key: str, values: Draw) -> torch.Tensor:
    # Each tensor has a seed of its own, so that a new case, or a new input, leaves the others as they were.
    generator = np.random.default_rng(zlib.crc32(f'{op}/{key}'.encode()))
    # Cut to float32 before the formula, so that it gets the numbers that the op under test gets.
    tensors[key] = to_stored(torch.as_tensor(values(generator)))
    tensor = torch.tensor(tensors[key])
    return tensor.double() if tensor.is_floating_point() else tensor

  inputs = {name: draw(f'{case.name}/in/{name}', values) for name, values in case.inputs.items()}
  floats = {name: x.requires_grad_() for name, x in inputs.items() if x.is_floating_point()}
  outputs = formula(**inputs, **case.options)
  differentiated = {name: y for name, y in outputs.items() if y.requires_grad}
  dy = {name: draw(f'{case.name}/dy/{name}', normal(*y.shape)) for name, y in differentiated.items()}
  grads = gradients(differentiated, floats, dy)

  tensors |= {f'{case.name}/out/{name}': to_stored(y) for name, y in outputs.items()}
  tensors |= {f'{case.name}/grad/{name}': to_stored(gradient) for name, gradient in grads.items()}
  described = {'inputs': list(inputs), 'options': case.options, 'outputs': list(outputs)}
  return {'name': case.name, 'op': op, **described, 'dy': list(dy), 'grads': list(grads)}, tensors


def gradients(
  outputs: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor], dy: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
  """The gradient of Σ sum(output · dy) in each input that has one."""
  if not outputs:
    return {}
  found = torch.autograd.grad(list(outputs.values()), list(inputs.values()), list(dy.values()), allow_unused=True)
  return {name: gradient for name, gradient in zip(inputs, found) if gradient is not None}


def to_stored(tensor: torch.Tensor) -> np.ndarray:
  """float32 or int32, the types that a file has."""
  return tensor.detach().numpy().astype(np.float32 if tensor.is_floating_point() else np.int32)


def save(path: Path, metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> None:
  """Writes safetensors, as the package of that name does, except that it writes metadata in a random order."""
  header: dict[str, Any] = {'__metadata__': metadata}
  data = b''
  for name, array in sorted(tensors.items()):
    begin, data = len(data), data + array.astype(array.dtype.newbyteorder('<')).tobytes()
    dtype = {'f': 'F32', 'i': 'I32'}[array.dtype.kind]
    header[name] = {'dtype': dtype, 'shape': array.shape, 'data_offsets': (begin, len(data))}
  text = json.dumps(header, separators=(',', ':')).encode()
  text += b' ' * (-len(text) % 8)  # so that the data begin at a multiple of 8
  path.write_bytes(len(text).to_bytes(8, 'little') + text + data)


def write(folder: Path, op: str, formula: Formula, cases: list[Case]) -> Path:
  """Computes the cases of an op, and writes them to <op>.safetensors in a folder."""
  torch.set_num_threads(1)  # so that the order of a sum does not depend on the number of cores
  described, tensors = [], {}
  for case in cases:
    if any(case.name == other['name'] for other in described):
      raise ValueError(f'{op}: two cases are called {case.name}')
    description, of_case = compute(op, formula, case)
    described.append(description)
    tensors |= of_case
  version = torch.__version__.split('+')[0]  # without the build, which says for what device it is
  path = folder / f'{op}.safetensors'
  save(path, {'cases': json.dumps(described), 'source': f'PyTorch {version} float64, test/golden/make'}, tensors)
  return path
