import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** Dots and failures for people, and for scripts/test.mjs the counts, as JSON in the file that LIGER_TEST_RESULT names. */
export default class DotsAndCounts extends Mocha.reporters.Dot {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on('pending', (test) => skipped.push({ title: test.fullTitle(), reason: test.skipReason }));
    runner.once('end', () => {
      if (!process.env.LIGER_TEST_RESULT) return;
      const { passes, failures } = runner.stats;
      writeFileSync(process.env.LIGER_TEST_RESULT, JSON.stringify({ passed: passes, failed: failures, skipped }));
    });
  }
}
