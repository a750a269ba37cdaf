import type { AttackedBackend } from './attackedBackend';

/**
 * Creates the tokens that the corpora of credentials and headers name, and `ATTACKER`, the host of the attacker's server.
 *
 * @param sub - the user whom they are of, but for `JANES` and `SERVICE`. Default: that of the key
 * @returns a function that writes them into a text in place of their names
 */
export async function attackedTokens(
  { attacker, docs, sign }: AttackedBackend,
  claims: { sub?: string } = {},
): Promise<(text: string) => string> {
  const token = await sign(claims);
  const [header, payload, signature] = token.split('.');
  const { sub, iat, exp, uip } = JSON.parse(
    Buffer.from(payload, 'base64url').toString(),
  );
  const encode = (json: object) =>
    Buffer.from(JSON.stringify(json)).toString('base64url');
  const { kid, alg } = JSON.parse(Buffer.from(header, 'base64url').toString());
  const { token: acting } = await docs.auth.getPluginRequestToken({
    onBehalfOf: await docs.auth.authenticate(token),
    targetPluginId: 'hello',
  });
  const values = {
    TOKEN: token,
    JANES: await sign({ sub: 'user:default/jane' }),
    FORGED: `${header}.${payload}.AAAA${signature.slice(4)}`,
    EXPIRED: await sign({ ...claims, exp: iat - 1 }),
    // Anybody can derive this token from a user token.
    LIMITED: [
      encode({ typ: 'vnd.backstage.limited-user', alg, kid }),
      encode({ sub, iat, exp }),
      uip,
    ].join('.'),
    ACTING: acting,
    SERVICE: await docs.tokenFor('hello'),
    ATTACKER: new URL(attacker.url).host,
  };
  return text =>
    Object.entries(values).reduce(
      (filled, [name, value]) => filled.replaceAll(name, value),
      text,
    );
}
