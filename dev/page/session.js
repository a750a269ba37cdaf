import { call, resultButton, setSession } from './calls.js';
import { ask, byId, element } from './dom.js';

const COOKIE_PATH = '/api/hello/.backstage/auth/v1/cookie';
const REVOCATIONS_PATH = '/api/auth/api-gate/v1/revocations';
const IMAGE_PATH =
  '/api/techdocs/static/docs/default/component/example/image.png';
const GUEST = 'user:development/guest';

// { token, user, expires }: only this variable holds the token, until the page is closed.
let session;
// The status that the token of the last session got after sign-out.
let oldTokenStatus;
let socket;

const authorization = () =>
  session ? { Authorization: `Bearer ${session.token}` } : {};

async function askForSession(path, options) {
  const response = await ask(path, { credentials: 'same-origin', ...options });
  if (!response.ok) {
    throw new Error(
      `${options.method} ${path} failed with status ${response.status}.`,
    );
  }
  return response;
}

async function signIn() {
  const response = await askForSession('/api/auth/guest/refresh', {
    method: 'GET',
  });
  const { token, identity, expiresInSeconds } = (await response.json())
    .backstageIdentity;
  await askForSession(COOKIE_PATH, {
    method: 'GET',
    headers: { Authorization: `Bearer ${token}` },
  });
  session = {
    token,
    user: identity.userEntityRef,
    expires: new Date(Date.now() + expiresInSeconds * 1000),
  };
}

async function signOut() {
  // Send the token too: if another tab has signed in since, the cookie is of that session, and both have to end.
  const headers = authorization();
  const hadToken = Boolean(session);
  session = undefined;
  await askForSession(COOKIE_PATH, { method: 'DELETE', headers });
  if (hadToken) {
    await tryOldToken(headers);
  }
}

/** Ends all sessions of the user, those of other browsers included. */
async function signOutEverywhere() {
  const headers = authorization();
  const userEntityRef = session?.user ?? GUEST;
  await askForSession(REVOCATIONS_PATH, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({ userEntityRef }),
  });
  const hadToken = Boolean(session);
  session = undefined;
  if (hadToken) {
    await tryOldToken(headers);
  }
}

async function tryOldToken(headers) {
  oldTokenStatus = (await ask('/api/hello/data', { headers })).status;
}

async function changeSession(change) {
  const buttons = ['sign-in', 'sign-out', 'sign-out-everywhere'].map(byId);
  const focused = document.activeElement;
  buttons.forEach(button => {
    button.disabled = true;
  });
  byId('message').textContent = '';
  oldTokenStatus = undefined;
  await change().catch(error => byId('message').append(error.message));
  buttons.forEach(button => {
    button.disabled = false;
  });
  focused?.focus({ preventScroll: true });
  showSession();
}

function showSession() {
  const signedIn =
    session &&
    `Signed in as ${session.user}, token expires at ${session.expires.toLocaleTimeString()}`;
  byId('session').textContent = signedIn ?? 'Signed out';
  setSession(session);
  byId('image-state').textContent = 'loading';
  byId('image-result').replaceChildren();
  byId('image').src = `${IMAGE_PATH}?t=${Date.now()}`;
}

async function imageDone(loaded) {
  byId('image').style.visibility = loaded ? 'visible' : 'hidden';
  byId('image-state').textContent = loaded ? 'loaded' : 'refused';
  byId('cookie-note').textContent = cookieNote(loaded);
  if (loaded && !session) {
    byId('session').textContent = 'Signed in by the cookie alone';
  }
  byId('image-result').replaceChildren(
    resultButton(await call(IMAGE_PATH, 'cookie')),
  );
}

function cookieNote(accepted) {
  if (accepted) {
    return session
      ? 'This browser has a cookie that the gate accepts. It outlives a reload; the token does not.'
      : 'The token went with the page that had it. The cookie is still here, and the gate accepts it.';
  }
  return oldTokenStatus
    ? `The cookie is gone. The token that this page had gets ${oldTokenStatus} now.`
    : '';
}

function openSocket() {
  socket?.close();
  const opening = new WebSocket(
    `${location.origin.replace(/^http/, 'ws')}/api/signals`,
  );
  let state = 'refused';
  const show = text => {
    if (socket === opening) {
      byId('socket-state').textContent = text;
    }
  };
  socket = opening;
  show('opening');
  opening.onopen = () => {
    state = 'closed by the backend';
    show('open');
    opening.send(JSON.stringify({ action: 'subscribe', channel: 'clock' }));
  };
  opening.onmessage = ({ data }) =>
    show(
      `open: ${new Date(JSON.parse(data).message.time).toLocaleTimeString()}`,
    );
  opening.onclose = () => show(state);
}

export function start() {
  byId('open-socket').onclick = openSocket;
  byId('open-second').onclick = () =>
    byId('second-frame').replaceChildren(
      element('iframe', { src: 'second.html', title: 'The second window' }),
    );
  byId('image').onload = () => imageDone(true);
  byId('image').onerror = () => imageDone(false);
  byId('sign-in').onclick = () => changeSession(signIn);
  byId('sign-out').onclick = () => changeSession(signOut);
  byId('sign-out-everywhere').onclick = () => changeSession(signOutEverywhere);
  showSession();
}
