/**
 * What callers give as the place of a store: a path, a `file:` URL, or such a URL as text.
 * Everything that looks like another kind of address is refused: as a path, it would make a
 * directory of that name.
 */

/**
 * As the URI file names of SQLite: `file:/db` and `file:///db`, while `file:db` would be ambiguous.
 */
const FILE_URL = /^file:(\/)?/i;
/** One letter is a drive of Windows. */
const OTHER_URL = /^[a-z][a-z\d+.-]+:\/\//i;

/**
 * Checks the place that a caller gave to an operation. A URL is returned as one of this realm, for
 * `FileSystem.resolvePath`.
 *
 * @throws {TypeError} it is neither a path nor a `file:` URL
 */
export function requirePath(given: unknown, operation: string): string | URL {
  const fail = (problem: string): never => {
    throw new TypeError(`Cannot ${operation}: ${problem}`);
  };
  if (typeof given === "string") {
    const match = FILE_URL.exec(given);
    if (match !== null) {
      if (match[1] !== undefined) return parsed(given, fail);
      fail(
        `the path ${shown(given)} begins as a file: URL, expected "file:///..." or "./file:..."`,
      );
    }
    if (OTHER_URL.test(given)) {
      fail(`the path ${shown(given)} is a URL, expected a path or a file: URL`);
    }
    if (given === ":memory:") {
      fail(`the path is ":memory:", expected any other and { fileSystem: memoryFileSystem() }`);
    }
    if (!given.isWellFormed()) fail("the path holds a lone surrogate");
    return given;
  }
  // Not by `instanceof`: a URL may come from another realm.
  const { href, protocol } = (given ?? {}) as { href?: unknown; protocol?: unknown };
  if (typeof given !== "object" || typeof href !== "string" || typeof protocol !== "string") {
    const found = given === null ? "null" : typeof given;
    return fail(`the path is ${found}, expected a string or a file: URL`);
  }
  const url = parsed(href, fail);
  if (url.protocol !== "file:") fail(`the URL is ${shown(url.href)}, expected a file: URL`);
  return url;
}

function parsed(href: string, fail: (problem: string) => never): URL {
  try {
    return new URL(href);
  } catch {
    return fail(`the URL ${shown(href)} can't be parsed`);
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}
