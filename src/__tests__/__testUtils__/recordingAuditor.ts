import { DefaultAuditorService } from '@backstage/backend-defaults/auditor';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';

/** Creates Backstage's auditor, which keeps its events in a list. */
export const recordingAuditor = (events: object[]) =>
  createServiceFactory({
    service: coreServices.auditor,
    deps: {
      auth: coreServices.auth,
      httpAuth: coreServices.httpAuth,
      plugin: coreServices.pluginMetadata,
    },
    factory: deps =>
      DefaultAuditorService.create(event => {
        events.push(event);
      }, deps),
  });

/** Returns the meta of the denials among the events. */
export const denialsIn = (events: object[]): Record<string, unknown>[] =>
  (events as { eventId: string; meta: any }[])
    .filter(({ eventId }) => eventId === 'api-gate-denial')
    .map(({ meta }) => meta);
