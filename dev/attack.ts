import { rawRequest } from '../src/__tests__/__testUtils__/rawRequest';
import * as credentials from '../src/__tests__/attacks/corpus/credentials';
import * as headers from '../src/__tests__/attacks/corpus/headers';
import * as paths from '../src/__tests__/attacks/corpus/paths';
import * as rules from '../src/__tests__/attacks/corpus/rules';
import { HANDLER_HEADER } from './openPlugins';

/** A request of a published bypass. The header lines hold words, such as `TOKEN`, that stand for credentials. */
interface Attack {
  /** Id of the advisory; `-` without one. */
  id: string;
  product: string;
  flaw: string;
  method: string;
  target: string;
  headers: string;
}

/** The answers to one request. */
export interface AttackResult extends Attack {
  /** Without the gate: the control, since the plugin has opened itself. */
  alone: AttackAnswer;
  /** Without the gate, of a plugin that has opened nothing, so that Backstage protects it. */
  closed: AttackAnswer;
  /** Of the same plugin as `alone`, with the gate. */
  gate: AttackAnswer;
}

interface AttackAnswer {
  /** 0: the backend closed the connection without an answer. */
  status: number;
  /** Whether a plugin's handler answered. */
  reached: boolean;
}

/** A backend that is attacked. */
export interface Target {
  port: number;
  url: string;
}

/** Credentials that only the tests can make: of the past, of a plugin, or with keys at a server of the attacker. */
const NOT_HERE = /EXPIRED|SERVICE|ATTACKER/;

/** The requests of `src/__tests__/attacks` that the tests send to a plugin which has opened itself, byte for byte. */
export const ATTACKS: Attack[] = [
  ...[...paths.CONFUSIONS, ...rules.ATTACKS].flatMap(({ targets, ...row }) =>
    targets.map(target => ({ method: 'GET', headers: '', ...row, target })),
  ),
  ...[
    ...headers.DECIDING,
    ...headers.CREDENTIALS,
    ...credentials.ATTACKS,
  ].flatMap(({ headers: lines, ...row }) =>
    lines.map(line => ({
      method: 'GET',
      target: credentials.SECRET,
      ...row,
      headers: line,
    })),
  ),
]
  .filter(({ headers: lines }) => !NOT_HERE.test(lines))
  .map(({ id, product, flaw, method, target, headers: lines }) => ({
    id,
    product,
    flaw,
    method,
    target,
    headers: lines,
  }));

/** Returns the same request to the plugin that has opened nothing. */
function aimAtClosed({ target, headers: lines, ...attack }: Attack): Attack {
  const aim = (text: string) =>
    text
      .replace(/\b(hello|docs)\b/g, 'closed')
      .replace(/\b(HELLO|DOCS)\b/g, 'CLOSED');
  return { ...attack, target: aim(target), headers: aim(lines) };
}

/** Sends each request to both backends, the next one when all have been answered. */
export async function* replay(
  alone: Target,
  gate: Target,
): AsyncGenerator<AttackResult> {
  const words = [await signIn(alone), await signIn(gate)];
  for (const each of ATTACKS) {
    const [control, closed, withGate] = await Promise.all([
      send(alone, each, words[0]),
      send(alone, aimAtClosed(each), words[0]),
      send(gate, each, words[1]),
    ]);
    yield { ...each, alone: control, closed, gate: withGate };
  }
}

/** Returns the credentials of one backend, by the words that stand for them. */
async function signIn({ url }: Target): Promise<Record<string, string>> {
  const token = await signInVisitor(url);
  const [header, payload, signature] = token.split('.');
  const decode = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString());
  const encode = (json: object) =>
    Buffer.from(JSON.stringify(json)).toString('base64url');
  const { alg, kid } = decode(header);
  const { sub, iat, exp, uip } = decode(payload);
  return {
    TOKEN: token,
    JANES: await signInVisitor(url),
    FORGED: `${header}.${payload}.AAAA${signature.slice(4)}`,
    // Anybody can derive this token from a user token.
    LIMITED: [
      encode({ typ: 'vnd.backstage.limited-user', alg, kid }),
      encode({ sub, iat, exp }),
      uip,
    ].join('.'),
  };
}

async function signInVisitor(url: string): Promise<string> {
  const response = await fetch(`${url}/api/auth/visitor/refresh`);
  return (await response.json()).backstageIdentity.token;
}

async function send(
  { port }: Target,
  { method, target, headers: lines }: Attack,
  words: Record<string, string>,
): Promise<AttackAnswer> {
  const fill = (text: string) =>
    Object.entries(words).reduce(
      (filled, [word, value]) => filled.replaceAll(word, value),
      text,
    );
  try {
    const answer = await rawRequest(port, fill(target), {
      method,
      headerLines: lines ? fill(lines).split('\r\n') : [],
    });
    return {
      status: answer.status,
      reached: HANDLER_HEADER.toLowerCase() in answer.headers,
    };
  } catch {
    return { status: 0, reached: false };
  }
}
