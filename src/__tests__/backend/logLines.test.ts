import type { Writable } from 'node:stream';
import { WinstonLogger } from '@backstage/backend-defaults/rootLogger';
import { sumBy } from 'lodash';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import type { LogLine } from '../__testUtils__/startBackend';

const backends = signedBackends();
jest.setTimeout(120_000);

const MAX_BYTES = 8 * 1024;
const PLUGINS = Array.from(
  { length: 120 },
  (_, i) => `plugin-with-a-name-${i}`,
);

/** Returns the lines that Backstage's own logger writes in production. */
function writtenLines(log: LogLine[]): string[] {
  const { NODE_ENV } = process.env;
  const written: string[] = [];
  // Winston writes there, if there is such a field.
  const { _stdout: stdout } = console as unknown as { _stdout: Writable };
  const write = jest.spyOn(stdout, 'write').mockImplementation(line => {
    written.push(line.trimEnd());
    return true;
  });
  try {
    process.env.NODE_ENV = 'production';
    const logger = WinstonLogger.create({ meta: { service: 'backstage' } });
    const child = logger.child({ service: 'apiGate' });
    for (const { level, message, meta } of log) {
      child[level](message, meta as never);
    }
  } finally {
    process.env.NODE_ENV = NODE_ENV;
    write.mockRestore();
  }
  return written;
}

describe('[P56] no line of the log has more than 8 KB', () => {
  const reason = '"Ünusually long" \\ reason. '.repeat(60);
  let lines: string[];
  let ids: string[];

  beforeAll(async () => {
    const backend = await backends.start({
      features: PLUGINS.map(id => recordingPlugin(id).feature),
      apiGate: {
        allow: Array.from({ length: 1_000 }, (_, i) => ({
          // Every second rule is for a plugin that is not installed, which is a finding.
          plugin: i % 2 ? PLUGINS[i % 120] : `missing-${i}`,
          path: `/public/${i}/${'x'.repeat(i === 7 ? 900 : 20)}`,
          reason: i % 50 ? `Rule ${i}` : `Rule ${i}: ${reason}`,
        })),
      },
    });
    ids = [];
    const long = 'y'.repeat(15_000);
    for (let round = 0; round < 16; round += 1) {
      const path = `${round ? 'x' : long}?${long.slice(0, 500)}`;
      const headerLines = round % 2 ? [bearer('no-token')] : [];
      const answers = await Promise.all(
        PLUGINS.map(id => backend.get(`/api/${id}/${path}`, ...headerLines)),
      );
      ids.push(...answers.map(({ headers }) => headers['api-gate-decision']!));
    }
    await backend.stop();
    lines = writtenLines(
      backend.log.filter(({ message }) => message.startsWith('API gate')),
    );
  });

  it('with 120 plugins that are scanned, and 1,000 rules with long reasons', () => {
    const sizes = lines.map(line => Buffer.byteLength(line));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_BYTES);
    // The lines are worth their number.
    expect(sizes.filter(size => size > 3_000).length).toBeGreaterThan(10);
  });

  it('and no refusal, no rule and no finding is missing', () => {
    const parsed = lines.map(line => JSON.parse(line));
    const refusals = parsed.filter(({ decision }) => decision);
    expect(sumBy(refusals, 'requests')).toBe(ids.length);

    const block = parsed
      .filter(({ message }) => message.startsWith('API gate: enforce'))
      .map(({ message }) => message)
      .join('\n');
    for (let i = 0; i < 1_000; i += 1) {
      expect(block).toContain(`/public/${i}/x`);
    }
    const findings = parsed.flatMap(line => line.findings ?? []);
    expect(parsed.find(line => line.findings).message).toContain(
      `API gate: ${findings.length} findings, 0 accepted, part 1 of`,
    );
    for (const line of parsed.filter(each => each.findings)) {
      expect(line.message.split('\n').length - 1).toBe(line.findings.length);
    }
  });
});
