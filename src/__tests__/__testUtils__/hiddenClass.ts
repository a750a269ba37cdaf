import { setFlagsFromString } from 'node:v8';
import { compileFunction } from 'node:vm';

setFlagsFromString('--allow-natives-syntax');

/** Returns whether V8 has one hidden class, which it calls a map, for two objects. */
export const haveSameHiddenClass = compileFunction(
  'return %HaveSameMap(one, other)',
  ['one', 'other'],
) as (one: object, other: object) => boolean;

class Made {
  first = 1;
}
const prototype = Object.create(Made.prototype);
const [one, other] = [new Made(), new Made()].map(each =>
  Object.assign(Object.setPrototypeOf(each, prototype), { second: 2 }),
);

/** Whether `fasterServer` does anything on this Node. */
export const isFasterServerNeeded =
  Number.parseInt(process.versions.node, 10) < 24;

/** Whether V8 gives each object whose prototype was replaced a hidden class of its own, as the V8 of Node 20 and 22 does. */
export const isReplacingCostly = !haveSameHiddenClass(one, other);
