/**
 * Makes the prefix of a sub's keys. No prefix of a sub begins with the prefix of another one, so no
 * key belongs to two subs.
 *
 * The prefix is 00, then each name of the path as UTF-8, in which 00 03 replaces a zero. Between
 * two names is 00 02, and after the last name 00 01. The sub's key follows. After a 00 in the
 * names, 01 ends the path, 02 ends the name, and 03 ends nothing. So there is only one way to read
 * a prefix from its start. The keys of a sub's own subs do not lie among its keys.
 *
 * The store's key is UTF-8 if the sub's key is. The store itself does not know about subs. It sees
 * keys that begin with U+0000, so its own keys should not begin with that.
 */

import { encodeUtf8 } from "../utf8.ts";
import { describeValue } from "../value.ts";

/** The longest prefix in bytes. It leaves at least half of a key's length to the sub's key. */
export const MAX_PREFIX_BYTES = 32768;

const START = "\0";
const END = "\0\x01";
const NEXT_NAME = "\0\x02";
const ZERO = "\0\x03";

/**
 * The names on a path.
 *
 * @throws {TypeError} it is neither a name nor an array of names, or a name holds a lone surrogate
 * @throws {RangeError} it is empty
 */
export function namesOf(path: string | readonly string[]): readonly string[] {
  const names: readonly string[] = typeof path === "string" ? [path] : path;
  if (!Array.isArray(names)) {
    throw new TypeError(
      `Cannot make the sub: its path is ${describeValue(path)}, ` +
        "expected a name or an array of names",
    );
  }
  if (names.length === 0) throw new RangeError("Cannot make the sub: its path has no names");
  return Array.from(names as readonly string[], (name, at) => {
    if (typeof name !== "string") {
      throw new TypeError(
        `Cannot make the sub: name ${at} of its path is ${describeValue(name)}, expected a string`,
      );
    }
    if (name.isWellFormed()) return name;
    throw new TypeError(`Cannot make the sub: name ${at} of its path holds a lone surrogate`);
  });
}

/**
 * The prefix of the keys at a path, as text and as bytes.
 *
 * @throws {RangeError} it is longer than {@linkcode MAX_PREFIX_BYTES}
 */
export function prefixOf(names: readonly string[]): { text: string; bytes: Uint8Array } {
  const text = START + names.map((name) => name.split("\0").join(ZERO)).join(NEXT_NAME) + END;
  const bytes = encodeUtf8(text);
  if (bytes.length <= MAX_PREFIX_BYTES) return { text, bytes };
  throw new RangeError(
    `Cannot make the sub: its path takes ${bytes.length} bytes, expected at most ${MAX_PREFIX_BYTES}`,
  );
}

/** The path of a sub in the sub at `path`. */
export function nestedPath(
  path: readonly string[],
  names: string | readonly string[],
): readonly string[] {
  // The constructor of the sub reports an invalid path.
  return typeof names === "string"
    ? [...path, names]
    : Array.isArray(names) && names.length > 0
    ? [...path, ...names]
    : names;
}
