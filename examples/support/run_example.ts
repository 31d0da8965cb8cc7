import { ArgumentError } from '../../scripts/lib/arguments.mjs';

/** Runs an example, says what went wrong if something did, and ends the process. */
export async function runExample(main: () => Promise<void>): Promise<never> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof ArgumentError ? error.message : error);
    process.exitCode = 1;
  }
  process.exit(); // Dawn keeps the process alive
}
