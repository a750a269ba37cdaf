import { METHODS } from 'node:http';
import { check, readObject } from '../config/values';
import { WEBSOCKET } from '../http/requestMethod';

// Node accepts no longer request line by default.
const MAX_TARGET_LENGTH = 16_384;

// The characters that Node's parser accepts in a request target.
const TARGET = /^[!-~\x80-\xff]+$/;

const KNOWN_METHODS = [...METHODS, WEBSOCKET];

/**
 * Reads the body of a `POST` that asks for an explanation.
 *
 * @throws InputError that names the field
 */
export function readExplainBody(body: unknown): {
  method: string;
  target: string;
} {
  const { method, target } = readObject(body, 'body', ['method', 'target']);
  check(
    typeof method === 'string' && KNOWN_METHODS.includes(method),
    `body.method must be a request method in upper case, or ${WEBSOCKET} for an upgrade`,
  );
  check(
    typeof target === 'string' &&
      target.length <= MAX_TARGET_LENGTH &&
      TARGET.test(target),
    `body.target must be a request target of at most ${MAX_TARGET_LENGTH} characters, such as /api/catalog/entities?x=1, without spaces and control characters`,
  );
  return { method, target };
}
