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
import { attackedSettings } from '../__testUtils__/attackedSettings';

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
  expect(lines.length).toBeGreaterThan(400);
  expect(audit.length).toBeGreaterThan(400);
  // Each token begins with `eyJ`.
  expect(JSON.stringify([lines, audit])).not.toMatch(
    /eyJ|dXNlcjpwYXNz|access_token|"[^" ]*\?/,
  );
});

it('[P31] the record of use has what the configuration names, and nothing of a request', async () => {
  const { usage } = backend();
  await usage.sync();
  const rows = await usage.rows();
  const namesOf = (kinds: string[]) => [
    ...new Set(
      rows.filter(row => kinds.includes(row.kind)).map(({ name }) => name),
    ),
  ];
  const { auth } = attackedSettings.backend as any;
  const tokens = (auth?.externalAccess ?? []) as any[];
  expect(namesOf(['token', 'call', 'delegation', 'worked']).sort()).toEqual(
    tokens.map(({ options }) => options.subject).sort(),
  );
  expect(namesOf(['rule']).sort()).toEqual([
    'GET docs/static/public',
    'GET forwarding/public/**',
    'GET hello/demo/**',
    'GET hello/entity/*/badge/*',
    'GET hello/health',
    'GET hello/logo.svg',
    'GET hello/public/**',
    'POST hello/hook',
  ]);
  expect(JSON.stringify(rows)).not.toMatch(
    /eyJ|dXNlcjpwYXNz|user:|access_token|127\.0|localhost|\?/,
  );
});
