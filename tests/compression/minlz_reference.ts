/**
 * A MinLZ decoder that is as plain as the specification's text: a byte at a time into an array, no
 * fast paths. Tests compare the real decoder with it; the two share no code.
 */

/** The content of `block`, or undefined if the specification forbids the block. */
export function referenceDecode(block: Uint8Array): number[] | undefined {
  try {
    return decode([...block]);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

class Malformed extends Error {}

const LARGEST = 8 * 1024 * 1024;

function decode(bytes: number[]): number[] {
  let at = 0;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw new Malformed();
    return byte;
  };
  const number = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++) value += next() * 256 ** i;
    return value;
  };

  if (next() !== 0) throw new Malformed();
  if (bytes.length === 1) return [];
  let size = 0;
  for (let i = 0;; i++) {
    if (i === 10) throw new Malformed();
    const byte = next();
    size += (byte % 128) * 128 ** i;
    if (byte < 128) break;
  }
  if (size === 0) return bytes.slice(at);
  if (size > LARGEST || bytes.length - at > size) throw new Malformed();

  const output: number[] = [];
  const append = (byte: number): void => {
    if (output.length === size) throw new Malformed();
    output.push(byte);
  };
  const literals = (count: number): void => {
    for (let i = 0; i < count; i++) append(next());
  };
  let distance = 1;
  while (at < bytes.length) {
    const tag = next();
    const bits = (from: number, count: number): number => Math.floor(tag / 2 ** from) % 2 ** count;
    const extended = (code: number): number => code < 61 ? code + 4 : 64 + number(code - 60);
    let length: number;
    if (bits(0, 2) === 0) {
      const code = bits(3, 5);
      length = code < 29 ? code + 1 : 30 + number(code - 28);
      if (bits(2, 1) === 0) {
        literals(length);
        continue;
      }
    } else if (bits(0, 2) === 1) {
      distance = 1 + bits(6, 2) + 4 * next();
      length = bits(2, 4) < 15 ? bits(2, 4) + 4 : 18 + next();
    } else if (bits(0, 2) === 2) {
      distance = 64 + number(2);
      length = extended(bits(2, 6));
    } else if (bits(2, 1) === 0) {
      distance = 64 + number(2);
      length = bits(5, 3) + 4;
      literals(bits(3, 2) + 1);
    } else {
      const rest = number(3);
      distance = 65_536 + Math.floor(rest / 8);
      length = extended(bits(5, 3) + 8 * (rest % 8));
      literals(bits(3, 2));
    }
    for (let i = 0; i < length; i++) {
      if (distance > output.length) throw new Malformed();
      append(output[output.length - distance]!);
    }
  }
  if (output.length !== size) throw new Malformed();
  return output;
}
