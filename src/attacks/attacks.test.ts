// One file runs all classes, on one backend: loading its modules takes longer than all of these.
import './paths';
import './rules';
import './headers';
import './credentials';
import './signatures';
import './vectors';
import './connections';
import './upgrades';
import { useAttackedBackend } from '../__testUtils__/attackedBackend';

const backend = useAttackedBackend();

it('nothing that was presented, and no query, is in the log or the audit', () => {
  const { audit, log } = backend();
  const lines = log.filter(({ message }) => message.startsWith('API gate'));
  expect(lines.length).toBeGreaterThan(400);
  expect(audit.length).toBeGreaterThan(400);
  // Each token begins with the first of these.
  expect(JSON.stringify([lines, audit])).not.toMatch(
    /eyJ|dXNlcjpwYXNz|access_token|"[^" ]*\?/,
  );
});
