import { InputError, isError } from '@backstage/errors';
import { zipObject } from 'lodash';

/** The first mistake of each value. The message is the first one of all. */
export class Mistakes extends InputError {
  constructor(readonly messages: readonly string[]) {
    super(messages[0]);
  }
}

/** Returns the messages of what a reader has thrown. */
export function messagesOf(error: unknown): readonly string[] {
  return error instanceof Mistakes ? error.messages : [firstLineOf(error)];
}

/** Returns an error's message without the lines after the first, which may quote the configuration. */
export function firstLineOf(error: unknown): string {
  return (isError(error) ? error.message : String(error)).split('\n')[0];
}

/**
 * Reads several values. A mistake in one of them is no reason not to read the others.
 *
 * @throws Mistakes
 */
export function readEach<T>(readers: readonly (() => T)[]): T[] {
  const messages: string[] = [];
  const values = readers.flatMap(read => {
    try {
      return [read()];
    } catch (error) {
      messages.push(...messagesOf(error));
      return [];
    }
  });
  if (messages.length > 0) {
    throw new Mistakes(messages);
  }
  return values;
}

/** Reads several values by name, as `readEach` does. */
export function readAll<T extends Record<string, () => unknown>>(readers: T) {
  const values = readEach(Object.values(readers));
  return zipObject(Object.keys(readers), values) as {
    [K in keyof T]: ReturnType<T[K]>;
  };
}
