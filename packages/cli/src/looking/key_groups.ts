/**
 * Keys as a tree: the parts of keys up to a separator, as the folders of a path. Groups are found
 * by seeking past each one, so a group of a million keys costs as much as a group of one.
 */

import type { OpenStore } from "../store_access.ts";
import { toUtf8 } from "../values/bytes.ts";

/** A key, or what several keys begin with. */
export interface KeyGroup {
  /** The key; of a group, up to its separator. */
  readonly key: Uint8Array;
  readonly isGroup: boolean;
}

/** Where groups end. */
export type Division =
  /** After one of these characters of ASCII. */
  | { readonly separators: string }
  /** After this number of bytes. */
  | { readonly bytes: number };

/** What separates parts of keys unless a person says it. */
export const DEFAULT_SEPARATORS = ":/";

/** Where the group of a key ends, from an offset on; -1 if the key belongs to none. */
export function groupEnd(
  key: Uint8Array,
  from: number,
  division: Division,
): number {
  if ("bytes" in division) {
    const end = from + division.bytes;
    return key.length > end ? end : -1;
  }
  const bytes = toUtf8(division.separators);
  const at = key.subarray(from).findIndex((byte) => bytes.includes(byte));
  // A key that ends with its separator is a key, unless more follows.
  return at === -1 || from + at === key.length - 1 ? -1 : from + at + 1;
}

/** The groups and keys directly below a prefix, in the order of keys. */
export async function* keyGroups(
  store: OpenStore,
  prefix: Uint8Array,
  division: Division,
  signal?: AbortSignal,
): AsyncGenerator<KeyGroup> {
  await using cursor = store.keys({
    prefix,
    ...(signal === undefined ? {} : { signal }),
  });
  while (true) {
    const { done, value: key } = await cursor.next();
    if (done === true) return;
    const end = groupEnd(key, prefix.length, division);
    if (end === -1) {
      yield { key, isGroup: false };
      continue;
    }
    const group = key.slice(0, end);
    yield { key: group, isGroup: true };
    const after = firstAfter(group);
    if (after === undefined) return;
    cursor.seek(after);
  }
}

/** The first key after all that begin with a prefix; undefined if there can be none. */
export function firstAfter(prefix: Uint8Array): Uint8Array | undefined {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last === -1) return undefined;
  const after = prefix.slice(0, last + 1);
  after[last]!++;
  return after;
}
