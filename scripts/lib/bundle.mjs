/** Writes one file that Node.js runs by itself: esbuild's options, beyond what every such file has. */
export async function bundleForNode(options) {
  const { build } = await import('esbuild');
  await build({
    bundle: true,
    platform: 'node',
    format: 'esm',
    // CommonJS packages within ask for Node.js's modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
    ...options,
  });
}
