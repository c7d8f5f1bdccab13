/**
 * The inside of a worker thread that `thread.ts` has started: messages from the host, which it can
 * also fetch in the middle of its work, answers, and signs of life.
 */

import type { MessagePort } from "node:worker_threads";
import { nodeModule, process } from "./runtime.ts";
import { BEATS, SIGNAL, STATE, STATE_ENDED, STATE_UP } from "./thread_words.ts";

const { receiveMessageOnPort, workerData } = nodeModule("node:worker_threads");

/** What the host passes; `data` is for the program of the thread. */
export interface ThreadStart {
  /** This side of the channel. */
  readonly port: MessagePort;
  /** See thread_words.ts. */
  readonly words: Int32Array;
  /** Plain data. */
  readonly data: unknown;
}

/** The channel to the host. */
export interface ThreadPort {
  /** The data that the host started the thread with. */
  readonly data: unknown;
  /** The next message if there is one; `beat` signals that the thread makes progress. */
  receive(): { readonly message: unknown } | undefined;
  /** Sends a message. */
  post(message: unknown): void;
}

/**
 * Opens the channel and reports that the thread is up; `wake` is called for messages while it is
 * idle.
 */
export function openThreadPort(wake: (message: unknown) => void): ThreadPort {
  const { port, words, data } = workerData as ThreadStart;
  const signal = (): void => {
    Atomics.add(words, SIGNAL, 1);
    Atomics.notify(words, SIGNAL);
  };
  // Also after an uncaught error; a host that waits synchronously would never receive an event.
  process.on("exit", () => {
    Atomics.store(words, STATE, STATE_ENDED);
    signal();
  });
  port.on("message", wake);
  Atomics.store(words, STATE, STATE_UP);
  signal();
  return {
    data,
    receive() {
      Atomics.add(words, BEATS, 1);
      return receiveMessageOnPort(port);
    },
    post(message) {
      port.postMessage(message);
      signal();
    },
  };
}
