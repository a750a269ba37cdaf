import { parse } from 'acorn';
import {
  childrenOf,
  nameOf,
  Node,
  textOf,
} from '../../../src/cli/packages/syntaxTree';

/** Reads the paths of GET routes in the JavaScript of one package, and executes nothing of it. A computed path is left out. */
export function readGetRoutes(text: string): string[] {
  const routes: string[] = [];
  const visit = (node: Node): void => {
    const { arguments: args = [], callee } = node;
    if (callee?.property?.name === 'get' && args.length > 1) {
      const isRouter = /(router|app)[$\d]*$/i.test(nameOf(callee.object));
      for (const each of args[0].elements ?? [args[0]]) {
        const path = textOf(each);
        if (path !== undefined && (isRouter || path.startsWith('/'))) {
          routes.push(path);
        }
      }
    }
    childrenOf(node).forEach(visit);
  };
  visit(parse(text, { sourceType: 'module', ecmaVersion: 'latest' }));
  return routes;
}
