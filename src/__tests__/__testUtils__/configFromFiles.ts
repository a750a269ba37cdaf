import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ConfigSource, ConfigSources } from '@backstage/config-loader';

/**
 * Gives a backend the configuration of files, and follows them as Backstage's own factory does, which never stops.
 *
 * @param argv - the command line that names the files
 * @param onStarted - is called with what stops it
 */
export const configFromFiles = (
  argv: string[],
  onStarted: (watch: { stop(): void }) => void,
) => configFromSource(ConfigSources.default({ argv, watch: true }), onStarted);

/** Gives a backend the configuration of a source, and follows it: see {@link configFromFiles}. */
export function configFromSource(
  source: ConfigSource,
  onStarted: (watch: { stop(): void }) => void,
) {
  return createServiceFactory({
    service: coreServices.rootConfig,
    deps: {},
    async factory() {
      const config = await ConfigSources.toConfig(source);
      onStarted({ stop: () => config.close() });
      return config;
    },
  });
}
