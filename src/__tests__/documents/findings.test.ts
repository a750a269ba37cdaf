import { merge } from 'lodash';
import { parse, stringify } from 'yaml';
import { blocksAfter, readDocument } from '../__testUtils__/documents';
import { folderWith, runCliIn } from '../__testUtils__/runCli';

const PAGE = 'docs/findings.md';
const [accepting] = blocksAfter(PAGE, 'Accept a finding');

/** Runs `api-gate check` with settings, each of which overrides those before it. */
function check(...settings: object[]) {
  const gated = { backend: { baseUrl: 'http://a' }, auth: { apiGate: {} } };
  const config = merge(gated, ...settings);
  return runCliIn(['check', '--config', 'app-config.yaml'], {
    cwd: folderWith({ 'app-config.yaml': stringify(config) }),
  });
}

describe('docs/findings.md', () => {
  const withoutBarriers = {
    backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
  };
  const generated = parse(
    readDocument('src/__tests__/__testUtils__/createApp/app-config.yaml').text,
  );

  it('has a finding as api-gate check prints it, and none without the setting', async () => {
    const [finding] = blocksAfter(PAGE, 'Findings', 'text');
    expect((await check(generated)).stdout).toMatch(/^0 findings$/m);
    const found = await check(generated, withoutBarriers);
    expect(found.stdout).toContain(`${finding}\n`);
  });

  it('has an entry by which check accepts a finding', async () => {
    const forwarding = {
      proxy: {
        endpoints: {
          '/internal-api': {
            target: 'https://a',
            credentials: 'forward',
            allowedHeaders: ['Authorization'],
          },
        },
      },
    };
    expect(await check(forwarding)).toMatchObject({
      stdout: expect.stringMatching(/^warning: .*\[token-leaves-house\]/m),
    });
    expect(await check(forwarding, parse(accepting))).toMatchObject({
      stdout: expect.stringMatching(/^accepted: .*\[token-leaves-house\]/m),
    });
  });
});
