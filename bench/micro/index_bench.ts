/**
 * The index of a table of 600 blocks (9 MB of 16 + 100 bytes): finding the block for a key, and
 * decoding the section, which happens once for a table that is opened.
 */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { encodeIndexHead, TableIndex } from "../../src/sstable/table_index.ts";
import { keyLength, keyOf } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";
import { BLOCK_ENTRIES, packedKeys, shuffledNumbers } from "./micro_data.ts";

const BLOCKS = 600;
const BLOCK_BYTES = 6000;
const SEARCHES = 4096;
const DECODES = 8;

/** The cases. */
export function indexCases(): MicroCase[] {
  const firstKeys = packedKeys(Array.from({ length: BLOCKS }, (_, i) => keyOf(i * BLOCK_ENTRIES)));
  const writer = new ByteWriter(BLOCKS * 32);
  const firstKey = firstKeys.bytes.subarray(0, keyLength);
  const lastKey = packedKeys([keyOf(BLOCKS * BLOCK_ENTRIES - 1)]).bytes.subarray(0, keyLength);
  encodeIndexHead(writer, BLOCKS * BLOCK_ENTRIES, firstKey, lastKey, BLOCKS);
  for (let block = 0; block < BLOCKS; block++) {
    writer.appendUint32(keyLength);
    writer.appendBytes(firstKeys.bytes, block * keyLength, (block + 1) * keyLength);
    writer.appendUint64(block * BLOCK_BYTES);
    writer.appendUint32(BLOCK_BYTES);
  }
  const decode = (): TableIndex =>
    new TableIndex(writer.bytes, 0, writer.length, BLOCKS * BLOCK_BYTES, BLOCKS);
  const index = decode();
  const numbers = Array.from(shuffledNumbers(SEARCHES), (i) => (i * 19) % (BLOCKS * BLOCK_ENTRIES));
  const keys = packedKeys(numbers.map(keyOf));
  return [
    {
      name: "block for a key",
      operations: SEARCHES,
      expected: numbers.reduce((sum, number) => sum + Math.floor(number / BLOCK_ENTRIES), 0),
      run: () => {
        let sum = 0;
        for (let at = 0; at < SEARCHES * keyLength; at += keyLength) {
          sum += index.blockFor(keys.view, at, at + keyLength);
        }
        return sum;
      },
    },
    {
      name: "decode the section",
      operations: DECODES,
      expected: DECODES * BLOCKS,
      run: () => {
        let sum = 0;
        for (let n = 0; n < DECODES; n++) sum += decode().blockCount;
        return sum;
      },
    },
  ];
}
