import { ask, byId, element, table } from './dom.js';
import { authorization } from './session.js';

async function readPolicy() {
  const state = byId('policy-state');
  byId('policy-tables').replaceChildren();
  try {
    const response = await ask('/api/auth/api-gate/v1/policy', {
      credentials: 'same-origin',
      headers: authorization(),
    });
    const policy = await response.json();
    if (!response.ok) {
      state.textContent = `${response.status}: ${policy.error.message}. Sign in first.`;
      return;
    }
    state.textContent = describe(policy);
    byId('policy-tables').replaceChildren(...tables(policy));
  } catch (error) {
    state.textContent = error.message;
  }
}

function describe({ enforced, until, problem, needsRestart }) {
  return [
    enforced
      ? 'Enforced: what is not listed here needs a credential.'
      : `Report-only${until ? ` until ${until}` : ''}: nothing is refused.`,
    problem && `The configuration is wrong, and not in force: ${problem}`,
    needsRestart.length > 0 &&
      `Waits for a restart: ${needsRestart.join(', ')}.`,
  ]
    .filter(Boolean)
    .join(' ');
}

function tables({ allow, builtIn, closed, decisions, enforced, wouldRefuse }) {
  return [
    ...table(
      'Public by rule',
      ['Methods', 'Path', 'Reason'],
      allow,
      ({ methods, plugin, path, installed, reason }) => [
        methods.join(', '),
        element('code', {}, `/api/${plugin}${path}`),
        installed ? (reason ?? '') : 'not installed in this backend',
      ],
    ),
    ...table(
      'Public without a rule',
      ['Methods', 'Path', 'For'],
      builtIn,
      ({ methods, plugin, path, reason }) => [
        methods.join(', '),
        element('code', {}, `/api/${plugin}${path}`),
        reason,
      ],
    ),
    ...table(
      `Opened by plugins in code, ${enforced ? 'closed by the gate' : 'to be closed'}`,
      ['Plugin', 'Path', 'To'],
      closed,
      ({ plugin, path, isWebSocket, allow: openedTo }) => [
        plugin,
        isWebSocket ? `${path} (WebSocket)` : path,
        openedTo === 'unauthenticated' ? 'everybody' : "Backstage's own cookie",
      ],
    ),
    ...table(
      'Would be refused',
      ['Plugin', 'First segment', 'Count', 'Of these, worked'],
      wouldRefuse,
      ({ plugin, method, segment, count, answers }) => [
        plugin,
        `${method} /${segment}`,
        String(count),
        String(answers.worked ?? 0),
      ],
    ),
    ...table(
      'Decisions since the start',
      ['Plugin', 'Decision', 'Count'],
      decisions.sort((a, b) => b.count - a.count),
      ({ plugin, outcome, reason, count }) => [
        plugin,
        `${outcome}: ${reason}`,
        String(count),
      ],
    ),
  ];
}

export function start() {
  byId('read-policy').onclick = readPolicy;
}
