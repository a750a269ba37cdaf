// RFC 9110, section 8.3.1. A comma separates several types, or several headers that were joined.
const MEDIA_TYPE =
  /^[ \t]*([!#$%&'*+\-.^_`|~\w]+\/[!#$%&'*+\-.^_`|~\w]+)[ \t]*(;[^,]*)?$/;

// Browsers show these types, download them, or pass them to a script that requested them, and run no script in them. Browsers
// never sniff `text/plain` and `application/octet-stream` as HTML; they do sniff `*/*` and `unknown/unknown`.
const INERT = [
  /^(audio|font|image|video)\/(?!.*(svg|xml))/,
  /^text\/(calendar|css|csv|event-stream|javascript|markdown|plain|tab-separated-values|vcard|vtt|yaml)$/,
  /^application\/(gzip|javascript|json|octet-stream|ogg|pdf|wasm|yaml|zip)$/,
  /^application\/[^+]+\+(json|zip)$/,
  /^application\/(x-(7z-compressed|bzip2?|gzip|ndjson|tar|xz|yaml|zip-compressed)|vnd\.(ms-[a-z.-]+|oasis\.opendocument\.[a-z.-]+|openxmlformats-officedocument\.[a-z.-]+))$/,
];

/**
 * Returns whether a browser may run script in an answer that it opens as a page: HTML, XHTML, SVG and other XML, MHTML,
 * `multipart/x-mixed-replace`. The result is also true for unlisted types, several types, and no type.
 *
 * @param contentType - as `res.getHeader` returns it
 */
export function canRunScript(
  contentType: string | number | string[] | undefined,
): boolean {
  // Most answers are JSON, as Express writes its type. They need no comparison with the patterns.
  if (contentType === 'application/json; charset=utf-8') {
    return false;
  }
  const type = String(contentType).match(MEDIA_TYPE)?.[1].toLowerCase();
  return type === undefined || !INERT.some(inert => inert.test(type));
}
