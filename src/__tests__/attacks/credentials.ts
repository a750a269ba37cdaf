import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { attackedTokens } from '../__testUtils__/attackedTokens';
import { expectRefused } from '../__testUtils__/expectRefused';
import { ATTACKS, SECRET, STATIC } from './corpus/credentials';

const backend = useAttackedBackend();

describe('[P6] credentials', () => {
  let fill: Awaited<ReturnType<typeof attackedTokens>>;

  beforeAll(async () => {
    fill = await attackedTokens(backend());
  });

  const attempt = (
    target: string,
    headers: string,
    method = 'GET',
    body = '',
  ) =>
    backend().attempt({
      method,
      target: fill(target),
      headerLines: fill(headers).split('\r\n'),
      body: fill(body),
    });

  it.each([
    ['Authorization: Bearer TOKEN', SECRET, 'hello', 'bearer'],
    ['Cookie: token=TOKEN', SECRET, 'hello', 'cookie'],
    ['Authorization:\r\nCookie: token=TOKEN', SECRET, 'hello', 'cookie'],
    ['Authorization: Bearer SERVICE', SECRET, 'hello', 'bearer'],
    ['Cookie: backstage-auth=LIMITED', STATIC, 'docs', 'user-cookie'],
    ['Cookie: token=; backstage-auth=LIMITED', STATIC, 'docs', 'user-cookie'],
  ])('%j passes (P2, P5, P6)', async (headers, target, plugin, kind) => {
    const { response, handled, counted } = await attempt(target, headers);
    expect(response.status).toBe(200);
    expect(handled).toHaveLength(1);
    expect(counted).toEqual([`${plugin} passed ${kind} ${kind}`]);
  });

  it.each([
    'Sec-Fetch-Site: same-origin',
    'Origin: http://localhost:3000',
    'X: y',
  ])('POST with the cookie and "%s" passes (P5)', async header => {
    const { response, handled } = await attempt(
      SECRET,
      `Cookie: token=TOKEN\r\n${header}`,
      'POST',
    );
    expect(response.status).toBe(200);
    expect(handled).toEqual(['hello POST /secret']);
  });

  describe.each(ATTACKS)(
    '$id, $product: $flaw ($rows)',
    ({ headers, method = 'GET', target = SECRET, refused }) => {
      it.each(headers)(`${method} ${target} with %j`, async lines => {
        expectRefused(await attempt(target, lines, method), method, refused);
      });
    },
  );

  it('RFC 6750, 2.2: a token in the body is not accepted (J6)', async () => {
    for (const [type, body] of [
      ['application/x-www-form-urlencoded', 'access_token=TOKEN&token=TOKEN'],
      ['application/json', '{"access_token":"TOKEN","token":"TOKEN"}'],
    ]) {
      expectRefused(
        await attempt(SECRET, `Content-Type: ${type}`, 'POST', body),
        'POST',
      );
    }
  });

  it("a bearer token beside another user's cookie authenticates the request, and replaces the cookie (P2, A4)", async () => {
    const { response } = await attempt(
      SECRET,
      'Authorization: Bearer TOKEN\r\nCookie: token=JANES',
    );
    expect(response.status).toBe(200);
    expect(response.headers['set-cookie']).toContain(fill('token=TOKEN;'));
    const { headers, user } = backend().hello.handled.at(-1)!;
    expect(user).toMatchObject({
      identity: { userEntityRef: 'user:default/test' },
    });
    expect(headers.cookie).toBeUndefined();
  });

  it('another site can neither sign a browser in as somebody else, nor out (A4, J8)', async () => {
    const evil = 'Origin: http://evil.example\r\nSec-Fetch-Site: cross-site';
    const signIn = await attempt(
      SECRET,
      `Authorization: Bearer JANES\r\n${evil}`,
      'POST',
    );
    expect(signIn.response.headers['set-cookie']).toBeUndefined();
    expectRefused(
      await attempt(
        '/api/auth/signs-in/logout',
        `Cookie: token=TOKEN\r\n${evil}`,
        'POST',
      ),
      'POST',
      {
        plugin: 'auth',
        status: 403,
        reason: 'cross-site',
        credential: 'cookie',
      },
    );
    const { response } = await attempt(SECRET, 'Cookie: token=TOKEN');
    expect(response.status).toBe(200);
  });
});
