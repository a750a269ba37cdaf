import { createHash } from 'node:crypto';
import type { ApiGateConfig } from '../config/readApiGateConfig';

const HASH_LENGTH = 12;

/** Returns 12 hex digits that identify the settings that decide about requests. The order of keys does not matter. */
export function hashPolicy({
  acceptedFindings,
  ...settings
}: ApiGateConfig): string {
  return createHash('sha256')
    .update(JSON.stringify(canonical(settings)))
    .digest('hex')
    .slice(0, HASH_LENGTH);
}

function canonical(value: unknown): unknown {
  if (value instanceof Date) {
    return value.toISOString();
  }
  if (value instanceof Set) {
    return [...value].sort();
  }
  if (Array.isArray(value)) {
    return value.map(canonical);
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .filter(([, child]) => child !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, canonical(child)]);
  }
  return value;
}
