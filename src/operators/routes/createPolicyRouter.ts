import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Config } from '@backstage/config';
import { isError } from '@backstage/errors';
import type { Request, Response, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { mapValues, sumBy } from 'lodash';
import {
  OWN_ROUTES_PATH,
  PAGE_PATH,
  POLICY_PATH,
} from '../../gate/read/requestLine';
import { isPageDestination } from '../../gate/read/browsers';
import { createPageErrorAnswer } from '../page/createPageErrorAnswer';
import type { Explained } from '../reports/explainInWords';
import { PAGE_HEADERS } from '../page/document';
import { FIELDS } from '../page/parts';
import type { ReportAnswers } from './ReportAnswers';
import type { RouteAccess } from './RouteAccess';

/** The errors that a browser gets as a page. In report-only, a request without a credential comes here. */
const STATUSES = new Map([
  ['AuthenticationError', 401],
  ['NotAllowedError', 403],
]);

/**
 * Creates the router for `GET` of the policy report: as JSON, and as the page of the policy. Services may read it, and so may
 * operators and readers with the permission `auth.api-gate.read`.
 */
export function createPolicyRouter(options: {
  access: Pick<RouteAccess, 'requireReader'>;
  config: Config;
  /** Returns the answers of a report that may be shared with other readers. */
  read: () => Promise<ReportAnswers>;
  explain: (request: string, subject: string) => Promise<Explained>;
}): Router {
  const { access, config, explain, read } = options;
  const answerError = createPageErrorAnswer(config);
  // The redirect would match its own target otherwise.
  const router = PromiseRouter({ strict: true });
  router.get([POLICY_PATH, `${POLICY_PATH}/`], async (req, res) => {
    const caller = await access.requireReader(req);
    const body = await (await read()).json(caller);
    send(res.type('json'), await compress(req, res, body));
  });
  router.get(OWN_ROUTES_PATH, (_req, res) => {
    res.redirect(PAGE_PATH.slice(1));
  });
  router.get(PAGE_PATH, async (req, res) => {
    let caller: Awaited<ReturnType<RouteAccess['requireReader']>>;
    try {
      caller = await access.requireReader(req);
    } catch (error) {
      const status = isError(error) ? STATUSES.get(error.name) : undefined;
      if (!status || !isPageDestination(req)) {
        throw error;
      }
      answerError(res, { status, message: (error as Error).message });
      return;
    }
    const asked = mapValues(FIELDS, (_, name) => readText(req, name));
    const { request, subject } = asked;
    const explained = request ? await explain(request, subject) : undefined;
    const page = await (await read()).page(caller, { ...asked, explained });
    res.set(PAGE_HEADERS);
    const isShared = Object.values(asked).every(text => text === '');
    send(res, isShared ? await compress(req, res, page) : page);
  });
  return router;
}

const compressed = new WeakMap<readonly Buffer[], Promise<Buffer[]>>();

/** Compresses a body if the client accepts gzip, once for all readers of that body. zlib runs on threads of its own. */
async function compress(
  req: Request,
  res: Response,
  body: readonly Buffer[],
): Promise<readonly Buffer[]> {
  if (req.acceptsEncodings('gzip', 'identity') !== 'gzip') {
    return body;
  }
  let parts = compressed.get(body);
  if (!parts) {
    const whole = promisify(gzip)(Buffer.concat(body), { level: 1 });
    parts = whole.then(each => [each]);
    compressed.set(body, parts);
  }
  await parts;
  res.set('Content-Encoding', 'gzip');
  return parts;
}

/**
 * Sends a body of a megabyte without what would take most of the time and is done anew for each reader: a copy, an ETag, for which
 * Express hashes it, and Backstage's compression.
 */
function send(res: Response, parts: readonly Buffer[]): void {
  res.set('Cache-Control', 'no-store, no-transform');
  res.set('Content-Length', String(sumBy(parts, 'length')));
  for (const part of parts) {
    res.write(part);
  }
  res.end();
}

/** Reads a parameter of the query. One that is there twice, or is no text, reads as empty. */
function readText({ query }: Request, name: string): string {
  const value = query[name];
  return typeof value === 'string' ? value.trim() : '';
}
