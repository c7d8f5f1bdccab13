/**
 * Data blocks of 16 KiB (129 entries of 16 + 100 bytes): building, decoding, searching, and the
 * bare copy of the payload as the floor of decoding.
 *
 * A get that misses the cache decodes one block and searches it once; a cached get searches one. A
 * flush or a compaction adds each entry to a block.
 */

import { emptyEntryView } from "../../src/iterator/entry_cursor.ts";
import { Block } from "../../src/sstable/block.ts";
import { BlockBuilder } from "../../src/sstable/block_builder.ts";
import { keyLength, keyOf } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";
import {
  BLOCK_ENTRIES,
  blockPayload,
  ENTRY_BYTES,
  packedEntries,
  packedKeys,
  showPacked,
  shuffledNumbers,
} from "./micro_data.ts";

const DECODES = 64;
const SEARCHES = 4096;

/** The cases. */
export function blockCases(): MicroCase[] {
  const payload = blockPayload();
  const block = Block.decode(payload, 0, payload.length);
  const spare = Block.decode(payload, 0, payload.length);
  const numbers = Array.from(shuffledNumbers(SEARCHES), (i) => i % BLOCK_ENTRIES);
  const slots = numbers.reduce((sum, slot) => sum + slot, 0);
  const present = packedKeys(numbers.map((slot) => keyOf(2 * slot)));
  const absent = packedKeys(numbers.map((slot) => keyOf(2 * slot + 1)));
  const entries = packedEntries(BLOCK_ENTRIES);
  const builder = new BlockBuilder(16 * 1024);
  const entry = emptyEntryView();
  return [
    {
      name: "find, key present",
      operations: SEARCHES,
      expected: slots,
      run: () => {
        let sum = 0;
        for (let at = 0; at < SEARCHES * keyLength; at += keyLength) {
          sum += block.find(present.view, at, at + keyLength);
        }
        return sum;
      },
    },
    {
      name: "find, key absent",
      operations: SEARCHES,
      expected: -SEARCHES,
      run: () => {
        let sum = 0;
        for (let at = 0; at < SEARCHES * keyLength; at += keyLength) {
          sum += block.find(absent.view, at, at + keyLength);
        }
        return sum;
      },
    },
    {
      name: "lowerBound, key absent",
      operations: SEARCHES,
      expected: slots + SEARCHES,
      run: () => {
        let sum = 0;
        for (let at = 0; at < SEARCHES * keyLength; at += keyLength) {
          sum += block.lowerBound(absent.view, at, at + keyLength);
        }
        return sum;
      },
    },
    {
      name: "showAt, each entry",
      operations: BLOCK_ENTRIES * DECODES,
      expected: BLOCK_ENTRIES * DECODES * (ENTRY_BYTES - 4),
      run: () => {
        let sum = 0;
        for (let n = 0; n < DECODES; n++) {
          block.showBuffers(entry);
          for (let slot = 0; slot < BLOCK_ENTRIES; slot++) {
            block.showAt(slot, entry);
            sum += entry.valueEnd - entry.keyStart;
          }
        }
        return sum;
      },
    },
    {
      name: "decode a block",
      operations: DECODES,
      expected: DECODES * BLOCK_ENTRIES,
      run: () => {
        let sum = 0;
        for (let n = 0; n < DECODES; n++) sum += Block.decode(payload, 0, payload.length).count;
        return sum;
      },
    },
    {
      name: "decode a block into another one's memory",
      operations: DECODES,
      expected: DECODES * BLOCK_ENTRIES,
      run: () => {
        let sum = 0;
        for (let n = 0; n < DECODES; n++) {
          sum += Block.decode(payload, 0, payload.length, spare).count;
        }
        return sum;
      },
    },
    {
      name: "floor of decode: copy the payload",
      operations: DECODES,
      expected: DECODES * payload.length,
      run: () => {
        let sum = 0;
        for (let n = 0; n < DECODES; n++) sum += payload.slice().length;
        return sum;
      },
    },
    {
      name: "build, an entry's share",
      operations: BLOCK_ENTRIES * DECODES,
      expected: payload.length * DECODES,
      run: () => {
        let sum = 0;
        for (let n = 0; n < DECODES; n++) {
          builder.reset();
          for (let i = 0; i < BLOCK_ENTRIES; i++) {
            showPacked(entries, i, entry);
            builder.add(entry);
          }
          builder.finish();
          sum += builder.writer.length;
        }
        return sum;
      },
    },
  ];
}
