// RFC 9110, section 8.3.1. A comma stands between several types, or between several headers that were joined.
const MEDIA_TYPE =
  /^[ \t]*([!#$%&'*+\-.^_`|~\w]+\/[!#$%&'*+\-.^_`|~\w]+)[ \t]*(;[^,]*)?$/;

// Browsers show these, or hand them to a download or a script that asked for them, and run nothing in them. `text/plain` and
// `application/octet-stream` are never sniffed to be HTML; `*/*` and `unknown/unknown` are.
const INERT = [
  /^(audio|font|image|video)\/(?!.*(svg|xml))/,
  /^text\/(calendar|css|csv|event-stream|javascript|markdown|plain|tab-separated-values|vcard|vtt|yaml)$/,
  /^application\/(gzip|javascript|json|octet-stream|ogg|pdf|wasm|yaml|zip)$/,
  /^application\/[^+]+\+(json|zip)$/,
  /^application\/(x-(7z-compressed|bzip2?|gzip|ndjson|tar|xz|yaml|zip-compressed)|vnd\.(ms-[a-z.-]+|oasis\.opendocument\.[a-z.-]+|openxmlformats-officedocument\.[a-z.-]+))$/,
];

/**
 * Whether a browser may run script that is in an answer, if it opens the answer as a page: HTML, XHTML, SVG and other XML,
 * MHTML, `multipart/x-mixed-replace`. Answers of unlisted types, of several types, and without a type are taken for such.
 *
 * @param contentType - as `res.getHeader` returns it
 */
export function canRunScript(
  contentType: string | number | string[] | undefined,
): boolean {
  const type = String(contentType).match(MEDIA_TYPE)?.[1].toLowerCase();
  return type === undefined || !INERT.some(inert => inert.test(type));
}
