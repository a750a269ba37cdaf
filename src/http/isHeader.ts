/** Compares the name of a header with one in lower case. The lengths come first: most names differ by them already. */
export function isHeader(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && name.toLowerCase() === lowerCase;
}
