import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { tokenOf } from '../gate/read/token';
import { CachingHttpAuth } from '../gate/verify/CachingHttpAuth';
import { apiGateServiceRef } from './apiGateService';

/**
 * Backstage's own `httpAuth` over an `auth` that remembers the tokens it has verified. The barrier behind the gate and the
 * handlers of plugins use it as well. An app that brings its own has that one, and no cache.
 */
export const cachingHttpAuthServiceFactory = createServiceFactory({
  service: coreServices.httpAuth,
  deps: {
    gate: apiGateServiceRef,
    auth: coreServices.auth,
    discovery: coreServices.discovery,
    plugin: coreServices.pluginMetadata,
  },
  factory({ gate, auth, discovery, plugin }) {
    const pluginId = plugin.getId();
    const { tokens } = gate;
    const httpAuth = DefaultHttpAuthService.create({
      auth: tokens.wrap(auth, pluginId),
      discovery,
      pluginId,
      getTokenFromRequest: req => ({ token: tokenOf(req) }),
    });
    return new CachingHttpAuth(httpAuth, tokens, pluginId);
  },
});
