/**
 * zstd in WebAssembly: a private instance of the module that the npm package `@bokuweb/zstd-wasm`
 * ships, embedded in the source by `wasm/build.ts`.
 *
 * It is private because the package's own functions are unsafe for a library: a second `init()`
 * anywhere in the process makes its `compress` return zeros, and its `decompress` allocates what a
 * frame claims. Here the module is compiled on first use, once per realm, and one instance serves
 * every store of the realm. Calls are synchronous, so they cannot overlap.
 *
 * Memory. The module starts with 16 MiB and never returns memory. Two regions of little more than 1
 * MiB each are kept for input and output. Larger ones are allocated for one call and freed after
 * it, and an instance that has grown past 32 MiB is dropped as a whole. zstd is told that the
 * output has room for the length that the caller expects, so a frame's claim never causes an
 * allocation.
 *
 * Failure. After any failure (an error code of zstd, a trap, an exhausted stack, a refused
 * allocation) the instance is dropped, and the next call starts with a new one. That costs at most
 * 1 ms, and no state that hostile input may have left is ever used again.
 *
 * Exports used, by their minified names: f memory, g constructors, j ZSTD_createCCtx, l
 * ZSTD_compress_usingDict, n ZSTD_createDCtx, q ZSTD_decompress_usingDict, s malloc, t free. With a
 * null dictionary, l and q are the calls that reuse a context.
 */

import { DecodeError, isErrorNamed } from "../errors.ts";
import { decodeBase64, inflateRaw } from "../platform/natives.ts";
import { ZSTD_WASM_DEFLATED_BASE64, ZSTD_WASM_LENGTH } from "../../wasm/generated/zstd_wasm.ts";

/** Regions also grow in this unit. */
const PAGE_BYTES = 64 << 10;
/** Regions up to this size are kept between calls: a block of 1 MiB and what zstd may add to it. */
const KEPT_REGION_BYTES = (1 << 20) + PAGE_BYTES;
/** An instance whose memory has grown past this is not used again. */
const KEPT_MEMORY_BYTES = 32 << 20;
/** The module's own maximum. */
const MAX_MEMORY_BYTES = 2 ** 31;
/** Memory that the contexts, the stack and the allocator may need besides input and output. */
const OVERHEAD_BYTES = 48 << 20;

/** The most that input and output of one call may take together, in bytes. */
export const ZSTD_WASM_MAX_CALL_BYTES: number = MAX_MEMORY_BYTES - OVERHEAD_BYTES;

/** zstd's number for a failed allocation, the only error that says nothing about the input. */
const ERROR_MEMORY = 64;

/** The meanings of the other error numbers that damaged frames lead to. */
const errorMeanings: ReadonlyMap<number, string> = new Map([
  [20, "corrupted data"],
  [22, "wrong checksum"],
  [70, "longer than expected"],
  [72, "wrong input size"],
]);

interface ZstdExports {
  readonly f: WebAssembly.Memory;
  g(): void;
  j(): number;
  l(
    context: number,
    output: number,
    outputSize: number,
    input: number,
    inputSize: number,
    dictionary: number,
    dictionarySize: number,
    level: number,
  ): number;
  n(): number;
  q(
    context: number,
    output: number,
    outputSize: number,
    input: number,
    inputSize: number,
    dictionary: number,
    dictionarySize: number,
  ): number;
  s(size: number): number;
  t(address: number): void;
}

let compiled: WebAssembly.Module | undefined;
let shared: ZstdWasm | undefined;
let growthCount = 0;

/**
 * Compresses `from[start, end)` to `into[offset...]`, at most `capacity` bytes; returns the count.
 *
 * @throws {RangeError} there is no memory for it
 */
export function zstdWasmCompress(
  from: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  offset: number,
  capacity: number,
  level: number,
): number {
  const instance = takeInstance("compress", end - start + capacity);
  let size: number;
  try {
    size = instance.compress(from, start, end, capacity, level);
  } catch (error) {
    if (!isErrorNamed(error, "RuntimeError")) throw error;
    throw new RangeError(`Cannot compress ${end - start} bytes: zstd failed`, { cause: error });
  }
  if (size < 0) {
    throw new RangeError(`Cannot compress ${end - start} bytes: zstd failed with error ${-size}`);
  }
  instance.copyOutput(size, into, offset);
  keepInstance(instance);
  return size;
}

/**
 * Decompresses the frame `from[start, end)`, which {@linkcode checkZstdFrame} has accepted, to
 * `into[offset, offset + length)`.
 *
 * @throws {DecodeError} the frame does not hold exactly `length` bytes
 * @throws {RangeError} there is no memory for it
 */
export function zstdWasmDecompress(
  from: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  offset: number,
  length: number,
): void {
  const instance = takeInstance("decompress", end - start + length);
  let size: number;
  try {
    size = instance.decompress(from, start, end, length);
  } catch (error) {
    // An exhausted stack or heap is not the frame's fault, so those errors pass through.
    if (!isErrorNamed(error, "RuntimeError")) throw error;
    throw new DecodeError(`zstd fails inside the frame (${error.message})`, 0);
  }
  if (size === -ERROR_MEMORY) {
    throw new RangeError(`Cannot decompress ${length} bytes: zstd has no memory for it`);
  }
  if (size < 0) {
    const meaning = errorMeanings.get(-size);
    throw new DecodeError(
      `zstd refuses the frame: error ${-size}${meaning === undefined ? "" : ` (${meaning})`}`,
      0,
    );
  }
  if (size !== length) {
    throw new DecodeError(`the zstd frame holds ${size} bytes, expected ${length}`, 0);
  }
  instance.copyOutput(length, into, offset);
  keepInstance(instance);
}

/** Whether the module is loaded: the next call does not have to make it. */
export function hasZstdWasm(): boolean {
  return compiled !== undefined;
}

/** Bytes of WebAssembly memory that the shared instance holds; 0 when there is none. For tests. */
export function zstdWasmMemoryBytes(): number {
  return shared === undefined ? 0 : shared.memory.buffer.byteLength;
}

/** How often the memory of an instance of this realm has grown. For tests. */
export function zstdWasmGrowthCount(): number {
  return growthCount;
}

/** The memory of the shared instance, so that a test can damage it; undefined without one. */
export function zstdWasmMemory(): WebAssembly.Memory | undefined {
  return shared?.memory;
}

/**
 * Takes the instance out of use until {@linkcode keepInstance} puts it back. After a failure nobody
 * puts it back.
 */
function takeInstance(task: "compress" | "decompress", callBytes: number): ZstdWasm {
  if (callBytes > ZSTD_WASM_MAX_CALL_BYTES) {
    throw new RangeError(
      `Cannot ${task} in WebAssembly: input and output take ${callBytes} bytes, ` +
        `at most ${ZSTD_WASM_MAX_CALL_BYTES} fit; use compression "none" for values of this size`,
    );
  }
  const instance = shared ?? new ZstdWasm(compiledModule());
  shared = undefined;
  return instance;
}

/** Keeps the instance for the next call, without memory that only a large block needed. */
function keepInstance(instance: ZstdWasm): void {
  if (instance.memory.buffer.byteLength > KEPT_MEMORY_BYTES) return;
  instance.freeLargeRegions();
  shared = instance;
}

function compiledModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(
    inflateRaw(
      decodeBase64(ZSTD_WASM_DEFLATED_BASE64),
      ZSTD_WASM_LENGTH,
    ) as Uint8Array<ArrayBuffer>,
  );
  return compiled;
}

/** One instance of the module with one context for each direction. */
class ZstdWasm {
  readonly memory: WebAssembly.Memory;
  readonly #exports: ZstdExports;
  /** All of the memory; detached (length 0) after the memory has grown. */
  #heap: Uint8Array;
  #compressContext = 0;
  #decompressContext = 0;
  #input = 0;
  #inputSize = 0;
  #output = 0;
  #outputSize = 0;

  constructor(module: WebAssembly.Module) {
    const imports = {
      a: {
        a: (code: number): never => {
          throw new WebAssembly.RuntimeError(`zstd called exit(${code})`);
        },
        b: (): void => {},
        c: (): never => {
          throw new WebAssembly.RuntimeError("zstd called abort");
        },
        d: (): number => 0,
        e: (size: number): number => this.#grow(size >>> 0),
      },
    };
    this.#exports = new WebAssembly.Instance(module, imports).exports as unknown as ZstdExports;
    this.memory = this.#exports.f;
    this.#heap = new Uint8Array(this.memory.buffer);
    this.#exports.g();
  }

  /** Returns the size of the frame in the output region, or a negated zstd error number. */
  compress(
    from: Uint8Array,
    start: number,
    end: number,
    capacity: number,
    level: number,
  ): number {
    if (this.#compressContext === 0) {
      this.#compressContext = this.#checkedAddress(this.#exports.j(), "a compression context");
    }
    this.#fill(from, start, end, capacity);
    return this.#exports.l(
      this.#compressContext,
      this.#output,
      capacity,
      this.#input,
      end - start,
      0,
      0,
      level,
    );
  }

  /** Returns the count of bytes in the output region, or a negated zstd error number. */
  decompress(from: Uint8Array, start: number, end: number, capacity: number): number {
    if (this.#decompressContext === 0) {
      this.#decompressContext = this.#checkedAddress(this.#exports.n(), "a decompression context");
    }
    this.#fill(from, start, end, capacity);
    return this.#exports.q(
      this.#decompressContext,
      this.#output,
      capacity,
      this.#input,
      end - start,
      0,
      0,
    );
  }

  /** Copies the first `length` bytes of the output region. */
  copyOutput(length: number, into: Uint8Array, offset: number): void {
    into.set(this.#currentHeap().subarray(this.#output, this.#output + length), offset);
  }

  /** Frees the regions that are too large to keep. */
  freeLargeRegions(): void {
    if (this.#inputSize > KEPT_REGION_BYTES) {
      this.#exports.t(this.#input);
      this.#input = this.#inputSize = 0;
    }
    if (this.#outputSize > KEPT_REGION_BYTES) {
      this.#exports.t(this.#output);
      this.#output = this.#outputSize = 0;
    }
  }

  /** Makes both regions large enough and copies the input into its own. */
  #fill(from: Uint8Array, start: number, end: number, capacity: number): void {
    const length = end - start;
    if (length > this.#inputSize || this.#input === 0) {
      if (this.#input !== 0) this.#exports.t(this.#input);
      this.#input = this.#inputSize = 0;
      const size = regionSize(length);
      this.#input = this.#checkedAddress(this.#exports.s(size), `${size} bytes of input`);
      this.#inputSize = size;
    }
    if (capacity > this.#outputSize || this.#output === 0) {
      if (this.#output !== 0) this.#exports.t(this.#output);
      this.#output = this.#outputSize = 0;
      const size = regionSize(capacity);
      this.#output = this.#checkedAddress(this.#exports.s(size), `${size} bytes of output`);
      this.#outputSize = size;
    }
    const input = start === 0 && end === from.length ? from : from.subarray(start, end);
    this.#currentHeap().set(input, this.#input);
  }

  #currentHeap(): Uint8Array {
    if (this.#heap.length === 0) this.#heap = new Uint8Array(this.memory.buffer);
    return this.#heap;
  }

  #checkedAddress(address: number, what: string): number {
    if (address === 0) {
      throw new RangeError(
        `Cannot allocate ${what} in WebAssembly memory of ${this.memory.buffer.byteLength} bytes`,
      );
    }
    return address >>> 0;
  }

  /** The module's allocator asks for a memory of `size` bytes; returns 1 if it has it now. */
  #grow(size: number): number {
    const current = this.memory.buffer.byteLength;
    if (size > MAX_MEMORY_BYTES) return 0;
    try {
      this.memory.grow(Math.ceil((size - current) / PAGE_BYTES));
      growthCount++;
      return 1;
    } catch (error) {
      // The engine is out of memory: malloc gives 0, which #checkedAddress reports.
      if (isErrorNamed(error, "RangeError")) return 0;
      throw error;
    }
  }
}

/** Whole pages, at least one: zstd wants an address even for no bytes. */
function regionSize(length: number): number {
  return Math.max(Math.ceil(length / PAGE_BYTES), 1) * PAGE_BYTES;
}
