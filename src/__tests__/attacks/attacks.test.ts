// This file runs all classes on one backend: loading its modules takes longer than all attacks together.
import './paths';
import './wellKnown';
import './rules';
import './headers';
import './credentials';
import './signatures';
import './vectors';
import './connections';
import './upgrades';
import { useAttackedBackend } from '../__testUtils__/attackedBackend';

const backend = useAttackedBackend();

it('[P38] with all reports switched on, each answer is the same but for its id', () => {
  // Each attempt has compared the answers of both backends.
  const { spans, audit } = backend().twin.reported;
  expect(spans).toBeGreaterThan(400);
  expect(JSON.stringify(audit)).toMatch(/"clientAddress":"[^"]+"/);
});

it('[P1] with routers of Express 5, each answer is the same but for its id', () => {
  // Each attempt has compared the answers of both backends.
  const { hello, docs, twin } = backend();
  const plugins = [hello, docs, twin.hello, twin.docs, twin.forwarding];
  expect(plugins.map(({ hasExpress5 }) => hasExpress5)).toEqual([
    ...[false, false, true, true, true],
  ]);
});

it('[P14] nothing that was presented, and no query, is in the log or the audit', () => {
  const { audit, log } = backend();
  const lines = log.filter(({ message }) => message.startsWith('API gate'));
  expect(lines.length).toBeGreaterThan(50);
  expect(audit.length).toBeGreaterThan(400);
  // Each token begins with `eyJ`.
  expect(JSON.stringify([lines, audit])).not.toMatch(
    /eyJ|dXNlcjpwYXNz|access_token|"[^" ]*\?/,
  );
});

it('[P31] the counts have what rules and external tokens could name, and nothing else of a request', () => {
  const lines = backend().log.filter(
    ({ message }) => message === 'API gate refused a request',
  );
  expect(lines.length).toBeGreaterThan(50);
  // Fifty kinds of each plugin, and the others of each.
  expect(lines.length).toBeLessThanOrEqual(4 * 51);
  const fields = new Set(lines.flatMap(({ meta }) => Object.keys(meta as {})));
  expect([...fields].sort()).toEqual([
    ...['decision', 'detail', 'method', 'path', 'plugin', 'reason'],
    'requests',
  ]);
  for (const { meta } of lines) {
    expect((meta as { path?: string }).path ?? '/').toMatch(/^\/[\w\-.~@/*]*$/);
  }
  expect(JSON.stringify(lines)).not.toMatch(
    /eyJ|dXNlcjpwYXNz|user:|access_token|127\.0|localhost|\?/,
  );
});
