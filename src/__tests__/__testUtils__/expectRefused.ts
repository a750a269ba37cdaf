import type { RefusalReason } from '../../gate/Refusal';
import type { Trace } from './attackedBackend';

const CHALLENGE = 'Bearer realm="Backstage"';

/** The refusal that a request has to get. */
export interface Refused {
  /** Default 401. */
  status?: number;
  /** Default `missing-credentials`. */
  reason?: RefusalReason;
  /** Default `none`. */
  credential?: 'none' | 'bearer' | 'cookie' | 'user-cookie';
  /** Default `hello`. */
  plugin?: string;
}

/**
 * Expects that the gate refused a request and reported the refusal to the counter and to the audit, and that nothing else
 * happened.
 */
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

/** Expects that Node's parser or Express answered a request: neither the gate nor a handler saw it. */
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
