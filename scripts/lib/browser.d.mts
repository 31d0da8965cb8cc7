export function findBrowser(): Promise<string | undefined>;
export function findSwiftShader(): Promise<{ driver: string; loader: string | undefined } | undefined>;
export const SLOW_ON_SWIFTSHADER: string;
export const swiftShaderFlags: readonly string[];
