import { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import { parse } from 'cookie';
import type { Request } from 'express';
import { Kind, Place, State, TOKENS } from './states';
import { tokenAt } from './tokens';

/** How others than the gate read the headers of a request: Node, the package `cookie`, and Backstage's own `httpAuth`. */

/** The fields that Node sets from the raw headers of a request. */
export type Headers = Pick<
  IncomingMessage,
  'headers' | 'headersDistinct' | 'rawHeaders'
>;

const socket = new Socket();

export function readByNode(rawHeaders: string[]): Headers {
  const req = new IncomingMessage(socket);
  // Node's parser calls this method.
  Reflect.get(req, '_addHeaderLines').call(req, rawHeaders, rawHeaders.length);
  const { headers, headersDistinct } = req;
  return { headers, headersDistinct, rawHeaders };
}

/** Returns each pair of a `Cookie` header as `cookie` reads it alone. Of a whole header, it reads the first pair of each name. */
export function readByCookie(header = ''): [name: string, value: string][] {
  return header.split(';').flatMap(pair => Object.entries(parse(pair)));
}

let asked: string | undefined;
const stock = DefaultHttpAuthService.create({
  auth: {
    authenticate: async (text: string) => {
      asked = text;
    },
    getNoneCredentials: async () => {},
  } as never,
  discovery: {} as never,
  pluginId: 'here',
});

/** Returns the token that Backstage's own `httpAuth` authenticates. */
export function readByBackstage(
  headers: IncomingHttpHeaders,
  options: { allowLimitedAccess?: boolean } = {},
): string | undefined {
  asked = undefined;
  // It asks before it waits for anything.
  stock.credentials({ headers } as Request, options);
  return asked;
}

/** The texts at the places of a request, of those that hold one token. */
export interface Texts {
  header?: string;
  authorization?: string;
  cookie?: string;
  userCookie?: string;
  protocols: string[];
}

/** Returns the text of a cookie, or of its parts; `conflict` for several values or missing parts. Empty cookies are none. */
function readCookie(
  pairs: [string, string][],
  name: RegExp,
): { text?: string; isConflict?: boolean } {
  const values = new Map<string, Set<string>>();
  for (const [each, value] of pairs) {
    if (name.test(each) && value) {
      values.set(each, (values.get(each) ?? new Set()).add(value));
    }
  }
  const names = [...values.keys()].sort();
  if (names.length === 0) {
    return {};
  }
  const isWhole = names.length === 1 && !/\d$/.test(names[0]);
  const areParts = names.every((each, i) => each.endsWith(`.${i}`));
  const all = names.flatMap(each => [...values.get(each)!]);
  return (isWhole || areParts) && all.length === names.length
    ? { text: all.join('') }
    : { isConflict: true };
}

/** Returns the protocols that a request offers. */
const protocolsOf = ({ headers }: Headers) =>
  (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map(each => each.trim())
    .filter(each => each !== '');

/** Returns what a text at a place turns out to be. */
function kindOf(text: string, place: Place): Kind {
  const kinds = Object.keys(TOKENS) as Kind[];
  const user = tokenAt(place === 'userCookie' ? 'limited user' : 'user', place);
  return text.startsWith(user) && text !== user
    ? 'cut user'
    : (kinds.find(kind => tokenAt(kind, place) === text) ?? 'text');
}

/** Returns what is in an `Authorization` without a token that Backstage reads. */
function describeAuthorization(value: string) {
  const scheme = /^bearer\b/i.test(value) ? 'cut bearer' : 'basic';
  const hasUser = value.includes(tokenAt('user', 'authorization'));
  return hasUser ? (`${scheme} with user` as const) : scheme;
}

/** Finds a request's state of src/gate/README.md, and its tokens, by what others than the gate read in it. */
export function readState(
  scene: State,
  received: Headers,
): { state: State; texts: Texts } {
  const { headers, headersDistinct } = received;
  const { authorization: bearer = [], 'x-credential': own = [] } =
    headersDistinct;
  const pairs = readByCookie(headers.cookie);
  const cookie = readCookie(pairs, /^token(\.[0-3])?$/);
  const userCookie = readCookie(pairs, /^backstage-auth$/);
  // A token is what `Authorization` could hold as one, with or without the scheme.
  const [credential]: (string | undefined)[] = ['', 'Bearer '].flatMap(
    scheme => readByBackstage({ authorization: `${scheme}${own[0]}` }) ?? [],
  );
  const isOne = own.length === 1 && !credential?.includes(',');
  const texts = {
    header: isOne ? credential : undefined,
    authorization: readByBackstage(headers),
    cookie: cookie.text,
    userCookie: userCookie.text,
    protocols: protocolsOf(received),
  };
  const at = (place: 'header' | 'authorization' | 'cookie' | 'userCookie') => {
    const text = texts[place];
    return text === undefined ? undefined : kindOf(text, place);
  };
  const isOpen = ['rule', 'sign-out'].includes(scene.route);
  const isTwo = bearer.length > 1 && !isOpen;
  const other = bearer[0] ? describeAuthorization(bearer[0]) : 'absent';
  const state: State = {
    ...scene,
    header:
      scene.header &&
      (own.length > 0 ? (at('header') ?? 'malformed') : 'absent'),
    authorization: isTwo ? 'two' : (at('authorization') ?? other),
    cookie: cookie.isConflict ? 'conflict' : (at('cookie') ?? 'absent'),
    userCookie: userCookie.isConflict
      ? 'conflict'
      : (at('userCookie') ?? 'absent'),
    protocols: texts.protocols.map(each => kindOf(each, 'protocol 0')),
  };
  return { state, texts };
}
