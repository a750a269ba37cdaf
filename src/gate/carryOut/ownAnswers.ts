import { isCookieEndpoint } from '../read/requestLine';
import { isPluginKeys } from '../rules/classifyRoute';
import type { Passed } from '../decide';
import type { ExpressRequest, GateRequest } from '../read/GateRequest';

// Keys and sign-out calls need no credential. Where no router of Backstage's serves them, any handler could receive them, with any
// query and body. The gate answers there instead.

/** Returns the answer to a request for a plugin's keys; `undefined` for one that goes on. */
export async function answerKeys({
  method,
  path,
  plugin,
  policy,
}: GateRequest): Promise<Passed['answer']> {
  if (plugin.servedBy || !policy.isEnforced || !isPluginKeys(method, path)) {
    return undefined;
  }
  const keys = await plugin.publicKeys();
  return keys ? { status: 200, body: { keys } } : { status: 404 };
}

/** Returns the answer to a sign-out call; `undefined` for one that goes on. */
export async function answerSignOut(
  { path, plugin, policy, res, services }: ExpressRequest,
  hasCredential: boolean,
): Promise<Passed['answer']> {
  if (plugin.servedBy === 'backstage' || !isCookieEndpoint(path)) {
    return undefined;
  }
  if (hasCredential || !policy.isEnforced) {
    await plugin.started();
    return undefined;
  }
  // Backstage's router answers the same: without a credential, a caller cannot find out which plugins are installed.
  await services.plugins.clearUserCookie(res);
  return { status: 204 };
}
