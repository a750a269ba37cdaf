import { execFileSync } from 'node:child_process';
import { root } from '../__testUtils__/documents';

// The file is not part of `npm test`: a backend with instrumented code takes as long as a tenth of the rest.

/** The most that a reader of the gate must follow: figures of `dev/measureCore.ts`. When the code gets simpler, these limits follow it. */
const LIMITS = {
  'files that an anonymous request touches': ['anonymous', 38],
  'files that a remembered bearer token touches': ['bearer', 48],
  'files that a cookie touches': ['cookie', 46],
  'turns in the way of an upgrade': ['turns', 5],
} as const;

function measureRequests(): Record<
  'anonymous' | 'bearer' | 'cookie' | 'turns',
  string[]
> {
  const output = execFileSync(
    process.execPath,
    [
      '-r',
      '@backstage/cli-node/config/nodeTransform.cjs',
      'dev/measureCore.ts',
    ],
    { cwd: root, encoding: 'utf8', stdio: 'pipe', timeout: 180_000 },
  );
  return JSON.parse(output);
}

const requests = measureRequests();

it.each(
  Object.entries(LIMITS).map(
    ([name, [measured, limit]]) =>
      [name, requests[measured].length, limit] as const,
  ),
)('%s: %i, at most %i', (_name, figure, limit) =>
  expect(figure).toBeLessThanOrEqual(limit),
);
