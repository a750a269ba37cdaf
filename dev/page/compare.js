import { ask, byId, codeOf, element, sleep } from './dom.js';
import {
  CALLS,
  callUntilUp,
  countOpen,
  GROUPS,
  judge,
  openSocket,
  RETRY_MS,
  STARTING_MS,
} from './strangerCalls.js';

const RELOAD_MS = 10_000;

let bases;
let rules;
let gateName = 'With the gate';

function show(td, [kind, words], { status, headers, body }) {
  Object.assign(td.dataset, { kind, status });
  td.firstChild.querySelector('details')?.remove();
  td.firstChild.prepend(
    element(
      'details',
      {},
      element(
        'summary',
        {},
        element('span', { className: 'status' }, String(status)),
        ` ${words}`,
      ),
      element('pre', {}, headers ? `${headers}\n\n${body}` : body),
    ),
  );
}

for (const [group, title] of Object.entries(GROUPS)) {
  const heading = element('th', { scope: 'rowgroup', colSpan: 3 }, title);
  const body = element(
    'tbody',
    { id: `rows-${group}` },
    element('tr', { className: 'group' }, heading),
  );
  byId('rows').append(body);
}

const rows = CALLS.map(call => {
  const row = {
    ...call,
    madePublic: false,
    alone: element('td', {}, element('div', { className: 'cell' })),
    gate: element('td', {}, element('div', { className: 'cell' })),
  };
  const tr = element(
    'tr',
    {},
    element(
      'th',
      { scope: 'row' },
      codeOf(call.title),
      element('small', {}, call.note),
    ),
    row.alone,
    row.gate,
  );
  tr.dataset.call = call.title;
  byId(`rows-${call.group}`).append(tr);
  return row;
});

async function callRow(row, side) {
  const answer = await callUntilUp(row.call, bases[side]);
  const isSocket = row.call === openSocket;
  if (isSocket && side === 'gate' && answer.status === 101) {
    // A browser does not show the gate's decision about a WebSocket.
    answer.decision = bases.isReportOnly
      ? 'would-refuse'
      : 'passed: allow-rule';
  }
  const verdict = judge(row, answer);
  show(row[side], verdict, answer);
  showButton(row);
  return verdict[0];
}

/** Shows how many calls are open to a stranger. */
function showScores() {
  const open = {};
  for (const side of ['alone', 'gate']) {
    open[side] = countOpen(
      rows.map(row => ({ group: row.group, kind: row[side].dataset.kind })),
    );
    byId(`score-${side}`).textContent = `${open[side]} open to a stranger`;
    byId(`where-${side}`).textContent = new URL(bases[side]).host;
  }
  const withKind = kind =>
    rows.filter(({ gate }) => gate.dataset.kind === kind);
  const warned = withKind('warned').length;
  const added = withKind('public').filter(
    ({ group }) => group !== 'public',
  ).length;
  byId('score-gate').dataset.kind = warned ? 'warned' : 'closed';
  const note = [
    warned > 0 && `${warned} would be refused`,
    added > 0 && `${added} public by your rule`,
  ].filter(Boolean);
  byId('note-gate').textContent = note.join(', ');
  // The scores are visible above, and announced here.
  byId('compare-status').className = 'hidden';
  byId('compare-status').textContent = [
    `Backstage alone: ${open.alone} open to a stranger`,
    `${gateName}: ${open.gate} open to a stranger`,
    ...note,
  ].join('. ');
}

async function callAll() {
  byId('call-again').disabled = true;
  await Promise.all(
    rows.flatMap(row => ['alone', 'gate'].map(side => callRow(row, side))),
  );
  showScores();
  byId('call-again').disabled = false;
}

/** Shows the button that makes a call public or closes it again, and the rule while there is one. */
function showButton(row) {
  if (!row.rule) {
    return;
  }
  const { gate, madePublic } = row;
  row.button ??= gate.firstChild.appendChild(
    element('button', { className: 'small', onclick: () => change(row) }),
  );
  row.button.hidden = bases.isReportOnly;
  row.button.textContent = madePublic ? 'Close again' : 'Make public';
  row.button.ariaLabel = `${row.button.textContent}: ${row.title}`;
  row.yaml ??= gate.appendChild(
    element('pre', { className: 'rule' }, yaml(rules[row.rule])),
  );
  row.yaml.hidden = !madePublic || bases.isReportOnly;
}

function showStatus(text) {
  byId('compare-status').className = 'muted';
  byId('compare-status').textContent = text;
}

/** Adds or removes a rule, and calls until the gate's reload has brought it into force. */
async function change(row) {
  row.button.disabled = true;
  const isPublic = !row.madePublic;
  try {
    await control(`/dev/public/${row.rule}`, isPublic ? 'PUT' : 'DELETE');
    row.madePublic = isPublic;
    const startedAt = performance.now();
    const expected = isPublic ? 'public' : 'closed';
    while (
      (await callRow(row, 'gate')) !== expected &&
      performance.now() - startedAt < RELOAD_MS
    ) {
      await sleep(RETRY_MS);
    }
    showScores();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    showStatus(
      `${row.title} is ${row.gate.dataset.kind} after ${seconds} s, without a restart.`,
    );
  } catch (error) {
    showStatus(error.message);
  }
  row.button.disabled = false;
  row.button.focus({ preventScroll: true });
}

async function control(path, method) {
  const response = await ask(path, {
    method,
    signal: AbortSignal.timeout(STARTING_MS),
  });
  if (!response.ok) {
    throw new Error(`${method} ${path} failed with status ${response.status}.`);
  }
  return response;
}

function yaml({ plugin, path, methods }) {
  return [
    'auth:',
    '  apiGate:',
    '    allow:',
    `      - plugin: ${plugin}`,
    `        path: ${path}`,
    ...(methods ? [`        methods: [${methods}]`] : []),
  ].join('\n');
}

async function switchReportOnly() {
  const button = byId('report-only');
  const isOn = button.getAttribute('aria-checked') !== 'true';
  button.disabled = true;
  try {
    byId('report-only-note').textContent = isOn
      ? 'Starting a third backend, in report-only …'
      : 'The gate enforces.';
    bases.gate = isOn
      ? (await (await control('/dev/report-only', 'POST')).json()).url
      : location.origin;
    bases.isReportOnly = isOn;
    gateName = isOn ? 'With the gate, in report-only' : 'With the gate';
    byId('name-gate').textContent = gateName;
    button.setAttribute('aria-checked', String(isOn));
    await callAll();
    if (isOn) {
      byId('report-only-note').textContent =
        'Only locked users and ended sessions are refused, and nothing is more open than without the gate. The gate reports each call that it would refuse.';
    }
  } catch (error) {
    byId('report-only-note').textContent = error.message;
  }
  button.disabled = false;
  button.focus({ preventScroll: true });
}

export async function start({ alone, publicCalls, ...info }) {
  rules = info.rules;
  bases = { alone, gate: location.origin, isReportOnly: false };
  for (const row of rows) {
    row.madePublic = publicCalls.includes(row.rule);
  }
  byId('call-again').onclick = callAll;
  byId('report-only').onclick = switchReportOnly;
  await callAll();
}
