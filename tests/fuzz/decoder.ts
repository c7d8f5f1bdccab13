/**
 * What the fuzz programme knows of a decoder. To add one: write a `FuzzedDecoder` beside the
 * others, put a few inputs into corpus/<its name>/, and call `fuzz(decoder)` in a file
 * fuzz_*_test.ts.
 */

import type { Random } from "../support/random.ts";

/** A numeric field of a valid input, for the inputs that have one of them at an extreme. */
export interface Field {
  /** Offset of its first byte. */
  readonly at: number;
  /** Its width in bytes: 1, 2, 4 or 8. */
  readonly width: number;
  /** Most significant byte first. */
  readonly isBigEndian?: boolean;
}

/** What was decoded, as far as the checks need it. */
export interface Decoded {
  /** Objects, entries and the like that were made: at most one for each byte of the input. */
  readonly items: number;
  /** Bytes that were read or handed out: at most `maxWork` for an input. */
  readonly work: number;
  /** Requires that it survives being encoded and decoded once more. */
  readonly requireRoundTrip: () => void;
}

/** A decoder under test. */
export interface FuzzedDecoder {
  /** Its name, and that of its folder in the corpus. */
  readonly name: string;
  /** Makes a valid input. */
  valid(random: Random): Uint8Array;
  /** The numeric fields of an input that `valid` made or the corpus holds as valid. */
  fields(bytes: Uint8Array): readonly Field[];
  /**
   * Makes the checksums of an input valid again, as far as its structure can still be recognised.
   */
  reseal?(bytes: Uint8Array): void;
  /** Decodes an input and everything that can be reached in it. @throws what the decoder throws */
  decode(bytes: Uint8Array): Decoded;
  /** Whether an error is one that the decoder's documentation names; by default a DecodeError. */
  isTyped?(error: unknown): boolean;
  /** Bytes that may be read or handed out for an input; by default its length twice, and 64. */
  maxWork?(length: number): number;
}
