import { exchangeBytes } from '../__testUtils__/exchangeBytes';
import { inHeader, startForeignScene } from '../__testUtils__/foreignScene';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  forge,
  from,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { unsignedToken } from '../__testUtils__/unsignedToken';

/** Values and lines that some reader takes for `TOKEN`, which is valid. */
const FORMS: [name: string, ...lines: string[]][] = [
  ['twice', 'X-Backstage-Token: TOKEN', 'X-Backstage-Token: TOKEN'],
  ['in two cases', 'x-backstage-token: TOKEN', 'X-BACKSTAGE-TOKEN: TOKEN'],
  ['and an empty line', 'X-Backstage-Token: TOKEN', 'X-Backstage-Token:'],
  ['after an empty line', 'X-Backstage-Token:', 'X-Backstage-Token: TOKEN'],
  ['and another one', 'X-Backstage-Token: TOKEN', 'X-Backstage-Token: x'],
  ['after another one', 'X-Backstage-Token: x', 'X-Backstage-Token: TOKEN'],
  ['in a list', 'X-Backstage-Token: TOKEN, TOKEN'],
  ['with a comma', 'X-Backstage-Token: TOKEN,'],
  ['after a comma', 'X-Backstage-Token: ,TOKEN'],
  ['empty', 'X-Backstage-Token:'],
  ['of spaces', 'X-Backstage-Token:    '],
  ['a scheme alone', 'X-Backstage-Token: Bearer'],
  ['two schemes', 'X-Backstage-Token: Bearer Bearer TOKEN'],
  ['another scheme', 'X-Backstage-Token: Token TOKEN'],
  ['Basic', 'X-Backstage-Token: Basic TOKEN'],
  ['a scheme with a tab', 'X-Backstage-Token: Bearer\tTOKEN'],
  ['a scheme with a comma', 'X-Backstage-Token: Bearer,TOKEN'],
  ['a scheme and no space', 'X-Backstage-Token: BearerTOKEN'],
  ['a tab inside', 'X-Backstage-Token: TOKEN\tx'],
  ['a space inside', 'X-Backstage-Token: TOKEN x'],
  ['a space without a break', 'X-Backstage-Token: TOKEN\xa0'],
  ['after such a space', 'X-Backstage-Token: Bearer\xa0TOKEN'],
  ['an odd byte', 'X-Backstage-Token: TOKEN\xe9'],
  ['NUL', 'X-Backstage-Token: TOKEN\0'],
  ['quotes', 'X-Backstage-Token: "TOKEN"'],
  ['a semicolon', 'X-Backstage-Token: TOKEN;'],
  ['as a cookie', 'X-Backstage-Token: token=TOKEN'],
  ['padding', 'X-Backstage-Token: TOKEN='],
  ['forged', 'X-Backstage-Token: FORGED'],
  ['unsigned', 'X-Backstage-Token: UNSIGNED'],
  ['expired', 'X-Backstage-Token: EXPIRED'],
  ['limited', 'X-Backstage-Token: LIMITED'],
  ['folded', 'X-Backstage-Token: Bearer\r\n TOKEN'],
  ['a space before the colon', 'X-Backstage-Token : TOKEN'],
];

/** Other names than that of the setting. */
const ALIASES = [
  'X_Backstage_Token: TOKEN',
  'X-Backstage_Token: TOKEN',
  'HTTP-X-Backstage-Token: TOKEN',
  'X-Backstage-Token-: TOKEN',
  'X-Forwarded-Authorization: Bearer TOKEN',
  'Proxy-Authorization: Bearer TOKEN',
  'Trailer: X-Backstage-Token',
];

const TARGETS = [
  '/api/hello/x',
  '/api/hello/foreign/x',
  '/api/proxy/foreign/x',
  '/api/proxy/forward/x',
  `/api/hello${COOKIE_ENDPOINT}`,
  '/api/absent/x',
];

describe('[P61] attacks on the credential header', () => {
  const backends = signedBackends();
  let scene: Awaited<ReturnType<typeof startForeignScene>>;
  let token: string;
  let fill: (line: string) => string;

  beforeAll(async () => {
    scene = await startForeignScene(backends, {
      config: { auth: { providers: { 'signs-in': { signIn: {} } } } },
    });
    token = await scene.sign();
    const tokens: Record<string, string> = {
      TOKEN: token,
      FORGED: forge(token),
      UNSIGNED: unsignedToken('vnd.backstage.user', { sub: 'user:default/a' }),
      EXPIRED: await scene.sign({ iat: 1, exp: 2 }),
      LIMITED: (await scene.stockCookie('hello', bearer(token))).split('=')[1],
    };
    fill = line =>
      line.replace(/(?<!-)[A-Z]{5,}/g, name => tokens[name] ?? name);
  });
  afterAll(() => backends.stopAll());

  it('a valid one passes everywhere', async () => {
    for (const target of TARGETS) {
      const { status } = await scene.send(target, inHeader(token));
      expect([target, status]).toEqual([
        target,
        target.includes('absent') ? 404 : 200,
      ]);
    }
  });

  it.each(FORMS)('%s: no other credential counts', async (_, ...lines) => {
    const others = [[], [cookie(token), SAME_ORIGIN], [bearer(token)]];
    for (const target of TARGETS) {
      for (const other of others) {
        const { arrivals, status } = await scene.send(
          target,
          ...lines.map(fill),
          ...other,
        );
        expect([target, arrivals, [400, 401].includes(status)]).toEqual([
          target,
          0,
          true,
        ]);
      }
    }
    const upgraded = await scene.upgradeStatus(
      '/api/hello/x',
      ...lines.map(fill),
      cookie(token),
      from('http://localhost:3000'),
    );
    expect([400, 401]).toContain(upgraded);
    // It is nobody on a public path, and no handler finds the header.
    const { at } = await scene.send('/api/hello/open', ...lines.map(fill));
    const beside = await scene.send(
      '/api/hello/open',
      ...lines.map(fill),
      bearer(scene.jwksToken),
    );
    expect(beside.at?.principals ?? [undefined, undefined]).toEqual([
      undefined,
      undefined,
    ]);
    expect(at?.headers['x-backstage-token']).toBeUndefined();
    expect(at?.principals ?? []).not.toContain('user:default/test');
    // It ends no session.
    await scene.request('POST', '/api/auth/signs-in/logout', [
      ...lines.map(fill),
      SAME_ORIGIN,
    ]);
    expect(await scene.statusOf('/api/hello/x', inHeader(token))).toBe(200);
  });

  it.each(ALIASES)('%s is no credential', async line => {
    const { arrivals, status } = await scene.send('/api/hello/x', fill(line));
    expect([status, arrivals]).toEqual([401, 0]);
  });

  it('a trailer is no credential', async () => {
    const [answer] = await exchangeBytes(
      scene.port,
      Buffer.from(
        [
          'POST /api/hello/x HTTP/1.1',
          'Host: localhost',
          'Connection: close',
          'Transfer-Encoding: chunked',
          'Trailer: X-Backstage-Token',
          '',
          '0',
          inHeader(token),
          '',
          '',
        ].join('\r\n'),
      ),
    );
    expect(answer.status).toBe(401);
  });

  it('a header that a client names for the connection alone goes nowhere either', async () => {
    for (const target of ['/api/proxy/forward/x', '/api/proxy/open/x']) {
      const { at, status } = await scene.send(
        target,
        inHeader(token),
        'Connection: close, X-Backstage-Token, Authorization',
      );
      expect(status).toBe(200);
      expect(at!.rawHeaders.join()).not.toContain(token);
    }
  });

  it('nothing that was presented is in the log', () => {
    const lines = scene.log.filter(({ message }) =>
      message.startsWith('API gate'),
    );
    expect(lines.length).toBeGreaterThan(10);
    expect(JSON.stringify(lines)).not.toContain(token.split('.')[2]);
  });
});
