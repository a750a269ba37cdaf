import { createLifecycleMiddleware } from '@backstage/backend-defaults/httpRouter';
import type {
  LifecycleService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { readDurationFromConfig } from '@backstage/config';
import { durationToMilliseconds } from '@backstage/types';
import type { Request, Response } from 'express';
import type { RegisteredPlugin } from '../plugins/Plugins';

/** Returns how long Backstage lets requests wait for a plugin that starts. */
export function readStartPauseMs(config: RootConfigService): number {
  const key = 'backend.lifecycle.startupRequestPauseTimeout';
  return config.has(key)
    ? durationToMilliseconds(readDurationFromConfig(config, { key }))
    : 5_000;
}

/** Waits for a plugin as Backstage's `httpRouter` does, for {@link readStartPauseMs}. */
export function watchStart(
  config: RootConfigService,
  lifecycle: LifecycleService,
): Pick<RegisteredPlugin, 'isUp' | 'started'> {
  const middleware = createLifecycleMiddleware({ config, lifecycle });
  let isUp = false;
  lifecycle.addShutdownHook(() => {
    isUp = false;
  });
  return {
    isUp: () => isUp,
    started: () =>
      new Promise<void>((resolve, reject) => {
        middleware({} as Request, {} as Response, error => {
          isUp = !error;
          return error ? reject(error) : resolve();
        });
      }),
  };
}
