"""Writes reference cases: python test/golden/make/make.py [rms_norm …] [--out FOLDER]"""

import argparse
import importlib
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ among the sources

import golden

FOLDER = Path(__file__).resolve().parent
OPS = sorted(file.stem for file in FOLDER.glob('*.py') if file.stem not in ('golden', 'make'))


def op_name(module: str) -> str:
  """'rmsNorm' for 'rms_norm'."""
  first, *rest = module.split('_')
  return first + ''.join(word.capitalize() for word in rest)


def main() -> None:
  parser = argparse.ArgumentParser(description='Writes reference cases, computed in float64.')
  parser.add_argument('ops', nargs='*', metavar='OP', help=f'all without it; one of: {", ".join(OPS)}')
  parser.add_argument('--out', type=Path, default=FOLDER.parent, metavar='FOLDER', help='default: test/golden')
  args = parser.parse_args()
  unknown = [name for name in args.ops if name not in OPS]
  if unknown:
    parser.error(f'there is no {unknown[0]}; there are: {", ".join(OPS)}')
  args.out.mkdir(parents=True, exist_ok=True)
  for name in args.ops or OPS:
    module = importlib.import_module(name)
    print(golden.write(args.out, op_name(name), getattr(module, name), module.CASES))


if __name__ == '__main__':
  main()
