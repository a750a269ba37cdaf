import type { JsonObject } from '@backstage/types';

/** The configuration that a test file replaces to run all attacks with other settings. */
export const attackedSettings = {
  /** Settings of `auth.apiGate`, besides the rules. */
  apiGate: {} as JsonObject,
  backend: {} as JsonObject,
};
