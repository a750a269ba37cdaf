import { check, readObject } from './values';

/** `auth.apiGate.audit`, checked and with its defaults. */
export interface AuditSettings {
  /** Whether the log line and the audit event of a refusal have the client's address. */
  clientAddress: boolean;
}

export function readAuditSettings(
  value: unknown,
  configPath: string,
): AuditSettings {
  const { clientAddress = false } = readObject(value ?? {}, configPath, [
    'clientAddress',
  ]);
  check(
    typeof clientAddress === 'boolean',
    `${configPath}.clientAddress must be true or false`,
  );
  return { clientAddress };
}
