import {
  createExternalTokenHandler,
  externalTokenHandlersServiceRef,
} from '@backstage/backend-defaults/auth';
import { createServiceFactory } from '@backstage/backend-plugin-api';

/**
 * Creates a handler of the adopter's own, for entries of `backend.auth.externalAccess` with the type `own`.
 *
 * @param subjectOf - returns the subject of a token; `undefined` for a token that is not the handler's
 */
export const ownTokenHandler = (
  subjectOf: (token: string) => string | undefined,
) =>
  createServiceFactory({
    service: externalTokenHandlersServiceRef,
    deps: {},
    factory: () =>
      createExternalTokenHandler<undefined>({
        type: 'own',
        initialize: () => undefined,
        verifyToken: async token => {
          const subject = subjectOf(token);
          return subject === undefined ? undefined : { subject };
        },
      }),
  });
