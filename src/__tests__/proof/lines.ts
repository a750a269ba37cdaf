import { tokenAt } from './tokens';

const A = tokenAt('user', 'authorization');
const H = tokenAt('user', 'header');
const C = tokenAt('user', 'cookie');
const B = tokenAt('limited user', 'userCookie');
const P = tokenAt('user', 'protocol 0');
const half = C.length / 2;
const [C0, C1] = [C.slice(0, half), C.slice(half)];

/** The lines of a header, as bytes of ISO 8859-1. Of each header there is at least one usual line, and one without a value. */
const GRAMMAR: string[][] = [
  [
    `Authorization: Bearer ${A}`,
    `AUTHORIZATION:\tbearer   ${A} \t`,
    'authorization: Bearer upstream',
    'Authorization:',
    'Authorization: Bearer',
    `Authorization: Bearer\t${A}`,
    `Authorization: Bearer ${A} ${A}`,
    `Authorization: Bearer ${A}, Bearer upstream`,
    `Authorization: Bearer ${A}\xe9`,
    `Authorization: Bearer \xa0${A}`,
    `Authorization: Bearer-x ${A}`,
    'Authorization: Basic YTpi',
    `Authorization: Basic ${A}`,
  ],
  [
    `X-Credential: ${H}`,
    `X-CREDENTIAL:bearer  ${H}\t`,
    'X-Credential: ',
    `X-Credential: ${H},${H}`,
    `X-Credential: Basic ${H}`,
    `X-Credential: ${H}\xe9`,
    `X-Credential: \xa0${H}`,
  ],
  [
    'Cookie:',
    `Cookie: token=${C}`,
    `COOKIE: a=1 ; \ttoken="${C}"`,
    `Cookie: token=%65${C.slice(1)};a=2`,
    'Cookie: token=other',
    'Cookie: token=; a=%zz',
    `Cookie: token.0=${C0}; token.1=${C1}`,
    `Cookie: token.0=${C0}`,
    `Cookie: token.1=${C1};`,
    `Cookie: token.4=${C}; Token=${C}; xtoken=${C}; token; =token`,
    `Cookie: token \t=${C}`,
    `Cookie: token=${C}\xa0`,
    `Cookie: a="; token=${C}"`,
    `Cookie: backstage-auth=${B}`,
    `Cookie: b="\xe9"; backstage-auth="${B}"; b=2`,
    'Cookie: backstage-auth=other',
    'Cookie: backstage-auth=',
    `Cookie: backstage-auth=${B}\xa0`,
    `Cookie: backstage-auth=\xa0${B}%20`,
  ],
  [
    `Sec-WebSocket-Protocol: ${P}`,
    'SEC-WEBSOCKET-PROTOCOL: graphql-ws',
    `Sec-WebSocket-Protocol: \t${P} ,graphql-ws`,
    'Sec-WebSocket-Protocol: ,, ',
    `Sec-WebSocket-Protocol: ${P}\xe9`,
  ],
];

/**
 * Yields each list of at most so many lines. Node keeps headers of different names apart, so lines of one name are in every order,
 * and may be repeated, and those of the next name follow them.
 */
export function* sets(max: number, from = 0): Generator<string[]> {
  yield [];
  for (let name = from; max > 0 && name < GRAMMAR.length; name += 1) {
    for (const line of GRAMMAR[name]) {
      for (const others of sets(max - 1, name)) {
        yield [line, ...others];
      }
    }
  }
}
