/**
 * From a `file:` URL to its path, with the same refusals on every runtime. The runtimes' own
 * conversions drop a query, and differ on invalid escapes.
 */

/** The parts of a URL that count here: a `URL` of any realm has them. */
export type UrlParts = Pick<URL, "href" | "protocol" | "host" | "pathname" | "search" | "hash">;

/**
 * The path on this machine that a `file:` URL means, on a system with one root.
 *
 * @throws {TypeError} it is not such a URL, or has more than a path
 */
export function pathOfFileUrl(url: UrlParts): string {
  requireFileUrl(url);
  if (url.host !== "") {
    throw refused(url, `it names the host "${url.host}", expected none as in "file:///db"`);
  }
  if (/%2f/i.test(url.pathname)) throw refused(url, "a name in it holds a slash");
  try {
    return decodeURIComponent(url.pathname);
  } catch {
    throw refused(url, "an escape in it is not UTF-8 text");
  }
}

/**
 * @throws {TypeError} it is of another scheme, or has a query or a fragment, which mean nothing
 *   here
 */
export function requireFileUrl(url: UrlParts): void {
  if (url.protocol !== "file:") throw refused(url, "it is not a file: URL");
  if (url.search !== "") throw refused(url, `it has the query "${url.search}", expected none`);
  if (url.hash !== "") {
    throw refused(url, `it has the fragment "${url.hash}", expected none; "#" in a name is "%23"`);
  }
}

function refused({ href }: UrlParts, problem: string): TypeError {
  return new TypeError(`Cannot resolve "${href}": ${problem}`);
}
