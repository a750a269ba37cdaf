import { pluginTokenHandlerDecoratorServiceRef } from '@backstage/backend-defaults/auth';
import { createServiceFactory } from '@backstage/backend-plugin-api';
import { Refusal } from '../gate/Refusal';
import { apiGateServiceRef } from './apiGateService';

/**
 * Keeps Backstage from fetching keys for each plugin that a service token names, whoever verifies that token: handlers of
 * public paths do so too, such as the `auth` plugin's `/v1/userinfo`. An app that brings its own decorator has that one, and
 * this bound at the gate only.
 */
export const pluginTokenGuardServiceFactory = createServiceFactory({
  service: pluginTokenHandlerDecoratorServiceRef,
  deps: { gate: apiGateServiceRef },
  factory:
    ({ gate }) =>
    handler => ({
      async verifyToken(token) {
        const { claims } = gate.tokens.read(token);
        try {
          await gate.keyEndpoints.assertCallerKnown(claims);
        } catch (error) {
          throw error instanceof Refusal ? error.error : error;
        }
        return handler.verifyToken(token);
      },
      issueToken: options => handler.issueToken(options),
    }),
});
