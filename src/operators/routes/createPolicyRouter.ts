import type { Config } from '@backstage/config';
import { isError } from '@backstage/errors';
import type { Request, Response, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { isEmpty, mapValues } from 'lodash';
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
    const isZipped = acceptsGzip(req);
    const body = await (await read()).answer(caller, isZipped);
    send(res.type('json'), body, isZipped);
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
    // An answer to a question is for one reader, and small.
    const isZipped = Object.values(asked).every(isEmpty) && acceptsGzip(req);
    const question = { ...asked, explained };
    const page = await (await read()).answer(caller, isZipped, question);
    send(res.set(PAGE_HEADERS), page, isZipped);
  });
  return router;
}

function acceptsGzip(req: Request): boolean {
  return req.acceptsEncodings('gzip', 'identity') === 'gzip';
}

/**
 * Sends a body of a megabyte without what would take most of the time and is done anew for each reader: an ETag, for which Express hashes it,
 * and Backstage's compression.
 */
function send(res: Response, body: Buffer, isZipped: boolean): void {
  if (isZipped) {
    res.set('Content-Encoding', 'gzip');
  }
  res.set('Cache-Control', 'no-store, no-transform');
  res.set('Content-Length', String(body.length));
  res.end(body);
}

/** Reads a parameter of the query. One that is there twice, or is no text, reads as empty. */
function readText({ query }: Request, name: string): string {
  const value = query[name];
  return typeof value === 'string' ? value.trim() : '';
}
