import { trace } from '@opentelemetry/api';
import type { Decision } from '../decision/Decision';

/**
 * Adds a decision to the active span, which is the server's span of the request where the backend traces requests. The rule
 * comes from the configuration; nothing of the request but the kind of its credential is added.
 */
export function annotateSpan({
  id,
  outcome,
  reason,
  rule,
  credential,
}: Decision): void {
  const span = trace.getActiveSpan();
  if (!span?.isRecording()) {
    return;
  }
  span.setAttributes({
    'api_gate.outcome': outcome,
    'api_gate.reason': reason,
    'api_gate.credential': credential,
    ...(rule && { 'api_gate.rule': `/api/${rule.plugin}${rule.path}` }),
    ...(id && { 'api_gate.decision': id }),
  });
}
