/**
 * A child of background_thread_test.ts: fills a store until its jobs run in the thread, and then
 * ends as the second argument says. What it prints is what the test expects.
 */

import process from "node:process";
import { Worker } from "node:worker_threads";
import { open } from "../../mod.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";

const [directory, act] = process.argv.slice(2) as [string, string];
const store = await open(directory, {
  memtableSizeBytes: 1 << 20,
  compression: "none",
  walSync: "none",
});

/** Some 5 MB of keys in no order, so that there are merges. */
function fill(): void {
  let n = 1;
  for (let i = 0; i < 20_000; i++) {
    n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
    store.putSync(`key ${n % 100_000}`, `value ${n} `.repeat(10));
  }
}

fill();
while (store.stats().background !== "worker") {
  await systemScheduler.yield();
  fill();
}
switch (act) {
  case "idle":
    await store.flush();
    await store.compact();
    break;
  case "closed":
    await store.close();
    break;
  case "closed synchronously":
    fill();
    store.closeSync();
    break;
  case "busy":
    fill();
    break;
  case "exit":
    fill();
    console.log("exit");
    process.exit(0);
    break;
  case "killed thread": {
    // The thread is asked to keep the process alive for its next job: then it is the one to end.
    const { ref } = Worker.prototype;
    let terminated: Promise<number> | undefined;
    Worker.prototype.ref = function (this: Worker): void {
      Worker.prototype.ref = ref;
      this.ref();
      terminated = this.terminate();
    };
    let failure = "none";
    for (let i = 0; failure === "none"; i++) {
      try {
        await store.put(`more ${i}`, "x".repeat(10_000));
      } catch (error) {
        failure = (error as { code: string }).code;
      }
    }
    await terminated;
    const found = await store.get("more 0");
    const { background } = store.stats();
    let closing = "none";
    await store.close().catch((error: { code: string }) => closing = error.code);
    console.log(
      `${failure} ${found === "x".repeat(10_000)} ${background} ${closing}`,
    );
    break;
  }
}
console.log(`end ${act}`);
