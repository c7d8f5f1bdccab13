/** Views that have lost their memory: they look like empty ones. */

/** A view of some bytes whose buffer was transferred away. */
export function detachedBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(7);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

/**
 * Views of fixed and of following length whose buffer has shrunk so that they lie outside of it.
 */
export function outlyingBytes(): Uint8Array[] {
  const buffer = new ArrayBuffer(16, { maxByteLength: 32 });
  const views = [
    new Uint8Array(buffer, 4, 8),
    new Uint8Array(buffer, 8),
    new Uint8Array(buffer, 12, 0),
  ];
  buffer.resize(2);
  return views;
}
