import { parse } from 'acorn';

/** A node of the syntax tree. */
type Node = { type: string } & Record<string, any>;

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
    for (const child of Object.values(node).flat()) {
      if (typeof child?.type === 'string') {
        visit(child);
      }
    }
  };
  visit(parse(text, { sourceType: 'module', ecmaVersion: 'latest' }));
  return routes;
}

function textOf(node?: Node): string | undefined {
  const isTemplate = node?.quasis?.length === 1;
  const value = isTemplate ? node.quasis[0].value.cooked : node?.value;
  return typeof value === 'string' ? value : undefined;
}

function nameOf(node?: Node): string {
  const named = node?.property ?? node;
  return named?.name ?? textOf(named) ?? '';
}
