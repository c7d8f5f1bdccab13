/**
 * The CRC-32 of two pieces from those of each, for a piece whose beginning is known only at its
 * end. The method is Mark Adler's in zlib (zlib licence, no code taken): to append n bytes is to
 * multiply by x^8n, modulo the polynomial.
 */

/** The polynomial of CRC-32, reflected: the highest bit stands for x^0. */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
/** x^8: one byte. */
const BYTE = 0x00800000;

/** CRC-32 of a first piece and a second one of `length` bytes, from the CRC of each. */
export function crc32Combine(first: number, second: number, length: number): number {
  let shift = ONE;
  let power = BYTE;
  for (let left = length; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = multiply(shift, power);
    power = multiply(power, power);
  }
  return (multiply(shift, first) ^ second) >>> 0;
}

/** The product of two polynomials modulo that of CRC-32. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= b;
    b = (b & 1) === 0 ? b >>> 1 : b >>> 1 ^ POLYNOMIAL;
  }
  return product;
}
