import ts from 'typescript';

/**
 * Runs TypeScript of a page, with the names that it has where the page puts it.
 *
 * @param names - such as `require`, for a page that imports
 * @param result - an expression, whose value behind the code is returned
 */
export async function runSnippet(
  code: string,
  names: Record<string, unknown>,
  result: string,
): Promise<any> {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
    },
  });
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
  const run = new AsyncFunction(
    'exports',
    ...Object.keys(names),
    `${outputText}\nreturn ${result};`,
  );
  return run({}, ...Object.values(names));
}
