import type { Response } from 'express';
import type { BackendPlugins } from '../credentials/BackendPlugins';
import type { Passed } from '../decision/Decision';
import { isCookieEndpoint } from '../http/backstagePaths';
import { isPluginKeys } from '../policy/classifyRoute';
import { MaybePromise, then } from '../util/then';
import type { ExpressRequest } from './GateRequest';

type Answer = Required<Passed>['answer'];

// Keys and sign-out calls need no credential. Where no router of Backstage's serves them, any handler could receive them, with any
// query and body. The gate answers there instead.

/** Returns the answer to a request for a plugin's keys; `undefined` for one that goes on. */
export function answerKeys({
  method,
  path,
  plugin,
  policy,
}: ExpressRequest): MaybePromise<Answer | undefined> {
  if (
    plugin.servedBy ||
    !policy.isEnforced ||
    !isPluginKeys(method, path ?? '')
  ) {
    return undefined;
  }
  return then(plugin.publicKeys(), keys =>
    keys ? { status: 200, body: { keys } } : { status: 404 },
  );
}

/** Returns the answer to a sign-out call; `undefined` for one that goes on. */
export async function answerSignOut(
  { path, plugin, policy, res }: ExpressRequest,
  hasCredential: boolean,
  plugins: Pick<BackendPlugins, 'clearUserCookie'>,
): Promise<Answer | undefined> {
  if (plugin.servedBy === 'backstage' || !isCookieEndpoint(path ?? '')) {
    return undefined;
  }
  if (hasCredential || !policy.isEnforced) {
    await plugin.started();
    return undefined;
  }
  // Backstage's router answers the same: without a credential, a caller cannot find out which plugins are installed.
  await plugins.clearUserCookie(res);
  return { status: 204 };
}

/** Answers a request; the result stands for no arguments of `next`. */
export function sendAnswer(res: Response, { status, body }: Answer): undefined {
  res.status(status);
  if (body) {
    res.json(body);
  } else {
    res.end();
  }
}
