import type { Headers, Load } from './measure';
import type { ServerProcess } from './ServerProcess';
import type { Tokens } from './Tokens';
import { CATALOG_ENTITIES, OPEN_PATH, VariantName } from './variants';

const CLOSED_PATH = '/api/trivial/x';

/** The variants that a load is for, and its requests to one of them. */
export interface LoadPlan {
  variants: VariantName[];
  /** The number of requests that fill the caches anew after a pause. Default: that of all loads. */
  leadIn?: number;
  /** The number of requests before all measurements. Default: that of all loads. */
  warmUp?: number;
  /** The part of the usual number of requests, for requests that take long. Default: 1. */
  part?: number;
  create(tokens: Tokens, server: Target): Load;
}

/** The parts of a server that a load needs. */
export type Target = Pick<ServerProcess, 'url' | 'serviceToken'>;

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A browser sends its token as the gate's cookie too, so that the gate issues none. */
const browser = (token: string) => ({
  ...bearer(token),
  cookie: `token=${token}`,
});

const ACCEPTED = { path: CLOSED_PATH, status: 200 };
const REFUSED = { path: CLOSED_PATH, status: 401 };

export const loads = {
  'one bearer': {
    variants: ['no-auth', 'stock', 'gate', 'gate with 1,000 rules'],
    create(tokens, { url }) {
      const headers = bearer(tokens.user(url));
      return { ...ACCEPTED, nextHeaders: () => headers };
    },
  },
  '1,000 bearers': {
    variants: ['stock', 'gate'],
    // Else tokens that were remembered for 30 seconds are verified within the measurement, and the gate sends its cookie with the
    // first ten answers to each.
    warmUp: 10_000,
    leadIn: 1000,
    create(tokens, { url }) {
      return inTurn(1000, () => bearer(tokens.user(url)));
    },
  },
  '1,000 browsers': {
    variants: ['no-auth', 'stock', 'gate'],
    leadIn: 1000,
    create(tokens, { url }) {
      return inTurn(1000, () => browser(tokens.user(url)));
    },
  },
  'bearer and cookie': {
    variants: ['no-auth', 'gate'],
    create(tokens, { url }) {
      const headers = browser(tokens.user(url));
      return { ...ACCEPTED, nextHeaders: () => headers };
    },
  },
  cookie: {
    variants: ['gate'],
    create(tokens, { url }) {
      const headers = { cookie: `token=${tokens.user(url)}` };
      return { ...ACCEPTED, nextHeaders: () => headers };
    },
  },
  // A plugin calls another one, with a token of its own.
  'service token': {
    variants: ['stock', 'gate'],
    create(_tokens, { serviceToken }) {
      const headers = bearer(serviceToken);
      return { ...ACCEPTED, nextHeaders: () => headers };
    },
  },
  // Shows what the gate costs beside real work.
  catalog: {
    variants: ['stock with catalog', 'gate with catalog'],
    part: 0.2,
    create(tokens, { url }) {
      const headers = browser(tokens.user(url));
      return {
        path: `/api/catalog/entities?limit=${CATALOG_ENTITIES}`,
        status: 200,
        nextHeaders: () => headers,
      };
    },
  },
  'anonymous refused': {
    variants: ['stock', 'gate'],
    create: () => ({ ...REFUSED, nextHeaders: () => ({}) }),
  },
  'public path': {
    variants: ['stock', 'gate', 'gate with 1,000 rules'],
    create: () => ({
      path: `/api/trivial${OPEN_PATH}`,
      status: 200,
      nextHeaders: () => ({}),
    }),
  },
  // The gate searches them for its own, whose name each of these begins with.
  '15 KB of cookies': {
    variants: ['stock', 'gate'],
    part: 0.3,
    create: () => {
      const cookie = cookiesOf(15_000);
      return {
        path: `/api/trivial${OPEN_PATH}`,
        status: 200,
        nextHeaders: () => ({ cookie }),
      };
    },
  },
  // Each request has another token.
  'bad signatures': {
    variants: ['stock', 'gate'],
    create: (tokens, { url }) => ({
      ...REFUSED,
      nextHeaders: () => bearer(tokens.forgedUser(url)),
    }),
  },
} satisfies Record<string, LoadPlan>;

export type LoadName = keyof typeof loads;

/** Returns as many cookies as fit into a header, each with a name of its own. */
function cookiesOf(bytes: number): string {
  let header = '';
  for (let i = 0; header.length < bytes - 20; i++) {
    header += `token${i.toString(36)}=1; `;
  }
  return header;
}

/** Sends the headers of a number of clients in turn. */
export function inTurn(clients: number, create: () => Headers): Load {
  const all = Array.from({ length: clients }, create);
  let i = 0;
  return { ...ACCEPTED, nextHeaders: () => all[i++ % clients] };
}

/** Sends each request with a service token of another plugin, none of which exists. */
export function unknownServices(tokens: Tokens): Load {
  return {
    ...REFUSED,
    // The gate can't determine whether a plugin exists once the limit of probes is reached.
    otherStatus: 503,
    nextHeaders: () => bearer(tokens.unknownService()),
  };
}

/** Sends each request with another valid token. */
export function everNewBearers(tokens: Tokens, serverUrl: string): Load {
  return { ...ACCEPTED, nextHeaders: () => bearer(tokens.user(serverUrl)) };
}
