// A second window, like another device: it has a session of its own, and sends neither the cookie nor the token of the first.
import { ask, byId } from './dom.js';

async function open() {
  byId('again').hidden = true;
  const response = await ask('/api/auth/guest/refresh');
  const { token, identity } = (await response.json()).backstageIdentity;
  byId('who').textContent = `Another session of ${identity.userEntityRef}`;
  // A script can't give a WebSocket an Authorization header. Backstage's frontend offers the token as a protocol, as this page does.
  const socket = new WebSocket(
    `${location.origin.replace(/^http/, 'ws')}/api/signals`,
    [token],
  );
  let end = 'refused';
  socket.onopen = () => {
    end = 'ended by the sign-out';
    byId('clock').textContent = 'WebSocket open';
    socket.send(JSON.stringify({ action: 'subscribe', channel: 'clock' }));
  };
  socket.onmessage = ({ data }) => {
    const time = new Date(JSON.parse(data).message.time);
    byId('clock').textContent = `WebSocket open: ${time.toLocaleTimeString()}`;
  };
  socket.onclose = () => {
    byId('clock').textContent = `WebSocket ${end}`;
    byId('clock').dataset.kind = 'ended';
    byId('again').hidden = false;
  };
}

byId('again').onclick = open;
open().catch(error => byId('clock').replaceChildren(error.message));
