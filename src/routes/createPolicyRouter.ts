import type { Config } from '@backstage/config';
import { isError } from '@backstage/errors';
import type { Request, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { omit } from 'lodash';
import { OWN_ROUTES_PATH, PAGE_PATH, POLICY_PATH } from '../http/requestLine';
import { isPageDestination } from '../http/browsers';
import { createPageErrorAnswer } from '../page/createPageErrorAnswer';
import type { Explained } from '../observability/explainInWords';
import { PAGE_HEADERS, PAGE_POLICY } from '../page/document';
import type { PolicyReport } from '../observability/describePolicy';
import { renderPage } from '../page/renderPage';
import type { RouteAccess } from './RouteAccess';

/** The errors that a browser gets as a page. In report-only, a request without a credential comes here. */
const STATUSES = new Map([
  ['AuthenticationError', 401],
  ['NotAllowedError', 403],
]);

/**
 * Creates the router for `GET` of a {@link PolicyReport}: as JSON, and as the page of the policy. Services may read it, and so may
 * operators and readers with the permission `auth.api-gate.read`.
 */
export function createPolicyRouter(options: {
  access: Pick<RouteAccess, 'requireReader'>;
  config: Config;
  describe: () => Promise<PolicyReport>;
  explain: (request: string, subject?: string) => Promise<Explained>;
}): Router {
  const { access, config, describe, explain } = options;
  const answerError = createPageErrorAnswer(config);
  // The redirect would match its own target otherwise.
  const router = PromiseRouter({ strict: true });
  router.get([POLICY_PATH, `${POLICY_PATH}/`], async (req, res) => {
    const caller = await access.requireReader(req);
    res.json(await showTo(caller, await describe()));
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
    const request = readText(req, 'request').trim();
    const subject = readText(req, 'subject').trim();
    // Both compare the configuration files, and share that.
    const [report, explained] = await Promise.all([
      describe(),
      request === '' ? undefined : explain(request, subject || undefined),
    ]);
    const page = renderPage({
      report: await showTo(caller, report),
      question: { request, subject },
      explained,
      id: readText(req, 'id').trim(),
    });
    res
      .set({ ...PAGE_HEADERS, 'Content-Security-Policy': PAGE_POLICY })
      .end(page);
  });
  return router;
}

/** Leaves out the requests that worked for a reader: a rule needs their whole paths, and a path may hold a secret. */
async function showTo(
  { isOperator }: Awaited<ReturnType<RouteAccess['requireReader']>>,
  report: PolicyReport,
): Promise<PolicyReport> {
  const { reportOnly } = report;
  return !reportOnly || (await isOperator())
    ? report
    : { ...report, reportOnly: omit(reportOnly, 'worked') };
}

/** Reads a parameter of the query. One that is there twice, or is no text, reads as empty. */
function readText({ query }: Request, name: string): string {
  const value = query[name];
  return typeof value === 'string' ? value : '';
}
