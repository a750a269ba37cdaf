import { tokenAt } from './tokens';

const A = tokenAt('user', 'authorization');
const H = tokenAt('user', 'header');
const C = tokenAt('user', 'cookie');
const B = tokenAt('limited user', 'userCookie');
const P = tokenAt('user', 'protocol 0');
const half = C.length / 2;
const [C0, C1] = [C.slice(0, half), C.slice(half)];

/** The lines of each header, in ISO 8859-1. */
const GRAMMAR = {
  authorization: [
    'Authorization:',
    `Authorization: Bearer ${A}`,
    `AUTHORIZATION:\tbearer   ${A} \t`,
    'authorization: Bearer upstream',
    'Authorization: Bearer',
    `Authorization: Bearer\t${A}`,
    `Authorization: Bearer ${A}, Bearer upstream`,
    `Authorization: Bearer ${A}\xe9`,
    `Authorization: Bearer \xa0${A}`,
    `Authorization: Bearer-x ${A}`,
    'Authorization: Basic YTpi',
    `Authorization: Basic ${A}`,
  ],
  'x-credential': [
    'X-Credential: ',
    `X-Credential: ${H}`,
    `X-CREDENTIAL:bearer  ${H}\t`,
    `X-Credential: ${H},${H}`,
    `X-Credential: Basic ${H}`,
    `X-Credential: ${H}\xa0`,
  ],
  cookie: [
    'Cookie:',
    `Cookie: token=${C}`,
    `COOKIE: a=1 ; \ttoken\t =\t"${C}" ;`,
    `Cookie: token=%65${C.slice(1)};a=2`,
    'Cookie: token=other',
    'Cookie: token=\t; a=%zz',
    `Cookie: token.0=${C0}; token.1=${C1}`,
    `Cookie: token.0=${C0}`,
    `Cookie: token.1=${C1};`,
    `Cookie: token.4=${C}; Token=${C}; xtoken=${C}; token; =token`,
    `Cookie: token=${C}\xa0`,
    `Cookie: a="; token=${C}"`,
    `Cookie: backstage-auth=${B}`,
    `Cookie: b="\xe9"; backstage-auth="${B}"; b=2`,
    'Cookie: backstage-auth=other',
    'Cookie: backstage-auth=',
    `Cookie: backstage-auth=\xa0${B}%20`,
  ],
  'sec-websocket-protocol': [
    'Sec-WebSocket-Protocol: ,, ',
    `Sec-WebSocket-Protocol: ${P}`,
    'SEC-WEBSOCKET-PROTOCOL: graphql-ws',
    `Sec-WebSocket-Protocol: \t${P} ,graphql-ws`,
    `Sec-WebSocket-Protocol: ${P}\xe9`,
  ],
};
type Name = keyof typeof GRAMMAR;
export const HEADERS = Object.keys(GRAMMAR) as Name[];

/**
 * Yields each list of at most so many lines of these headers. Node keeps headers of different names apart, so the lines of one name
 * are in every order, and may be repeated, and those of the next name follow them. Only of cookies are there three lines.
 */
export function* listLines(
  max: number,
  names = HEADERS,
  last?: Name,
): Generator<string[]> {
  yield [];
  for (const [i, name] of max > 0 ? names.entries() : []) {
    const isTwice = name === last && name !== 'cookie';
    const next = names.slice(isTwice ? i + 1 : i);
    for (const line of GRAMMAR[name]) {
      for (const others of listLines(max - 1, next, name)) {
        yield [line, ...others];
      }
    }
  }
}
