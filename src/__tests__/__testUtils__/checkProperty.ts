import fc from 'fast-check';

/** The share of the long run that a property gets; `npm test` runs each property a few times. */
interface Bounds {
  /** The number of runs in `npm test`. */
  runs: number;
  /** The duration with `PROPERTIES=long`. */
  seconds: number;
}

/**
 * Checks a property within a test, and prints the seed that it was checked with. `PROPERTY_SEED` checks it with that seed again,
 * and `PROPERTY_PATH` the one counter-example that the message of a failure names.
 */
export async function checkProperty<Ts>(
  property: fc.IRawProperty<Ts>,
  { runs, seconds }: Bounds,
): Promise<void> {
  const { PROPERTIES, PROPERTY_SEED, PROPERTY_PATH } = process.env;
  const long = { numRuns: 1e9, interruptAfterTimeLimit: seconds * 1000 };
  const details = await fc.check(property, {
    seed: PROPERTY_SEED === undefined ? undefined : Number(PROPERTY_SEED),
    path: PROPERTY_PATH,
    ...(PROPERTIES === 'long' ? long : { numRuns: runs }),
  });
  const { failed, numRuns, seed, counterexamplePath } = details;
  const { currentTestName } = expect.getState();
  process.stderr.write(
    `${currentTestName}: ${numRuns} runs, PROPERTY_SEED=${seed}\n`,
  );
  if (failed) {
    throw new Error(
      `PROPERTY_SEED=${seed} PROPERTY_PATH=${counterexamplePath} -t ${JSON.stringify(currentTestName)} runs it again.\n${fc.defaultReportMessage(details)}`,
      { cause: details.errorInstance },
    );
  }
  expect(numRuns).toBeGreaterThan(0);
}
