import { createRequire } from 'node:module';
import { FeatureId, findMissingFeatures } from './releaseFeatures';

export const loadOfBackend = createRequire(__filename);

/**
 * The features that this release of Backstage lacks. The package's entry point imports this module before all others, which use
 * Backstage's exports as they load.
 */
export const missingInBackstage = findMissingFeatures(loadOfBackend);

export function isMissing(feature: FeatureId): boolean {
  return missingInBackstage.some(({ id }) => id === feature);
}
