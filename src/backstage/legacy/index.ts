/**
 * The gate for backends on the legacy system, those that call `createServiceBuilder` of `@backstage/backend-common`.
 *
 * @packageDocumentation
 */
export { createLegacyApiGate, type LegacyApiGate } from './createLegacyApiGate';
export type { LegacyApiGateOptions } from './createLegacyPlugins';
