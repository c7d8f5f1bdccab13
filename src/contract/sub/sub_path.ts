/**
 * The prefix of a sub's keys: no prefix of a sub is a prefix of another one's, so no key is in two
 * subs.
 *
 * It is 00, then each name of the path as UTF-8 with its zeros replaced by 00 03; between names 00
 * 02, after the last 00 01. What follows is the key. After a 00 in the names a 01 ends the path, a
 * 02 the name, a 03 neither: so a prefix can be read from its start in one way only. The subs of a
 * sub are beside its keys, not among them.
 *
 * All of it is UTF-8 if the key is. The store itself knows of no subs: to it these are keys that
 * begin with U+0000, which its own keys had better not do.
 */

import { encodeUtf8 } from "../utf8.ts";
import { describeValue } from "../value.ts";

/** Longest prefix in bytes: at least half of a key's length is left to the keys. */
export const MAX_PREFIX_BYTES = 32768;

const START = "\0";
const END = "\0\x01";
const NEXT_NAME = "\0\x02";
const ZERO = "\0\x03";

/**
 * The names of a path.
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

/** The path of a sub of the sub at `path`. */
export function nestedPath(
  path: readonly string[],
  names: string | readonly string[],
): readonly string[] {
  // What is no path is told by whoever makes the sub.
  return typeof names === "string"
    ? [...path, names]
    : Array.isArray(names) && names.length > 0
    ? [...path, ...names]
    : names;
}
