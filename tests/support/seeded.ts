/**
 * What seeded tests share: awkward keys, random bytes, and failures that say how to repeat them.
 */

import { Random } from "./random.ts";

/** `length` random bytes. */
export function randomBytes(length: number, random: Random): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.below(256);
  return bytes;
}

/**
 * A key that is likely to be hard: short, or of few distinct bytes (0x00 and 0xff among them), or
 * with a long prefix that many others share.
 */
export function awkwardKey(random: Random): Uint8Array {
  const prefix = random.pick([0, 0, 3, 4, 40]);
  const key = new Uint8Array(prefix + random.below(7)).fill(0x61, 0, prefix);
  for (let i = prefix; i < key.length; i++) {
    key[i] = random.pick([0x00, 0x01, 0x61, 0x7f, 0x80, 0xfe, 0xff]);
  }
  return key;
}

/** Runs `body` with the numbers of a seed; a failure says how to repeat it. */
export function withSeed(seed: number, body: (random: Random) => void): void {
  try {
    body(new Random(seed));
  } catch (error) {
    throw seedError(seed, error);
  }
}

/** As `withSeed`, for a body that waits. */
export async function withSeedAsync(
  seed: number,
  body: (random: Random) => Promise<void>,
): Promise<void> {
  try {
    await body(new Random(seed));
  } catch (error) {
    throw seedError(seed, error);
  }
}

function seedError(seed: number, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Error(`seed ${seed} (repeat: call the body with new Random(${seed})): ${message}`, {
    cause,
  });
}
