import type { Config } from '@backstage/config';
import { isError } from '@backstage/errors';
import type { Router } from 'express';
import PromiseRouter from 'express-promise-router';
import {
  OWN_ROUTES_PATH,
  PAGE_PATH,
  POLICY_PATH,
} from '../../gate/read/requestLine';
import { isPageDestination } from '../../gate/read/browsers';
import { createPageErrorAnswer } from '../page/createPageErrorAnswer';
import { PAGE_HEADERS } from '../page/document';
import { renderPage } from '../page/renderPage';
import type { PolicyReport } from '../reports/createPolicyReport';
import type { RouteAccess } from './RouteAccess';

/** The errors that a browser gets as a page. In report-only, a request without a credential comes here. */
const STATUSES = new Map([
  ['AuthenticationError', 401],
  ['NotAllowedError', 403],
]);

/**
 * Creates the router for `GET` of the policy report: as JSON, and as the page of the policy. Services may read it, and so may
 * operators with the permission `auth.api-gate.read`.
 */
export function createPolicyRouter(options: {
  access: Pick<RouteAccess, 'requireOperator'>;
  config: Config;
  readReport: () => Promise<PolicyReport>;
}): Router {
  const { access, config, readReport } = options;
  const answerError = createPageErrorAnswer(config);
  // The redirect would match its own target otherwise.
  const router = PromiseRouter({ strict: true });
  router.get([POLICY_PATH, `${POLICY_PATH}/`], async (req, res) => {
    await access.requireOperator(req);
    res.set('Cache-Control', 'no-store').json(await readReport());
  });
  router.get(OWN_ROUTES_PATH, (_req, res) => {
    res.redirect(PAGE_PATH.slice(1));
  });
  router.get(PAGE_PATH, async (req, res) => {
    try {
      await access.requireOperator(req);
    } catch (error) {
      const status = isError(error) ? STATUSES.get(error.name) : undefined;
      if (!status || !isPageDestination(req)) {
        throw error;
      }
      answerError(res, { status, message: (error as Error).message });
      return;
    }
    res.set(PAGE_HEADERS).send(`${renderPage(await readReport())}`);
  });
  return router;
}
