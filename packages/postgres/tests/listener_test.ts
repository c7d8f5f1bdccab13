/** The connection for notifications: it is one or none, in whatever order things happen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Driver } from "../mod.ts";
import { Listener } from "../src/listener.ts";

interface Attempt {
  succeed(): void;
  fail(): void;
  lose(): void;
  isOpen: boolean;
}

/** A driver whose connections are made when the test says so. */
function slowDriver(): { readonly driver: Driver; readonly attempts: Attempt[] } {
  const attempts: Attempt[] = [];
  const driver: Driver = {
    name: "slow",
    connect: () => Promise.reject(new Error("not used")),
    listen: (_channel, _onNotify, onLost) =>
      new Promise((resolve, reject) => {
        const attempt: Attempt = {
          isOpen: false,
          succeed: () => {
            attempt.isOpen = true;
            resolve({
              close: () => {
                attempt.isOpen = false;
                return Promise.resolve();
              },
            });
          },
          fail: () => reject(new Error("refused")),
          lose: () => {
            attempt.isOpen = false;
            onLost();
          },
        };
        attempts.push(attempt);
      }),
  };
  return { driver, attempts };
}

const openOf = (attempts: readonly Attempt[]): number =>
  attempts.filter(({ isOpen }) => isOpen).length;

test("A listener that is stopped while it connects has no connection when the stop ends", async () => {
  const { driver, attempts } = slowDriver();
  const listener = new Listener(driver, "c", () => {});
  const started = listener.start();
  let isStopped = false;
  const stopped = listener.stop().then(() => isStopped = true);
  await Promise.resolve();
  assert.equal(isStopped, false);
  attempts[0]!.succeed();
  await Promise.all([started, stopped]);
  assert.deepEqual([attempts.length, openOf(attempts)], [1, 0]);
});

test("A listener that is stopped and started while it connects has one connection", async () => {
  const { driver, attempts } = slowDriver();
  const listener = new Listener(driver, "c", () => {});
  const calls = [listener.start(), listener.stop(), listener.start(), listener.wake()];
  attempts[0]!.succeed();
  await Promise.all(calls);
  assert.deepEqual([attempts.length, openOf(attempts)], [1, 1]);
  await listener.stop();
  assert.equal(openOf(attempts), 0);
});

test("A listener connects again when it is woken after a loss or a failure, not before", async () => {
  const { driver, attempts } = slowDriver();
  let notified = 0;
  const listener = new Listener(driver, "c", () => notified++);
  const started = listener.start();
  attempts[0]!.fail();
  await started;
  const second = listener.wake();
  attempts[1]!.succeed();
  await second;
  await listener.wake();
  assert.equal(attempts.length, 2);
  attempts[1]!.lose();
  assert.equal(attempts.length, 2);
  const third = listener.wake();
  attempts[2]!.succeed();
  await third;
  assert.equal(openOf(attempts), 1);
  // Each time it listens, it may have missed a message.
  assert.equal(notified, 2);
  await listener.stop();
  await listener.wake();
  assert.deepEqual([attempts.length, openOf(attempts)], [3, 0]);
});

test("A connection that is lost while it is handed over does not count as one", async () => {
  const { driver, attempts } = slowDriver();
  const listener = new Listener(driver, "c", () => {});
  const started = listener.start();
  attempts[0]!.succeed();
  attempts[0]!.lose();
  await started;
  const again = listener.wake();
  assert.equal(attempts.length, 2);
  attempts[1]!.succeed();
  await again;
  await listener.stop();
  assert.equal(openOf(attempts), 0);
});
