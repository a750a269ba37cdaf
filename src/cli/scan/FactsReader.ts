import { parse } from 'acorn';
import type { DeclaredPolicy } from '../../gate/plugins/DeclaredPolicies';

/** A policy that a package declares. Its plugin is `?` if it can't be told. */
export interface Opening extends Omit<DeclaredPolicy, 'allow'> {
  allow: string;
  /** The setting without which it stays closed. */
  setting?: string;
  at: string;
}

/** A node of the syntax tree. Which keys it has depends on its type: https://github.com/estree/estree. */
type Node = { type: string } & Record<string, any>;

const DECLARES = /^(addAuthPolicy|addWebSocketHandler)$/;
const CREATES = /^createBackend(Plugin|Module)$/;
const ROUTES = /^(all|delete|get|head|patch|post|put|use)$/;
const SETTING =
  /^config\.get(?:Optional)?Boolean\(["']([\w.-]+)["']\)(?: \?\? false)?$/;

/** Reads the JavaScript of one package. A place, `at`, is a file and its line. */
export class FactsReader {
  /** The ids of the plugins that the package creates, or creates modules for. */
  readonly plugins: string[] = [];
  /** Why it may open more. */
  readonly doubts: { doubt: string; at?: string }[] = [];
  readonly opens: Opening[] = [];
  /** A path is absent if it is computed. */
  readonly routes: { method: string; path?: string; at: string }[] = [];
  /** The names of the services that it asks Backstage for, and of what it calls. */
  readonly uses = new Set<string>();
  /** The nodes around the visited one, the nearest one last. */
  #around: Node[] = [];
  #file = '';
  #text = '';

  /**
   * Parses a file, and executes nothing of it.
   *
   * @throws SyntaxError with the line as `loc.line`, or RangeError for code that is nested too deeply
   */
  read(file: string, text: string): void {
    this.#file = file;
    this.#text = text;
    this.#around = [];
    this.#visit(parseText(text));
  }

  #visit(node: Node): void {
    const name = node.name ?? textOf(node);
    if (DECLARES.test(name) && !this.#isCalled(node)) {
      const doubt = `${name} is handed on`;
      this.doubts.push({ doubt, at: this.#placeOf(node) });
    } else if (node.type === 'CallExpression') {
      this.#readCall(nameOf(node.callee), node);
    } else if (node.property && nameOf(node.object) === 'coreServices') {
      this.uses.add(nameOf(node));
    }
    this.#around.push(node);
    for (const child of Object.values(node).flat()) {
      if (typeof child?.type === 'string') {
        this.#visit(child);
      }
    }
    this.#around.pop();
  }

  /** Returns whether a name is that of a function, or of a method, which is called. */
  #isCalled(node: Node): boolean {
    const [outer, parent] = this.#around.slice(-2);
    return parent.property === node
      ? outer.callee === parent
      : parent.callee === node;
  }

  #readCall(name: string, call: Node): void {
    this.uses.add(name);
    if (DECLARES.test(name)) {
      this.#readPolicy(call, name === 'addWebSocketHandler');
    } else if (CREATES.test(name)) {
      this.plugins.push(pluginOf(call));
    } else if (ROUTES.test(name)) {
      this.#readRoute(name.toUpperCase(), call);
    }
  }

  #readPolicy(call: Node, isWebSocket: boolean): void {
    const { doubts, opens, routes } = this;
    const at = this.#placeOf(call);
    const options = literalOf(call.arguments[0]);
    // Backstage wants a credential for a WebSocket without a policy.
    const policies = { authPolicy: 'authenticated', ...options };
    const allow = isWebSocket ? policies.authPolicy : options?.allow;
    const path = options?.path;
    const settings = this.#around
      .filter(({ type }) => /^(If|Conditional|Logical|Switch)/.test(type))
      .map(each => this.#settingOf(each));
    if (!path || !allow) {
      doubts.push({ doubt: 'a computed path or policy', at });
    } else if (isWebSocket && allow === 'authenticated') {
      routes.push({ method: 'WEBSOCKET', path, at });
    } else if (settings.length > 1 || settings.includes(undefined)) {
      doubts.push({ doubt: `a condition for ${path}`, at });
    } else {
      const creator = this.#around.findLast(({ callee }) =>
        CREATES.test(nameOf(callee)),
      );
      const opening = { plugin: pluginOf(creator), path, allow, isWebSocket };
      opens.push({ ...opening, setting: settings[0], at });
    }
  }

  /** Returns the setting that has to be true for the code inside of a condition to run; `undefined` for another condition. */
  #settingOf({ type, test, consequent }: Node): string | undefined {
    if (type !== 'IfStatement' || !this.#around.includes(consequent)) {
      return undefined;
    }
    const constants = [...this.#text.matchAll(/\bconst (\w+) = ([^;]+);/g)].map(
      ([, name, value]) => ({ name, value }),
    );
    const tested = this.#text.slice(test.start, test.end);
    const condition = tested.replace(/ === true$/, '');
    const named = constants.filter(({ name }) => name === condition);
    const value = named.length === 1 ? named[0].value : condition;
    // The keys of a part of the configuration are others.
    return constants.some(({ name }) => name === 'config')
      ? undefined
      : SETTING.exec(value)?.[1];
  }

  #readRoute(method: string, call: Node): void {
    const { callee, arguments: args } = call;
    const [path, handler] = args;
    const isRouter = /(router|app)[$\d]*$/i.test(nameOf(callee.object));
    // In place of a path, `use` may have a handler.
    const isPath = method !== 'USE' || /Literal|Array/.test(path?.type);
    if (handler && isPath && (isRouter || /^\//.test(textOf(path) ?? ''))) {
      const at = this.#placeOf(call);
      for (const each of path.elements ?? [path]) {
        this.routes.push({ method, path: textOf(each), at });
      }
    }
  }

  #placeOf({ loc }: Node): string {
    return `${this.#file}:${loc.start.line}`;
  }
}

/** Parses a text as an ES module, or else as CommonJS, which may have what a module may not. */
function parseText(text: string): Node {
  const parseAs = (sourceType: 'module' | 'commonjs') =>
    parse(text, { sourceType, ecmaVersion: 'latest', locations: true });
  try {
    return parseAs('module');
  } catch {
    return parseAs('commonjs');
  }
}

function textOf(node?: Node): string | undefined {
  const isTemplate = node?.quasis?.length === 1;
  const value = isTemplate ? node.quasis[0].value.cooked : node?.value;
  return typeof value === 'string' ? value : undefined;
}

/** Returns the last name of what is read or called, such as `get` of `this.router.get`. */
function nameOf(node?: Node): string {
  const named = node?.property ?? node;
  return named?.name ?? textOf(named) ?? '';
}

/** Returns the texts of an object literal, with `undefined` for what is computed; `undefined` unless all its keys stand there. */
function literalOf(node?: Node) {
  const properties: Node[] | undefined = node?.properties;
  return properties?.every(each => each.type === 'Property' && !each.computed)
    ? Object.fromEntries(
        properties.map(({ key, value }) => [nameOf(key), textOf(value)]),
      )
    : undefined;
}

function pluginOf(call?: Node): string {
  return literalOf(call?.arguments[0])?.pluginId ?? '?';
}
