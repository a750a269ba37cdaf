import { readFileSync } from 'node:fs';
import path from 'node:path';
import { REFUSALS } from '../../decision/Refusal';

const page = readFileSync(
  path.resolve(__dirname, '../../../docs/troubleshooting.md'),
  'utf8',
);

describe('the table of reasons', () => {
  const rows = page
    .split(/^\| reason +\| status \| meaning +\|\n/m)[1]
    .split('\n\n')[0]
    .matchAll(/^\| `([a-z-]+)` +\| (\d{3}) +\| (.*?) +\|$/gm);
  const statusByReason = [...rows].map(([, reason, status]) => [
    reason,
    Number(status),
  ]);

  it('lists every reason once, in the order of the code, with its status', () => {
    expect(statusByReason).toEqual(
      Object.entries(REFUSALS).map(([reason, { status }]) => [reason, status]),
    );
  });
});
