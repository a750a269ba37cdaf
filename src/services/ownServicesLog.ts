import type { RootLoggerService } from '@backstage/backend-plugin-api';

/** What the gate lacks where a backend has one of these services itself. Every request is decided all the same. */
const LOSSES = {
  httpRouter:
    'the policy does not list what plugins open in code, and nothing checks a second time in front of their routes',
  httpAuth: 'the tokens of users and services are verified with each request',
};

/**
 * Creates the log of services that the backend has in place of the gate's. All plugins share it: each line is logged once, and
 * names what to set in Red Hat Developer Hub, where a dynamic plugin replaces no service without being allowed to.
 */
export function createOwnServicesLog(rootLogger: RootLoggerService) {
  const logger = rootLogger.child({ service: 'apiGate' });
  const logged = new Set<string>();

  return (isOwn: Record<keyof typeof LOSSES, boolean>): void => {
    const own = (['httpRouter', 'httpAuth'] as const).filter(id => isOwn[id]);
    const key = own.join();
    if (!key || logged.has(key)) {
      return;
    }
    logged.add(key);
    const services = `${own.join(' and ')} service${own.length > 1 ? 's' : ''}`;
    const losses = own.map(id => LOSSES[id]).join(', and ');
    const variables = own
      .map(id => `ENABLE_CORE_${id.toUpperCase()}_OVERRIDE=true`)
      .join(' and ');
    const line = `API gate decides every request, but this backend has its own ${services}: ${losses}. In Red Hat Developer Hub, set ${variables}`;
    logger[isOwn.httpRouter ? 'warn' : 'info'](line);
  };
}
