import type { LifecycleService } from '@backstage/backend-plugin-api';
import type { Request, RequestHandler, Response } from 'express';
import type { TargetPlugin } from '../gate/plugins/BackendPlugins';

/**
 * Waits for the start of a plugin.
 *
 * @param middleware - Backstage's own, which lets requests wait for that start
 */
export function watchStart(
  middleware: RequestHandler,
  lifecycle: LifecycleService,
): Pick<TargetPlugin, 'isUp' | 'started'> {
  let isUp = false;
  lifecycle.addShutdownHook(() => {
    isUp = false;
  });
  return {
    isUp: () => isUp,
    async started() {
      await new Promise<void>((resolve, reject) => {
        middleware({} as Request, {} as Response, error =>
          error ? reject(error) : resolve(),
        );
      });
      // Only now: a pipelined request that needs not wait would overtake the one before it.
      isUp = true;
    },
  };
}
