// The host of a worker thread, the same on all three runtimes: with and without turns of the event
// loop.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { startThread, type Thread } from "../../src/platform/thread.ts";

/**
 * Does what `thread_port.ts` does, in a program that answers, stops answering or ends as it is
 * told.
 */
const PROGRAM = `
import { receiveMessageOnPort, workerData } from "node:worker_threads";
import process from "node:process";
const { port, words, data } = workerData;
const signal = () => { Atomics.add(words, 0, 1); Atomics.notify(words, 0); };
process.on("exit", () => { Atomics.store(words, 1, 2); signal(); });
const post = (message) => { port.postMessage(message); signal(); };
port.on("message", (message) => {
  if (message === "throw") throw new Error("on purpose");
  if (message === "exit") process.exit(3);
  if (message === "fall silent") { Atomics.wait(words, 2, 0); return; }
  if (message === "poll") {
    let next;
    while (next === undefined) next = receiveMessageOnPort(port);
    post({ polled: next.message });
    return;
  }
  post({ data, message });
});
Atomics.store(words, 1, 1);
signal();
`;

interface Heard {
  readonly thread: Thread;
  readonly messages: unknown[];
  readonly endings: Error[];
  /** Resolves with the next message or ending. */
  readonly next: () => Promise<void>;
}

function start(source = PROGRAM, silenceMs?: number): Heard {
  const messages: unknown[] = [];
  const endings: Error[] = [];
  let wake = (): void => {};
  const listener = {
    received(message: unknown): void {
      messages.push(message);
      wake();
    },
    ended(error: Error): void {
      endings.push(error);
      wake();
    },
  };
  const thread = startThread(source, { answer: 42 }, listener, silenceMs);
  assert.ok(thread !== undefined, "no thread could be started");
  thread.keepAlive();
  return { thread, messages, endings, next: () => new Promise((resolve) => wake = resolve) };
}

function startUp(): Heard {
  const heard = start();
  assert.equal(heard.thread.waitSync(() => heard.thread.isUp, Infinity), true);
  return heard;
}

test("A thread comes up and answers without a turn of the event loop", () => {
  const { thread, messages } = startUp();
  thread.post("hello");
  assert.equal(thread.waitSync(() => messages.length > 0, Infinity), true);
  assert.deepEqual(messages, [{ data: { answer: 42 }, message: "hello" }]);
  thread.stop();
  assert.equal(thread.isUp, false);
});

test("A thread's messages arrive by events if nobody waits for them", async () => {
  const { thread, messages, next } = startUp();
  const arrival = next();
  thread.post("hello");
  await arrival;
  assert.deepEqual(messages, [{ data: { answer: 42 }, message: "hello" }]);
  thread.stop();
});

test("A thread can fetch messages in the middle of its work", () => {
  const { thread, messages } = startUp();
  thread.post("poll");
  thread.post("more");
  thread.waitSync(() => messages.length > 0, Infinity);
  assert.deepEqual(messages, [{ polled: "more" }]);
  thread.stop();
});

test("A wait ends when its time is over, and the message still arrives later", () => {
  const { thread, messages } = startUp();
  thread.post("poll");
  assert.equal(thread.waitSync(() => messages.length > 0, 5), false);
  assert.equal(thread.waitSync(() => messages.length > 0, 0), false);
  thread.post("more");
  assert.equal(thread.waitSync(() => messages.length > 0, Infinity), true);
  thread.stop();
});

for (const how of ["throw", "exit"]) {
  test(`A synchronous wait ends with a thread that ends by ${how}`, () => {
    const { thread, endings } = startUp();
    thread.post(how);
    assert.equal(thread.waitSync(() => false, Infinity), false);
    assert.equal(endings.length, 1);
    assert.equal(thread.isUp, false);
  });

  test(`The event loop is told of a thread that ends by ${how}`, async () => {
    const { thread, endings, next } = startUp();
    const end = next();
    thread.post(how);
    await end;
    assert.equal(endings.length, 1);
    assert.match(endings[0]!.message, how === "throw" ? /on purpose/ : /exit code 3|exited/);
  });
}

test("A synchronous wait gives up a thread that shows no sign of life", async () => {
  const { thread, endings } = start(PROGRAM, 200);
  // Not by a wait: to come up may take longer than that.
  while (!thread.isUp) await systemScheduler.yield();
  thread.post("fall silent");
  assert.equal(thread.waitSync(() => false, Infinity), false);
  assert.match(endings[0]!.message, /has not shown any sign of life for 0\.2 seconds/);
});

test("A program that can't run ends the thread before it was ever up", async () => {
  for (const source of ["this is no program", `import "node:no_such_module";`]) {
    const { thread, endings, next } = start(source);
    await next();
    assert.equal(endings.length, 1);
    assert.equal(thread.isUp, false);
  }
});

test("A stopped thread sends nothing more", async () => {
  const { thread, messages, endings } = startUp();
  thread.post("hello");
  thread.stop();
  const other = startUp();
  const arrival = other.next();
  other.thread.post("hello");
  await arrival;
  other.thread.stop();
  assert.deepEqual([messages, endings], [[], []]);
});
