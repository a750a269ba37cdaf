import { byId, codeOf, element } from './dom.js';

const MAX_SHOWN = 60;
const KINDS = { passed: 'public', refused: 'closed', 'would-refuse': 'warned' };

let isPaused = false;

function add({ time, method, path, outcome, reason }) {
  const list = byId('feed');
  const outcomeText = element('span', { className: 'status' }, outcome);
  const item = element(
    'li',
    {},
    element('time', { dateTime: time }, new Date(time).toLocaleTimeString()),
    outcomeText,
    element('span', { className: 'reason' }, reason),
    codeOf(`${method} ${path}`),
  );
  item.dataset.kind = KINDS[outcome];
  list.prepend(item);
  while (list.children.length > MAX_SHOWN) {
    list.lastChild.remove();
  }
}

export function start() {
  const events = new EventSource('/dev/events');
  // The backend sends its last decisions again to a page that connects again.
  events.onopen = () => byId('feed').replaceChildren();
  events.onmessage = ({ data }) => isPaused || add(JSON.parse(data));
  const button = byId('pause');
  button.onclick = () => {
    isPaused = !isPaused;
    button.setAttribute('aria-pressed', String(isPaused));
    button.textContent = isPaused ? 'Go on' : 'Pause';
  };
}
