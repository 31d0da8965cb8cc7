/**
 * The inputs that a gradient needs, where some may not have been given. tfjs saves `inputsToSave.map(name => inputs[name])`
 * and can't save an undefined one; this leaves those out. The gradient finds them in order, ahead of the saved outputs.
 */
export function savedInputs(...names: string[]): string[] {
  return new PresentInputs(...names);
}

class PresentInputs extends Array<string> {
  override map<U>(callback: (name: string, index: number, names: string[]) => U): U[] {
    return Array.from(this, (name, index) => callback(name, index, this)).filter((input) => input !== undefined);
  }
}
