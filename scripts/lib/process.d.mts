export const root: string;
export function run(
  program: string,
  args: string[],
  options?: { env?: Record<string, string>; timeoutMs?: number },
): Promise<{ code: number; output: string }>;
