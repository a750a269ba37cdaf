import { metrics } from '@opentelemetry/api';
import type { Revocations } from './revocation/Revocations';

const METER = 'backstage-plugin-auth-backend-module-api-gate';

/** Reports the list of revoked sessions to OpenTelemetry, where the backend has set that up. */
export function observeRevocations(revocations: Revocations): void {
  const meter = metrics.getMeter(METER);
  meter
    .createObservableGauge('api_gate.revocations.held', {
      description: 'Revocations in force at this replica',
      unit: '{revocation}',
    })
    .addCallback(result => result.observe(revocations.size));
  meter
    .createObservableGauge('api_gate.revocations.staleness', {
      description: 'Time since the list of revocations was last read in full',
      unit: 's',
    })
    .addCallback(result => {
      if (revocations.staleness !== undefined) {
        result.observe(revocations.staleness);
      }
    });
}
