import { compressToEncodedURIComponent } from 'lz-string';
import { codeBlocks, readDocument } from '../../../src/__testUtils__/documents';
import { rawRequest } from '../../../src/__testUtils__/rawRequest';
import { recordingPlugin } from '../../../src/__testUtils__/recordingPlugin';
import {
  RunningBackend,
  startBackend,
} from '../../../src/__testUtils__/startBackend';

jest.setTimeout(120_000);

const [{ text: diff }] = codeBlocks('diff').filter(
  ({ file }) => file === 'docs/migrate/platt.md',
);
const [removed, added] = diff
  .split('\n')
  .map(line => line.match(/^[-+]backend\.add\(import\('(.+)'\)\);$/)![1]);

/** Any text, as the package writes tokens into its cookie. */
const ANY_TEXT = `token=${compressToEncodedURIComponent('any text')}`;

it('the page adds the gate', () => {
  const { name } = JSON.parse(readDocument('package.json').text);
  expect(added).toBe(name);
});

describe.each([
  [removed, false],
  [added, true],
])('a backend with %s', (_, withGate) => {
  const closed = recordingPlugin('closed');
  const open = recordingPlugin('open', {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
  let backend: RunningBackend;
  let bearer: string;

  const get = (target: string, ...headerLines: string[]) =>
    rawRequest(backend.port, target, { headerLines });
  const statusOf = async (target: string, ...headerLines: string[]) =>
    (await get(target, ...headerLines)).status;

  beforeAll(async () => {
    backend = await startBackend({
      withGate,
      features: [
        ...(withGate ? [] : [require(removed).default]),
        closed.feature,
        open.feature,
      ],
      // Its token manager requires a key. Base64 of 24 bytes.
      config: { backend: { auth: { keys: [{ secret: 'a'.repeat(32) }] } } },
    });
    const { body } = await get('/api/auth/guest/refresh');
    bearer = `Authorization: Bearer ${JSON.parse(body).backstageIdentity.token}`;
  });
  afterAll(() => backend.stop());

  it('accepts any text as cookie where only that package is in front', async () => {
    expect(await statusOf('/api/open/x')).toBe(401);
    expect(await statusOf('/api/open/x', bearer)).toBe(200);
    expect(await statusOf('/api/closed/x', bearer)).toBe(200);
    const line = `Cookie: ${ANY_TEXT}`;
    expect(await statusOf('/api/closed/x', line)).toBe(401);
    const { status, headers } = await get('/api/open/x', line);
    expect(status).toBe(withGate ? 401 : 200);
    if (withGate) {
      expect(headers['set-cookie']).toContain(
        'token=; Path=/; Expires=Thu, 01 Jan 1970',
      );
    }
  });
});
