import type { FeatureId } from '../../backstage/releaseFeatures';

/** Returns whether the tests run as on a release without a feature: see `npm run test:reduced`. */
export function lacksFeature(id: FeatureId): boolean {
  const { API_GATE_TEST_WITHOUT = '' } = process.env;
  return API_GATE_TEST_WITHOUT.split(',').includes(id);
}
