import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';
import { serve } from '../__tests__/__testUtils__/serve';

// Lets line breaks through, as a defect would.
jest.mock('../settings/logLine', () => ({
  ...jest.requireActual('../settings/logLine'),
  printable: (line: string) => line,
}));

it.each([
  [
    '    credentialHeader: X-Other',
    '',
    'The block would change credentialHeader',
  ],
  [
    'auth: null',
    'operators: [], cookie: { name: a }, ',
    'The block would change allow',
  ],
  ['backend: { baseUrl: 5 }', '', "in 'api-gate init'"],
])(
  'api-gate init prints no block if a server got the line %j into it',
  async (line, settings, message) => {
    const policy = {
      ...{ allow: [], closed: [], openedInCode: [], unknown: [] },
      installed: [],
      reportOnly: {
        since: '2026-11-20T07:00:00.000Z',
        worked: [
          {
            ...{ plugin: `x\n${line}\n#`, method: 'GET', requests: 1 },
            ...{ firstSeen: '2026-11-20', lastSeen: '2026-11-27' },
          },
        ],
      },
    };
    const { url } = await serve((_req, res) => res.end(JSON.stringify(policy)));
    const cwd = folderWith({
      'app-config.yaml': `backend: { baseUrl: https://backstage.example.com }
auth: { apiGate: { ${settings}allow: [{ plugin: catalog, path: /a }] } }
`,
    });
    const { code, stdout, stderr } = await runCliIn(['init', '--policy', url], {
      cwd,
    });
    expect(stderr).toContain(message);
    expect([code, stdout]).toEqual([2, '']);
  },
);
