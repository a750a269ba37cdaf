import { check } from './values';

/**
 * Reads the address of the frontend or the backend. Any other scheme than these two is refused: the origin of an address such as
 * `portal.example.com:443`, whose scheme was forgotten, is `null`, which browsers send for sandboxed pages of every site.
 */
export function readBaseUrl(value: string, path: string): URL {
  check(
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    `${path} must be a URL that begins with http:// or https://, such as https://backstage.example.com`,
  );
  return new URL(value);
}
