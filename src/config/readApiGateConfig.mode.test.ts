import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const read = (apiGate: JsonObject) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl: 'https://backstage.example.com' },
      auth: { apiGate },
    }),
  );

describe('auth.apiGate.mode', () => {
  it.each<[JsonObject, string, string | undefined]>([
    [{}, 'enforce', undefined],
    [{ mode: 'enforce' }, 'enforce', undefined],
    [{ mode: 'report-only' }, 'report-only', undefined],
    [
      { mode: 'report-only', until: '2026-12-31' },
      'report-only',
      '2026-12-31T00:00:00.000Z',
    ],
  ])('of %j is %s until %s', (apiGate, mode, until) => {
    const config = read(apiGate);
    expect(config.mode).toBe(mode);
    expect(config.until?.toISOString()).toBe(until);
  });

  it.each<[JsonObject, string]>([
    [{ mode: 'off' }, 'mode must be one of enforce, report-only'],
    [{ mode: 'report' }, 'mode must be one of enforce, report-only'],
    [
      { until: '2026-12-31' },
      'until says when report-only ends: remove it, or set auth.apiGate.mode to report-only',
    ],
    [
      { mode: 'report-only', until: 'soon' },
      'until must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z',
    ],
  ])('is not %j', (apiGate, message) => {
    expect(() => read(apiGate)).toThrow(
      new InputError(`auth.apiGate.${message}`),
    );
  });
});
