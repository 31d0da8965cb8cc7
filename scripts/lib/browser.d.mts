export function findBrowser(): Promise<string | undefined>;
export function findSwiftShader(): Promise<{ driver: string; loader: string | undefined } | undefined>;
