/** A few facts that outlast the program: in the browser's IndexedDB, or in a file of the user's cache in Node.js. */

const NAME = 'tfjs-liger';

export interface Memory {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
}

/** What this program has remembered itself. */
const recent = new Map<string, unknown>();

/** What is remembered under a key; undefined if nothing is. */
export async function recall(key: string): Promise<unknown> {
  return (
    recent.get(key) ??
    (await lastingMemory()
      ?.get(key)
      .catch(() => undefined))
  );
}

/** Remembers a value that JSON can hold: beyond this program, if there is a place for it. */
export async function remember(key: string, value: object): Promise<void> {
  recent.set(key, value);
  await lastingMemory()
    ?.set(key, value)
    .catch(() => {});
}

/** Where facts outlast the program, if there is such a place. */
export function lastingMemory(): Memory | undefined {
  return typeof indexedDB === 'undefined' ? fileMemory() : databaseMemory;
}

const settled = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function inDatabase<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(NAME);
  const database = await settled(opening);
  try {
    return await settled(use(database.transaction(NAME, mode).objectStore(NAME)));
  } finally {
    database.close();
  }
}

const databaseMemory: Memory = {
  get: (key) => inDatabase('readonly', (store) => store.get(key) as IDBRequest<unknown>),
  set: async (key, value) => {
    await inDatabase('readwrite', (store) => store.put(value, key));
  },
};

/** What of Node.js is used, which is asked for at run time, so that no bundler looks for it. */
interface NodeProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly pid: number;
  getBuiltinModule?(name: 'node:fs/promises'): typeof import('node:fs/promises');
  getBuiltinModule?(name: 'node:os'): typeof import('node:os');
  getBuiltinModule?(name: 'node:path'): typeof import('node:path');
}

function fileMemory(): Memory | undefined {
  const { process } = globalThis as { process?: NodeProcess };
  if (!process?.getBuiltinModule) return undefined;
  const fs = process.getBuiltinModule('node:fs/promises');
  const { homedir } = process.getBuiltinModule('node:os');
  const { join, dirname } = process.getBuiltinModule('node:path');
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const places: Readonly<Record<string, string | undefined>> = {
    win32: LOCALAPPDATA,
    darwin: join(homedir(), 'Library', 'Caches'),
  };
  const file = join(XDG_CACHE_HOME || places[process.platform] || join(homedir(), '.cache'), NAME, 'devices.json');
  const read = async (): Promise<Record<string, unknown>> => {
    const content: unknown = JSON.parse(await fs.readFile(file, 'utf8').catch(() => '{}'));
    return content !== null && typeof content === 'object' ? { ...content } : {};
  };
  return {
    get: async (key) => (await read())[key],
    set: async (key, value) => {
      const all = await read().catch(() => ({}));
      await fs.mkdir(dirname(file), { recursive: true });
      // Whoever reads meanwhile sees the old file, or the new one.
      const next = `${file}.${process.pid}`;
      await fs.writeFile(next, JSON.stringify({ ...all, [key]: value }));
      await fs.rename(next, file);
    },
  };
}
