/** What `patch` switches on by one keyword. */
export interface Feature {
  /** Whether it changes anything on backends other than `webgpu`. */
  readonly onEveryBackend: boolean;
  /** Puts it in place. Returns what takes it away again, or, as the end of a sentence, why it can't be. */
  install(): (() => void) | string;
}

/** One after another, the last one first. */
export const all =
  (undo: ReadonlyArray<() => void>): (() => void) =>
  () => {
    for (const step of [...undo].reverse()) step();
  };
