import type { RootLoggerService } from '@backstage/backend-plugin-api';

/** What the gate lacks where a backend has its own service. */
const LOSSES = {
  httpRouter:
    'the policy does not list what plugins open in code, and no second check is in front of their routes',
  httpAuth: 'verified tokens are not remembered',
};

/**
 * Creates the log of the services that a backend has in place of the gate's. All plugins share it, and each line is logged once. The
 * line names what to set in Red Hat Developer Hub, where a dynamic plugin replaces a service only if a variable allows it.
 */
export function createOwnServicesLog(rootLogger: RootLoggerService) {
  const logger = rootLogger.child({ service: 'apiGate' });
  const logged = new Set<string>();

  return (isOwn: Record<keyof typeof LOSSES, boolean>): void => {
    const own = (['httpRouter', 'httpAuth'] as const).filter(id => isOwn[id]);
    if (own.length === 0) {
      return;
    }
    const services = `${own.join(' and ')} service${own.length > 1 ? 's' : ''}`;
    const losses = own.map(id => LOSSES[id]).join('; ');
    const variables = own
      .map(id => `ENABLE_CORE_${id.toUpperCase()}_OVERRIDE=true`)
      .join(' and ');
    const line = `API gate decides every request, but this backend has its own ${services}: ${losses}. In Red Hat Developer Hub, set ${variables}`;
    if (!logged.has(line)) {
      logged.add(line);
      logger[isOwn.httpRouter ? 'warn' : 'info'](line);
    }
  };
}
