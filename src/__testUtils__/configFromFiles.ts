import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ConfigSources } from '@backstage/config-loader';

/**
 * Gives a backend the configuration of files, and follows them as Backstage's own factory does, which never stops.
 *
 * @param argv - the command line that names the files
 * @param onStarted - is called with what stops it
 */
export function configFromFiles(
  argv: string[],
  onStarted: (watch: { stop(): void }) => void,
) {
  return createServiceFactory({
    service: coreServices.rootConfig,
    deps: {},
    async factory() {
      const config = await ConfigSources.toConfig(
        ConfigSources.default({ argv, watch: true }),
      );
      onStarted({ stop: () => config.close() });
      return config;
    },
  });
}
