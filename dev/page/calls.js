import { ask, byId, codeOf, element, readAnswer } from './dom.js';

const CALLS = {
  '/api/catalog/entities': 'Backstage closes it too',
  '/api/hello/data': 'Opened in code, closed by the gate',
  '/api/hello/health': 'Public, by an allow rule',
  '/api/badge/status.svg': 'Public, by an allow rule',
  '/api/proxy/echo': 'Opened in configuration, closed by the gate',
  '/api/nosuchplugin/x': 'Only a caller with a credential gets 404',
};
const CREDENTIALS = {
  none: 'no credential',
  token: 'with token',
  cookie: 'with cookie',
};

let session;

/** Calls the backend with the gate. */
export async function call(path, credential) {
  const request = `GET ${path}, ${CREDENTIALS[credential]}`;
  try {
    const answer = await readAnswer(
      await ask(path, {
        credentials: credential === 'cookie' ? 'same-origin' : 'omit',
        headers:
          credential === 'token'
            ? { Authorization: `Bearer ${session.token}` }
            : {},
      }),
    );
    return { request, ...answer };
  } catch (error) {
    return { request, status: 'error', headers: '', body: error.message };
  }
}

export function resultButton(result) {
  const status = element('span', { className: 'status' }, result.status);
  status.dataset.class = String(result.status)[0];
  const button = element(
    'button',
    { className: 'result', title: 'Show the answer' },
    status,
    ` ${result.decision ?? 'no decision of the gate'}`,
  );
  button.onclick = () => showAnswer(result, button);
  return button;
}

function showAnswer({ request, status, headers, body }, button) {
  document
    .querySelector('.result[aria-pressed=true]')
    ?.removeAttribute('aria-pressed');
  button.setAttribute('aria-pressed', 'true');
  byId('answer').hidden = false;
  byId('answer-request').textContent = `${request}: ${status}`;
  byId('answer-headers').textContent = headers;
  byId('answer-body').textContent = body || '(empty)';
  byId('answer-title').focus({ preventScroll: true });
  byId('answer').scrollIntoView({ block: 'nearest' });
}

const cells = Object.entries(CALLS).flatMap(([path, note]) => {
  const title = element(
    'th',
    { scope: 'row' },
    codeOf(`GET ${path}`),
    element('small', {}, note),
  );
  const row = byId('calls').appendChild(element('tr', {}, title));
  return Object.entries(CREDENTIALS).map(([credential, label]) => {
    const button = element(
      'button',
      { className: 'small', ariaLabel: `${label}: GET ${path}` },
      label,
    );
    const cell = { path, credential, button, td: element('td', {}, button) };
    button.onclick = () => run(cell);
    Object.assign(cell.td.dataset, { call: path, with: credential });
    row.append(cell.td);
    return cell;
  });
});

async function run({ path, credential, button, td }) {
  const startedIn = session;
  td.replaceChildren(
    button,
    element('span', { className: 'result muted' }, 'calling …'),
  );
  const result = await call(path, credential);
  if (credential === 'none' || session === startedIn) {
    td.replaceChildren(button, resultButton(result));
  }
  return result;
}

async function runAll() {
  byId('run-all').disabled = true;
  const results = await Promise.all(
    cells.filter(({ button }) => !button.disabled).map(run),
  );
  const count = word =>
    results.filter(({ decision }) => decision?.startsWith(word)).length;
  byId('calls-status').textContent =
    `${results.length} calls: ${count('passed')} passed, ${count('refused')} refused`;
  byId('run-all').disabled = false;
}

/** Forgets the answers of another session, which may no longer hold. */
export function setSession(current) {
  session = current;
  for (const { credential, button, td } of cells) {
    if (credential !== 'none') {
      button.disabled = credential === 'token' && !session;
      td.replaceChildren(button);
    }
  }
}

export function start() {
  byId('run-all').onclick = runAll;
}
