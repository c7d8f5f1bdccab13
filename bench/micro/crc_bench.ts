/**
 * CRC-32: as the engine calls it (`crc32`), by tables alone, and by the runtime's function with the
 * view that it needs. Where "tables" and "native" cross is what `NATIVE_MIN` in crc32.ts should be.
 *
 * Each write sums a header of 36 bytes and its payload (131 bytes in db_bench); each block that is
 * read or written is summed over its stored form, 7 KiB with zstd, 16 KiB without.
 */

import { crc32, slicedCrc32 } from "../../src/bytes/crc32.ts";
import { nativeCrc32 } from "../../src/platform/natives.ts";
import { SeededRandom } from "../key_values.ts";
import type { MicroCase } from "./micro_case.ts";
import { SEED } from "./micro_data.ts";

const OFFSETS = 64;
/** Lengths of which the parts are measured, too. */
const CROSSING = new Set([32, 96, 128, 144, 256, 384, 448, 512]);

/** The cases. */
export function crcCases(): MicroCase[] {
  const random = new SeededRandom(SEED);
  const bytes = Uint8Array.from({ length: 16384 + OFFSETS }, () => random.below(256));
  const view = new DataView(bytes.buffer);
  return [36, 131, ...CROSSING, 4096, 7168, 16384].sort((a, b) => a - b).flatMap((length) => {
    const calls = Math.max(OFFSETS, Math.ceil(65536 / length / OFFSETS) * OFFSETS);
    let sums = 0;
    for (let at = 0; at < OFFSETS; at++) {
      // One bit at a time, from the definition.
      let state = ~0;
      for (let i = at; i < at + length; i++) {
        state ^= bytes[i]!;
        for (let bit = 0; bit < 8; bit++) state = state >>> 1 ^ (state & 1 ? 0xedb88320 : 0);
      }
      sums += ~state >>> 0;
    }
    const expected = sums * (calls / OFFSETS);
    const cases: MicroCase[] = [{
      name: `${length} bytes`,
      operations: calls,
      expected,
      run: () => {
        let sum = 0;
        for (let i = 0; i < calls; i++) {
          sum += crc32(bytes, view, i % OFFSETS, i % OFFSETS + length);
        }
        return sum;
      },
    }];
    if (!CROSSING.has(length)) return cases;
    return [...cases, {
      name: `${length} bytes by tables`,
      operations: calls,
      expected,
      run: () => {
        let sum = 0;
        for (let i = 0; i < calls; i++) {
          sum += slicedCrc32(view, i % OFFSETS, i % OFFSETS + length, 0);
        }
        return sum;
      },
    }, {
      name: `${length} bytes by the runtime`,
      operations: calls,
      expected,
      run: () => {
        let sum = 0;
        for (let i = 0; i < calls; i++) {
          sum += nativeCrc32(bytes.subarray(i % OFFSETS, i % OFFSETS + length), 0);
        }
        return sum;
      },
    }];
  });
}
