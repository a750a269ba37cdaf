import type { RefusalReason } from '../gate/Decision';
import type { Trace } from './attackedBackend';

const CHALLENGE = 'Bearer realm="Backstage"';

/** How a request has to be refused. */
export interface Refused {
  /** Default 401. */
  status?: number;
  /** Default `missing-credentials`. */
  reason?: RefusalReason;
  /** Default `none`. */
  credential?: 'none' | 'bearer' | 'cookie' | 'stock-cookie';
  /** Default `hello`. */
  plugin?: string;
}

/** That the gate has refused a request, told it to the counter and to the audit, and that nothing else came of it. */
export function expectRefused(
  { response, ...others }: Trace,
  method: string,
  {
    status = 401,
    reason = 'missing-credentials',
    credential = 'none',
    plugin = 'hello',
  }: Refused = {},
): void {
  expect({
    status: response.status,
    challenge: response.headers['www-authenticate'],
    ...others,
  }).toEqual({
    status,
    challenge: challengeOf(status, reason),
    handled: [],
    counted: [`${plugin} refused ${reason} ${credential}`],
    audited: [`${plugin} ${reason} ${method}`],
    fetched: [],
  });
}

/** That a request got no further than Node's parser or Express: the gate was not asked, and nobody else was. */
export function expectUnroutable(
  { response, ...others }: Trace,
  status: number,
): void {
  expect({ status: response.status, ...others }).toEqual({
    status,
    handled: [],
    counted: [],
    audited: [],
    fetched: [],
  });
}

function challengeOf(status: number, reason: string): string | undefined {
  switch (status) {
    case 401:
      return reason === 'missing-credentials'
        ? CHALLENGE
        : `${CHALLENGE}, error="invalid_token"`;
    case 400:
      return `${CHALLENGE}, error="invalid_request"`;
    default:
      return undefined;
  }
}
