/**
 * A program of somebody who keeps data in Deno KV by unstorage. It runs on Deno.
 *
 *     write KV FILE    stores the first 500 lines of FILE, as they are and as text
 *     read KV          shows everything as one object of JSON
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { createStorage } from "unstorage";
import denoKv from "unstorage/drivers/deno-kv";

const [action, kv, file] = process.argv.slice(2);
const storage = createStorage({
  driver: denoKv({ path: kv!, base: "stations" }),
});
if (action === "write") {
  for (const line of readFileSync(file!, "utf8").split("\n").slice(0, 500)) {
    const { id, ...station } = JSON.parse(line);
    await storage.setItemRaw(`record:${id}`, station);
    await storage.setItem(`text:${id}`, station);
  }
} else {
  const found: Record<string, unknown> = {};
  for (const key of await storage.getKeys()) {
    found[key] = await storage.getItemRaw(key);
  }
  console.log(JSON.stringify(found));
}
await storage.dispose();
