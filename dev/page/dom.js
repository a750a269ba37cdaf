const TIMEOUT_MS = 15_000;
const MAX_BODY = 4000;
const SHOWN_HEADERS = [
  'X-Api-Gate',
  'WWW-Authenticate',
  'Retry-After',
  'Content-Type',
  'Cache-Control',
];

export const byId = id => document.getElementById(id);

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Creates an element. Texts become text nodes, so that no answer is read as HTML. */
export function element(tag, properties, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

/** Creates code whose line may break after each slash, and in no word. */
export const codeOf = text =>
  element(
    'code',
    {},
    ...text.split(/(?<=\/)/).flatMap(part => [part, element('wbr', {})]),
  );

/** Calls a backend. The default sends no cookie. */
export async function ask(url, options) {
  try {
    return await fetch(url, {
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...options,
    });
  } catch (error) {
    throw new Error(
      `The backend does not answer (${error.message}). Is it running?`,
    );
  }
}

/** Reads an answer into texts. */
export async function readAnswer(response) {
  const { status, headers } = response;
  return {
    status,
    decision: headers.get('X-Api-Gate'),
    headers: SHOWN_HEADERS.filter(name => headers.has(name))
      .map(name => `${name}: ${headers.get(name)}`)
      .join('\n'),
    body: await readBody(response),
  };
}

async function readBody(response) {
  const type = response.headers.get('Content-Type') ?? '';
  if (!/json|text|svg/.test(type)) {
    return `${(await response.blob()).size} bytes`;
  }
  const text = await response.text();
  const shown = type.includes('json')
    ? JSON.stringify(JSON.parse(text), null, 2)
    : text;
  return shown.length > MAX_BODY
    ? `${shown.slice(0, MAX_BODY)}\n… (${shown.length} characters in all)`
    : shown;
}
