import type { Config } from '@backstage/config';
import {
  ApiGateConfig,
  CONFIG_KEY,
  readApiGateConfig,
  ReadOptions,
} from '../config/readApiGateConfig';
import { assertExpectations } from './checkExpectations';

/**
 * Reads `auth.apiGate`, and checks that its expectations hold.
 *
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readPolicyConfig(
  rootConfig: Config,
  options: ReadOptions = {},
): ApiGateConfig {
  const config = readApiGateConfig(rootConfig, options);
  const warnings = assertExpectations(config, CONFIG_KEY);
  return { ...config, warnings: [...config.warnings, ...warnings] };
}
