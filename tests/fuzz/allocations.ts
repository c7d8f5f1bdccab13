/**
 * Counts the bytes of the buffers that a call asks for. While it runs, stand-ins replace the
 * constructors of ArrayBuffer and of the typed arrays, and add up the lengths that they get. So a
 * decoder that believes a length before it has checked it is caught, even if the system had the
 * memory.
 */

const names = ["ArrayBuffer", "Uint8Array", "Uint16Array", "Uint32Array", "Float64Array"] as const;

/** What `action` returns, and how many bytes of buffers it asked for. */
export function countAllocations<T>(action: () => T): { result: T; bytes: number } {
  const scope = globalThis as unknown as Record<string, unknown>;
  const originals = names.map((name) => scope[name]);
  let bytes = 0;
  for (const name of names) {
    const original = scope[name] as {
      new (...args: unknown[]): object;
      BYTES_PER_ELEMENT?: number;
    };
    scope[name] = new Proxy(original, {
      construct(target, args, newTarget) {
        const [length] = args as unknown[];
        if (typeof length === "number") bytes += length * (target.BYTES_PER_ELEMENT ?? 1);
        return Reflect.construct(target, args, newTarget);
      },
    });
  }
  try {
    return { result: action(), bytes };
  } finally {
    for (const [at, name] of names.entries()) scope[name] = originals[at];
  }
}
