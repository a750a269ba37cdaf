import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import {
  coreServices,
  createServiceFactory,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import { tokenOf } from '../gate/read/token';

const made = new WeakSet<HttpAuthService>();

/** Returns whether an `httpAuth` is the gate's, and reads the token that the gate has bound to a request. */
export const readsBoundTokens = (httpAuth: HttpAuthService): boolean =>
  made.has(httpAuth);

/**
 * Backstage's own `httpAuth`, which reads the token that the gate has bound to a request in place of `Authorization`. The barrier behind
 * the gate and the handlers of plugins use it. An app that brings its own has that one, and no credential header.
 */
export const httpAuthServiceFactory = createServiceFactory({
  service: coreServices.httpAuth,
  deps: {
    auth: coreServices.auth,
    discovery: coreServices.discovery,
    plugin: coreServices.pluginMetadata,
  },
  factory({ auth, discovery, plugin }) {
    const httpAuth = DefaultHttpAuthService.create({
      auth,
      discovery,
      pluginId: plugin.getId(),
      getTokenFromRequest: req => ({ token: tokenOf(req) }),
    });
    made.add(httpAuth);
    return httpAuth;
  },
});
