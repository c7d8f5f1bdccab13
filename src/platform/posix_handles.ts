/**
 * File handles over plain descriptors, and the translation of the runtimes' errors. The three disk
 * adapters share both: Node, Deno and Bun turn these `node:fs` calls into the same system calls
 * (pread, pwrite, fdatasync; checked with strace).
 *
 * Reads and syncs use the callback forms. A `FileHandle` of `node:fs/promises` costs a second
 * promise and up to 30 % more for a read on Node, is no faster on Bun, and Deno's own `FsFile` has
 * no positional read.
 *
 * A failed write-back is reported once to each open file description (Linux 4.13 and later), and
 * its pages count as clean from then on. An fsync in a thread of the pool may take that report
 * before the event loop receives it, and another fsync through the same descriptor would then
 * succeed although bytes are lost. So a handle that syncs asynchronously has a second descriptor,
 * for a `syncSync` meanwhile, which gets its own report (decision 6). It is not known which systems
 * besides Linux report twice.
 *
 * Invariant: a descriptor is closed only if no call on it is under way. The next opened file would
 * get its number, and a late read or sync would hit that file.
 */

import { IoError, isErrorLike, isErrorNamed, messageOf } from "../errors.ts";
import type { FileHandle } from "./file_system.ts";
import { isWindows, nodeModule } from "./runtime.ts";

const fs = nodeModule("node:fs");

// Windows has no O_NOFOLLOW. It syncs only files that are open for writing.
const { O_RDWR, O_NOFOLLOW = 0 } = fs?.constants ?? {};
const WITNESS_FLAGS = O_RDWR | O_NOFOLLOW;

/** An open descriptor. The handle owns it and closes it exactly once. */
export class DescriptorHandle implements FileHandle {
  readonly path: string;
  readonly #descriptor: number;
  /**
   * The second descriptor, from the first asynchronous sync on, or the reason why there is none.
   */
  #witness: number | IoError | undefined;
  #callsInFlight = 0;
  #syncsInFlight = 0;
  #closed = false;

  /** Takes over `descriptor`, which was opened at `path`. */
  constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor;
    this.path = path;
  }

  readSync(into: Uint8Array, offset: number, length: number, position: number): number {
    this.#check("read", position);
    if (length === 0) return 0;
    try {
      return fs.readSync(this.#descriptor, into, offset, length, position);
    } catch (error) {
      throw ioErrorFrom("read", this.path, error);
    }
  }

  read(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#check("read", position);
      if (length === 0) return resolve(0);
      // Bad arguments throw here, before a call is under way, and reject the promise.
      fs.read(this.#descriptor, into, offset, length, position, (error, count) => {
        const failure = this.#settle("read", error);
        if (failure === undefined) resolve(count);
        else reject(failure);
      });
      this.#callsInFlight++;
    });
  }

  writeSync(from: Uint8Array, offset: number, length: number, position: number): number {
    this.#check("write", position);
    if (length === 0) return 0;
    try {
      return fs.writeSync(this.#descriptor, from, offset, length, position);
    } catch (error) {
      throw ioErrorFrom("write", this.path, error);
    }
  }

  syncSync(): void {
    this.#check("sync", 0);
    let descriptor = this.#descriptor;
    if (this.#syncsInFlight > 0) {
      const witness = this.#witness;
      if (typeof witness !== "number") throw witness;
      descriptor = witness;
    }
    try {
      fs.fdatasyncSync(descriptor);
    } catch (error) {
      throw ioErrorFrom("sync", this.path, error);
    }
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#check("sync", 0);
      if (typeof this.#witness !== "number") this.#witness = this.#openWitness();
      if (this.#syncsInFlight === 0 && isShortage(this.#witness)) {
        // At once, so that nobody needs the second descriptor meanwhile.
        this.syncSync();
        return resolve();
      }
      fs.fdatasync(this.#descriptor, (error) => {
        this.#syncsInFlight--;
        const failure = this.#settle("sync", error);
        if (failure === undefined) resolve();
        else reject(failure);
      });
      this.#callsInFlight++;
      this.#syncsInFlight++;
    });
  }

  /**
   * Closes the second descriptor. The next asynchronous sync opens one that gets its own report.
   */
  rest(): void {
    const witness = this.#witness;
    if (this.#syncsInFlight > 0 || typeof witness !== "number") return;
    this.#witness = undefined;
    try {
      fs.closeSync(witness);
    } catch (error) {
      throw ioErrorFrom("close", this.path, error);
    }
  }

  sizeSync(): number {
    this.#check("stat", 0);
    try {
      return fs.fstatSync(this.#descriptor).size;
    } catch (error) {
      throw ioErrorFrom("stat", this.path, error);
    }
  }

  /** Whether the other descriptor is of the same file. */
  isOf(descriptor: number): boolean {
    return isSameFile(this.#descriptor, descriptor);
  }

  closeSync(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#callsInFlight === 0) this.#closeDescriptor();
  }

  /** Ends one asynchronous call; the last one closes the descriptor if `closeSync` came before. */
  #settle(operation: string, error: unknown): unknown {
    this.#callsInFlight--;
    let failure = error ? ioErrorFrom(operation, this.path, error) : undefined;
    if (this.#closed && this.#callsInFlight === 0) {
      try {
        this.#closeDescriptor();
      } catch (closeError) {
        failure ??= closeError;
      }
    }
    return failure;
  }

  /**
   * A failure counts only if somebody needs the second descriptor: then it is the error of that
   * sync.
   */
  #openWitness(): number | IoError {
    const detail = ", when it was opened again for a sync during another one";
    try {
      const witness = fs.openSync(this.path, WITNESS_FLAGS);
      let isOwnFile = false;
      try {
        isOwnFile = isSameFile(witness, this.#descriptor);
      } finally {
        if (!isOwnFile) fs.closeSync(witness);
      }
      if (isOwnFile) return witness;
      return new IoError("sync", this.path, `it was replaced${detail}`, undefined);
    } catch (error) {
      return ioErrorFrom("sync", this.path, error, detail) as IoError;
    }
  }

  #closeDescriptor(): void {
    const witness = this.#witness;
    this.#witness = undefined;
    try {
      try {
        if (typeof witness === "number") fs.closeSync(witness);
      } finally {
        fs.closeSync(this.#descriptor);
      }
    } catch (error) {
      throw ioErrorFrom("close", this.path, error);
    }
  }

  #check(operation: string, position: number): void {
    if (this.#closed) throw new IoError(operation, this.path, "the handle is closed", "EBADF");
    // The runtimes accept -1, and some accept fractions, for "where the last call ended".
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new RangeError(
        `Cannot ${operation} "${this.path}": the position is ${position}, ` +
          `expected an integer from 0 to 2^53 - 1`,
      );
    }
  }
}

/** Whether the second descriptor is missing because the process, or the system, has no more. */
function isShortage(witness: number | IoError): boolean {
  return typeof witness !== "number" &&
    (witness.osCode === "EMFILE" || witness.osCode === "ENFILE");
}

/** Whether two descriptors are of the same file. */
function isSameFile(a: number, b: number): boolean {
  const { dev, ino } = fs.fstatSync(a);
  const other = fs.fstatSync(b);
  return dev === other.dev && ino === other.ino;
}

/**
 * The error that users see for a failed call. `detail` is appended to the reason. The caller's
 * mistakes (TypeError, RangeError) and errors that are already translated pass through.
 *
 * A refusal of Deno's permission check has no system code. It keeps Deno's text, which names the
 * missing flag, and `osCode` is undefined.
 */
export function ioErrorFrom(operation: string, path: string, error: unknown, detail = ""): unknown {
  if (
    error instanceof IoError || isErrorNamed(error, "TypeError") ||
    isErrorNamed(error, "RangeError")
  ) return error;
  const code = osCodeOf(error);
  const reason = reasonOf(error, code);
  const shown = code === undefined || reason === code ? reason : `${reason} (${code})`;
  return new IoError(operation, path, shown + detail, code, { cause: error });
}

/** The operating system's code of an error thrown by `node:fs`, if it has one. */
export function osCodeOf(error: unknown): string | undefined {
  if (!isErrorLike(error)) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return codeOfNumber(error.message);
}

/** Deno names only the common codes. For EFBIG or EDQUOT it says "File too large (os error 27)". */
function codeOfNumber(message: string): string | undefined {
  const number = /\(os error (\d+)\)$/.exec(message)?.[1];
  // On Windows the numbers are not those of errno.
  if (number === undefined || isWindows) return undefined;
  const codes = Object.entries(nodeModule("node:os").constants.errno);
  return codes.find(([, value]) => value === Number(number))?.[0];
}

/** The text between the code and the call in "ENOENT: no such file or directory, open '/x'". */
function reasonOf(error: unknown, code: string | undefined): string {
  let text = messageOf(error);
  if (!isErrorLike(error)) return text;
  if (code !== undefined && text.startsWith(`${code}: `)) text = text.slice(code.length + 2);
  if ("syscall" in error && typeof error.syscall === "string") {
    const end = text.indexOf(`, ${error.syscall}`);
    if (end > 0) text = text.slice(0, end);
  }
  return text;
}
