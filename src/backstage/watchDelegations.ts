import type {
  AuthService,
  BackstageServicePrincipal,
} from '@backstage/backend-plugin-api';
import type { GateReport } from '../operators/reports/GateReport';

/**
 * Reports which plugins the handlers of a plugin call for an external token. Backstage signs such a call as one of the calling plugin,
 * so that the plugin that is called does not see whose request was the cause.
 *
 * The restrictions of a token have to name its plugins since backend-defaults 0.17.8, and those alone: Backstage checks the credentials
 * with which a handler asks for a token, within the request or later. What the called plugin calls in turn has the credentials of a plugin,
 * which have no restrictions.
 */
export function watchDelegations(
  auth: AuthService,
  observer: Pick<GateReport, 'externalTokenDelegated'>,
): void {
  const { getPluginRequestToken } = auth;
  const watched: typeof getPluginRequestToken = options => {
    const principal = options?.onBehalfOf?.principal as
      Partial<BackstageServicePrincipal> | undefined;
    // Callers in JavaScript may have left out any of these. Backstage judges that.
    if (
      principal?.type === 'service' &&
      typeof principal.subject === 'string' &&
      !principal.subject.startsWith('plugin:') &&
      typeof options.targetPluginId === 'string'
    ) {
      const { onBehalfOf, targetPluginId } = options;
      observer.externalTokenDelegated(
        principal.subject,
        targetPluginId,
        isCopy(onBehalfOf),
      );
    }
    return getPluginRequestToken.call(auth, options);
  };
  // An `auth` service of the app's own may be frozen, and is not watched then.
  Reflect.set(auth, 'getPluginRequestToken', watched);
}

/**
 * Returns whether credentials were copied by `JSON` or `...`, as the scaffolder does for a task. The copy lacks the hidden properties, and so
 * the restrictions of the plugins that may be called: Backstage then refuses every call for a restricted token.
 */
function isCopy(credentials: object): boolean {
  return (
    Object.keys(credentials).length ===
    Object.getOwnPropertyNames(credentials).length
  );
}
