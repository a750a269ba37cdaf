/**
 * The gate for backends on the legacy system, those that call `createServiceBuilder` of `@backstage/backend-common`.
 *
 * @packageDocumentation
 */
export {
  createLegacyApiGate,
  type LegacyApiGate,
  type LegacyApiGateOptions,
} from './createLegacyApiGate';
export type { LegacyVerifiers } from './createLegacyHttpAuth';
