import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import type { Express } from 'express';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { check } from '../settings/read/values';

const SETTING = `${CONFIG_KEY}.fasterServer`;

/** Whether objects whose prototype is replaced get a hidden class each: on Node 20 and 22, and not on later ones. */
const IS_NEEDED = Number.parseInt(process.versions.node, 10) < 24;

/** The events with which Node emits a request, besides the one for Express. */
const NOT_FOR_EXPRESS = new Set([
  'checkContinue',
  'checkExpectation',
  'connect',
  'dropRequest',
  'upgrade',
]);

/** A class of Node. It is a plain function, so that it can initialize an object that another constructor has made. */
type NodeClass = (new (...args: any[]) => object) & { prototype: object };

/** A server, by the symbols under which Node keeps the classes of its requests and responses. */
type Classes = Record<symbol, NodeClass>;

/**
 * Has a server make its requests and responses with the prototypes that Express sets later.
 *
 * Express 4 replaces the prototypes of each request and response. V8 then gives each of these objects a hidden class of its own, and
 * all code that uses them is slow from then on. If they have these prototypes already, Express changes nothing.
 *
 * If anything is not as expected, this does nothing, and the log has the reason.
 *
 * This file and its setting go with Node 22, which Backstage supports until April 2027.
 */
export function presetPrototypes(server: Server, logger: LoggerService): void {
  if (!IS_NEEDED) {
    logger.info(
      `${SETTING} is not needed on Node 24 and later, and does nothing`,
    );
    return;
  }
  try {
    const app = findApp(server);
    const restoreClasses = replaceClasses(server as unknown as Classes, app);
    restorePrototypes(server);
    server.on('newListener', event => {
      // That listener may set properties that have no setter in Express's prototypes.
      if (event === 'request' && restoreClasses()) {
        logger.warn(
          `${SETTING} has no effect from now on: the server has got another listener for requests`,
        );
      }
    });
    logger.info(`${SETTING} is in effect`);
  } catch (error) {
    const reason = isError(error) ? error.message : typeof error;
    logger.warn(`${SETTING} has no effect: ${reason}`);
  }
}

function findApp(server: Server): Express {
  const [app, ...others] = server.listeners('request') as any[];
  check(others.length === 0, 'the server has several listeners for requests');
  check(
    // Express 5 has no `lazyrouter`.
    typeof app?.lazyrouter === 'function',
    'the listener for requests is no app of Express 4',
  );
  return app;
}

/**
 * Replaces the classes under Node's symbols at a server.
 *
 * @returns a function that restores Node's classes, and returns false if it has done so before
 */
function replaceClasses(server: Classes, app: Express): () => boolean {
  const Request = withPrototype(IncomingMessage, app.request);
  const Response = withPrototype(ServerResponse, app.response);
  assertSameProperties(Request, IncomingMessage, new Socket());
  assertSameProperties(Response, ServerResponse, new Request(new Socket()));
  const requestSymbol = findSymbol(server, IncomingMessage);
  const responseSymbol = findSymbol(server, ServerResponse);
  server[requestSymbol] = Request;
  server[responseSymbol] = Response;
  return () => {
    const isReplaced = server[requestSymbol] === Request;
    server[requestSymbol] = IncomingMessage;
    server[responseSymbol] = ServerResponse;
    return isReplaced;
  };
}

/**
 * Creates a constructor of objects that are as those of a class of Node, but for the prototype.
 *
 * It calls Node's constructor, because `Reflect.construct` takes several times as long.
 */
function withPrototype(Original: NodeClass, prototype: object): NodeClass {
  function Preset(this: object, ...args: unknown[]) {
    Reflect.apply(Original, this, args);
  }
  Preset.prototype = prototype;
  // V8 then reserves room for the properties that Node's constructor sets.
  return Object.setPrototypeOf(Preset, Original);
}

/** Fails where Node's constructor is a `class`, or can't set its properties at an object with the other prototype. */
function assertSameProperties(
  Preset: NodeClass,
  Original: NodeClass,
  argument: object,
): void {
  const keys = (Class: NodeClass) => Reflect.ownKeys(new Class(argument));
  check(
    isDeepStrictEqual(keys(Preset), keys(Original)),
    `Node's class ${Original.name} works only with a prototype of its own`,
  );
}

/** Finds the symbol under which Node keeps a class at a server. A server that was made with a class of its own has none. */
function findSymbol(server: Classes, Original: NodeClass): symbol {
  const [found, ...others] = Object.getOwnPropertySymbols(server).filter(
    symbol => server[symbol] === Original,
  );
  check(
    found !== undefined && others.length === 0,
    `Node's class ${Original.name} is not at the server`,
  );
  return found;
}

/** Restores Node's prototypes of upgrades, and of all else that does not go to Express. */
function restorePrototypes(server: Server): void {
  const { emit } = server;
  server.emit = (event: string, ...args: unknown[]) => {
    if (NOT_FOR_EXPRESS.has(event)) {
      for (const Original of [IncomingMessage, ServerResponse]) {
        for (const arg of args.filter(each => each instanceof Original)) {
          Object.setPrototypeOf(arg, Original.prototype);
        }
      }
    }
    return Reflect.apply(emit, server, [event, ...args]);
  };
}
