import type { JsonObject } from '@backstage/types';

/** Settings of `auth.apiGate` that a test file replaces to run all attacks with them. */
export const attackedSettings: JsonObject = {};
