/** Writes to a stream of the process, with back-pressure and in large pieces. */

import type { WriteStream } from "node:tty";

/** Where text goes. */
export interface OutputStream {
  /** Whether a person sees it. */
  readonly isTerminal: boolean;
  /** The width of the terminal; 80 if there is none. */
  readonly columns: number;
  /** Whether the reader has gone away: nothing more will be read. */
  readonly isGone: boolean;
  /** Adds to the output. If this returns a promise, wait for it before you add more. */
  write(text: string | Uint8Array): Promise<void> | void;
  /** Resolves when the stream has taken everything. */
  flush(): Promise<void>;
}

/** Larger pieces make fewer system calls; more than this waits for the reader. */
const PIECE = 64 * 1024;

/** The part of a stream that is used. */
type Target = Pick<WriteStream, "write" | "on" | "columns"> & {
  isTTY?: boolean;
};

/** A stream of the process. */
export class StreamOutput implements OutputStream {
  readonly #target: Target;
  #texts: string[] = [];
  #length = 0;
  #isGone = false;
  #error: Error | undefined;

  constructor(target: Target) {
    this.#target = target;
    target.on("error", (error: NodeJS.ErrnoException) => {
      // The reader of a pipe may stop whenever it likes: `tinykvs ... | head`.
      if (error.code === "EPIPE") this.#isGone = true;
      else this.#error ??= error;
    });
  }

  get isTerminal(): boolean {
    return this.#target.isTTY === true;
  }

  get columns(): number {
    const { columns } = this.#target;
    return typeof columns === "number" && columns > 0 ? columns : 80;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  write(text: string | Uint8Array): Promise<void> | void {
    if (typeof text !== "string") return this.#writeBytes(text);
    this.#texts.push(text);
    this.#length += text.length;
    if (this.#length >= PIECE || this.isTerminal) return this.flush();
  }

  async flush(): Promise<void> {
    if (this.#texts.length > 0) {
      const text = this.#texts.join("");
      this.#texts = [];
      this.#length = 0;
      await this.#send(text);
    }
    if (this.#error !== undefined) throw this.#error;
  }

  async #writeBytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#send(bytes);
  }

  #send(piece: string | Uint8Array): Promise<void> {
    if (this.#isGone || piece.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#target.write(piece, (error?: Error | null) => {
        if ((error as NodeJS.ErrnoException | undefined)?.code === "EPIPE") {
          this.#isGone = true;
        } else if (error) this.#error ??= error;
        resolve();
      });
    });
  }
}
