/** A node of the syntax tree. Which keys it has depends on its type: https://github.com/estree/estree. */
export type Node = { type: string } & Record<string, any>;

export function childrenOf(node: Node): Node[] {
  return Object.values(node)
    .flat()
    .filter(child => typeof child?.type === 'string');
}

/** Returns the text of a literal, or of a template without values; `undefined` for any other node. */
export function textOf(node?: Node): string | undefined {
  const isTemplate = node?.quasis?.length === 1;
  const value = isTemplate ? node.quasis[0].value.cooked : node?.value;
  return typeof value === 'string' ? value : undefined;
}

/** Returns the last name of what is read or called, such as `get` of `this.router.get`. */
export function nameOf(node?: Node): string {
  const named = node?.property ?? node;
  return named?.name ?? textOf(named) ?? '';
}
