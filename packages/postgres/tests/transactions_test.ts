/**
 * Random histories of transactions of two handles, judged by the same serial oracle as those of the
 * embedded store (tests/properties/transaction_oracle.ts). A third handle watches: its commits are
 * the order. TINYKVS_TEST_SCALE multiplies the number of histories, TINYKVS_SEED runs one.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { after, before, test } from "node:test";
import { ConflictError, type Store } from "@tinykvs/core/contract";
import {
  type Call,
  type Committed,
  follow,
  judge,
  type Pair,
  RandomCalls,
} from "../../../tests/properties/transaction_oracle.ts";
import { Random } from "../../../tests/support/random.ts";
import { openPostgres } from "../mod.ts";
import { clients } from "./clients.ts";
import { type Server, startServer } from "./server.ts";

const FILE = "packages/postgres/tests/transactions_test.ts";
const HISTORIES = 6;
const FIRST_SEED = 20_261_130;

let server: Server;

before(async () => {
  server = await startServer({ synchronous_commit: "off" });
});

after(async () => {
  await server.stop();
});

interface Figures {
  committed: number;
  readOnly: number;
  retried: number;
  conflicts: number;
}

class Run extends RandomCalls {
  readonly committed: Committed[] = [];
  readonly figures: Figures;

  constructor(random: Random, figures: Figures) {
    super(random);
    this.figures = figures;
  }

  override pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.random.below(4)));
  }

  async work(store: Store, worker: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.pause();
      await this.transaction(store, `~t${worker}.${i}`);
    }
  }

  async transaction(store: Store, id: string): Promise<void> {
    const { random, figures } = this;
    const isReadOnly = random.below(6) === 0;
    const length = 1 + random.below(6);
    let calls: Call[] = [];
    let attempts = 0;
    try {
      await store.transaction(async (tx) => {
        attempts = tx.attempt;
        calls = [];
        for (let i = 0; i < length; i++) {
          await this.pause();
          await this.call(tx, isReadOnly, calls);
        }
        if (!isReadOnly) await tx.put(id, 1);
      }, { retries: 3 });
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      figures.conflicts++;
      return;
    }
    if (attempts > 1) figures.retried++;
    if (isReadOnly) figures.readOnly++;
    else {
      figures.committed++;
      calls.push({
        name: "mark",
        answer: undefined,
        onModel: (model) => model.apply([[id, 1]]),
      });
    }
    this.committed.push({ id, calls, isReadOnly });
  }

  /** Plain writes at the same time as the transactions. */
  async beside(store: Store, count: number): Promise<void> {
    const { random } = this;
    for (let i = 0; i < count; i++) {
      await this.pause();
      switch (random.below(4)) {
        case 0:
          await store.put(this.key(), this.value());
          break;
        case 1:
          await store.batch().put(this.key(), this.value()).delete(this.key())
            .write();
          break;
        case 2:
          await store.putIfNotExists(this.key(), this.value());
          break;
        default:
          await store.increment(`n${random.below(2)}`, 100);
      }
    }
  }
}

async function history(
  client: keyof typeof clients,
  seed: number,
  sums: Figures,
): Promise<void> {
  const random = new Random(seed);
  const driver = clients[client](server.url);
  const table = `history_${client}_${seed}`;
  const watching = await openPostgres(driver, { table });
  const handles = [
    await openPostgres(driver, { table }),
    await openPostgres(driver, { table }),
  ];
  const seen = follow(watching.watch());
  // The watch has begun when a write that was issued after it has ended.
  await watching.put("k0", 0);
  const run = new Run(random, sums);
  const work = handles.flatMap((handle, h) => [
    ...Array.from(
      { length: 3 },
      (_, i) => run.work(handle, `${h}.${i}`, 1 + random.below(3)),
    ),
    run.beside(handle, 2 + random.below(6)),
  ]);
  await Promise.all(work);
  const final = await watching.entries().toArray() as Pair[];
  for (const handle of handles) await handle.close();
  await watching.close();
  judge(await seen, run.committed, final);
}

for (const client of ["pg", "postgres"] as const) {
  test(`By ${client}: every history of transactions is that of a serial order, the one of commits`, async () => {
    const given = process.env["TINYKVS_SEED"];
    const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);
    const count = given === undefined ? Math.ceil(HISTORIES * scale) : 1;
    const first = Number(given ?? FIRST_SEED);
    console.log(
      `${count} histories of transactions by ${client}, from seed ${first} on`,
    );
    const sums: Figures = {
      committed: 0,
      readOnly: 0,
      retried: 0,
      conflicts: 0,
    };
    for (let seed = first; seed < first + count; seed++) {
      try {
        await history(client, seed, sums);
      } catch (error) {
        const cause = error instanceof Error ? error.stack : String(error);
        assert.fail(
          `seed ${seed} fails. Repeat:\nTINYKVS_SEED=${seed} node --test ${FILE}\n${cause}`,
        );
      }
    }
    console.log(JSON.stringify(sums));
    if (count < 5) return;
    assert.ok(sums.committed > 3 * count, `only ${sums.committed} commits`);
    assert.ok(
      sums.retried > count / 4,
      `only ${sums.retried} commits after a conflict`,
    );
  });
}
