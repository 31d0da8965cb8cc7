// One pass in Node.js: LIGER_TEST_BACKEND chooses the backend (see test/support/backend.ts), LIGER_TEST_GREP the tests.
module.exports = {
  spec: './test/support/specs.mjs',
  ...(process.env.LIGER_TEST_GREP ? { grep: process.env.LIGER_TEST_GREP } : {}),
  'node-option': ['import=tsx'],
  // SwiftShader needs seconds to compile a large shader.
  timeout: 60_000,
  exit: true,
};
