import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';

/**
 * Makes an `httpAuth` of the app's own, in place of the gate's.
 *
 * @param header - the header with the token. Default: `Authorization`
 */
export const ownHttpAuth = (header?: string) =>
  createServiceFactory({
    service: coreServices.httpAuth,
    deps: {
      auth: coreServices.auth,
      discovery: coreServices.discovery,
      plugin: coreServices.pluginMetadata,
    },
    factory: ({ auth, discovery, plugin }) =>
      DefaultHttpAuthService.create({
        auth,
        discovery,
        pluginId: plugin.getId(),
        ...(header && {
          getTokenFromRequest: req => ({
            token: req.headers[header] as string,
          }),
        }),
      }),
  });
