import { ask, byId, element } from './dom.js';

const LONGEST_ATTACK_MS = 120_000;
/** The columns: their names, and what a screen reader says of their numbers. */
const SIDES = {
  alone: ['control', 'reached the plugin that opened itself'],
  closed: ['closed', 'reached the plugin that Backstage protects'],
  gate: ['gate', 'passed the gate'],
};
/** Stands for a valid token in the header lines of a request. */
const VALID = /\b(TOKEN|JANES)\b/;

let sent;
let reached;
/** How many requests with a valid token have reached the plugin that Backstage protects. */
let valid;
let advisories;

/** Yields the results of the attack while they arrive. */
async function* results() {
  const response = await ask('/dev/attack', {
    method: 'POST',
    signal: AbortSignal.timeout(LONGEST_ATTACK_MS),
  });
  if (!response.ok) {
    throw new Error(
      response.status === 409
        ? 'Another window is attacking. Try again when it has finished.'
        : `The attack failed with status ${response.status}.`,
    );
  }
  const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value = '' } = await lines.read();
    const complete = `${rest}${value}`.split('\n');
    rest = complete.pop();
    yield* complete.map(line => JSON.parse(line));
    if (done) {
      return;
    }
  }
}

function add(result) {
  sent += 1;
  const key = `${result.id} ${result.product} ${result.flaw}`;
  let advisory = advisories.get(key);
  if (!advisory) {
    advisory = addAdvisory(result);
    advisories.set(key, advisory);
  }
  advisory.sent += 1;
  valid += Number(result.closed.reached && VALID.test(result.headers));
  for (const side of Object.keys(SIDES)) {
    reached[side] += Number(result[side].reached);
    advisory[side] += Number(result[side].reached);
    byId(`reached-${side}`).textContent = `${reached[side]} of ${sent}`;
    byId(`bar-${side}`).value = reached[side];
    const cell = advisory.cells[side];
    cell.textContent = `${advisory[side]} of ${advisory.sent}`;
    cell.ariaLabel = `${cell.textContent} ${SIDES[side][1]}`;
    cell.dataset.kind = kindOf(side, advisory[side]);
  }
  const { method, target, headers, alone, closed, gate } = result;
  advisory.requests.append(
    `${method} ${target}${headers ? `\n${headers.replaceAll('\r', '')}` : ''}\n  → ${alone.status} as control, ${closed.status} of the closed plugin, ${gate.status} with the gate\n`,
  );
}

/** Only what passes the gate is a failure. The others stand for comparison. */
function kindOf(side, count) {
  if (count === 0) {
    return 'closed';
  }
  return side === 'gate' ? 'open' : 'neutral';
}

/** Names the columns. A screen reader gets the numbers with the words in each row. */
function heading() {
  return element(
    'p',
    { className: 'muted', ariaHidden: 'true' },
    element(
      'span',
      { className: 'of' },
      ...Object.values(SIDES).map(([name]) => element('span', {}, name)),
    ),
  );
}

function addAdvisory({ id, product, flaw }) {
  const requests = element('pre', {});
  const cells = Object.fromEntries(
    Object.keys(SIDES).map(side => [side, element('span', { role: 'img' })]),
  );
  byId('attack-list').append(
    element(
      'details',
      {},
      element(
        'summary',
        {},
        element('code', {}, id === '-' ? 'no CVE' : id),
        element('span', {}, element('b', {}, product), `: ${flaw}`),
        element('span', { className: 'of' }, ...Object.values(cells)),
      ),
      requests,
    ),
  );
  return { sent: 0, alone: 0, closed: 0, gate: 0, cells, requests };
}

async function attack(total) {
  const button = byId('attack');
  const status = byId('attack-status');
  button.disabled = true;
  sent = 0;
  valid = 0;
  reached = { alone: 0, closed: 0, gate: 0 };
  advisories = new Map();
  byId('attack-list').replaceChildren(heading());
  byId('attack-list').hidden = false;
  status.textContent = 'Sending …';
  for (const side of Object.keys(SIDES)) {
    byId(`bar-${side}`).max = total;
  }
  try {
    for await (const result of results()) {
      add(result);
    }
    status.textContent = `${sent} requests of ${advisories.size} advisories and known mistakes. ${reached.alone} reached the plugin that opened itself without the gate, ${reached.gate} with it. The plugin that Backstage protects was reached by ${valid} with a valid token, and by ${reached.closed - valid} without one.`;
  } catch (error) {
    status.textContent = error.message;
  }
  button.disabled = false;
  button.focus({ preventScroll: true });
}

export function start({ attacks }) {
  byId('attack-count').textContent = attacks;
  byId('attack').onclick = () => attack(attacks);
}
