/**
 * A worker thread as its host sees it. It is started from source text and gets plain messages. The
 * host receives messages by events, or synchronously if it does not let the event loop turn.
 *
 * The source is a `data:` URL, the one form that starts from source trees, bundles and single-file
 * executables on Node, Deno and Bun, without any file and any permission of Deno (decision 7). On
 * all three, the thread starts without the host's event loop, and a message can be fetched as soon
 * as the signal word says so.
 *
 * An event reports its end. A host that waits synchronously sees it in the state word, which the
 * thread sets when it exits, for any reason. Only if the thread is killed from outside or runs out
 * of memory, it has no time for that. So if the host has waited for `SILENCE_MS`, and the thread
 * did not even begin a slice of its work meanwhile (a few milliseconds, or one call of the system),
 * the thread counts as ended.
 */

import type { MessagePort, Worker } from "node:worker_threads";
import { isErrorLike } from "../errors.ts";
import { encodeBase64 } from "./natives.ts";
import { nodeModule } from "./runtime.ts";
import type { ThreadStart } from "./thread_port.ts";
import { BEATS, SIGNAL, STATE, STATE_ENDED, STATE_UP, WORD_COUNT } from "./thread_words.ts";

/** How long a thread may be silent while the host waits for it. */
const SILENCE_MS = 60_000;
/**
 * How often to look for signs of life. Only time that was really waited counts: not that of a
 * suspended machine.
 */
const NAP_MS = 50;
/**
 * For V8's young generation, which a merge fills: its long-lived data lies outside of the heap. The
 * old generation has no limit, because exceeding one ends the whole process on Node 24, and not
 * only the thread.
 */
const MAX_YOUNG_MB = 2;

type WorkerThreads = typeof import("node:worker_threads");

/** Receives what the thread sends. */
export interface ThreadListener {
  /** A message has arrived. */
  received(message: unknown): void;
  /** The thread has ended without being told to. */
  ended(error: Error): void;
}

/** A running thread. */
export class Thread {
  readonly #threads: WorkerThreads;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  readonly #listener: ThreadListener;
  readonly #silenceMs: number;
  #isOver = false;

  /** Internal: `startThread` makes it. */
  constructor(source: string, data: unknown, listener: ThreadListener, silenceMs: number) {
    // Not when this file is loaded: that takes 2 to 5 ms, also of a program whose stores never need
    // a thread.
    const threads = nodeModule("node:worker_threads");
    const { port1, port2 } = new threads.MessageChannel();
    this.#threads = threads;
    this.#words = new Int32Array(new SharedArrayBuffer(4 * WORD_COUNT));
    this.#port = port1;
    this.#listener = listener;
    this.#silenceMs = silenceMs;
    const start: ThreadStart = { port: port2, words: this.#words, data };
    const url = `data:text/javascript;base64,${encodeBase64(source)}`;
    // Not the global class, which may be that of jsdom.
    const { URL } = nodeModule("node:url");
    this.#worker = new threads.Worker(new URL(url), {
      workerData: start,
      transferList: [port2],
      // Not the arguments of the program: preloaded modules, a test runner, a profiler.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: MAX_YOUNG_MB },
      name: "tinykvs",
    });
    this.#worker.on("error", (error: unknown) => {
      this.#end(isErrorLike(error) ? error : new Error(String(error)));
    });
    this.#worker.on("exit", (code) => this.#end(new Error(`exit code ${code}`)));
    port1.on("message", (message: unknown) => this.#deliver(message));
    this.mayExit();
  }

  /** Whether the thread takes messages. */
  get isUp(): boolean {
    return !this.#isOver && Atomics.load(this.#words, STATE) === STATE_UP;
  }

  /** Sends a message. */
  post(message: unknown): void {
    this.#port.postMessage(message);
  }

  /** Keeps the process alive from now on. */
  keepAlive(): void {
    this.#worker.ref();
    this.#port.ref();
  }

  /** Lets the process end although the thread is there. */
  mayExit(): void {
    this.#worker.unref();
    this.#port.unref();
  }

  /** Delivers messages that have arrived, without waiting. */
  poll(): void {
    // First, so that messages before the end are not lost.
    const hasEnded = Atomics.load(this.#words, STATE) === STATE_ENDED;
    while (!this.#isOver) {
      const next = this.#threads.receiveMessageOnPort(this.#port);
      if (next === undefined) break;
      this.#deliver(next.message);
    }
    if (hasEnded) this.#end(new Error("it has exited"));
  }

  /**
   * Waits until `isDone`, at most about `budgetMs`, and delivers messages that arrive; returns
   * whether it is done.
   */
  waitSync(isDone: () => boolean, budgetMs: number): boolean {
    let waitedMs = 0;
    let silentMs = 0;
    for (;;) {
      const signal = Atomics.load(this.#words, SIGNAL);
      const beats = Atomics.load(this.#words, BEATS);
      this.poll();
      if (isDone() || this.#isOver) return isDone();
      if (waitedMs >= budgetMs) return false;
      const napMs = Math.min(NAP_MS, budgetMs - waitedMs);
      const isSignalled = Atomics.wait(this.#words, SIGNAL, signal, napMs) !== "timed-out";
      waitedMs += napMs;
      silentMs = isSignalled || Atomics.load(this.#words, BEATS) !== beats ? 0 : silentMs + napMs;
      if (silentMs >= this.#silenceMs) {
        this.#end(new Error(`it has not shown any sign of life for ${silentMs / 1000} seconds`));
      }
    }
  }

  /** Ends the thread; nothing more is delivered. */
  stop(): void {
    this.#isOver = true;
    this.#port.close();
    this.mayExit();
    // It resolves when the thread has ended, for which nobody waits; it cannot fail.
    void this.#worker.terminate();
  }

  #deliver(message: unknown): void {
    if (!this.#isOver) this.#listener.received(message);
  }

  #end(error: Error): void {
    if (this.#isOver) return;
    this.stop();
    this.#listener.ended(error);
  }
}

/**
 * Starts a thread that runs `source`, an ES module, which calls `openThreadPort`. Returns undefined
 * if the runtime gives no thread: because of its permissions, for example.
 */
export function startThread(
  source: string,
  data: unknown,
  listener: ThreadListener,
  silenceMs: number = SILENCE_MS,
): Thread | undefined {
  try {
    return new Thread(source, data, listener, silenceMs);
  } catch (error) {
    // Whatever the reason, the work can be done without a thread.
    if (isErrorLike(error)) return undefined;
    throw error;
  }
}
