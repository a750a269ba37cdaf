import { parse } from 'acorn';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import { childrenOf, nameOf, Node, textOf } from './syntaxTree';

/** A policy that a package declares in code. */
export interface Opening {
  /** The plugin that the code around creates; `undefined` if it can't be told. */
  plugin?: string;
  path: string;
  /** The callers that are let in: `unauthenticated`, `user-cookie`, or what another release may call so. */
  allow: string;
  isWebSocket: boolean;
  /** The setting without which it stays closed. */
  setting?: string;
}

const DECLARES = /^(addAuthPolicy|addWebSocketHandler)$/;
const CREATES = /^createBackend(Plugin|Module)$/;
const IS_CONDITION = /^(If|Conditional|Logical|Switch)/;

/** Returns whether a text may declare a policy, create a plugin, or serve a route outside of `/api`: any other text needs no parsing. */
export function mayDeclare(text: string): boolean {
  return /addAuthPolicy|addWebSocketHandler|rootHttpRouter|createBackend(Plugin|Module)/.test(
    text,
  );
}

/** Reads the policies in the JavaScript of one package, and executes nothing of it. */
export class PolicyReader {
  /** The ids of the plugins that the package creates, or creates modules for. */
  readonly plugins = new Set<string>();
  readonly opens: Opening[] = [];
  /** Why the package may open more. */
  readonly doubts = new Set<string>();
  /** The nodes around the visited one, the nearest one last. */
  #around: Node[] = [];
  /** The values of the file's constants, by name; `undefined` for a name that stands for several. */
  #constants = new Map<string, Node | undefined>();

  /** @throws SyntaxError, or RangeError for code that is nested too deeply */
  read(text: string): void {
    const program = parseText(text);
    this.#around = [];
    this.#constants = new Map();
    this.#findConstants(program);
    this.#visit(program);
  }

  #findConstants(node: Node): void {
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier') {
      const { name } = node.id;
      this.#constants.set(
        name,
        this.#constants.has(name) ? undefined : node.init,
      );
    }
    for (const child of childrenOf(node)) {
      this.#findConstants(child);
    }
  }

  #visit(node: Node): void {
    const name = node.name ?? textOf(node) ?? '';
    if (DECLARES.test(name) && !this.#isCalled(node)) {
      this.doubts.add(`${name} is handed on`);
    } else if (
      nameOf(node.object) === 'coreServices' &&
      nameOf(node) === 'rootHttpRouter'
    ) {
      this.doubts.add('routes outside of /api, where no gate is');
    } else if (node.type === 'CallExpression') {
      this.#readCall(nameOf(node.callee), node);
    }
    this.#around.push(node);
    for (const child of childrenOf(node)) {
      this.#visit(child);
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
    if (DECLARES.test(name)) {
      this.#readPolicy(call, name === 'addWebSocketHandler');
    } else if (CREATES.test(name)) {
      this.plugins.add(pluginOf(call) ?? '');
    }
  }

  #readPolicy(call: Node, isWebSocket: boolean): void {
    const options = literalOf(call.arguments[0]);
    // Backstage wants a credential for a WebSocket without a policy.
    const { authPolicy = 'authenticated', path } = options ?? {};
    const allow = isWebSocket ? authPolicy : options?.allow;
    const settings = this.#around
      .filter(({ type }) => IS_CONDITION.test(type))
      .map(each => this.#settingOf(each));
    if (!path || !allow) {
      this.doubts.add('a computed path or policy');
    } else if (settings.length > 1 || settings.includes(undefined)) {
      this.doubts.add(`a condition for ${path}`);
    } else if (!isWebSocket || allow !== 'authenticated') {
      const creator = this.#around.findLast(({ callee }) =>
        CREATES.test(nameOf(callee)),
      );
      const [setting] = settings;
      const plugin = pluginOf(creator);
      this.opens.push({ plugin, path, allow, isWebSocket, setting });
    }
  }

  /** Returns the setting that has to be true for the code inside of a condition to run; `undefined` for another condition. */
  #settingOf({ type, test, consequent }: Node): string | undefined {
    if (type !== 'IfStatement' || !this.#around.includes(consequent)) {
      return undefined;
    }
    // The keys of a part of the configuration are others.
    if (this.#constants.has('config')) {
      return undefined;
    }
    const isTrue = test.type === 'BinaryExpression' && test.operator === '===';
    const named = isTrue && test.right.value === true ? test.left : test;
    const value = named.name ? this.#constants.get(named.name) : named;
    const orFalse = value?.operator === '??' && value.right.value === false;
    const call: Node | undefined = orFalse ? value.left : value;
    const isRead =
      call?.type === 'CallExpression' &&
      /^get(Optional)?Boolean$/.test(nameOf(call.callee)) &&
      call.callee.object?.name === 'config';
    return isRead ? textOf(call.arguments[0]) : undefined;
  }
}

/** Parses a text as an ES module, or else as CommonJS, which may have what a module may not. */
function parseText(text: string): Node {
  const parseAs = (sourceType: 'module' | 'commonjs') =>
    parse(text, { sourceType, ecmaVersion: 'latest' });
  try {
    return parseAs('module');
  } catch {
    return parseAs('commonjs');
  }
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

function pluginOf(call?: Node): string | undefined {
  const { pluginId = '' } = literalOf(call?.arguments[0]) ?? {};
  return PLUGIN_ID.test(pluginId) ? pluginId : undefined;
}
