/**
 * The merging cursor: an entry's share of a merge of 1, 2, 4 and 8 sources. The sources alternate
 * with every key, or one of them is first for 64 keys, or all hold the same keys.
 *
 * Scans and compactions pull every entry through it. The sources here cost next to nothing: they
 * are cursors over packed keys.
 */

import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  type Position,
} from "../../src/iterator/entry_cursor.ts";
import { MergingCursor } from "../../src/iterator/merging_cursor.ts";
import { keyLength, keyOf } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";
import { packedKeys } from "./micro_data.ts";

const KEYS = 8192;

/** Walks keys that lie back to back; an entry's value is its key. */
class PackedCursor implements EntryCursor {
  readonly entry: EntryView = emptyEntryView();
  readonly #endBytes: number;

  constructor(keys: { bytes: Uint8Array; view: DataView }) {
    this.entry.keyBytes = this.entry.valueBytes = keys.bytes;
    this.entry.keyView = this.entry.valueView = keys.view;
    this.#endBytes = keys.bytes.length;
  }

  seekToStart(): Position {
    return this.#show(0);
  }

  seek(): Position {
    throw new Error("Cannot seek: the bench does not");
  }

  advance(): Position {
    return this.#show(this.entry.keyEnd);
  }

  takeRun(): number {
    throw new Error("Cannot take a run: the bench moves one by one, as compactions do");
  }

  skip(): void {
    throw new Error("Cannot skip: no run was taken");
  }

  loadSync(): void {}

  load(): Promise<void> {
    return Promise.resolve();
  }

  resume(): Position {
    return AT_ENTRY;
  }

  #show(at: number): Position {
    if (at >= this.#endBytes) return AT_END;
    const entry = this.entry;
    entry.keyStart = entry.valueStart = at;
    entry.keyEnd = entry.valueEnd = at + keyLength;
    return AT_ENTRY;
  }
}

/** A merge over sources of which source `s` holds the keys that `sourcesOf` gives it. */
function mergeCase(
  name: string,
  sourceCount: number,
  holds: (source: number, key: number) => boolean,
): MicroCase {
  const sources = Array.from({ length: sourceCount }, (_, source) => {
    const texts: string[] = [];
    for (let key = 0; key < KEYS; key++) if (holds(source, key)) texts.push(keyOf(key));
    return packedKeys(texts);
  });
  let lastDigits = 0;
  for (let key = 0; key < KEYS; key++) lastDigits += keyOf(key).charCodeAt(keyLength - 1);
  return {
    name,
    operations: KEYS,
    expected: lastDigits,
    run: () => {
      const merged = new MergingCursor(sources.map((keys) => new PackedCursor(keys)), false);
      let sum = 0;
      for (
        let position = merged.seekToStart();
        position === AT_ENTRY;
        position = merged.advance()
      ) {
        const { keyBytes, keyEnd } = merged.entry;
        sum += keyBytes[keyEnd - 1]!;
      }
      return sum;
    },
  };
}

/** The cases. */
export function mergeCases(): MicroCase[] {
  return [
    mergeCase("1 source", 1, () => true),
    ...[2, 4, 8].flatMap((count) => [
      mergeCase(`${count} sources, runs of 64`, count, (s, key) => (key >>> 6) % count === s),
      mergeCase(`${count} sources, in turns`, count, (s, key) => key % count === s),
      mergeCase(`${count} sources, the same keys`, count, () => true),
    ]),
  ];
}
